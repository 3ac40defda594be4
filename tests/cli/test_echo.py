# SPDX-License-Identifier: Apache-2.0 OR MIT
"""examples/echo, with netcat."""
import os
import socket
import struct
import unittest

from servers import ServerTest, needs, receive, receive_all


class Echo(ServerTest):
    EXAMPLE = "echo"

    @needs("nc", "netcat-openbsd")
    def test_netcat_gets_back_what_it_sends(self):
        data = os.urandom(300000)
        self.assertEqual(self.client("nc", "-N", "127.0.0.1", str(self.port), data=data), data)

    def test_connections_do_not_wait_for_each_other(self):
        sockets = [self.connect() for _ in range(200)]
        for i, s in enumerate(sockets):
            s.sendall(b"%08d" % i)
        for i, s in reversed(list(enumerate(sockets))):
            self.assertEqual(receive(s, 8), b"%08d" % i)

    def test_half_a_connection_is_served_to_its_end(self):
        s = self.connect()
        s.sendall(b"the last words")
        s.shutdown(socket.SHUT_WR)
        self.assertEqual(receive_all(s), b"the last words")

    def test_a_client_that_resets_hurts_nobody(self):
        other = self.connect()
        for _ in range(50):
            s = self.connect()
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.sendall(b"x" * 1000)
            s.close()
        other.sendall(b"still here")
        self.assertEqual(receive(other, 10), b"still here")

    def test_an_address_in_use_is_said(self):
        done = self.lunatic("run", self.wasm, f"127.0.0.1:{self.port}")
        self.assertEqual(done.returncode, 1)
        self.assertIn(f"echo: 127.0.0.1:{self.port}: Address already in use (os error 98)", done.stderr)


if __name__ == "__main__":
    unittest.main()

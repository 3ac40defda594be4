# SPDX-License-Identifier: Apache-2.0 OR MIT
"""examples/udp_flows, with netcat, and flow by flow."""
import socket
import subprocess
import unittest

from servers import PATIENCE, ServerTest, eventually, needs


class UdpFlows(ServerTest):
    EXAMPLE = "udp_flows"
    def arguments(self):
        return ["1"] if self._testMethodName == "test_a_silent_flow_ends" else []

    def flow(self, host="127.0.0.1"):
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        s.bind((host, 0))
        s.settimeout(PATIENCE)
        s.connect(("127.0.0.1", self.port))
        return s

    def ask(self, s, data):
        s.send(data)
        return s.recv(65536)

    def counts(self, s):
        """Of the flow, this question included."""
        text = self.ask(s, b"?").decode()
        at, words = text.split(": ")
        self.assertEqual(at, "%s:%d" % s.getsockname())
        return text.split(": ")[1]

    def test_each_flow_has_its_own_counts(self):
        flows = [self.flow(f"127.0.0.{2 + i % 7}") for i in range(300)]
        for n in range(3):
            for i, s in enumerate(flows):
                data = b"%d" % i * n
                self.assertEqual(self.ask(s, data), data)
        for i, s in enumerate(flows):
            self.assertEqual(self.counts(s), f"4 datagrams, {3 * len(str(i)) + 1} bytes\n")

    def test_large_datagrams_are_cut(self):
        s = self.flow()
        self.assertEqual(self.ask(s, 60000 * b"x"), 1472 * b"x")

    def test_who_refuses_an_answer_hurts_nobody(self):
        for _ in range(20):
            s = self.flow()
            s.send(b"x")
            s.close()
        s = self.flow()
        self.assertEqual(self.ask(s, b"still here"), b"still here")

    def test_a_silent_flow_ends(self):
        s = self.flow()
        self.assertEqual(self.counts(s), "1 datagrams, 1 bytes\n")
        self.assertEqual(self.counts(s), "2 datagrams, 2 bytes\n")

        def began_anew():
            s.settimeout(1.5)  # longer than the flow lives
            try:
                s.recv(1)
            except TimeoutError:
                pass
            s.settimeout(PATIENCE)
            return self.counts(s) == "1 datagrams, 1 bytes\n"
        eventually(began_anew, "a new flow")

    @needs("nc", "netcat-openbsd")
    def test_netcat_is_answered(self):
        p = subprocess.Popen(["nc", "-u", "127.0.0.1", str(self.port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(p.stdout.close)
        self.addCleanup(p.wait, PATIENCE)
        self.addCleanup(p.kill)
        self.addCleanup(p.stdin.close)
        p.stdin.write(b"hello\n")
        p.stdin.flush()
        self.assertEqual(p.stdout.readline(), b"hello\n")
        p.stdin.write(b"?")
        p.stdin.flush()
        self.assertRegex(p.stdout.readline(), rb"^127\.0\.0\.1:\d+: 2 datagrams, 7 bytes\n$")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0 OR MIT
"""examples/kv, with netcat, and byte by byte."""
import contextlib
import os
import socket
import sqlite3
import unittest

from servers import ServerTest, needs, receive, receive_all


class KeyValue(ServerTest):
    EXAMPLE = "kv"
    SOURCES = ["kv.c", "store.c"]

    def arguments(self):
        return ["test.db"]

    def session(self, data):
        """Everything the server answers to a client that sends this and no more."""
        s = self.connect()
        s.sendall(data)
        s.shutdown(socket.SHUT_WR)
        return receive_all(s)

    @needs("nc", "netcat-openbsd")
    def test_netcat_sets_and_gets(self):
        text = self.client("nc", "-N", "-C", "127.0.0.1", str(self.port),
                           data=b"SET greeting 12\ngood morning\nGET greeting\nDELETE greeting\nGET greeting\n"
                                b"DELETE greeting\nCOUNT\nQUIT\n")
        self.assertEqual(text, b"OK\r\nVALUE 12\r\ngood morning\r\nOK\r\nNONE\r\nNONE\r\nNUMBER 0\r\nOK\r\n")

    def test_values_are_any_bytes(self):
        for size in 0, 1, 100, 16384, 65536:
            value = os.urandom(size)
            self.assertEqual(self.session(b"SET k %d\r\n%b\r\nGET k\r\n" % (size, value)),
                             b"OK\r\nVALUE %d\r\n%b\r\n" % (size, value))

    def test_keys_are_listed_in_order_a_hundred_at_a_time(self):
        self.session(b"".join(b"SET k%03d 1\nx\n" % i for i in reversed(range(150))))
        lines = self.session(b"KEYS\nKEYS k099\nKEYS z\nCOUNT\n").split(b"\r\n")
        self.assertEqual(lines, [*[b"KEY k%03d" % i for i in range(100)], b"END",
                                 *[b"KEY k%03d" % i for i in range(100, 150)], b"END", b"END", b"NUMBER 150", b""])

    def test_what_is_wrong_is_said(self):
        long = 251 * b"x"
        for line in b"", b"GET", b"GET a b", b"NOTHING", b"QUIT now", b"SET k", b"GET " + long, b"GET a\x01":
            self.assertRegex(self.session(line + b"\nCOUNT\n"), rb"^ERROR .*\r\nNUMBER 0\r\n$", line)
        for line in b"SET k x", b"SET k -1", b"SET k 65537", b"SET k 2\nabc", b"SET " + long + b" 1", 300 * b"x":
            self.assertRegex(self.session(line + b"\nCOUNT\n"), rb"^ERROR [^\r]*\r\n$", line)

    def test_keys_are_utf8(self):
        for key in (b"\xff\xfe", b"a\x80", b"\xc3", b"\xc3(", b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf0\x9f\x92",
                    b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80\x80", 125 * "\xe4".encode() + b"x"):
            for line in b"GET %s", b"DELETE %s", b"KEYS %s":
                self.assertRegex(self.session(line % key + b"\nCOUNT\n"), rb"^ERROR a key .*\r\nNUMBER 0\r\n$", key)
            self.assertRegex(self.session(b"SET " + key + b" 1\nx\n"), rb"^ERROR a key .*\r\n$", key)
        for key in ("\xe4", "\u20ac", "\ud7ff", "\ue000", "\U0001f4a1", "\U0010ffff", 125 * "\xe4"):
            key = key.encode()
            self.assertEqual(self.session(b"SET " + key + b" 1\nx\nGET " + key + b"\n"), b"OK\r\nVALUE 1\r\nx\r\n", key)

    def test_sql_is_only_text(self):
        key = b"';DROP/**/TABLE/**/pairs;--"
        self.assertEqual(self.session(b"SET %b 3\n'\"?\nGET %b\nCOUNT\n" % (key, key)),
                         b"OK\r\nVALUE 3\r\n'\"?\r\nNUMBER 1\r\n")

    def test_many_clients_write_at_once(self):
        sockets = [self.connect() for _ in range(100)]
        for n in range(5):
            for i, s in enumerate(sockets):
                s.sendall(b"SET key%d 1\n%d\n" % (i, n))
            for s in sockets:
                self.assertEqual(receive(s, 4), b"OK\r\n")
        self.assertEqual(self.session(b"COUNT\nGET key99\n"), b"NUMBER 100\r\nVALUE 1\r\n4\r\n")

    def test_what_was_said_to_be_written_is_there_after_a_kill(self):
        s = self.connect()
        s.sendall(b"SET k 5\nvalue\nSET half")
        self.assertEqual(receive(s, 4), b"OK\r\n")
        self.kill(self.server)
        with contextlib.closing(sqlite3.connect(os.path.join(self.folder, "test.db"))) as db:
            self.assertEqual(db.execute("SELECT key, value FROM pairs").fetchall(), [("k", b"value")])
        self.server, self.port = self.serve()
        self.assertEqual(self.session(b"GET k\nKEYS\n"), b"VALUE 5\r\nvalue\r\nKEY k\r\nEND\r\n")

    def test_a_database_that_cannot_be_opened_is_said(self):
        done = self.lunatic("run", self.wasm, "127.0.0.1:0", "/nowhere/test.db")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "kv: /nowhere/test.db: .+")
        self.write("broken.db", 100 * "this is no database. ")
        done = self.lunatic("run", self.wasm, "127.0.0.1:0", "broken.db")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "kv: broken.db: .*not a database")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0 OR MIT
"""examples/chat, with netcat, and line by line."""
import subprocess
import unittest

from servers import PATIENCE, ServerTest, needs, receive


class Chat(ServerTest):
    EXAMPLE = "chat"
    SOURCES = ["chat.c", "hub.c"]

    def expect(self, s, text):
        """The next bytes that a client sees."""
        self.assertEqual(receive(s, len(text)).decode(), text)

    def enter(self, name, *others):
        s = self.connect()
        self.expect(s, "Your name? ")
        s.sendall(name.encode() + b"\r\n")
        self.expect(s, f"* {name} is here.\r\n")
        for other in others:
            self.expect(other, f"* {name} is here.\r\n")
        return s

    def test_what_one_says_all_in_the_room_read(self):
        ann = self.enter("Ann")
        bob = self.enter("Bob", ann)
        bob.sendall("grüß Gott\n".encode())
        for s in ann, bob:
            self.assertEqual(receive(s, 18).decode(), "Bob: grüß Gott\r\n")
        cid = self.enter("Cid", ann, bob)
        cid.sendall(b"/join kitchen\n")
        self.expect(cid, "* Cid is here.\r\n")
        for s in ann, bob:
            self.expect(s, "* Cid has left.\r\n")
        cid.sendall(b"alone\n/who\n")
        self.expect(cid, "Cid: alone\r\n* 1 here: Cid\r\n")
        ann.sendall(b"/who\n")
        self.expect(ann, "* 2 here: Ann Bob\r\n")

    def test_names_are_one_persons(self):
        ann = self.enter("Ann")
        s = self.connect()
        for wrong, answer in (("Ann", "* That name is taken.\r\n"), ("", "* A name has"), ("a b", "* A name has"),
                              ("/x", "* A name has"), (40 * "x", "* A name has")):
            s.sendall(wrong.encode() + b"\r\n")
            self.expect(s, "Your name? " + answer)
            if answer[-1] != "\n":
                while receive(s, 1) != b"\n":
                    pass
        s.sendall(b"Bob\n")
        self.expect(s, "Your name? * Bob is here.\r\n")
        self.expect(ann, "* Bob is here.\r\n")
        s.sendall(b"/name Ann\n/name Eve\nhello\n")
        self.expect(s, "* That name is taken.\r\n* Bob is Eve now.\r\nEve: hello\r\n")
        self.expect(ann, "* Bob is Eve now.\r\nEve: hello\r\n")

    def test_who_goes_in_whatever_way_leaves_room_and_name(self):
        ann = self.enter("Ann")
        bob = self.enter("Bob", ann)
        bob.sendall(b"/quit\n")
        self.expect(bob, "* Good bye.\r\n")
        self.assertEqual(bob.recv(1), b"")
        self.expect(ann, "* Bob has left.\r\n")
        bob = self.enter("Bob", ann)
        bob.close()
        self.expect(ann, "* Bob has left.\r\n")
        self.enter("Bob", ann)

    def test_telnet_commands_and_what_could_command_a_terminal_are_left_out(self):
        ann = self.enter("Ann")
        ann.sendall(b"\xff\xfd\x03a\xff\xfa\x1f\x00P\x00\x18\xff\xf0b\xff\xf1c\x1b[2Jd\x07\xc2\x9be\r\n")
        self.expect(ann, "Ann: abc[2Jde\r\n")

    def test_long_lines_are_cut(self):
        ann = self.enter("Ann")
        ann.sendall(100000 * b"x" + b"\nnext\n")
        self.expect(ann, "Ann: " + 511 * "x" + "\r\nAnn: next\r\n")

    def test_a_full_room(self):
        people = []
        for i in range(60):
            people.append(self.enter(f"guest{i}", *people))
        people[0].sendall(b"hello everybody\n")
        for s in people:
            self.expect(s, "guest0: hello everybody\r\n")

    @needs("nc", "netcat-openbsd")
    def test_netcat_talks_to_netcat(self):
        def client():
            p = subprocess.Popen(["nc", "-C", "127.0.0.1", str(self.port)], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE)
            self.addCleanup(p.stdout.close)
            self.addCleanup(p.wait, PATIENCE)
            self.addCleanup(p.kill)
            self.addCleanup(p.stdin.close)
            return p

        def write(p, text):
            p.stdin.write(text)
            p.stdin.flush()

        ann, bob = client(), client()
        write(ann, b"Ann\n")
        self.assertEqual(ann.stdout.readline(), b"Your name? * Ann is here.\r\n")
        write(bob, b"Bob\n")
        self.assertEqual(bob.stdout.readline(), b"Your name? * Bob is here.\r\n")
        self.assertEqual(ann.stdout.readline(), b"* Bob is here.\r\n")
        write(bob, b"hi\n")
        self.assertEqual(ann.stdout.readline(), b"Bob: hi\r\n")
        self.assertEqual(bob.stdout.readline(), b"Bob: hi\r\n")
        write(bob, b"/quit\n")
        self.assertEqual(bob.stdout.readline(), b"* Good bye.\r\n")
        self.assertEqual(ann.stdout.readline(), b"* Bob has left.\r\n")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0 OR MIT
"""examples/dns, with dig, by a program that looks names up through it, and by garbage."""
import os
import random
import shutil
import socket
import time
import unittest

from servers import PATIENCE, ROOT, ServerTest, needs

LOOK_UP = r"""
#include <lunatic/net.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    lun_address all[8];
    char text[LUN_ADDRESS_TEXT_SIZE];
    for (int i = 1; i < argc; i++) {
        int n = lun_resolve(argv[i], all, 8, 30000);
        if (n < 0)
            puts(lun_error_text());
        for (int k = 0; k < n; k++)
            puts(lun_address_text(&all[k], text));
    }
    return 0;
}
"""


class Dns(ServerTest):
    EXAMPLE = "dns"

    def arguments(self):
        shutil.copy(os.path.join(ROOT, "examples", "dns", "names"), self.folder)
        return []

    def dig(self, *words):
        return self.client("dig", "@127.0.0.1", "-p", str(self.port), "+time=20", "+tries=2", *words).decode()

    @needs("dig", "bind9-dnsutils")
    def test_dig_finds_names_of_both_families(self):
        self.assertEqual(sorted(self.dig("+short", "www.example.test").split()), ["192.0.2.1", "192.0.2.2"])
        self.assertEqual(self.dig("+short", "WWW.Example.TEST.", "AAAA").split(), ["2001:db8::1"])
        self.assertEqual(self.dig("+short", "shop.example.test", "AAAA"), "")

    @needs("dig", "bind9-dnsutils")
    def test_dig_sees_which_answer_it_is(self):
        self.assertRegex(self.dig("www.example.test"), r"status: NOERROR(.|\n)*flags: qr aa rd; QUERY: 1, ANSWER: 2")
        self.assertIn("www.example.test.\t60\tIN\tA\t192.0.2.1", self.dig("www.example.test").replace("\t\t", "\t"))
        self.assertRegex(self.dig("nowhere.example.test"), r"status: NXDOMAIN(.|\n)*QUERY: 1, ANSWER: 0")
        self.assertIn("status: NOTIMP", self.dig("+opcode=STATUS", "localhost"))

    def test_a_program_looks_names_up(self):
        wasm = self.compile(LOOK_UP, "look_up")
        done = self.lunatic("run", wasm, "www.example.test:80", "nowhere.example.test:80",
                            env={"LUNATIC_DNS_SERVERS": f"127.0.0.1:{self.port}"})
        lines = done.stdout.splitlines()
        self.assertEqual(sorted(lines[:-1]), ["192.0.2.1:80", "192.0.2.2:80", "[2001:db8::1]:80"], done)
        self.assertIn("failed to lookup address information", lines[-1])

    def test_garbage_hurts_nobody(self):
        noise = random.Random(1)
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.addCleanup(s.close)
        s.settimeout(PATIENCE)
        s.connect(("127.0.0.1", self.port))
        question = b"\x12\x34\x01\x00\x00\x01\0\0\0\0\0\0\x09localhost\0\0\x01\0\x01"
        for n in range(500):
            spoilt = bytearray(question)
            for _ in range(noise.randrange(4)):
                spoilt[noise.randrange(2, len(spoilt))] = noise.randrange(256)
            s.send(spoilt[:noise.randrange(len(spoilt) + 1)])
        # What has no room in a buffer is lost, on either side: then it is asked again.
        end, answer = time.monotonic() + PATIENCE, b""
        s.settimeout(0.5)
        s.send(b"\xab\xcd" + question[2:])
        while answer[:2] != b"\xab\xcd" and time.monotonic() < end:
            try:
                answer = s.recv(65536)
            except TimeoutError:
                s.send(b"\xab\xcd" + question[2:])
        self.assertEqual(answer[2:], b"\x85\x00\x00\x01\x00\x01\0\0\0\0" + question[12:] +
                         b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\x7f\0\0\x01")


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0 OR MIT
"""examples/tls_echo, with openssl s_client."""
import os
import shutil
import ssl
import subprocess
import unittest

from servers import PATIENCE, ROOT, ServerTest, needs, receive

CLIENT = r"""
#include <lunatic/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a stream is handed over for: it comes in a message. */
static void ask(const lun_process *parent)
{
    lun_message message;
    lun_stream stream;
    char answer[6] = "";

    (void)parent;
    if (lun_receive(&message, LUN_FOREVER) != 0)
        return;
    stream = lun_take_tls();
    lun_stream_set_read_timeout(&stream, 30000);
    if (lun_stream_write(&stream, "hello", 5) != 0 || lun_stream_flush(&stream) != 0 ||
        lun_stream_read_exactly(&stream, answer, 5) != 0)
        strcpy(answer, "wrong");
    printf("%s %llu\n", answer, (unsigned long long)lun_stream_read_timeout(&stream));
}

/* client HOST PORT [ROOTS] */
int main(int argc, char **argv)
{
    lun_process self = lun_self(), child = LUN_SPAWN(ask, &self);
    static char roots[100000];
    lun_message message;
    lun_stream stream;
    FILE *f = argc > 3 ? fopen(argv[3], "r") : NULL;

    if (f)
        fread(roots, 1, sizeof roots - 1, f);
    if (lun_tls_connect(&stream, argv[1], (uint16_t)atoi(argv[2]), argc > 3 ? roots : NULL, 30000) != 0) {
        printf("%s\n", lun_error_text());
        return 1;
    }
    lun_monitor(child);
    lun_send_stream(child, 1, &stream, NULL, 0);
    return lun_receive(&message, 60000);
}
"""


@needs("openssl", "openssl")
class TlsEcho(ServerTest):
    EXAMPLE = "tls_echo"

    def setUp(self):
        # What serve() of the base class runs in is made there: the certificate is needed before.
        self.certificates = os.path.join(self.built, "certificates")
        if not os.path.exists(self.certificates):
            os.mkdir(self.certificates)
            subprocess.run([os.path.join(ROOT, "examples", "tls_echo", "make-certificate"), self.certificates],
                           check=True, timeout=PATIENCE)
        super().setUp()

    def arguments(self):
        for name in "certificate.pem", "key.pem":
            shutil.copy(os.path.join(self.certificates, name), self.folder)
        return []

    @property
    def certificate(self):
        return os.path.join(self.folder, "certificate.pem")

    def wrapped(self, s, version=None):
        context = ssl.create_default_context(cafile=self.certificate)
        if version:
            context.minimum_version = context.maximum_version = version
        return context.wrap_socket(s, server_hostname="localhost")

    def test_s_client_gets_back_what_it_sends_and_believes_the_certificate(self):
        for version in "-tls1_2", "-tls1_3":
            p = subprocess.Popen(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-CAfile",
                                  self.certificate, "-verify_return_error", "-verify_hostname", "localhost", "-quiet",
                                  version], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                p.stdin.write(b"hello\n")
                p.stdin.flush()
                self.assertEqual(p.stdout.readline(), b"hello\n")
            finally:
                p.kill()
                p.communicate()

    def test_much_is_echoed(self):
        data = os.urandom(100000)
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            s = self.wrapped(self.connect(), version)
            self.addCleanup(s.close)
            for _ in range(10):
                s.sendall(data)
                self.assertEqual(receive(s, len(data)), data)

    def test_who_does_not_finish_a_handshake_holds_up_nobody(self):
        silent = [self.connect() for _ in range(20)]
        silent[0].sendall(b"\x16\x03\x01\x02")
        silent[1].sendall(b"GET / HTTP/1.0\r\n\r\n")
        s = self.wrapped(self.connect())
        self.addCleanup(s.close)
        s.sendall(b"hello")
        self.assertEqual(receive(s, 5), b"hello")

    def test_a_thousand_who_talk_nonsense_hold_up_nobody_for_long(self):
        """Each failure once cost a tenth of a second, in which nobody was accepted: 100 s in all, more than a client waits."""
        for _ in range(1000):
            with self.connect() as s:
                s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        s = self.wrapped(self.connect())
        self.addCleanup(s.close)
        s.sendall(b"hello")
        self.assertEqual(receive(s, 5), b"hello")

    def test_a_program_connects_and_believes_what_it_is_told_to(self):
        wasm = self.compile(CLIENT, "client")

        _, port = self.serve("0.0.0.0:0")

        def run(host, *roots):
            return self.lunatic("run", wasm, host, str(port), *roots)
        with open(self.certificate) as f:
            certificate = f.read()
        other = os.path.join(self.folder, "other")
        os.mkdir(other)
        subprocess.run([os.path.join(ROOT, "examples", "tls_echo", "make-certificate"), other], check=True,
                       timeout=PATIENCE)
        with open(os.path.join(other, "certificate.pem")) as f:
            others = f.read()
        self.write("two.pem", "some words\n" + others + "more\n" + certificate)
        for host, roots in (("localhost", "certificate.pem"), ("127.0.0.1", "certificate.pem"), ("localhost", "two.pem")):
            done = run(host, roots)
            self.assertEqual((done.returncode, done.stdout), (0, "hello 30000\n"), (host, roots, done.stderr))
        for host, *roots in ("localhost",), ("localhost", "other/certificate.pem"), ("127.0.0.2", "certificate.pem"):
            done = run(host, *roots)
            self.assertEqual(done.returncode, 1, (host, roots, done.stdout))
            self.assertRegex(done.stdout, "(?i)certificate|mismatch", (host, roots))
        self.assertEqual(run("localhost", "nothing").stdout, "the text of root certificates has no certificate\n")

    def test_a_bad_key_is_said(self):
        with open(os.path.join(self.folder, "key.pem"), "w") as f:
            f.write("no key\n")
        done = self.lunatic("run", self.wasm, "127.0.0.1:0")
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"^tls_echo: 127.0.0.1:0: .*key")
        self.assertEqual(done.stdout, "")


if __name__ == "__main__":
    unittest.main()

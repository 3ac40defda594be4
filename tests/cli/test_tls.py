# SPDX-License-Identifier: Apache-2.0 OR MIT
"""TLS of guests with OpenSSL's own programs and curl at the other end."""
import os
import re
import subprocess
import unittest

import support
from servers import PATIENCE, needs
from support import LUNATIC

# client HOST PORT ROOTS PROTOCOLS COUNT: asks for a page so many times, one after the other, and says what was agreed
# on and whether the server says "New" or "Reused". "-" as ROOTS: what the machine trusts.
CLIENT = r"""
#include <lunatic/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char roots[100000], page[100000];

int main(int argc, char **argv)
{
    FILE *f = fopen(argv[3], "r");
    char name[LUN_TLS_NAME_SIZE];

    if (argc != 6 || (f && fread(roots, 1, sizeof roots - 1, f) == 0))
        return 2;
    for (int i = 0; i < atoi(argv[5]); i++) {
        size_t size = 0;
        lun_stream s;
        long n;

        if (lun_tls_connect_alpn(&s, argv[1], (uint16_t)atoi(argv[2]), f ? roots : NULL, argv[4], 30000) != 0) {
            printf("%s\n", lun_error_text());
            return 1;
        }
        lun_stream_write(&s, "GET / HTTP/1.0\r\n\r\n", 18);
        while ((n = lun_stream_read(&s, page + size, sizeof page - 1 - size)) > 0)
            size += (size_t)n;
        page[size] = '\0';
        printf("%s %s\n", lun_tls_protocol(&s, name),
               strstr(page, "\nReused, ") ? "Reused" : strstr(page, "\nNew, ") ? "New" : page);
        lun_stream_close(&s);
    }
    return 0;
}
"""

# server CERTIFICATES KEY PROTOCOLS: answers each request with what was agreed on and the name that was asked for, and
# says which handshakes have failed.
SERVER = r"""
#include <lunatic/tls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void answer(lun_stream *s, const int *unused)
{
    char request[4000] = "", protocol[LUN_TLS_NAME_SIZE], name[LUN_TLS_NAME_SIZE], body[600], head[100];
    size_t size = 0;
    long n;

    (void)unused;
    while (!strstr(request, "\r\n\r\n")) {
        if ((n = lun_stream_read(s, request + size, sizeof request - 1 - size)) <= 0)
            return;
        size += (size_t)n;
        request[size] = '\0';
    }
    snprintf(body, sizeof body, "protocol=%s name=%s\n", lun_tls_protocol(s, protocol), lun_tls_server_name(s, name));
    snprintf(head, sizeof head, "HTTP/1.0 200 OK\r\nContent-Length: %zu\r\n\r\n", strlen(body));
    lun_stream_write(s, head, strlen(head));
    lun_stream_write(s, body, strlen(body));
}

static char *read_file(const char *path)
{
    FILE *f = fopen(path, "r");
    char *text = calloc(1, 100000);

    if (!f || fread(text, 1, 99999, f) == 0)
        exit(2);
    fclose(f);
    return text;
}

int main(int argc, char **argv)
{
    lun_listener l;
    lun_address at;
    lun_stream s;
    int none = 0;

    if (argc != 4 || lun_tls_listen_alpn(&l, "127.0.0.1:0", read_file(argv[1]), read_file(argv[2]), argv[3]) != 0 ||
        lun_listener_address(&l, &at) != 0) {
        printf("%s\n", lun_error_text());
        return 1;
    }
    printf("listening on port %u\n", at.port);
    for (;;) {
        fflush(stdout);
        if (lun_accept(&l, &s, NULL) != 0)
            printf("%s\n", lun_error_text());
        else
            LUN_SPAWN_STREAM(answer, &s, &none);
    }
}
"""

VERSIONS = "tls1_2", "tls1_3"
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


@needs("openssl", "openssl")
class TlsTest(support.CliTest):
    """A folder with certificates: `ca` has signed all but `other_ca` and `self`."""

    def setUp(self):
        super().setUp()
        self.authority("ca")
        self.authority("other_ca")
        self.certificate("server", NAMES)

    def openssl(self, *words):
        done = subprocess.run(["openssl", *words], cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, timeout=PATIENCE, stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, 0, done.stdout)
        return done.stdout

    def key(self, name):
        self.openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", name + ".key")

    def authority(self, name, *more):
        self.key(name)
        self.openssl("req", "-x509", "-new", "-key", name + ".key", "-subj", "/CN=" + name, "-days", "10", "-out",
                     name + ".pem", *more)

    def certificate(self, name, extensions, issuer="ca", days=10):
        self.key(name)
        self.write(name + ".ext", extensions + "\n")
        self.openssl("req", "-new", "-key", name + ".key", "-subj", "/CN=" + name, "-out", name + ".csr")
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", issuer + ".pem", "-CAkey", issuer + ".key",
                     "-CAcreateserial", "-days", str(days), "-extfile", name + ".ext", "-out", name + ".pem")

    def stop(self, process):
        process.kill()
        process.communicate()

    def background(self, *words):
        process = subprocess.Popen(words, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, text=True)
        self.addCleanup(self.stop, process)
        return process


class Clients(TlsTest):
    """Our client; the server is `openssl s_server`."""

    def setUp(self):
        super().setUp()
        self.client = self.compile(CLIENT, "client")

    def serve(self, name="server", *options):
        """Its port."""
        server = self.background("openssl", "s_server", "-accept", "127.0.0.1:0", "-www", "-cert", name + ".pem",
                                 "-key", name + ".key", *options)
        for line in server.stdout:
            if found := re.match(r"ACCEPT .*:(\d+)$", line):
                return found.group(1)
        raise AssertionError("s_server does not listen")

    def ask(self, port, host="localhost", roots="ca.pem", protocols="", count=1, env=None):
        done = self.lunatic("run", self.client, host, port, roots, protocols, str(count), env=env)
        self.assertEqual(done.stderr, "")
        return done.stdout.splitlines()

    def test_protocols_are_agreed_on_and_sessions_resumed(self):
        for version in VERSIONS:
            port = self.serve("server", "-" + version, "-alpn", "h2,http/1.1")
            self.assertEqual(self.ask(port, protocols="http/1.1,h2", count=3), ["h2 New", "h2 Reused", "h2 Reused"])
            self.assertEqual(self.ask(port, protocols="http/1.1"), ["http/1.1 New"])
            self.assertEqual(self.ask(port), [" New"])
            self.assertEqual(self.ask(self.serve("server", "-" + version), protocols="h2"), [" New"])

    def test_a_server_without_tickets_is_connected_to_anew(self):
        for version in VERSIONS:
            port = self.serve("server", "-" + version, *(["-num_tickets", "0"] if version == "tls1_3" else
                                                         ["-no_ticket", "-no_cache"]))
            self.assertEqual(self.ask(port, count=2), [" New", " New"])

    def test_who_speaks_nothing_of_ours_is_refused(self):
        for version in VERSIONS:
            port = self.serve("server", "-" + version, "-alpn", "h2")
            self.assertEqual(self.ask(port, protocols="spdy/1,spdy/3"),
                             ["TLS handshake: the other side refuses: no application protocol"])

    def test_servers_are_believed_or_not(self):
        self.certificate("wrong", "subjectAltName=DNS:other.test,IP:127.0.0.2")
        self.certificate("expired", NAMES, days=-1)
        self.authority("self", "-addext", NAMES)
        self.certificate("foreign", NAMES, issuer="other_ca")
        cannot = 'TLS handshake: the certificate of "localhost" cannot be trusted: '
        for version in VERSIONS:
            option = "-" + version
            for name, host, answer in (
                    ("server", "localhost", " New"),
                    ("server", "127.0.0.1", " New"),
                    ("wrong", "localhost", 'TLS handshake: the server\'s certificate is not for "localhost"'),
                    ("wrong", "127.0.0.1", 'TLS handshake: the server\'s certificate is not for "127.0.0.1"'),
                    ("expired", "localhost", cannot + "certificate has expired"),
                    ("self", "localhost", cannot + "self-signed certificate"),
                    ("foreign", "localhost", cannot + "unable to get local issuer certificate")):
                self.assertEqual(self.ask(self.serve(name, option), host), [answer], (version, name, host))
            port = self.serve("self", option)
            self.assertEqual(self.ask(port, roots="self.pem"), [" New"])

    def test_a_chain_is_whole_or_it_is_none(self):
        self.certificate("middle", "basicConstraints=critical,CA:TRUE")
        self.certificate("chained", NAMES, issuer="middle")
        self.certificate("no_ca", "basicConstraints=critical,CA:FALSE")
        self.certificate("signed_by_none", NAMES, issuer="no_ca")
        cannot = 'TLS handshake: the certificate of "localhost" cannot be trusted: '
        for version in VERSIONS:
            option = "-" + version
            whole, cut = self.serve("chained", option, "-cert_chain", "middle.pem"), self.serve("chained", option)
            self.assertEqual(self.ask(whole), [" New"])
            self.assertEqual(self.ask(cut), [cannot + "unable to get local issuer certificate"])
            self.assertEqual(self.ask(cut, roots="middle.pem"), [" New"])
            self.assertEqual(self.ask(self.serve("signed_by_none", option, "-cert_chain", "no_ca.pem")),
                             [cannot + "invalid CA certificate"])

    def test_what_the_machine_trusts_is_what_the_environment_says(self):
        port = self.serve()

        def ask(file):
            return self.ask(port, roots="-", env={"SSL_CERT_FILE": os.path.join(self.folder, file)})
        self.assertEqual(ask("ca.pem"), [" New"])
        self.assertEqual(ask("other_ca.pem"), ['TLS handshake: the certificate of "localhost" cannot be trusted: '
                                               "unable to get local issuer certificate"])

    def test_versions_below_1_2_are_refused(self):
        port = self.serve("server", "-tls1_1", "-cipher", "ALL:@SECLEVEL=0")
        self.assertRegex(self.ask(port)[0], "^TLS handshake: ")


class Servers(TlsTest):
    """Our server; clients are `openssl s_client` and curl."""

    def setUp(self):
        super().setUp()
        self.wasm = self.compile(SERVER, "server")

    def serve(self, protocols=""):
        """The server, and its port."""
        server = self.background(LUNATIC, "run", self.wasm, "server.pem", "server.key", protocols)
        line = server.stdout.readline()
        self.assertRegex(line, "^listening on port ")
        return server, line.split()[-1]

    def s_client(self, port, *options, data="GET / HTTP/1.0\r\n\r\n"):
        done = subprocess.run(["openssl", "s_client", "-connect", "127.0.0.1:" + port, "-CAfile", "ca.pem",
                               "-verify_return_error", "-ign_eof", *options], cwd=self.folder, input=data,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=PATIENCE)
        return done.stdout

    def test_s_client_agrees_on_a_protocol(self):
        _, port = self.serve("h2,http/1.1")
        for version in VERSIONS:
            for offered, expected in (("http/1.1", "http/1.1"), ("http/1.1,h2", "h2"), (None, "")):
                out = self.s_client(port, "-" + version, *(["-alpn", offered] if offered else []),
                                    "-servername", "some.test")
                self.assertIn(f"ALPN protocol: {expected}" if expected else "No ALPN negotiated", out)
                self.assertIn(f"protocol={expected} name=some.test\n", out)
                self.assertIn("Verify return code: 0 (ok)", out)

    def test_s_client_that_speaks_nothing_of_ours_is_refused(self):
        server, port = self.serve("h2,http/1.1")
        for version in VERSIONS:
            self.assertIn("no application protocol", self.s_client(port, "-" + version, "-alpn", "spdy/3"))
            self.assertEqual(server.stdout.readline(), "TLS handshake: no application protocol\n")
        _, port = self.serve()  # without a list nothing is agreed on, and everybody served
        self.assertIn("protocol= name=", self.s_client(port, "-alpn", "spdy/3"))

    def test_s_client_resumes_its_session_and_agrees_anew(self):
        _, port = self.serve("h2,http/1.1")
        for version in VERSIONS:
            out = self.s_client(port, "-" + version, "-sess_out", "session", "-alpn", "h2", "-servername", "a.test")
            self.assertRegex(out, r"(?m)^New, TLS")
            self.assertIn("protocol=h2 name=a.test\n", out)
            out = self.s_client(port, "-" + version, "-sess_in", "session", "-alpn", "http/1.1", "-servername",
                                "a.test")
            self.assertRegex(out, r"(?m)^Reused, TLS")
            self.assertIn("protocol=http/1.1 name=a.test\n", out)

    def test_who_does_not_believe_us_is_an_error_and_the_next_is_served(self):
        server, port = self.serve()
        self.assertIn("verify error", self.s_client(port, "-CAfile", "other_ca.pem"))
        self.assertEqual(server.stdout.readline(), "TLS handshake: the other side refuses: unknown CA\n")
        self.assertIn("alert protocol version", self.s_client(port, "-tls1_1", "-cipher", "ALL:@SECLEVEL=0"))
        self.assertEqual(server.stdout.readline(), "TLS handshake: unsupported protocol\n")
        self.assertIn("handshake failure", self.s_client(port, "-tls1_2", "-cipher", "AES128-SHA"))
        self.assertEqual(server.stdout.readline(), "TLS handshake: no shared cipher\n")
        self.assertIn("protocol= name=", self.s_client(port))

    @needs("curl", "curl")
    def test_curl_agrees_on_http(self):
        server, port = self.serve("http/1.1")

        def curl(*words, status=0):
            done = subprocess.run(["curl", "--silent", "--max-time", str(PATIENCE), *words], cwd=self.folder,
                                  stdout=subprocess.PIPE, text=True, timeout=2 * PATIENCE)
            self.assertEqual(done.returncode, status, words)
            return done.stdout
        url = f"https://localhost:{port}/"
        for version in "1.2", "1.3":
            versions = ["--tlsv" + version, "--tls-max", version]
            self.assertEqual(curl(url, "--cacert", "ca.pem", *versions), "protocol=http/1.1 name=localhost\n")
        self.assertEqual(curl(url, "--cacert", "ca.pem", "--no-alpn"), "protocol= name=localhost\n")
        self.assertEqual(curl(f"https://127.0.0.1:{port}/", "--cacert", "ca.pem"), "protocol=http/1.1 name=\n")
        curl(url, "--cacert", "other_ca.pem", status=60)
        self.assertEqual(server.stdout.readline(), "TLS handshake: the other side refuses: unknown CA\n")
        server, port = self.serve("spdy/3")
        curl(f"https://localhost:{port}/", "--cacert", "ca.pem", status=35)
        self.assertEqual(server.stdout.readline(), "TLS handshake: no application protocol\n")
        curl(f"http://localhost:{port}/", status=52)  # an alert is no answer
        self.assertEqual(server.stdout.readline(), "TLS handshake: the other side does not speak TLS\n")


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""test_network.py LUNATIC FOLDER: runs the tests and examples of the packages that use networks, unchanged, from
FOLDER (packages.sh) in all variants of the generated code, and the one that is shown to Prometheus. They want the internet and have fixed ports, so this is a
network of its own with nothing in it but the loopback, a name server that knows every name as 127.0.0.1, a listener at
port 80, and one at port 443 that says in TLS to be who it is asked for. Status 77: something is missing."""
import ctypes
import fcntl
import os
import shutil
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from name_server import NameServer  # noqa: E402
from prometheus import parse  # noqa: E402

LUNATIC, FOLDER = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2])
VARIANTS = [[], ["--metered"], ["--exact"], ["--move-stacks"], ["--old-kernel"]]
TIMEOUT = 240


def skip(why):
    print("skipped:", why)
    sys.exit(1 if os.environ.get("LUNATIC_REQUIRE_RUST") else 77)


def own_network():
    """A network namespace with the loopback up; as an unprivileged user also a user namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    new_user, new_net = 0x10000000, 0x40000000
    if libc.unshare(new_net if os.getuid() == 0 else new_net | new_user) != 0:
        skip("no right to a network of its own: " + os.strerror(ctypes.get_errno()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING


class NetworkTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lunatic-network-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.names = NameServer({"*": ["127.0.0.1"]})
        self.addCleanup(self.names.close)
        self.environment = {**os.environ, "LUNATIC_DNS_SERVERS": self.names.address}

    def each(self):
        """Each build with each variant; a build that has no such program is an error."""
        for package in ("lunatic", "lunatic-twitchax-patch"):
            for profile in ("debug", "release"):
                for variant in VARIANTS:
                    with self.subTest(package=package, profile=profile, variant=variant):
                        yield os.path.join(FOLDER, package + "-" + profile), variant

    def run_lunatic(self, *words):
        done = subprocess.run([LUNATIC, *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, cwd=self.folder, env=self.environment,
                              timeout=TIMEOUT)
        return done.returncode, done.stdout

    def start(self, *words):
        run = subprocess.Popen([LUNATIC, "run", *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, cwd=self.folder, env=self.environment)

        def end():
            run.kill()
            run.communicate()

        return run, end

    def listen(self, port, context=None, answer=None):
        """A listener of ours, on a thread, that takes whoever comes."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(64)
        held = []

        def serve():
            while True:
                try:
                    s, _ = listener.accept()
                except OSError:
                    return
                if not answer:
                    held.append(s)
                    continue
                with context.wrap_socket(s, server_side=True) as tls:
                    answer(tls)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()

        def end():
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
            thread.join()
            for s in held:
                s.close()

        self.addCleanup(end)

    def certificate(self, name, folder):
        """A key and a certificate that signs itself, as PEM."""
        os.makedirs(os.path.join(self.folder, folder), exist_ok=True)
        key, cert = (os.path.join(self.folder, folder, "localhost." + kind) for kind in ("key", "crt"))
        done = subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", cert,
                               "-days", "30", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:" + name],
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.assertEqual(done.returncode, 0, done.stdout)
        return key, cert

    def ask(self, port, *lines):
        """What comes back for lines that are sent, line by line."""
        with socket.create_connection(("127.0.0.1", port), timeout=60) as s, s.makefile("rw") as f:
            back = []
            for line in lines:
                f.write(line + "\n")
                f.flush()
                back.append(f.readline())
            return back


class Tests(NetworkTest):
    def passes(self, name, count):
        for folder, variant in self.each():
            status, out = self.run_lunatic("test", *variant, os.path.join(folder, "test", name + ".wasm"))
            self.assertIn("test result: ok. %d passed; 0 failed; 0 ignored" % count, out)
            self.assertEqual(status, 0)

    def test_udp(self):
        self.passes("udp", 8)

    def test_serializers(self):
        self.listen(80)
        self.passes("serializers", 3)
        self.assertEqual({name for name, _ in self.names.asked}, {"google.com"})


class Examples(NetworkTest):
    def test_resolve(self):
        for folder, variant in self.each():
            status, out = self.run_lunatic("run", *variant, os.path.join(folder, "example", "resolve.wasm"))
            self.assertEqual((status, out), (0, "wikipedia.org resolves to 127.0.0.1:80\n"))

    def test_tcp_echo_server(self):
        for folder, variant in self.each():
            run, end = self.start(*variant, os.path.join(folder, "example", "tcp_echo_server.wasm"))
            try:
                line = run.stdout.readline()
                self.assertRegex(line, r"^Listening on addr: 127\.0\.0\.1:\d+$")
                port = int(line.rsplit(":", 1)[1])
                self.assertEqual(self.ask(port, "one", "two"), ["one\n", "two\n"])
                self.assertEqual(self.ask(port, "three", "exit"), ["three\n", ""])
            finally:
                end()

    def test_tcp_echo_multi_server(self):
        for folder, variant in self.each():
            run, end = self.start(*variant, os.path.join(folder, "example", "tcp_echo_multi_server.wasm"))
            try:
                lines = sorted(run.stdout.readline() for _ in range(2))
                self.assertEqual(lines, ["Listening on addr: 127.0.0.1:666%d\n" % n for n in (6, 7)])
                for port in (6666, 6667):
                    self.assertEqual(self.ask(port, "one", "two"), ["one\n", "two\n"])
                    self.assertRegex(run.stdout.readline(), r"^Accepted peer 127\.0\.0\.1:\d+ on addr: 127.0.0.1:%d$" % port)
            finally:
                end()

    def test_metrics(self):
        """It would go on for a minute; after a while the numbers are looked at."""
        name = "lunatic::metrics_example::"
        for folder, variant in self.each():
            run, end = self.start("--metrics", "127.0.0.1:0", *variant, os.path.join(folder, "example", "metrics.wasm"))
            try:
                address = run.stdout.readline().removeprefix("lunatic: metrics at ").strip()
                before = steps = 0
                while steps < 30:
                    before = steps
                    with urllib.request.urlopen(address, timeout=60) as answer:
                        families = parse(answer.read().decode())
                    if name + "histogram" in families:
                        steps = families[name + "histogram"].samples[name + "histogram_count", ()]
                counter, gauge = families[name + "counter"], families[name + "gauge"]
                self.assertEqual((counter.kind, gauge.kind), ("counter", "gauge"))
                # It is the first of its step to be counted, and the first to be read.
                self.assertTrue(42 + before <= counter.value() <= 42 + steps + 1, (before, counter.value(), steps))
                self.assertTrue(0 <= gauge.value() <= 25, gauge.value())
                self.assertEqual(families["lunatic_metrics_names"].value(), 3)
            finally:
                end()

    def test_tls_echo_server(self):
        _, cert = self.certificate("localhost", "examples/CA")
        context = ssl.create_default_context(cafile=cert)
        for folder, variant in self.each():
            run, end = self.start(*variant, os.path.join(folder, "example", "tls_echo_server.wasm"))
            try:
                self.assertEqual(run.stdout.readline(), "Listening on addr: 127.0.0.1:3000\n")
                with socket.create_connection(("127.0.0.1", 3000), timeout=60) as s, \
                        context.wrap_socket(s, server_hostname="localhost") as tls:
                    tls.sendall(b"anything")
                    answer = b""
                    while b"</h1>" not in answer:
                        piece = tls.recv(1000)
                        self.assertTrue(piece, answer)
                        answer += piece
                    self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK"), answer)
            finally:
                end()

    def test_tls_client(self):
        self.certificate("localhost", "examples/CA")
        key, cert = self.certificate("www.rust-lang.org", "server")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        heard = []

        def answer(tls):
            heard.append(tls.recv(1000))
            tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")

        self.listen(443, context, answer)
        self.environment["SSL_CERT_FILE"] = cert
        for folder, variant in self.each():
            heard.clear()
            status, out = self.run_lunatic("run", *variant, os.path.join(folder, "example", "tls_client.wasm"))
            self.assertEqual(status, 0, out)
            self.assertRegex(out, r'^Got response from rust-lang\.org Ok\("HTTP/1\.1 200 OK\\r\\n.*hello')
            self.assertTrue(heard[0].startswith(b"GET / HTTP/1.1\r\nHost: www.rust-lang.org\r\n"), heard)


if __name__ == "__main__":
    if not os.path.isdir(FOLDER):
        skip(FOLDER + " was not built")
    own_network()
    unittest.main(argv=sys.argv[:1], verbosity=2)

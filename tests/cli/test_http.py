# SPDX-License-Identifier: Apache-2.0 OR MIT
"""examples/http, with curl and wrk, and byte by byte."""
import os
import re
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

from servers import PATIENCE, ROOT, ServerTest, eventually, needs, receive, receive_all
from support import LUNATIC

HELLO = b"Hello, world!"


class Http(ServerTest):
    EXAMPLE = "http"
    SOURCES = ["http.c", "request.c"]

    def url(self, path="/"):
        return f"http://127.0.0.1:{self.port}{path}"

    def answer(self, request):
        """Everything the server says to a connection that sends just this."""
        s = self.connect()
        s.sendall(request)
        s.shutdown(socket.SHUT_WR)
        return receive_all(s)

    def status(self, request):
        """The status of the one answer to a request."""
        answer = self.answer(request)
        self.assertEqual(answer.count(b"HTTP/1.1 "), 1, answer)
        self.assertIn(b"\r\nConnection: close\r\n", answer)
        return int(answer.split()[1])

    @needs("curl", "curl")
    def test_curl_gets_a_greeting_twice_over_one_connection(self):
        text = self.client("curl", "-sSi", "--max-time", "50", self.url(), self.url("/?query"))
        head = (br"HTTP/1.1 200 OK\r\nDate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\nContent-Type: text/plain\r\n"
                br"Content-Length: 13\r\n\r\nHello, world!")
        self.assertRegex(text, b"^" + head + head + b"$")
        words = self.client("curl", "-sS", "-w", "%{num_connects} ", "-o", "/dev/null", self.url(), "-o", "/dev/null",
                            self.url())
        self.assertEqual(words, b"1 0 ")

    @needs("curl", "curl")
    def test_curl_sends_bodies_with_a_length_and_in_chunks(self):
        path = os.path.join(self.folder, "body")
        data = os.urandom(3000000)
        with open(path, "wb") as f:
            f.write(data)
        for more in [], ["-H", "Transfer-Encoding: chunked"], ["-0"]:
            words = ["curl", "-sS", "--max-time", "50", "--data-binary", "@" + path, *more]
            self.assertEqual(self.client(*words, self.url("/length")), b"3000000\n", more)
            self.assertEqual(self.client(*words, self.url("/echo")), data, more)
        self.assertEqual(self.client("curl", "-sS", "--data-binary", "", self.url("/echo")), b"")

    @needs("curl", "curl")
    def test_curl_sees_headers_and_refusals(self):
        text = self.client("curl", "-sS", "-A", "me/1", "-H", "X-Yes:  a b ", "-H", "Accept:", self.url("/headers"))
        self.assertEqual(text, b"Host: 127.0.0.1:%d\nUser-Agent: me/1\nX-Yes: a b\n" % self.port)
        status = ["curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}"]
        self.assertEqual(self.client(*status, self.url("/nowhere")), b"404")
        self.assertEqual(self.client(*status, "-X", "DELETE", self.url()), b"405")
        self.assertEqual(self.client(*status, "-X", "DELETE", self.url("/nowhere")), b"501")
        self.assertEqual(self.client(*status, "-d", "x", self.url()), b"405")
        self.assertEqual(self.client(*status, self.url("/echo")), b"405")
        self.assertEqual(self.client(*status, "-H", "X: " + 9000 * "x", self.url()), b"431")
        self.assertEqual(self.client(*status, self.url("/" + 5000 * "x")), b"414")
        head = self.client("curl", "-sSI", self.url())
        self.assertIn(b"Content-Length: 13\r\n", head)
        self.assertTrue(head.endswith(b"\r\n\r\n"), head)

    @needs("wrk", "wrk")
    def test_wrk_has_no_errors(self):
        text = self.client("wrk", "-t1", "-c50", "-d1s", self.url()).decode()
        self.assertRegex(text, r"\d+ requests in")
        self.assertGreater(int(re.search(r"(\d+) requests in", text)[1]), 50)
        self.assertNotIn("Socket errors", text)
        self.assertNotIn("Non-2xx", text)

    def test_pipelined_requests_are_answered_in_order(self):
        s = self.connect()
        s.sendall(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
                  b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
                  b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nde\r\n0\r\nT: x\r\n\r\n"
                  b"HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"
                  b"GET http://a HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
                  b"GET / HTTP/1.1\r\nHost: never\r\n\r\n")
        answers = receive_all(s).split(b"HTTP/1.1 200 OK\r\n")
        self.assertEqual([a.split(b"\r\n\r\n", 1)[-1] for a in answers],
                         [b"", b"3\n", HELLO, b"2\r\nde\r\n0\r\n\r\n", b"", HELLO])

    def test_many_pipelined_requests(self):
        s = self.connect()
        s.sendall(2000 * b"GET / HTTP/1.1\r\nHost: a.very.long.name.example.org\r\n\r\n")
        s.shutdown(socket.SHUT_WR)
        self.assertEqual(receive_all(s).count(HELLO), 2000)

    def test_a_request_may_come_byte_by_byte(self):
        s = self.connect()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n":
            s.sendall(bytes([byte]))
        data = b""
        while not data.endswith(b"0\r\n\r\n"):
            data += receive(s, 1)
        # The server may have read the chunk in pieces.
        self.assertEqual(re.sub(rb"[1-3]\r\n|\r\n", b"", data.split(b"\r\n\r\n", 1)[1]), b"abc0")

    def test_a_client_that_waits_for_100_gets_it_before_the_answer(self):
        s = self.connect()
        s.sendall(b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n")
        ok = b"HTTP/1.1 100 Continue\r\n\r\n"
        self.assertEqual(receive(s, len(ok)), ok)
        s.sendall(b"abc")
        s.shutdown(socket.SHUT_WR)
        self.assertTrue(receive_all(s).endswith(b"\r\n\r\n3\n"))

    def test_malformed_requests_are_refused_and_the_connection_closed(self):
        for request, status in (
                (b"GARBAGE\r\n\r\n", 400), (b"GET / HTTP/1.1\r\n\r\n", 400), (b"\x16\x03\x01\x02\x00\x01\n", 400),
                (b"GET / HTTP/1.1\nHost: a\n\n", 400), (b"GET / HTTP/3.0\r\n\r\n", 505),
                (b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n", 400),
                (b"POST /length HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
                (b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
                (b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nz\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost:", 408)):
            self.assertEqual(self.status(request), status, request)
        self.assertEqual(self.answer(b""), b"")

    def test_what_two_servers_could_read_in_two_ways_is_refused(self):
        """And nothing behind it is taken for another request."""
        behind = b"0\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
        for headers, status in (
                (b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", 400),
                (b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", 400),
                (b"Content-Length: 5\r\nContent-Length: 5\r\n", 400),
                (b"Content-Length: 5\r\nContent-Length: 6\r\n", 400),
                (b"Content-Length: 5, 5\r\n", 400), (b"Content-Length: -5\r\n", 400),
                (b"Content-Length: 0x5\r\n", 400), (b"Content-Length: 18446744073709551616\r\n", 413),
                (b"Transfer-Encoding : chunked\r\n", 400), (b"Transfer-Encoding:\r\n chunked\r\n", 501),
                (b"Transfer-Encoding: \x0bchunked\r\n", 400), (b"Transfer-Encoding: chunked, identity\r\n", 501),
                (b"Transfer-Encoding: xchunked\r\n", 501), (b"X: a\r\n folded\r\n", 400), (b"X: a\rb\r\n", 400),
                (b"X: a\nContent-Length: 5\r\n", 400), (b"X: a\0b\r\n", 400), (b"Host: b\r\n", 400)):
            request = b"POST /echo HTTP/1.1\r\nHost: a\r\n" + headers + b"\r\n" + behind
            self.assertEqual(self.status(request), status, request)

    def test_malformed_chunks_are_refused(self):
        head = b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
        for chunks in (b"-5\r\nhello\r\n0\r\n\r\n", b"+5\r\nhello\r\n0\r\n\r\n", b"0x5\r\nhello\r\n0\r\n\r\n",
                       b" 5\r\nhello\r\n0\r\n\r\n", b"5 5\r\nhello\r\n0\r\n\r\n", b"5\nhello\n0\n\n",
                       b"10000000000000005\r\nhello\r\n0\r\n\r\n", b"5;\nx\r\nhello\r\n0\r\n\r\n",
                       b"5;" + 300 * b"x" + b"\r\nhello\r\n0\r\n\r\n", b"0\r\nno field\r\n\r\n",
                       b"0\r\nA: b\r\n folded\r\n\r\n", b"0\r\n" + 1000 * b"A: b\r\n" + b"\r\n"):
            for path in b"/echo", b"/length":
                self.assertEqual(self.status(head % path + chunks), 400, chunks)
        # What is wrong after the first bytes went back can only be told by an answer without an end.
        for chunks in (b"5\r\nhelloworld\r\n0\r\n\r\n", b"5\r\nhello\r\n0\r\nno field\r\n\r\n"):
            self.assertEqual(self.status(head % b"/length" + chunks), 400, chunks)
            answer = self.answer(head % b"/echo" + chunks)
            self.assertEqual((answer[:12], answer[-10:]), (b"HTTP/1.1 200", b"5\r\nhello\r\n"))

    def test_clients_that_give_up_leave_nothing_behind(self):
        def held():
            text = self.client(LUNATIC, "ps", "--metrics", str(self.server.pid)).decode()
            return [int(re.search(rf"^{name} (\d+)$", text, re.M)[1])
                    for name in ("lunatic_net_sockets", "lunatic_process_environment_process_count")]

        before = held()
        clients = []
        for i in range(200):
            s = self.connect()
            s.sendall((b"GET / HTTP/1.1\r\nHost", b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nab",
                       b"POST /length HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n",
                       b"", 50 * b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")[i % 5])
            clients.append(s)
        eventually(lambda: held() == [n + 200 for n in before], "200 connections")
        for i, s in enumerate(clients):
            if i % 2:  # with a reset
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        eventually(lambda: held() == before, "all connections have ended")

    def test_old_clients_are_served(self):
        self.assertEqual(self.status(b"GET / HTTP/1.0\r\n\r\n"), 200)
        answer = self.answer(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n")
        self.assertEqual(answer.count(HELLO), 2)
        self.assertEqual(answer.count(b"Connection: keep-alive\r\n"), 1)

    def test_a_body_nobody_asked_for_is_skipped(self):
        answer = self.answer(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nGET / HTT"
                             b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        self.assertEqual(re.findall(rb"HTTP/1.1 (\d+) ", answer), [b"405", b"200"])


class Reader(unittest.TestCase):
    def test_the_tests_of_the_reader(self):
        folder = os.path.join(ROOT, "examples", "http")
        built = tempfile.mkdtemp(prefix="lunatic-http-")
        self.addCleanup(shutil.rmtree, built)
        wasm = os.path.join(built, "tests.wasm")
        subprocess.run([LUNATIC, "cc", "-Wall", "-Wextra", "-Werror", "tests.c", "request.c", "-o", wasm], cwd=folder,
                       check=True, timeout=PATIENCE)
        done = subprocess.run([LUNATIC, "test", wasm], stdout=subprocess.PIPE, text=True, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("9 passed", done.stdout)


if __name__ == "__main__":
    unittest.main()

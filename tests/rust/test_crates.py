#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""test_crates.py LUNATIC FOLDER CRATE: runs the tests and examples of a crate that crates.sh has built into FOLDER,
against clients and servers of others. They have fixed ports, so this runs in a network of its own, with nothing in
it but the loopback. Status 77: something is missing."""
import base64
import contextlib
import ctypes
import fcntl
import http.client
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

LUNATIC, FOLDER, CRATE = os.path.abspath(sys.argv[1]), os.path.abspath(sys.argv[2]), sys.argv[3]
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


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


def program(kind, name):
    return os.path.join(FOLDER, CRATE, kind, name + ".wasm")


def wait_for(port, process=None):
    for _ in range(600):
        with socket.socket() as s:
            if s.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process and process.poll() is not None:
            break
        time.sleep(0.05)
    raise OSError(f"nothing listens on port {port}")


@contextlib.contextmanager
def background(command, port, **more):
    """A server for as long as the block runs; yields what it has written so far, as a function."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, **more)

        def written():
            log.seek(0)
            return log.read()
        try:
            wait_for(port, process)
            yield written
        except Exception:
            print(command[-1], "wrote:", written())
            raise
        finally:
            process.terminate()
            process.wait(60)


class Crate(unittest.TestCase):
    maxDiff = None

    def run_program(self, kind, name, *words, cwd=None):
        done = subprocess.run([LUNATIC, "run", program(kind, name), *words], stdout=subprocess.PIPE, cwd=cwd,
                              stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, timeout=240)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def run_tests(self, name, count, ignored=0, tries=1, without=()):
        """All tests of a program, one by one: those of these crates share ports. What fails may be tried again."""
        def run(*options):
            done = subprocess.run([LUNATIC, "test", program("test", name), "--test-threads", "1", *options],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True,
                                  timeout=240)
            return done.stdout, dict(re.findall(r"^test (\S+)(?: - should panic)? \.\.\. (ok|FAILED|ignored)$", done.stdout,
                                                re.M))
        out, results = run()
        for test in [t for t, result in results.items() if result == "FAILED" and t not in without]:
            for _ in range(tries - 1):
                out, again = run("--exact", test)
                if again == {test: "ok"}:
                    results[test] = "ok"
                    break
        words = [result for test, result in results.items() if test not in without]
        self.assertEqual((words.count("ok"), words.count("FAILED"), words.count("ignored")), (count, 0, ignored), out)


class Log(Crate):
    def test_info(self):
        self.assertEqual(self.run_program("example", "info"), "Hello, World\n")

    def test_multiple(self):
        self.assertEqual(self.run_program("example", "multiple"), "Hello, World\n" * 2)

    def test_pretty(self):
        done = subprocess.run([LUNATIC, "run", program("example", "pretty")], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = re.sub(r"\x1b\[\d+m", "", done.stdout + done.stderr).splitlines()  # errors go to standard error
        for level, text in ("ERROR", "Error"), ("WARN", "Warn"), ("INFO", "Info"), ("DEBUG", "Debug"), ("TRACE", "Trace"):
            self.assertTrue(any(re.fullmatch(rf"\S+Z +{level} pretty: examples/pretty.rs: \d+: {text}", x) for x in lines),
                            lines)


def ask(method, path, body=None, port=3000, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode(), answer
    finally:
        connection.close()


class Submillisecond(Crate):
    @contextlib.contextmanager
    def example(self, name, *options, **more):
        with background([LUNATIC, "run", *options, program("example", name)], 3000, **more) as written:
            yield written

    def answers(self, *wanted):
        for method, path, status, text, *rest in wanted:
            got = ask(method, path, *rest)
            self.assertEqual((got[0], got[1]), (status, text), path)

    def test_router(self):
        with socket.socket() as s:  # the tests take a connection from anyone
            s.bind(("127.0.0.1", 22))
            s.listen()
            self.run_tests("router", 8)

    def test_http(self):
        self.run_tests("parsing_http_1_1", 5, ignored=1)

    def test_websocket(self):
        self.run_tests("websocket", 1)

    def test_hello_world(self):
        with self.example("hello_world"):
            self.answers(("GET", "/", 200, "Hello :)"))
            self.assertEqual(ask("GET", "/absent")[0], 404)
            connection = http.client.HTTPConnection("127.0.0.1", 3000, timeout=60)
            for _ in range(1000):  # one connection is kept
                connection.request("GET", "/")
                self.assertEqual(connection.getresponse().read(), b"Hello :)")
            connection.close()

    def test_many_connections(self):
        """Each is a process of its own."""
        with self.example("hello_world"):
            connections = [http.client.HTTPConnection("127.0.0.1", 3000, timeout=60) for _ in range(300)]
            for connection in connections:
                connection.request("GET", "/")
            for connection in connections:
                self.assertEqual(connection.getresponse().read(), b"Hello :)")
                connection.close()

    def test_catch_all(self):
        with self.example("catch_all"):
            self.answers(("GET", "/", 200, "Hello :)"), ("GET", "/foo/bar", 200, "Foo Bar"),
                         ("GET", "/foo/x", 200, "Foo route not found"), ("GET", "/x", 200, "Route not found"))

    def test_cookies(self):
        with self.example("cookies") as written:
            jar = {}
            for count in "0", "1", "2":
                status, text, answer = ask("GET", "/", **jar)
                self.assertEqual((status, text), (200, count))
                jar = {"cookie": answer.headers["set-cookie"].split(";")[0]}
            # The process of the sessions of this version of the crate names none of its handlers.
            self.assertEqual(ask("GET", "/session")[0], 500)
            self.assertIn("src/session.rs:123", written())

    def test_custom_handler(self):
        with self.example("custom_handler"):
            self.answers(("GET", "/", 200, "Hello World!"))

    def test_extractors(self):
        with self.example("extractors"):
            self.answers(("GET", "/queries?a=b", 200, "a: b"), ("GET", "/host", 200, "127.0.0.1:3000"),
                         ("GET", "/typed_header", 200, "127.0.0.1:3000"),
                         ("GET", "/params/Ada/36", 200, "Welcome, Ada. You are 36 years old."),
                         ("GET", "/named_param/36", 200, "You are 36 years old"),
                         ("GET", "/named_param2/Ada/36", 200, "Hi Ada, you are 36 years old"),
                         ("GET", "/splat-a/b", 200, "a/b"), ("POST", "/string", 200, "text", "text"),
                         ("POST", "/vec", 200, "x" * 50000, "x" * 50000))
            login = json.dumps({"email": "a@b", "password": "c"})
            self.assertEqual(ask("POST", "/json", login, content_type="application/json")[1], "Email: a@b\nPassword: c")
            self.assertNotEqual(ask("POST", "/json", "{", content_type="application/json")[0], 200)

    def test_guard(self):
        with self.example("guard"):
            self.answers(("POST", "/foo", 200, "foo bar", "x" * 5), ("POST", "/foo", 200, "foo bar", "x" * 10))
            self.assertEqual(ask("POST", "/foo", "x" * 6)[0], 404)

    def test_middleware(self):
        with self.example("middleware") as written:
            self.answers(("GET", "/foo/bar", 200, "foo bar"), ("GET", "/bar", 200, "bar"))
            # The crate's own log line comes from another process, between any two of these.
            lines = "".join(line for line in written().splitlines(True) if "INFO" not in line)
            self.assertIn("[GLOBAL] ENTRY\nGET /foo/bar\n[EXIT]\n[GLOBAL] EXIT\n", lines)

    def test_panic(self):
        """The handler's process panics; the server goes on."""
        with self.example("panic") as written:
            for _ in range(3):
                self.assertEqual(ask("GET", "/")[0], 500)
            self.assertEqual(ask("GET", "/absent")[0], 404)
            self.assertIn("panicked at", written())

    def test_params(self):
        """The extractor `Path` of this version of the crate looks where nothing has put the parameters."""
        with self.example("params") as written:
            self.assertEqual(ask("GET", "/1/2/3")[0], 500)
            self.assertIn("[ENTER] request unknown", written())
            self.assertIn("src/extract/path.rs:156", written())

    def test_queue_todo(self):
        """Its own requests look its process up by another name than it has; the rest works."""
        with tempfile.TemporaryDirectory() as folder, self.example("queue_todo", "--dir", ".", cwd=folder) as written:
            self.answers(("GET", "/api/mgmt/alive", 200, '{"status":"UP"}'),
                         ("GET", "/something_different/1", 200, '{"status":"UP"}'))
            self.assertEqual(os.listdir(os.path.join(folder, "persistence")), ["todos.wal"])
            self.assertEqual(ask("GET", "/api/users/67e55044-10b1-426f-9247-bb680e5fe0c8/todos")[0], 500)
            self.assertIn("examples/queue_todo.rs:257", written())

    def test_state(self):
        with self.example("state"):
            self.answers(*(("GET", "/", 200, f"Count is {i}") for i in range(1, 5)))

    def test_static(self):
        with self.example("static"):
            self.answers(("GET", "/index.html", 200, "<h1>Hi</h1>\n"), ("GET", "/absent", 404, "Resource not found"))

    def test_timeout(self):
        """The handler sleeps for ten minutes, which the crate ends after five: others are served meanwhile."""
        with self.example("timeout"), socket.create_connection(("127.0.0.1", 3000)) as slow:
            slow.sendall(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
            for _ in range(20):
                self.assertEqual(ask("GET", "/absent")[0], 404)

    def test_websocket_example(self):
        def frame(opcode, data):
            mask = os.urandom(4)
            return struct.pack("!BB", 0x80 | opcode, 0x80 | len(data)) + mask + bytes(
                b ^ mask[i % 4] for i, b in enumerate(data))
        with self.example("websocket") as written, socket.create_connection(("127.0.0.1", 3000), 60) as s:
            key = base64.b64encode(os.urandom(16)).decode()
            s.sendall(f"GET / HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: Upgrade\r\n"
                      f"sec-websocket-version: 13\r\nsec-websocket-key: {key}\r\n\r\n".encode())
            f = s.makefile("rb")
            self.assertIn(b" 101 ", f.readline())
            while f.readline() != b"\r\n":
                pass
            for _ in range(3):
                s.sendall(frame(1, b"Ping!\n"))
                self.assertEqual(f.read(6), b"\x81\x04Pong")
            s.sendall(frame(8, struct.pack("!H", 1000)))
            self.assertIn("Ping!\n" * 3, written())


class Hello(Crate):
    def test_answers(self):
        with background([LUNATIC, "run", program("bin", "hello"), "127.0.0.1:3001"], 3001):
            status, text, answer = ask("GET", "/", port=3001)
            self.assertEqual((status, text, answer.headers["content-length"]), (200, "Hello, world!", "13"))


class Nightfly(Crate):
    """The client, against servers in processes beside it, made with submillisecond. Nothing waits until such a server
    listens, so a test fails when it is late, and is tried again. Each program has 6 tests of the crate too."""


for NAME, COUNT in {"blocking": 11, "brotli": 3, "chunked": 2, "client": 5, "cookie": 6, "deflate": 3, "gzip": 3,
                    "redirect": 9, "timeouts": 2}.items():
    setattr(Nightfly, "test_" + NAME, lambda self, name=NAME, count=COUNT: self.run_tests(
        name, count + 6, tries=10, without=["client::test_allowed_methods"]))  # it asks for a page of the internet


class Redis(Crate):
    @classmethod
    def setUpClass(cls):
        if not shutil.which("redis-server", path=PATH):
            skip("redis-server is missing")
        cls.stack = contextlib.ExitStack()
        folder = cls.stack.enter_context(tempfile.TemporaryDirectory())
        cls.stack.enter_context(background([shutil.which("redis-server", path=PATH), "--save", "", "--dir", folder], 6379))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def command(self, words):
        with socket.create_connection(("127.0.0.1", 6379), 60) as s:
            s.sendall(words.encode() + b"\r\n")
            self.assertEqual(s.recv(100), b"+OK\r\n")

    def setUp(self):
        self.command("FLUSHALL")

    def test_types(self):
        self.run_tests("test_types", 9)

    def test_basic(self):
        out = self.run_program("example", "basic")
        self.assertIn("The sum of all numbers in the set 0-1000: 499500\n", out)
        self.assertNotIn("Could not execute", out)
        self.assertEqual(out.count("New value: "), 2)

    def test_geospatial(self):
        out = self.run_program("example", "geospatial")
        self.assertIn("[geo_add] Added 3 members.", out)
        self.assertIn("[geo_radius] Agrigento, dist = 48.7551 Km", out)

    def test_pipeline_transaction(self):
        self.command("SET the_key 41")  # it reads this before anything has written it
        out = self.run_program("example", "pipeline_transaction")
        self.assertIn("GOT PIPED RESULTS 42 | 43\n", out)
        self.assertIn("GOT TRANSACTION ", out)

    def test_pub_sub(self):
        out = self.run_program("example", "pub-sub")
        self.assertIn('[subscriber] GOT MESSAGE "banana"', out)
        self.assertEqual(out.count("GOT PMESSAGE Ok"), 4)

    def test_queues(self):
        out = self.run_program("example", "queues")
        self.assertIn('POLLING 55 Ok(("my_queue", 55))', out)
        self.assertIn('POLLING LATE VALUE Ok(("my_queue", 101))', out)
        self.assertIn("Pushed+Polled 100 values", out)

    def test_scan(self):
        self.run_program("example", "scan")

    def test_scripts(self):
        self.assertIn("GOT SCRIPT RESULT 3", self.run_program("example", "scripts"))

    def test_set_mget(self):
        self.assertIn('GOT MGET ', self.run_program("example", "set-mget"))

    def test_streams(self):
        self.assertIn("Demonstrating XADD", self.run_program("example", "streams"))


class Mysql(Crate):
    @classmethod
    def setUpClass(cls):
        server, install = (shutil.which(n, path=PATH) for n in ("mariadbd", "mariadb-install-db"))
        if not server or not install:
            skip("mariadb-server is missing")
        cls.stack = contextlib.ExitStack()
        folder = cls.stack.enter_context(tempfile.TemporaryDirectory())
        user = ["--user=" + ("root" if os.getuid() == 0 else os.environ.get("USER", "nobody"))]
        with open(os.path.join(folder, "log"), "w") as log:
            subprocess.run([install, "--no-defaults", "--auth-root-authentication-method=normal", "--skip-test-db",
                            "--datadir=" + os.path.join(folder, "data"), *user], stdout=log, stderr=log, check=True)
        with open(os.path.join(folder, "init.sql"), "w") as f:
            f.write("CREATE DATABASE first_db;\n")
        cls.stack.enter_context(background([server, "--no-defaults", "--datadir=" + os.path.join(folder, "data"),
                                            "--socket=" + os.path.join(folder, "socket"), "--bind-address=*",  # it tries one address of the name
                                            "--init-file=" + os.path.join(folder, "init.sql"), *user], 3306))

    @classmethod
    def tearDownClass(cls):
        cls.stack.close()

    def test_simple_mysql(self):
        out = self.run_program("example", "simple_mysql")
        self.assertIn("End of main: Yay!", out)
        self.assertIn('Payment { customer_id: 9, amount: 10, account_name: Some("bar") }', out)


class Diesel(Crate):
    WANTED = """inserted 1
inserted 1
inserted 1
[Note { id: 1, author: 1, title: "engine", score: 0.5, done: false }, \
Note { id: 2, author: 2, title: "compiler", score: 8.0, done: true }, \
Note { id: 3, author: 2, title: "ünïcode ☃", score: -2.25, done: false }]
updated 1
open ["ünïcode ☃"]
[("Ada", "engine"), ("Grace", "compiler"), ("Grace", "ünïcode ☃")]
transaction Err(RollbackTransaction)
count 3
count 1
"""

    def test_memory(self):
        self.assertEqual(self.run_program("bin", "diesel-program", ":memory:"), self.WANTED)

    def test_file(self):
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run([LUNATIC, "run", "--dir", ".", program("bin", "diesel-program"), "notes.db"], cwd=folder,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)
            self.assertEqual((done.stdout, done.returncode), (self.WANTED, 0), done.stderr)
            self.assertEqual(os.listdir(folder), ["notes.db"])


CLASSES = {"lunatic-log": Log, "submillisecond": Submillisecond, "hello": Hello, "nightfly": Nightfly, "lunatic-redis": Redis,
           "lunatic-mysql": Mysql, "diesel": Diesel}

if __name__ == "__main__":
    if not os.path.isdir(os.path.join(FOLDER, CRATE)):
        skip(f"{CRATE} was not built")
    own_network()
    unittest.main(argv=[sys.argv[0]] + [CLASSES[CRATE].__name__ + "." + n if n.startswith("test") else n
                                        for n in sys.argv[4:] or [CLASSES[CRATE].__name__]])

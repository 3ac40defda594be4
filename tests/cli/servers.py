# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the tests of examples/ that are servers share: the server is compiled once and runs on a free port of
the loopback; its clients are the programs that people use."""
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

import support
from support import LUNATIC

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PATIENCE = 60  # seconds; for a loaded machine


def needs(program, package):
    """Skips a test where a client is not installed."""
    return unittest.skipUnless(shutil.which(program), f"{program} is not installed (Debian: {package})")


def receive(s, size):
    """Exactly `size` bytes of a socket."""
    data = b""
    while len(data) < size:
        more = s.recv(size - len(data))
        if not more:
            raise AssertionError(f"the end after {data!r}")
        data += more
    return data


def receive_all(s):
    data = b""
    while more := s.recv(65536):
        data += more
    return data


class ServerTest(support.CliTest):
    """`EXAMPLE` of examples/, compiled once from `SOURCES`. Each test has a server of its own."""
    EXAMPLE = None
    SOURCES = None
    OPTIONS = []  # of lunatic
    KIND = socket.SOCK_STREAM

    @classmethod
    def setUpClass(cls):
        if cls.EXAMPLE is None:
            raise unittest.SkipTest("not a test of its own")
        cls.built = tempfile.mkdtemp(prefix="lunatic-example-")
        cls.addClassCleanup(shutil.rmtree, cls.built)
        cls.wasm = os.path.join(cls.built, "server.wasm")
        folder = os.path.join(ROOT, "examples", cls.EXAMPLE)
        done = subprocess.run([LUNATIC, "cc", "-Wall", "-Wextra", "-Werror", *(cls.SOURCES or [cls.EXAMPLE + ".c"]),
                               "-o", cls.wasm], cwd=folder, stderr=subprocess.PIPE, text=True, timeout=PATIENCE)
        if done.returncode != 0:
            raise AssertionError(done.stderr)

    def setUp(self):
        super().setUp()
        self.server, self.port = self.serve()

    def arguments(self):
        """Of the server, behind its address."""
        return []

    def serve(self, at="127.0.0.1:0"):
        """Starts a server; the process, and its port once it listens. It is to end well on SIGINT."""
        errors = open(os.path.join(self.folder, "errors"), "w+")
        self.addCleanup(errors.close)
        server = subprocess.Popen([LUNATIC, "run", *self.OPTIONS, self.wasm, at, *self.arguments()],
                                  stdout=subprocess.PIPE, stderr=errors, text=True, cwd=self.folder)
        self.addCleanup(self.stop, server, errors)
        line = server.stdout.readline()
        if not line.startswith("listening on "):
            server.kill()
            errors.seek(0)
            self.fail(f"{line}{errors.read()}")
        return server, int(line.rsplit(":", 1)[1])

    def kill(self, server):
        """Ends it without letting it do anything more."""
        server.kill()
        server.wait()

    def stop(self, server, errors):
        if server.poll() == -signal.SIGKILL:
            server.stdout.close()
            return
        server.send_signal(signal.SIGINT)
        try:
            status = server.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
            status = "no end"
        server.stdout.close()
        errors.seek(0)
        self.assertEqual(status, 130, errors.read())

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.port), PATIENCE)
        self.addCleanup(s.close)
        return s

    def client(self, *words, data=None, status=0):
        """Standard output of a client. `data` is its standard input."""
        done = subprocess.run(words, input=data, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE,
                              cwd=self.folder)
        self.assertEqual(done.returncode, status, (words, done.stdout[-1000:], done.stderr[-1000:]))
        return done.stdout


def eventually(condition, what):
    """Waits until condition() is true."""
    end = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"not within {PATIENCE} s: {what}")
        time.sleep(0.02)

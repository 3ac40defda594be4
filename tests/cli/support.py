# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the tests of the command line share."""
import os
import shutil
import subprocess
import tempfile
import unittest

LUNATIC = os.environ["LUNATIC"]
TIMEOUT = 120


class CliTest(unittest.TestCase):
    """A test with a folder of its own, which is the current one of what it runs."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="lunatic-cli-")
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w" if isinstance(text, str) else "wb") as f:
            f.write(text)
        return path

    def lunatic(self, *words, env=None, **more):
        more.setdefault("stdin", subprocess.DEVNULL)
        more.setdefault("stdout", subprocess.PIPE)
        return subprocess.run([LUNATIC, *words], stderr=subprocess.PIPE, text=True, cwd=self.folder,
                              timeout=TIMEOUT, env={**os.environ, **(env or {})}, **more)

    def start(self, *words, **more):
        return subprocess.Popen([LUNATIC, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                cwd=self.folder, **more)

    def compile(self, text, name="program"):
        """The path of a C program, compiled."""
        self.write(name + ".c", text)
        done = self.lunatic("cc", name + ".c", "-o", name + ".wasm")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return name + ".wasm"

    def assert_one_line(self, done, status, *parts):
        """It ended with `status` and one line of ours that has all the parts."""
        self.assertEqual(done.returncode, status, done.stderr)
        lines = done.stderr.splitlines()
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertTrue(lines[0].startswith("lunatic: "), lines[0])
        for part in parts:
            self.assertIn(part, lines[0])

    def assert_usage_error(self, done, *parts):
        self.assertEqual(done.returncode, 2, done.stderr)
        lines = done.stderr.splitlines()
        self.assertTrue(lines[0].startswith("lunatic: "), done.stderr)
        self.assertEqual(lines[1], "Try 'lunatic --help'.")
        for part in parts:
            self.assertIn(part, lines[0])
        self.assertEqual(done.stdout, "")


SHOW = r"""
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        puts(argv[i]);
    printf("V=%s\n", getenv("V") ? getenv("V") : "none");
    return 0;
}
"""

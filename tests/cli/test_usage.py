# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Help, version, and command lines that are not understood."""
import unittest

from support import CliTest


class Usage(CliTest):
    def test_help_is_on_standard_output(self):
        for words in (["--help"], ["-h"], ["help"]):
            done = self.lunatic(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("usage: lunatic", done.stdout)
            for command in ("run", "cc", "help"):
                self.assertIn(command, done.stdout)

    def test_each_command_explains_itself(self):
        for command, option in (("run", "--dir HOST"), ("cc", "-o PROGRAM.wasm")):
            for words in ([command, "--help"], ["help", command]):
                done = self.lunatic(*words)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertIn(option, done.stdout)

    def test_version(self):
        for word in ("--version", "-V"):
            done = self.lunatic(word)
            self.assertEqual(done.returncode, 0)
            self.assertRegex(done.stdout, r"^lunatic \d+\.\d+\.\d+ \(guest interface 0\.13\.2\)\n$")

    def test_full_disk_is_an_error(self):
        with open("/dev/full", "w") as full:
            self.assert_one_line(self.lunatic("--help", stdout=full), 1, "standard output", "No space left")
            self.assert_one_line(self.lunatic("--version", stdout=full), 1, "standard output")

    def test_usage_errors(self):
        cases = [
            ([], "no program"),
            (["frobnicate"], "no command 'frobnicate'"),
            (["--frobnicate"], "unknown option '--frobnicate'"),
            (["help", "frobnicate"], "no command 'frobnicate'"),
            (["run"], "no program"),
            (["run", "a.wasm", "--flag"], "unknown option '--flag'", "'--'"),
            (["a.wasm", "--flag=1"], "unknown option '--flag=1'"),
            (["run", "--dir"], "'--dir' needs a value"),
            (["run", "--bench=1", "a.wasm"], "'--bench' takes no value"),
            (["run", "--env", "novalue", "a.wasm"], "NAME=VALUE"),
            (["run", "--env", "=x", "a.wasm"], "NAME=VALUE"),
            (["run", "--workers", "many", "a.wasm"], "'--workers' wants a number"),
            (["run", "--workers", "0", "a.wasm"], "at least 1"),
            (["run", "--workers", "99999", "a.wasm"], "at most 1024"),
            (["run", "--seed", "99999999999999999999", "a.wasm"], "'--seed' wants a number"),
            (["run", "--max-memory", "1X", "a.wasm"], "'--max-memory' wants a number"),
            (["cc"], "no file to compile"),
            (["cc", "a.c", "-o"], "'-o' needs a value"),
        ]
        for words, *parts in cases:
            with self.subTest(words):
                if words:
                    self.assert_usage_error(self.lunatic(*words), *parts)
                else:
                    self.assert_usage_error(self.lunatic(), *parts)


if __name__ == "__main__":
    unittest.main()

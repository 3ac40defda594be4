# SPDX-License-Identifier: Apache-2.0 OR MIT
"""`lunatic init`, `cargo-lunatic`, and the commands of the original that are refused."""
import os
import subprocess
import tomllib
import unittest

from support import LUNATIC, CliTest

CARGO_LUNATIC = os.path.join(os.path.dirname(LUNATIC), "cargo-lunatic")
RUNNERS = {"wasm32-wasip1": {"runner": "lunatic run"}, "wasm32-wasi": {"runner": "lunatic run"}}


class RustTest(CliTest):
    """A folder with a compiler and a cargo that only say what they are asked for."""

    def setUp(self):
        super().setUp()
        self.library("none")
        self.script("cargo", 'echo "$@"; env | grep "^CARGO_BUILD\\|^CARGO_TARGET" | sort; exit 7')

    def script(self, name, text):
        path = self.write("bin/" + name, "#!/bin/sh\n" + text + "\n")
        os.chmod(path, 0o755)

    def library(self, *targets):
        """The compiler knows both targets, and has the libraries of these."""
        for target in targets:
            self.write(f"lib/{target}/libstd-1234.rlib", "")
        self.script("rustc", f'case "$4" in wasm32-wasi*) echo {self.folder}/lib/"$4";; *) exit 1;; esac')

    def environment(self, **more):
        env = {k: v for k, v in os.environ.items() if not k.startswith(("CARGO", "RUST"))}
        return {**env, "PATH": os.path.join(self.folder, "bin") + ":/usr/bin:/bin", **more}

    def init(self, *words):
        return subprocess.run([LUNATIC, "init", *words], cwd=self.folder, env=self.environment(), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)

    def cargo(self, *words, **more):
        return subprocess.run([CARGO_LUNATIC, *words], cwd=self.folder, env=self.environment(**more), text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=60, check=False)


class Init(RustTest):
    def setUp(self):
        super().setUp()
        self.write("Cargo.toml", "")

    def config(self, name=".cargo/config.toml"):
        with open(os.path.join(self.folder, name), newline="", encoding="utf-8") as f:
            return f.read()

    def edited(self, text):
        """The configuration that becomes of this one."""
        self.write(".cargo/config.toml", text.encode())
        done = self.init()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(done.stdout.startswith("Cargo project initialized!\n"))
        again = self.config()
        done = self.init()
        self.assertIn("as it was", done.stdout)
        self.assertEqual(self.config(), again)
        return again

    def test_without_a_cargo_project_nothing_is_written(self):
        os.remove(os.path.join(self.folder, "Cargo.toml"))
        self.assert_one_line(self.init(), 1, "no Cargo.toml here")
        self.assertFalse(os.path.exists(os.path.join(self.folder, ".cargo")))

    def test_a_fresh_project(self):
        self.library("wasm32-wasip1")
        done = self.init()
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertNotIn("rustup", done.stdout)
        self.assertEqual(tomllib.loads(self.config()), {"build": {"target": "wasm32-wasip1"}, "target": RUNNERS})

    def test_an_old_tool_chain_gets_its_target(self):
        self.library("wasm32-wasi")
        self.init()
        self.assertEqual(tomllib.loads(self.config())["build"], {"target": "wasm32-wasi"})

    def test_a_target_may_be_named(self):
        self.init("--target", "wasm32-wasi")
        self.assertEqual(tomllib.loads(self.config())["build"], {"target": "wasm32-wasi"})
        self.assert_usage_error(self.init("--target", "x86_64"), "'--target' wants")

    def test_a_missing_library_is_named(self):
        self.assertIn("rustup target add wasm32-wasip1", self.init().stdout)

    def test_comments_and_formatting_stay(self):
        before = ("# mine\n[build] # b\njobs = 2 # two\n\n  [target.wasm32-wasip1]\n  linker = 'x'\n\n"
                  "[alias]\nx = [\"a\", # c\n \"b\"]\n")
        after = self.edited(before)
        self.assertEqual(tomllib.loads(after)["target"]["wasm32-wasip1"], {"linker": "x", "runner": "lunatic run"})
        self.assertEqual(tomllib.loads(after)["build"], {"jobs": 2, "target": "wasm32-wasip1"})
        lines = after.splitlines()
        for line in before.splitlines():
            self.assertEqual(lines.pop(0) if lines[0] == line else self.skip_to(lines, line), line)

    def skip_to(self, lines, line):
        while lines and lines[0] != line:
            lines.pop(0)
        return lines.pop(0) if lines else None

    def test_dotted_keys_and_dos_line_ends(self):
        after = self.edited("build.jobs = 1\r\ntarget.wasm32-wasi.linker = \"q\"\r\n[net]\r\nretry=1")
        self.assertNotIn("\n", after.replace("\r\n", ""))
        value = tomllib.loads(after)
        self.assertEqual(value["build"], {"jobs": 1, "target": "wasm32-wasip1"})
        self.assertEqual(value["target"]["wasm32-wasi"], {"linker": "q", "runner": "lunatic run"})
        self.assertEqual(value["net"], {"retry": 1})

    def test_strings_that_look_like_toml(self):
        text = "[env]\nA = '''\n[build]\ntarget = \"no\"\n'''\nB = \"\\\"[build]\"\nC = \"\"\"x\\\"\"\"\"\n"
        value = tomllib.loads(self.edited(text))
        self.assertEqual(value["build"], {"target": "wasm32-wasip1"})
        self.assertEqual(value["env"], tomllib.loads(text)["env"])

    def test_what_is_there_in_any_form_is_enough(self):
        text = ("[build]\ntarget = [\"wasm32-wasi\"]\n[target]\nwasm32-wasip1.runner = ['lunatic', 'run']\n"
                "wasm32-wasi = { rustflags = [], runner = \"lunatic\" }\n")
        self.assertEqual(self.edited(text), text)

    def test_contradictions_are_refused_and_nothing_is_written(self):
        for text, words in ((b"[build]\ntarget = \"x86_64-unknown-linux-gnu\"\n", "line 2: build.target is 'x86_64"),
                            (b"[target.wasm32-wasi]\nrunner = [\"wasmtime\", \"run\"]\n", "'wasmtime run'"),
                            (b"[build]\ntarget = 3\n", "something else"),
                            (b"build = { jobs = 1 }\n", "line 1: 'build' stands in a form"),
                            (b"[[build]]\njobs = 1\n", "line 1: 'build' stands in a form"),
                            (b"x = [1, 2\n", "line 2"), (b"x = \"y\n", "line 1: a string does not end"),
                            (b"x\n", "a '=' is missing"), (b"[x\n", "a header does not end"),
                            (b"x = 1 \0\n", "zero byte"), (b"x = " + b"[" * 100000, "too deep"),
                            (b"k" * 5000 + b" = 1\n", "too long"), (b"#" * (2 << 20), "larger than")):
            with self.subTest(text=text[:40]):
                path = self.write(".cargo/config.toml", text)
                self.assert_one_line(self.init(), 1, ".cargo/config.toml", words)
                with open(path, "rb") as f:
                    self.assertEqual(f.read(), text)
                self.assertEqual(os.listdir(os.path.dirname(path)), ["config.toml"])

    def test_the_name_without_ending_links_and_modes_stay(self):
        self.write("shared.toml", "[net]\nretry = 1\n")
        os.chmod(os.path.join(self.folder, "shared.toml"), 0o640)
        os.mkdir(os.path.join(self.folder, ".cargo"))
        link = os.path.join(self.folder, ".cargo/config")
        os.symlink("../shared.toml", link)
        self.assertEqual(self.init().returncode, 0)
        self.assertTrue(os.path.islink(link))
        self.assertEqual(os.stat(link).st_mode & 0o777, 0o640)
        self.assertEqual(tomllib.loads(self.config("shared.toml"))["target"], RUNNERS)
        self.assertFalse(os.path.exists(os.path.join(self.folder, ".cargo/config.toml")))

    def test_wrong_words(self):
        self.assert_usage_error(self.init("here"), "'init' takes no 'here'")
        self.assertIn("usage: lunatic init", self.init("--help").stdout)


class CargoLunatic(RustTest):
    def test_the_target_that_is_installed(self):
        for target in ("wasm32-wasi", "wasm32-wasip1"):
            self.library(target)
            done = self.cargo("lunatic", "test", "--release", "x y")
            lines = done.stdout.splitlines()
            self.assertEqual((lines[0], done.returncode), ("test --release x y", 7))
            self.assertIn("CARGO_BUILD_TARGET=" + target, lines)
            self.assertIn("CARGO_TARGET_WASM32_WASI_RUNNER=" + LUNATIC, lines)
            self.assertIn("CARGO_TARGET_WASM32_WASIP1_RUNNER=" + LUNATIC, lines)

    def test_a_target_of_the_user(self):
        done = self.cargo("lunatic", "build", CARGO_BUILD_TARGET="wasm32-unknown-unknown")
        self.assertIn("CARGO_BUILD_TARGET=wasm32-unknown-unknown", done.stdout.splitlines())

    def test_what_is_missing_is_named(self):
        done = self.cargo("lunatic", "build")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("rustup target add wasm32-wasip1", done.stderr)
        os.remove(os.path.join(self.folder, "bin/rustc"))
        done = self.cargo("lunatic", "build", RUSTC=os.path.join(self.folder, "bin/rustc"))
        self.assertEqual(done.returncode, 1)
        self.assertIn("no Rust compiler", done.stderr)

    def test_help(self):
        self.assertIn("usage: cargo lunatic", self.cargo("lunatic", "--help").stdout)
        self.assertTrue(self.cargo("--version").stdout.startswith("cargo-lunatic "))
        self.assertEqual(self.cargo("lunatic").returncode, 2)


class Refused(CliTest):
    def test_each_says_what_to_do(self):
        for name, words in (("login", "nothing here needs a login"), ("app", "'lunatic init'"),
                            ("deploy", "'cargo build --release'"), ("control", "not available yet"),
                            ("node", "not available yet")):
            self.assert_one_line(self.lunatic(name, "--x"), 1, name + ": ", words)
            self.assert_one_line(self.lunatic("help", name), 1, name + ": ", words)
            self.assertNotIn(name, self.lunatic("--help").stdout.split())


if __name__ == "__main__":
    unittest.main()

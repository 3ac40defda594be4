#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""test_cargo.py old|new CACHE LUNATIC: `cargo test` of the project in testing/, with a compiler of build.sh."""
import os
import re
import shutil
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
COMPILER, CACHE, LUNATIC = sys.argv[1:4]
CACHE = os.path.abspath(CACHE)
CARGO = os.path.join(CACHE, "cargo-" + COMPILER)
WORK = os.path.join(CACHE, "testing-" + COMPILER)


def cargo(*words, env=None):
    environment = {**os.environ, "PATH": os.path.join(WORK, "bin") + ":" + os.environ["PATH"], "RUST_BACKTRACE": "0",
                   "CARGO_INCREMENTAL": "0", "CARGO_TERM_COLOR": "never", **(env or {})}
    environment.pop("RUST_LOG", None)
    return subprocess.run([CARGO, *words], cwd=WORK, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=1500)


def cargo_test(*words, options=(), env=None):
    return cargo("test", "--release", "-j2", "--target-dir", os.path.join(CACHE, "target-" + COMPILER), *options, "--",
                 *words, env=env)


def prepare():
    shutil.rmtree(WORK, ignore_errors=True)
    shutil.copytree(os.path.join(HERE, "testing"), WORK)
    os.mkdir(os.path.join(WORK, "bin"))
    os.symlink(os.path.abspath(LUNATIC), os.path.join(WORK, "bin", "lunatic"))
    done = cargo("generate-lockfile", "--quiet")
    assert done.returncode == 0, done.stderr
    if COMPILER == "old":
        for package in ("serde", "serde_core", "serde_derive"):
            done = cargo("update", "--quiet", package, "--precise", "1.0.228")
            assert done.returncode == 0, done.stderr
    done = cargo_test(options=["--no-run"])
    assert done.returncode == 0, done.stderr


class CargoTest(unittest.TestCase):
    maxDiff = None

    def results(self, done):
        return dict(re.findall(r"^test testing::tests::(.+?)(?: - should panic)? \.\.\. (.+)$", done.stdout, re.M))

    def section(self, done, name):
        found = re.search(rf"^---- testing::tests::{name} stdout ----\n(.*?)^\n(?=----|failures:|test result:)",
                          done.stdout, re.M | re.S)
        self.assertIsNotNone(found, done.stdout)
        return found[1]

    def test_unit_tests(self):
        done = cargo_test(options=["--lib"])
        self.assertEqual(self.results(done), {
            "passes": "ok", "fails": "FAILED", "ignored": "ignored", "panics": "ok", "panics_as_expected": "ok",
            "panics_otherwise": "FAILED", "does_not_panic": "FAILED", "returns_an_error": "FAILED", "exits": "FAILED",
            "a_failed_link_is_no_panic_of_its_own": "FAILED"}, done.stdout + done.stderr)
        self.assertIn("\nrunning 10 tests\n", done.stdout)
        self.assertIn("test result: FAILED. 3 passed; 6 failed; 1 ignored; 0 measured; 0 filtered out", done.stdout)
        self.assertEqual(done.returncode, 1)
        self.assertIn("test failed, to rerun pass `--lib`", done.stderr)
        self.assertNotIn("\033", done.stdout)

        text = self.section(done, "fails")
        self.assertTrue(text.startswith("output of fails\n"))
        self.assertIn("the sum is wrong", text)
        self.assertIn("src/lib.rs", text)
        self.assertIn("testing::tests::fails", text[text.index("Process 1 failed: unreachable"):])
        self.assertNotIn("output of passes", done.stdout)
        self.assertIn("      panic message: `\"something else\"`,\n expected substring: `\"expected\"`\n",
                      self.section(done, "panics_otherwise"))
        self.assertIn("note: test did not panic as expected\n", self.section(done, "does_not_panic"))
        self.assertIn("the error it returns", self.section(done, "returns_an_error"))
        self.assertIn("note: Process exited with status 3\n", self.section(done, "exits"))
        text = self.section(done, "a_failed_link_is_no_panic_of_its_own")
        self.assertIn(" --- process 1 stdout ---\n", text)
        self.assertIn("note: Process received kill signal, but expected a panic that contains `from below`\n", text)

    def test_integration_tests(self):
        done = cargo_test(options=["--test", "integration"])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("test result: ok. 5 passed; 0 failed; 0 ignored", done.stdout)
        self.assertNotIn("a child prints", done.stdout)

    def test_all_targets_and_options_in_between(self):
        # But for tests in documentation: these tool chains have no rustdoc.
        done = cargo_test("a_child", "passes", "--nocapture", "--test-threads", "1", options=["--lib", "--tests"])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("test testing::tests::passes ... ok", done.stdout)
        self.assertIn("test integration::a_child_answers ... ok", done.stdout)
        self.assertIn("output of passes\n", done.stdout)
        self.assertIn("a child prints\n", done.stdout)

    def test_filters_and_lists(self):
        done = cargo_test("--list", "--format", "terse", options=["--lib"])
        self.assertEqual(len(done.stdout.splitlines()), 10)
        self.assertIn("testing::tests::passes: test\n", done.stdout)
        done = cargo_test("--exact", "testing::tests::panics", options=["--lib"])
        self.assertEqual((done.returncode, self.results(done)), (0, {"panics": "ok"}))
        done = cargo_test("--ignored", options=["--lib", "-q"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured; 9 filtered out", done.stdout)
        done = cargo_test("--include-ignored", "--skip", "panic", "ignored", options=["--lib"])
        self.assertEqual(self.results(done), {"ignored": "FAILED"})

    def test_bench_is_no_test(self):
        deps = re.findall(r"\((\S+deps/testing-\S+\.wasm)\)", cargo_test("nothing", options=["--lib"]).stderr)
        done = subprocess.run([LUNATIC, "run", deps[0], "--bench"], cwd=WORK, env={**os.environ, "CARGO_MANIFEST_DIR": WORK},
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=100)
        self.assertNotIn("10 tests", done.stdout)


if __name__ == "__main__":
    if not os.path.exists(CARGO) and not os.environ.get("LUNATIC_REQUIRE_RUST"):
        print(f"skipped: {CARGO} was not made")
        sys.exit(77)
    prepare()
    unittest.main(argv=sys.argv[:1])

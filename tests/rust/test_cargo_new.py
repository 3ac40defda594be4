#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""test_cargo_new.py old|new CACHE LUNATIC: a project as `cargo new` makes it, set up as the crate's documentation
says, and by `lunatic init`, with a compiler of build.sh. `cargo run`, `cargo test` and `cargo lunatic` in it."""
import os
import re
import shutil
import stat
import subprocess
import sys
import unittest

COMPILER, CACHE, LUNATIC = sys.argv[1:4]
CACHE = os.path.abspath(CACHE)
TARGET = {"old": "wasm32-wasi", "new": "wasm32-wasip1"}[COMPILER]
WORK = os.path.join(CACHE, "cargo-new-" + COMPILER)
PROJECT = os.path.join(WORK, "fresh_project")

# The runner of the crate's documentation.
CONFIG = f"""[build]
target = "{TARGET}"

[target.{TARGET}]
runner = "lunatic"
"""

# Its first example, with a test.
MAIN = """use lunatic::{spawn_link, Mailbox};

#[lunatic::main]
fn main(_: Mailbox<()>) {
    let child = spawn_link!(@task || {
        // This closure gets a new heap and stack to
        // execute on, and can't access the memory of
        // the parent process.
        println!("Hi! I'm a process.");
    });
    // Wait for child to finish
    let _ignore = child.result();
    if let Some(argument) = std::env::args().nth(1) {
        panic!("{}", argument);
    }
}

#[cfg(test)]
mod tests {
    use lunatic::spawn_link;

    #[lunatic::test]
    fn a_task_returns_its_result() {
        let child = spawn_link!(@task |input = 20| input + 1);
        assert_eq!(child.result(), 21);
    }

    #[lunatic::test]
    #[should_panic(expected = "no such thing")]
    fn a_panic_with_words() {
        panic!("there is no such thing");
    }
}
"""


def run(*words, cwd=None, check=False):
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("CARGO", "RUST"))}
    if "CARGO_HOME" in os.environ:
        environment["CARGO_HOME"] = os.environ["CARGO_HOME"]
    environment.update(PATH=os.path.join(WORK, "bin") + ":" + os.environ["PATH"], CARGO_INCREMENTAL="0",
                       CARGO_TERM_COLOR="never", CARGO_TARGET_DIR=os.path.join(CACHE, "target-" + COMPILER))
    done = subprocess.run(words, cwd=cwd or PROJECT, env=environment, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=1500, check=False)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def write(name, text):
    path = os.path.join(WORK, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    return path


def prepare():
    shutil.rmtree(WORK, ignore_errors=True)
    # A cargo that knows its compiler, but not the target: that is for the project to say.
    with open(os.path.join(CACHE, "cargo-" + COMPILER), encoding="utf-8") as f:
        os.chmod(write("bin/cargo", re.sub(r"CARGO_BUILD_TARGET=\S+", "", f.read())), stat.S_IRWXU)
    for program in ("lunatic", "cargo-lunatic"):
        os.symlink(os.path.join(os.path.dirname(os.path.abspath(LUNATIC)), program), os.path.join(WORK, "bin", program))
    run("cargo", "new", "--quiet", "--vcs", "none", "fresh_project", cwd=WORK, check=True)
    with open(os.path.join(PROJECT, "Cargo.toml"), encoding="utf-8") as f:
        manifest = f.read()
    if COMPILER == "old":
        # It does not know the edition of today's `cargo new`.
        manifest = re.sub('edition = ".*"', 'edition = "2021"', manifest)
    write("fresh_project/Cargo.toml", manifest + 'lunatic = "0.14"\n')
    write("fresh_project/src/main.rs", MAIN)
    write("fresh_project/.cargo/config.toml", CONFIG)
    run("cargo", "generate-lockfile", "--quiet", check=True)
    if COMPILER == "old":
        for package in ("serde", "serde_core", "serde_derive"):
            run("cargo", "update", "--quiet", package, "--precise", "1.0.228", check=True)


class CargoNew(unittest.TestCase):
    def setUp(self):
        write("fresh_project/.cargo/config.toml", CONFIG)

    def assert_runs(self, *words):
        done = run(*words)
        self.assertEqual((done.returncode, done.stdout), (0, "Hi! I'm a process.\n"), done.stderr)

    def assert_tests_pass(self, *words):
        done = run(*words)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(sorted(re.findall("^test .*", done.stdout, re.M))[:2],
                         ["test fresh_project::tests::a_panic_with_words - should panic ... ok",
                          "test fresh_project::tests::a_task_returns_its_result ... ok"])
        self.assertIn("test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out;", done.stdout)

    def test_as_the_documentation_says(self):
        self.assert_runs("cargo", "run", "--quiet")
        self.assert_tests_pass("cargo", "test")

    def test_a_failure_is_one_for_cargo_too(self):
        done = run("cargo", "run", "--quiet", "--", "enough")
        self.assertEqual((done.returncode, done.stdout), (134, "Hi! I'm a process.\n"), done.stderr)
        self.assertIn("enough", done.stderr)

    def test_as_lunatic_init_does_it(self):
        shutil.rmtree(os.path.join(PROJECT, ".cargo"))
        done = run("lunatic", "init", "--target", TARGET)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assert_runs("cargo", "run", "--quiet")
        self.assert_tests_pass("cargo", "test")

    def test_cargo_lunatic_needs_no_configuration(self):
        shutil.rmtree(os.path.join(PROJECT, ".cargo"))
        self.assert_runs("cargo", "lunatic", "run", "--quiet")
        self.assert_tests_pass("cargo", "lunatic", "test")


if __name__ == "__main__":
    if not os.path.exists(os.path.join(CACHE, "cargo-" + COMPILER)) and not os.environ.get("LUNATIC_REQUIRE_RUST"):
        print("skipped: the Rust tool chain was not made")
        sys.exit(77)
    prepare()
    unittest.main(argv=sys.argv[:1])

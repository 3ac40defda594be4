# SPDX-License-Identifier: Apache-2.0 OR MIT
"""`lunatic test`, and `lunatic run` of what cargo has built for tests."""
import json
import os
import pty
import re
import resource
import shutil
import signal
import subprocess
import tempfile
import unittest
import xml.etree.ElementTree

from support import LUNATIC, TIMEOUT, CliTest

TESTS = r"""
#include <lunatic/test.h>
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#define T(name) __attribute__((export_name("#lunatic_test_" name)))
static void say(const char *words) { fputs(words, stderr); }
static void loud(const int *n) { printf("child %d\n", *n); fflush(stdout); __builtin_trap(); }

LUNATIC_TEST(pass) { puts("output of pass"); }
LUNATIC_TEST(fail) { puts("output of fail"); LUNATIC_CHECK(1 == 2); }
LUNATIC_TEST_IGNORED(skipped) { LUNATIC_FAIL("was not skipped"); }
LUNATIC_TEST_PANICS(panics, "") { __builtin_trap(); }
LUNATIC_TEST_PANICS(panics_not, "") { }
LUNATIC_TEST_PANICS(asserts, "1 > 2") { assert(1 > 2); }
T("#panic_right \\# 1#mod::old_right") void a(void)
{ say("thread 'x' panicked at 'the right # 1', src/lib.rs:3:4\nnote: run\n"); __builtin_trap(); }
T("#panic_right#mod::new_right") void b(void)
{ say("\nthread 'x' (12) panicked at src/lib.rs:3:4:\nthe\nright one\nnote: run\n"); __builtin_trap(); }
T("#panic_right#mod::new_wrong") void c(void)
{ say("thread 'x' panicked at src/lib.rs:3:4:\nanother\nnote: the right one\n"); __builtin_trap(); }
T("#panic_right#mod::killed") void d(void) { lun_kill(lun_self()); lun_sleep(10000); }
T("#ignore_#panic_#mod::ignored_panic") void e(void) { exit(4); }
LUNATIC_TEST(exits) { exit(3); }
LUNATIC_TEST(family)
{
    int n = 5;
    lun_message message;

    puts("before");
    fflush(stdout);
    lun_monitor(LUN_SPAWN(loud, &n));
    LUNATIC_CHECK(lun_receive(&message, LUN_FOREVER) == 0);
    puts("after");
    exit(1);
}
"""
NAMES = ["pass", "fail", "skipped", "panics", "panics_not", "asserts", "mod::old_right", "mod::new_right",
         "mod::new_wrong", "mod::killed", "mod::ignored_panic", "exits", "family"]

OTHERS = r"""
#include <lunatic/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
extern char **environ;
static const char *path_of(const char *name) { static char p[64]; snprintf(p, 64, "./%s", name); return p; }
static void forever(const int *n) { (void)n; for (;;) lun_sleep(1); }

/* Each waits until the other has been there, so both must run at the same time. */
static void meet(const char *mine, const char *other)
{
    FILE *f = fopen(path_of(mine), "w");
    fclose(f);
    for (int i = 0; i < 3000 && access(path_of(other), F_OK) != 0; i++)
        lun_sleep(10);
    LUNATIC_CHECK(access(path_of(other), F_OK) == 0);
}
LUNATIC_TEST(meets_a) { meet("a", "b"); }
LUNATIC_TEST(meets_b) { meet("b", "a"); }

LUNATIC_TEST(alone) { LUNATIC_CHECK_EQUAL(lun_self(), 1); lun_register("name", lun_self()); }
LUNATIC_TEST(alone_too)
{
    lun_process p;
    LUNATIC_CHECK_EQUAL(lun_self(), 1);
    lun_sleep(20);
    LUNATIC_CHECK(lun_lookup("name", &p) == -LUN_ENONE);
}
LUNATIC_TEST(hangs) { puts("waits"); for (;;) ; }
LUNATIC_TEST(hangs_waiting) { lun_message m; puts("waits"); lun_receive(&m, LUN_FOREVER); }
LUNATIC_TEST(leaves_children) { int n = 0; for (int i = 0; i < 50; i++) LUN_SPAWN(forever, &n); }
LUNATIC_TEST(variable) { LUNATIC_CHECK_TEXT(getenv("V"), "x"); }
LUNATIC_TEST(no_terminal) { LUNATIC_CHECK(!isatty(1) && !isatty(2)); }
LUNATIC_TEST(floods)
{
    static char line[1000];
    for (int i = 0; i < 999; i++) line[i] = 'x';
    puts("begin");
    for (int i = 0; i < 30000; i++) puts(line);
    LUNATIC_FAIL("the end");
}
LUNATIC_TEST(bytes) { write(1, "\033[1m \xff & <b> ]]> \"q\" \0 \xc3\xa4\n", 27); exit(1); }
LUNATIC_TEST(writes_both)
{
    for (int i = 0; i < 5; i++) {
        char c = '0' + i;
        write(1 + i % 2, &c, 1);
    }
    write(1, "\n", 1);
    exit(1);
}
"""

ARGUMENTS = r"""
#include <lunatic/test.h>
#include <stdio.h>
#include <stdlib.h>
#include <wasi/api.h>
LUNATIC_TEST(arguments)
{
    __wasi_size_t count, size;
    char *words[8], bytes[256];
    LUNATIC_CHECK(__wasi_args_sizes_get(&count, &size) == 0 && count <= 8 && size <= sizeof bytes);
    __wasi_args_get((uint8_t **)words, (uint8_t *)bytes);
    for (unsigned i = 0; i < count; i++)
        printf("<%s>", words[i]);
    puts("");
    exit(1);
}
"""


class Compiled(CliTest):
    """Programs are compiled once for all tests of a class."""
    source = ""

    @classmethod
    def setUpClass(cls):
        cls.shared = tempfile.mkdtemp(prefix="lunatic-cli-")
        cls.addClassCleanup(shutil.rmtree, cls.shared)
        with open(os.path.join(cls.shared, "tests.c"), "w") as f:
            f.write(cls.source)
        cls.wasm = os.path.join(cls.shared, "tests.wasm")
        done = subprocess.run([LUNATIC, "cc", "-Wno-unused", "tests.c", "-o", cls.wasm], cwd=cls.shared,
                              stderr=subprocess.PIPE, text=True, timeout=TIMEOUT)
        assert done.returncode == 0, done.stderr

    def test_run(self, *words, env=None, **more):
        return self.lunatic("test", self.wasm, *words, env={"NO_COLOR": "", "RUST_LOG": "", **(env or {})}, **more)

    # Not a test itself.
    run_tests = test_run
    del test_run

    def results(self, done):
        """name -> what is said of it"""
        return dict(re.findall(r"^test (.+?)(?: - should panic)? \.\.\. (.+)$", done.stdout, re.M))

    def summary(self, done):
        last = done.stdout.splitlines()[-2]
        self.assertEqual(done.stdout[-2:], "\n\n")
        found = re.fullmatch(r"test result: (ok|FAILED)\. (\d+) passed; (\d+) failed; (\d+) ignored; 0 measured; "
                             r"(\d+) filtered out; finished in \d+\.\d\ds", last)
        self.assertIsNotNone(found, last)
        return (found[1], *map(int, found.groups()[1:]))

    def section(self, done, name):
        """What is shown of a test's output."""
        found = re.search(r"^---- " + re.escape(name) + r" stdout ----\n(.*?)^\n", done.stdout, re.M | re.S)
        self.assertIsNotNone(found, done.stdout)
        return found[1]


class Verdicts(Compiled):
    source = TESTS

    def test_all_verdicts(self):
        done = self.run_tests()
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertTrue(done.stdout.startswith("\nrunning 13 tests\n"))
        self.assertEqual(self.results(done), {
            "pass": "ok", "fail": "FAILED", "skipped": "ignored", "panics": "ok", "panics_not": "FAILED",
            "asserts": "ok", "mod::old_right": "ok", "mod::new_right": "ok", "mod::new_wrong": "FAILED",
            "mod::killed": "FAILED", "mod::ignored_panic": "ignored", "exits": "FAILED", "family": "FAILED"})
        self.assertEqual(self.summary(done), ("FAILED", 5, 6, 2, 0))
        for name in ("panics", "mod::ignored_panic", "mod::new_wrong"):
            self.assertRegex(done.stdout, rf"(?m)^test {name} - should panic \.\.\. ")
        self.assertNotIn("\033", done.stdout)
        # all names of failures, in the order of the module
        names = done.stdout[done.stdout.rindex("\nfailures:\n"):].splitlines()[2:8]
        self.assertEqual(names, ["    fail", "    panics_not", "    mod::new_wrong", "    mod::killed", "    exits",
                                 "    family"])

    def test_output_of_failures_only(self):
        done = self.run_tests()
        self.assertNotIn("output of pass", done.stdout)
        self.assertNotIn("---- pass", done.stdout)
        text = self.section(done, "fail")
        lines = text.splitlines()
        self.assertEqual(lines[0], "output of fail")
        self.assertRegex(lines[1], r"^thread 'process 1' panicked at tests\.c:\d+:1:$")
        self.assertEqual(lines[2], "not true: 1 == 2")
        # the report and its backtrace, without the time of day
        self.assertRegex(lines[3], "^Process 1 failed: unreachable, notifying: 0 links$")
        self.assertIn("lunatic_test_body_fail" if "body_fail" in text else "lunatic_test_fail", text)
        self.assertNotIn("note: Process trapped", text)

    def test_notes(self):
        done = self.run_tests()
        self.assertEqual(self.section(done, "panics_not"), "note: test did not panic as expected\n")
        self.assertEqual(self.section(done, "exits"), "note: Process exited with status 3\n")
        self.assertTrue(self.section(done, "mod::new_wrong").endswith(
            "note: panic did not contain expected string\n      panic message: `\"another\"`,\n"
            " expected substring: `\"right\"`\n"))
        self.assertTrue(self.section(done, "mod::killed").endswith(
            "note: Process received kill signal, but expected a panic that contains `right`\n"))

    def test_descendants_are_captured_in_order(self):
        text = self.section(self.run_tests("family"), "family")
        lines = [line for line in text.splitlines() if not line.startswith("   ")]
        self.assertEqual(lines[:4], [" --- process 0 stdout ---", "before", " --- process 1 stdout ---", "child 5"])
        self.assertRegex(lines[4], r"^Process \d+ failed: unreachable")
        self.assertEqual(lines[5:7], [" --- process 0 stdout ---", "after"])

    def test_passing_is_status_0(self):
        done = self.run_tests("--exact", "pass")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(re.sub(r"\d\.\d\ds", "TIME", done.stdout),
                         "\nrunning 1 test\ntest pass ... ok\n\ntest result: ok. 1 passed; 0 failed; 0 ignored; "
                         "0 measured; 12 filtered out; finished in TIME\n\n")

    def test_filters(self):
        for words, expected in ((["pa"], ["pass", "panics", "panics_not", "mod::ignored_panic"]),
                                (["mod::old", "exits"], ["mod::old_right", "exits"]),
                                (["--", "mod::old", "exits"], ["mod::old_right", "exits"]),
                                (["--exact", "panics", "exit"], ["panics"]),
                                (["panics", "--skip", "_not"], ["panics"]),
                                (["--skip=mod::", "--skip", "a"], ["skipped", "exits"]),
                                (["--exact", "--skip", "pass"], NAMES[1:]),
                                (["--exclude-should-panic", "pa"], ["pass"]),
                                (["--ignored"], ["skipped", "mod::ignored_panic"]),
                                (["--ignored", "mod"], ["mod::ignored_panic"]),
                                (["--include-ignored"], NAMES),
                                (["nothing of the kind"], []),
                                (["--", "--list"], [])):
            with self.subTest(words):
                if words[-1] == "--list":  # a filter, being behind the dashes
                    done = self.run_tests(*words)
                    self.assertEqual(self.summary(done), ("ok", 0, 0, 0, 13))
                    continue
                done = self.run_tests("--list", "--format", "terse", *words)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.stdout, "".join(f"{name}: test\n" for name in expected))

    def test_list(self):
        done = self.run_tests("--list", "mod::old")
        self.assertEqual((done.returncode, done.stdout), (0, "mod::old_right: test\n\n1 test, 0 benchmarks\n"))
        done = self.run_tests("--list")
        self.assertEqual(done.stdout.splitlines()[-1], "13 tests, 0 benchmarks")

    def test_ignored_are_run_on_request(self):
        done = self.run_tests("--ignored")
        self.assertEqual(self.results(done), {"skipped": "FAILED", "mod::ignored_panic": "ok"})
        self.assertEqual(self.summary(done), ("FAILED", 1, 1, 0, 11))
        self.assertEqual(self.summary(self.run_tests("--include-ignored"))[1:], (6, 7, 0, 0))

    def test_nocapture(self):
        for words, env in ((["--nocapture"], {}), (["--no-capture"], {}), ([], {"RUST_TEST_NOCAPTURE": "1"})):
            with self.subTest(words):
                done = self.run_tests("pass", "mod::killed", *words, env=env)
                self.assertIn("output of pass\n", done.stdout)
                self.assertIn("note: Process received kill signal", done.stdout)
                self.assertIn("was killed", done.stderr)
        done = self.run_tests("mod::old", "mod::new_wrong", "--nocapture")
        self.assertEqual(done.stdout.count("the right # 1"), 1)  # standard error is there too, and only once
        self.assertEqual(self.results(done)["mod::old_right"], "ok")
        self.assertIn("output of pass\n", self.run_tests("pass", "--nocapture", env={"RUST_TEST_NOCAPTURE": "0"}).stdout)

    def test_show_output(self):
        done = self.run_tests("pass", "mod::old", "fail", "--show-output")
        self.assertIn("\nsuccesses:\n\n---- pass stdout ----\noutput of pass\n", done.stdout)
        self.assertIn("\nsuccesses:\n    pass\n    mod::old_right\n", done.stdout)
        self.assertLess(done.stdout.index("successes:"), done.stdout.index("failures:"))

    def test_terse(self):
        for words in (["-q"], ["--quiet"], ["--format", "terse"], ["--format=terse"]):
            done = self.run_tests("pass", "skipped", "exits", "--test-threads=1", *words)
            self.assertTrue(done.stdout.startswith("\nrunning 3 tests\n.iF\n\nfailures:\n"), done.stdout)

    def test_one_at_a_time_is_in_order(self):
        for env, words in (({}, ["--test-threads", "1"]), ({"RUST_TEST_THREADS": "1"}, [])):
            self.assertEqual(list(self.results(self.run_tests(*words, env=env))), NAMES)

    def test_shuffle(self):
        def order(*words):
            done = self.run_tests("--test-threads", "1", *words)
            return done.stdout.splitlines()[1], list(self.results(done))

        head, first = order("--shuffle-seed", "7")
        self.assertEqual(head, "running 13 tests (shuffle seed: 7)")
        self.assertEqual(sorted(first), sorted(NAMES))
        self.assertNotEqual(first, NAMES)
        self.assertEqual(order("--shuffle-seed=7")[1], first)
        self.assertRegex(order("--shuffle")[0], r"shuffle seed: \d+")

    def test_colors(self):
        green, red, yellow, end = "\033[92m", "\033[91m", "\033[93m", "\033[0m"
        done = self.run_tests("pass", "skipped", "exits", "--color", "always")
        self.assertIn(f"test pass ... {green}ok{end}\n", done.stdout)
        self.assertIn(f"test exits ... {red}FAILED{end}\n", done.stdout)
        self.assertIn(f"test skipped ... {yellow}ignored{end}\n", done.stdout)
        self.assertIn(f"test result: {red}FAILED{end}. 1 passed", done.stdout)
        self.assertNotIn("\033", self.run_tests("pass", "--color=auto").stdout)
        for env, words, colored in (({}, [], True), ({"NO_COLOR": "1"}, [], False), ({"TERM": "dumb"}, [], False),
                                    ({}, ["--color", "never"], False)):
            with self.subTest(env):
                ours, theirs = pty.openpty()
                self.run_tests("pass", *words, stdout=theirs, env={"TERM": "xterm", **env})
                os.close(theirs)
                self.assertEqual(b"\033[92mok" in os.read(ours, 10000), colored)
                os.close(ours)

    def test_json(self):
        done = self.run_tests("pass", "fail", "skipped", "-Z", "unstable-options", "--format", "json", "--report-time")
        events = [json.loads(line) for line in done.stdout.splitlines()]
        self.assertEqual(events[0], {"type": "suite", "event": "started", "test_count": 3})
        by_name = {e["name"]: e for e in events[1:-1]}
        self.assertEqual({n: e["event"] for n, e in by_name.items()}, {"pass": "ok", "fail": "failed", "skipped": "ignored"})
        self.assertTrue(by_name["fail"]["stdout"].startswith("output of fail\n"))
        self.assertGreaterEqual(by_name["pass"]["exec_time"], 0)
        self.assertEqual({k: v for k, v in events[-1].items() if k != "exec_time"},
                         {"type": "suite", "event": "failed", "passed": 1, "failed": 1, "ignored": 1, "measured": 0,
                          "filtered_out": 10})
        listed = [json.loads(line) for line in self.run_tests("--list", "--format=json", "pass").stdout.splitlines()]
        self.assertEqual(listed[1], {"type": "test", "event": "discovered", "name": "pass", "ignore": False})

    def test_junit(self):
        path = os.path.join(self.folder, "results.xml")
        done = self.run_tests("--junit", path)
        self.assertEqual(done.returncode, 1)
        suite = xml.etree.ElementTree.parse(path).getroot().find("testsuite")
        self.assertEqual([suite.get(k) for k in ("name", "tests", "failures", "skipped", "errors")],
                         ["tests", "13", "6", "2", "0"])
        self.assertEqual([c.get("name") for c in suite], [n.split("::")[-1] for n in NAMES])
        cases = {c.get("name"): c for c in suite}
        self.assertEqual(cases["old_right"].get("classname"), "mod")
        self.assertEqual(cases["pass"].get("classname"), "tests")
        self.assertIsNotNone(cases["skipped"].find("skipped"))
        self.assertEqual(cases["fail"].find("failure").get("message"), "not true: 1 == 2")
        self.assertIn("output of fail", cases["fail"].find("system-out").text)
        self.assertEqual(cases["pass"].find("system-out").text, "output of pass\n")
        self.assertEqual(cases["exits"].find("failure").get("message"), "Process exited with status 3")
        # a folder gets a file for each program
        folder = os.path.join(self.folder, "results/")
        self.run_tests("pass", "--junit", folder)
        self.run_tests("pass", "--junit", folder[:-1])
        self.assertEqual(os.listdir(folder), ["tests.xml"])
        done = self.run_tests("pass", "--format", "junit")
        self.assertEqual(xml.etree.ElementTree.fromstring(done.stdout).find("testsuite").get("tests"), "1")
        self.assert_one_line(self.run_tests("pass", "--junit", "/nowhere/x.xml"), 1, "--junit /nowhere/x.xml")

    def test_log_file(self):
        path = os.path.join(self.folder, "log")
        self.run_tests("pass", "skipped", "exits", "--logfile", path, "--test-threads", "1")
        with open(path) as f:
            self.assertEqual(f.read(), "ok pass\nignored skipped\nfailed exits\n")

    def test_what_the_harness_accepts_is_accepted(self):
        done = self.run_tests("pass", "--exact", "--test", "-Zunstable-options", "--force-run-in-process",
                              "--report-time", "--color", "never", "--format", "pretty")
        self.assertEqual(done.returncode, 0)
        self.assertRegex(done.stdout, r"test pass \.\.\. ok <\d\.\d{3}s>\n")

    def test_unwritable_output_is_an_error(self):
        for words in ([], ["--list"], ["--nocapture"], ["--format", "junit"]):
            with self.subTest(words), open("/dev/full", "w") as full:
                self.assert_one_line(self.run_tests("pass", *words, stdout=full), 1, "standard output")

    def test_variants(self):
        for variant in ("--metered", "--exact-traps", "--move-stacks", "--old-kernel"):
            with self.subTest(variant):
                self.assertEqual(self.summary(self.run_tests(variant)), ("FAILED", 5, 6, 2, 0))

    # ---- what cargo does ----

    def cargo(self, path, *words, run=False, variable=True):
        full = os.path.join(self.folder, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        shutil.copy(self.wasm, full)
        env = {"CARGO_MANIFEST_DIR": "/anything"} if variable else {}
        return self.lunatic(*(["run"] if run else []), *words[:-1], path if words[-1:] != ["ABSOLUTE"] else full,
                            env=env)

    def test_cargo_test_is_recognised(self):
        for path in ("target/wasm32-wasi/debug/deps/app-0123456789abcdef.wasm",
                     "target/wasm32-wasip1/release/deps/app-0123456789abcdef.wasm",
                     "target/wasm32-unknown-unknown/debug/deps/app.wasm",
                     "elsewhere/wasm32-wasip1/custom-profile/deps/app.wasm",
                     "wasm32-wasip1/debug/deps/app.wasm"):
            for run in (False, True):
                for words in ((), ("ABSOLUTE",), ("--dir", ".", "")):
                    with self.subTest((path, run, words)):
                        if words == ("--dir", ".", "") and not run:
                            continue
                        done = self.cargo(path, *words, run=run)
                        self.assertIn("\nrunning 13 tests\n", done.stdout)
                        self.assertEqual(done.returncode, 1)

    def test_others_are_not_tests(self):
        path = "target/wasm32-wasip1/debug/deps/app.wasm"
        for run in (False, True):
            for done in (self.cargo(path, run=run, variable=False),
                         self.cargo("target/wasm32-wasip1/debug/app.wasm", run=run),
                         self.cargo("target/wasm32-wasip1/debug/examples/app.wasm", run=run),
                         self.cargo("target/x86_64/debug/deps/app.wasm", run=run),
                         self.lunatic(*(["run"] if run else []), path, "--bench", env={"CARGO_MANIFEST_DIR": "/x"})):
                self.assertIn("this program consists of tests", done.stderr)
                self.assertNotIn("running", done.stdout)

    def test_cargo_hands_over_options(self):
        self.cargo("target/wasm32-wasip1/debug/deps/app-0123456789abcdef.wasm")
        done = self.lunatic("target/wasm32-wasip1/debug/deps/app-0123456789abcdef.wasm", "pass", "--nocapture",
                            "--test-threads=1", "--junit", "out/", env={"CARGO_MANIFEST_DIR": ""})
        self.assertEqual(done.returncode, 0)
        self.assertIn("output of pass", done.stdout)
        tree = xml.etree.ElementTree.parse(os.path.join(self.folder, "out", "app-0123456789abcdef.xml"))
        self.assertEqual(tree.getroot().find("testsuite").get("name"), "app")

    # ---- mistakes ----

    def test_usage_errors(self):
        for words, *parts in ((["--nosuch"], "'--nosuch'"), (["--format", "xml"], "pretty, terse, json, junit", "'xml'"),
                              (["--color", "blue"], "auto, always, never"), (["--test-threads", "0"], "at least 1"),
                              (["--test-threads", "x"], "wants a number"), (["--timeout", "soon"], "seconds", "'soon'"),
                              (["--timeout", "0"], "seconds"), (["--timeout", "1.5.2"], "seconds"),
                              (["--skip"], "'--skip' needs a value")):
            with self.subTest(words):
                self.assert_usage_error(self.run_tests(*words), *parts)
        self.assert_usage_error(self.lunatic("test"), "no module to test")
        self.assert_usage_error(self.run_tests("pass", env={"RUST_TEST_THREADS": "no"}), "RUST_TEST_THREADS")
        self.assert_one_line(self.lunatic("test", "missing.wasm"), 1, "'missing.wasm' not found")

    def test_help(self):
        for words in (["test", "--help"], ["help", "test"], ["test", "x.wasm", "-h"]):
            done = self.lunatic(*words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertIn("--junit PATH", done.stdout)


class Running(Compiled):
    source = OTHERS

    def test_tests_run_side_by_side_and_alone(self):
        done = self.run_tests("meets", "alone", "leaves", env={})
        self.assertEqual((done.returncode, self.summary(done)[:3]), (0, ("ok", 5, 0)), done.stdout)

    def test_one_at_a_time_they_cannot_meet(self):
        done = self.run_tests("meets", "--test-threads", "1", "--timeout", "0.3")
        self.assertEqual(self.results(done)["meets_a"], "FAILED (time limit exceeded)")

    def test_hanging_tests_are_stopped_and_others_go_on(self):
        done = self.run_tests("hangs", "alone", "--timeout", "3")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(self.results(done), {"hangs": "FAILED (time limit exceeded)", "alone": "ok", "alone_too": "ok",
                                              "hangs_waiting": "FAILED (time limit exceeded)"})
        self.assertRegex(self.section(done, "hangs_waiting"),
                         r"^waits\nnote: test did not end within 3 s \(--timeout\)\n"
                         r"      process 1 waited for message, [^\n]*lunatic_test_hangs_waiting[^\n]*\n$")
        self.assertRegex(self.section(done, "hangs"), r"\n      process 1 was (running|ready to run)[^\n]*\n$")
        done = self.run_tests("hangs", "--timeout=0.2", "--format=json")
        for line in done.stdout.splitlines()[1:-1]:
            self.assertEqual(json.loads(line)["reason"], "time limit exceeded")

    def test_a_signal_names_the_tests_that_were_running(self):
        for n, name in ((signal.SIGINT, "hangs"), (signal.SIGTERM, "hangs_waiting")):
            with self.subTest(name):
                p = self.start("test", self.wasm, "--exact", name, "--nocapture")
                while p.stdout.readline() != b"waits\n":
                    pass
                p.send_signal(n)
                _, errors = p.communicate(timeout=TIMEOUT)
                self.assertEqual(p.returncode, 128 + n)
                self.assertRegex(errors.decode(), rf"^lunatic: test {name} was running, for \d+\.\d s\n$")

    def test_sigquit_says_what_processes_do(self):
        p = self.start("test", self.wasm, "--exact", "hangs_waiting", "--nocapture")
        while p.stdout.readline() != b"waits\n":
            pass
        p.send_signal(signal.SIGQUIT)
        while b"lunatic_test_hangs_waiting" not in (line := p.stderr.readline()):
            self.assertNotEqual(line, b"")
            if line.startswith(b"1 process:"):  # that was too early: it did not wait yet
                p.send_signal(signal.SIGQUIT)
        p.send_signal(signal.SIGINT)
        p.communicate(timeout=TIMEOUT)
        self.assertEqual(p.returncode, 128 + signal.SIGINT)

    def test_what_precedes_the_module_in_a_runner_is_meant_for_run(self):
        os.makedirs(os.path.join(self.folder, "wasm32-wasip1/debug/deps"))
        path = "wasm32-wasip1/debug/deps/app.wasm"
        shutil.copy(self.wasm, os.path.join(self.folder, path))

        def run(*words):
            return self.lunatic("run", *words, env={"CARGO_MANIFEST_DIR": "."})

        done = run("--timeout", "300", "--exact", "--grace", "1", "--no-inspect", path, "hangs")
        self.assertEqual(set(self.results(done).values()), {"FAILED (time limit exceeded)"})
        self.assertIn("within 0.3 s", done.stdout)
        self.assertEqual(len(self.results(done)), 2)
        self.assertEqual(len(self.results(run("--timeout", "300", path, "hangs", "--exact", "--timeout", "0.2"))), 1)
        self.assert_usage_error(run("--seed", "1", path), "'--seed' is for 'run'")

    def test_options_of_run(self):
        self.assertEqual(self.run_tests("variable", "--env", "V=x").returncode, 0)
        self.assertEqual(self.run_tests("variable", env={"V": "x"}).returncode, 0)
        self.assertEqual(self.run_tests("variable", env={"V": "y"}).returncode, 1)
        self.assertEqual(self.run_tests("alone", "--dir", ".", "--workers", "1").returncode, 0)
        self.assert_one_line(self.run_tests("--dir", "missing"), 1, "--dir missing")

    def test_captured_streams_are_no_terminal(self):
        ours, theirs = pty.openpty()
        done = self.run_tests("no_terminal", stdout=theirs)
        self.assertEqual(done.returncode, 0)
        os.close(theirs)
        os.close(ours)

    def test_both_streams_keep_their_order(self):
        self.assertEqual(self.section(self.run_tests("writes_both"), "writes_both").splitlines()[0], "01234")

    def test_a_flood_is_bounded_and_shows_both_ends(self):
        done = self.run_tests("floods")
        self.assertEqual(done.returncode, 1)
        self.assertLess(len(done.stdout), 20 << 20)
        text = self.section(done, "floods")
        self.assertTrue(text.startswith("begin\nxxx"))
        self.assertIn("\nnote: ", text)
        self.assertIn("\nthe end\n", text)

    def test_any_bytes_make_valid_documents(self):
        path = os.path.join(self.folder, "x.xml")
        done = self.run_tests("bytes", "--junit", path, "--format", "json")
        text = xml.etree.ElementTree.parse(path).getroot().find(".//system-out").text
        self.assertTrue(text.startswith("\ufffd[1m \ufffd & <b> ]]> \"q\" \ufffd ä\n"), text)
        self.assertTrue(json.loads(done.stdout.splitlines()[1])["stdout"].startswith("\ufffd[1m \ufffd & <b>"))


class Arguments(Compiled):
    source = ARGUMENTS

    def test_arguments(self):
        done = self.run_tests("--arg", "one", "--arg=--two")
        self.assertEqual(self.section(done, "arguments").splitlines()[0], "<tests.wasm><one><--two>")


class Example(CliTest):
    def test_it_passes(self):
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../examples/tests")
        done = self.lunatic("cc", "-Wall", "-Wextra", "-Wmissing-prototypes", "-Werror", f"{folder}/tests.c",
                            f"{folder}/counter.c", "-o", "tests.wasm")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.lunatic("test", "tests.wasm", "--include-ignored")
        self.assertIn("test result: ok. 6 passed; 0 failed; 0 ignored", done.stdout)
        self.assertEqual(done.returncode, 0)

    def test_a_main_of_ones_own_stays(self):
        for name, text, status in (("a.c", "int main(void) { return 7; }", 7),
                                   ("b.c", "int main(int c, char **v) { (void)v; return c + 7; }", 8),
                                   ("c.cpp", "int main() { return 9; }", 9)):
            with self.subTest(name):
                self.write("tests.c", "#include <lunatic/test.h>\nLUNATIC_TEST(t) { }\n")
                self.write(name, text)
                done = self.lunatic("cc", "tests.c", "-o", "x.wasm", "-x", "none", name)
                if "install the packages libc++-" in done.stderr:
                    continue
                self.assertEqual(done.returncode, 0, done.stderr)
                self.assertEqual(self.lunatic("x.wasm").returncode, status)
                self.assertIn("test t ... ok", self.lunatic("test", "x.wasm").stdout)

    def test_in_cplusplus(self):
        self.write("x.cpp", """#include <lunatic/test.h>
static int twice(int n) { return 2 * n; }
LUNATIC_TEST(passes) { LUNATIC_CHECK_EQUAL(twice(2), 4); LUNATIC_CHECK_TEXT("a", "a"); }
LUNATIC_TEST_PANICS(fails, "right: \\"b\\"") { LUNATIC_CHECK_TEXT("a", "b"); }
LUNATIC_TEST_PANICS(says, "number \\\\# 7") { LUNATIC_FAIL("number # %d", 7); }
""")
        done = self.lunatic("cc", "-Wall", "-Wextra", "-Werror", "x.cpp", "-o", "x.wasm")
        if "install the packages libc++-" in done.stderr:
            self.skipTest(done.stderr)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("3 passed; 0 failed", self.lunatic("test", "x.wasm").stdout)


class Modules(CliTest):
    """Modules that are not quite what a compiler makes."""

    def wat(self, fields):
        self.write("x.wat", f"(module {fields})")
        return "x.wat"

    def setUp(self):
        super().setUp()
        if not shutil.which("wat2wasm"):
            self.skipTest("wat2wasm is not installed")

    def test_no_tests(self):
        done = self.lunatic("test", self.wat('(func (export "_start") unreachable)'))
        self.assertEqual(done.returncode, 0)
        self.assertIn("running 0 tests\n\ntest result: ok. 0 passed", done.stdout)

    def test_other_exports_are_no_tests(self):
        done = self.lunatic("test", self.wat('(memory (export "#lunatic_test_memory") 1)'
                                             '(global (export "#lunatic_test_global") i32 (i32.const 1))'
                                             '(func (export "lunatic_test_x"))(func (export "#lunatic_test_f"))'))
        self.assertIn("running 1 test\ntest f ... ok\n", done.stdout)

    def test_malformed_names(self):
        done = self.lunatic("test", self.wat('(func (export "#lunatic_test_#panic_without end"))'))
        self.assert_one_line(done, 1, "x.wat", "a '#' must end the expected panic", "without end")

    def test_a_wrong_type_fails_that_test_alone(self):
        done = self.lunatic("test", self.wat('(func (export "#lunatic_test_wrong") (param i32))'
                                             '(func (export "#lunatic_test_right"))'))
        self.assertIn("test wrong ... FAILED", done.stdout)
        self.assertIn("test right ... ok", done.stdout)

    def test_control_characters_in_names_stay_off_the_terminal(self):
        done = self.lunatic("test", self.wat(r'(func (export "#lunatic_test_a\1b[2J\0ab"))'))
        self.assertIn("test a?[2J?b ... ok\n", done.stdout)

    def test_too_little_memory_is_the_tests_failure(self):
        done = self.lunatic("test", self.wat('(memory 100) (func (export "#lunatic_test_f"))'), "--max-memory", "64K")
        self.assertEqual(done.returncode, 1)
        self.assertIn("note: the test could not be started: ", done.stdout)

    def test_little_address_space_is_enough(self):
        program = self.wat('(memory 1)' + "".join(f'(func (export "#lunatic_test_t{i}"))' for i in range(100)))
        with open(LUNATIC, "rb") as f:
            if re.search(b"__[at]san_init", f.read()):
                self.skipTest("a sanitizer needs more")

        def limit():
            resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))

        done = self.lunatic("test", program, preexec_fn=limit)
        self.assertIn("100 passed", done.stdout)

    def test_many_tests(self):
        done = self.lunatic("test", "-q", self.wat("".join(f'(func (export "#lunatic_test_t{i}"))' for i in range(500))))
        self.assertEqual(done.returncode, 0)
        lines = done.stdout.splitlines()
        self.assertEqual(lines[2:8], ["." * 88 + f" {88 * i}/500" for i in range(1, 6)] + ["." * 60])
        self.assertIn("500 passed", lines[-2])


if __name__ == "__main__":
    unittest.main()

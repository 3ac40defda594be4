# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Stopping, running as PID 1, descriptors, log lines."""
import json
import os
import resource
import shutil
import signal
import subprocess
import time
import unittest

from support import LUNATIC, TIMEOUT, CliTest

WAITS = r"""
#include <lunatic.h>
#include <stdio.h>
int main(void)
{
    puts("ready");
    fflush(stdout);
    lun_sleep(LUN_FOREVER);
    return 0;
}
"""
FAILS = r"""
#include <lunatic.h>
#include <stdio.h>
#include <stdlib.h>
static void child(const int *how)
{
    lun_message m;
    lun_receive(&m, 50);
    if (*how == 0)
        *(volatile int *)0xfffffff0 = 1;
    if (*how == 1)
        lun_exit(7);
    if (*how == 2)
        lun_kill(lun_self());
    if (*how == 3)
        lun_spawn_link((lun_entry *)abort, 0, NULL, 0);
    lun_receive(&m, LUN_FOREVER);
}
int main(int argc, char **argv)
{
    int how = atoi(argv[1]);
    lun_message m;
    lun_process p = LUN_SPAWN(child, &how);
    lun_register("a \"quoted\" name", p);
    lun_monitor(p);
    lun_receive(&m, LUN_FOREVER);
    return argc - 2;
}
"""

FORGES = r"""
#include <lunatic.h>
#include <stdlib.h>
static void child(const void *data, size_t size)
{
    (void)data, (void)size;
    lun_register("a\033[31m\r\n[forged\302\23331m\342\200\256", lun_self());
    abort();
}
int main(void)
{
    lun_message m;
    lun_monitor(lun_spawn((lun_entry *)child, NULL, 0));
    lun_receive(&m, LUN_FOREVER);
    return 0;
}
"""

# A directory that its child does not get, with such a path.
FORGES_DIRECTORY = r"""
#include <lunatic.h>
#include <lunatic/host.h>
#include <string.h>
static void child(void) {}
int main(void)
{
    static const char path[] = "/nowhere\n[forged\033[31m";
    uint64_t config = lunatic_process_create_config(), id;
    lunatic_process_config_set_can_spawn_processes(config, 1);
    lunatic_wasi_config_config_preopen_dir(config, LUN_ADDRESS(path), sizeof path - 1);
    return lunatic_process_spawn(0, config, LUN_OWN, LUN_ADDRESS("child"), 5, 0, 0, LUN_ADDRESS(&id)) == 0 ? 0 : 1;
}
__attribute__((export_name("child"))) void exported(void) { child(); }
"""


def ignore_int():
    signal.signal(signal.SIGINT, signal.SIG_IGN)


class Stopping(CliTest):
    def begin(self, *words, **more):
        process = self.start(*words, **more)
        self.addCleanup(self.end, process)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def test_ignored_interrupts_stay_ignored(self):
        process = self.begin(self.compile(WAITS), preexec_fn=ignore_int)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        self.assertIsNone(process.poll())
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=TIMEOUT), 128 + signal.SIGTERM)

    def test_grace_bounds_the_end(self):
        # Output that nobody reads holds up the answer to SIGQUIT, and so the end; the grace bounds it.
        read, write = os.pipe()
        process = subprocess.Popen([LUNATIC, "run", "--grace", "1", self.compile(WAITS)],
                                   cwd=self.folder, stdout=subprocess.PIPE, stderr=write)
        self.addCleanup(self.end, process)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        os.set_blocking(write, False)
        try:
            while True:
                os.write(write, b"x" * 4096)
        except BlockingIOError:
            pass
        os.set_blocking(write, True)
        process.send_signal(signal.SIGQUIT)
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        # Now its last words would block as well, so make room for them.
        time.sleep(0.2)
        reader = subprocess.Popen(["cat"], stdin=read, stdout=subprocess.DEVNULL)
        self.assertEqual(process.wait(timeout=TIMEOUT), 128 + signal.SIGTERM)
        os.close(write)
        os.close(read)
        reader.wait(timeout=TIMEOUT)

    def test_usage_of_grace(self):
        self.assert_usage_error(self.lunatic("run", "--grace", "x", "p.wasm"), "--grace")


class Descriptors(CliTest):
    def test_the_soft_limit_is_raised(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        if hard < 100:
            self.skipTest("the hard limit is too low")
        soft = hard - 1 if hard < 300 else 256
        process = self.start(self.compile(WAITS), preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_NOFILE, (soft, hard)))
        self.assertEqual(process.stdout.readline(), b"ready\n")
        with open(f"/proc/{process.pid}/limits", encoding="ascii") as f:
            line = [line.split() for line in f if line.startswith("Max open files")][0]
        process.kill()
        process.communicate()
        self.assertEqual(line[3:5], [str(hard)] * 2)

    def test_what_we_start_gets_the_old_one(self):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        soft = min(256, hard)
        self.write("bin/wat2wasm", f"#!/bin/sh\nulimit -S -n > '{self.folder}/limit'\n"
                                   f"grep -E 'SigIgn|SigBlk' /proc/self/status > '{self.folder}/signals'\n"
                                   "exit 1\n")
        os.chmod(os.path.join(self.folder, "bin/wat2wasm"), 0o755)
        self.write("p.wat", "(module)")
        done = self.lunatic("p.wat", env={"PATH": f"{self.folder}/bin:{os.environ['PATH']}"},
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard)))
        self.assertEqual(done.returncode, 1)
        with open(os.path.join(self.folder, "limit"), encoding="ascii") as f:
            self.assertEqual(f.read().strip(), str(soft))
        with open(os.path.join(self.folder, "signals"), encoding="ascii") as f:
            masks = dict(line.split() for line in f)
        self.assertEqual(int(masks["SigBlk:"], 16), 0)
        self.assertEqual(int(masks["SigIgn:"], 16) & 1 << (signal.SIGPIPE - 1), 0)


class Surroundings(CliTest):
    def test_home_directory(self):
        home = os.path.join(self.folder, "home")
        self.write("home/x.txt", "")
        program = self.compile('#include <stdio.h>\nint main(void) { return fopen("~/x.txt", "r") ? 0 : 1; }')
        self.assertEqual(self.lunatic(program, env={"HOME": home}).returncode, 1)
        self.assertEqual(self.lunatic("run", "--dir", "~", program, env={"HOME": home}).returncode, 0)

    def test_variables_that_are_not_utf8_are_left_out(self):
        program = self.compile("""
            #include <stdlib.h>
            int main(void) { return (getenv("BAD") ? 1 : 0) + (getenv("GOOD") ? 0 : 2); }""")
        self.assertEqual(self.lunatic(program, env={"BAD": os.fsdecode(b"\xff"), "GOOD": "1"}).returncode, 0)


def can_unshare():
    if not shutil.which("unshare"):
        return False
    return subprocess.run(["unshare", "--pid", "--fork", "--mount-proc", "true"],
                          stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                          check=False).returncode == 0


@unittest.skipUnless(can_unshare(), "no right to make a PID namespace")
class Pid1(CliTest):
    def begin(self, *words):
        process = subprocess.Popen(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child",
                                    *words], cwd=self.folder, stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE)
        self.addCleanup(self.end, process)
        return process

    def end(self, process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    @staticmethod
    def child_of(pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return [int(word) for word in f.read().split()]

    def test_stops_at_the_signals(self):
        program = self.compile(WAITS)
        for n in (signal.SIGTERM, signal.SIGINT):
            process = self.begin(LUNATIC, program)
            self.assertEqual(process.stdout.readline(), b"ready\n")
            os.kill(self.child_of(process.pid)[0], n)
            self.assertEqual(process.wait(timeout=TIMEOUT), 128 + n)

    def test_answers_sigquit(self):
        process = self.begin(LUNATIC, self.compile(WAITS))
        self.assertEqual(process.stdout.readline(), b"ready\n")
        init = self.child_of(process.pid)[0]
        os.kill(init, signal.SIGQUIT)
        self.assertIn(b"pid 1, runs program.wasm", process.stderr.readline())
        os.kill(init, signal.SIGTERM)
        self.assertEqual(process.wait(timeout=TIMEOUT), 128 + signal.SIGTERM)

    def test_reaps_orphans(self):
        # A shell starts a grandchild that outlives its parent, then becomes the program: PID 1.
        process = self.begin("sh", "-c", '(sleep 0.5 & sleep 0.1 & true) ; exec "$0" "$@"', LUNATIC,
                             self.compile(WAITS))
        self.assertEqual(process.stdout.readline(), b"ready\n")
        init = self.child_of(process.pid)[0]
        deadline = time.monotonic() + TIMEOUT
        while self.child_of(init) and time.monotonic() < deadline:
            time.sleep(0.05)
        self.assertEqual(self.child_of(init), [])
        os.kill(init, signal.SIGTERM)
        self.assertEqual(process.wait(timeout=TIMEOUT), 128 + signal.SIGTERM)

    def test_exit_status_of_the_program(self):
        program = self.compile("int main(void) { return 9; }")
        self.assertEqual(self.begin(LUNATIC, program).wait(timeout=TIMEOUT), 9)


class Logging(CliTest):
    WORDS = ["failed: ", "failed: it exited with status 7", "was killed", "was killed (a linked process failed)"]

    def setUp(self):
        super().setUp()
        self.program = self.compile(FAILS)
        self.env = {"RUST_LOG": "", "LUNATIC_LOG": ""}

    def test_one_readable_line_per_failed_process(self):
        for how, words in enumerate(self.WORDS):
            with self.subTest(how):
                done = self.lunatic("run", self.program, str(how), env=self.env)
                self.assertEqual(done.returncode, 0, done.stderr)
                lines = [line for line in done.stderr.splitlines() if 'quoted' in line]
                self.assertEqual(len(lines), 1, done.stderr)
                self.assertRegex(lines[0], r'^\[\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ WARN  lunatic_process\] '
                                           r'Process "a "quoted" name" ')
                self.assertIn(words, lines[0])

    def test_json_lines(self):
        for how, words in enumerate(self.WORDS):
            with self.subTest(how):
                done = self.lunatic("run", "--log-format", "json", self.program, str(how), env=self.env)
                entries = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
                mine = [e for e in entries if "quoted" in e["message"]]
                self.assertEqual(len(mine), 1, done.stderr)
                self.assertEqual((mine[0]["level"], mine[0]["target"]), ("warn", "lunatic_process"))
                self.assertRegex(mine[0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")
                self.assertIn(words, mine[0]["message"])
                if how == 0:
                    self.assertIn("\n", mine[0]["message"])  # the backtrace

    def test_names_cannot_forge_lines_or_move_the_cursor(self):
        program = self.compile(FORGES)
        done = self.lunatic("run", program, env=self.env)
        lines = [line for line in done.stderr.splitlines() if "forged" in line]
        self.assertEqual(len(lines), 1, done.stderr)
        self.assertRegex(lines[0], r'^\[20.*lunatic_process\] Process "a\?\[31m\?\?\[forged\?31m\?" failed')
        self.assertTrue(all(c == "\n" or c.isprintable() for c in done.stderr), repr(done.stderr))
        done = self.lunatic("run", self.compile(FORGES_DIRECTORY), env=self.env)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stderr, r"^\[20.*which does without: .*/nowhere\?\[forged\?\[31m\n$")
        done = self.lunatic("run", "--log-format", "json", program, env=self.env)
        messages = [json.loads(line)["message"] for line in done.stderr.splitlines()]
        self.assertEqual(len([m for m in messages if "forged" in m]), 1, done.stderr)
        self.assertTrue(all(c == "\n" or c.isprintable() for c in done.stderr), repr(done.stderr))

    def test_levels(self):
        def logs(*words, **env):
            return "lunatic_process" in self.lunatic("run", *words, self.program, "0",
                                                     env={**self.env, **env}).stderr
        self.assertTrue(logs())
        self.assertFalse(logs("--log", "error"))
        self.assertFalse(logs(RUST_LOG="error"))
        self.assertFalse(logs(RUST_LOG="debug", LUNATIC_LOG="off"))
        self.assertTrue(logs("--log", "lunatic=warn,error", LUNATIC_LOG="off"))
        self.assertTrue(logs(RUST_LOG="my_app=loud"))

    def test_usage(self):
        self.assert_usage_error(self.lunatic("run", "--log", "a=loud", self.program), "loud")
        self.assert_usage_error(self.lunatic("run", "--log-format", "xml", self.program), "xml")
        self.assert_usage_error(self.lunatic("run", self.program, env={"LUNATIC_LOG": "x=loud"}),
                                "LUNATIC_LOG")


if __name__ == "__main__":
    unittest.main()

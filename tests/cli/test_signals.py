# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Signals, and a standard output that breaks."""
import signal
import subprocess
import time
import unittest

from support import TIMEOUT, CliTest

READY = r"""
#include <lunatic.h>
#include <stdio.h>
static void loop(const void *data, size_t size)
{
    volatile int n = 0;
    (void)data;
    (void)size;
    for (;;)
        n++;
}
int main(int argc, char **argv)
{
    lun_spawn(loop, NULL, 0);
    puts("ready");
    fflush(stdout);
    if (argc > 1)
        loop(NULL, 0);
    lun_sleep(LUN_FOREVER);
    return 0;
}
"""
PRINT = r"""
#include <lunatic.h>
#include <stdio.h>
int main(void)
{
    for (;;) {
        puts("line");
        fflush(stdout);
    }
}
"""


class Signals(CliTest):
    def end(self, process):
        out, errors = process.communicate(timeout=TIMEOUT)
        return process.returncode, errors.decode()

    def test_stops_in_order(self):
        program = self.compile(READY)
        for n in (signal.SIGINT, signal.SIGTERM):
            for arguments in ([], ["loop"]):
                with self.subTest((n, arguments)):
                    process = self.start(program, *arguments)
                    self.assertEqual(process.stdout.readline(), b"ready\n")
                    begin = time.monotonic()
                    process.send_signal(n)
                    status, errors = self.end(process)
                    self.assertEqual(status, 128 + n, errors)
                    self.assertLess(time.monotonic() - begin, 20)

    def test_while_a_process_waits_for_input(self):
        program = self.compile('#include <stdio.h>\nint main(void) { puts("ready"); fflush(stdout); return getchar(); }')
        process = self.start(program, stdin=subprocess.PIPE)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=TIMEOUT), 128 + signal.SIGTERM)
        process.stdin.close()
        process.stdout.close()
        process.stderr.close()

    def test_main_ends_though_a_child_waits_for_input(self):
        program = self.compile(r"""
            #include <lunatic.h>
            #include <stdio.h>
            static void child(const int *n) { printf("%d\n", getchar() + *n); }
            int main(void)
            {
                int n = 1;
                LUN_SPAWN(child, &n);
                lun_sleep(50);
                return 5;
            }""")
        process = self.start(program, stdin=subprocess.PIPE)
        self.assertEqual(process.wait(timeout=TIMEOUT), 5)
        process.stdin.close()
        process.stdout.close()
        process.stderr.close()

    def test_reader_gone(self):
        program = self.compile(PRINT)
        process = self.start(program)
        self.assertEqual(process.stdout.readline(), b"line\n")
        process.stdout.close()
        errors = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual(process.wait(timeout=TIMEOUT), 1)
        self.assertIn("lunatic: ", errors)
        self.assertIn("broken pipe", errors.lower())

    def test_full_disk(self):
        program = self.compile(PRINT)
        with open("/dev/full", "w") as full:
            done = self.lunatic(program, stdout=full)
        self.assertEqual(done.returncode, 1)
        self.assertIn("lunatic: ", done.stderr)
        self.assertIn("no space left", done.stderr.lower())

    def test_full_disk_at_the_end(self):
        """What a short program prints is written when it ends."""
        program = self.compile("#include <stdio.h>\nint main(int count, char **words) { puts(words[0]); return count - 1; }\n")
        for args in ([], ["fails", "too"]):
            with open("/dev/full", "w") as full:
                done = self.lunatic(program, *args, stdout=full)
            self.assertEqual(done.returncode, 1)
            self.assertIn("lunatic: ", done.stderr)
            self.assertIn("no space left", done.stderr.lower())


if __name__ == "__main__":
    unittest.main()

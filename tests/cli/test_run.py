# SPDX-License-Identifier: Apache-2.0 OR MIT
"""`lunatic run`: what the program gets, and what its end means."""
import os
import shutil
import unittest

from support import SHOW, CliTest


class Run(CliTest):
    def test_arguments(self):
        program = self.compile(SHOW)
        cases = [
            ([program], []),
            ([program, "a", "b"], ["a", "b"]),
            (["run", program, "a b", ""], ["a b", ""]),
            (["run", "--bench", program, "x"], ["x", "--bench"]),
            ([program, "x", "--bench"], ["x", "--bench"]),
            (["--bench", program], ["--bench"]),
            (["--dir", "/tmp", program, "a"], ["a"]),
            (["run", program, "x", "--dir=/tmp", "y"], ["x", "y"]),
            (["run", program, "--", "--flag", "-x", "--dir", "z"], ["--flag", "-x", "--dir", "z"]),
            (["run", program, "-"], ["-"]),
        ]
        for words, expected in cases:
            with self.subTest(words):
                done = self.lunatic(*words)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(done.stdout.splitlines(), ["program.wasm", *expected, "V=none"])

    def test_name_of_the_program_is_without_its_folder(self):
        program = self.compile(SHOW)
        done = self.lunatic(os.path.join(self.folder, program))
        self.assertEqual(done.stdout.splitlines()[0], "program.wasm")

    def test_environment(self):
        program = self.compile(SHOW)
        self.assertIn("V=1\n", self.lunatic(program, env={"V": "1"}).stdout)
        self.assertIn("V=2\n", self.lunatic("run", "--env", "V=2", program, env={"V": "1"}).stdout)
        self.assertIn("V=a=b\n", self.lunatic("run", "--env=V=a=b", program).stdout)
        self.assertIn("V=\n", self.lunatic("run", "--env", "V=", program).stdout)

    def test_directories(self):
        program = self.compile(r"""
            #include <stdio.h>
            int main(int argc, char **argv)
            {
                char line[64] = "";
                FILE *f = fopen(argv[1], "r");
                if (!f || !fgets(line, sizeof line, f))
                    return 3;
                fputs(line, stdout);
                return 0;
            }""")
        self.write("here.txt", "here\n")
        self.assertEqual(self.lunatic(program, "here.txt").stdout, "here\n")
        other = os.path.realpath(os.path.join(self.folder, "..", os.path.basename(self.folder) + "-other"))
        os.mkdir(other)
        self.addCleanup(shutil.rmtree, other)
        with open(os.path.join(other, "there.txt"), "w") as f:
            f.write("there\n")
        self.assertEqual(self.lunatic(program, other + "/there.txt").returncode, 3)
        self.assertEqual(self.lunatic("run", "--dir", other, program, other + "/there.txt").stdout, "there\n")
        self.assert_one_line(self.lunatic("run", "--dir", "/does/not/exist", program, "x"), 1, "/does/not/exist")
        self.assertEqual(self.lunatic("run", "--no-current-dir", program, "here.txt").returncode, 3)
        self.assertEqual(self.lunatic("run", "--no-current-dir", "--dir=.", program, "here.txt").stdout, "here\n")

    def test_exit_status(self):
        program = self.compile(r"""
            #include <stdlib.h>
            int main(int argc, char **argv)
            {
                if (argc == 1)
                    abort();
                exit(atoi(argv[1]));
            }""")
        for status, expected in ((0, 0), (1, 1), (42, 42), (125, 125), (255, 255), (256, 1)):
            self.assertEqual(self.lunatic(program, str(status)).returncode, expected, status)
        done = self.lunatic(program)
        self.assertEqual(done.returncode, 134)
        self.assertIn("unreachable", done.stderr)
        self.assertIn("abort", done.stderr)

    def test_what_is_no_program(self):
        self.assert_one_line(self.lunatic("none.wasm"), 1, "Module 'none.wasm' not found")
        self.write("empty.wasm", b"")
        self.assert_one_line(self.lunatic("empty.wasm"), 1, "empty.wasm")
        self.write("junk.wasm", b"\0asm\1\0\0\0\x7f")
        self.assert_one_line(self.lunatic("junk.wasm"), 1)
        os.mkdir(os.path.join(self.folder, "folder.wasm"))
        self.assert_one_line(self.lunatic("folder.wasm"), 1, "folder.wasm")

    def test_missing_imports_are_all_named(self):
        self.write("old.wat", """(module
            (import "lunatic::message" "send_after" (func (param i64 i64)))
            (import "nowhere" "nothing" (func (param i32) (result f64)))
            (func (export "_start")))""")
        done = self.lunatic("old.wat")
        self.assertEqual(done.returncode, 1)
        self.assertIn("lunatic::message", done.stderr)
        self.assertIn("send_after", done.stderr)
        self.assertIn("nowhere", done.stderr)
        self.assertIn("nothing", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_text_format(self):
        self.write("exit.wat", """(module
            (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
            (memory (export "memory") 1)
            (func (export "_start") (call $exit (i32.const 7))))""")
        self.assertEqual(self.lunatic("exit.wat").returncode, 7)
        self.write("wrong.wat", "(module (func (export")
        done = self.lunatic("wrong.wat")
        self.assertEqual(done.returncode, 1)
        self.assertIn("lunatic: ", done.stderr)

    def test_limits(self):
        loop = self.compile("int main(void) { volatile int n = 0; for (;;) n++; }", "loop")
        self.assert_one_line(self.lunatic("run", "--timeout", "200", loop), 124)
        done = self.lunatic("run", "--max-fuel", "10", loop)
        self.assertEqual(done.returncode, 134)
        grow = self.compile(r"""
            #include <stdio.h>
            #include <stdlib.h>
            int main(void)
            {
                void *volatile p;
                long got = 0;
                while (got < 64 && (p = malloc(1 << 20)) != NULL)
                    got++;
                printf("%d\n", got >= 64);
                return 0;
            }""", "grow")
        self.assertEqual(self.lunatic(grow).stdout, "1\n")
        self.assertEqual(self.lunatic("run", "--max-memory", "8M", grow).stdout, "0\n")

    def test_same_seed_same_run(self):
        program = self.compile(r"""
            #include <lunatic.h>
            #include <stdio.h>
            static void child(const int *n)
            {
                for (int i = 0; i < 3; i++) {
                    printf("%d", *n);
                    fflush(stdout);
                    lun_sleep((uint64_t)(*n * 7 % 5));
                }
            }
            int main(void)
            {
                for (int i = 0; i < 9; i++)
                    LUN_SPAWN(child, &i);
                lun_sleep(1000000);
                puts("");
                return 0;
            }""")
        first = self.lunatic("run", "--seed", "1", program)
        self.assertEqual((first.returncode, first.stderr), (0, ""))
        self.assertEqual(len(first.stdout), 28)
        for _ in range(3):
            self.assertEqual(self.lunatic("run", "--seed", "1", program).stdout, first.stdout)

    def test_log_level(self):
        program = self.compile("#include <stdlib.h>\nint main(void) { abort(); }")
        self.assertIn("WARN", self.lunatic(program, env={"RUST_LOG": ""}).stderr)
        self.assertIn("WARN", self.lunatic(program, env={"RUST_LOG": "lunatic=info"}).stderr)
        for quiet in ("off", "error", "debug,lunatic=error"):
            done = self.lunatic(program, env={"RUST_LOG": quiet})
            self.assertEqual((done.returncode, done.stderr), (134, ""))


if __name__ == "__main__":
    unittest.main()

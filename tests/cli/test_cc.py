# SPDX-License-Identifier: Apache-2.0 OR MIT
"""`lunatic cc`: what it makes, what misuse it refuses, and how it names what is missing."""
import os
import unittest

from support import SHOW, CliTest

HEAD = """#include <lunatic.h>
struct job { int a; };
static void one(const int *n) { (void)n; }
static void two(const struct job *j, long *result) { *result = j->a; }
static void wrong(int *n) { (void)n; }
static void bytes(const void *data, size_t size) { (void)data; (void)size; }
int main(void)
{
    int n = 1, *p = &n, list[3] = {0};
    struct job job = {1};
    long result = 0;
    lun_task task = {0};
    (void)p; (void)list; (void)job; (void)result; (void)task;
    (void)one; (void)two; (void)wrong; (void)bytes;
    BODY
    return 0;
}
"""


class Compile(CliTest):
    def compiles(self, body, name="test.c"):
        self.write(name, HEAD.replace("BODY", body))
        return self.lunatic("cc", "-Wall", "-Wextra", "-Wno-unused-function", name, "-o", "test.wasm")

    def test_right_use(self):
        for body in ("LUN_SPAWN(one, &n);", "LUN_SPAWN(&one, p);", "LUN_SPAWN_LINK(one, 7, &n);",
                     "lun_spawn(bytes, list, sizeof list);", "task = LUN_START(two, &job, &result);",
                     "LUN_SEND(lun_self(), 1, &job);", "lun_send(lun_self(), 0, 0, 0);",
                     "const int c = 1; LUN_SPAWN(one, &c);", "LUN_SPAWN(one, (&(const int){5}));"):
            with self.subTest(body):
                done = self.compiles(body)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_misuse_does_not_compile(self):
        cases = [
            ("LUN_SPAWN(one, &job);", "void fn(const T *)"),
            ("LUN_SPAWN(one, &result);", "void fn(const T *)"),
            ("LUN_SPAWN(wrong, &n);", "void fn(const T *)"),
            ("LUN_SPAWN(two, &job);", "void fn(const T *)"),
            ("LUN_SPAWN(one, list);", "address of one object"),
            ("LUN_SPAWN(one, n);", "error"),
            ("LUN_SPAWN(one, &p);", "means nothing in another process"),
            ("LUN_SEND(lun_self(), 0, &p);", "means nothing in another process"),
            ("LUN_SEND(lun_self(), 0, list);", "address of one object"),
            ("task = LUN_START(two, &job, &n);", "void fn(const T *, R *)"),
            ("task = LUN_START(two, &n, &result);", "void fn(const T *, R *)"),
            ("task = LUN_START(one, &n, &result);", "void fn(const T *, R *)"),
            ("lun_spawn(one, list, sizeof list);", "incompatible"),
        ]
        for body, words in cases:
            with self.subTest(body):
                done = self.compiles(body)
                self.assertIn(words, done.stderr)
                if "incompatible" not in words:
                    self.assertNotEqual(done.returncode, 0)

    def test_output_is_named_for_the_first_file(self):
        self.write("sub/show.c", SHOW)
        done = self.lunatic("cc", "sub/show.c")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertTrue(os.path.exists(os.path.join(self.folder, "show.wasm")))

    def test_several_files_and_options_of_clang(self):
        self.write("a.c", "int answer(void); int main(void) { return answer() == NUMBER ? 0 : 1; }")
        self.write("b.c", "int answer(void) { return 42; }")
        done = self.lunatic("cc", "-c", "b.c", "-o", "b.o")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.lunatic("cc", "-O0", "-g", "-std=c99", "-DNUMBER=42", "a.c", "b.o", "-oab.wasm")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(self.lunatic("ab.wasm").returncode, 0)

    def test_errors_are_clang_s(self):
        self.write("bad.c", "int main(void) { return nonsense; }")
        done = self.lunatic("cc", "bad.c", "-o", "bad.wasm")
        self.assertEqual(done.returncode, 1)
        self.assertIn("nonsense", done.stderr)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "bad.wasm")))

    def test_headers_of_the_host_are_not_taken(self):
        self.write("pwd.c", "#include <pwd.h>\nint main(void) { return 0; }")
        done = self.lunatic("cc", "pwd.c", "-o", "pwd.wasm")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("'pwd.h' file not found", done.stderr)

    def test_nothing_stays_in_the_temporary_folder(self):
        temporary = os.path.join(self.folder, "tmp")
        os.mkdir(temporary)
        self.write("show.c", SHOW)
        self.assertEqual(self.lunatic("cc", "show.c", env={"TMPDIR": temporary}).returncode, 0)
        self.assertEqual(os.listdir(temporary), [])

    def fake_clang(self, lacks):
        """A clang 17 that finds all but one thing."""
        there = self.write("there", "")
        script = f"""#!/bin/sh
            for word; do case $word in
            --version) echo "Debian clang version 17.0.6 (1)"; exit 0 ;;
            -print-prog-name=wasm-ld) [ {lacks} = lld ] && echo wasm-ld || echo /bin/true; exit 0 ;;
            -print-file-name=libc.a) [ {lacks} = libc ] && echo libc.a || echo {there}; exit 0 ;;
            -print-file-name=libc++.a) echo libc++.a; exit 0 ;;
            -print-file-name=*) echo {there}; exit 0 ;;
            -print-libgcc-file-name) [ {lacks} = rt ] && echo /none || echo {there}; exit 0 ;;
            esac; done"""
        path = self.write("clang", script)
        os.chmod(path, 0o755)
        return path

    def test_the_missing_package_is_named(self):
        self.write("show.c", SHOW)
        self.write("show.cpp", "int main() { return 0; }")
        for lacks, file, package in (("lld", "show.c", "lld-17"), ("libc", "show.c", "wasi-libc"),
                                     ("rt", "show.c", "libclang-rt-17-dev-wasm32"),
                                     ("cxx", "show.cpp", "libc++-17-dev-wasm32")):
            with self.subTest(lacks):
                done = self.lunatic("cc", file, env={"LUNATIC_CLANG": self.fake_clang(lacks)})
                self.assert_one_line(done, 1, "install the package", package)
        bin_folder = os.path.join(self.folder, "empty")
        os.mkdir(bin_folder)
        self.assert_one_line(self.lunatic("cc", "show.c", env={"PATH": bin_folder}), 1, "there is no clang", "clang-19")
        self.assert_one_line(self.lunatic("cc", "show.c", env={"WASI_SDK_PATH": "/none"}), 1, "WASI_SDK_PATH")
        self.assert_one_line(self.lunatic("cc", "show.c", env={"LUNATIC_CLANG": "/none/clang"}), 1, "/none/clang")


if __name__ == "__main__":
    unittest.main()

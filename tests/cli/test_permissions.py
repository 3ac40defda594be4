# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What a program may do: options and policy files."""
import os
import unittest

from support import SHOW, CliTest

FILES = r"""
    #include <errno.h>
    #include <stdio.h>
    #include <string.h>
    #include <sys/stat.h>
    #include <unistd.h>
    int main(int argc, char **argv)
    {
        char line[64] = "", path[256], other[256];
        const char *dir = argv[1];
        FILE *f;

        snprintf(path, sizeof path, "%s/old.txt", dir);
        snprintf(other, sizeof other, "%s/new.txt", dir);
        f = fopen(path, "r");
        printf("read %s\n", f && fgets(line, sizeof line, f) ? line : strerror(errno));
        f = fopen(other, "w");
        printf("create %s\n", f ? "ok" : strerror(errno));
        f = fopen(path, "a");
        printf("append %s\n", f ? "ok" : strerror(errno));
        printf("truncate %s\n", truncate(path, 0) == 0 ? "ok" : strerror(errno));
        printf("mkdir %s\n", mkdir(other, 0777) == 0 ? "ok" : strerror(errno));
        printf("rename %s\n", rename(path, other) == 0 ? "ok" : strerror(errno));
        printf("link %s\n", link(path, "escaped.txt") == 0 ? "ok" : strerror(errno));
        printf("unlink %s\n", unlink(path) == 0 ? "ok" : strerror(errno));
        return 0;
    }"""

COUNT = r"""
    #include <lunatic/host.h>
    #include <stdio.h>
    __attribute__((export_name("waits"))) void waits(void)
    {
        lunatic_message_receive(0, 0, LUN_FOREVER);
    }
    int main(void)
    {
        uint64_t id;
        int n = 0;
        while (n < 200 && lunatic_process_spawn(0, LUN_OWN, LUN_OWN, LUN_ADDRESS("waits"), 5, 0, 0,
                                                LUN_ADDRESS(&id)) == LUN_OK)
            n++;
        if (n < 200) {
            char text[128] = "";
            lunatic_error_to_string(id, LUN_ADDRESS(text));
            printf("%d, then: %s\n", n, text);
        }
        return 0;
    }"""

LOOP = "int main(void) { for (volatile unsigned x = 0;; x++); }"

FLOOD = r"""
    #include <lunatic/host.h>
    int main(void)
    {
        for (;;) {
            lunatic_message_create_data(1, 1000);
            static char data[1000];
            lunatic_message_write_data(LUN_ADDRESS(data), 1000);
            lunatic_message_send(lunatic_process_process_id());
        }
    }"""

OPEN = r"""
    #include <fcntl.h>
    #include <stdio.h>
    #include <errno.h>
    #include <string.h>
    int main(void)
    {
        int n = 0;
        while (n < 100000 && open("program.c", O_RDONLY) >= 0)
            n++;
        printf("%d, then: %s\n", n, strerror(errno));
        return 0;
    }"""


class Permissions(CliTest):
    def make_dir(self):
        self.write("data/old.txt", "old\n")
        return os.path.join(self.folder, "data")

    def test_a_directory_under_another_name(self):
        program, data = self.compile(FILES), self.make_dir()
        done = self.lunatic("run", "--no-current-dir", "--dir", data + "::/d", program, "/d")
        self.assertEqual(done.stdout.splitlines()[0], "read old")
        self.assertNotIn("read old", self.lunatic("run", "--dir", data + "::/d", program, data).stdout)
        for wrong in "::x", "x::", ":ro", "":
            self.assert_usage_error(self.lunatic("run", "--dir", wrong, program), "HOST[::GUEST][:ro]")

    def test_nothing_in_a_read_only_directory_changes(self):
        program, data = self.compile(FILES), self.make_dir()
        for word in data + ":ro", data + "::/d:ro":
            with self.subTest(word):
                done = self.lunatic("run", "--dir", word, program, "/d" if "::" in word else data)
                lines = [x for x in done.stdout.splitlines() if x]
                self.assertEqual(lines[0], "read old")
                self.assertEqual(len(lines), 8)
                for line in lines[1:]:
                    self.assertFalse(line.endswith(" ok"), line)
                self.assertEqual(os.listdir(data), ["old.txt"])
                with open(os.path.join(data, "old.txt")) as f:
                    self.assertEqual(f.read(), "old\n")
                self.assertFalse(os.path.exists(os.path.join(self.folder, "escaped.txt")))

    def test_variables(self):
        program = self.compile(SHOW)
        v = {"V": "1"}
        self.assertIn("V=none\n", self.lunatic("run", "--inherit-env", "none", program, env=v).stdout)
        self.assertIn("V=1\n", self.lunatic("run", "--inherit-env", "PATH,V", program, env=v).stdout)
        self.assertIn("V=none\n", self.lunatic("run", "--inherit-env=PATH", program, env=v).stdout)
        self.assertIn("V=2\n", self.lunatic("run", "--inherit-env=PATH", "--env", "V=3", "--env=V=2", program,
                                            env=v).stdout)
        self.assert_usage_error(self.lunatic("run", "--inherit-env", "A,,B", program), "names")

    def test_number_of_processes(self):
        program = self.compile(COUNT)
        done = self.lunatic("run", "--max-processes", "20", program)
        self.assertEqual(done.stdout, "19, then: no more than 20 processes allowed\n")
        self.assertEqual(self.lunatic("run", program).stdout, "")

    def test_cpu_time(self):
        program = self.compile(LOOP)
        done = self.lunatic("run", "--max-cpu", "50ms", program)
        self.assertEqual(done.returncode, 137)
        self.assertIn("CPU time of 50 ms used up", done.stderr)
        for wrong in "5x", "ms", "-1", "0", "99999999999999999999s", "":
            self.assert_usage_error(self.lunatic("run", "--max-cpu", wrong, program), "--max-cpu")

    def test_mailbox(self):
        program = self.compile(FLOOD)
        done = self.lunatic("run", "--max-mailbox", "1M", program)
        self.assertEqual(done.returncode, 137)
        self.assertIn("mailbox of 1048576 bytes exceeded", done.stderr)
        done = self.lunatic("run", "--max-messages", "100", program)
        self.assertEqual(done.returncode, 137)
        self.assertIn("mailbox of 100 messages exceeded", done.stderr)

    def test_descriptors(self):
        program = self.compile(OPEN)
        done = self.lunatic("run", "--max-descriptors", "20", program)
        # The standard streams and the current directory are four of them.
        self.assertEqual(done.stdout, "16, then: No file descriptors available\n")

    def test_rights(self):
        program = self.compile(COUNT)
        done = self.lunatic("run", "--no-spawn", program)
        self.assertEqual(done.returncode, 134)
        self.assertIn("may not spawn", done.stderr)

    def test_network_rules_are_checked(self):
        program = self.compile(SHOW)
        good = "*", "connect=*.example.com:443", "10.0.0.0/8:80-90", "[::1]:53"
        for word in good:
            self.assertEqual(self.lunatic("run", "--allow-net", word, "--deny-net", word, program).returncode, 0)
        for word, part in ("a:b", "port"), ("fd00::1", "brackets"), ("send=*", "connect, listen"), ("127.1", "no host"):
            self.assert_usage_error(self.lunatic("run", "--deny-net", word, program), part)
        self.assert_usage_error(self.lunatic("run", "--allow-database", "a/../b", program), "..")

    def policy(self, text, program, *words, **more):
        path = self.write("policy.toml", text)
        done = self.lunatic("run", "--policy", path, program, *words, **more)
        if "built without toml++" in done.stderr:
            self.skipTest("built without toml++")
        return done

    def test_a_policy_file(self):
        program = self.compile(FILES)
        data = self.make_dir()
        done = self.policy(f"""
            # What the example may do.
            [limits]
            memory = "64M"
            cpu = "10s"
            fuel = "none"
            processes = 10
            mailbox = "16M"
            messages = 1_000
            descriptors = 32
            timers = 10
            [rights]
            compile = false
            configs = true
            spawn = false
            [files]
            directories = ["{data}::/d:ro"]
            databases = ["/d/db"]
            current-directory = false
            [network]
            allow = ["connect=example.com:443"]
            deny = []
            [environment]
            inherit = ["PATH"]
            set = ["V=7"]
            """, program, "/d")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines()[0], "read old")

    def test_what_a_policy_file_says_holds(self):
        show, count = self.compile(SHOW, "show"), self.compile(COUNT, "count")
        self.assertIn("V=7\n", self.policy('[environment]\nset = ["V=7"]', show, env={"V": "1"}).stdout)
        self.assertIn("V=none\n", self.policy("[environment]\ninherit = false", show, env={"V": "1"}).stdout)
        self.assertIn("V=none\n", self.policy("[environment]\ninherit = []", show, env={"V": "1"}).stdout)
        self.assertIn("no more than 5 ", self.policy("[limits]\nprocesses = 5", count).stdout)
        # Of two numbers the later one holds.
        path = self.write("policy.toml", "[limits]\nprocesses = 5")
        self.assertIn("no more than 7 ", self.lunatic("run", "--policy", path, "--max-processes=7", count).stdout)
        self.assertIn("no more than 5 ", self.lunatic("run", "--max-processes=7", "--policy", path, count).stdout)
        self.assertEqual(self.policy("[rights]\nspawn = false", count).returncode, 134)

    def test_mistakes_in_a_policy_file_are_named_with_their_line(self):
        program = self.compile(SHOW)
        cases = [
            ("\n[limits]\nmemry = 3", ":3: ", "'memry'"),
            ("\n[limit]\nmemory = 3", ":3: ", "[limit]"),
            ("memory = 3", ":1: ", "outside of a table"),
            ("[limits]\nmemory = ", ":2: "),
            ("[limits]\nmemory = -1", ":2: ", "must be a number"),
            ("[limits]\nmemory = 0", ":2: ", "at least 1"),
            ("[limits]\nmemory = 1.5", ":2: ", "must be a string"),
            ('[limits]\nmemory = "64X"', ":2: ", "'--max-memory' wants"),
            ("[limits]\nmemory = [1]", ":2: "),
            ("[rights]\nspawn = 1", ":2: ", "true or false"),
            ("[network]\nallow = [\n'*',\n'a:99999']", ":4: ", "99999"),
            ("[network]\nallow = '*'", ":2: ", "list of strings"),
            ("[files]\ndirectories = [1]", ":2: ", "list of strings"),
            ("[files]\ndatabases = []", ":2: ", "empty"),
            ("[files]\ndirectories = [['a']]", ":2: "),
            ("[environment]\nset = ['A']", ":2: ", "NAME=VALUE"),
            ('[environment]\nset = ["A=\\u0000"]', ":2: ", "byte 0"),
            ("[limits.more]\nx = 1", ":1: "),
            ("[limits]\nmemory = 1\nmemory = 2", ":3: "),
            ("\x00", ":1: "),
        ]
        for text, *parts in cases:
            with self.subTest(text):
                self.assert_usage_error(self.policy(text, program), "policy.toml", *parts)
        self.assert_one_line(self.lunatic("run", "--policy", "missing.toml", program), 1, "missing.toml")
        self.write("huge.toml", "#" * (2 << 20))
        self.assert_one_line(self.lunatic("run", "--policy", "huge.toml", program), 1, "more than")

    def test_the_example(self):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "policy")
        for name in "policy.c", "policy.toml", "data/greeting.txt":
            with open(os.path.join(source, name)) as f:
                self.write(name, f.read())
        self.assertEqual(self.lunatic("cc", "policy.c", "-o", "policy.wasm").stderr, "")
        done = self.lunatic("run", "--policy", "policy.toml", "policy.wasm")
        if "built without toml++" in done.stderr:
            self.skipTest("built without toml++")
        self.assertEqual(done.returncode, 0)
        self.assertEqual(done.stdout.splitlines(), [
            "behaves", "    it reads: good morning",
            "writes", "    it writes: Read-only file system",
            "looks_around", "    it opens policy.toml: Capabilities insufficient",
            "loops", "    it failed", "hoards", "    it failed", "multiplies", "    it failed"])
        for words in "CPU time of 200 ms used up", "mailbox of 1048576 bytes exceeded", "may not spawn others":
            self.assertIn(words, done.stderr)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Where databases may be: --allow-database, policy files and configurations of children, read-only directories, and
ways out of a directory while a program runs. And where their calls wait for the disk."""
import contextlib
import os
import shutil
import sqlite3
import subprocess
import tempfile
import unittest

from support import LUNATIC, CliTest

# Does what the lines of its input say, and answers each with one:
#   open PATH      "ok", or why not
#   sql TEXT       the first column of all rows; or code and words
#   child A B PATH a child that may use databases at A ("-": no rule), its child at B, opens PATH: how that ends
PROGRAM = r"""
    #include <lunatic.h>
    #include <lunatic/host.h>
    #include <lunatic/sqlite.h>
    #include <stdio.h>
    #include <string.h>

    struct task { int depth; char allow[2][100], path[100]; lun_process parent; };

    static void answer(const char *path)
    {
        lun_db db = {0};

        if (lun_db_open(&db, path) != 0 || lun_db_execute(&db, "SELECT * FROM sqlite_master") != 0)
            puts(lun_error_text());
        else
            puts("ok");
        lun_db_close(&db);
    }

    static void spawn(struct task *t);

    __attribute__((export_name("child"))) void child(void)
    {
        struct task t;
        lun_message m;

        lun_receive(&m, LUN_FOREVER);
        lun_read_exactly(&t, sizeof t);
        if (t.depth < 2)
            spawn(&t);
        else
            answer(t.path);
        fflush(stdout);
        lun_send(t.parent, 9, NULL, 0);
    }

    static void spawn(struct task *t)
    {
        uint64_t config = lunatic_process_create_config(), id;
        lun_process above = t->parent;
        const char *allow = t->allow[t->depth++];
        lun_message m;

        lunatic_process_config_set_can_spawn_processes(config, 1);
        lunatic_process_config_set_can_create_configs(config, 1);
        lunatic_wasi_config_config_preopen_dir(config, LUN_ADDRESS("."), 1);
        if (strcmp(allow, "-") != 0 &&
            lunatic_process_config_allow_database(config, LUN_ADDRESS(allow), (uint32_t)strlen(allow)) != 0)
            puts("the rule is refused"), fflush(stdout);
        if (lunatic_process_spawn(0, config, LUN_OWN, LUN_ADDRESS("child"), 5, 0, 0, LUN_ADDRESS(&id)) != 0) {
            puts("no child");
            return;
        }
        t->parent = lun_self();
        lun_send(id, 1, t, sizeof *t);
        lun_receive_tag(&m, 9, LUN_FOREVER);
        t->parent = above;
    }

    int main(void)
    {
        static char line[500];
        lun_db db = {0};
        struct task t;

        while (fgets(line, sizeof line, stdin)) {
            lun_query q = {0};
            char *rest = strchr(line, ' ') + 1;
            int step;

            line[strcspn(line, "\n")] = 0;
            if (line[0] == 'o') {
                lun_db_close(&db);
                puts(lun_db_open(&db, rest) == 0 ? "ok" : lun_error_text());
            } else if (line[0] == 'c') {
                memset(&t, 0, sizeof t);
                sscanf(rest, "%99s %99s %99s", t.allow[0], t.allow[1], t.path);
                fflush(stdout);
                spawn(&t);
            } else if (lun_db_prepare(&db, &q, rest) != 0) {
                printf("%d %s\n", lun_db_code(), lun_error_text());
            } else {
                while ((step = lun_step(&q)) == 1) {
                    const char *text = lun_column_text(&q, 0, NULL);

                    if (text)
                        printf("%s ", text);
                    else
                        printf("%d ", (int)lun_column_int(&q, 0));
                }
                if (step < 0)
                    printf("%d %s", lun_db_code(), lun_error_text());
                puts("");
                lun_query_close(&q);
            }
            fflush(stdout);
        }
        return 0;
    }
"""

NO_ACCESS = "Failed to access '%s'"
CANNOT_OPEN = "14 unable to open database: "
READ_ONLY = "8 attempt to write a readonly database"


class DatabasesTest(CliTest):
    def setUp(self):
        super().setUp()
        self.wasm = self.compile(PROGRAM)
        os.mkdir(os.path.join(self.folder, "data"))

    def at(self, *names):
        return os.path.join(self.folder, *names)

    def make(self, name, rows=1, mode="DELETE"):
        """A database with a table `t`, made by another program."""
        os.makedirs(os.path.dirname(self.at(name)), exist_ok=True)
        with contextlib.closing(sqlite3.connect(self.at(name), isolation_level=None)) as db:
            db.execute(f"PRAGMA journal_mode = {mode}")
            db.execute("CREATE TABLE t (a)")
            for i in range(rows):
                db.execute("INSERT INTO t VALUES (?)", (i + 1,))

    def begin(self, *options):
        self.program = subprocess.Popen([LUNATIC, "run", *options, self.wasm], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True, cwd=self.folder)
        self.addCleanup(self.program.wait)
        self.addCleanup(self.program.kill)
        self.addCleanup(self.program.stdout.close)
        self.addCleanup(self.program.stdin.close)

    def ask(self, line):
        self.program.stdin.write(line + "\n")
        self.program.stdin.flush()
        answer = self.program.stdout.readline()
        self.assertTrue(answer.endswith("\n"), f"{line}: {answer!r}")
        return answer.strip()

    def assert_answers(self, *pairs):
        for line, answer in pairs:
            with self.subTest(line):
                self.assertEqual(self.ask(line), answer)


MEMORY = "/dev/shm"  # files that are on no disk: what waits for them waits shortly


@unittest.skipUnless(os.path.isdir(MEMORY), f"{MEMORY} is missing")
class Waits(DatabasesTest):
    """For the disk, that is: on the worker, or on a helper thread."""

    def open(self, *options):
        folder = tempfile.TemporaryDirectory(dir=MEMORY)
        self.addCleanup(folder.cleanup)
        self.begin(*options, "--dir", folder.name)
        self.assertEqual(self.ask(f"open {folder.name}/x.db"), "ok")
        self.ask("sql CREATE TABLE t (a)")

    def insert(self, count):
        for _ in range(count):
            self.assertEqual(self.ask("sql INSERT INTO t VALUES (1)"), "")

    def metric(self, name):
        text = self.lunatic("ps", "--metrics", str(self.program.pid)).stdout
        return next(int(line.split()[1]) for line in text.splitlines() if line.startswith(name + " "))

    def test_short_waits_are_on_a_worker_that_has_nothing_else_to_do(self):
        self.open("--workers", "2")
        for _ in range(100):
            self.insert(10)
            if self.metric("lunatic_offload_in_place_total") >= 20:
                break
        else:
            self.fail("they are all handed over")

    def test_a_single_worker_hands_them_over(self):
        self.open("--workers", "1")
        self.insert(20)
        self.assertEqual(self.metric("lunatic_offload_in_place_total"), 0)
        self.assertGreaterEqual(self.metric("lunatic_offload_jobs_total"), 20)


class Rules(DatabasesTest):
    def check_rules(self):
        """Only at or below data/a, and data/b.db."""
        self.make("data/a/x.db")
        self.make("data/b.db")
        self.make("data/c.db")
        os.symlink("../c.db", self.at("data/a/out.db"))
        os.symlink("x.db", self.at("data/a/in.db"))
        for path in ("data/a/x.db", "data/b.db", "./data//a/./x.db", "data/c/../b.db", "data/a/new.db", "data/a/in.db",
                     ":memory:", ""):
            with self.subTest(path):
                self.assertEqual(self.ask("open " + path), "ok")
        for path in ("data/c.db", "data/a2.db", "data", "data/a/../c.db", "data/a/out.db", "/etc/passwd", "x.db",
                     self.at("data/c.db")):
            with self.subTest(path):
                self.assertEqual(self.ask("open " + path), NO_ACCESS % path)
        self.assertEqual(self.ask("open data/a/x.db"), "ok")
        self.assert_answers(
            ("sql ATTACH 'data/b.db' AS b", ""), ("sql SELECT a FROM b.t", "1"),
            ("sql ATTACH 'data/c.db' AS c", CANNOT_OPEN + "data/c.db"),
            ("sql ATTACH 'data/a/out.db' AS c", CANNOT_OPEN + "data/a/out.db"),
            ("sql ATTACH 'data/' || 'c.db' AS c", CANNOT_OPEN + "data/c.db"),
            ("sql VACUUM INTO 'data/copy.db'", CANNOT_OPEN + "data/copy.db"),
            ("sql VACUUM INTO 'data/a/copy.db'", ""))
        self.assertEqual(sorted(os.listdir(self.at("data"))), ["a", "b.db", "c.db"])

    def test_paths_on_the_command_line(self):
        self.begin("--allow-database", "data/a", "--allow-database=./data/b.db")
        self.check_rules()

    def test_paths_in_a_policy_file(self):
        self.write("policy.toml", '[files]\ndatabases = ["data/a", "data/b.db"]\n')
        done = self.lunatic("run", "--policy", "policy.toml", self.wasm)
        if "built without toml++" in done.stderr:
            self.skipTest("built without toml++")
        self.begin("--policy", "policy.toml")
        self.check_rules()

    def test_rules_do_not_open_directories(self):
        self.make("data/x.db")
        self.begin("--no-current-dir", "--allow-database", "data")
        self.assertEqual(self.ask("open data/x.db"), NO_ACCESS % "data/x.db")
        self.assertEqual(self.ask("open :memory:"), "ok")

    def test_what_a_child_may_use_only_shrinks(self):
        for name in "a/x.db", "a/b/x.db", "c/x.db":
            self.make("data/" + name)
        self.begin("--allow-database", "data/a")
        self.assertEqual(self.ask("open data/a/x.db"), "ok")
        for allow, below, path, may in (
                ("-", "-", "data/a/x.db", True), ("data/a/b", "-", "data/a/b/x.db", True),
                ("-", "data/a/b", "data/a/b/x.db", True), ("data/a", "data/a/b", "data/a/b/x.db", True),
                ("-", "-", "data/c/x.db", False), ("data/c", "-", "data/c/x.db", False),
                ("data", "data", "data/c/x.db", False),
                (".", ".", "data/c/x.db", False), ("data/a/b", "-", "data/a/x.db", False),
                ("data/a/b", "data/a", "data/a/x.db", False), ("-", "data/a/b", "data/a/x.db", False),
                ("-", "data/c", "data/a/x.db", False), ("data/c", "data/a", "data/a/x.db", False)):
            with self.subTest(f"{allow} {below} {path}"):
                self.assertEqual(self.ask(f"child {allow} {below} {path}"), "ok" if may else NO_ACCESS % path)
        self.assertEqual(self.ask("child data/../.. - data/c/x.db"), "the rule is refused")

    def test_folders_and_links_that_are_exchanged_do_not_lead_out(self):
        self.make("data/a/x.db")
        self.make("outside/x.db", rows=3)
        self.begin("--no-current-dir", "--dir", "data")
        self.assertEqual(self.ask("open data/a/x.db"), "ok")
        self.assertEqual(self.ask("sql SELECT a FROM t"), "1")
        os.rename(self.at("data/a"), self.at("data/old"))
        os.symlink(self.at("outside"), self.at("data/a"))
        # The open one stays where it was, with its journal; the name leads nowhere now.
        self.assertEqual(self.ask("sql INSERT INTO t VALUES (2)"), "")
        self.assert_answers(("sql ATTACH 'data/a/y.db' AS b", ""), ("sql CREATE TABLE b.t (a)", ""))
        self.assertEqual(sorted(os.listdir(self.at("data/old"))), ["x.db", "y.db"])
        for target in self.at("outside"), "../outside":
            os.remove(self.at("data/a"))
            os.symlink(target, self.at("data/a"))
            self.assertNotEqual(self.ask("open data/a/x.db"), "ok", target)
        os.remove(self.at("data/a"))
        os.rename(self.at("data/old"), self.at("data/a"))
        os.rename(self.at("data/a/x.db"), self.at("data/a/z.db"))
        os.symlink("../../outside/x.db", self.at("data/a/x.db"))
        self.assertNotEqual(self.ask("open data/a/x.db"), "ok")
        self.assertEqual(os.listdir(self.at("outside")), ["x.db"])
        self.assertEqual(self.ask("open data/a/z.db"), "ok")
        self.assertEqual(self.ask("sql SELECT a FROM t"), "1 2")


class ReadOnly(DatabasesTest):
    def setUp(self):
        super().setUp()
        os.mkdir(self.at("work"))

    def content(self):
        """Of all files in data/."""
        files = {}
        for name in os.listdir(self.at("data")):
            with open(self.at("data", name), "rb") as f:
                files[name] = f.read()
        return files

    def start_in_data(self):
        self.before = self.content()
        self.begin("--no-current-dir", "--dir", "data:ro", "--dir", "work")

    def test_what_is_there_is_read_and_nothing_changes(self):
        self.make("data/x.db", rows=3)
        self.start_in_data()
        self.assertEqual(self.ask("open data/x.db"), "ok")
        self.assert_answers(
            ("sql SELECT a FROM t", "1 2 3"), ("sql INSERT INTO t VALUES (4)", READ_ONLY),
            ("sql CREATE TABLE u (a)", READ_ONLY), ("sql DELETE FROM t", READ_ONLY),
            ("sql PRAGMA user_version = 7", READ_ONLY), ("sql PRAGMA journal_mode = WAL", READ_ONLY),
            ("sql VACUUM", READ_ONLY), ("sql VACUUM INTO 'data/copy.db'", CANNOT_OPEN + "data/copy.db"),
            ("sql BEGIN EXCLUSIVE", ""), ("sql COMMIT", ""),
            ("sql CREATE TEMP TABLE u AS SELECT a FROM t", ""), ("sql SELECT count(*) FROM u", "3"),
            ("sql ATTACH 'data/new.db' AS n", CANNOT_OPEN + "data/new.db"),
            ("sql VACUUM INTO 'work/copy.db'", ""), ("sql ATTACH 'work/copy.db' AS w", ""),
            ("sql INSERT INTO w.t SELECT a + 3 FROM main.t", ""), ("sql SELECT count(*) FROM w.t", "6"),
            ("sql INSERT INTO main.t SELECT a FROM w.t", READ_ONLY))
        self.assertRegex(self.ask("open data/new.db"), "unable to open database")
        self.assertEqual(self.content(), self.before)

    def test_a_transaction_that_was_cut_short_is_not_read_as_if_it_were_whole(self):
        self.make("half.db", rows=1000)
        db = sqlite3.connect(self.at("half.db"), isolation_level=None)
        self.addCleanup(db.close)
        db.execute("PRAGMA cache_size = 1")
        db.execute("BEGIN")
        db.execute("UPDATE t SET a = zeroblob(1000)")
        for name in "half.db", "half.db-journal":
            shutil.copy(self.at(name), self.at("data", name))
        db.execute("ROLLBACK")
        for name in "half.db", "half.db-journal":
            shutil.copy(self.at("data", name), self.at("work", name))
        self.start_in_data()
        self.assertEqual(self.ask("open data/half.db"), "ok")
        self.assertEqual(self.ask("sql SELECT count(a) FROM t"), READ_ONLY)
        self.assertEqual(self.content(), self.before)
        self.assertEqual(self.ask("open work/half.db"), "ok")  # where it can be, it is taken back
        self.assertEqual(self.ask("sql SELECT sum(a) FROM t"), "500500")
        self.assertEqual(os.listdir(self.at("work")), ["half.db"])

    def test_a_write_ahead_log_needs_a_directory_that_can_be_written(self):
        self.make("data/log.db", rows=3, mode="WAL")
        self.assertEqual(os.listdir(self.at("data")), ["log.db"])
        # One whose last transactions are in the log alone.
        with contextlib.closing(sqlite3.connect(self.at("data/log.db"), isolation_level=None)) as db:
            db.execute("INSERT INTO t VALUES (4)")
            for end in "", "-wal", "-shm":
                shutil.copy(self.at("data/log.db" + end), self.at("data/late.db" + end))
        self.start_in_data()
        self.assertEqual(self.ask("open data/late.db"), "ok")
        self.assertEqual(self.ask("sql SELECT count(*) FROM t"), READ_ONLY)
        self.assertEqual(self.ask("open data/log.db"), "ok")
        self.assertEqual(self.ask("sql SELECT a FROM t"), READ_ONLY)
        self.assertEqual(self.ask("open work/x.db"), "ok")
        self.assertEqual(self.ask("sql ATTACH 'data/log.db' AS l"), READ_ONLY)
        self.assertEqual(self.content(), self.before)
        shutil.copy(self.at("data/log.db"), self.at("work/log.db"))
        self.assertEqual(self.ask("open work/log.db"), "ok")
        self.assertEqual(self.ask("sql SELECT a FROM t"), "1 2 3 4")


if __name__ == "__main__":
    unittest.main()

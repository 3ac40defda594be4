# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Processes are killed at random times in every state that a database and a TLS stream can be in: no process,
descriptor, socket, job, message, lock or byte is left over. (Other states: tests/unit/runtime/kills.c, test_tcp.py,
test_network.py.) LUNATIC_KILLS says how many die (100000 by hand)."""
import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
import unittest
import urllib.request

from servers import PATIENCE, ROOT
from support import LUNATIC, CliTest

sys.path.insert(0, os.path.join(ROOT, "tests", "harness"))
from prometheus import parse  # noqa: E402

KILLS = os.environ.get("LUNATIC_KILLS", "1000")
WARM_UP = "200"

# Reads a number, kills so many, says "gone", and so on. Each victim is given a state, from 0 to STATES - 1, and a random
# number.
STORM = r"""
    #include <stdlib.h>

    #define ALIVE 32

    static void storm(void (*victim)(const struct victim *), struct victim *v)
    {
        static lun_process victims[ALIVE];
        int kills, i;

        srand(1);
        while (scanf("%d", &kills) == 1) {
            for (i = 0; i < kills; i++) {
                lun_process *p = &victims[rand() % ALIVE];

                if (*p)
                    lun_kill(*p);
                v->state = rand() % STATES;
                v->random = rand();
                *p = LUN_SPAWN(victim, v);
                if (rand() % 4 == 0)
                    lun_sleep((uint64_t)(rand() % 3));
            }
            for (i = 0; i < ALIVE; i++) {
                if (victims[i])
                    lun_kill(victims[i]);
                victims[i] = 0;
            }
            puts("gone");
            fflush(stdout);
        }
        lun_sleep(LUN_FOREVER);
    }
"""

# Each transaction inserts the same number twice: an odd count is half of one.
DATABASES = r"""
    #include <lunatic.h>
    #include <lunatic/sqlite.h>
    #include <stdio.h>

    #define STATES 15
    #define TWICE "INSERT INTO t (n, data) VALUES (random(), randomblob(300)); " \
                  "INSERT INTO t (n, data) SELECT n, data FROM t WHERE id = last_insert_rowid()"
    #define ENDLESS "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) "

    struct victim { int state, random; };
""" + STORM + r"""
    static void run(const lun_db *db, const char *sql) /* busy, mostly, if it fails */
    {
        if (lun_db_execute(db, sql) != 0)
            lun_db_execute(db, "ROLLBACK");
    }

    static void rows(const lun_db *db, const char *sql)
    {
        lun_query q;

        if (lun_db_prepare(db, &q, sql) != 0)
            return;
        while (lun_step(&q) == 1)
            lun_column_blob(&q, 0, NULL);
        lun_query_close(&q);
    }

    static void victim(const struct victim *v)
    {
        static const char *const files[] = {"journal.db", "log.db"};
        lun_db db = {0};
        lun_query q;

        if (v->state == 0) /* opens, closes */
            for (;;) {
                if (lun_db_open(&db, files[v->random % 2]) == 0)
                    lun_db_execute(&db, "SELECT count(*) FROM t");
                lun_db_close(&db);
            }
        if (lun_db_open(&db, v->state == 13 ? ":memory:" : v->state == 2 ? "locked.db" : files[v->random % 2]) != 0)
            return;
        switch (v->state) {
        case 1: /* durable transactions */
            for (;;)
                run(&db, "BEGIN IMMEDIATE; " TWICE "; COMMIT");
        case 2: /* waits for a lock that it never gets */
            run(&db, "PRAGMA busy_timeout = 1000000000");
            run(&db, "BEGIN IMMEDIATE");
            return;
        case 3: /* waits for a lock, a little, and again */
            run(&db, "PRAGMA busy_timeout = 3");
            for (;;)
                run(&db, "BEGIN EXCLUSIVE; COMMIT");
        case 4: /* a query that never ends, on a helper thread after a moment */
            rows(&db, ENDLESS "SELECT count(*) FROM c");
            return;
        case 5: /* one of which each step is short, on the worker */
            rows(&db, ENDLESS "SELECT i FROM c");
            return;
        case 6: /* one that begins on a helper thread */
            rows(&db, ENDLESS "SELECT count(*) FROM c WHERE i LIKE '%9'");
            return;
        case 7: /* between the statements of a transaction that has written */
            run(&db, "BEGIN IMMEDIATE; INSERT INTO t (n) VALUES (1)");
            lun_sleep(LUN_FOREVER);
            return;
        case 8: /* holds a statement that has not come to its end, and with it a lock */
            if (lun_db_prepare(&db, &q, "SELECT * FROM t") == 0)
                lun_step(&q);
            lun_sleep(LUN_FOREVER);
            return;
        case 9: /* two files in one transaction */
            run(&db, "ATTACH 'more.db' AS more");
            for (;;)
                run(&db, "BEGIN IMMEDIATE; INSERT INTO more.t (n) VALUES (7); INSERT INTO more.t (n) VALUES (7); "
                         TWICE "; COMMIT");
        case 10: /* an index, sorted in temporary files, taken back */
            run(&db, "PRAGMA cache_size = 5; PRAGMA temp_store = FILE; CREATE TEMP TABLE s (a)");
            for (;;)
                run(&db, "INSERT INTO s " ENDLESS "SELECT randomblob(200) FROM c LIMIT 2000; "
                         "CREATE INDEX temp.x ON s (a); DROP INDEX x; DELETE FROM s");
        case 11: /* values in memory that the guest gives */
            for (;;)
                rows(&db, "SELECT zeroblob(200000)");
        case 12: /* what is in the log goes to the file; pages are moved */
            for (;;)
                run(&db, "PRAGMA wal_checkpoint(TRUNCATE); DELETE FROM t WHERE n < 0; VACUUM");
        case 13: /* much memory */
            run(&db, "CREATE TABLE t (a)");
            for (;;)
                if (lun_db_execute(&db, "INSERT INTO t VALUES (zeroblob(100000))") != 0)
                    lun_sleep(LUN_FOREVER);
        default: /* prepares, binds, steps */
            if (lun_db_prepare(&db, &q, "SELECT id FROM t WHERE n > ?1 AND data > ?2") != 0)
                return;
            for (;;) {
                lun_bind_int(&q, 1, v->random);
                lun_bind_text(&q, 2, "some text");
                lun_step(&q);
            }
        }
    }

    int main(void)
    {
        static const char *const files[] = {"journal.db", "log.db", "more.db"};
        lun_db locked, db;
        struct victim v = {0, 0};

        lun_die_with_links(false);
        for (int i = 0; i < 3; i++) {
            if (lun_db_open(&db, files[i]) != 0 ||
                lun_db_execute(&db, "CREATE TABLE t (id INTEGER PRIMARY KEY, n, data)") != 0 ||
                lun_db_execute(&db, i == 1 ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE") != 0)
                return 1;
            lun_db_close(&db);
        }
        if (lun_db_open(&locked, "locked.db") != 0 || lun_db_execute(&locked, "BEGIN EXCLUSIVE") != 0)
            return 1;
        puts("ready");
        fflush(stdout);
        storm(victim, &v);
    }
"""

STREAMS = r"""
    #include <lunatic.h>
    #include <lunatic/tls.h>
    #include <stdio.h>
    #include <string.h>
    #include "tls_keys.h"

    #define STATES 14

    struct victim { int state, random; lun_address tls, silent; };
""" + STORM + r"""
    static char block[100000];

    /* Does what the first byte says: 'e' sends back what comes, 'w' writes and reads nothing. */
    static void serve_one(lun_stream *s, const int *unused)
    {
        char data[300];
        long n = lun_stream_read(s, data, 1);

        (void)unused;
        while (n == 1 && data[0] == 'w')
            if (lun_stream_write(s, block, sizeof block) != 0)
                return;
        while ((n = lun_stream_read(s, data, sizeof data)) > 0)
            if (lun_stream_write(s, data, (size_t)n) != 0)
                return;
    }

    static void serve(const lun_process *parent)
    {
        lun_listener l;
        lun_address at;
        int none = 0;

        if (lun_tls_listen(&l, "127.0.0.1:0", test_server, test_server_key) != 0 || lun_listener_address(&l, &at) != 0)
            abort();
        lun_send(*parent, 1, &at, sizeof at);
        LUN_SERVE(&l, serve_one, &none);
    }

    static void keep(lun_stream *s, const int *unused)
    {
        char data[300];

        (void)unused;
        while (lun_stream_read(s, data, sizeof data) > 0)
            ;
    }

    static void serve_silence(const lun_process *parent)
    {
        lun_listener l;
        lun_address at;
        int none = 0;

        if (lun_tcp_listen(&l, "127.0.0.1:0") != 0 || lun_listener_address(&l, &at) != 0)
            abort();
        lun_send(*parent, 2, &at, sizeof at);
        LUN_SERVE(&l, keep, &none);
    }

    static void read_for_ever(lun_stream *s, const int *unused)
    {
        char data[8];

        (void)unused;
        lun_stream_read(s, data, sizeof data);
    }

    static void connect_to(const lun_address *at)
    {
        lun_stream s;
        char data[8];

        if (lun_tls_connect(&s, "localhost", at->port, test_ca, LUN_FOREVER) == 0)
            lun_stream_read(&s, data, sizeof data);
    }

    static void victim(const struct victim *v)
    {
        lun_stream s = {0}, copy;
        lun_listener own;
        lun_address at;
        lun_message m;
        char data[300];
        int none = 0, i;

        switch (v->state) {
        case 0: /* the client's side of a handshake that nobody answers */
            lun_tls_connect(&s, "127.0.0.1", v->silent.port, test_ca, v->random % 2 ? LUN_FOREVER : 5);
            return;
        case 1: /* the server's side of such handshakes */
            if (lun_tls_listen(&own, "127.0.0.1:0", test_server, test_server_key) != 0 ||
                lun_listener_address(&own, &at) != 0)
                return;
            for (i = 0; i < 3; i++)
                if (lun_tcp_connect_to(&s, &at, LUN_FOREVER) == 0 && i == 1)
                    lun_stream_write(&s, "\x16\x03\x01\x02", 4); /* a beginning */
            lun_accept(&own, &copy, NULL);
            return;
        case 2: /* waits for clients */
            if (lun_tls_listen(&own, "localhost:0", test_chained, test_chained_key) == 0)
                lun_accept(&own, &s, NULL);
            return;
        case 3: /* both sides: the client dies with it */
            if (lun_tls_listen(&own, "127.0.0.1:0", test_server, test_server_key) != 0 ||
                lun_listener_address(&own, &at) != 0)
                return;
            lun_link(LUN_SPAWN(connect_to, &at), 0);
            if (lun_accept(&own, &s, NULL) == 0)
                lun_stream_read(&s, data, sizeof data);
            return;
        case 4: /* connects where nobody is */
            for (;;)
                if (lun_tls_connect(&s, "127.0.0.1", 1, test_ca, 1000) == 0)
                    lun_stream_close(&s);
        case 5: /* listens again and again */
            for (;;)
                if (lun_tls_listen(&own, "127.0.0.1:0", test_server, test_server_key) == 0)
                    lun_listener_close(&own);
        case 6: /* handshakes: resumed ones, and some that fail */
            for (;;) {
                const char *roots = v->random % 3 ? test_ca : test_self;

                if (lun_tls_connect(&s, "localhost", v->tls.port, roots, LUN_FOREVER) == 0)
                    lun_stream_close(&s);
            }
        }
        if (lun_tls_connect(&s, "localhost", v->tls.port, test_ca, LUN_FOREVER) != 0)
            return;
        switch (v->state) {
        case 7: /* reads what never comes */
            read_for_ever(&s, &none);
            return;
        case 8: /* the same, with time-outs */
            lun_stream_set_read_timeout(&s, 1);
            for (;;)
                lun_stream_read(&s, data, sizeof data);
        case 9: /* writes until nothing more goes out, in either direction */
            lun_stream_write(&s, "w", 1);
            for (;;)
                lun_stream_write(&s, block, sizeof block);
        case 10: /* reads as much as it can */
            lun_stream_write(&s, "w", 1);
            for (;;)
                lun_stream_read(&s, block, sizeof block);
        case 11: /* streams in the mailbox and in the hand */
            for (i = 0; i < 3; i++) {
                copy = lun_stream_clone(&s);
                lun_send_stream(lun_self(), 7, &copy, "x", 1);
            }
            lun_stream_close(&s);
            lun_receive_tag(&m, 7, LUN_FOREVER);
            lun_receive_tag(&m, 8, LUN_FOREVER);
            return;
        case 12: /* several wait for one stream, one of them is this */
            for (i = 0; i < 3; i++) {
                copy = lun_stream_clone(&s);
                lun_link(LUN_SPAWN_STREAM(read_for_ever, &copy, &none), 0);
            }
            read_for_ever(&s, &none);
            return;
        default: /* to and fro */
            lun_stream_write(&s, "e", 1);
            for (;;) {
                lun_stream_write(&s, block, sizeof data);
                lun_stream_read_exactly(&s, data, sizeof data);
            }
        }
    }

    int main(void)
    {
        static struct victim v;
        lun_process self = lun_self();
        lun_message m;

        lun_die_with_links(false);
        LUN_SPAWN(serve, &self);
        LUN_SPAWN(serve_silence, &self);
        lun_receive_tag(&m, 1, LUN_FOREVER);
        lun_read_exactly(&v.tls, sizeof v.tls);
        lun_receive_tag(&m, 2, LUN_FOREVER);
        lun_read_exactly(&v.silent, sizeof v.silent);
        puts("ready");
        fflush(stdout);
        storm(victim, &v);
    }
"""

# What is the same before and afterwards; of the bytes, the runtime keeps some for processes to come, so that they
# may be a few more, however many were killed.
PROCESSES = "lunatic_process_environment_process_count"
COUNTED = [PROCESSES, "lunatic_process_links_alive", "lunatic_net_sockets",
           "lunatic_io_descriptors", "lunatic_offload_jobs_running", "lunatic_offload_jobs_queued",
           "lunatic_memory_messages", "process_open_fds"]
BYTES = "lunatic_memory_committed_bytes"
SPARE = 8 << 20


class Kills(CliTest):
    def storm(self, source, processes):
        """Kills, and waits until all that is counted is as it was after a few kills. The program stays, without work,
        and has so many processes."""
        wasm = os.path.join(self.folder, self.compile(source))
        os.mkdir(os.path.join(self.folder, "work"))
        self.errors = open(os.path.join(self.folder, "errors"), "w+")
        self.addCleanup(self.errors.close)
        self.program = subprocess.Popen([LUNATIC, "run", "--log", "error", "--metrics", "127.0.0.1:0", wasm],
                                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
                                    cwd=os.path.join(self.folder, "work"))
        self.addCleanup(self.program.wait)
        self.addCleanup(self.program.kill)
        self.addCleanup(self.program.stdin.close)
        self.addCleanup(self.program.stdout.close)
        self.assertEqual(self.program.stdout.readline(), b"ready\n")
        self.kill(WARM_UP)
        before = self.settled(lambda now, seconds: seconds > 1 and now[PROCESSES] == processes)
        self.assertEqual((before[PROCESSES], before["lunatic_offload_jobs_running"]), (processes, 0))
        self.kill(KILLS)

        def is_same(now, _):
            return now[BYTES] <= before[BYTES] + SPARE and all(now[name] == before[name] for name in COUNTED)
        after = self.settled(is_same)
        self.assertTrue(is_same(after, 0), f"{before}\n{after}")

    def kill(self, count):
        self.program.stdin.write(count.encode() + b"\n")
        self.program.stdin.flush()
        self.assertEqual(self.program.stdout.readline(), b"gone\n")

    def settled(self, condition):
        """What is counted, when condition(it, how many seconds it has been so) is true; or at the end of patience."""
        end = time.monotonic() + PATIENCE
        last, since = self.counts(), time.monotonic()
        while not condition(last, time.monotonic() - since) and time.monotonic() < end:
            time.sleep(0.05)
            now = self.counts()
            if now != last:
                last, since = now, time.monotonic()
        return last

    def counts(self):
        with open(os.path.join(self.folder, "errors")) as f:
            address = re.search(r"^lunatic: metrics at (.*)$", f.read(), re.M)[1]
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            families = parse(answer.read().decode())
        return {name: families[name].value() for name in [*COUNTED, BYTES]}

    def end(self):
        self.program.send_signal(signal.SIGINT)
        self.assertEqual(self.program.wait(PATIENCE), 130)

    def test_databases(self):
        self.storm(DATABASES, 1)
        work = os.path.join(self.folder, "work")
        # The program still runs: transactions that are not rolled back would show, and so would locks. A log may stay.
        self.assertEqual([name for name in os.listdir(work) if name.endswith("-journal")], ["locked.db-journal"])
        for name in "journal.db", "log.db", "more.db":
            with contextlib.closing(sqlite3.connect(os.path.join(work, name), timeout=0, isolation_level=None)) as db:
                db.execute("BEGIN EXCLUSIVE")
                self.assertEqual(db.execute("PRAGMA integrity_check").fetchall(), [("ok",)], name)
                self.assertEqual(db.execute("SELECT n FROM t GROUP BY n HAVING count(*) % 2").fetchall(), [], name)
                self.assertGreater(db.execute("SELECT max(id) FROM t").fetchone()[0], 0, name)
        self.end()

    def test_tls_streams(self):
        with open(os.path.join(ROOT, "tests", "guest", "tls_keys.h")) as f:
            self.write("tls_keys.h", "#pragma clang diagnostic ignored \"-Wunused-const-variable\"\n" + f.read())
        self.storm(STREAMS, 3)
        self.end()


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What SIGQUIT and `lunatic ps` show of a program that runs."""
import contextlib
import errno
import json
import os
import select
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
import unittest

from support import LUNATIC, TIMEOUT, CliTest

ZOO = r"""
#include <lunatic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static void looping_forever(const void *data, size_t size)
{
    volatile int n = 0;
    (void)data;
    (void)size;
    for (;;)
        n++;
}
static void sleeping(const void *data, size_t size)
{
    (void)data;
    (void)size;
    lun_sleep(100000000);
}
static void receiving(const void *data, size_t size)
{
    (void)data;
    (void)size;
    lun_message m;
    lun_receive_tag(&m, 77, LUN_FOREVER);
}
static void reading(const void *data, size_t size)
{
    (void)data;
    (void)size;
    getchar();
}
int main(int argc, char **argv)
{
    int many = argc > 1 ? atoi(argv[1]) : 0;
    lun_process r;
    lun_spawn(looping_forever, NULL, 0);
    lun_spawn_link(sleeping, 0, NULL, 0);
    r = lun_spawn(receiving, NULL, 0);
    lun_register("the\x1b[31m receiver", r);
    for (int i = 0; i < 3; i++)
        lun_send(r, 5, "hello", 5);
    lun_spawn(reading, NULL, 0);
    for (int i = 0; i < many; i++)
        lun_spawn(sleeping, NULL, 0);
    puts("ready");
    fflush(stdout);
    lun_sleep(LUN_FOREVER);
    return 0;
}
"""


class Ps(CliTest):
    def setUp(self):
        super().setUp()
        self.runtime_dir = os.path.join(self.folder, "run")
        os.mkdir(self.runtime_dir, 0o700)
        self.env = {"XDG_RUNTIME_DIR": self.runtime_dir}
        self.started = []
        self.addCleanup(self.end_all)

    def end_all(self):
        for process in self.started:
            if process.poll() is None:
                process.kill()
            process.communicate()

    def begin(self, program, *arguments, options=()):
        process = self.start("run", *options, program, *arguments, stdin=subprocess.PIPE,
                             env={**os.environ, **self.env})
        self.started.append(process)
        self.assertEqual(process.stdout.readline(), b"ready\n")
        return process

    def ps(self, *words):
        return self.lunatic("ps", *words, env=self.env)

    def rows(self, *words):
        """The table as JSON, once all have got where they wait."""
        end = time.monotonic() + TIMEOUT
        while True:
            done = self.ps("--json", *words)
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            table = json.loads(done.stdout)
            if table["waiting"] == table["total"] - 1 or time.monotonic() > end:
                return table

    def stop(self, process):
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(timeout=TIMEOUT), 128 + signal.SIGTERM)

    def line(self, process):
        line = process.stderr.readline().decode()
        self.assertNotEqual(line, "")
        return line

    def test_tells_what_each_process_does(self):
        process = self.begin(self.compile(ZOO))
        table = self.rows(str(process.pid))
        by_function = {row["function"].split(" < ")[0]: row for row in table["processes"]}
        by_root = {name: row for row in table["processes"] for name in row["function"].split(" < ")}
        self.assertEqual((table["pid"], table["program"], table["total"]),
                         (process.pid, "program.wasm", 5))
        loop = by_function["looping_forever"]
        self.assertIn(loop["state"], ("running", "ready"))
        sleeper = by_root["sleeping"]
        self.assertEqual((sleeper["state"], sleeper["wait"], sleeper["links"]), ("waiting", "sleep", 1))
        self.assertRegex(sleeper["wait_details"], r"^[0-9]+ min more$")
        receiver = by_root["receiving"]
        self.assertEqual((receiver["wait"], receiver["wait_details"]), ("message", "tagged 77"))
        self.assertEqual(receiver["names"], '"the\x1b[31m receiver"')
        self.assertEqual(by_root["reading"]["wait"], "poll")
        main = table["processes"][0]
        self.assertEqual((main["id"], main["wait"], main["wait_details"]), (1, "sleep", "for ever"))
        for row in table["processes"]:
            self.assertGreaterEqual(row["memory_size"], row["memory_present"])
            self.assertGreater(row["memory_present"], 0)
        self.assertEqual(sum(g["count"] for g in table["groups"]) + table["others"], 5)
        self.stop(process)

    def test_sigquit_prints_the_table_and_stops_nothing(self):
        process = self.begin(self.compile(ZOO))
        self.rows()
        process.send_signal(signal.SIGQUIT)
        lines = []
        while not lines or " processes: " not in lines[-1]:
            lines.append(self.line(process))
        told = 0
        while told < 5:  # the groups
            lines.append(self.line(process))
            told += int(lines[-1].split()[0])
        text = "".join(lines)
        self.assertIn(f"pid {process.pid}, runs program.wasm", lines[0])
        self.assertIn("waits for message tagged 77", text)
        self.assertIn('named "the?[31m receiver"', text)
        self.assertNotIn("\x1b", text)
        self.assertIn("looping_forever", text)
        self.assertEqual(self.rows()["total"], 5)
        self.stop(process)

    def test_output_is_bounded(self):
        process = self.begin(self.compile(ZOO), "3000")
        table = self.rows()
        self.assertEqual((table["total"], table["shown"], len(table["processes"])), (3005, 1000, 1000))
        self.assertEqual(max(g["count"] for g in table["groups"]), 3001)
        table = self.rows("--all")
        self.assertEqual((table["total"], len(table["processes"])), (3005, 3005))
        self.assertEqual(len({row["id"] for row in table["processes"]}), 3005)
        table = self.rows("--limit", "7")
        self.assertEqual(len(table["processes"]), 7)
        done = self.ps("--limit", "2")
        self.assertIn("and 3003 more that are not shown", done.stdout)
        self.stop(process)

    def test_sorted_and_single(self):
        process = self.begin(self.compile(ZOO), "100")
        receiver = [row for row in self.rows()["processes"] if row["names"]][0]
        # The messages that nobody wants are sorted into the mailbox when the next signal comes.
        table = self.rows("--sort", "memory", "--limit", "3")
        sizes = [row["memory_present"] for row in table["processes"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))
        self.assertEqual(len(self.rows("--sort", "queue", "--limit", "3")["processes"]), 3)
        done = self.ps("--json", "--process", str(receiver["id"]))
        self.assertEqual([row["id"] for row in json.loads(done.stdout)["processes"]], [receiver["id"]])
        done = self.ps("--json", "--process", "999999")
        self.assertEqual(json.loads(done.stdout)["processes"], [])
        self.stop(process)

    def test_several_programs_are_listed(self):
        program = self.compile(ZOO)
        first, second = self.begin(program), self.begin(program)
        listed = json.loads(self.ps("--json").stdout)
        self.assertEqual({p["pid"] for p in listed}, {first.pid, second.pid})
        self.assertEqual([p["processes"] for p in listed], [5, 5])
        lines = self.ps().stdout.splitlines()
        self.assertEqual(len(lines), 3)
        self.assertTrue(lines[1].endswith("program.wasm"), lines)
        self.assertEqual(json.loads(self.ps("--json", str(second.pid)).stdout)["pid"], second.pid)
        self.stop(first)
        self.assertEqual(json.loads(self.ps("--json").stdout)["pid"], second.pid)
        self.stop(second)
        self.assert_one_line(self.ps(), 1, "no program of yours runs")
        self.assertEqual(os.listdir(os.path.join(self.runtime_dir, "lunatic")), [])

    def test_what_others_are_called_stays_off_the_terminal(self):
        program = os.path.join(self.folder, "a\033[31m\r\nb\x9b\u202e.wasm")
        shutil.copy(os.path.join(self.folder, self.compile(ZOO)), program)
        first, second = self.begin(program), self.begin(program)
        lines = self.ps().stdout.splitlines()
        self.assertEqual(len(lines), 3, lines)
        self.assertTrue(all(line.isprintable() for line in lines), lines)
        self.assertIn("a?[31m??b", self.ps(str(first.pid)).stdout)
        listed = json.loads(self.ps("--json").stdout)
        self.assertEqual([os.path.basename(p["program"]) for p in listed], [os.path.basename(program)] * 2)
        self.stop(first)
        self.stop(second)

    @contextlib.contextmanager
    def pretend(self, answer):
        """We are a program with a socket for ps: answer(server) runs on a thread, and has ended after the block."""
        folder = os.path.join(self.runtime_dir, "lunatic")
        os.mkdir(folder, 0o700)
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.join(folder, f"{os.getpid()}.sock"))
            server.listen()
            thread = threading.Thread(target=answer, args=(server,))
            thread.start()
            yield
            thread.join()

    def test_a_program_that_lies_is_not_trusted_with_the_terminal(self):
        def answer(server):
            asked = 0
            while asked < 3:
                with server.accept()[0] as client:
                    if not client.recv(100):
                        continue  # only looked whether somebody is there
                    asked += 1
                    if asked == 3:
                        client.sendall(b"error \033[2J\n")
                        continue
                    client.sendall(b"ok\n\303")  # a character in two pieces
                    time.sleep(0.1)
                    client.sendall(b"\244\033[2J\302")
                    time.sleep(0.1)
                    client.sendall(b"\233x\xff\nline")
        with self.pretend(answer):
            self.assertEqual(self.ps().stdout, "\xe4?[2J?x?\nline")
            self.assertEqual(self.ps("--metrics").stdout, "\xe4?[2J?x?\nline")
            self.assertTrue(self.ps().stderr.endswith(": ?[2J\n"))

    def test_a_program_that_does_not_answer_holds_up_nobody(self):
        process = self.begin(self.compile(ZOO))
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(os.path.join(self.runtime_dir, "lunatic", f"{os.getpid()}.sock"))
            server.listen()
            done = self.ps("--json")
        self.assertEqual([p["pid"] for p in json.loads(done.stdout)], [process.pid])
        self.assertEqual(done.stderr, f"lunatic: program {os.getpid()} does not answer\n")
        self.stop(process)

    def fill(self, path):
        """A socket as a stopped program has it, where as many connections wait as may."""
        waiting = []
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(lambda: [s.close() for s in [server, *waiting]])
        server.bind(path)
        server.listen(0)
        for _ in range(100):
            waiting.append(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK))
            if waiting[-1].connect_ex(path) == errno.EAGAIN:
                return
        self.fail("any number of connections may wait")

    def test_a_program_that_takes_no_connection_is_told_of(self):
        process = self.begin(self.compile(ZOO))
        self.fill(os.path.join(self.runtime_dir, "lunatic", f"{os.getpid()}.sock"))
        done = self.ps("--json")
        self.assertEqual([p["pid"] for p in json.loads(done.stdout)], [process.pid])
        self.assertEqual(done.stderr, f"lunatic: program {os.getpid()} does not answer\n")
        self.stop(process)

    def test_a_program_that_ends_meanwhile_is_left_out(self):
        process = self.begin(self.compile(ZOO))
        paths = [os.path.join(self.runtime_dir, "lunatic", f"{os.getpid()}{end}.sock") for end in ("", "-1")]
        servers = [socket.socket(socket.AF_UNIX) for _ in paths]

        def end():
            for server in servers:  # found, and the next connection has to wait until this one is taken
                select.select([server], [], [], TIMEOUT)
            os.unlink(paths[0])
            for server in servers:
                server.close()
        for server, path in zip(servers, paths):
            server.bind(path)
            server.listen(0)
        thread = threading.Thread(target=end)
        thread.start()
        done = self.ps("--json")
        thread.join()
        self.assertEqual([p["pid"] for p in json.loads(done.stdout)], [process.pid])
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.stop(process)

    def test_an_answer_may_be_empty(self):
        def answer(server):
            with server.accept()[0]:
                pass  # only looked whether somebody is there
            with server.accept()[0] as client:
                client.recv(100)
                client.sendall(b"ok\n")
        with self.pretend(answer):
            done = self.ps()
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "", ""))

    def test_the_socket_of_a_stopped_program_is_not_taken(self):
        folder = os.path.join(self.runtime_dir, "lunatic")
        os.mkdir(folder, 0o700)
        program = os.path.join(self.folder, self.compile(ZOO))
        process = subprocess.Popen(["sh", "-c", 'read -r go && exec "$@"', "sh", LUNATIC, "run", program],
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   env={**os.environ, **self.env})
        self.started.append(process)
        path = os.path.join(folder, f"{process.pid}.sock")  # of another container, say
        self.fill(path)
        before = os.stat(path).st_ino
        process.stdin.write(b"\n")
        process.stdin.flush()
        self.assertEqual(process.stdout.readline(), b"ready\n")
        self.assertEqual(sorted(os.listdir(folder)), [f"{process.pid}-1.sock", f"{process.pid}.sock"])
        self.assertEqual(os.stat(path).st_ino, before)
        self.stop(process)

    def test_stale_sockets_are_removed(self):
        program = self.compile(ZOO)
        process = self.begin(program)
        folder = os.path.join(self.runtime_dir, "lunatic")
        process.kill()
        process.wait()
        self.assertEqual(os.listdir(folder), [f"{process.pid}.sock"])
        self.assert_one_line(self.ps(), 1, "no program of yours runs")
        self.assertEqual(os.listdir(folder), [])

    def test_the_socket_is_private(self):
        process = self.begin(self.compile(ZOO))
        folder = os.path.join(self.runtime_dir, "lunatic")
        self.assertEqual(stat.S_IMODE(os.stat(folder).st_mode), 0o700)
        self.assertEqual(stat.S_IMODE(os.stat(f"{folder}/{process.pid}.sock").st_mode), 0o600)
        self.stop(process)

    def test_a_folder_that_others_may_write_to_is_not_used(self):
        folder = os.path.join(self.runtime_dir, "lunatic")
        os.mkdir(folder)
        os.chmod(folder, 0o777)
        process = self.begin(self.compile(ZOO))
        self.assertEqual(os.listdir(folder), [])
        self.assert_one_line(self.ps(), 1, "others may write to it")
        self.stop(process)

    @unittest.skipUnless(os.geteuid() == 0, "needs to be another user")
    def test_other_users_get_no_answer(self):
        process = self.begin(self.compile(ZOO))
        path = os.path.join(self.runtime_dir, "lunatic", f"{process.pid}.sock")
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                # Opened up by the owner, the file modes would let anybody in.
                for name in (self.folder, self.runtime_dir, os.path.dirname(path)):
                    os.chmod(name, 0o755)
                os.chmod(path, 0o666)
                os.setgid(65534)
                os.setuid(65534)
                with socket.socket(socket.AF_UNIX) as s:
                    s.connect(path)
                    try:
                        s.sendall(b"program\n")
                        answer = s.recv(100)
                    except (BrokenPipeError, ConnectionResetError):
                        answer = b""
                os.write(write, b"nothing" if answer == b"" else answer)
            finally:
                os._exit(0)
        os.close(write)
        self.assertEqual(os.read(read, 100), b"nothing")
        os.close(read)
        os.waitpid(child, 0)
        self.stop(process)

    @unittest.skipUnless(os.geteuid() == 0, "needs to be root")
    def test_root_may_list_everybodys(self):
        path = os.path.join("/tmp", f"lunatic-{os.getpid() + 100000}")  # as of a user of that number
        os.mkdir(path, 0o700)
        self.addCleanup(shutil.rmtree, path)
        process = self.begin(self.compile(ZOO))
        os.rename(os.path.join(self.runtime_dir, "lunatic", f"{process.pid}.sock"),
                  os.path.join(path, f"{process.pid}.sock"))
        self.assert_one_line(self.ps(), 1, "no program of yours runs")
        done = self.ps("--json", "--users", str(process.pid))
        self.assertEqual(json.loads(done.stdout)["pid"], process.pid)
        self.assertIn(str(process.pid), self.ps("--users").stdout)
        self.stop(process)

    def test_no_inspect(self):
        process = self.begin(self.compile(ZOO), options=("--no-inspect",))
        self.assert_one_line(self.ps(str(process.pid)), 1, "no program", str(process.pid))
        self.stop(process)

    def test_bad_requests_harm_nothing(self):
        process = self.begin(self.compile(ZOO))
        path = os.path.join(self.runtime_dir, "lunatic", f"{process.pid}.sock")
        for request in (b"\n", b"table\n", b"table sort=x\n", b"table limit=-1\n", b"x" * 5000,
                        b"table " + b"a=1 " * 50 + b"\n", b"\0\0\n"):
            with socket.socket(socket.AF_UNIX) as s:
                s.settimeout(TIMEOUT)
                s.connect(path)
                try:
                    s.sendall(request)
                    s.shutdown(socket.SHUT_WR)
                    answer = s.recv(1000)
                except (BrokenPipeError, ConnectionResetError):
                    answer = b""
                self.assertTrue(answer == b"" or answer.startswith(b"error "), (request, answer))
        for _ in range(20):  # who hangs up at once
            with socket.socket(socket.AF_UNIX) as s:
                s.connect(path)
                s.sendall(b"table limit=99999999\n")
        self.assertEqual(self.rows()["total"], 5)
        self.stop(process)

    def test_a_client_that_does_not_read_does_not_hold_up_the_end(self):
        process = self.begin(self.compile(ZOO), "20000")
        path = os.path.join(self.runtime_dir, "lunatic", f"{process.pid}.sock")
        with socket.socket(socket.AF_UNIX) as s:
            s.connect(path)
            s.sendall(b"table limit=99999999\n")
            self.assertEqual(s.recv(3), b"ok\n")
            self.stop(process)

    def test_while_processes_come_and_go(self):
        program = self.compile(r"""
            #include <lunatic.h>
            #include <stdio.h>
            static void child(const void *data, size_t size)
            {
                (void)size;
                lun_send(*(const lun_process *)data, 0, "x", 1);
            }
            int main(void)
            {
                lun_process self = lun_self();
                lun_message m;
                puts("ready");
                fflush(stdout);
                for (;;) {
                    for (int i = 0; i < 100; i++)
                        lun_spawn(child, &self, sizeof(self));
                    for (int i = 0; i < 100; i++)
                        lun_receive(&m, LUN_FOREVER);
                }
            }""")
        process = self.begin(program)
        for _ in range(20):
            done = self.ps("--json")
            self.assertEqual((done.returncode, done.stderr), (0, ""))
            self.assertEqual(json.loads(done.stdout)["processes"][0]["id"], 1)
        self.stop(process)

    def test_usage(self):
        self.assert_usage_error(self.ps("x"), "'x' is no process id")
        self.assert_usage_error(self.ps("--sort", "colour"), "id, cpu, memory or queue")
        self.assert_usage_error(self.ps("1", "2"), "'2' is too much")
        self.assertIn("usage: lunatic ps", self.ps("--help").stdout)
        self.assert_one_line(self.ps("2147483646"), 1, "no program 2147483646")


if __name__ == "__main__":
    unittest.main()

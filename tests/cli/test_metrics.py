# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What `lunatic run --metrics` shows to Prometheus, and how its server treats those who are not Prometheus."""
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import unittest

from support import LUNATIC, TIMEOUT, CliTest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "harness"))
from prometheus import parse  # noqa: E402

BUSY = r"""
#include <lunatic.h>
#include <lunatic/host.h>
#include <lunatic/metrics.h>
#include <stdio.h>
#include <stdlib.h>

static void child(const void *data, size_t size)
{
    const int *n = data;
    char text[300] = "";
    (void)size;
    lun_send(1, 7, text, *n == 0 ? 300 : 8);
    if (*n == 1)
        abort();
}

static void waiting(const void *data, size_t size)
{
    lun_message m;
    (void)data;
    (void)size;
    lun_receive_tag(&m, 98, LUN_FOREVER);
    lun_send(1, 7, NULL, 0); /* what came before is in the mailbox now */
    lun_receive_tag(&m, 99, LUN_FOREVER);
}

static void await_death(lun_process p)
{
    lun_message m;
    lun_monitor(p);
    do
        lun_receive(&m, LUN_FOREVER);
    while (m.kind != LUN_PROCESS_DIED);
}

static void trapping(const void *data, size_t size)
{
    (void)data;
    (void)size;
    lunatic_error_drop(77);
}

int main(void)
{
    lun_message m;
    lun_process w;

    for (int i = 0; i < 5; i++) {
        w = lun_spawn(child, &i, sizeof(i));
        lun_receive_tag(&m, 7, LUN_FOREVER);
        await_death(w);
    }
    w = lun_spawn(waiting, NULL, 0);
    lun_kill(w);
    await_death(w);
    lun_send(w, 5, "to nobody", 9);
    await_death(lun_spawn(trapping, NULL, 0));
    fclose(fopen("file", "w"));
    w = lun_spawn(waiting, NULL, 0);
    for (int i = 0; i < 10; i++)
        lun_send(w, 5, "x", 1);
    lun_send(w, 98, NULL, 0);
    lun_receive_tag(&m, 7, LUN_FOREVER);
    lun_register("someone", w);
    lun_counter_add("shop.orders", 3);
    lun_counter_add("shop_orders", 4);
    lun_gauge_set("heat", -2.5);
    lun_gauge_add("heat", 1);
    lun_histogram_record("request_seconds", 0.003);
    lun_histogram_record("request_seconds", 30);
    lun_counter_add("lunatic_timers_started", 1);
    lun_gauge_set("shop_orders", 1);
    lun_send_after(w, 5, "later", 5, 100000000);
    lun_sleep(1);
    puts("ready");
    fflush(stdout);
    lun_receive_tag(&m, 99, LUN_FOREVER);
    return 0;
}
"""


class MetricsTest(CliTest):
    compiled = {}  # from source to module

    def program(self, text):
        """The path of the program, which is compiled once for all tests."""
        if text not in self.compiled:
            with open(os.path.join(self.folder, self.compile(text)), "rb") as f:
                MetricsTest.compiled[text] = f.read()
        self.write("program.wasm", self.compiled[text])
        return "program.wasm"

    def serve(self, *options, text=BUSY):
        """A program that has said `ready`, and where its metrics are."""
        p = self.start("run", "--metrics", "127.0.0.1:0", *options, self.program(text))
        self.addCleanup(self.end, p)
        line = p.stderr.readline().decode()
        m = re.fullmatch(r"lunatic: metrics at http://(127\.0\.0\.1):([0-9]+)/metrics\n", line)
        self.assertTrue(m, line)
        self.assertEqual(p.stdout.readline(), b"ready\n")
        return p, (m[1], int(m[2]))

    @staticmethod
    def end(p):
        p.kill()
        p.communicate()

    def connect(self, at):
        s = socket.create_connection(at, timeout=TIMEOUT)
        self.addCleanup(s.close)
        return s

    def ask(self, at, request):
        """Status, headers and body of the answer to these bytes."""
        with socket.create_connection(at, timeout=TIMEOUT) as s:
            s.sendall(request)
            data = b""
            while more := s.recv(65536):
                data += more
        return self.answer(data)

    def answer(self, data):
        head, body = data.split(b"\r\n\r\n", 1)
        lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:])
        status = int(re.fullmatch(r"HTTP/1\.1 ([0-9]{3}) [A-Za-z ]+", lines[0])[1])
        return status, headers, body

    def scrape(self, at):
        status, headers, body = self.ask(at, b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual(status, 200)
        self.assertEqual(headers["content-type"], "text/plain; version=0.0.4; charset=utf-8")
        self.assertEqual(int(headers["content-length"]), len(body))
        return parse(body.decode())

    def test_the_text_is_well_formed_and_true(self):
        p, at = self.serve()
        f = self.scrape(at)
        self.assertEqual(f["lunatic_processes_spawned_total"].value(), 9)
        self.assertEqual(f["lunatic_processes_exited_total"].value(reason="normal"), 4)
        self.assertEqual(f["lunatic_processes_exited_total"].value(reason="failure"), 2)
        self.assertEqual(f["lunatic_processes_exited_total"].value(reason="killed"), 1)
        self.assertEqual(f["lunatic_process_messages_process_died_total"].value(), 7)
        self.assertGreaterEqual(f["lunatic_process_signals_lost_total"].value(), 1)
        self.assertEqual(f["lunatic_host_traps_total"].value(module="error"), 1)
        self.assertEqual(f["lunatic_host_traps_total"].total(), 1)
        jobs = f["lunatic_offload_jobs_total"].value() + f["lunatic_offload_jobs_running"].value()
        self.assertGreaterEqual(jobs, 1)
        self.assertEqual(f["lunatic_process_environment_process_count"].value(), 2)
        self.assertEqual(f["lunatic_process_environment_count"].value(), 1)
        self.assertEqual(f["lunatic_process_messages_data_count"].value(), 17)
        self.assertEqual(f["lunatic_process_messages_outstanding"].value(), 10)
        sizes = f["lunatic_process_messages_data_size"].samples
        count = sizes["lunatic_process_messages_data_size_count", ()]
        small = sizes["lunatic_process_messages_data_size_bucket", (("le", "64"),)]
        self.assertEqual(count - small, 1)  # the one of 300 bytes
        depth = f["lunatic_process_mailbox_depth"].samples
        self.assertEqual(depth["lunatic_process_mailbox_depth_count", ()], 24)
        self.assertGreaterEqual(depth["lunatic_process_mailbox_depth_sum", ()], 5 + 55)
        self.assertEqual(f["lunatic_registry_write"].value(), 1)
        self.assertEqual(f["lunatic_registry_registered"].value(), 1)
        self.assertEqual(f["lunatic_timers_started"].value(), 1)
        self.assertEqual(f["lunatic_timers_active"].value(), 1)
        self.assertEqual(f["lunatic_process_modules_active"].value(), 1)
        self.assertGreater(f["lunatic_scheduler_runs_total"].value(), 7)
        self.assertGreater(f["lunatic_scheduler_idle_seconds_total"].value(), 0)
        self.assertEqual(f["lunatic_memory_slots"].value(), 2)
        self.assertGreater(f["process_open_fds"].value(), 3)
        # what the program counts
        self.assertEqual((f["shop_orders"].kind, f["shop_orders"].value()), ("counter", 7))
        self.assertEqual((f["heat"].kind, f["heat"].value()), ("gauge", -1.5))
        seconds = f["request_seconds"].samples
        self.assertEqual(seconds["request_seconds_bucket", (("le", "0.0025"),)], 0)
        self.assertEqual(seconds["request_seconds_bucket", (("le", "0.005"),)], 1)
        self.assertEqual(seconds["request_seconds_sum", ()], 30.003)
        self.assertEqual(f["lunatic_metrics_dropped_total"].value(reason="name"), 1)
        self.assertEqual(f["lunatic_metrics_dropped_total"].value(reason="kind"), 1)
        # again, and what may not go back
        g = self.scrape(at)
        self.assertEqual(g["lunatic_metrics_scrapes_total"].value(), 2)
        for name, family in f.items():
            if family.kind == "counter":
                for key, value in family.samples.items():
                    self.assertGreaterEqual(g[name].samples[key], value, name)
        p.send_signal(signal.SIGTERM)
        p.communicate(timeout=TIMEOUT)
        self.assertEqual(p.returncode, 143)

    def test_every_name_is_documented_and_the_dashboard_asks_for_names_that_exist(self):
        _, at = self.serve()
        names = {n for n in self.scrape(at) if n.startswith(("lunatic_", "process_"))}
        with open(os.path.join(ROOT, "docs", "metrics.md")) as f:
            page = f.read()
        kinds = dict(re.findall(r"^\| `((?:lunatic|process)_\w+)` \| ([CGH]) \| \S", page, re.M))
        self.assertEqual(set(kinds), names)
        alerts = re.findall(r"^ *expr: (.*)$", page, re.M)
        self.assertGreater(len(alerts), 3)
        self.assertLessEqual({n for a in alerts for n in re.findall(r"\b(?:lunatic|process)_\w+", a)}, names)
        letters = {"counter": "C", "gauge": "G", "histogram": "H"}
        for name, family in self.scrape(at).items():
            if name in kinds:
                self.assertEqual(kinds[name], letters[family.kind], name)
                self.assertTrue(family.help.endswith("."), name)
        with open(os.path.join(ROOT, "share", "grafana", "lunatic.json")) as f:
            dashboard = json.load(f)
        expressions = [t["expr"] for panel in dashboard["panels"] for t in panel.get("targets", [])]
        self.assertGreater(len(expressions), 20)
        values = {"job": set(), "instance": set()}  # which Prometheus adds
        for family in self.scrape(at).values():
            for _, labels in family.samples:
                for label, value in labels:
                    values.setdefault(label, set()).add(value)
        for expression in expressions + alerts:
            for label in re.findall(r"(\w+)\s*=~?\s*\"", expression) + re.findall(r"by \((\w+)\)", expression):
                self.assertIn(label, values, expression)
            for label, wanted in re.findall(r"(\w+)\s*=~?\s*\"([\w|]+)\"", expression):
                self.assertLessEqual(set(wanted.split("|")), values[label], expression)
        for expression in expressions:
            for name in re.findall(r"\b(?:lunatic|process)_\w+\b(?!\s*=|\))", expression):
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                self.assertTrue(name in names or kinds.get(base) == "H", f"{name} in {expression}")
        ids = [panel["id"] for panel in dashboard["panels"]]
        self.assertEqual(len(ids), len(set(ids)))

    @unittest.skipUnless(shutil.which("curl"), "curl is not installed")
    def test_curl_reads_it(self):
        _, (host, port) = self.serve()
        done = subprocess.run(["curl", "-sS", "--fail", "--max-time", str(TIMEOUT), f"http://{host}:{port}/metrics"],
                              stdout=subprocess.PIPE, check=True)
        self.assertIn("lunatic_build_info", parse(done.stdout.decode()))
        done = subprocess.run(["curl", "-sSI", "--max-time", str(TIMEOUT), f"http://{host}:{port}/metrics"],
                              stdout=subprocess.PIPE, check=True)
        self.assertEqual(self.answer(done.stdout)[0], 200)

    def test_other_requests_are_refused(self):
        _, at = self.serve()
        for request, status in [
            (b"GET / HTTP/1.1\r\n\r\n", 200),
            (b"GET /metrics?name=x HTTP/1.0\n\n", 200),
            (b"GET /nothing HTTP/1.1\r\n\r\n", 404),
            (b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc", 405),
            (b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03\r\n\r\n", 400),
            (b"GET /metrics\r\n\r\n", 400),
            (b"GET /metrics HTTP/1.1\r\nbad\r\n\r\n", 400),
            (b"GET /" + 9000 * b"x", 431),
        ]:
            got, headers, body = self.ask(at, request)
            self.assertEqual(got, status, request)
            self.assertEqual(int(headers["content-length"]), len(body))
            self.assertEqual(headers.get("allow"), "get, head" if status == 405 else None)
        status, headers, body = self.ask(at, b"HEAD /metrics HTTP/1.1\r\n\r\n")
        self.assertEqual((status, body), (200, b""))
        self.assertGreater(int(headers["content-length"]), 1000)

    def test_slow_clients_delay_nobody(self):
        _, at = self.serve()
        silent = [self.connect(at) for _ in range(20)]
        for s in silent[-3:]:
            s.sendall(b"GET /met")
        self.assertIn("lunatic_build_info", self.scrape(at))
        # A request in pieces is one request.
        s = self.connect(at)
        for byte in b"GET /metrics HTTP/1.1\r\n\r\n":
            s.sendall(bytes([byte]))
        data = b""
        while more := s.recv(65536):
            data += more
        self.assertEqual(self.answer(data)[0], 200)
        # The oldest had to go.
        self.assertEqual(silent[0].recv(1), b"")

    def test_clients_that_go_do_no_harm(self):
        _, at = self.serve()
        for _ in range(20):
            s = self.connect(at)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            s.sendall(b"GET /metrics HTTP/1.1\r\n\r\n")
            s.close()  # RST
        self.assertIn("lunatic_build_info", self.scrape(at))

    def test_a_program_that_loops_answers(self):
        _, at = self.serve("--workers", "1", text=r"""
            #include <stdio.h>
            int main(void)
            {
                volatile int n = 0;
                puts("ready");
                fflush(stdout);
                for (;;)
                    n++;
            }""")
        f = self.scrape(at)
        self.assertEqual(f["lunatic_process_environment_process_count"].value(), 1)

    def test_it_listens_where_it_is_told(self):
        program = self.program("int main(void) { return 0; }")
        for bad in ("9927", "localhost", "host.example:1", "127.0.0.1:70000", "::1:80", ""):
            self.assert_usage_error(self.lunatic("run", "--metrics", bad, program), "is no address to listen at")
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            self.assert_one_line(self.lunatic("run", "--metrics", f"127.0.0.1:{port}", program), 1,
                                 f"metrics at 127.0.0.1:{port}", "in use")
        done = self.lunatic("run", "--metrics", "localhost:0", program)
        self.assertRegex(done.stderr, r"\Alunatic: metrics at http://127\.0\.0\.1:[0-9]+/metrics\n\Z")
        self.assertEqual(done.returncode, 0)

    def test_the_options_of_the_original(self):
        program = self.program("int main(void) { return 0; }")
        done = self.lunatic("run", "--prometheus", "--prometheus-http", "127.0.0.1:0", program)
        self.assertRegex(done.stderr, r"\Alunatic: metrics at http://127\.0\.0\.1:[0-9]+/metrics\n\Z")
        self.assertEqual(done.returncode, 0)
        self.assert_usage_error(self.lunatic("run", "--prometheus-http", "127.0.0.1:0", program), "--prometheus",
                                "--metrics 127.0.0.1:0")
        self.assert_usage_error(self.lunatic("run", "--prometheus", "--metrics", "127.0.0.1:0", program), "say one")

    def test_ps_prints_them(self):
        p = subprocess.Popen([LUNATIC, self.program(BUSY)], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             cwd=self.folder, env={**os.environ, "XDG_RUNTIME_DIR": self.folder})
        self.addCleanup(self.end, p)
        self.assertEqual(p.stdout.readline(), b"ready\n")
        done = self.lunatic("ps", "--metrics", str(p.pid), env={"XDG_RUNTIME_DIR": self.folder})
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        f = parse(done.stdout)
        self.assertEqual(f["shop_orders"].value(), 7)
        self.assertEqual(f["lunatic_processes_spawned_total"].value(), 9)


if __name__ == "__main__":
    unittest.main()

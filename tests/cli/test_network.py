# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Names and network rules as a program meets them, with a name server of our own."""
import os
import socket
import subprocess
import sys
import unittest

from support import CliTest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from name_server import NameServer  # noqa: E402

# Does what its arguments say and tells how each went:
#   resolve NAME:PORT, resolve-in MS NAME:PORT, connect NAME:PORT (each address of it), listen ADDRESS,
#   datagram ADDRESS (sent from any port), bind ADDRESS (UDP), hear (a datagram, at a port that it tells)
PROBE = r"""
    #include <lunatic.h>
    #include <lunatic/net.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>

    static void tell(const char *what, const char *about, int e)
    {
        printf("%s %s: %s\n", what, about, e < 0 ? lun_error_text() : "ok");
    }

    static void resolve(const char *name, uint64_t timeout_ms)
    {
        lun_address all[16];
        char text[LUN_ADDRESS_TEXT_SIZE];
        int count = lun_resolve(name, all, 16, timeout_ms);

        printf("resolve %s:", name);
        for (int i = 0; i < count; i++)
            printf(" %s", lun_address_text(&all[i], text));
        printf("%s\n", count == -LUN_ETIMEOUT ? " timed out" : count < 0 ? lun_error_text() : "");
    }

    static void connect_all(const char *name)
    {
        lun_address all[16];
        char text[LUN_ADDRESS_TEXT_SIZE];
        int count = lun_resolve(name, all, 16, 20000);

        if (count < 0)
            tell("connect", name, count);
        for (int i = 0; i < count; i++) {
            lun_stream s;

            tell("connect", lun_address_text(&all[i], text), lun_tcp_connect_to(&s, &all[i], 20000));
        }
    }

    static void datagram(const char *to)
    {
        lun_address a;
        lun_udp u;
        int e = lun_resolve(to, &a, 1, 20000);

        if (e >= 0)
            e = lun_udp_bind(&u, a.family == 4 ? "0.0.0.0:0" : "[::]:0");
        if (e >= 0)
            e = lun_udp_send_to(&u, "x", 1, &a);
        tell("datagram", to, e);
        if (e >= 0)
            tell("datagram to peer", to, lun_udp_connect(&u, &a));
    }

    static void hear(void)
    {
        lun_address self, from;
        char data[64] = "", text[LUN_ADDRESS_TEXT_SIZE];
        lun_udp u;

        if (lun_udp_bind(&u, "127.0.0.1:0") != 0 || lun_udp_address(&u, &self) != 0)
            exit(1);
        printf("%u\n", self.port);
        fflush(stdout);
        while (lun_udp_receive(&u, data, sizeof data - 1, &from) > 0 && strcmp(data, "end") != 0)
            printf("heard %s from port %u\n", data, from.port);
        (void)text;
    }

    int main(int argc, char **argv)
    {
        for (int i = 1; i + 1 < argc; i += 2) {
            const char *what = argv[i], *about = argv[i + 1];
            lun_listener l;
            lun_udp u;

            if (strcmp(what, "resolve") == 0)
                resolve(about, 20000);
            else if (strncmp(what, "resolve-in-", 11) == 0)
                resolve(about, strtoull(what + 11, NULL, 10));
            else if (strcmp(what, "connect") == 0)
                connect_all(about);
            else if (strcmp(what, "listen") == 0)
                tell(what, about, lun_tcp_listen(&l, about));
            else if (strcmp(what, "bind") == 0)
                tell(what, about, lun_udp_bind(&u, about));
            else if (strcmp(what, "datagram") == 0)
                datagram(about);
            else if (strcmp(what, "hear") == 0)
                hear();
            else
                return 2;
        }
        return 0;
    }"""


class NetworkTest(CliTest):
    compiled = None

    def setUp(self):
        super().setUp()
        if not NetworkTest.compiled:
            with open(os.path.join(self.folder, self.compile(PROBE)), "rb") as f:
                NetworkTest.compiled = f.read()
        self.probe = self.write("probe.wasm", NetworkTest.compiled)

    def server(self, records, **more):
        server = NameServer(records, **more)
        self.addCleanup(server.close)
        return server

    def run_probe(self, server, options, *words):
        env = {"LUNATIC_DNS_SERVERS": server.address} if server else None
        done = self.lunatic("run", *options, self.probe, "--", *words, env=env)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def listener(self):
        """A listener that takes whoever comes; its port."""
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        s.listen(16)
        self.addCleanup(s.close)
        return s.getsockname()[1]


class Names(NetworkTest):
    def test_names_addresses_and_failures(self):
        server = self.server({"both.test": ["192.0.2.1", "192.0.2.2", "2001:db8::1"], "none.test": []})
        lines = self.run_probe(
            server, [], "resolve", "BOTH.test:80", "resolve", "10.1.2.3:443", "resolve", "[2001:db8::2]:1",
            "resolve", "both.test", "resolve", "both.test:http", "resolve", "both.test:65536", "resolve",
            "gone.test:80", "resolve", "none.test:80", "resolve", ":80", "resolve", "both.test:0", "resolve",
            "localhost:7", "resolve", "::1:80", "resolve", "a\\.b:1")
        first = lines[0].split()
        self.assertEqual(sorted(first[2:]), ["192.0.2.1:80", "192.0.2.2:80", "[2001:db8::1]:80"])
        self.assertEqual(lines[1], "resolve 10.1.2.3:443: 10.1.2.3:443")
        self.assertEqual(lines[2], "resolve [2001:db8::2]:1: [2001:db8::2]:1")
        self.assertEqual(lines[3], "resolve both.test:invalid socket address")
        self.assertEqual(lines[4], "resolve both.test:http:invalid port value")
        self.assertEqual(lines[5], "resolve both.test:65536:invalid port value")
        failed = "failed to lookup address information: "
        self.assertEqual(lines[6], "resolve gone.test:80:" + failed + "Name or service not known")
        self.assertEqual(lines[7], "resolve none.test:80:" + failed + "No address associated with hostname")
        self.assertEqual(lines[8], "resolve :80:" + failed + "Name or service not known")
        self.assertEqual(len(lines[9].split()), 5)
        self.assertIn("127.0.0.1:7", lines[10])
        self.assertEqual(lines[11], "resolve ::1:80: [::1]:80")

        self.assertEqual(lines[12], "resolve a\\.b:1:" + failed + "Name or service not known")
        # one question each, though it was looked up twice; localhost is in /etc/hosts
        self.assertEqual(sorted(server.asked), sorted([("both.test", "A"), ("both.test", "AAAA"),
                         ("gone.test", "A"), ("gone.test", "AAAA"), ("none.test", "A"), ("none.test", "AAAA")]))

    def test_a_silent_server(self):
        server = self.server({"*": ["silence"]})
        lines = self.run_probe(server, [], "resolve-in-50", "a.test:80", "resolve-in-0", "a.test:80",
                               "resolve-in-0", "1.2.3.4:80")
        self.assertEqual(lines, ["resolve a.test:80: timed out", "resolve a.test:80: timed out",
                                 "resolve 1.2.3.4:80: 1.2.3.4:80"])

    def test_the_error_of_a_timeout_is_one(self):
        server = self.server({"*": ["silence"]})
        program = self.compile(r"""
            #include <lunatic/host.h>
            #include <stdio.h>
            int main(void)
            {
                uint64_t id = 99;
                char text[64] = "";
                uint32_t code = lunatic_networking_resolve(LUN_ADDRESS("a.test:1"), 8, 20, LUN_ADDRESS(&id));
                lunatic_error_to_string(id, LUN_ADDRESS(text));
                lunatic_error_drop(id);
                printf("%u %s\n", code, text);
                return 0;
            }""", "timeout")
        done = self.lunatic("run", program, env={"LUNATIC_DNS_SERVERS": server.address})
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "9027 operation timed out\n", ""))

    def test_who_waits_for_a_name_can_be_killed_and_others_run(self):
        server = self.server({"*": ["silence"], "good.test": ["192.0.2.9"]})
        program = self.compile(r"""
            #include <lunatic.h>
            #include <lunatic/net.h>
            #include <stdio.h>
            static void waits(const int *n)
            {
                lun_address a;
                char name[32];

                snprintf(name, sizeof name, "n%d.test:1", *n);
                lun_resolve(name, &a, 1, LUN_FOREVER);
            }
            int main(void)
            {
                lun_process all[50];
                lun_message m;
                lun_address a;
                int down = 0;

                for (int i = 0; i < 50; i++) {
                    int n = i % 20;
                    all[i] = LUN_SPAWN(waits, &n);
                    lun_monitor(all[i]);
                }
                lun_sleep(50);
                printf("%d\n", lun_resolve("good.test:5", &a, 1, 20000));
                for (int i = 0; i < 50; i++)
                    lun_kill(all[i]);
                while (down < 50 && lun_receive(&m, 20000) == 0)
                    down++;
                printf("%d\n", down);
                return 0;
            }""", "waits")
        done = self.lunatic("run", "--log", "error", program, env={"LUNATIC_DNS_SERVERS": server.address})
        self.assertEqual((done.returncode, done.stdout, done.stderr), (0, "1\n50\n", ""))

    def test_the_list_of_servers_is_checked(self):
        for wrong in ["", "nonsense", "127.0.0.1:port", "127.0.0.1,,"]:
            done = self.lunatic("run", self.probe, env={"LUNATIC_DNS_SERVERS": wrong})
            self.assertNotEqual(done.returncode, 0)
            self.assertIn("is no list of name servers", done.stderr)

    def test_deterministic_runs_look_up_too(self):
        server = self.server({"a.test": ["192.0.2.1"]})
        self.assertEqual(self.run_probe(server, ["--seed", "1"], "resolve", "a.test:80"),
                         ["resolve a.test:80: 192.0.2.1:80"])


class Rules(NetworkTest):
    """Attempts to get around network rules."""

    def refused(self, line, what):
        self.assertTrue(line.endswith(what + " is not permitted"), line)

    def test_other_spellings_of_an_address(self):
        port = self.listener()
        for options in (["--deny-net", "127.0.0.0/8"], ["--deny-net", "localhost"],
                        ["--allow-net", "connect,datagram=10.0.0.0/8"],
                        ["--allow-net", "connect,datagram=127.0.0.1:1"]):
            for spelling in ("127.0.0.1", "[::ffff:127.0.0.1]", "0.0.0.0", "[::ffff:0.0.0.0]",
                             "[::ffff:7f00:1]"):
                lines = self.run_probe(None, options, "connect", "%s:%d" % (spelling, port),
                                       "datagram", "%s:%d" % (spelling, port))
                self.assertIn("is not permitted", lines[0], (options, spelling))
                self.assertIn("is not permitted", lines[1], (options, spelling))
        lines = self.run_probe(None, ["--deny-net", "10.0.0.0/8"], "connect", "127.0.0.1:%d" % port)
        self.assertEqual(lines, ["connect 127.0.0.1:%d: ok" % port])

    def test_all_addresses_include_a_denied_one(self):
        lines = self.run_probe(None, ["--deny-net", "listen=127.0.0.1"], "listen", "0.0.0.0:0", "listen",
                               "[::]:0", "listen", "127.0.0.1:0", "bind", "0.0.0.0:45679", "bind",
                               "[::]:45679", "bind", "127.0.0.1:45679")
        for line in lines:
            self.assertIn("is not permitted", line)
        lines = self.run_probe(None, ["--allow-net", "listen=127.0.0.1"], "listen", "0.0.0.0:0", "listen",
                               "[::]:0", "listen", "127.0.0.1:0")
        self.refused(lines[0], "listening at 0.0.0.0:0")
        self.refused(lines[1], "listening at [::]:0")
        self.assertEqual(lines[2], "listen 127.0.0.1:0: ok")

    def test_an_allowed_name_is_its_addresses_once_looked_up(self):
        port = self.listener()
        server = self.server({"good.test": ["127.0.0.1"], "evil.test": ["127.0.0.1"]})
        rule = ["--allow-net", "connect=good.test:%d" % port]
        lines = self.run_probe(server, rule, "connect", "127.0.0.1:%d" % port, "connect", "evil.test:%d" % port,
                               "connect", "good.test:%d" % port, "connect", "127.0.0.1:%d" % port,
                               "connect", "good.test:%d" % (port ^ 1))
        self.refused(lines[0], "connecting to 127.0.0.1:%d" % port)  # an address is not a name
        self.refused(lines[1], "looking up evil.test")
        self.assertEqual(lines[2], "connect 127.0.0.1:%d: ok" % port)
        self.assertEqual(lines[3], "connect 127.0.0.1:%d: ok" % port)  # it is known as good.test now
        self.refused(lines[4], "connecting to 127.0.0.1:%d" % (port ^ 1))
        self.assertEqual({name for name, _ in server.asked}, {"good.test"})

    def test_names_that_look_like_an_allowed_one(self):
        server = self.server({"*": ["127.0.0.1"]})
        names = ["xgood.test", "good.test.evil.test", "test", "good", "www.good.test", "good-.test", "good.tes"]
        words = [word for name in names for word in ("resolve", name + ":80")]
        for line, name in zip(self.run_probe(server, ["--allow-net", "good.test"], *words), names):
            self.assertIn("looking up %s is not permitted" % name, line)
        lines = self.run_probe(server, ["--allow-net", "*.good.test"], "resolve", "good.test:80", "resolve",
                               "a.good.test:80", "resolve", "A.B.GOOD.TEST.:80", "resolve", "agood.test:80")
        self.assertIn("is not permitted", lines[0])
        self.assertIn("127.0.0.1:80", lines[1])
        self.assertIn("127.0.0.1:80", lines[2])
        self.assertIn("is not permitted", lines[3])

    def test_an_allowed_name_that_points_to_a_denied_address(self):
        """DNS rebinding: whoever answers for a name cannot give away addresses that are denied."""
        port = self.listener()
        server = self.server({"good.test": ["127.0.0.1", "::ffff:127.0.0.1"]}, ttl=0)
        lines = self.run_probe(server, ["--allow-net", "good.test", "--deny-net", "127.0.0.0/8"],
                               "connect", "good.test:%d" % port, "datagram", "good.test:%d" % port)
        self.assertEqual(len(lines), 3)
        for line in lines:
            self.assertIn("is not permitted", line)

    def test_rebinding_after_the_check(self):
        """The second answer is checked like the first: what is checked is what is opened."""
        port = self.listener()
        server = self.server({"good.test": ["192.0.2.1"]}, ttl=0)
        original = server.answer

        def answer(question):
            found = original(question)
            server.records["good.test"] = ["127.0.0.1"]
            return found

        server.answer = answer
        lines = self.run_probe(server, ["--deny-net", "127.0.0.0/8"], "resolve", "good.test:%d" % port,
                               "connect", "good.test:%d" % port)
        self.refused(lines[-1], "connecting to 127.0.0.1:%d" % port)

    def test_denied_names_are_not_asked_for(self):
        server = self.server({"*": ["192.0.2.1"]})
        lines = self.run_probe(server, ["--deny-net", "evil.test", "--deny-net", "*.evil.test"], "resolve",
                               "evil.test:80", "resolve", "EVIL.test.:80", "resolve", "data.evil.test:80",
                               "resolve", "e\\vil.test:80", "resolve", "\\101.evil.test:80", "resolve", "fine.test:80")
        for line in lines[:3]:
            self.assertIn("is not permitted", line)
        for line in lines[3:5]:
            self.assertIn("Name or service not known", line)
        self.assertIn("192.0.2.1:80", lines[5])
        self.assertEqual({name for name, _ in server.asked}, {"fine.test"})

    def test_nothing_at_all(self):
        policy = self.write("none.toml", "[network]\nallow = []\n")
        port = self.listener()
        server = self.server({"*": ["127.0.0.1"]})
        lines = self.run_probe(server, ["--policy", policy], "resolve", "a.test:80", "connect",
                               "127.0.0.1:%d" % port, "listen", "127.0.0.1:0", "bind", "127.0.0.1:0",
                               "datagram", "127.0.0.1:%d" % port)
        for line in lines:
            self.assertIn("permitted", line)
        self.assertEqual(len(lines), 5)
        self.assertEqual(server.asked, [])

    def test_datagrams_that_must_not_be_heard(self):
        friend, stranger = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
        for s in (friend, stranger):
            s.bind(("127.0.0.1", 0))
            self.addCleanup(s.close)
        port = friend.getsockname()[1]
        run = self.start("run", "--allow-net", "datagram=127.0.0.1:%d" % port, self.probe, "--", "hear", "-")
        self.addCleanup(run.stdout.close)
        self.addCleanup(run.stderr.close)
        to = ("127.0.0.1", int(run.stdout.readline()))
        for i in range(200):
            stranger.sendto(b"secret", to)
        friend.sendto(b"one", to)
        stranger.sendto(b"end", to)
        friend.sendto(b"two", to)
        friend.sendto(b"end", to)
        out = run.stdout.read().decode().splitlines()
        self.assertEqual(run.wait(timeout=100), 0)
        self.assertEqual(out, ["heard one from port %d" % port, "heard two from port %d" % port])

    def test_other_side_of_a_datagram(self):
        lines = self.run_probe(None, ["--allow-net", "datagram=127.0.0.1:9"], "datagram", "127.0.0.1:9",
                               "datagram", "127.0.0.1:10", "datagram", "[::1]:9")
        self.assertEqual(lines[0], "datagram 127.0.0.1:9: ok")
        self.assertEqual(lines[1], "datagram to peer 127.0.0.1:9: ok")
        self.refused(lines[2], "exchanging datagrams with 127.0.0.1:10")
        self.refused(lines[3], "exchanging datagrams with [::1]:9")


# Processes that wait for a name, for a datagram on a socket of all and on one of their own, in a queue of receivers,
# or are about to, are killed at random.
VICTIMS = r"""
    #include <lunatic.h>
    #include <lunatic/net.h>
    #include <stdio.h>
    #include <stdlib.h>

    struct task { lun_process parent; unsigned what; };

    static void victim(const struct task *t)
    {
        lun_udp shared, own;
        lun_message m;
        lun_address a, from;
        char data[16], name[40];

        lun_receive_tag(&m, 5, LUN_FOREVER);
        shared = lun_take_udp();
        switch (t->what % 4) {
        case 0:
            snprintf(name, sizeof name, "n%u.silent.test:1", t->what % 50);
            lun_resolve(name, &a, 1, t->what % 3 ? LUN_FOREVER : t->what % 20);
            break;
        case 1:
            snprintf(name, sizeof name, "n%u.good.test:1", t->what);
            lun_resolve(name, &a, 1, LUN_FOREVER);
            break;
        case 2:
            if (lun_udp_bind(&own, "127.0.0.1:0") == 0)
                lun_udp_receive(&own, data, sizeof data, &from);
            break;
        }
        for (;;)
            lun_udp_receive(&shared, data, sizeof data, &from);
    }

    int main(int argc, char **argv)
    {
        enum { ALIVE = 64 };
        unsigned kills = (unsigned)atoi(argv[argc - 1]), n = 0, down = 0;
        lun_process all[ALIVE] = {0};
        lun_address at, from;
        lun_message m;
        lun_udp u, clone;

        if (lun_udp_bind(&u, "127.0.0.1:0") != 0 || lun_udp_address(&u, &at) != 0)
            return 1;
        lun_resolve("first.good.test:1", &at, 1, LUN_FOREVER);
        lun_udp_address(&u, &at);
        puts("ready");
        fflush(stdout);
        getchar();
        srand(7);
        for (; n < kills; n++) {
            unsigned i = (unsigned)rand() % ALIVE;
            struct task t = {lun_self(), (unsigned)rand()};

            if (all[i]) {
                lun_kill(all[i]);
                while (lun_receive(&m, LUN_FOREVER) != 0 || m.kind != LUN_PROCESS_DIED)
                    ;
                down++;
            }
            all[i] = LUN_SPAWN(victim, &t);
            lun_monitor(all[i]);
            clone = lun_udp_clone(&u);
            lun_send_udp(all[i], 5, &clone, NULL, 0);
            lun_udp_send_to(&u, "x", 1, &at);
            if (n % 16 == 0)
                lun_sleep(1);
        }
        for (unsigned i = 0; i < ALIVE; i++)
            lun_kill(all[i]);
        while (down < kills && lun_receive(&m, LUN_FOREVER) == 0)
            down += m.kind == LUN_PROCESS_DIED;
        puts("gone");
        fflush(stdout);
        lun_resolve("nobody.silent.test:1", &from, 1, 1);
        lun_udp_send_to(&u, "x", 1, &at);
        lun_udp_receive(&u, &n, 0, NULL);
        printf("%d\n", lun_resolve("last.good.test:1", &at, 1, LUN_FOREVER));
        fflush(stdout);
        getchar();
        return 0;
    }"""


class Kills(NetworkTest):
    def test_kills_in_every_state_leave_no_descriptor(self):
        records = {"*": ["192.0.2.1"]}
        records.update({"n%d.silent.test" % i: ["silence"] for i in range(50)})
        records["nobody.silent.test"] = ["silence"]
        server = self.server(records)
        kills = os.environ.get("LUNATIC_KILLS", "2000")
        run = self.start("run", "--log", "off", self.compile(VICTIMS, "victims"), "--", kills, stdin=subprocess.PIPE,
                         env={**os.environ, "LUNATIC_DNS_SERVERS": server.address})
        for f in (run.stdin, run.stdout, run.stderr):
            self.addCleanup(f.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)

        def descriptors():
            return len(os.listdir("/proc/%d/fd" % run.pid))

        self.assertEqual(run.stdout.readline(), b"ready\n")
        before = descriptors()
        run.stdin.write(b"\n")
        run.stdin.flush()
        self.assertEqual(run.stdout.readline(), b"gone\n")
        self.assertEqual(run.stdout.readline(), b"1\n")
        self.assertLessEqual(descriptors(), before + 1)  # the resolver's socket
        run.stdin.write(b"\n")
        run.stdin.flush()
        self.assertEqual((run.wait(timeout=100), run.stderr.read()), (0, b""))

    def test_ps_says_what_is_waited_for(self):
        server = self.server({"*": ["silence"]})
        run = self.start("run", self.compile(r"""
            #include <lunatic.h>
            #include <lunatic/net.h>
            #include <stdio.h>
            static void asks(const int *unused)
            {
                lun_address a;

                (void)unused;
                lun_resolve("silent.test:1", &a, 1, LUN_FOREVER);
            }
            int main(void)
            {
                lun_address a;
                lun_udp u;
                int n = 0;

                LUN_SPAWN(asks, &n);
                if (lun_udp_bind(&u, "127.0.0.1:0") != 0 || lun_udp_address(&u, &a) != 0)
                    return 1;
                printf("%d\n", a.port);
                fflush(stdout);
                lun_udp_receive(&u, &n, sizeof n, NULL);
                return 0;
            }""", "waits"), env={**os.environ, "LUNATIC_DNS_SERVERS": server.address})
        for f in (run.stdout, run.stderr):
            self.addCleanup(f.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)
        port = int(run.stdout.readline())
        for _ in range(200):
            out = self.lunatic("ps", str(run.pid)).stdout
            if "looking up silent.test" in out and "receiving datagrams at 127.0.0.1:%d" % port in out:
                return
        self.fail(out)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: Apache-2.0 OR MIT
"""TCP servers and peers that misbehave; too few descriptors; kills in every state that a socket can be in."""
import os
import signal
import socket
import struct
import subprocess
import time
import unittest

from servers import PATIENCE, ServerTest, eventually, receive, receive_all
from support import LUNATIC, CliTest


def descriptors(process):
    return len(os.listdir(f"/proc/{process.pid}/fd"))


def reset(s):
    """Closes it so that the other side gets a reset."""
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    s.close()


class Peers(ServerTest):
    EXAMPLE = "echo"

    def assert_serves(self):
        s = self.connect()
        s.sendall(b"still there?")
        self.assertEqual(receive(s, 12), b"still there?")
        s.close()

    def test_every_kind_of_end_closes_the_connection_and_hurts_nobody(self):
        before = self.sockets()
        for _ in range(20):
            sockets = [self.connect() for _ in range(5)]
            reset(sockets[0])  # before a byte
            sockets[1].sendall(b"x" * 100000)
            reset(sockets[1])  # with bytes on their way in both directions
            sockets[2].sendall(b"half")
            sockets[2].shutdown(socket.SHUT_WR)
            self.assertEqual(receive_all(sockets[2]), b"half")
            sockets[3].close()
            sockets[4].sendall(b"unread")
            sockets[4].close()
        eventually(lambda: self.sockets() == before, "the descriptors are closed")
        self.assert_serves()

    def sockets(self):
        """That the server has open."""
        links = []
        for fd in os.listdir(f"/proc/{self.server.pid}/fd"):
            try:
                links.append(os.readlink(f"/proc/{self.server.pid}/fd/{fd}"))
            except FileNotFoundError:
                pass
        return sum(link.startswith("socket:") for link in links)

    def test_bytes_one_at_a_time_and_silence(self):
        silent = [self.connect() for _ in range(50)]
        slow = self.connect()
        slow.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in b"one at a time":
            slow.sendall(bytes([byte]))
            time.sleep(0.005)
            self.assertEqual(receive(slow, 1), bytes([byte]))
        for s in silent:
            s.sendall(b"awake")
            self.assertEqual(receive(s, 5), b"awake")

    def test_urgent_data_does_not_stop_what_follows(self):
        s = self.connect()
        for _ in range(20):
            s.sendall(b"abc")
            s.send(b"d!", socket.MSG_OOB)  # `!` is not part of the stream
            s.sendall(b"ef")
            self.assertEqual(receive(s, 6), b"abcdef")

    def test_a_peer_that_does_not_read_waits_alone(self):
        s = self.connect()
        s.setblocking(False)
        sent = 0
        try:
            while True:
                sent += s.send(b"z" * 65536)
        except BlockingIOError:
            pass
        self.assert_serves()
        time.sleep(0.05)
        s.setblocking(True)
        s.settimeout(PATIENCE)
        self.assertEqual(receive(s, sent), b"z" * sent)


class FewDescriptors(ServerTest):
    EXAMPLE = "echo"

    def serve(self, at="127.0.0.1:0"):
        errors = open(os.path.join(self.folder, "errors"), "w+")
        self.addCleanup(errors.close)
        server = subprocess.Popen(["prlimit", "--nofile=160", LUNATIC, "run", self.wasm, at],
                                  stdout=subprocess.PIPE, stderr=errors, text=True, cwd=self.folder)
        self.addCleanup(self.stop, server, errors)
        self.errors = errors
        return server, int(server.stdout.readline().rsplit(":", 1)[1])

    def test_those_that_are_served_do_not_notice_when_descriptors_run_out(self):
        first = [self.connect() for _ in range(60)]
        for s in first:
            s.sendall(b"hello")
            self.assertEqual(receive(s, 5), b"hello")
        more = [self.connect() for _ in range(60)]  # the kernel accepts them; the server cannot

        def complained():
            self.errors.seek(0)
            return "Too many open files (os error 24)" in self.errors.read()
        eventually(complained, "the guest hears of it")
        for s in first:
            s.sendall(b"again")
            self.assertEqual(receive(s, 5), b"again")
        for s in first:
            s.close()
        for s in more:  # now there is room
            s.settimeout(PATIENCE)
            s.sendall(b"at last")
            self.assertEqual(receive(s, 7), b"at last")


# Victims in every state of a socket, killed at random times. Prints a line when it begins and one when all are
# gone, and waits for the end of its input in between and afterwards.
VICTIMS = r"""
    #include <lunatic.h>
    #include <lunatic/net.h>
    #include <stdio.h>
    #include <stdlib.h>

    #define ALIVE 32

    static lun_listener echoes; /* of this process: the address is the same for all */
    struct world { lun_address at, unused; int state; };

    static void echo(lun_stream *s, const int *unused)
    {
        char data[300];
        long n;

        (void)unused;
        while ((n = lun_stream_read(s, data, sizeof data)) > 0)
            if (lun_stream_write(s, data, (size_t)n) != 0)
                return;
    }

    static void serve(const struct world *w)
    {
        lun_message m;
        int none = 0;
        lun_process parent;

        lun_receive(&m, LUN_FOREVER);
        lun_read(&parent, sizeof parent);
        if (lun_tcp_listen(&echoes, "127.0.0.1:0") != 0)
            abort();
        lun_listener_address(&echoes, (lun_address *)&w->at);
        lun_send(parent, 1, &w->at, sizeof w->at);
        LUN_SERVE(&echoes, echo, &none);
    }

    static void read_for_ever(lun_stream *s, const int *unused)
    {
        char data[8];

        (void)unused;
        lun_stream_read(s, data, sizeof data);
    }

    static char block[200000];

    static void victim(const struct world *w)
    {
        lun_stream s, copy;
        lun_listener own;
        lun_address at;
        lun_message m;
        char data[64];
        int none = 0, i;

        if (w->state == 0) { /* accepts */
            if (lun_tcp_listen(&own, "127.0.0.1:0") == 0)
                lun_accept(&own, &s, NULL);
            return;
        }
        if (w->state == 1) { /* listens, connects to itself, does not accept */
            if (lun_tcp_listen(&own, "127.0.0.1:0") != 0 || lun_listener_address(&own, &at) != 0)
                return;
            for (i = 0; i < 4; i++)
                lun_tcp_connect_to(&s, &at, 1000);
            lun_sleep(LUN_FOREVER);
        }
        if (w->state == 2) { /* connects to an address where nobody is */
            at = w->at;
            at.port = 1;
            for (;;)
                if (lun_tcp_connect_to(&s, &at, 1000) == 0)
                    lun_stream_close(&s);
        }
        if (w->state == 3) { /* waits for a datagram; a clone of its socket is in its mailbox */
            lun_udp udp, twin;

            if (lun_udp_bind(&udp, "127.0.0.1:0") != 0)
                return;
            twin = lun_udp_clone(&udp);
            lun_send_udp(lun_self(), 7, &twin, "x", 1);
            lun_udp_receive(&udp, data, sizeof data, NULL);
            return;
        }
        if (w->state == 4) /* asks for a name */
            for (;;)
                lun_resolve("no.such.name.invalid:80", &at, 1, LUN_FOREVER);
        if (lun_tcp_connect_to(&s, &w->at, 60000) != 0)
            return;
        switch (w->state) {
        case 5: /* to and fro */
            for (;;) {
                lun_stream_write(&s, "0123456789", 10);
                lun_stream_read(&s, data, sizeof data);
            }
        case 6: /* reads what never comes */
            lun_stream_read(&s, data, sizeof data);
            return;
        case 7: /* the same, with time-outs */
            lun_stream_set_read_timeout(&s, 1);
            for (;;)
                lun_stream_read(&s, data, sizeof data);
        case 8: /* writes until nothing more goes out */
            for (;;)
                lun_stream_write(&s, block, sizeof block);
        case 9: /* several wait for one stream, one of them is this */
            for (i = 0; i < 3; i++) {
                copy = lun_stream_clone(&s);
                lun_link(LUN_SPAWN_STREAM(read_for_ever, &copy, &none), 0); /* dies with it */
            }
            read_for_ever(&s, &none);
            return;
        case 10: /* streams in the mailbox and in the hand */
            for (i = 0; i < 3; i++) {
                copy = lun_stream_clone(&s);
                lun_send_stream(lun_self(), 7, &copy, "x", 1);
            }
            lun_stream_close(&s);
            lun_receive_tag(&m, 7, LUN_FOREVER);
            lun_receive_tag(&m, 8, LUN_FOREVER);
            return;
        case 11: /* peeks */
            lun_stream_write(&s, "x", 1);
            for (;;)
                lun_stream_peek(&s, data, sizeof data);
        default: /* opens and closes */
            for (;;) {
                lun_stream_close(&s);
                if (lun_tcp_connect_to(&s, &w->at, 60000) != 0)
                    return;
            }
        }
    }

    int main(int argc, char **argv)
    {
        int kills = argc > 1 ? atoi(argv[1]) : 1000, i;
        static lun_process victims[ALIVE];
        struct world w = {.state = 0};
        lun_process self = lun_self(), server;
        lun_message m;

        lun_die_with_links(false);
        server = LUN_SPAWN(serve, &w);
        lun_send(server, 1, &self, sizeof self);
        lun_receive_tag(&m, 1, LUN_FOREVER);
        lun_read_exactly(&w.at, sizeof w.at);
        lun_resolve("no.such.name.invalid:80", &w.unused, 1, LUN_FOREVER); /* what the resolver keeps */
        puts("ready");
        fflush(stdout);
        getchar();
        srand(1);
        for (i = 0; i < kills; i++) {
            lun_process *p = &victims[rand() % ALIVE];

            if (*p)
                lun_kill(*p);
            w.state = rand() % 13;
            *p = LUN_SPAWN(victim, &w);
            if (rand() % 4 == 0)
                lun_sleep((uint64_t)(rand() % 3));
        }
        for (i = 0; i < ALIVE; i++)
            if (victims[i])
                lun_kill(victims[i]);
        puts("gone");
        fflush(stdout);
        lun_sleep(LUN_FOREVER);
    }
"""


class Kills(CliTest):
    def test_kills_in_every_state_leave_no_descriptor(self):
        kills = os.environ.get("LUNATIC_KILLS", "2000")
        wasm = os.path.join(self.folder, self.compile(VICTIMS))
        server = subprocess.Popen([LUNATIC, "run", wasm, kills], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                  stderr=subprocess.DEVNULL,
                                  env={**os.environ, "LUNATIC_DNS_SERVERS": "127.0.0.1:9"})
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.addCleanup(server.stdin.close)
        self.addCleanup(server.stdout.close)
        self.assertEqual(server.stdout.readline(), b"ready\n")
        time.sleep(0.1)
        before = descriptors(server)
        server.stdin.write(b"\n")
        server.stdin.flush()
        self.assertEqual(server.stdout.readline(), b"gone\n")
        eventually(lambda: descriptors(server) <= before, f"{before} descriptors as before the kills")
        server.send_signal(signal.SIGINT)
        self.assertEqual(server.wait(PATIENCE), 130)


# Connects to the address that it is told, with a timeout that is over at once and with one that is not; what it gets
# is an error that can be dropped. Then a child connects, and is killed while it waits.
CONNECTS = r"""
    #include <lunatic.h>
    #include <lunatic/host.h>
    #include <lunatic/net.h>
    #include <stdio.h>

    static lun_address to;

    static void try_for(uint64_t timeout_ms)
    {
        uint64_t id = 12345;
        uint32_t code = lunatic_networking_tcp_connect(4, LUN_ADDRESS(to.bytes), to.port, 0, 0, timeout_ms,
                                                       LUN_ADDRESS(&id));
        char text[100] = "";

        if (code != 0) {
            lunatic_error_to_string(id, LUN_ADDRESS(text));
            lunatic_error_drop(id);
        }
        printf("%u %s\n", code, text);
    }

    static void child(const lun_address *whom)
    {
        lun_stream s;
        lun_send(1, 1, NULL, 0);
        lun_tcp_connect_to(&s, whom, LUN_FOREVER);
        lun_send(1, 2, NULL, 0);
    }

    int main(int argc, char **argv)
    {
        lun_message m;
        lun_process p;

        lun_address_parse(&to, argv[argc - 1]);
        try_for(0);
        try_for(50);
        p = LUN_SPAWN(child, &to);
        lun_receive_tag(&m, 1, LUN_FOREVER);
        puts(lun_receive_tag(&m, 2, 50) == -LUN_ETIMEOUT ? "it waits" : "it does not wait");
        lun_kill(p);
        while (lun_exists(p))
            lun_sleep(1);
        puts("and is gone");
        return 0;
    }"""


class Connects(CliTest):
    def test_a_peer_that_does_not_answer(self):
        with socket.socket() as full:  # what it does not accept, and has no room for, is not answered
            full.bind(("127.0.0.1", 0))
            full.listen(0)
            waiting = [socket.socket() for _ in range(8)]
            for s in waiting:
                self.addCleanup(s.close)
                s.setblocking(False)
                s.connect_ex(full.getsockname())
            done = self.lunatic("run", self.compile(CONNECTS), "127.0.0.1:%d" % full.getsockname()[1])
        self.assertEqual((done.returncode, done.stderr.count("failed:")), (0, 0), done.stderr)
        self.assertEqual(done.stdout.splitlines(),
                         ["9027 operation timed out", "9027 operation timed out", "it waits", "and is gone"])


class Looks(CliTest):
    PROGRAM = r"""
        #include <lunatic.h>
        #include <lunatic/net.h>
        #include <stdio.h>

        static void read_some(const lun_address *at)
        {
            lun_stream s;
            char data[8];

            if (lun_tcp_connect_to(&s, at, LUN_FOREVER) == 0)
                lun_stream_read(&s, data, sizeof data);
        }

        int main(void)
        {
            lun_listener l;
            lun_address at;
            lun_stream s;

            if (lun_tcp_listen(&l, "127.0.0.1:0") != 0 || lun_listener_address(&l, &at) != 0)
                return 1;
            LUN_SPAWN(read_some, &at);
            if (lun_accept(&l, &s, NULL) != 0)
                return 1;
            printf("%d\n", at.port);
            fflush(stdout);
            lun_accept(&l, &s, NULL);
        }
    """

    def test_ps_says_what_is_waited_for(self):
        wasm = self.compile(self.PROGRAM)
        server = self.start("run", wasm)
        self.addCleanup(server.wait)
        self.addCleanup(server.kill)
        self.addCleanup(server.stdout.close)
        self.addCleanup(server.stderr.close)
        port = int(server.stdout.readline())

        def table():
            return self.lunatic("ps", str(server.pid)).stdout
        eventually(lambda: f"reading from 127.0.0.1:{port}" in table(), "the reader waits")
        self.assertIn(f"accepting at 127.0.0.1:{port}", table())


if __name__ == "__main__":
    unittest.main()

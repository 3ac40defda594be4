# SPDX-License-Identifier: Apache-2.0 OR MIT
"""When the system has no port left: whoever asks for one gets an error, and nothing else notices. In a network of
its own that has eight ports to give; skipped without the right to make one."""
import ctypes
import fcntl
import os
import socket
import struct
import unittest

from support import CliTest

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000
PORTS = 8

PROGRAM = r"""
    #include <lunatic.h>
    #include <lunatic/net.h>
    #include <stdio.h>
    #include <string.h>

    static void echo(lun_stream *s, const void *data, size_t size)
    {
        char byte;
        (void)data, (void)size;
        while (lun_stream_read(s, &byte, 1) == 1)
            lun_stream_write(s, &byte, 1);
    }

    static void serve(const void *data, size_t size)
    {
        lun_listener listener;
        (void)data, (void)size;
        if (lun_tcp_listen(&listener, "127.0.0.1:7000") != 0)
            return;
        lun_send(1, 1, NULL, 0);
        lun_serve(&listener, echo, NULL, 0);
    }

    static int answers(const lun_stream *s)
    {
        char byte = 'a';
        return lun_stream_write(s, &byte, 1) == 0 && (byte = 'b', lun_stream_read_exactly(s, &byte, 1) == 0) &&
               byte == 'a';
    }

    int main(void)
    {
        lun_stream streams[20];
        lun_udp udp[20];
        lun_listener listener;
        lun_message m;
        int streams_count = 0, udp_count = 0;

        lun_spawn(serve, NULL, 0);
        lun_receive_tag(&m, 1, LUN_FOREVER);
        while (streams_count < 20 && lun_tcp_connect(&streams[streams_count], "127.0.0.1:7000", LUN_FOREVER) == 0)
            streams_count++;
        printf("%d connections: %s\n", streams_count, lun_error_text());
        for (int i = 0; i < streams_count; i++)
            if (!answers(&streams[i]))
                printf("%d does not answer\n", i);
        if (lun_tcp_listen(&listener, "127.0.0.1:0") != 0)
            printf("no listener: %s\n", lun_error_text());
        while (udp_count < 20 && lun_udp_bind(&udp[udp_count], "127.0.0.1:0") == 0)
            udp_count++;
        printf("%d sockets of UDP: %s\n", udp_count, lun_error_text());
        lun_udp_close(&udp[0]);
        if (lun_udp_bind(&udp[0], "127.0.0.1:0") == 0)
            puts("one closed, one made");
        if (lun_tcp_listen(&listener, "127.0.0.1:7001") == 0)
            puts("a port that is named is there");
        return 0;
    }"""


class Ports(CliTest):
    def test_ports_run_out_for_those_who_ask(self):
        done = self.lunatic("run", self.compile(PROGRAM))
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertEqual(done.stdout.splitlines(), [
            f"{PORTS} connections: Cannot assign requested address (os error 99)",
            "no listener: Address already in use (os error 98)",
            f"{PORTS} sockets of UDP: Address already in use (os error 98)",
            "one closed, one made",
            "a port that is named is there"])


def own_network():
    if LIBC.unshare(NEW_NETWORK | (NEW_USER if os.getuid() else 0)) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
    try:
        with open("/proc/sys/net/ipv4/ip_local_port_range", "w") as f:
            f.write(f"50000 {50000 + PORTS - 1}")
    except OSError:
        return False
    return True


if __name__ == "__main__":
    if own_network():
        unittest.main()
    print("skipped: no right to a network of its own")

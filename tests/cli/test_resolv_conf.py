# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Names by the system's own configuration: /etc/resolv.conf, which may change, and /etc/hosts. In a network and a
view of the files of its own, so that both are the test's; skipped without the right to make them."""
import ctypes
import fcntl
import os
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest

from support import CliTest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "harness"))
from name_server import NameServer  # noqa: E402

LIBC = ctypes.CDLL(None, use_errno=True)
NEW_FILES, NEW_NETWORK = 0x20000, 0x40000000
BIND, RECURSIVE, PRIVATE = 0x1000, 0x4000, 0x40000

# Looks up each name that it reads, and tells the first address.
PROGRAM = r"""
    #include <lunatic.h>
    #include <lunatic/net.h>
    #include <stdio.h>
    #include <string.h>
    int main(void)
    {
        char line[100], text[LUN_ADDRESS_TEXT_SIZE];
        lun_address a;

        while (fgets(line, sizeof line, stdin)) {
            line[strcspn(line, "\n")] = 0;
            puts(lun_resolve(line, &a, 1, LUN_FOREVER) > 0 ? lun_address_text(&a, text) : lun_error_text());
            fflush(stdout);
        }
        return 0;
    }"""


def mount(source, target, flags):
    return LIBC.mount(source and source.encode(), target.encode(), None, flags, None) == 0


def own_world(folder):
    """Files named like those of /etc in `folder` stand in their places, for this process and its children."""
    if os.getuid() != 0 or LIBC.unshare(NEW_FILES | NEW_NETWORK) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
    return mount(None, "/", RECURSIVE | PRIVATE) and all(
        mount(os.path.join(folder, name), "/etc/" + name, BIND) for name in ("resolv.conf", "hosts"))


class ResolvConf(CliTest):
    def etc(self, name, text):
        with open(os.path.join(ETC, name), "w") as f:
            f.write(text)

    def test_the_systems_configuration_is_followed(self):
        servers = [NameServer({"a.test": ["192.0.2.%d" % n], "short.corp.test": ["192.0.2.7"]}, ttl=0,
                              at=("127.0.0.%d" % n, 53)) for n in (1, 2)]
        for server in servers:
            self.addCleanup(server.close)
        self.etc("resolv.conf", "nameserver 127.0.0.1\n")
        self.etc("hosts", "127.0.0.1 localhost\n192.0.2.50 fixed.test fixed\n")
        environment = {name: value for name, value in os.environ.items() if name != "LUNATIC_DNS_SERVERS"}
        run = self.start("run", self.compile(PROGRAM), stdin=subprocess.PIPE, env=environment)
        for f in (run.stdin, run.stdout, run.stderr):
            self.addCleanup(f.close)
        self.addCleanup(run.wait)
        self.addCleanup(run.kill)

        def ask(name):
            run.stdin.write(name.encode() + b"\n")
            run.stdin.flush()
            return run.stdout.readline().decode().strip()

        self.assertEqual(ask("a.test:1"), "192.0.2.1:1")
        self.assertEqual(ask("fixed:2"), "192.0.2.50:2")
        self.assertIn("Name or service not known", ask("short:3"))
        self.etc("hosts", "192.0.2.51 fixed\n")
        self.assertEqual(ask("fixed:2"), "192.0.2.51:2")  # read each time
        self.etc("resolv.conf", "search corp.test\nnameserver 127.0.0.2\n")
        # It is looked at once a second, and that a name does not exist is remembered for five.
        for name, address in (("a.test:1", "192.0.2.2:1"), ("short:3", "192.0.2.7:3")):
            end = time.monotonic() + 60
            while ask(name) != address:
                self.assertLess(time.monotonic(), end, name + " is as before")
                time.sleep(0.05)
        run.stdin.close()
        self.assertEqual((run.wait(timeout=100), run.stderr.read()), (0, b""))


if __name__ == "__main__":
    ETC = tempfile.mkdtemp(prefix="lunatic-etc-")
    try:
        for each in ("resolv.conf", "hosts"):
            shutil.copy("/etc/" + each, ETC)
        if own_world(ETC):
            unittest.main()
        print("skipped: no right to a network and a view of the files of its own")
    finally:
        shutil.rmtree(ETC)

# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Every example runs by the commands on its own page: those that are indented and call lunatic, in a copy of its folder.
In a network of its own, as the pages name ports; without the right to one, only what names none."""
import ctypes
import fcntl
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import unittest

from support import LUNATIC, TIMEOUT, CliTest

EXAMPLES = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))), "examples")
LIBC = ctypes.CDLL(None, use_errno=True)
LARGE = ("busy", "ring")  # too much work for a program that a sanitizer watches
NEW_USER, NEW_NETWORK = 0x10000000, 0x40000000


def commands(name):
    with open(os.path.join(EXAMPLES, name, "README.md")) as f:
        return re.findall(r"^ {4,}((?:\./\S+ && )?lunatic .*)$", f.read(), re.M)


class Examples(CliTest):
    def run_command(self, command, folder):
        """Its status, and what it printed; a server is interrupted when it listens."""
        with open(os.path.join(self.folder, "errors"), "w+") as errors, subprocess.Popen(
                ["bash", "-c", command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors,
                text=True, start_new_session=True,
                env={**os.environ, "PATH": os.path.dirname(LUNATIC) + ":" + os.environ["PATH"]}) as p:
            text = ""
            for line in p.stdout:
                text += line
                if line.startswith("listening on "):
                    os.killpg(p.pid, signal.SIGINT)
            status = p.wait(TIMEOUT)
            errors.seek(0)
            return status, text + errors.read()

    def run_page(self, name):
        with open(LUNATIC, "rb") as f:
            if name in LARGE and re.search(b"__[at]san_init", f.read()):
                self.skipTest("too much for a sanitizer")
        folder = os.path.join(self.folder, name)
        shutil.copytree(os.path.join(EXAMPLES, name), folder)
        ran = 0
        for command in commands(name):
            is_server = re.search(r"127\.0\.0\.1:[0-9]+", command) is not None
            if is_server and not HAS_NETWORK:
                command = command.rsplit(" && ", 1)[0]  # builds it
                is_server = False
            status, text = self.run_command(command, folder)
            self.assertEqual(status, 130 if is_server else 0, f"{command}\n{text}")
            self.assertEqual(is_server, "listening on " in text, command)
            ran += 1
        self.assertGreater(ran, 0)


# embed is a program of the machine: its page is tested by examples/embed/test.
for NAME in sorted(os.listdir(EXAMPLES)):
    if os.path.isdir(os.path.join(EXAMPLES, NAME)) and NAME != "embed":
        setattr(Examples, "test_" + NAME, lambda self, name=NAME: self.run_page(name))


def own_network():
    if LIBC.unshare(NEW_NETWORK | (NEW_USER if os.getuid() else 0)) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        fcntl.ioctl(s, 0x8914, struct.pack("16sh14x", b"lo", 0x1 | 0x40))  # SIOCSIFFLAGS: IFF_UP, IFF_RUNNING
    return True


if __name__ == "__main__":
    HAS_NETWORK = own_network()
    unittest.main()

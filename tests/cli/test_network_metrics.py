# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What metrics say about servers of examples/ whose clients are counted too."""
import os
import re
import socket
import sys
import unittest
import urllib.request

from servers import PATIENCE, ROOT, ServerTest, eventually, receive, receive_all

sys.path.insert(0, os.path.join(ROOT, "tests", "harness"))
from prometheus import parse  # noqa: E402


class MetricsTest(ServerTest):
    OPTIONS = ["--metrics", "127.0.0.1:0"]

    def scrape(self):
        """The families; without their samples but one where there is one."""
        with open(os.path.join(self.folder, "errors")) as f:
            address = re.search(r"^lunatic: metrics at (.*)$", f.read(), re.M)[1]
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            families = parse(answer.read().decode())
        return {n: f.value() for n, f in families.items() if len(f.samples) == 1 and (n, ()) in f.samples}


class Streams(MetricsTest):
    EXAMPLE = "echo"

    def test_connections_and_bytes_are_counted(self):
        before = self.scrape()
        self.assertEqual((before["lunatic_net_sockets"], before["lunatic_net_accepted_total"]), (1, 0))
        self.assertGreater(before["lunatic_net_sockets_max"], 10)
        sockets = [self.connect() for _ in range(7)]
        for s in sockets:
            s.sendall(1000 * b"x")
            self.assertEqual(receive(s, 1000), 1000 * b"x")
        # What was sent may have arrived before it is counted.
        eventually(lambda: self.scrape()["lunatic_net_sent_bytes_total"] >= 7000, "all is counted")
        during = self.scrape()
        self.assertEqual((during["lunatic_net_sockets"], during["lunatic_net_accepted_total"]), (8, 7))
        self.assertEqual(during["lunatic_net_received_bytes_total"], 7000)
        self.assertEqual(during["lunatic_net_sent_bytes_total"], 7000)
        self.assertGreater(during["lunatic_io_events_total"], 0)
        self.assertGreaterEqual(during["lunatic_io_descriptors"], 1)
        self.assertGreater(during["process_open_fds"], before["process_open_fds"])
        for s in sockets:
            s.shutdown(socket.SHUT_WR)
            self.assertEqual(receive_all(s), b"")
        eventually(lambda: self.scrape()["lunatic_net_sockets"] == 1, "the sockets are closed")
        after = self.scrape()
        self.assertEqual(after["lunatic_net_accepted_total"], 7)
        self.assertEqual(after["lunatic_net_received_bytes_total"], 7000)
        self.assertEqual(after["lunatic_net_connected_total"], 0)


class Datagrams(MetricsTest):
    EXAMPLE = "udp_flows"
    KIND = socket.SOCK_DGRAM

    def test_datagrams_are_counted(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.settimeout(PATIENCE)
            s.connect(("127.0.0.1", self.port))
            for _ in range(5):
                s.send(b"hello")
                self.assertTrue(s.recv(2000))
        eventually(lambda: self.scrape()["lunatic_net_datagrams_sent_total"] >= 5, "all is counted")
        now = self.scrape()
        self.assertEqual(now["lunatic_net_datagrams_received_total"], 5)
        self.assertEqual(now["lunatic_net_datagrams_sent_total"], 5)
        self.assertEqual(now["lunatic_net_sockets"], 1)


if __name__ == "__main__":
    unittest.main()

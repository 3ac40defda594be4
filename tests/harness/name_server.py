#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A name server on the loopback for tests, as a module or as a program:

    name_server.py NAME=ADDRESS[,ADDRESS...]... -- COMMAND...

runs the command with LUNATIC_DNS_SERVERS naming it. NAME may be `*`; without addresses a name exists
and has none; what is not named does not exist. ADDRESS `silence` leaves the question unanswered."""
import ipaddress
import os
import socket
import struct
import subprocess
import sys
import threading


class NameServer:
    def __init__(self, records, ttl=60, at=("127.0.0.1", 0)):
        self.records = {name.lower().rstrip("."): list(addresses) for name, addresses in records.items()}
        self.ttl = ttl
        self.asked = []  # (name, type) in order
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(at)
        self.address = "%s:%d" % self.socket.getsockname()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def close(self):
        wake = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        wake.sendto(b"", self.socket.getsockname())
        wake.close()
        self.thread.join()
        self.socket.close()

    def serve(self):
        while True:
            question, sender = self.socket.recvfrom(4096)
            if not question:
                return
            answer = self.answer(question)
            if answer:
                self.socket.sendto(answer, sender)

    def answer(self, question):
        labels, at = [], 12
        while question[at]:
            labels.append(question[at + 1:at + 1 + question[at]].decode("latin-1"))
            at += question[at] + 1
        name = ".".join(labels).lower()
        kind = struct.unpack(">H", question[at + 1:at + 3])[0]
        self.asked.append((name, {1: "A", 28: "AAAA"}.get(kind, kind)))
        addresses = self.records.get(name, self.records.get("*"))
        if addresses is not None and "silence" in addresses:
            return None
        parsed = [ipaddress.ip_address(a) for a in addresses or []]
        found = [a.packed for a in parsed if a.version == {1: 4, 28: 6}.get(kind)]
        code = 0 if addresses is not None else 3
        answer = question[:2] + struct.pack(">HHHHH", 0x8180 | code, 1, len(found), 0, 0) + question[12:at + 5]
        for packed in found:
            answer += struct.pack(">HHHIH", 0xC00C, kind, 1, self.ttl, len(packed)) + packed
        return answer


def main(words):
    records = {}
    end = words.index("--")
    for word in words[:end]:
        name, _, addresses = word.partition("=")
        records[name] = [a for a in addresses.split(",") if a]
    server = NameServer(records)
    done = subprocess.run(words[end + 1:], env={**os.environ, "LUNATIC_DNS_SERVERS": server.address})
    server.close()
    return done.returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""objects.py LUNATIC LIVE.WASM [MODE]: a process costs no mapping, descriptor or thread: with 1,000 and with
20,000 of them waiting (bench/guests/live.c) the kernel keeps as many of each."""
import os
import re
import subprocess
import sys


def objects(lunatic, wasm, count, mode):
    with subprocess.Popen([lunatic, "run", wasm, str(count)] + mode, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, text=True) as p:
        line = p.stdout.readline()
        if line != "ready\n":
            sys.exit(f"{count} processes: it said {line!r}")
        with open(f"/proc/{p.pid}/maps") as f:
            maps = f.read().splitlines()
        with open(f"/proc/{p.pid}/status") as f:
            threads = int(re.search(r"^Threads:\s+(\d+)", f.read(), re.M).group(1))
        descriptors = [os.readlink(f"/proc/{p.pid}/fd/{n}") for n in sorted(os.listdir(f"/proc/{p.pid}/fd"), key=int)]
        answer, _ = p.communicate("go\n", timeout=200)
        if answer != f"answered {count}\n" or p.returncode:
            sys.exit(f"{count} processes: it said {answer!r} and ended with {p.returncode}")
    return maps, descriptors, threads


def compare(few, many):
    """The words of what differs, or None."""
    counts = [tuple(n if isinstance(n, int) else len(n) for n in o) for o in (few, many)]
    print("mappings, descriptors, threads:", *counts)
    # A sanitizer maps what it knows of 20,000 processes.
    if counts[0][1:] == counts[1][1:] and (counts[0][0] == counts[1][0] or os.environ.get("SANITIZED")):
        return None
    return "\n".join(["--- 1,000", *few[0], *few[1], "--- 20,000", *many[0], *many[1], "they differ"])


def main():
    lunatic, wasm, *mode = sys.argv[1:]
    # On a busy machine 1,000 may be ready before the second worker has its signal stack: then once more.
    for _ in range(5):
        words = compare(objects(lunatic, wasm, 1000, mode), objects(lunatic, wasm, 20000, mode))
        if not words:
            return
    sys.exit(words)


main()

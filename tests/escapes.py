#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Checks the table of escapes in docs/permissions.md: at least five tests of each kind, all of which exist."""
import collections
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
KINDS = ("path", "symbolic link", "rename race", "`/proc`", "memory", "fuel, CPU time", "processes", "mailbox",
         "descriptors", "network rule", "widening a configuration", "handle in a message")
LEAST = 5


def exists(place, test):
    layer, name = place.split("/")
    path = os.path.join(HERE, *(("cli", f"test_{name}.py") if layer == "cli" else ("unit", layer, f"{name}.c")))
    if not os.path.exists(path):
        return False
    with open(path, encoding="utf-8") as f:
        return re.search(rf"^(TEST|ESCAPE|ESCAPE_WITH)\({test}[,)]|^    def {test}\(", f.read(), re.M) is not None


def main():
    with open(os.path.join(HERE, "..", "docs", "permissions.md"), encoding="utf-8") as f:
        text = f.read().split("## Attempts to get around this")[1]
    problems, tests = [], collections.defaultdict(set)
    for kind, place, names in re.findall(r"^\| ([^|]+) \| ([a-z]+/[a-z_]+) \| (.+) \|$", text, re.M):
        for name in re.findall(r"`([^`]+)`", names):
            tests[kind].add((place, name))
            if not exists(place, name):
                problems.append(f"{kind}: {place} has no {name}")
    problems += [f"{kind}: {len(tests[kind])} tests" for kind in KINDS if len(tests[kind]) < LEAST]
    problems += [f"{kind}: unknown" for kind in tests if kind not in KINDS]
    for problem in problems:
        print(problem)
    print(", ".join(f"{kind} {len(tests[kind])}" for kind in KINDS) + f"; {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

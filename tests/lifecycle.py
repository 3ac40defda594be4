#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0 OR MIT
"""Checks tests/lifecycle.md: each statement has a row, each test named there exists."""
import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
COUNTS = {"3.1": 4, "3.2": 3, "3.3": 11, "3.4": 7, "3.5": 8, "3.6": 4, "4.1": 2, "4.2": 3, "4.3": 4, "4.4": 8,
          "4.5": 4, "9.10": 13}
LETTERS = {"A": 14, "B": 13, "C": 13, "D": 6, "E": 4, "F": 10, "G": 4, "H": 4, "I": 1}
UNITS = {"proc": ["life", "order", "mailbox", "registry", "timers", "storm", "resources", "permissions"],
         "runtime": ["messages", "processes", "lifecycle", "kills", "runtime", "hostile", "rights"],
         "host": ["wasi", "wasi_kills"]}
FILES = {"rights": "permissions"}  # two files have this name


def read(*path):
    with open(os.path.join(HERE, *path), encoding="utf-8") as f:
        return f.read()


def problem_of(name):
    """What is wrong with the name of a test, or None."""
    if name.startswith("guest/"):
        found = any(os.path.exists(os.path.join(HERE, name + end)) for end in (".c", ".cpp", ".wat"))
        return None if found else "no such program"
    if name.startswith("examples/"):
        word = name.split("/")[1]
        return None if os.path.exists(os.path.join(HERE, "..", name, word + ".c")) else "no such example"
    place, _, test = name.partition(":")
    if not test:
        return "no test is named"
    if place.startswith("cli/"):
        path = os.path.join("cli", f"test_{place[4:]}.py")
        if not os.path.exists(os.path.join(HERE, path)):
            return f"there is no {path}"
        return None if re.search(rf"\bdef {test}\(", read(path)) else f"{path} has no such test"
    for layer, files in UNITS.items():
        if place in files:
            text = read("unit", layer, FILES.get(place, place) + ".c")
            return None if re.search(rf"^(BODY_)?TEST\({test}\)", text, re.M) else f"{place}.c has no such test"
    return "no such place"


def main():
    expected = [f"{section}.{i}" for section, count in COUNTS.items() for i in range(1, count + 1)]
    expected += [f"{letter}{i}" for letter, count in LETTERS.items() for i in range(1, count + 1)]
    problems, seen, tests = [], [], 0
    for line in read("lifecycle.md").splitlines():
        row = re.match(r"\| ([0-9.]+|[A-I][0-9]+) \| (.+) \| (.+) \|$", line)
        if not row:
            continue
        number, _, covered = row.groups()
        seen.append(number)
        if covered.startswith("- "):
            continue
        for name in re.findall(r"`([^`]+)`", covered):
            wrong = problem_of(name)
            tests += 1
            if wrong:
                problems.append(f"{number}: {name}: {wrong}")
        if not re.fullmatch(r"(`[^`]+` ?)+", covered):
            problems.append(f"{number}: not a list of tests: {covered}")
    problems += [f"{number}: no row" for number in expected if number not in seen]
    problems += [f"{number}: more than one row, or unknown" for number in sorted(set(seen))
                 if seen.count(number) > 1 or number not in expected]
    for problem in problems:
        print(problem)
    print(f"{len(seen)} statements, {tests} tests named, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

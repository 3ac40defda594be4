# SPDX-License-Identifier: Apache-2.0 OR MIT
"""A strict reader of Prometheus's text format (version 0.0.4): stricter than Prometheus, so that what it takes
is taken by all."""
import re

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*\Z")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
NUMBER = re.compile(r"(?:[+-]?Inf|NaN|-?[0-9]+(?:\.[0-9]+)?(?:e[+-][0-9]{2,3})?)\Z")
PARTS = ("_bucket", "_sum", "_count")


class Family:
    def __init__(self, name, kind):
        self.name, self.kind, self.help = name, kind, None
        self.samples = {}  # (name, labels as a sorted tuple) -> number

    def value(self, **labels):
        return self.samples[self.name, tuple(sorted(labels.items()))]

    def total(self):
        return sum(self.samples.values())


def labels_of(text):
    """`a="b",c="d"` as a sorted tuple."""
    found, at = [], 0
    while at < len(text):
        m = LABEL.match(text, at)
        assert m, f"labels: {text}"
        found.append((m[1], m[2]))
        at = m.end()
        assert at == len(text) or text[at] == ",", f"labels: {text}"
        at += 1
    assert len({k for k, _ in found}) == len(found), f"a label twice: {text}"
    return tuple(sorted(found))


def check_histogram(f):
    buckets = [(float(dict(labels)["le"]), n) for (name, labels), n in f.samples.items() if name == f.name + "_bucket"]
    assert buckets and buckets[-1][0] == float("inf"), f"{f.name}: the last bucket is not +Inf"
    for (a, n), (b, m) in zip(buckets, buckets[1:]):
        assert a < b and n <= m, f"{f.name}: buckets {a} ({n}) and {b} ({m})"
    assert f.samples[f.name + "_count", ()] == buckets[-1][1], f"{f.name}: the count is not the last bucket"
    assert (f.name + "_sum", ()) in f.samples, f"{f.name}: no sum"
    assert len(f.samples) == len(buckets) + 2, f.name


def parse(text):
    """The families by name; raises AssertionError with words."""
    assert text.endswith("\n"), "the last line has no end"
    families, seen, current, help_text = {}, set(), None, None
    for line in text[:-1].split("\n"):
        if line.startswith("# HELP "):
            name, words = line[7:].split(" ", 1)
            assert help_text is None and words and "\\" not in words, line
            help_text = (name, words)
        elif line.startswith("# TYPE "):
            name, kind = line[7:].split(" ")
            assert NAME.match(name) and kind in ("counter", "gauge", "histogram"), line
            assert name not in families, f"family twice: {name}"
            current = families[name] = Family(name, kind)
            if help_text is not None:
                assert help_text[0] == name, f"help of another family: {help_text}"
                current.help, help_text = help_text[1], None
        else:
            m = re.match(r"([^ {]+)(?:\{(.*)\})? ([^ ]+)\Z", line)
            assert m and NAME.match(m[1]) and NUMBER.match(m[3]), f"line: {line!r}"
            names = [current.name + p for p in PARTS] if current.kind == "histogram" else [current.name]
            assert m[1] in names, f"a sample of another family: {line}"
            key = (m[1], labels_of(m[2] or ""))
            assert key not in seen, f"sample twice: {line}"
            assert current.kind == "gauge" or float(m[3]) >= 0 or m[1].endswith("_sum"), f"a counter below 0: {line}"
            seen.add(key)
            current.samples[key] = float(m[3])
    for f in families.values():
        assert f.samples, f"no samples: {f.name}"
        if f.kind == "histogram":
            check_histogram(f)
    names = [f.name + p for f in families.values() if f.kind == "histogram" for p in PARTS]
    assert not set(names) & set(families), "a family has the name of a sample of another"
    return families

# SPDX-License-Identifier: Apache-2.0 OR MIT
"""What the questions of bench/run share: where things are, building guests, running side by side."""
import os
import re
import shutil
import statistics
import subprocess
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(HERE)
OURS = os.environ.get("LUNATIC", os.path.join(ROOT, "build", "lunatic"))
ORIGINAL = os.environ.get("ORIGINAL", "")
WORK = os.path.join(tempfile.gettempdir(), "lunatic-bench")
FLAGS = ["-O2", "-fno-vectorize", "-fno-slp-vectorize", "-ffp-contract=off"]
CLANG = shutil.which("clang-19") or shutil.which("clang")


def say(*words, end="\n"):
    print(*words, end=end, flush=True)


def output(command, **more):
    more.setdefault("timeout", 600)
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True,
                          text=True, **more).stdout


def fields(text):
    return {a: float(b) for a, b in re.findall(r"^(\S+) ([0-9.]+)", text, re.M)}


def guest(name):
    """The benchmark guest as a .wasm file, compiled when its source is newer."""
    source, wasm = os.path.join(HERE, "guests", name + ".c"), os.path.join(WORK, name + ".wasm")
    if not os.path.exists(wasm) or os.path.getmtime(wasm) < os.path.getmtime(source):
        subprocess.run([OURS, "cc", "-O2", source, "-o", wasm], check=True)
    return wasm


def side_by_side(runners, rounds):
    """Runs all in turn, round after round; the median of each figure."""
    seen = {name: {} for name in runners}
    for _ in range(rounds):
        for name, run in runners.items():
            if run is None:
                continue
            try:
                for key, value in fields(run()).items():
                    seen[name].setdefault(key, []).append(value)
            except (subprocess.SubprocessError, OSError) as error:
                say(f"  {name} failed: {error}")
    return {n: {k: statistics.median(v) for k, v in f.items()} for n, f in seen.items()}


def show(result):
    ours = result.get("ours", {})
    for name, values in result.items():
        for key, value in values.items():
            ratio = f"  ours/{name} {ours[key] / value:.3f}" if name != "ours" and ours.get(key) and value else ""
            say(f"  {name:10} {key:16} {value:14.2f}{ratio}")


def rust_guest(name):
    """A program of bench/guests-rust as a .wasm file, built in a copy outside of the sources; None: no tool chain."""
    cargo = os.path.join(ROOT, ".cache", "rust", "cargo-new")
    if not os.path.exists(cargo):
        say("  no Rust tool chain (tests/rust/build.sh new .cache/rust): left out")
        return None
    copy, target = os.path.join(WORK, "guests-rust"), os.path.join(WORK, "rust-target")
    shutil.copytree(os.path.join(HERE, "guests-rust"), copy, dirs_exist_ok=True)
    subprocess.run([cargo, "build", "--quiet", "--release", "--target-dir", target], cwd=copy, check=True)
    return os.path.join(target, "wasm32-wasip1", "release", name + ".wasm")

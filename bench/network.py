# SPDX-License-Identifier: Apache-2.0 OR MIT
"""The questions of bench/run about networks. The servers run on one core, the load on another, one server
after another in each round, all on the loopback; medians are shown."""
import contextlib
import os
import resource
import shutil
import socket
import subprocess
import time

from common import HERE, ORIGINAL, OURS, ROOT, WORK, fields, output, rust_guest, say, show, side_by_side

NET = os.path.join(HERE, "net")
SECONDS = 3
SERVER_CORE, LOAD_CORE = ["taskset", "-c", "0"], ["taskset", "-c", "1"]


def program(name, *libraries):
    """A native program of bench/net, compiled when its source is newer."""
    source, binary = os.path.join(NET, name + ".c"), os.path.join(WORK, name)
    if not os.path.exists(binary) or os.path.getmtime(binary) < os.path.getmtime(source):
        subprocess.run(["cc", "-O2", source, "-o", binary, "-pthread", *libraries], check=True)
    return binary


def example(name):
    """A program of examples/ as a .wasm file."""
    folder, wasm = os.path.join(ROOT, "examples", name), os.path.join(WORK, name + "-example.wasm")
    sources = [os.path.join(folder, f) for f in sorted(os.listdir(folder)) if f.endswith(".c") and f != "tests.c"]
    if not os.path.exists(wasm) or os.path.getmtime(wasm) < max(map(os.path.getmtime, sources)):
        subprocess.run([OURS, "cc", "-O2", *sources, "-o", wasm], check=True)
    return wasm


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


@contextlib.contextmanager
def serving(command, port, kind=socket.SOCK_STREAM):
    """The server, for as long as the block runs, once it answers (or, over UDP, has said that it listens)."""
    with open(os.path.join(WORK, "server.log"), "w") as log:
        server = subprocess.Popen(SERVER_CORE + command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=WORK)
        try:
            if kind == socket.SOCK_DGRAM:
                if not server.stdout.readline().startswith("listening"):
                    raise OSError(f"{command[0]} does not listen")
            else:
                for _ in range(100):
                    with socket.socket() as s:
                        if s.connect_ex(("127.0.0.1", port)) == 0:
                            break
                    time.sleep(0.05)
                else:
                    raise OSError(f"{command[0]} does not listen")
            yield server
        finally:
            server.kill()
            server.wait()


def servers(what, rust):
    """By name: the command that serves `what` on a port, or None. `rust`: a module of the Rust crate, or None."""
    go, beam = None, None
    if shutil.which("go"):
        go = os.path.join(WORK, "net-go")
        subprocess.run(["go", "build", "-o", go, os.path.join(NET, "net.go")], check=True)
    if shutil.which("erl"):
        subprocess.run(["erlc", "-o", WORK, os.path.join(NET, "net.erl")], check=True)
        beam = ["erl", "-noshell", "+S", "1", "+P", "1000000", "+Q", "1000000", "-s", "net", "start", what]
    at = "127.0.0.1:{}".format
    return {
        "ours": lambda port: [OURS, "run", "--workers", "1", example(what), at(port)],
        "ours, Rust": (lambda port: [OURS, "run", "--workers", "1", rust, at(port)]) if rust else None,
        "original": (lambda port: [ORIGINAL, rust, at(port)]) if ORIGINAL and rust else None,
        "erlang": (lambda port: beam + [str(port)]) if beam else None,
        "go": (lambda port: [go, what, at(port)]) if go else None,
    }


def cpu_us(pid):
    """User and system time of a process so far."""
    with open(f"/proc/{pid}/stat") as f:
        user, system = f.read().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) * 1e6 / os.sysconf("SC_CLK_TCK")


def loaded(serve, load):
    """A runner for side_by_side: the server under load. `load` gets the port and the server's pid. If it tells
    how many answers there were in_all, what the server spent on each is added: a figure that other programs on
    the machine change less than all the others."""
    def run():
        port = free_port()
        with serving(serve(port), port) as server:
            before = cpu_us(server.pid)
            text = load(port, server.pid)
            spent, in_all = cpu_us(server.pid) - before, fields(text).get("in_all")
            return f"{text}\nserver_cpu_us {spent / in_all:.2f}\n" if in_all else text
    return run


def beside(commands, load, rounds):
    show(side_by_side({n: c and loaded(c, load) for n, c in commands.items()}, rounds))


def echo(rounds):
    """64 bytes there and back, closed loop."""
    load, commands = program("load"), servers("echo", rust_guest("echo"))
    for count in 100, 1000, 5000:
        say(f" {count} connections:")
        beside(commands, lambda port, _, count=count: output(
            LOAD_CORE + [load, "echo", "127.0.0.1", str(port), str(count), str(SECONDS)], timeout=60), rounds)


def submillisecond():
    wasm = os.path.join(ROOT, ".cache", "rust", "crates-new", "hello", "bin", "hello.wasm")
    return wasm if os.path.exists(wasm) else None


def http(rounds):
    """Keep-alive, a process per connection; wrk."""
    if not shutil.which("wrk"):
        return say("  wrk is missing: left out")

    def load(port, _, count):
        text = output(LOAD_CORE + ["wrk", "-t1", f"-c{count}", f"-d{SECONDS}s", "--latency", f"http://127.0.0.1:{port}/"],
                      timeout=60)
        if "Non-2xx" in text or "Socket errors" in text:
            raise OSError(text)
        lines = {l.split()[0]: l.split()[1] for l in text.splitlines() if len(l.split()) == 2}
        p99 = lines["99%"]
        unit = {"us": 1, "ms": 1e3, "s": 1e6}[p99.lstrip("0123456789.")]
        in_all = next(l.split()[0] for l in text.splitlines() if " requests in " in l)
        return f"in_all {in_all}\nrequests_per_s {lines['Requests/sec:']}\np99_us {float(p99.rstrip('mus')) * unit:.1f}\n"

    commands = servers("http", submillisecond())
    for count in 100, 1000:
        say(f" {count} connections:")
        beside(commands, lambda port, pid, count=count: load(port, pid, count), rounds)


def idle(_):
    """Connections that have echoed once and wait: VmRSS and VmPTE, which have nothing of the kernel's sockets."""
    load = program("load")
    count = min(resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 200, 50000)
    beside(servers("echo", rust_guest("echo")), lambda port, pid: output(
        LOAD_CORE + [load, "idle", "127.0.0.1", str(port), str(count), str(pid)], timeout=300), 1)


def tls(rounds):
    """TLS 1.3 against a native server over the same libssl; RSA with 2,048 bits."""
    load, native = program("tls_load", "-lssl", "-lcrypto"), program("tls_native", "-lssl", "-lcrypto")
    certificate, key = os.path.join(WORK, "cert.pem"), os.path.join(WORK, "key.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate,
                    "-days", "30", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"],
                   check=True, stderr=subprocess.DEVNULL)
    wasm = example("tls_echo")
    commands = {
        "ours": lambda port: [OURS, "run", "--workers", "1", "--dir", WORK, wasm, f"127.0.0.1:{port}", certificate, key],
        "native": lambda port: [native, certificate, key, str(port)],
    }
    for what, amount in ("full", SECONDS), ("resumed", SECONDS), ("bulk", 500):
        say(f" {what}:")
        beside(commands, lambda port, pid, what=what, amount=amount: output(
            LOAD_CORE + [load, what, str(port), str(amount), str(pid)], timeout=120), rounds)


def udp(_):
    """A flow table: a process for each source address and port."""
    load, wasm = program("load"), example("udp_flows")
    for count in 15000, 100000:
        port = free_port()
        with serving([OURS, "run", "--workers", "1", wasm, f"127.0.0.1:{port}"], port, socket.SOCK_DGRAM) as server:
            before = memory(server.pid)
            text = output(LOAD_CORE + [load, "udp", "127.0.0.1", str(port), str(count)])
            figures = fields(text)
            say(f"  ours {count:7} flows: all answer, {figures['answers_per_s']:.0f} answers/s, p99 {figures['p99_us']:.0f} "
                f"us, {(memory(server.pid) - before) / count:.0f} bytes each")


def memory(pid):
    with open(f"/proc/{pid}/status") as f:
        return sum(int(l.split()[1]) * 1024 for l in f if l.startswith(("VmRSS:", "VmPTE:")))


def network_question(ask):
    """Servers and load may have as many descriptors as this user may have at all."""
    def asked(rounds):
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        ask(rounds)
    return asked


QUESTIONS = {"echo": echo, "http": http, "idle": idle, "tls": tls, "udp": udp}
QUESTIONS = {name: network_question(ask) for name, ask in QUESTIONS.items()}

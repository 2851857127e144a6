#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmark's programs in turns on the same work and writes down what they needed.

run.sh installs and builds what this starts; README.md describes programs, protocol and files.
"""

import argparse
import array
import contextlib
import json
import math
import os
import random
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import report
from rows import MEMORY, SGEMM, YARDSTICKS, all_rows


class Program:
    """One process that stays alive; stopped whenever it is not its turn."""

    def __init__(self, peer, command, threads):
        env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
            env[name] = str(threads)
        env["TF_CPP_MIN_LOG_LEVEL"] = "3"
        self.peer = peer
        self.process = subprocess.Popen(command + [str(threads)], env=env, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        start_new_session=True)
        self.name = self.answer()["name"]
        self.signal(signal.SIGSTOP)

    def signal(self, number):
        os.killpg(self.process.pid, number)

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{self.peer} ended: status {self.process.wait()}")
        return json.loads(line)

    def ask(self, request):
        self.signal(signal.SIGCONT)
        self.process.stdin.write(request + "\n")
        self.process.stdin.flush()
        answer = self.answer()
        self.signal(signal.SIGSTOP)
        return answer

    def median(self, seconds):
        return statistics.median(self.ask(f"time {seconds}")["ns"])

    def peak_memory(self):
        """Most bytes that were resident at once."""
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return 0

    def end(self):
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
            self.process.wait()


def uniform(source, count, limit):
    """Floats between -limit and limit, on a grid of 16 bits."""
    grid = array.array("h", source.randbytes(2 * count))
    scale = limit / 32768
    return array.array("f", [scale * value for value in grid])


def write_work(path, row):
    """The work file of a row: the same weights and inputs for everybody."""
    source = random.Random(row.name)
    count = sum(math.prod(shape) for l in range(row.L) for shape in row.shapes(l).values())
    with open(path, "wb") as file:
        file.write(struct.pack("8i", row.I, row.H, row.L, row.B, row.T, row.O, row.N, count))
        if row.kind == "sgemm":
            uniform(source, 2 * row.H * row.H, 1).tofile(file)
            return
        for layer in range(row.L):
            for name, shape in row.shapes(layer).items():
                write_parameter(file, name, shape, source)
        if row.O:
            write_echo(file, row, source)
        else:
            uniform(source, row.T * row.B * row.I, 1).tofile(file)
            uniform(source, row.T * row.B * row.D, 0.1).tofile(file)


def write_parameter(file, name, shape, source):
    limit = (6 / sum(shape)) ** 0.5 if len(shape) == 2 else 0.1
    values = uniform(source, math.prod(shape), limit)
    if name.endswith("gain"):
        values = array.array("f", [1 + value for value in values])
    values.tofile(file)


def write_echo(file, row, source):
    """Readout; then bits, which run on from window to window, and the same three steps late."""
    for _ in range(2):
        array.array("f", [source.random() for _ in range(row.H * row.O)]).tofile(file)
    array.array("f", [0] * row.O).tofile(file)
    steps = row.N * row.T
    rows = [[source.getrandbits(1) for _ in range(steps)] for _ in range(row.B)]
    bits = [rows[b][t] for t in range(steps) for b in range(row.B)]
    array.array("f", bits).tofile(file)
    array.array("i", [0] * 3 * row.B + bits[:-3 * row.B]).tofile(file)


def read_floats(path):
    values = array.array("f")
    with open(path, "rb") as file:
        values.frombytes(file.read())
    return values


def largest(values):
    return max(map(abs, values), default=0.0)


def parts(row, values):
    """The arrays in a program's results, each of which has a scale of its own."""
    sizes = [len(values)]
    if row.kind == "train":
        sizes = [row.T * row.B * row.D]
        for layer in range(row.L):
            sizes += map(math.prod, row.shapes(layer).values())
    if sum(sizes) != len(values):
        sys.exit(f"{row.name}: {len(values)} results where {sum(sizes)} belong")
    start = 0
    for size in sizes:
        yield values[start:start + size]
        start += size


def difference(row, expected, got):
    """The largest difference, as a share of the largest number of its array."""
    if len(expected) != len(got):
        return math.inf
    worst = 0.0
    for a, b in zip(parts(row, expected), parts(row, got)):
        errors = [abs(p - q) for p, q in zip(a, b)]
        if not math.isfinite(math.fsum(errors)):
            return math.inf
        worst = max(worst, max(errors) / max(largest(a), 1e-30))
    return worst


def check(row, programs, folder):
    """Ends the run unless all programs compute the same numbers; gives the largest difference."""
    expected, worst = None, 0.0
    path = os.path.join(folder, "results")
    for program in programs:
        program.ask(f"check {path}")
        results = read_floats(path)
        if expected is None:
            expected, first = results, program
            continue
        error = difference(row, expected, results)
        if not error <= row.tolerance:
            sys.exit(f"{row.name}: {program.name} and {first.name} differ by {error:.2g}")
        worst = max(worst, error)
    return worst


def check_sgemm(program, folder):
    """Makes the BLAS ready, and looks at some of its results: a wrong one may well be fast."""
    work, results = os.path.join(folder, "sgemm"), os.path.join(folder, "results")
    write_work(work, SGEMM)
    program.ask(f"load sgemm {work}")
    program.ask(f"check {results}")
    n = SGEMM.H
    a_b, c = read_floats(work)[8:], read_floats(results)
    for place in range(0, n * n, 997):
        i, j = divmod(place, n)
        expected = math.fsum(a_b[i * n + k] * a_b[n * n + k * n + j] for k in range(n))
        if not abs(expected - c[place]) <= 1e-3:
            sys.exit(f"{program.name}: element {i},{j} is {c[place]}, not {expected}")


def load(row, programs, folder):
    """Those programs that do this kind of work, ready for it."""
    work = os.path.join(folder, "work")
    write_work(work, row)
    return [p for p in programs if row.allows(p.peer)
            and p.peer != "sgemm" and p.ask(f"load {row.load} {work}")["ok"]]


def load_plain(row, programs, running, folder):
    """The plain cell of the same size, in processes of its own."""
    if not row.variant:
        return {}
    peers = [p.peer for p in running]
    plain = load(row.plain, [p for p in programs if p.peer in peers], folder)
    check(row.plain, plain, folder)
    if row.variant == "overlap":  # the second window goes back as far as one without overlap
        check(row, [*running, *plain], folder)
    return {p.peer: p for p in plain}


def measure(row, programs, plain_programs, threads, options, folder):
    """One row: every round, each program in its turn, after it its plain cell."""
    running = load(row, programs, folder)
    error = check(row, [p for p in running if p.peer != "read"], folder)
    plain = load_plain(row, plain_programs, running, folder)
    if row.kind in ("train", "infer") and not row.variant:
        running += [p for p in programs if p.peer == "sgemm"]
    times, plain_times = {p.peer: [] for p in running}, {peer: [] for peer in plain}
    for _ in range(options.rounds):
        for program in running:
            seconds = min(options.seconds, 0.1) if program.peer == "sgemm" else options.seconds
            times[program.peer].append(program.median(seconds))
            if plain:
                plain_times[program.peer].append(plain[program.peer].median(seconds))
    return {"row": row.name, "group": row.group, "threads": threads, "flops": row.flops,
            "shape": {name: getattr(row, name) for name in "IHLBT"}, "difference": error,
            "ns": times, "plain": plain_times, "plain_flops": row.plain.flops}


def run_rows(options, commands, folder, names):
    chosen = [row for row in all_rows(options.quick)
              if not options.rows or {row.name, row.group} & set(options.rows)]
    with_plain = [peer for peer in commands
                  if any(row.variant for row in chosen) and peer not in YARDSTICKS]
    results = []
    for threads in options.threads:
        with contextlib.ExitStack() as running:

            def start(peer):
                program = Program(peer, commands[peer], threads)
                running.callback(program.end)  # a stopped one would outlast a failure
                return program

            programs = [start(peer) for peer in commands]
            plain = [start(peer) for peer in with_plain]
            names.update((p.peer, p.name) for p in programs)
            for program in programs:
                if program.peer == "sgemm":
                    check_sgemm(program, folder)
            for row in chosen:
                results.append(measure(row, programs, plain, threads, options, folder))
                print(report.line(results[-1]), flush=True)
    return results


def run_memory(options, commands, folder):
    """Memory of a training window, each program in a new process."""
    results = []
    work = os.path.join(folder, "work")
    for row in MEMORY:
        if options.rows and "memory" not in options.rows or options.quick and row.name == "large":
            continue
        write_work(work, row)
        for peer, command in commands.items():
            if peer in YARDSTICKS or not row.allows(peer):
                continue
            program = Program(peer, command, 1)
            start = program.peak_memory()
            answer = program.ask(f"load train {work}")
            if answer["ok"]:
                program.ask("time 0")
                results.append({"row": row.name, "peer": peer, "record": row.record,
                                "parameters": 4 * row.parameters, "bytes": answer.get("bytes", 0),
                                "start": start, "peak": program.peak_memory()})
                print(report.memory_line(results[-1]), flush=True)
            program.end()
    return results


def run_echo(options):
    """Seconds of the whole echo program, 100 epochs."""
    if not options.echo or options.rows and "echo" not in options.rows:
        return []
    times = []
    for _ in range(options.rounds):
        start = time.perf_counter()
        subprocess.run([options.echo, "--quiet"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    print(f"mlstm-echo --quiet: {statistics.median(times):.3f} s", flush=True)
    return times


def read_commands(options):
    commands = {}
    for line in open(options.programs):
        peer, *command = line.rstrip("\n").split("\t")
        if not options.peers or peer in options.peers:
            commands[peer] = command
    return commands


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    words = lambda text: text.split(",")
    numbers = lambda text: [int(word) for word in text.split(",")]
    parser.add_argument("--programs", required=True, help="file: peer, TAB, command, TAB, ...")
    parser.add_argument("--echo", help="the program mlstm-echo")
    parser.add_argument("--out", required=True, help="folder for tables and pictures")
    parser.add_argument("--peers", type=words, help="only these, as in mlstm,onednn2")
    parser.add_argument("--rows", type=words, help="only these, or these groups: echo, train, ...")
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--quick", action="store_true", help="fewer rows and rounds")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--seconds", type=float, help="for each program, row and round")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 5)
    options.seconds = options.seconds or (0.1 if options.quick else 0.3)
    return options


def main():
    options = arguments()
    commands, names = read_commands(options), {}
    os.makedirs(options.out, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        results = {"machine": report.machine(), "names": names,
                   "rows": run_rows(options, commands, folder, names),
                   "memory": run_memory(options, commands, folder), "echo": run_echo(options)}
    with open(os.path.join(options.out, "results.json"), "w") as file:
        json.dump(results, file, indent=1)
    report.write(options.out, results)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the benchmark's programs in turns on the same work and writes down what they needed.

run.sh installs and builds what this starts; README.md describes rows, protocol and files.
"""

import argparse
import array
import csv
import json
import os
import random
import signal
import statistics
import struct
import subprocess
import sys
import tempfile

from rows import ROWS, Row
import report

HERE = os.path.dirname(os.path.abspath(__file__))


class Program:
    """One process that stays alive; stopped whenever it is not its turn."""

    def __init__(self, peer, command, threads, environment):
        env = {k: v for k, v in os.environ.items() if not k.startswith("OPENBLAS_")}
        env.update(environment)
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

    def peak_memory(self):
        """Most bytes that were resident at once."""
        with open(f"/proc/{self.process.pid}/status") as status:
            for line in status:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return None

    def end(self):
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
    with open(path, "wb") as file:
        file.write(struct.pack("8i", row.I, row.H, row.L, row.B, row.T, row.O, row.N, 0))
        if row.kind == "sgemm":
            uniform(source, 2 * row.H * row.H, 1).tofile(file)
            return
        for layer in range(row.L):
            rows = (row.H if layer else row.I) + row.H
            uniform(source, rows * 4 * row.H, (6 / (rows + 4 * row.H)) ** 0.5).tofile(file)
            uniform(source, 4 * row.H, 0.1).tofile(file)
        if row.O:
            write_echo(file, row, source)
        else:
            uniform(source, row.T * row.B * row.I, 1).tofile(file)
            uniform(source, row.T * row.B * row.H, 0.1).tofile(file)


def write_echo(file, row, source):
    """Readout, bits and, three steps late, the same bits as labels; time runs on from window to window."""
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
    os.unlink(path)
    return values


def largest(values):
    return max(map(abs, values), default=0.0)


def parts(row, values):
    """The arrays in a program's results, each of which has a scale of its own."""
    sizes = [len(values)]
    if row.kind == "train":
        sizes = [row.T * row.B * row.H]
        for layer in range(row.L):
            sizes += [((row.H if layer else row.I) + row.H) * 4 * row.H, 4 * row.H]
    if sum(sizes) != len(values):
        sys.exit(f"{row.name}: {len(values)} results where {sum(sizes)} belong")
    start = 0
    for size in sizes:
        yield values[start:start + size]
        start += size


def difference(row, expected, got):
    """The largest difference, as a share of the largest number of its array."""
    if len(expected) != len(got):
        return float("inf")
    worst = 0.0
    for a, b in zip(parts(row, expected), parts(row, got)):
        error = largest([p - q for p, q in zip(a, b)])
        worst = max(worst, error / max(largest(a), 1e-30) if error == error else float("inf"))
    return worst


def check(row, programs, folder):
    """Ends the run unless all programs compute the same numbers."""
    expected = None
    for program in programs:
        path = os.path.join(folder, "results")
        program.ask(f"check {path}")
        results = read_floats(path)
        if expected is None:
            expected, first = results, program
            continue
        error = difference(row, expected, results)
        if not error <= row.tolerance:
            sys.exit(f"{row.name}: {program.name} and {first.name} differ by {error:.2g}")


def measure(row, programs, threads, options, folder):
    """One row: every round, each program in its turn."""
    path = os.path.join(folder, "work")
    write_work(path, row)
    takes_part = [p for p in programs
                  if row.allows(p.peer) and p.ask(f"load {row.kind} {path}")["ok"]]
    os.unlink(path)
    check(row, [p for p in takes_part], folder)
    times = {p.peer: [] for p in takes_part}
    for _ in range(options.rounds):
        for program in takes_part:
            samples = program.ask(f"time {options.seconds}")["ns"]
            times[program.peer].append(statistics.median(samples))
    return {"row": row.name, "group": row.group, "kind": row.kind, "threads": threads,
            "shape": [row.I, row.H, row.L, row.B, row.T], "flops": row.flops, "ns": times}


def start(options, threads, environment):
    programs = []
    for line in open(options.programs):
        peer, *command = line.rstrip("\n").split("\t")
        if options.peers and peer not in options.peers:
            continue
        programs.append(Program(peer, command, threads, environment))
    return programs


def comma_list(text):
    return text.split(",")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--programs", required=True, help="file: peer, TAB, command, TAB, ...")
    parser.add_argument("--out", required=True, help="folder for tables and pictures")
    parser.add_argument("--peers", type=comma_list, help="only these, as in mlstm,onednn2")
    parser.add_argument("--rows", type=comma_list, help="only groups or rows with these names")
    parser.add_argument("--threads", type=comma_list, default=["1", "2"])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.4, help="for each program, row and round")
    options = parser.parse_args()
    os.makedirs(options.out, exist_ok=True)
    results = []
    with tempfile.TemporaryDirectory() as folder:
        for threads in map(int, options.threads):
            programs = start(options, threads, {})
            try:
                for row in ROWS:
                    if options.rows and not {row.name, row.group} & set(options.rows):
                        continue
                    results.append(measure(row, programs, threads, options, folder))
                    print(report.line(results[-1]), flush=True)
                names = {p.peer: p.name for p in programs}
            finally:
                for program in programs:
                    program.end()
    report.write(options.out, results, names)


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: MIT
"""Turns what was measured into lines, tables and what plot.gp draws.

`python3 report.py FOLDER` makes the tables again from FOLDER/results.json.
"""

import csv
import json
import os
import platform
import statistics
import sys

from rows import YARDSTICKS

OURS = "mlstm"
BY_HAND = ("onepage", "wavefront")  # for one shape
GROUPS = {"echo": ("The echo task's iteration", "µs", 1e3),
          "train": ("Training windows", "ms", 1e6),
          "infer": ("Inference windows", "ms", 1e6),
          "stream": ("Streams: batch 1, one step a call", "µs", 1e3),
          "variants": ("Training windows of variants, and how many times that of the program's plain "
                       "cell", "ms", 1e6),
          "growth": ("Growth of a training window", "ms", 1e6)}


def machine():
    model = platform.processor()
    with open("/proc/cpuinfo") as cpuinfo:
        for line in cpuinfo:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
    return f"{model}, {os.cpu_count()} cores, {platform.system()} {platform.release()}"


def digits(value):
    return f"{value:.4g}" if value < 1e4 else f"{value:.0f}"


def middle(result, program):
    return statistics.median(result["ns"][program])


def spread(result, program):
    """Half of the way from the fastest round to the slowest, as a share of the median."""
    times = result["ns"][program]
    return (max(times) - min(times)) / 2 / middle(result, program)


def speed(result, program):
    """GF/s."""
    flops = 2 * 1024 ** 3 if program == "sgemm" else result["flops"]
    return flops / middle(result, program)


def median_ratio(times, others):
    """Of two times of the same round; the median over the rounds."""
    return statistics.median(a / b for a, b in zip(times, others))


def ratio(result, other, ours=OURS):
    return median_ratio(result["ns"][ours], result["ns"][other])


def time_text(result, program, scale, unit=""):
    """The time; of a variant also how many times the program's own plain cell that is."""
    text = f"{digits(middle(result, program) / scale)}{unit} ±{spread(result, program):.0%}"
    if result["plain"]:
        text += f" = {median_ratio(result['ns'][program], result['plain'][program]):.2f} plain"
    return text


def best_peer(result):
    peers = [p for p in result["ns"] if p != OURS and p not in YARDSTICKS]
    return min(peers, key=lambda p: middle(result, p), default=None)


def limit(result):
    """How near to what the machine, or a program for this shape alone, reaches."""
    if OURS not in result["ns"]:
        return ""
    if result["plain"]:
        return f"{result['flops'] / result['plain_flops']:.2f} x plain's products"
    if "sgemm" in result["ns"]:
        return f"{speed(result, OURS) / speed(result, 'sgemm'):.0%} of sgemm"
    if "read" in result["ns"]:
        return f"{ratio(result, 'read'):.2f} x read"
    return ", ".join(f"{ratio(result, program):.2f} x {program}" for program in BY_HAND
                     if program in result["ns"])


def line(result):
    _, unit, scale = GROUPS[result["group"]]
    cells = [f"{program} {time_text(result, program, scale, ' ' + unit)}"
             for program in result["ns"]]
    best = best_peer(result)
    if best and OURS in result["ns"]:
        cells.append(f"{ratio(result, best):.2f} of {best}")
    if limit(result):
        cells.append(limit(result))
    return f"{result['row']}, {result['threads']} thread(s): " + "; ".join(cells)


def memory_line(entry):
    text = f"memory of train {entry['row']}, {entry['peer']}: peak {entry['peak'] / 2**20:.0f} MiB"
    text += f" ({entry['start'] / 2**20:.0f} before the work)"
    if entry["bytes"]:
        text += f", holds {entry['bytes'] / 2**20:.2f} MiB of a window"
        text += f", {entry['bytes'] / entry['record']:.2f} of what must be kept"
    return text


def write_csv(folder, results):
    with open(os.path.join(folder, "table.csv"), "w", newline="") as file:
        out = csv.writer(file)
        out.writerow(["row", "threads", *"IHLBT", "program", "milliseconds", "spread", "gflops",
                      "share_of_sgemm", "libmlstm_over_this", "this_over_its_plain"])
        for result in results["rows"]:
            for program in result["ns"]:
                share = ours = plain = ""
                if "sgemm" in result["ns"]:
                    share = f"{speed(result, program) / speed(result, 'sgemm'):.3f}"
                if OURS in result["ns"]:
                    ours = f"{ratio(result, program):.4f}"
                if result["plain"]:
                    plain = median_ratio(result["ns"][program], result["plain"][program])
                out.writerow([result["row"], result["threads"], *result["shape"].values(), program,
                              f"{middle(result, program) / 1e6:.6g}",
                              f"{spread(result, program):.3f}", f"{speed(result, program):.4g}",
                              share, ours, plain and f"{plain:.4f}"])


def table_row(result, programs, scale):
    best = best_peer(result)
    cells = [result["row"], str(result["threads"])]
    for program in programs:
        text = ""
        if program in result["ns"]:
            text = time_text(result, program, scale)
        cells.append(f"**{text}**" if program == OURS and text else text)
    ours = OURS in result["ns"]
    cells.append(f"{speed(result, OURS):.0f}" if ours else "")
    cells.append(limit(result))
    cells.append(f"**{ratio(result, best):.2f}** ({best})" if best and ours else "")
    return "| " + " | ".join(cells) + " |\n"


def write_group(out, results, group):
    title, unit, scale = GROUPS[group]
    rows = [r for r in results["rows"] if r["group"] == group]
    if not rows:
        return
    programs = [p for p in results["names"] if any(p in r["ns"] for r in rows) and p != "sgemm"]
    heads = ["row", "threads", *programs, "GF/s", "limit", "ratio to the best peer"]
    out.write(f"\n## {title} ({unit})\n\n| {' | '.join(heads)} |\n|{'---|' * len(heads)}\n")
    for result in rows:
        out.write(table_row(result, programs, scale))


def write_memory(out, results):
    if not results["memory"]:
        return
    out.write("\n## Memory of a training window (MiB)\n\n"
              "| row | program | parameters | a window must keep | library says it holds | times "
              "that | resident at the start | at most |\n|---|---|---|---|---|---|---|---|\n")
    for entry in results["memory"]:
        mib = {key: value / 2**20 for key, value in entry.items() if isinstance(value, int)}
        holds = " | "
        if mib["bytes"]:
            holds = f"{mib['bytes']:.2f} | {mib['bytes'] / mib['record']:.2f}"
        out.write(f"| {entry['row']} | {entry['peer']} | {mib['parameters']:.2f} | "
                  f"{mib['record']:.2f} | {holds} | {mib['start']:.0f} | {mib['peak']:.0f} |\n")


def write_markdown(folder, results):
    with open(os.path.join(folder, "table.md"), "w") as out:
        out.write(f"# {results['machine']}\n\n")
        for peer, name in results["names"].items():
            out.write(f"- {peer}: {name}\n")
        speeds = {}
        for result in results["rows"]:
            if "sgemm" in result["ns"]:
                speeds.setdefault(result["threads"], []).append(speed(result, "sgemm"))
        for threads, values in speeds.items():
            out.write(f"- sgemm with {threads} thread(s): {statistics.median(values):.0f} GF/s, "
                      f"rows {min(values):.0f} to {max(values):.0f}\n")
        if results["echo"]:
            low, high = min(results["echo"]), max(results["echo"])
            mid = statistics.median(results["echo"])
            out.write("- `mlstm-echo --quiet`, 100 epochs: "
                      f"{mid:.3f} s ({low:.3f} to {high:.3f})\n")
        for group in GROUPS:
            write_group(out, results, group)
        write_memory(out, results)


def write_plot_data(folder, results):
    """Blocks for plot.gp: ratios to the best peer, streams by H, growth by each letter."""
    with open(os.path.join(folder, "ratios.dat"), "w") as out:
        write_bars(out, results["rows"])
    first = min((r["threads"] for r in results["rows"]), default=1)
    rows = [r for r in results["rows"] if r["threads"] == first]
    programs = [p for p in results["names"] if p != "sgemm"]
    with open(os.path.join(folder, "streams.dat"), "w") as out:
        write_curves(out, programs, [r for r in rows if r["group"] == "stream"
                                     and r["shape"]["I"] == r["shape"]["H"]], "H",
                     lambda r, p: middle(r, p) / 1e3)
    for letter in "TBHL":
        with open(os.path.join(folder, f"growth-{letter}.dat"), "w") as out:
            one = [r for r in rows if r["row"].startswith(f"growth {letter}=")]
            write_curves(out, programs, one, letter, speed)


def write_bars(out, rows):
    """For each number of threads: place, name, ratio to the best peer."""
    rows = [r for r in rows if r["group"] not in ("growth", "variants") and best_peer(r)
            and OURS in r["ns"]]
    places = {name: place for place, name in enumerate(dict.fromkeys(r["row"] for r in rows))}
    for threads in sorted({r["threads"] for r in rows}):
        out.write(f'"{threads} thread{"s" if threads > 1 else ""}"\n')
        for r in rows:
            if r["threads"] == threads:
                out.write(f"{places[r['row']]} \"{r['row']}\" {ratio(r, best_peer(r)):.4f}\n")
        out.write("\n\n")


def write_curves(out, programs, rows, letter, value):
    for program in programs:
        points = [(r["shape"][letter], value(r, program)) for r in rows if program in r["ns"]]
        if points:
            out.write(f'"{program}"\n')
            out.writelines(f"{x} {y:.6g}\n" for x, y in points)
            out.write("\n\n")


def write(folder, results):
    write_csv(folder, results)
    write_markdown(folder, results)
    write_plot_data(folder, results)


if __name__ == "__main__":
    write(sys.argv[1], json.load(open(os.path.join(sys.argv[1], "results.json"))))

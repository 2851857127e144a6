# SPDX-License-Identifier: MIT
"""Turns what was measured into lines, tables and files for the picture."""

import csv
import json
import os
import statistics

OURS = "mlstm"


def summary(times):
    """Median over the rounds, and half of the distance from the fastest to the slowest, as a share."""
    middle = statistics.median(times)
    return middle, (max(times) - min(times)) / 2 / middle


def ratio(result):
    """Our time over that of the best peer, each round by itself; the median, and who that peer is."""
    ns = result["ns"]
    peers = [p for p in ns if p not in (OURS, "onepage", "sgemm")]
    if OURS not in ns or not peers:
        return None, None
    best = min(peers, key=lambda p: statistics.median(ns[p]))
    return statistics.median(a / b for a, b in zip(ns[OURS], ns[best])), best


def line(result):
    cells = []
    for peer, times in result["ns"].items():
        middle, spread = summary(times)
        cells.append(f"{peer} {middle / 1e6:.4g} ms ±{spread:.0%} {result['flops'] / middle:.0f} GF/s")
    value, best = ratio(result)
    if best:
        cells.append(f"{value:.2f} of {best}")
    return f"{result['row']}, {result['threads']} thread(s): " + "; ".join(cells)


def write(folder, results, names):
    with open(os.path.join(folder, "results.json"), "w") as file:
        json.dump({"names": names, "results": results}, file, indent=1)

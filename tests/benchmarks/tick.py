"""Measure what a tick costs, by size of the flock, and what going back in time costs.

    python tests/benchmarks/tick.py [--quick] [--sizes 60 1000] [--no-history]

Each size runs in a process of its own, with 1 ms ticks, 1 % loss, statistics on, and one ballot
open all the time. Times are printed, never asserted; that the runs did what they should is.
"""

import argparse
import json
import math
import subprocess
import sys
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
from clocks import machine

TICKS = {60: 2_000, 1_000: 2_000, 10_000: 500, 100_000: 100}
QUICK = {60: 300, 1_000: 200, 10_000: 50}
HISTORY = (1_000, 10_000)
QUICK_HISTORY = (1_000, 600)
BUDGETS_MS = {1_000: 1, 10_000: 10, 100_000: 150}
C_NS = 507
C_NS_SIX_BEATS = 745
MEMORY_BUDGET = 1.5e9
HISTORY_BUDGET = 200e6


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer ticks, no flock of 100,000")
    parser.add_argument("--sizes", type=int, nargs="+", metavar="N", help="sizes to measure")
    parser.add_argument("--no-history", action="store_true", help="leave the seeks out")
    return parser.parse_args()


def child(kind, nodes, ticks):
    """Run one measurement in its own process, so that its peak memory is its own."""
    print(f"{kind}: {nodes:,} nodes, {ticks:,} ticks", file=sys.stderr, flush=True)
    script = Path(__file__).with_name("measure.py")
    command = [sys.executable, str(script), kind, str(nodes), str(ticks)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def exponent(rows, key):
    """Return the least-squares slope of log `key` over log N."""
    points = [(math.log(row["nodes"]), math.log(row[key])) for row in rows]
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    run = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / run


def number(value):
    """Three significant digits, or all digits before the point."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.{max(0, 2 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


def table(head, lines):
    """Print right-aligned columns under their heads, the first left-aligned."""
    widths = [max(map(len, column)) for column in zip(head, *lines, strict=True)]
    for line in (head, ["-" * width for width in widths], *lines):
        first, *others = line
        cells = [first.ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join(cells).rstrip())
    print()


def by_size(rows, lines):
    """Print one column per size; a line is a label and a function of the size's figures."""
    head = ["", *(f"N = {row['nodes']:,}" for row in rows)]
    table(head, [[label, *(show(row) for row in rows)] for label, show in lines])


def budget(row):
    return number(BUDGETS_MS[row["nodes"]]) if row["nodes"] in BUDGETS_MS else "-"


def per_module(row, key="median_ms"):
    return row[key] * 1e6 / row["nodes"]


def print_ticks(rows):
    print("Milliseconds per tick, without checkpoints and digests")
    by_size(
        rows,
        [
            ("steady median", lambda r: number(r["median_ms"])),
            ("  to reach", budget),
            ("  processor time, median", lambda r: number(r["cpu_ms"])),
            ("steady p99", lambda r: number(r["p99_ms"])),
            ("  processor time, p99", lambda r: number(r["cpu_p99_ms"])),
            ("  with checkpoints and digests", lambda r: number(r["whole_p99_ms"])),
            ("checkpoints and digests, mean", lambda r: number(r["kept_ms"])),
            ("split: worst tick", lambda r: number(r["split_ms"])),
            ("  processor time, worst tick", lambda r: number(r["split_cpu_ms"])),
            ("  ticks from the cut to it", lambda r: f"{r['split_at']}"),
            ("  nodes re-electing in it", lambda r: f"{r['split_elections']:,}"),
            ("split: tick of most elections", lambda r: number(r["busiest_ms"])),
            ("  its processor time", lambda r: number(r["busiest_cpu_ms"])),
            ("  nodes re-electing in it", lambda r: f"{r['busiest_elections']:,}"),
            ("  nodes that re-elected in all", lambda r: f"{r['split_nodes']:,}"),
            ("messages read per tick", lambda r: f"{r['messages']:,.0f}"),
            ("  most left unread", lambda r: f"{r['unread']:,}"),
            ("ticks measured", lambda r: f"{r['ticks']:,}"),
        ],
    )


def print_modules(rows):
    print("Nanoseconds per module tick; the original in C takes 507 in a cluster of 63")
    print("with all-to-all heartbeats, and 745 for one module that reads 6 heartbeats")
    by_size(
        rows,
        [
            ("steady median", lambda r: number(per_module(r))),
            ("  processor time", lambda r: number(per_module(r, "cpu_ms"))),
            (f"  times {C_NS}", lambda r: number(per_module(r) / C_NS)),
            (f"  times {C_NS_SIX_BEATS}", lambda r: number(per_module(r) / C_NS_SIX_BEATS)),
        ],
    )


def print_engines(rows):
    print("Microseconds of processor time per tick by engine, mean, and its share of the tick")
    names = sorted(rows[-1]["engines"], key=rows[-1]["engines"].__getitem__, reverse=True)

    def line(name):
        def show(row):
            spent = row["engines"].get(name, 0.0)
            return f"{number(spent)}  {spent / sum(row['engines'].values()):4.0%}"

        return name, show

    by_size(rows, [line(name) for name in names])


def print_memory(rows):
    print("Peak memory of the process, megabytes; to reach at 100,000: 1,500")
    by_size(
        rows,
        [
            ("start and steady", lambda r: f"{r['steady_bytes'] / 1e6:,.0f}"),
            ("split included", lambda r: f"{r['peak_bytes'] / 1e6:,.0f}"),
        ],
    )


def print_growth(rows):
    for label, key in (("wall clock", "median_ms"), ("processor time", "cpu_ms")):
        large = [row for row in rows if row["nodes"] >= 1_000]
        parts = [
            f"{exponent(chosen, key):.2f} from N = {chosen[0]['nodes']:,}"
            for chosen in ([rows] if large == rows else [rows, large])
            if len(chosen) > 1
        ]
        if parts:
            print(f"Growth exponent of the steady median, {label}: {', '.join(parts)}")
    print()


def print_history(row):
    print(f"Seeking anywhere in {row['ticks']:,} ticks at N = {row['nodes']:,}")
    table(
        ["", "value"],
        [
            ["median of the seeks, ms", number(row["seek_ms"])],
            ["  processor time, ms", number(row["seek_cpu_ms"])],
            [f"worst of {row['seeks']}, ms", number(row["worst_seek_ms"])],
            ["history, MB", number(row["history_bytes"] / 1e6)],
            ["  may hold, MB", number(HISTORY_BUDGET / 1e6)],
            ["checkpoints", f"{row['checkpoints']:,}"],
            ["ticks between them now", f"{row['spacing']:,}"],
            ["peak memory, MB", number(row["peak_bytes"] / 1e6)],
        ],
    )


def main():
    chosen = arguments()
    plan = QUICK if chosen.quick else TICKS
    sizes = {n: plan.get(n, min(plan.values())) for n in chosen.sizes or plan}
    before, began = machine(), time.perf_counter()
    rows = [child("measure", nodes, ticks) for nodes, ticks in sorted(sizes.items())]
    seeks = QUICK_HISTORY if chosen.quick else HISTORY
    past = None if chosen.no_history else child("history", *seeks)
    print("1 ms ticks, 1 % loss, one ballot open throughout, statistics on")
    print(f"before: {before}")
    print(f"after:  {machine()}")
    print("Other work on the machine shows as a gap between wall and processor time.\n")
    print_ticks(rows)
    print_modules(rows)
    print_engines(rows)
    print_growth(rows)
    print_memory(rows)
    if past is not None:
        print_history(past)
    print(f"Measured in {time.perf_counter() - began:.0f} s.")


if __name__ == "__main__":
    main()

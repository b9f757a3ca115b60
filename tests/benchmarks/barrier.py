"""Measure the fuzz campaign: every run drawn, run through the gate and put through every check.

    python tests/benchmarks/barrier.py [--quick]

Each size runs in a process of its own and says how long it took (the median of five, of three where
it takes long; one process, the start of the interpreter left out), how many host reports a second
gates took, the peak of memory, and how much longer the plain twin takes for as many reports, drawn
by the standard library, without any check; of processor time, which other work on the machine
disturbs less. Last come the exponent with which processor time grows
with hosts times runs, and property B15: the time beside the original's. Times are printed, never
asserted; what was measured is checked.
"""

import argparse
import json
import math
import os
import random
import resource
import subprocess
import sys
import time

from clocks import ONE_THREAD, machine, median_of

from flockcore.barrier.fuzz import seed_of
from flockcore.barrier.mersenne import Twister
from flockcore.barrier.report import merge
from flockcore.barrier.suite import SUITE
from flockcore.barrier.twin import simulate
from flockpit.barrier.jobs import Plan, here

SIZES = ((1_000, 240), (10_000, 24), (10_000, 240), (100_000, 24), (1_000_000, 24))
QUICK = ((1_000, 24), (1_000, 240), (10_000, 24))
TO_REACH = {(10_000, 240): "0.4 s", (1_000_000, 24): "5 s and 2,000 MB"}
B15 = (10_000, 240)
ORIGINAL_S = (8.0, 11.4)
TWIN_RUNS = 12


def measured(hosts, runs):
    """Run a campaign, and the twin on some of its runs."""
    plan = Plan(hosts=hosts, runs=runs, seed=0)
    times, report = median_of(lambda: merge(list(here(plan))), 5 if hosts * runs <= 10**7 else 3)
    assert report.clean, report.first or report.stopped
    assert report.runs == runs
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    # The twin's share: the same cells with as many hosts as it does in a second or two.
    few = min(hosts, 10_000)
    spent = taken = 0
    for number in range(TWIN_RUNS):
        seconds, reports = twin_run(few, number)
        spent, taken = spent + seconds, taken + reports
    return {
        "wall": times.wall,
        "cpu": times.cpu,
        "reports": report.reports,
        "peak": peak,
        "twin_rate": taken / spent,
    }


def twin_run(hosts, number):
    """Draw a run as the standard library does, and step the twin through it."""
    policy, schedule = SUITE[number % len(SUITE)].make(hosts, Twister(seed_of(0, number)))
    start = time.process_time()
    random.Random(number).shuffle(list(range(hosts)))
    trace = simulate(policy, schedule, hosts=hosts)
    return time.process_time() - start, len(trace) - 3


def one_process(hosts, runs):
    command = [sys.executable, __file__, "--one", str(hosts), str(runs)]
    done = subprocess.run(
        command, env=os.environ | ONE_THREAD, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)


def show(rows):
    print(
        f"{'hosts':>9} {'runs':>5} {'s':>7} {'cpu s':>7} {'M reports/s':>12} {'MB':>5}"
        f" {'twin M/s':>9} {'ratio':>6}  to reach"
    )
    for (hosts, runs), found in rows.items():
        rate, cpu_rate = (found["reports"] / found[key] for key in ("wall", "cpu"))
        print(
            f"{hosts:>9,} {runs:>5} {found['wall']:>7.3f} {found['cpu']:>7.3f} {rate / 1e6:>12.2f}"
            f" {found['peak'] / 1e6:>5.0f} {found['twin_rate'] / 1e6:>9.3f}"
            f" {cpu_rate / found['twin_rate']:>6.1f}  {TO_REACH.get((hosts, runs), '')}".rstrip()
        )


def exponent(rows):
    """Return the least-squares slope of log time over log hosts x runs."""
    points = [(math.log(hosts * runs), math.log(row["cpu"])) for (hosts, runs), row in rows.items()]
    mean_x, mean_y = (sum(axis) / len(points) for axis in zip(*points, strict=True))
    run = sum((x - mean_x) ** 2 for x, _ in points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / run


def show_b15(seconds):
    hosts, runs = B15
    least, most = (one / seconds for one in ORIGINAL_S)
    print(
        f"B15: {hosts:,} hosts x {runs} runs in {seconds:.3f} s; the original's Python took"
        f" {ORIGINAL_S[0]} to {ORIGINAL_S[1]} s elsewhere, {least:.0f} to {most:.0f} times as long"
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--one", nargs=2, type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measured(*chosen.one)))
        return
    before, began = machine(), time.perf_counter()
    rows = {size: one_process(*size) for size in (QUICK if chosen.quick else SIZES)}
    print("Fuzzing the barrier: every schedule drawn, every run put through every check")
    print(f"before: {before}")
    print(f"after:  {machine()}")
    show(rows)
    few = min(runs for _, runs in rows)
    wide = {size: row for size, row in rows.items() if size[1] == few}
    for name, chosen_rows in (("all", rows), (f"{few} runs", wide)):
        if len(chosen_rows) > 1:
            slope = exponent(chosen_rows)
            print(f"Growth exponent of processor time over hosts x runs, {name}: {slope:.2f}")
    if B15 in rows:
        show_b15(rows[B15]["wall"])
    print(f"Measured in {time.perf_counter() - began:.0f} s.")


if __name__ == "__main__":
    main()

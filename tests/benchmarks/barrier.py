"""Measure the fuzz campaign: every run drawn, run through the gate and put through every check.

    python tests/benchmarks/barrier.py [--quick]

Each size runs in a process of its own and says how long it took (the median of five, of three where
it takes long; one process, the start of the interpreter left out), how many host reports a second
gates took, the peak of memory, and how much longer the plain twin takes for the same reports. Times
are printed, never asserted; what was measured is checked.
"""

import argparse
import json
import os
import random
import resource
import subprocess
import sys
import time

from clocks import ONE_THREAD, machine, median_of

from flockcore.barrier.fuzz import Campaign, seed_of
from flockcore.barrier.mersenne import Twister
from flockcore.barrier.suite import SUITE
from flockcore.barrier.twin import simulate

SIZES = ((10_000, 240), (1_000_000, 24))
QUICK = ((1_000, 240), (10_000, 24))
TO_REACH = {(10_000, 240): "0.4 s", (1_000_000, 24): "5 s and 2 GB"}
ORIGINAL = "the original's Python took 8.0 to 11.4 s for 10000 hosts, 240 runs"
TWIN_RUNS = 12


def measured(hosts, runs):
    """Run a campaign, and the twin on some of its runs."""
    campaign = Campaign(hosts=hosts, runs=runs)
    times, report = median_of(campaign.run, 5 if hosts * runs <= 10**7 else 3)
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
    start = time.perf_counter()
    random.Random(number).shuffle(list(range(hosts)))
    trace = simulate(policy, schedule, hosts=hosts)
    return time.perf_counter() - start, len(trace) - 3


def one_process(hosts, runs):
    command = [sys.executable, __file__, "--one", str(hosts), str(runs)]
    done = subprocess.run(
        command, env=os.environ | ONE_THREAD, check=True, stdout=subprocess.PIPE, text=True
    )
    return json.loads(done.stdout)


def show(hosts, runs, found):
    rate = found["reports"] / found["wall"]
    print(
        f"{hosts:>9,} hosts x {runs:>3} runs: {found['wall']:.3f} s"
        f" ({found['cpu']:.3f} s of the processor), {rate / 1e6:.1f} million reports/s,"
        f" {found['peak'] / 1e6:.0f} MB; plain twin {found['twin_rate'] / 1e6:.2f} million"
        f" reports/s, {rate / found['twin_rate']:.0f} times slower without any check"
        + (f"; to reach {TO_REACH[hosts, runs]}" if (hosts, runs) in TO_REACH else "")
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small sizes only")
    parser.add_argument("--one", nargs=2, type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.one:
        print(json.dumps(measured(*chosen.one)))
        return
    print(f"barrier fuzz on {machine()}")
    print(ORIGINAL)
    for size in QUICK if chosen.quick else SIZES:
        show(*size, one_process(*size))


if __name__ == "__main__":
    main()

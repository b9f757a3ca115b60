"""Measure what removing the curl of a flow costs, beside scipy and pyamg on the same equations.

    python tests/benchmarks/hodge.py [--quick] [--triangles 1000 100000] [--only grid flock]

First projection means all of it: complex from arrays, collapse, matrix, preconditioner, solution.
The peers get the finished matrix of the same equations and solve to the same relative residual,
set-up included; they come with the extra `bench`, which `make bench` installs. Each size runs in a
process of its own, in which linear algebra libraries have one thread. Times are medians of five
(of three where it takes long; the peers of three, or one); they are printed, never asserted.
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import time
import tracemalloc
from functools import partial
from pathlib import Path

import numpy as np

from flockcore.hodge.complex import Complex
from flockcore.hodge.gossip import Partners, diffuse, gossip, largest_curl
from flockcore.hodge.operators import curl, divergence
from flockcore.hodge.projection import Form, Projector
from flockcore.hodge.solver import SolverOptions
from flockcore.kernel.rng import Streams

sys.path += [str(Path(__file__).parents[1]), str(Path(__file__).parent)]
import peers
from clocks import ONE_THREAD, machine, median_of

from hodge_complexes import grid

TOLERANCE = 1e-8
SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK = (1_000, 10_000)
ORIGINAL_S = 18.0
PEAK_TO_REACH = 2e9
EXPONENT_TO_REACH = 1.15
FLOCK_MS, FLOCK_WARM_MS = 10, 2


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(build, repeats):
    """Measure the projection of a random flow on the complex that `build` makes."""
    options = SolverOptions(tolerance=TOLERANCE)
    flow = np.random.default_rng(0).normal(size=build().edge_count)
    first, done = median_of(lambda: Projector(build(), options=options).project(flow), repeats)
    peak = peak_bytes()
    complex_ = build()
    projector = Projector(complex_, options=options)
    projector.project(flow)
    again, done = median_of(lambda: projector.project(flow), repeats)
    whole, parts = median_of(lambda: projector.decompose(flow), 1)
    assert done.converged
    assert parts.converged
    assert np.abs(done.flow - parts.gradient - parts.harmonic).max() < 1e-5
    vertex = done.form is Form.VERTEX
    matrix = (projector._vertices if vertex else projector._triangles)[0]
    right = divergence(complex_, flow) if vertex else curl(complex_, flow)
    return {
        "sizes": [complex_.vertex_count, complex_.edge_count, complex_.triangle_count],
        "form": done.form,
        "iterations": done.solution.iterations,
        "residual": done.solution.relative_residual,
        "first": first,
        "again": again,
        "decompose": whole,
        "peak": peak,
        "peers": peers.measured(matrix, right, TOLERANCE, grounded=vertex),
        "peak_with_peers": peak_bytes(),
    }


def on_grid(triangles):
    side = round(math.sqrt(triangles / 2))
    edges, corners, vertices = grid(side, side)
    return measured(
        lambda: Complex.given(edges, corners, vertices=vertices), 5 if triangles < 500_000 else 3
    )


def on_random(vertices):
    """A random graph of mean degree 40 in which every clique is filled."""
    rng = np.random.default_rng(1)
    joined = np.triu(rng.random((vertices, vertices)) < 40 / vertices, 1)
    edges = np.argwhere(joined)
    return measured(lambda: Complex.flag(edges, vertices=vertices), 3)


def flock(neighbours=6):
    """A mesh of 1,000 nodes and about 3,500 edges, as elections make it."""
    rng = np.random.default_rng(3)
    place = rng.random((1_000, 2))
    apart = np.square(place[:, None] - place).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    complex_ = Complex.from_neighbours(np.argsort(apart, axis=1)[:, :neighbours])
    flow = rng.normal(size=complex_.edge_count)
    changed = flow.copy()
    changed[:5] += 1e-4
    found = {"sizes": [complex_.vertex_count, complex_.edge_count, complex_.triangle_count]}
    rows = []
    for tolerance in (1e-8, 1e-12):
        plain = Projector(complex_, options=SolverOptions(tolerance=tolerance))
        ready = Projector(complex_, options=SolverOptions(tolerance=tolerance))
        prepare, _ = median_of(ready.prepare, 1)
        for name, projector in (("as it comes", plain), ("basis of holes kept", ready)):
            cold = projector.project(flow)
            times, _ = median_of(lambda one=projector: one.project(flow), 15)
            warm, done = median_of(lambda one=projector, at=cold: one.project(changed, warm=at), 15)
            assert done.converged
            steps = [cold.solution.iterations, done.solution.iterations]
            rows.append([name, tolerance, done.form, times, warm, steps])
        found["prepare"] = prepare
    return {**found, "rows": rows, "betti": ready.betti}


def averaging():
    """The two fixtures of the comparison with gossip: steps, bytes, time, memory."""
    edges = [(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4), (4, 5), (5, 6)]
    complex_ = Complex.flag(edges)
    projector, partners, streams = Projector(complex_), Partners(complex_), Streams([(0, 1)])
    spike = np.full(7, 100.0)
    spike[0] += 50
    conflict = np.array([25.0, 25, -25, 25, 25, -25, 0, 0])
    noisy = conflict + np.random.default_rng(0).uniform(-10, 10, 8)
    calls = {
        "A gossip": lambda: gossip(spike, lambda batch: partners.draw(streams, batch)),
        **{
            f"A projector, gain {gain}": lambda gain=gain: diffuse(projector, spike, gain=gain)
            for gain in (0.25, 0.35, 0.5)
        },
    }
    found = {}
    for name, call in calls.items():
        (seconds, _), run = median_of(call)
        found[name] = [run.outcome, run.steps, run.bytes, run.distance, run.curl, seconds]
        found[name].append(memory(call))
    for name, flow in (("B", conflict), ("B with noise", noisy)):
        start = divergence(complex_, flow)
        draw = partial(gossip, start, lambda batch: partners.draw(streams, batch))
        (seconds, _), run = median_of(draw)
        left = largest_curl(complex_, flow)
        found[f"{name} gossip"] = [run.outcome, run.steps, run.bytes + 128, run.distance, left]
        found[f"{name} gossip"] += [seconds, memory(draw)]
        project = partial(projector.project, flow)
        (seconds, _), done = median_of(project)
        view = np.abs(divergence(complex_, done.flow)).max()
        found[f"{name} projector"] = ["converged", 1, 128, view, largest_curl(complex_, done.flow)]
        found[f"{name} projector"] += [seconds, memory(project)]
    return found


KINDS = {"grid": on_grid, "random": on_random, "flock": flock, "averaging": averaging}
"""What is measured, each in a process of its own."""


def memory(call):
    """Return the peak of memory that a call allocates, in bytes."""
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def child(*arguments):
    """Run one measurement in its own process, so that its peak memory is its own."""
    print(*arguments, file=sys.stderr, flush=True)
    command = [sys.executable, str(Path(__file__)), "--child", *map(str, arguments)]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, check=True, env={**os.environ, **ONE_THREAD}
    )
    return json.loads(done.stdout)


def exponent(rows, clock):
    sizes = np.log([row["sizes"][2] for row in rows])
    return float(np.polyfit(sizes, np.log([row["first"][clock] for row in rows]), 1)[0])


def print_projection(rows, title, growth=True):
    print(f"\n{title}: milliseconds on the wall clock and of the processor,")
    print(f"to a relative residual of {TOLERANCE:g}")
    for row in rows:
        vertices, edges, triangles = row["sizes"]
        print(f"  {triangles:,} triangles, {edges:,} edges, {vertices:,} vertices")
        how = f"{row['form']} equations, {row['iterations']} iterations"
        print_line("first projection", row["first"], f"{how}, residual {row['residual']:.1e}")
        print_line("again", row["again"])
        print_line("all three parts", row["decompose"])
        for name, peer in row["peers"].items():
            if "left out" in peer:
                print(f"    {name:<17} left out: {peer['left out']}")
                continue
            ratio = f"{peer['s'] / row['first'][0]:.2f} and {peer['cpu'] / row['first'][1]:.2f}"
            remark = f"{ratio} times ours, residual {peer['residual']:.1e}"
            print_line(name, (peer["s"], peer["cpu"]), remark)
        if growth and 90_000 < triangles < 110_000:
            ratio = ORIGINAL_S / row["first"][0]
            print_line("the original", (ORIGINAL_S,), f"{ratio:.0f} times ours, recorded elsewhere")
            quick = "holds" if row["again"][0] < 1 else "does not hold"
            print(f"    P50, 100,000 triangles within a second once operators are kept: {quick}")
        print(f"    peak memory {row['peak'] / 1e6:,.0f} MB", end="")
        print(f"; peers included {row['peak_with_peers'] / 1e6:,.0f} MB" if row["peers"] else "")
    if growth and len(rows) > 1:
        wall, cpu = exponent(rows, 0), exponent(rows, 1)
        print(f"  growth exponent over triangles: {wall:.2f}, of processor time {cpu:.2f};")
        print(f"  to reach: {EXPONENT_TO_REACH}, and {PEAK_TO_REACH / 1e6:,.0f} MB at 1,000,000")


def print_line(name, times, remark=""):
    shown = "".join(f"{1e3 * one:>11,.1f}" for one in times)
    print(f"    {name:<17} {shown:<22}  {remark}".rstrip())


def print_flock(found):
    vertices, edges, triangles = found["sizes"]
    print("\nA flock's mesh: milliseconds on the wall clock and of the processor")
    holes = found["betti"][1]
    print(f"  {vertices:,} nodes, {edges:,} edges, {triangles:,} triangles, {holes:,} holes")
    for name, tolerance, form, cold, warm, steps in found["rows"]:
        print(f"  {name}, to {tolerance:g}, {form} equations")
        print_line("one projection", cold, f"{steps[0]} iterations; to reach: {FLOCK_MS}")
        remark = f"five edges changed; {steps[1]} iterations; to reach: {FLOCK_WARM_MS}"
        print_line("warm", warm, remark)
    print_line("basis, once", found["prepare"])


def print_averaging(rows):
    print("\nAveraging: outcome, steps, bytes, distance, curl, seconds, peak bytes allocated")
    for name, (outcome, steps, sent, distance, turn, seconds, peak) in rows.items():
        print(f"  {name:<24} {outcome:<10} {steps:>5} {sent:>8,} {distance:>9.2e} {turn:>9.2e} "
              f"{seconds:>9.2e} {peak:>9,}")  # fmt: skip


def print_peers():
    missing = peers.absent()
    present = [f"{name} {peers.installed(name)}" for name in peers.PACKAGES if name not in missing]
    if present:
        print(f"beside: {', '.join(present)}")
    if missing:
        print(f"NOT INSTALLED: {' and '.join(missing)}; nothing below is compared with them.")
        print("They are in the extra `bench`; `make bench` installs it.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small complexes only")
    parser.add_argument("--triangles", type=int, nargs="+", metavar="T", help="sizes of the grids")
    parser.add_argument("--only", nargs="+", choices=KINDS, default=KINDS, help="what to measure")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        kind, *numbers = chosen.child
        print(json.dumps(KINDS[kind](*map(int, numbers)), default=float))
        return
    before, began = machine(), time.perf_counter()
    sizes = chosen.triangles or (QUICK if chosen.quick else SIZES)
    counts = (300, 1_000) if chosen.quick else (300, 1_000, 3_000)
    plan = {"grid": sorted(sizes), "random": counts, "flock": [None], "averaging": [None]}
    rows = {
        kind: [child(kind, *([] if size is None else [size])) for size in plan[kind]]
        for kind in KINDS
        if kind in chosen.only
    }
    print("Removing the curl of a random flow; all libraries with one thread. First projection is")
    print("everything from the edges on; the peers get the finished matrix, set-up included.")
    print(f"before: {before}")
    print(f"after:  {machine()}")
    print_peers()
    if "grid" in rows:
        print_projection(rows["grid"], "Triangulated grids")
    if "random" in rows:
        print_projection(rows["random"], "Random flag complexes", growth=False)
    for found in rows.get("flock", ()):
        print_flock(found)
    for found in rows.get("averaging", ()):
        print_averaging(found)
    print(f"\nMeasured in {time.perf_counter() - began:.0f} s.")


if __name__ == "__main__":
    main()

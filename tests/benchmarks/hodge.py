"""Measure what removing the curl of a flow costs, beside scipy and pyamg on the same equations.

    python tests/benchmarks/hodge.py [--quick] [--triangles 1000 100000]

First projection means all of it: complex from arrays, collapse, matrix, preconditioner, solution.
The peers get the finished matrix of the same equations and solve to the same relative residual,
set-up included; they come with the extra `bench` and are left out without it. Each size runs in a
process of its own. Times are medians of five unless said; they are printed, never asserted.
"""

import argparse
import json
import math
import resource
import statistics
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

sys.path.append(str(Path(__file__).parents[1]))
from hodge_complexes import grid

TOLERANCE = 1e-8
SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICK = (1_000, 10_000)
ORIGINAL_S = 18.0


def median_of(call, repeats=5):
    """Return the median time in seconds and the last result."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return statistics.median(times), result


def peers(matrix, right, grounded):
    """Return seconds per peer and their relative residuals; set-up included."""
    try:
        import pyamg
        import scipy.sparse as sparse
        import scipy.sparse.linalg as linear
    except ImportError:
        return {}
    n = matrix.order
    rows = np.concatenate([matrix.rows, np.arange(n)])
    columns = np.concatenate([matrix.columns, np.arange(n)])
    values = np.concatenate([matrix.values, matrix.diagonal])
    full = sparse.csr_matrix((values, (rows, columns)), shape=(n, n))

    def direct():
        part = full[1:, 1:].tocsc()
        return np.concatenate([[0.0], linear.splu(part).solve(right[1:])])

    def smoothed():
        multilevel = pyamg.smoothed_aggregation_solver(full)
        return multilevel.solve(right, tol=TOLERANCE, accel="cg")

    calls = {
        "scipy cg": lambda: linear.cg(full, right, rtol=TOLERANCE, maxiter=20_000)[0],
        "pyamg": smoothed,
    }
    if grounded:
        calls["scipy splu"] = direct
    found = {}
    for name, call in calls.items():
        seconds, x = median_of(call, 3 if n < 200_000 else 1)
        residual = np.linalg.norm(right - full @ x) / np.linalg.norm(right)
        found[name] = {"s": seconds, "residual": float(residual)}
    return found


def measured(build, repeats):
    """Measure the projection of a random flow on the complex that `build` makes."""
    options = SolverOptions(tolerance=TOLERANCE)
    flow = np.random.default_rng(0).normal(size=build().edge_count)
    first, done = median_of(lambda: Projector(build(), options=options).project(flow), repeats)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
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
        "peers": peers(matrix, right, grounded=vertex),
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
    found = {"sizes": [complex_.vertex_count, complex_.edge_count, complex_.triangle_count]}
    for tolerance in (1e-8, 1e-12):
        plain = Projector(complex_, options=SolverOptions(tolerance=tolerance))
        ready = Projector(complex_, options=SolverOptions(tolerance=tolerance))
        prepare, _ = median_of(ready.prepare, 1)
        for name, projector in (("as it comes", plain), ("prepared", ready)):
            cold = projector.project(flow)
            seconds, _ = median_of(lambda one=projector: one.project(flow), 15)
            changed = flow.copy()
            changed[:5] += 1e-4
            warm, done = median_of(
                lambda one=projector, to=changed, at=cold: one.project(to, warm=at), 15
            )
            assert done.converged
            found[f"{name}, {tolerance:g}"] = {
                "form": done.form,
                "cold_ms": 1e3 * seconds,
                "warm_ms": 1e3 * warm,
                "iterations": [cold.solution.iterations, done.solution.iterations],
            }
        found["prepare_ms"] = 1e3 * prepare
    found["betti"] = ready.betti
    return found


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
        seconds, run = median_of(call)
        found[name] = [run.outcome, run.steps, run.bytes, run.distance, run.curl, seconds]
        found[name].append(memory(call))
    for name, flow in (("B", conflict), ("B with noise", noisy)):
        start = divergence(complex_, flow)
        draw = partial(gossip, start, lambda batch: partners.draw(streams, batch))
        seconds, run = median_of(draw)
        left = largest_curl(complex_, flow)
        found[f"{name} gossip"] = [run.outcome, run.steps, run.bytes + 128, run.distance, left]
        found[f"{name} gossip"] += [seconds, memory(draw)]
        project = partial(projector.project, flow)
        seconds, done = median_of(project)
        view = np.abs(divergence(complex_, done.flow)).max()
        found[f"{name} projector"] = ["converged", 1, 128, view, largest_curl(complex_, done.flow)]
        found[f"{name} projector"] += [seconds, memory(project)]
    return found


def memory(call):
    """Return the peak of memory that a call allocates, in bytes."""
    tracemalloc.start()
    call()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def child(*arguments):
    print(*arguments, file=sys.stderr, flush=True)
    command = [sys.executable, str(Path(__file__)), "--child", *map(str, arguments)]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def exponent(rows):
    sizes = np.log([row["sizes"][2] for row in rows])
    return float(np.polyfit(sizes, np.log([row["first"] for row in rows]), 1)[0])


def print_projection(rows, title, growth=True):
    print(f"\n{title}: milliseconds, to a relative residual of {TOLERANCE:g}")
    for row in rows:
        vertices, edges, triangles = row["sizes"]
        print(f"  {triangles:,} triangles, {edges:,} edges, {vertices:,} vertices")
        how = f"{row['form']} equations, {row['iterations']} iterations"
        print_line("first projection", row["first"], f"{how}, residual {row['residual']:.1e}")
        print_line("again", row["again"])
        print_line("all three parts", row["decompose"])
        for name, peer in row["peers"].items():
            ratio = f"{peer['s'] / row['first']:.2f} times ours"
            print_line(name, peer["s"], f"{ratio}, residual {peer['residual']:.1e}")
        if 90_000 < triangles < 110_000 and vertices < triangles:
            ratio = f"{ORIGINAL_S / row['first']:.0f} times ours, recorded elsewhere"
            print_line("the original", ORIGINAL_S, ratio)
        print(f"    peak memory {row['peak'] / 1e6:,.0f} MB")
    if growth and len(rows) > 1:
        print(f"  growth exponent over triangles: {exponent(rows):.2f}")


def print_line(name, seconds, remark=""):
    print(f"    {name:<17} {1e3 * seconds:>10,.1f}  {remark}".rstrip())


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small complexes only")
    parser.add_argument("--triangles", type=int, nargs="+", metavar="T", help="sizes of the grids")
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.child:
        kind, *numbers = chosen.child
        run = {"grid": on_grid, "random": on_random, "flock": flock, "averaging": averaging}[kind]
        print(json.dumps(run(*map(int, numbers)), default=float))
        return
    sizes = chosen.triangles or (QUICK if chosen.quick else SIZES)
    print_projection([child("grid", size) for size in sizes], "Triangulated grids")
    counts = (300, 1_000) if chosen.quick else (300, 1_000, 3_000)
    print_projection(
        [child("random", count) for count in counts], "Random flag complexes", growth=False
    )
    print("\nA flock's mesh: milliseconds a projection, warm from one with five edges changed")
    for name, value in child("flock").items():
        print(f"  {name:<20} {value}")
    print("\nAveraging: outcome, steps, bytes, distance, curl, seconds, peak bytes allocated")
    for name, (outcome, steps, sent, distance, turn, seconds, peak) in child("averaging").items():
        print(f"  {name:<24} {outcome:<10} {steps:>5} {sent:>8,} {distance:>9.2e} {turn:>9.2e} "
              f"{seconds:>9.2e} {peak:>9,}")  # fmt: skip


if __name__ == "__main__":
    main()

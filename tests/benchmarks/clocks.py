"""What a call takes, on the wall clock and of the processor, and the machine it ran on."""

import os
import platform
import statistics
import time
from importlib.metadata import version
from typing import NamedTuple

ONE_THREAD = dict.fromkeys(
    [
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
        "NUMEXPR_NUM_THREADS",
    ],
    "1",
)
"""Environment in which linear algebra libraries start no threads."""


class Times(NamedTuple):
    """Medians, in seconds."""

    wall: float
    cpu: float


def median_of(call, repeats=5):
    """Return the median times of a call and its last result."""
    wall, cpu = [], []
    for _ in range(repeats):
        start, spent = time.perf_counter(), time.process_time()
        result = call()
        wall.append(time.perf_counter() - start)
        cpu.append(time.process_time() - spent)
    return Times(statistics.median(wall), statistics.median(cpu)), result


def machine():
    """Return the machine and its load, in one line."""
    load = ", ".join(f"{one:.1f}" for one in os.getloadavg())
    return (
        f"Python {platform.python_version()}, numpy {version('numpy')}, {platform.machine()},"
        f" {os.cpu_count()} processors, load {load}"
    )

"""The same runs on CPython and in the browser's Python, compared tick by tick.

Exact layers must agree in every bit: their digests are compared. Layers that calculate with floats
agree as closely as the two machines' libraries do: their arrays are compared.
"""

import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from flockcore.errors import FlockError
from flockwasm.errors import SiteError
from flockwasm.inside.parity import recorded

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["TOLERANCE", "Difference", "check", "compare", "table"]

TOLERANCE = 1e-9
"""Largest relative difference of float arrays: of each element, to the array's largest."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How two runs of a scenario compare.

    Attributes:
        scenario: its name.
        ticks: that were run.
        checkpoints: that were compared.
        exact: first tick at which the digests differ, or None.
        largest: largest relative difference of a float array.
        where: that array's name; empty if there are none.
    """

    scenario: str
    ticks: int
    checkpoints: int
    exact: int | None
    largest: float
    where: str

    @property
    def holds(self) -> bool:
        """Whether the two are the same run."""
        return self.exact is None and self.largest <= TOLERANCE


def compare(name: str, native: str, browser: str) -> Difference:
    """Compare two records of a scenario, as `flockwasm.inside.parity.recorded` makes them.

    Args:
        name: of the scenario.
        native: made on CPython.
        browser: made in the browser's Python.

    Raises:
        FlockError: they were not taken at the same ticks.
    """
    here, there = json.loads(native), json.loads(browser)
    ticks = [point[0] for point in here]
    if ticks != [point[0] for point in there]:
        raise FlockError(f"{name}: the two runs were not recorded at the same ticks")
    exact = next((a[0] for a, b in zip(here, there, strict=True) if a[1] != b[1]), None)
    largest, where = 0.0, ""
    for (_, _, mine), (_, _, other) in zip(here, there, strict=True):
        for key in sorted(mine.keys() | other.keys()):
            distance = _distance(mine.get(key), other.get(key))
            if distance > largest or not where:
                largest, where = distance, key
    return Difference(name, ticks[-1], len(ticks), exact, largest, where)


def _distance(mine: Any, other: Any) -> float:  # noqa: ANN401
    if mine is None or other is None or len(mine) != len(other):
        return float("inf")
    a: NDArray[np.float64] = np.asarray(mine, dtype=float)
    b: NDArray[np.float64] = np.asarray(other, dtype=float)
    if not len(a):
        return 0.0
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    if same.all():
        return 0.0
    scale = max(float(np.abs(a[np.isfinite(a)]).max(initial=0.0)), np.finfo(float).tiny)
    apart = np.where(same, 0.0, np.abs(a - b))
    return float("inf") if np.isnan(apart).any() else float(apart.max()) / scale


def check(site: Path, names: Iterable[str]) -> Iterator[Difference]:
    """Run scenarios here and on the site's Python in Node, and compare them one by one.

    Args:
        site: folder of a built site.
        names: of the scenarios.

    Raises:
        SiteError: there is no Node, no site, or the other side failed.
    """
    node = shutil.which("node")
    if node is None:
        raise SiteError("parity is checked in Node, and there is no `node` on PATH")
    if not (site / "pyodide").is_dir():
        raise SiteError(f"{site} holds no site: run `make site`")
    script = Path(__file__).parent / "shell" / "parity.mjs"
    for name in names:
        command = [node, str(script), str(site.resolve()), name]
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
        )
        if done.returncode != 0:
            raise SiteError(f"{name} failed in the browser's Python:\n{done.stderr.strip()}")
        yield compare(name, recorded(name), done.stdout)


def table(differences: Iterable[Difference]) -> Iterator[str]:
    """Yield the lines of a table of comparisons, each as soon as it is known."""
    yield f"{'scenario':<18} {'ticks':>6} {'compared':>9}  {'exact layers':<22} float layers"
    for found in differences:
        exact = "identical" if found.exact is None else f"differ by tick {found.exact}"
        close = "none" if not found.where else f"{found.largest:.1e} ({found.where})"
        line = f"{found.scenario:<18} {found.ticks:>6} {found.checkpoints:>9}  {exact:<22} {close}"
        yield line if found.holds else f"{line}  DIFFERS"

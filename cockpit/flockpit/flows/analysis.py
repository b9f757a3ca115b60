"""What there is to say about a flow between named vertices."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from flockcore.errors import FlockError
from flockcore.hodge.arrays import Floats, Indices
from flockcore.hodge.operators import curl
from flockcore.hodge.projection import Projector
from flockcore.hodge.solver import Solution, SolverOptions
from flockcore.hodge.table import FlowTable, Meaning

__all__ = ["PARTS", "STAGES", "Analysis", "analyse"]

PARTS = ("gradient", "curl", "harmonic")
"""The three parts, in the order in which they are told."""
STAGES = 3
"""Stages of an analysis, each of which is told when it is done."""
_MOST_COUNTED = 2**26
"""Numbers that counting holes may hold."""
_NOISE = 1e-9
"""Share of the largest value below which a number is rounding."""


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Analysis:
    """A flow and its parts, in the units of its values.

    Attributes:
        name: What the flow is called: its file.
        meaning: What its rows meant.
        table: Names, complex and flow, E edges between V vertices with T triangles.
        parts: Gradient, curl and harmonic part by name, shape (E,) each.
        potential: Whose rise the gradient part is; the ranking of comparisons, shape (V,).
        turn: The flow summed round each triangle, shape (T,).
        piece: Connected piece of each vertex, shape (V,).
        pieces: Number of connected pieces.
        betti: Connected pieces, holes and voids; None where counting would take too much memory.
        shares: Shares of the parts in the squared norm, by name.
        solutions: How gradient and curl part were found; None where there was nothing to solve.
        largest: Largest magnitude of a value.
    """

    name: str
    meaning: Meaning
    table: FlowTable
    parts: dict[str, Floats]
    potential: Floats
    turn: Floats
    piece: Indices
    pieces: int
    betti: tuple[int, int, int] | None
    shares: dict[str, float]
    solutions: dict[str, Solution | None]
    largest: float

    @property
    def converged(self) -> bool:
        """Whether both solutions reached their tolerance."""
        return all(one is None or one.converged for one in self.solutions.values())

    @property
    def ranking(self) -> Indices:
        """Vertices by falling potential, one connected piece after the other."""
        return np.lexsort((-self.potential, self.piece))

    @property
    def worst_edges(self) -> Indices:
        """Edges by how far they are from the gradient part, furthest first."""
        away = np.abs(self.table.flow - self.parts["gradient"])
        return np.argsort(-self._quiet(away), kind="stable")

    @property
    def worst_triangles(self) -> Indices:
        """Triangles that turn, by how much, most first."""
        away = self._quiet(np.abs(self.turn))
        order = np.argsort(-away, kind="stable")
        return order[: np.count_nonzero(away)]

    def triangle(self, number: int) -> tuple[tuple[int, int, int], float]:
        """Return the vertices of a triangle in the order in which it turns, and by how much."""
        u, v, w = map(int, self.table.complex.triangles[number])
        turn = float(self.turn[number])
        return ((u, v, w), turn) if turn >= 0 else ((u, w, v), -turn)

    def is_noise(self, value: float) -> bool:
        """Whether a number is rounding beside the largest value."""
        return abs(value) <= _NOISE * self.largest

    def _quiet(self, magnitude: Floats) -> Floats:
        return np.where(magnitude <= _NOISE * self.largest, 0.0, magnitude)


def analyse(
    table: FlowTable,
    *,
    name: str,
    meaning: Meaning,
    options: SolverOptions | None = None,
    told: Callable[[int], object] = lambda _: None,
) -> Analysis:
    """Take a flow apart.

    Args:
        table: The flow.
        name: What to call it.
        meaning: What its rows meant.
        options: Tolerance and limit of the solver.
        told: Told how many of the `STAGES` are done.

    Raises:
        FlockError: the parts are too large for a number.
    """
    projector = Projector(table.complex, options=options)
    homology = projector.homology
    countable = homology.aside * homology.loops <= _MOST_COUNTED
    betti = homology.betti if countable else None
    told(1)
    largest = float(np.abs(table.flow).max())
    # A power of two, so that nothing is rounded; the squares of what is left are within range.
    exponent = math.frexp(largest)[1] if largest else 0
    scaled = np.ldexp(table.flow, -exponent)
    found = projector.decompose(scaled)
    told(2)
    raw = [found.gradient, found.curl, found.harmonic, found.potential, curl(table.complex, scaled)]
    with np.errstate(over="ignore", under="ignore"):
        *parts, potential, turn = (np.ldexp(one, exponent) for one in raw)
    if not all(np.isfinite(one).all() for one in (*parts, potential, turn)):
        raise FlockError(f"a value is {largest:g}; its parts are too large for a number")
    told(3)
    return Analysis(
        name=name,
        meaning=meaning,
        table=table,
        parts=dict(zip(PARTS, parts, strict=True)),
        potential=potential,
        turn=turn,
        piece=homology.components,
        pieces=homology.pieces,
        betti=betti,
        shares=dict(zip(PARTS, found.shares, strict=True)),
        solutions=dict(zip(PARTS, found.solutions, strict=False)),
        largest=largest,
    )

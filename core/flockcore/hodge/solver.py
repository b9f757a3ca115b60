"""Conjugate gradients that say how they ended.

The flexible variant (Notay 2000, "Flexible conjugate gradients"), because the multilevel
preconditioner is not quite linear. The tolerance is relative to the right side, no curvature is
compared with an absolute number, and whether the solver converged is judged by the residual
computed anew at the end (W1 of the original: a cap or a guard counted as success).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from flockcore.errors import FlockError
from flockcore.hodge.errors import DimensionMismatchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from flockcore.hodge.arrays import Floats

__all__ = ["Operator", "Solution", "SolverOptions", "conjugate_gradients", "dot", "norm"]

_EPSILON = float(np.finfo(np.float64).eps)
_ROUNDING = 32.0
"""Rounding errors of a product, in units of epsilon |A| |x|, below which no residual gets."""


class Operator(Protocol):
    """A symmetric positive semi-definite matrix, known by its products."""

    def __matmul__(self, x: Floats, /) -> Floats:
        """Return the product with a vector."""
        ...

    def product(self, x: Floats, out: Floats, /) -> Floats:
        """Write the product with x into `out` and return it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SolverOptions:
    """When to stop.

    Attributes:
        tolerance: residual allowed, relative to the norm of the right side, above 0 and below 1.
        limit: iterations allowed, 0 or more; the record says when they did not suffice.
        guard: stop at a curvature below this absolute number, as the original did at 1e-14; None
            means no such guard.
        relative: whether `tolerance` is relative; the original's was absolute.
    """

    tolerance: float = 1e-12
    limit: int = 1000
    guard: float | None = None
    relative: bool = True

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 0 < self.tolerance < 1:
            raise FlockError(f"tolerance is {self.tolerance}; above 0 and below 1 is allowed")
        if self.limit < 0:
            raise FlockError(f"limit is {self.limit}; 0 or more is allowed")


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Solution:
    """A solution and how it was reached.

    Attributes:
        x: the solution, or the best approach to it, shape (n,).
        converged: whether the residual is within the tolerance, or within what rounding allows.
        iterations: steps taken.
        residual: norm of b - A x, computed anew at the end.
        scale: norm of b, to which the tolerance relates.
        history: norm of the running residual before each step and after the last,
            shape (iterations + 1,).
    """

    x: Floats
    converged: bool
    iterations: int
    residual: float
    scale: float
    history: Floats

    @property
    def relative_residual(self) -> float:
        """The residual in units of `scale`; 0 for a right side of 0 that is met."""
        return self.residual / self.scale if self.scale else self.residual


def dot(x: Floats, y: Floats) -> float:
    """Return the inner product, summed in an order that depends on the length alone.

    (BLAS would start threads for long vectors.)
    """
    return float(np.einsum("i,i->", x, y))


def norm(x: Floats) -> float:
    """Return the 2-norm."""
    return math.sqrt(dot(x, x))


def conjugate_gradients(
    matrix: Operator,
    right: Floats,
    *,
    start: Floats | None = None,
    precondition: Callable[[Floats], Floats] | None = None,
    floor: float = 0.0,
    size: float = 0.0,
    options: SolverOptions | None = None,
) -> Solution:
    """Solve A x = b for a symmetric positive semi-definite A, b in its range.

    Args:
        matrix: A, of order n.
        right: b, shape (n,).
        start: first approach to x; 0 without, shape (n,).
        precondition: an approximate inverse of A.
        floor: a residual this small is rounding of what b was computed from, and counts as none.
        size: a bound of the norm of A; from it follows which residual rounding allows.
        options: tolerance and limit.

    Returns:
        The record; its x is the start if that was better than what the steps led to.

    Raises:
        FlockError: lengths differ.
    """
    options = SolverOptions() if options is None else options
    if start is not None and len(start) != len(right):
        raise DimensionMismatchError(expected=len(right), actual=len(start))
    scale = norm(right)
    goal = max(options.tolerance * (scale if options.relative else 1.0), floor)
    run = _Run(matrix, right, start, precondition, goal, options)
    run.go()
    residual = norm(right - matrix @ run.x)
    attainable = max(goal, _ROUNDING * _EPSILON * size * norm(run.x))
    return Solution(
        x=run.x,
        converged=bool(residual <= attainable * (1 + 1e-6)),
        iterations=len(run.history) - 1,
        residual=residual,
        scale=scale,
        history=np.array(run.history),
    )


class _Run:
    """One run of the iteration."""

    def __init__(
        self,
        matrix: Operator,
        right: Floats,
        start: Floats | None,
        precondition: Callable[[Floats], Floats] | None,
        goal: float,
        options: SolverOptions,
    ) -> None:
        self.matrix, self.precondition = matrix, precondition
        self.goal, self.options = goal, options
        self.x = np.zeros(len(right)) if start is None else np.array(start, dtype=np.float64)
        self.residual = right.copy() if start is None else right - matrix @ self.x
        self.history = [norm(self.residual)]

    def go(self) -> None:
        """Step until the goal, the limit, or a curvature that leads nowhere."""
        scratch = np.empty_like(self.x)
        direction, image, curvature = np.zeros_like(self.x), np.zeros_like(self.x), 0.0
        while self.history[-1] > self.goal and len(self.history) <= self.options.limit:
            z = self.residual if self.precondition is None else self.precondition(self.residual)
            if curvature:
                direction *= -dot(z, image) / curvature
            direction += z
            self.matrix.product(direction, image)
            curvature = dot(direction, image)
            if not self._bends(curvature):
                return
            step = dot(direction, self.residual) / curvature
            self.x += np.multiply(direction, step, out=scratch)
            self.residual -= np.multiply(image, step, out=scratch)
            self.history.append(norm(self.residual))

    def _bends(self, curvature: float) -> bool:
        if self.options.guard is not None and abs(curvature) < self.options.guard:
            return False
        return curvature > 0 and bool(np.isfinite(curvature))

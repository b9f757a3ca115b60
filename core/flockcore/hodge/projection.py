"""Hodge decomposition of edge flows: gradient, curl and harmonic parts.

f = d0 a + d1^T b + h, the three orthogonal to each other (Lim 2020, "Hodge Laplacians on graphs";
spec shivya, section 1.3 and W20). Removing the curl part is what reconciles replicas. Since the
three parts add up, it can be found from either Laplacian: that of the triangles gives the curl
part itself; that of the vertices, of lower order on most meshes, gives the gradient, and the rest
is curl where there is no hole or the harmonic part is known.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from flockcore.hodge.errors import DimensionMismatchError
from flockcore.hodge.harmonic import harmonic_basis
from flockcore.hodge.homology import Homology
from flockcore.hodge.multilevel import Multilevel
from flockcore.hodge.operators import (
    circulation,
    curl,
    divergence,
    gradient,
    triangle_laplacian,
    vertex_laplacian,
)
from flockcore.hodge.solver import Solution, SolverOptions, conjugate_gradients, norm
from flockcore.hodge.validation import finite

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from flockcore.hodge.arrays import Floats
    from flockcore.hodge.complex import Complex
    from flockcore.hodge.matrix import SymmetricMatrix

__all__ = ["Decomposition", "Form", "Projection", "Projector"]

_FLOOR = 4 * float(np.finfo(np.float64).eps)
"""Rounding of a divergence or curl, in units of the flow's norm."""

_MOST_BASIS = 2**23
"""Numbers that a basis of harmonic flows may hold."""

_SURFACE = 4
"""Neighbours of a triangle, on the mean, up to which coarse levels pay: on a surface it has 3.
Where many triangles share each edge, the equations are well conditioned as they are."""


class Form(StrEnum):
    """Which equations a projection solved."""

    VERTEX = "vertex"
    TRIANGLE = "triangle"
    NONE = "none"


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Projection:
    """A flow without its curl part.

    Attributes:
        flow: what is left: gradient and harmonic part, shape (E,).
        removed: the curl part, shape (E,).
        form: which equations were solved.
        solution: how; its x is the potential (V,) or the stream (T,); None where there was nothing
            to solve.
    """

    flow: Floats
    removed: Floats
    form: Form
    solution: Solution | None

    @property
    def converged(self) -> bool:
        """Whether the solver reached its tolerance; if not, some curl is left."""
        return self.solution is None or self.solution.converged

    @property
    def curl_norm(self) -> float:
        """Norm of what was removed."""
        return norm(self.removed)


@dataclass(frozen=True, eq=False, slots=True, kw_only=True)
class Decomposition:
    """The three parts of a flow; they add up to it.

    Attributes:
        gradient: d0 of the potential, shape (E,).
        curl: d1^T of the stream, shape (E,).
        harmonic: the rest, which circulates round holes, shape (E,).
        potential: a of mean 0 on each connected piece, shape (V,).
        stream: b, not unique where triangles enclose a void, shape (T,).
        solutions: how potential and stream were found; None where there was nothing to solve.
    """

    gradient: Floats
    curl: Floats
    harmonic: Floats
    potential: Floats
    stream: Floats
    solutions: tuple[Solution | None, Solution | None]

    @property
    def converged(self) -> bool:
        """Whether both solutions reached their tolerance."""
        return all(one is None or one.converged for one in self.solutions)

    @property
    def shares(self) -> tuple[float, float, float]:
        """Shares of gradient, curl and harmonic part in the squared norm; 0 for a flow of 0."""
        squares = [norm(part) ** 2 for part in (self.gradient, self.curl, self.harmonic)]
        whole = sum(squares) or 1.0
        return squares[0] / whole, squares[1] / whole, squares[2] / whole


class Projector:
    """Projects flows on one complex; what depends on the complex alone is made once and kept.

    Args:
        complex_: the complex.
        options: tolerance and limit of the solver.
    """

    def __init__(self, complex_: Complex, *, options: SolverOptions | None = None) -> None:
        self.complex = complex_
        self.options = SolverOptions() if options is None else options
        self._basis: Floats | None = None

    @cached_property
    def homology(self) -> Homology:
        """The collapse of the complex and what follows from it."""
        return Homology(self.complex, pieces=self._vertices[1].pieces)

    @property
    def betti(self) -> tuple[int, int, int]:
        """Betti numbers: connected pieces, holes that no triangles fill, and enclosed voids."""
        return self.homology.betti

    @property
    def form(self) -> Form:
        """Which equations `project` solves at present."""
        if not self.complex.triangle_count:
            return Form.NONE
        if self._basis is not None:
            return Form.VERTEX
        # More loops than triangles: some cannot be filled.
        open_ = self.complex.edge_count >= self.complex.vertex_count + self.complex.triangle_count
        if open_ or not self._smaller or self.homology.loops:
            return Form.TRIANGLE
        return Form.VERTEX

    @property
    def _smaller(self) -> bool:
        """Whether the vertex equations are the smaller ones."""
        return self.complex.vertex_count <= self.complex.triangle_count

    def prepare(self) -> Form:
        """Find a basis of the harmonic flows, if the vertex equations are the smaller ones.

        It costs one solution for each hole, once; later projections are then as fast on a complex
        with holes as on one without.
        """
        if self._smaller and self._basis is None and self.homology.loops:
            holes = self.betti[1]
            if holes * self.complex.edge_count <= _MOST_BASIS:
                self._basis = harmonic_basis(self.homology, self._solve_vertices)
        return self.form

    def project(self, flow: ArrayLike, *, warm: Projection | None = None) -> Projection:
        """Remove the curl part of a flow; its divergence stays.

        Args:
            flow: shape (E,).
            warm: an earlier projection on this complex, from whose solution the solver starts.

        Raises:
            DimensionMismatchError: not one number for each edge.
            FlockError: a number that is not finite.
        """
        values = self._checked(flow)
        form = self.form
        if form is Form.NONE:
            return Projection(flow=values, removed=np.zeros(len(values)), form=form, solution=None)
        start = None
        if warm is not None and warm.solution is not None and warm.form is form:
            start = warm.solution.x
        if form is Form.VERTEX:
            solution = self._solve_vertices(values, start)
            left = gradient(self.complex, solution.x)
            left += self._harmonic(values)
            removed = values - left
        else:
            solution = self._solve_triangles(values, start)
            removed = circulation(self.complex, solution.x)
            left = values - removed
        return Projection(flow=left, removed=removed, form=form, solution=solution)

    def project_or_keep(self, flow: ArrayLike) -> Floats:
        """Return the flow without its curl part, or as it is where it cannot be projected."""
        try:
            return self.project(flow).flow
        except ValueError:
            return np.array(flow, dtype=np.float64)

    def decompose(self, flow: ArrayLike) -> Decomposition:
        """Return the three parts of a flow and their potentials.

        Raises:
            DimensionMismatchError: not one number for each edge.
            FlockError: a number that is not finite.
        """
        values = self._checked(flow)
        up = self._solve_vertices(values) if len(values) else None
        down = self._solve_triangles(values) if self.complex.triangle_count else None
        potential = np.zeros(self.complex.vertex_count) if up is None else up.x
        stream = np.zeros(self.complex.triangle_count) if down is None else down.x
        rise = gradient(self.complex, potential)
        turn = circulation(self.complex, stream)
        return Decomposition(
            gradient=rise,
            curl=turn,
            harmonic=values - rise - turn,
            potential=self._centred(potential),
            stream=stream,
            solutions=(up, down),
        )

    def potential_of(self, arriving: Floats) -> Solution:
        """Solve for the potential whose gradient brings `arriving` to each vertex.

        Args:
            arriving: its sum over each connected piece is 0, shape (V,).
        """
        return self._solve(self._vertices, arriving, _FLOOR * norm(arriving))

    @cached_property
    def _vertices(self) -> tuple[SymmetricMatrix, Multilevel]:
        matrix = vertex_laplacian(self.complex)
        return matrix, Multilevel(matrix)

    @cached_property
    def _triangles(self) -> tuple[SymmetricMatrix, Multilevel | None]:
        matrix = triangle_laplacian(self.complex)
        like_a_surface = len(matrix.rows) <= _SURFACE * matrix.order
        return matrix, Multilevel(matrix) if like_a_surface else None

    def _checked(self, flow: ArrayLike) -> Floats:
        values = finite(flow, "the flow", "edge")
        if len(values) != self.complex.edge_count:
            raise DimensionMismatchError(expected=self.complex.edge_count, actual=len(values))
        return values

    def _solve_vertices(self, flow: Floats, start: Floats | None = None) -> Solution:
        right = divergence(self.complex, flow)
        return self._solve(self._vertices, right, _FLOOR * norm(flow), start)

    def _solve_triangles(self, flow: Floats, start: Floats | None = None) -> Solution:
        right = curl(self.complex, flow)
        return self._solve(self._triangles, right, _FLOOR * norm(flow), start)

    def _solve(
        self,
        equations: tuple[SymmetricMatrix, Multilevel | None],
        right: Floats,
        floor: float,
        start: Floats | None = None,
    ) -> Solution:
        matrix, multilevel = equations
        return conjugate_gradients(
            matrix,
            right,
            start=start,
            precondition=multilevel,
            floor=floor,
            size=matrix.bound,
            options=self.options,
        )

    def _harmonic(self, flow: Floats) -> Floats | float:
        """Return the harmonic part from the basis; 0 where there is no hole."""
        if self._basis is None or not len(self._basis):
            return 0.0
        # Not "@": linear algebra libraries start threads for this, which costs more than the work.
        weight = np.einsum("ij,j->i", self._basis, flow)
        part: Floats = np.einsum("i,ij->j", weight, self._basis)
        return part

    def _centred(self, potential: Floats) -> Floats:
        """Shift a potential to mean 0 on each connected piece."""
        piece = self.homology.components
        count = np.bincount(piece)
        mean = np.bincount(piece, potential) / np.maximum(count, 1)
        centred: Floats = potential - mean[piece]
        return centred

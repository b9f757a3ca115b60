"""Flows without divergence and without curl, one for each hole."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from flockcore.hodge.operators import gradient

if TYPE_CHECKING:
    from collections.abc import Callable

    from flockcore.hodge.arrays import Floats
    from flockcore.hodge.homology import Homology
    from flockcore.hodge.solver import Solution

__all__ = ["harmonic_basis"]


def harmonic_basis(homology: Homology, solve: Callable[[Floats], Solution]) -> Floats:
    """Return an orthonormal basis of the harmonic flows, shape (b1, E).

    A closed cochain less its gradient part is harmonic.

    Args:
        homology: of the complex.
        solve: finds the vertex potential of a flow's gradient part.
    """
    closed = homology.closed()
    for cochain in closed:
        cochain -= gradient(homology.complex, solve(cochain).x)
    basis, _ = np.linalg.qr(closed.T)
    return np.ascontiguousarray(basis.T)

"""Other solvers on the same equations: scipy's cg and splu, pyamg's smoothed aggregation.

They come with the extra `bench`, which `make bench` installs; without it they are absent, and what
prints the results says so.
"""

from importlib.metadata import PackageNotFoundError, version

import numpy as np
from clocks import median_of

PACKAGES = ("scipy", "pyamg")
MOST_CG = 20_000


def absent():
    """Return which packages are not installed."""
    return [name for name in PACKAGES if not installed(name)]


def installed(name):
    """Return the version of a package; empty where it is not installed."""
    try:
        return version(name)
    except PackageNotFoundError:
        return ""


def measured(matrix, right, tolerance, *, grounded):
    """Solve with each peer that is installed.

    Args:
        matrix: the SymmetricMatrix of the equations.
        right: their right side.
        tolerance: relative residual at which iterations stop.
        grounded: whether the equations may be solved directly with the first unknown set to 0.

    Returns:
        By name, the seconds and the relative residual, or the reason for which there is none.
    """
    if "scipy" in absent():
        return {}
    import scipy.sparse as sparse
    import scipy.sparse.linalg as linear

    n = matrix.order
    rows = np.concatenate([matrix.rows, np.arange(n)])
    columns = np.concatenate([matrix.columns, np.arange(n)])
    values = np.concatenate([matrix.values, matrix.diagonal])
    full = sparse.csr_matrix((values, (rows, columns)), shape=(n, n))

    def direct():
        part = full[1:, 1:].tocsc()
        return np.concatenate([[0.0], linear.splu(part).solve(right[1:])])

    def smoothed():
        import pyamg

        levels = pyamg.smoothed_aggregation_solver(full)
        return levels.solve(right, tol=tolerance, accel="cg")

    found = {}
    for name, call in {
        "scipy cg": lambda: linear.cg(full, right, rtol=tolerance, maxiter=MOST_CG)[0],
        "scipy splu": direct,
        "pyamg": smoothed,
    }.items():
        if name == "scipy splu" and not grounded:
            found[name] = {"left out": "the equations are singular in more than a constant"}
        elif name.split()[0] not in absent():
            found[name] = solved(call, full, right, repeats=3 if n < 200_000 else 1)
    return found


def solved(call, full, right, repeats):
    """Return what a solver took, or that it did not fit."""
    try:
        times, x = median_of(call, repeats)
    except MemoryError:
        return {"left out": "it does not fit into memory"}
    residual = np.linalg.norm(right - full @ x) / np.linalg.norm(right)
    return {"s": times.wall, "cpu": times.cpu, "residual": float(residual)}

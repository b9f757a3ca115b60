"""Sparse matrices, the solver and its preconditioner, against dense algebra (P10)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.hodge.complex import Complex
from flockcore.hodge.forest import spanning_forest
from flockcore.hodge.matrix import SymmetricMatrix, sorting_order
from flockcore.hodge.multilevel import Multilevel, aggregate
from flockcore.hodge.operators import triangle_laplacian, vertex_laplacian
from flockcore.hodge.solver import SolverOptions, conjugate_gradients
from hodge_complexes import NAMED, annulus, complete, complexes, triangulated
from hodge_twin import DenseMatrix


@st.composite
def matrices(draw):
    order = draw(st.integers(1, 40))
    count = draw(st.integers(0, 80)) if order > 1 else 0
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    first, step = rng.integers(0, order, count), rng.integers(1, max(order, 2), count)
    values = rng.normal(size=count) if draw(st.booleans()) else np.full(count, -1.0)
    return rng.normal(size=order), first, (first + step) % order, values


@pytest.mark.slow
@given(matrices())
def test_products_and_neighbours_are_the_dense_ones(parts):
    diagonal, first, second, values = parts
    dense = np.diag(diagonal)
    np.add.at(dense, (first, second), values)
    np.add.at(dense, (second, first), values)
    matrix = SymmetricMatrix.from_pairs(diagonal, first, second, values)
    np.testing.assert_allclose(matrix.dense(), dense, atol=1e-12)
    x = np.cos(np.arange(len(diagonal)))
    np.testing.assert_allclose(matrix @ x, dense @ x, atol=1e-12)
    assert matrix.bound >= np.abs(np.linalg.eigvalsh(dense)).max() * (1 - 1e-12)
    rank = np.arange(len(diagonal)) * 7 % 41
    joined = matrix.dense() != 0
    np.fill_diagonal(joined, True)
    joined[matrix.rows, matrix.columns] = True
    wanted = [rank[row].max() for row in joined]
    assert matrix.largest_neighbour(rank).tolist() == wanted


def test_a_hub_sticks_out_of_the_rectangle():
    star = vertex_laplacian(Complex.flag([(0, one) for one in range(1, 50)]))
    assert star.width == 1
    x = np.arange(50.0)
    np.testing.assert_allclose(star @ x, star.dense() @ x)
    assert star.entries == 50 + 98


def test_many_rows_fill_several_blocks():
    matrix = vertex_laplacian(triangulated(100, 100))
    x = np.sin(np.arange(matrix.order))
    rows = np.zeros(matrix.order)
    np.add.at(rows, matrix.rows, matrix.values * x[matrix.columns])
    np.testing.assert_allclose(matrix @ x, rows + matrix.diagonal * x, atol=1e-12)


@pytest.mark.slow
@given(st.lists(st.integers(0, 2**62 - 1), max_size=30) | st.lists(st.integers(0, 5)))
def test_order_of_keys(keys):
    keys = np.array(keys, dtype=np.int64)
    np.testing.assert_array_equal(sorting_order(keys), np.argsort(keys, kind="stable"))


@pytest.mark.slow
@given(complexes(max_vertices=12))
def test_pieces_and_forest(complex_):
    piece, tree = spanning_forest(complex_.edges, complex_.vertex_count)
    assert (piece[complex_.edges[:, 0]] == piece[complex_.edges[:, 1]]).all()
    pieces = len(set(piece.tolist()))
    assert sorted(set(piece.tolist())) == list(range(pieces))
    assert tree.sum() == complex_.vertex_count - pieces
    alone = spanning_forest(complex_.edges[tree], complex_.vertex_count)[0]
    np.testing.assert_array_equal(alone, piece)
    first = [piece.tolist().index(one) for one in range(pieces)]
    assert first == sorted(first)


@pytest.mark.parametrize("name", NAMED)
def test_aggregates_cover_all_rows_that_have_entries(name):
    matrix = vertex_laplacian(NAMED[name])
    member, sign, count = aggregate(matrix)
    np.testing.assert_array_equal(member < 0, matrix.degree == 0)
    np.testing.assert_array_equal(sign, member >= 0)
    assert set(member[member >= 0].tolist()) == set(range(count))
    pieces, _ = spanning_forest(NAMED[name].edges, NAMED[name].vertex_count)
    assert Multilevel(matrix).pieces == pieces.max(initial=-1) + 1


def test_pieces_are_counted_across_levels():
    edges = [(one, one + 1) for one in range(2000) if one % 11 and one % 640]
    matrix = vertex_laplacian(Complex.flag(edges, vertices=2100))
    pieces, _ = spanning_forest(np.array(edges), 2100)
    assert len(Multilevel(matrix).orders) > 1
    assert Multilevel(matrix).pieces == pieces.max() + 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "matrix",
    [
        vertex_laplacian(triangulated(40, 40)),
        triangle_laplacian(triangulated(40, 40)),
        vertex_laplacian(annulus(700)),
        triangle_laplacian(annulus(700)),
        vertex_laplacian(Complex.flag([(one, one + 1) for one in range(3000)])),
        vertex_laplacian(Complex.flag([(0, one + 1) for one in range(3000)])),
        triangle_laplacian(complete(14)),
    ],
)
def test_few_iterations_suffice_at_several_levels(matrix):
    wanted = np.cos(np.arange(matrix.order) * 1.7)
    right = matrix @ wanted
    multilevel = Multilevel(matrix)
    assert len(multilevel.orders) > 1
    assert multilevel.orders == sorted(multilevel.orders, reverse=True)
    found = conjugate_gradients(matrix, right, precondition=multilevel, size=matrix.bound)
    assert found.converged
    assert found.iterations <= 50
    assert np.abs(matrix @ found.x - right).max() < 1e-9


@pytest.mark.slow
@given(matrices(), st.integers(0, 5))
def test_a_limit_is_said_and_what_is_reached_is_no_worse_than_the_start(parts, limit):
    dense = SymmetricMatrix.from_pairs(*parts).dense()
    full = DenseMatrix(dense @ dense.T + np.eye(len(dense)))
    right = np.ones(len(dense))
    found = conjugate_gradients(full, right, options=SolverOptions(limit=limit))
    assert found.iterations <= limit
    assert found.residual <= found.scale * np.linalg.cond(full.rows)
    error, start = found.x - np.linalg.solve(full.rows, right), np.linalg.solve(full.rows, right)
    assert error @ full.rows @ error <= start @ full.rows @ start * (1 + 1e-9)
    assert found.converged == (found.residual <= 1e-12 * found.scale * (1 + 1e-6))


def test_nothing_to_do_takes_no_step():
    found = conjugate_gradients(DenseMatrix([[2.0]]), np.zeros(1))
    assert (found.converged, found.iterations, found.relative_residual) == (True, 0, 0)
    again = conjugate_gradients(DenseMatrix([[2.0]]), np.ones(1), start=np.array([0.5]))
    assert (again.converged, again.iterations) == (True, 0)


def test_a_right_side_outside_the_range_is_not_called_solved():
    found = conjugate_gradients(DenseMatrix([[1.0, -1.0], [-1.0, 1.0]]), np.array([1.0, 0.0]))
    assert not found.converged


def test_the_preconditioner_leaves_nothing_as_it_is():
    matrix = vertex_laplacian(triangulated(60, 60))
    multilevel = Multilevel(matrix)
    assert len(multilevel.orders) > 2
    assert not multilevel(np.zeros(matrix.order)).any()


def test_bad_settings_are_refused():
    with pytest.raises(FlockError, match="tolerance is 0; above 0 and below 1 is allowed"):
        SolverOptions(tolerance=0)
    with pytest.raises(FlockError, match="limit is -1; 0 or more is allowed"):
        SolverOptions(limit=-1)
    with pytest.raises(FlockError, match="dimension mismatch: expected 1, got 2"):
        conjugate_gradients(DenseMatrix([[1.0]]), np.ones(1), start=np.ones(2))

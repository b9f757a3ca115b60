"""Projection and decomposition against dense least squares, and P3 to P11 of spec shivya."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hodge_twin as twin
from flockcore.errors import FlockError
from flockcore.hodge.complex import Complex
from flockcore.hodge.homology import Homology
from flockcore.hodge.operators import circulation, curl, divergence, gradient
from flockcore.hodge.projection import Form, Projector
from flockcore.hodge.rank import rank
from flockcore.hodge.solver import SolverOptions
from hodge_complexes import BETTI, NAMED, annulus, complete, complexes, flow_on, triangulated

CLOSE = 1e-9
SEED = st.integers(0, 2**32 - 1)


def projectors(complex_):
    """The projector as it comes, and one that knows the harmonic flows."""
    ready = Projector(complex_)
    ready.prepare()
    return Projector(complex_), ready


def assert_agrees(complex_, flow):
    rise, turn, rest = twin.decompose(complex_, flow)
    found = Projector(complex_).decompose(flow)
    assert found.converged
    for part, wanted in ((found.gradient, rise), (found.curl, turn), (found.harmonic, rest)):
        np.testing.assert_allclose(part, wanted, atol=CLOSE * max(1, np.abs(flow).max(initial=0)))
    for projector in projectors(complex_):
        done = projector.project(flow)
        assert done.converged
        np.testing.assert_allclose(done.flow, rise + rest, atol=CLOSE)
        np.testing.assert_allclose(done.removed, turn, atol=CLOSE)


@pytest.mark.slow
@given(complexes(), SEED)
def test_agrees_with_dense_least_squares(complex_, seed):
    assert_agrees(complex_, flow_on(complex_, seed))


@pytest.mark.parametrize("name", NAMED)
def test_named_complexes_agree_with_dense_least_squares(name):
    assert_agrees(NAMED[name], flow_on(NAMED[name], 5))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_larger_complexes_with_holes_agree_with_dense_least_squares(seed):
    rng = np.random.default_rng(seed)
    place = rng.random((60, 2))
    apart = np.square(place[:, None] - place).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1)[:, : 3 + seed]
    flag = Complex.from_neighbours(near)
    some = rng.random(flag.triangle_count) < 0.8
    hollow = Complex.given(flag.edges, flag.triangles[some], vertices=60)
    for complex_ in (flag, hollow):
        assert_agrees(complex_, flow_on(complex_, seed))
        assert Homology(complex_).betti == twin.betti(complex_)


@pytest.mark.slow
@given(complexes())
def test_betti_numbers_are_the_dense_ranks(complex_):
    assert Homology(complex_).betti == twin.betti(complex_)


@pytest.mark.parametrize("name", NAMED)
def test_betti_numbers_of_named_complexes(name):
    assert Projector(NAMED[name]).betti == BETTI[name]


def test_a_torus_has_two_holes_and_encloses_a_void():
    number = np.arange(25).reshape(5, 5)
    right, down = np.roll(number, -1, axis=1), np.roll(number, -1, axis=0)
    across = np.roll(right, -1, axis=0)
    sides = [(number, right), (number, down), (number, across)]
    edges = np.concatenate([np.stack([a.ravel(), b.ravel()], axis=1) for a, b in sides])
    faces = [(number, right, across), (number, down, across)]
    triangles = np.concatenate([np.stack([x.ravel() for x in one], axis=1) for one in faces])
    torus = Complex.given(edges, triangles)
    assert Projector(torus).betti == (1, 2, 1)
    assert_agrees(torus, flow_on(torus, 1))


@pytest.mark.slow
@given(complexes(), SEED)
def test_the_projection_is_an_orthogonal_one(complex_, seed):
    f, g = flow_on(complex_, seed), flow_on(complex_, seed + 1)
    for projector in projectors(complex_):
        pf, pg = projector.project(f), projector.project(g)
        np.testing.assert_allclose(projector.project(pf.flow).flow, pf.flow, atol=CLOSE)
        mixed = projector.project(2 * f - 3 * g).flow
        np.testing.assert_allclose(mixed, 2 * pf.flow - 3 * pg.flow, atol=CLOSE)
        assert g @ pf.flow == pytest.approx(f @ pg.flow, abs=CLOSE)
        assert np.linalg.norm(pf.flow) <= np.linalg.norm(f) * (1 + CLOSE)
        assert pf.removed @ pf.flow == pytest.approx(0, abs=CLOSE)
        assert np.abs(curl(complex_, pf.flow)).max(initial=0) < CLOSE
        np.testing.assert_allclose(
            divergence(complex_, pf.flow), divergence(complex_, f), atol=CLOSE
        )


@pytest.mark.slow
@given(complexes(), SEED)
def test_gradients_stay_and_pure_curl_goes(complex_, seed):
    rng = np.random.default_rng(seed)
    rise = gradient(complex_, rng.normal(size=complex_.vertex_count))
    turn = circulation(complex_, rng.normal(size=complex_.triangle_count))
    for projector in projectors(complex_):
        np.testing.assert_allclose(projector.project(rise).flow, rise, atol=CLOSE)
        np.testing.assert_allclose(projector.project(turn).flow, 0, atol=CLOSE)


def test_circulation_round_a_hole_stays():
    ring = annulus(12)
    parts = Projector(ring).decompose(flow_on(ring, 3))
    assert np.linalg.norm(parts.harmonic) > 0.1
    for projector in projectors(ring):
        kept = projector.project(parts.harmonic).flow
        np.testing.assert_allclose(kept, parts.harmonic, atol=CLOSE)
    assert Projector(ring).form is Form.TRIANGLE
    assert projectors(ring)[1].form is Form.VERTEX


@pytest.mark.slow
@given(complexes(), SEED)
def test_the_parts_are_orthogonal_and_add_up(complex_, seed):
    flow = flow_on(complex_, seed)
    projector = Projector(complex_)
    parts = projector.decompose(flow)
    three = (parts.gradient, parts.curl, parts.harmonic)
    np.testing.assert_allclose(sum(three), flow, atol=1e-12)
    for one, other in ((0, 1), (0, 2), (1, 2)):
        assert three[one] @ three[other] == pytest.approx(0, abs=CLOSE)
    assert np.abs(curl(complex_, parts.harmonic)).max(initial=0) < CLOSE
    assert np.abs(divergence(complex_, parts.harmonic)).max(initial=0) < CLOSE
    np.testing.assert_array_equal(circulation(complex_, parts.stream), parts.curl)
    np.testing.assert_allclose(gradient(complex_, parts.potential), parts.gradient, atol=CLOSE)
    piece = projector.homology.components
    assert np.abs(np.bincount(piece, parts.potential)).max() < CLOSE
    if len(flow):
        assert sum(parts.shares) == pytest.approx(1)
    if not projector.betti[1]:
        np.testing.assert_allclose(parts.harmonic, 0, atol=CLOSE)


@pytest.mark.slow
@given(complexes(), SEED)
def test_replicas_get_identical_bytes_and_relabelling_permutes(complex_, seed):
    flow = flow_on(complex_, seed)
    here, there = (Projector(complex_).project(flow.copy()).flow for _ in range(2))
    assert here.tobytes() == there.tobytes()
    order = np.random.default_rng(seed).permutation(complex_.vertex_count)
    other = Complex.given(
        order[complex_.edges], order[complex_.triangles], vertices=complex_.vertex_count
    )
    np.testing.assert_allclose(Projector(other).project(flow).flow, here, atol=CLOSE)


@pytest.mark.slow
@given(complexes(), SEED)
def test_merging_after_a_partition_is_the_sum_of_both_sides(complex_, seed):
    left, right = flow_on(complex_, seed), flow_on(complex_, seed + 1)
    project = Projector(complex_).project
    np.testing.assert_allclose(
        project(left + right).flow, project(left).flow + project(right).flow, atol=CLOSE
    )


def test_wrong_lengths_and_numbers_are_refused_or_given_back():
    projector = Projector(NAMED["triangle"])
    for flow, words in [
        ([1.0], "dimension mismatch: expected 3, got 1"),
        ([1.0, np.nan, 0.0], "the flow of edge 1 is nan; finite numbers are allowed"),
        ([1.0, 0.0, np.inf], "the flow of edge 2 is inf; finite numbers are allowed"),
    ]:
        with pytest.raises(FlockError, match=words):
            projector.project(flow)
        np.testing.assert_array_equal(projector.project_or_keep(flow), flow)
    assert projector.project_or_keep([1.0, 1.0, -1.0]) == pytest.approx([0, 0, 0], abs=1e-12)


def test_a_warm_start_takes_fewer_steps():
    complex_ = triangulated(20, 20)
    projector = Projector(complex_)
    flow = flow_on(complex_, 1)
    cold = projector.project(flow)
    changed = flow + 1e-6 * flow_on(complex_, 2)
    warm = projector.project(changed, warm=cold)
    assert warm.converged
    assert warm.solution.iterations < projector.project(changed).solution.iterations
    np.testing.assert_allclose(warm.flow, projector.project(changed).flow, atol=CLOSE)


def test_too_few_iterations_are_said():
    complex_ = triangulated(20, 20)
    done = Projector(complex_, options=SolverOptions(limit=2)).project(flow_on(complex_, 1))
    assert not done.converged
    assert done.solution.iterations == 2
    assert len(done.solution.history) == 3
    assert done.solution.relative_residual > 1e-12
    parts = Projector(complex_, options=SolverOptions(limit=2)).decompose(flow_on(complex_, 1))
    assert not parts.converged


@pytest.mark.slow
@settings(max_examples=5)
@given(st.integers(2, 60), SEED)
def test_curl_is_gone_at_any_size(side, seed):
    for complex_ in (triangulated(side, 3 * side), complete(3 + side // 6)):
        flow = flow_on(complex_, seed)
        done = Projector(complex_).project(1e3 * flow)
        assert done.converged
        assert np.abs(curl(complex_, done.flow)).max(initial=0) < 1e-7


@pytest.mark.slow
@given(st.integers(1, 6), st.integers(1, 6), SEED)
def test_the_rank_is_the_dense_one(rows, columns, seed):
    matrix = np.random.default_rng(seed).integers(-2, 3, (rows, columns))
    assert rank(matrix) == np.linalg.matrix_rank(matrix)
    assert rank(np.concatenate([matrix, -matrix])) == np.linalg.matrix_rank(matrix)

"""Complexes: cliques, orientation, changes, and what is refused (P1, P2)."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.hodge import cliques
from flockcore.hodge.complex import Complex
from flockcore.hodge.homology import Homology
from flockcore.hodge.operators import (
    circulation,
    curl,
    divergence,
    gradient,
    triangle_laplacian,
    vertex_laplacian,
)
from hodge_complexes import NAMED, complexes, flow_on
from hodge_twin import cliques_of, dense_d0, dense_d1


def assert_equal(found, wanted):
    assert found.mass.tolist() == wanted.mass.tolist()
    assert found.edges.tolist() == wanted.edges.tolist()
    assert found.triangles.tolist() == wanted.triangles.tolist()
    assert found.faces.tolist() == wanted.faces.tolist()
    assert found.signs.tolist() == wanted.signs.tolist()


@pytest.mark.slow
@given(complexes())
def test_operators_are_the_dense_ones_and_curl_of_a_gradient_is_0(complex_):
    d0, d1 = dense_d0(complex_), dense_d1(complex_)
    flow = flow_on(complex_, 1)
    potential = np.arange(complex_.vertex_count) ** 2.0
    stream = np.arange(complex_.triangle_count) - 1.5
    np.testing.assert_allclose(gradient(complex_, potential), d0 @ potential)
    np.testing.assert_allclose(divergence(complex_, flow), d0.T @ flow, atol=1e-12)
    np.testing.assert_allclose(curl(complex_, flow), d1 @ flow, atol=1e-12)
    np.testing.assert_allclose(circulation(complex_, stream), d1.T @ stream)
    assert not curl(complex_, gradient(complex_, potential)).any()
    up, down = vertex_laplacian(complex_), triangle_laplacian(complex_)
    np.testing.assert_array_equal(up.dense(), d0.T @ d0)
    np.testing.assert_array_equal(down.dense(), d1 @ d1.T)


@pytest.mark.slow
@given(complexes(), st.data())
def test_triangles_are_all_cliques_whatever_the_direction_of_edges(complex_, data):
    flag = Complex.flag(complex_.edges, vertices=complex_.vertex_count)
    assert flag.triangles.tolist() == cliques_of(complex_.edges.tolist())
    flips = data.draw(st.lists(st.booleans(), min_size=flag.edge_count, max_size=flag.edge_count))
    flips = np.array(flips, dtype=bool)
    pairs = np.where(flips[:, None], flag.edges[:, ::-1], flag.edges)
    turned = Complex.flag(pairs, vertices=flag.vertex_count)
    assert turned.triangles.tolist() == flag.triangles.tolist()
    flow = flow_on(flag, 2)
    there = curl(turned, np.where(flips, -flow, flow))
    np.testing.assert_array_equal(there, curl(flag, flow))


@pytest.mark.slow
@given(complexes(), st.data())
def test_changes_agree_with_building_anew(complex_, data):
    flag = Complex.flag(complex_.edges, vertices=complex_.vertex_count)
    size = data.draw(st.integers(0, flag.edge_count))
    start = Complex.flag(flag.edges[:size], vertices=flag.vertex_count)
    grown = start.add_edges(flag.edges[size:])
    assert_equal(grown.complex, flag)
    flow = flow_on(start, 3)
    np.testing.assert_array_equal(grown.carry(flow)[:size], flow)
    assert not grown.carry(flow)[size:].any()
    again = flag.add_edges(flag.edges[:, ::-1], present="keep")
    assert_equal(again.complex, flag)
    if not flag.edge_count:
        return
    gone = data.draw(st.lists(st.integers(0, flag.edge_count - 1), unique=True))
    fewer = flag.remove_edges(gone)
    kept = np.delete(flag.edges, gone, axis=0)
    assert_equal(fewer.complex, Complex.flag(kept, vertices=flag.vertex_count))
    np.testing.assert_array_equal(fewer.carry(flow_on(flag, 4)), np.delete(flow_on(flag, 4), gone))


@pytest.mark.slow
@given(complexes(), st.data())
def test_vertices_leave_and_join(complex_, data):
    count = complex_.vertex_count
    gone = data.draw(st.lists(st.integers(0, count - 1), unique=True))
    touched = np.isin(complex_.edges, gone).any(axis=1)
    flag = Complex.flag(complex_.edges, vertices=count, mass=np.arange(count) + 1.0)
    alone = flag.isolate(gone).complex
    assert_equal(alone, Complex.flag(flag.edges[~touched], mass=flag.mass))
    removed = flag.remove_vertices(gone)
    stays = np.setdiff1d(np.arange(count), gone)
    number = np.full(count, -1)
    number[stays] = np.arange(len(stays))
    wanted = Complex.flag(number[flag.edges[~touched]], mass=flag.mass[stays])
    assert_equal(removed.complex, wanted)
    assert removed.kept.tolist() == np.flatnonzero(~touched).tolist()
    back = alone.add_edges(flag.edges[touched])
    assert back.complex.triangle_count == flag.triangle_count
    assert flag.add_vertices(2, mass=3.0).mass.tolist() == [*flag.mass, 3.0, 3.0]


def test_neighbourhoods_are_united():
    chosen = [[1, 2], [0, -1], [3, -1], [-1, -1], [0, 2]]
    complex_ = Complex.from_neighbours(chosen, mass=[1, 2, 3, 4, 5])
    assert complex_.edges.tolist() == [[0, 1], [0, 2], [0, 4], [2, 3], [2, 4]]
    assert complex_.triangles.tolist() == [[0, 2, 4]]
    assert complex_.mass.tolist() == [1, 2, 3, 4, 5]
    assert Complex.from_neighbours(np.zeros((0, 3), dtype=int)).vertex_count == 0
    assert complex_.euler == 5 - 5 + 1


def test_edges_are_found_with_their_direction():
    complex_ = Complex.flag([(2, 0), (0, 1)])
    edge, sign = complex_.find_edges([0, 0, 1, 2], [2, 1, 0, 1])
    assert edge.tolist() == [0, 1, 1, -1]
    assert sign.tolist() == [-1, 1, -1, 0]
    assert NAMED["points"].find_edges([0], [1])[0].tolist() == [-1]


def test_numbers_too_large_for_one_word_are_ordered_all_the_same(monkeypatch):
    corners = np.array([[0, 2, 3], [0, 1, 3], [0, 1, 2]])
    for vertices in (4, 2**22):
        assert cliques.lexicographic(corners, vertices).tolist() == [2, 1, 0]
    four = NAMED["K4"]
    assert cliques.tetrahedra(four.triangles, 4).tolist() == [[0, 1, 2, 3]]
    assert cliques.tetrahedra(four.triangles, 2**22).tolist() == []
    monkeypatch.setattr(cliques, "_MOST_CANDIDATES", 0)
    assert cliques.tetrahedra(four.triangles, 4).tolist() == []
    assert Homology(four).betti == (1, 0, 1)


FLAG, GIVEN, NEAR = Complex.flag, Complex.given, Complex.from_neighbours
TRIANGLE = [(0, 1), (1, 2), (0, 2)]


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: FLAG([(0, 1), (2, 2)]), "edge 1 joins vertex 2 with itself; two are needed"),
        (lambda: FLAG([(0, 1), (1, 2), (1, 0)]), "edge 2 joins 1 and 0, as edge 0 does"),
        (lambda: FLAG([(0, 5)], vertices=3), "edge 0 joins 0 and 5; vertices are 0 to 2"),
        (lambda: FLAG([(0, -1)]), "edge 0 joins 0 and -1"),
        (lambda: FLAG([(0, 1, 2)]), r"edges have shape \(1, 3\); \(n, 2\) is allowed"),
        (lambda: FLAG([(0.5, 1.0)]), "edges are of type float64; whole numbers are allowed"),
        (lambda: FLAG([], vertices=-1), "vertices is -1; 0 or more is allowed"),
        (lambda: FLAG([(0, 1)], mass=[1, np.nan]), "mass of vertex 1 is nan; finite"),
        (lambda: FLAG([(0, 1)], vertices=2, mass=[1]), "1 masses for 2 vertices"),
        (lambda: FLAG([(0, 1)], mass=["a", "b"]), "mass holds what is no number"),
        (lambda: FLAG([(0, 1)], mass=[[1, 2]]), r"mass has shape \(1, 2\)|edge 0"),
        (lambda: GIVEN(TRIANGLE, [(0, 1, 1)]), "triangle 0 is 0, 1, 1; three vertices are needed"),
        (lambda: GIVEN(TRIANGLE, [(0, 1, 3)]), "triangle 0 is 0, 1, 3; vertices are 0 to 2"),
        (lambda: GIVEN(TRIANGLE, [(0, 1, 2), (2, 1, 0)]), "triangle 1 is 0, 1, 2, as triangle 0"),
        (lambda: GIVEN(TRIANGLE[:2], [(2, 1, 0)]), "triangle 0, 1, 2 lacks the edge 0 to 2"),
        (lambda: NEAR([[1], [7]]), "vertex 1 has neighbour 7; 0 to 1 are allowed, and -1"),
        (lambda: NEAR([[1], [1]]), "vertex 1 has itself as neighbour"),
        (lambda: FLAG(TRIANGLE).add_edges([(2, 0)]), "edge 0 joins 2 and 0, as edge 2 of the comp"),
        (lambda: FLAG(TRIANGLE).add_edges([], present="no"), "present is 'no'; \"refuse\" and"),
        (lambda: FLAG(TRIANGLE).remove_edges([3]), "there is no edge 3; 0 to 2 are allowed"),
        (lambda: FLAG(TRIANGLE).isolate([0.5]), "vertex numbers are float64"),
    ],
)
def test_what_is_refused_says_why(make, words):
    with pytest.raises(FlockError, match=words):
        make()

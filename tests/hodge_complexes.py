"""Complexes for the tests of the hodge layer: named ones, and random ones for hypothesis."""

import numpy as np
from hypothesis import strategies as st

from flockcore.hodge.complex import Complex
from hodge_twin import cliques_of


def grid(rows, columns):
    """Return edges and triangles of a triangulated grid, and its number of vertices."""
    number = np.arange((rows + 1) * (columns + 1)).reshape(rows + 1, columns + 1)
    a, b = number[:-1, :-1].ravel(), number[:-1, 1:].ravel()
    c, d = number[1:, :-1].ravel(), number[1:, 1:].ravel()
    edges = np.concatenate(
        [
            np.stack([number[:, :-1].ravel(), number[:, 1:].ravel()], axis=1),
            np.stack([number[:-1].ravel(), number[1:].ravel()], axis=1),
            np.stack([a, d], axis=1),
        ]
    )
    triangles = np.concatenate([np.stack([a, b, d], axis=1), np.stack([a, c, d], axis=1)])
    return edges, triangles, number.size


def triangulated(rows, columns):
    edges, triangles, vertices = grid(rows, columns)
    return Complex.given(edges, triangles, vertices=vertices)


def annulus(around):
    """Return a ring of triangles, two for each step, round one hole."""
    step = np.arange(around)
    inner, outer = step, step + around
    following = (step + 1) % around
    edges = np.concatenate(
        [
            np.stack(pair, axis=1)
            for pair in [
                (inner, following),
                (outer, following + around),
                (inner, outer),
                (inner, following + around),
            ]
        ]
    )
    triangles = np.concatenate(
        [
            np.stack([inner, following, following + around], axis=1),
            np.stack([inner, outer, following + around], axis=1),
        ]
    )
    return Complex.given(edges, triangles)


def complete(vertices):
    first, second = np.triu_indices(vertices, 1)
    return Complex.flag(np.stack([first, second], axis=1))


def octahedron():
    edges, first = [], [(0, 5), (1, 4), (2, 3)]
    edges = [(a, b) for a in range(6) for b in range(a + 1, 6) if (a, b) not in first]
    return Complex.flag(edges)


NAMED = {
    "empty": Complex.flag([], vertices=0),
    "points": Complex.flag([], vertices=3),
    "edge": Complex.flag([(1, 0)]),
    "triangle": Complex.flag([(0, 1), (1, 2), (0, 2)]),
    "bowtie": Complex.flag([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4)]),
    "bowtie and point": Complex.flag([(0, 1), (1, 2), (0, 2), (2, 3), (3, 4), (2, 4)], vertices=6),
    "square": Complex.flag([(0, 1), (1, 2), (2, 3), (3, 0)]),
    "hollow triangle": Complex.given([(0, 1), (1, 2), (0, 2)], []),
    "tree": Complex.flag([(0, 1), (0, 2), (2, 3), (2, 4)]),
    "annulus": annulus(9),
    "K4": complete(4),
    "K7": complete(7),
    "octahedron": octahedron(),
    "grid": triangulated(12, 12),
    "ring of 60": annulus(60),
}
BETTI = {
    "empty": (0, 0, 0),
    "points": (3, 0, 0),
    "edge": (1, 0, 0),
    "triangle": (1, 0, 0),
    "bowtie": (1, 0, 0),
    "bowtie and point": (2, 0, 0),
    "square": (1, 1, 0),
    "hollow triangle": (1, 1, 0),
    "tree": (1, 0, 0),
    "annulus": (1, 1, 0),
    "K4": (1, 0, 1),
    "K7": (1, 0, 20),
    "octahedron": (1, 0, 1),
    "grid": (1, 0, 0),
    "ring of 60": (1, 1, 0),
}


@st.composite
def complexes(draw, max_vertices=9):
    """Random 2-complexes: any graph, any direction of edges, some of its cliques filled."""
    vertices = draw(st.integers(1, max_vertices))
    pairs = [(a, b) for a in range(vertices) for b in range(a + 1, vertices)]
    chosen = draw(st.lists(st.sampled_from(pairs), unique=True)) if pairs else []
    flips = draw(st.lists(st.booleans(), min_size=len(chosen), max_size=len(chosen)))
    edges = [pair[::-1] if flip else pair for pair, flip in zip(chosen, flips, strict=True)]
    if draw(st.booleans()):
        return Complex.flag(edges, vertices=vertices)
    cliques = cliques_of(edges)
    filled = draw(st.lists(st.sampled_from(cliques), unique_by=tuple)) if cliques else []
    return Complex.given(edges, filled, vertices=vertices)


def flow_on(complex_, seed):
    return np.random.default_rng(seed).normal(size=complex_.edge_count)

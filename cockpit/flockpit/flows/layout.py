"""Where to draw the vertices of a graph: distances on paper as in the graph.

Stress majorisation (Gansner, Koren and North 2005, "Graph drawing by stress majorization"), begun
from classical scaling, so nothing is drawn by lot. For graphs of some hundred vertices.
"""

from collections import deque

import numpy as np

from flockcore.hodge.arrays import Floats, Indices

__all__ = ["layout"]

_ROUNDS = 120


def layout(edges: Indices, vertices: int) -> Floats:
    """Return positions, each axis from 0 to 1.

    Args:
        edges: Pairs of vertices, shape (E, 2).
        vertices: Number of vertices, V.

    Returns:
        Shape (V, 2).
    """
    if vertices < 3:
        return np.stack([np.linspace(0.2, 0.8, vertices), np.full(vertices, 0.5)], axis=1)
    apart = _distances(edges, vertices)
    place = _scaled(apart)
    weight = 1.0 / np.square(apart + np.eye(vertices))
    np.fill_diagonal(weight, 0.0)
    inverse = np.linalg.pinv(np.diag(weight.sum(axis=1)) - weight, hermitian=True)
    for _ in range(_ROUNDS):
        here = np.sqrt(np.square(place[:, None] - place).sum(axis=2))
        pull = -weight * apart / np.maximum(here, 1e-9)
        np.fill_diagonal(pull, 0.0)
        np.fill_diagonal(pull, -pull.sum(axis=1))
        place = inverse @ (pull @ place)
    # The longest direction lies level.
    _, _, axes = np.linalg.svd(place - place.mean(axis=0), full_matrices=False)
    place = place @ axes.T
    low, high = place.min(axis=0), place.max(axis=0)
    fitted: Floats = (place - low) / np.where(high > low, high - low, 1.0)
    fitted[:, high <= low] = 0.5
    return fitted


def _distances(edges: Indices, vertices: int) -> Floats:
    """Return steps between vertices; between pieces, a little more than within any."""
    neighbours: list[list[int]] = [[] for _ in range(vertices)]
    for tail, head in edges.tolist():
        neighbours[tail].append(head)
        neighbours[head].append(tail)
    steps = np.full((vertices, vertices), -1.0)
    for start in range(vertices):
        row = steps[start]
        row[start] = 0
        ahead = deque([start])
        while ahead:
            here = ahead.popleft()
            for other in neighbours[here]:
                if row[other] < 0:
                    row[other] = row[here] + 1
                    ahead.append(other)
    steps[steps < 0] = max(steps.max(), 1.0) + 1.5
    return steps


def _scaled(apart: Floats) -> Floats:
    """Classical scaling to two axes; a spiral of tiny steps keeps equal vertices apart."""
    count = len(apart)
    square = np.square(apart)
    centred = square - square.mean(axis=0) - square.mean(axis=1)[:, None] + square.mean()
    values, vectors = np.linalg.eigh(-0.5 * centred)
    place = vectors[:, :-3:-1] * np.sqrt(np.maximum(values[:-3:-1], 0.0))
    # The sign of an eigenvector is arbitrary.
    largest = np.abs(place).argmax(axis=0)
    place *= np.where(place[largest, [0, 1]] < 0, -1.0, 1.0)
    turn = np.arange(count) * 2.399963
    spiral: Floats = np.stack([np.cos(turn), np.sin(turn)], axis=1)
    spread: Floats = place + 0.05 * spiral * np.sqrt(np.arange(count) / count)[:, None]
    return spread

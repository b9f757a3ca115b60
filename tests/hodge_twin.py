"""Dense linear algebra and plain loops: what the hodge layer must agree with."""

from itertools import combinations

import numpy as np


class DenseMatrix:
    """A dense matrix with the products that the solver asks for."""

    def __init__(self, rows):
        self.rows = np.array(rows, dtype=float)

    def __matmul__(self, x):
        return self.rows @ x

    def product(self, x, out):
        out[:] = self.rows @ x
        return out


def dense_d0(complex_):
    full = np.zeros((complex_.edge_count, complex_.vertex_count))
    for row, (tail, head) in enumerate(complex_.edges):
        full[row, tail], full[row, head] = -1.0, 1.0
    return full


def dense_d1(complex_):
    edges = {tuple(pair): row for row, pair in enumerate(complex_.edges.tolist())}
    full = np.zeros((complex_.triangle_count, complex_.edge_count))
    for row, (u, v, w) in enumerate(complex_.triangles.tolist()):
        for a, b, side in ((v, w, 1), (u, w, -1), (u, v, 1)):
            if (a, b) in edges:
                full[row, edges[a, b]] = side
            else:
                full[row, edges[b, a]] = -side
    return full


def cliques_of(edges, size=3):
    joined = {frozenset(pair) for pair in edges}
    vertices = sorted({one for pair in edges for one in pair})
    return [
        list(chosen)
        for chosen in combinations(vertices, size)
        if all(frozenset(pair) in joined for pair in combinations(chosen, 2))
    ]


def decompose(complex_, flow):
    """Gradient, curl and harmonic part by dense least squares."""
    d0, d1 = dense_d0(complex_), dense_d1(complex_)
    gradient = d0 @ np.linalg.lstsq(d0, flow, rcond=1e-10)[0]
    curl = np.zeros(len(flow))
    if len(d1):
        curl = d1.T @ np.linalg.lstsq(d1.T, flow, rcond=1e-10)[0]
    return gradient, curl, flow - gradient - curl


def rank(matrix):
    return int(np.linalg.matrix_rank(matrix)) if matrix.size else 0


def betti(complex_):
    up, down = rank(dense_d0(complex_)), rank(dense_d1(complex_))
    return (
        complex_.vertex_count - up,
        complex_.edge_count - up - down,
        complex_.triangle_count - down,
    )


class Xorshift:
    """The original's generator, xorshift64*."""

    MASK = 2**64 - 1

    def __init__(self, seed):
        self.state = max(seed, 1)

    @classmethod
    def mixed(cls, seed):
        """Return one whose state is SplitMix64's finaliser of the seed."""
        x = (seed + 0x9E3779B97F4A7C15) & cls.MASK
        x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & cls.MASK
        x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & cls.MASK
        return cls((x ^ (x >> 31)) or 0xDEADBEEFCAFEF00D)

    def word(self):
        x = self.state
        x ^= (x << 13) & self.MASK
        x ^= x >> 7
        x ^= (x << 17) & self.MASK
        self.state = x
        return (x * 0x2545F4914F6CDD1D) & self.MASK

    def noise(self, size):
        return (2 * ((self.word() >> 11) / 2**53) - 1) * size

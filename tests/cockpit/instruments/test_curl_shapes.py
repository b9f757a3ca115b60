"""Ribbons, arrows, fills and arcs beside slow, obvious twins."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.hodge.complex import Complex
from flockcore.hodge.operators import curl
from flockpit.instruments import flow_shapes as shapes


@st.composite
def meshes(draw):
    """Return places, edges, triangles and a flow of a random complex."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    nodes = draw(st.integers(3, 12))
    places = rng.uniform(0.0, 1000.0, (nodes, 2))
    pairs = np.array([(a, b) for a in range(nodes) for b in range(a + 1, nodes)])
    edges = pairs[rng.random(len(pairs)) < 0.6]
    complex_ = Complex.flag(edges.reshape(-1, 2), vertices=nodes)
    return places, complex_, rng.normal(size=(3, complex_.edge_count))


@given(meshes())
def test_lanes_and_their_slow_twin(mesh):
    places, complex_, parts = mesh
    flow = parts.sum(axis=0)
    largest = float(np.abs(flow).max(initial=0.0))
    widths = shapes.ribbon_widths(flow, largest)
    fast = shapes.lanes(places, complex_.edges, parts, widths, 2.0)
    slow = [[] for _ in parts]
    for edge, (tail, head) in enumerate(complex_.edges.tolist()):
        width = 11.0 * math.sqrt(abs(flow[edge]) / largest)
        sizes = [abs(part[edge]) for part in parts]
        shares = [s / sum(sizes) for s in sizes]
        shares = [s if s >= 0.07 else 0.0 for s in shares]
        at = -width / 2.0
        (x0, y0), (x1, y1) = places[tail], places[head]
        long = math.hypot(x1 - x0, y1 - y0)
        across = (-(y1 - y0) / long * 2.0, (x1 - x0) / long * 2.0)
        for lane, share in enumerate(shares):
            wide = width * share / sum(shares)
            middle, at = at + wide / 2.0, at + wide
            if wide > 0.2:
                right, up = middle * across[0], middle * across[1]
                slow[lane].append((x0 + right, y0 + up, x1 + right, y1 + up, wide, edge))
    for found, expected in zip(fast, slow, strict=True):
        rows = np.stack([found[name] for name in ("x0", "y0", "x1", "y1", "width", "edge")], axis=1)
        assert np.allclose(rows, np.array(expected).reshape(-1, 6))


@given(meshes())
def test_arrows_and_their_slow_twin(mesh):
    places, complex_, (flow, *_) = mesh
    largest = float(np.abs(flow).max(initial=0.0))
    found = shapes.arrows(places, complex_.edges, flow, largest)
    rows = []
    for (a, b), value in zip(complex_.edges.tolist(), flow.tolist(), strict=True):
        if abs(value) <= 0.08 * largest:
            continue
        tail, head = (places[a], places[b]) if value > 0 else (places[b], places[a])
        x, y = tail + 0.56 * (head - tail)
        angle = math.atan2(head[1] - tail[1], head[0] - tail[0]) - math.pi / 2
        rows.append((x, y, angle))
    fast = np.stack([found["x"], found["y"], found["angle"]], axis=1)
    assert np.allclose(fast, np.array(rows).reshape(-1, 3))
    assert ((found["size"] > 5.0) & (found["size"] <= 15.0 + 1e-9)).all()


@given(meshes())
def test_fills_are_the_triangles_with_more_than_six_per_cent_weakest_first(mesh):
    _, complex_, (flow, *_) = mesh
    turn = curl(complex_, flow)
    sharpest = float(np.abs(turn).max(initial=0.0))
    found = shapes.triangles(turn, sharpest).tolist()
    assert sorted(found) == [t for t, c in enumerate(turn) if abs(c) > 0.06 * sharpest > 0]
    assert [abs(turn[t]) for t in found] == sorted(abs(turn[t]) for t in found)


@given(meshes())
def test_arcs_lie_in_their_triangles_turn_the_right_way_and_keep_apart(mesh):
    places, complex_, (flow, *_) = mesh
    corners, turn = complex_.triangles, curl(complex_, flow)
    sharpest = float(np.abs(turn).max(initial=0.0))
    found = shapes.arcs(places, corners, turn, sharpest, 0.5)
    for xs, ys, angle in zip(found["xs"], found["ys"], found["angle"], strict=True):
        holding = _holding(places[corners], xs, ys)
        assert holding, "an arc lies within some triangle"
        ahead = np.array([xs[-1] - xs[-2], ys[-1] - ys[-2]])
        points = np.array([-math.sin(angle), math.cos(angle)])
        assert ahead @ points > 0.9 * np.hypot(*ahead)
        senses = {np.sign(turn[t] * shapes.areas(places, corners[[t]])[0]) for t in holding}
        assert _sense(xs, ys) in senses


def _holding(triangles, xs, ys):
    """Triangles, of shape (t, 3, 2), that all points lie in: on one side of each of their edges."""
    points = np.stack([xs, ys], axis=1).astype(np.float64)
    tails = triangles.astype(np.float64)
    ahead = np.roll(tails, -1, axis=1) - tails
    aside = points[None, :, None, :] - tails[:, None]
    turned = ahead[:, None, :, 0] * aside[..., 1] - ahead[:, None, :, 1] * aside[..., 0]
    within = (turned >= 0).all(axis=2) | (turned <= 0).all(axis=2)
    return np.flatnonzero(within.all(axis=1)).tolist()


def _sense(xs, ys):
    """1 for a line that goes round anticlockwise, -1 for one that goes the other way."""
    x, y = xs - xs.mean(), ys - ys.mean()
    return np.sign(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1]))


def test_an_arc_goes_the_way_in_which_the_flow_goes_round():
    places = np.array([[0.0, 0.0], [100.0, 0.0], [50.0, 90.0]])
    corners = np.array([[0, 1, 2]])
    for turn in (1.0, -1.0):
        found = shapes.arcs(places, corners, np.array([turn]), 1.0, 1.0)
        sense = _sense(found["xs"][0], found["ys"][0])
        assert sense == turn, "0 to 1 to 2 is anticlockwise here"


def test_of_overlapping_arcs_the_sharper_stays():
    places = np.array([[0.0, 0.0], [100.0, 0.0], [50.0, 90.0], [50.0, 80.0]])
    corners = np.array([[0, 1, 2], [0, 1, 3]])
    found = shapes.arcs(places, corners, np.array([1.0, 2.0]), 2.0, 1.0)
    assert len(found["xs"]) == 1
    assert shapes.corners_at(places, corners, (50.0, 40.0)) == 1


def test_nothing_is_drawn_of_no_flow():
    places = np.array([[0.0, 0.0], [100.0, 0.0], [50.0, 90.0]])
    complex_ = Complex.flag(np.array([[0, 1], [0, 2], [1, 2]]))
    none = np.zeros(3)
    assert not shapes.ribbon_widths(none, 0.0).any()
    assert not len(shapes.arrows(places, complex_.edges, none, 0.0)["x"])
    assert not len(shapes.triangles(np.zeros(1), 0.0))
    assert not shapes.arcs(places, complex_.triangles, np.zeros(1), 0.0, 1.0)["xs"]
    assert all(not len(lane["x0"]) for lane in shapes.lanes(
        places, complex_.edges, np.zeros((3, 3)), none, 1.0
    ))  # fmt: skip


@pytest.mark.parametrize("place", [(-1.0, 0.0), (200.0, 200.0)])
def test_a_place_outside_means_no_triangle(place):
    places = np.array([[0.0, 0.0], [100.0, 0.0], [50.0, 90.0]])
    assert shapes.corners_at(places, np.array([[0, 1, 2]]), place) is None
    assert shapes.corners_at(places, np.zeros((0, 3), dtype=np.intp), place) is None

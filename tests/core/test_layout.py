"""Places and loads: inside the plane, apart, in order, and always the same."""

import hashlib

import numpy as np
import pytest

from flockcore.layout import loads, positions
from flockcore.scenario import LAYOUTS, LOAD_PATTERNS

DRAWN = [layout for layout in LAYOUTS if layout != "explicit"]


def words(count, key=7):
    return np.random.Philox(key=key).random_raw(count)


@pytest.mark.parametrize("layout", DRAWN)
@pytest.mark.parametrize("nodes", [1, 2, 3, 9, 60, 1_000])
def test_nodes_stand_apart_on_the_plane(layout, nodes):
    places = positions(layout, nodes, 1_000, words(2 * nodes))
    assert places.shape == (nodes, 2)
    assert places.dtype == np.int64
    assert (places >= 0).all()
    assert (places <= [1_000, 700]).all()
    assert len(np.unique(places, axis=0)) == nodes


@pytest.mark.parametrize("layout", DRAWN)
def test_no_two_markers_of_a_usual_flock_cover_each_other(layout):
    for key in range(20):
        places = positions(layout, 60, 1_000, words(120, key)).astype(float)
        apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
        assert apart[~np.eye(60, dtype=bool)].min() >= 14


def test_a_blob_is_numbered_from_left_to_right():
    x = positions("blob", 200, 10_000, words(400))[:, 0]
    assert (np.diff(x) >= 0).all()


@pytest.mark.parametrize(("layout", "clusters"), [("two-clusters", 2), ("three-clusters", 3)])
def test_clusters_are_equal_shares_of_consecutive_numbers(layout, clusters):
    places = positions(layout, 60, 1_000, words(120)).astype(float)
    groups = np.repeat(np.arange(clusters), 60 // clusters)
    centres = np.stack([places[groups == g].mean(axis=0) for g in range(clusters)])
    nearest = np.hypot(*(places[:, None] - centres[None]).transpose(2, 0, 1)).argmin(axis=1)
    assert (nearest == groups).all()


def test_a_ring_is_round():
    places = positions("ring", 360, 10_000, np.full(720, 2**63, dtype=np.uint64))
    offset = (places - [5_000, 3_500]) / [4_200, 2_900]
    assert np.allclose(np.hypot(*offset.T), 1, atol=2e-3)
    turned = np.unwrap(np.arctan2(offset[:, 1], offset[:, 0]))
    assert np.allclose(np.diff(turned), 2 * np.pi / 360, atol=2e-3)


def test_places_are_the_same_on_every_platform():
    drawn = [positions(layout, 97, 1_000, words(194)) for layout in DRAWN]
    filled = [loads(pattern, drawn[0], 1_000, words(97)) for pattern in LOAD_PATTERNS]
    running = hashlib.sha256()
    for table in [*drawn, *filled]:
        running.update(table.astype("<i8").tobytes())
    assert running.hexdigest()[:16] == "3f8b9fa1b4282354"


@pytest.mark.parametrize("pattern", LOAD_PATTERNS)
def test_loads_are_shares(pattern):
    places = positions("blob", 500, 1_000, words(1_000))
    values = loads(pattern, places, 1_000, words(500, key=9))
    assert values.shape == (500,)
    assert values.dtype == np.int64
    assert (values >= 0).all()
    assert (values <= 65_536).all()


def test_a_hill_is_high_in_one_region_and_low_elsewhere():
    places = positions("blob", 500, 1_000, words(1_000))
    values = loads("hill", places, 1_000, words(500))
    away = np.hypot(*(places - [360, 280]).T)
    assert values[away < 80].min() > values[away > 350].max()

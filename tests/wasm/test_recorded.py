import numpy as np
import pytest

from flockwasm.recorded import recording

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recorded():
    """A short one, from just before the cut."""
    return recording("split-brain", 190, 230)


def _within(line, point):
    """Say whether a closed line goes round a point: a ray to the right meets it an odd number."""
    (x, y), (x0, y0) = point, line.T
    x1, y1 = np.roll(x0, -1), np.roll(y0, -1)
    meets = (y0 > y) != (y1 > y)
    where = x0[meets] + (y - y0[meets]) * (x1[meets] - x0[meets]) / (y1[meets] - y0[meets])
    return np.count_nonzero(where > x) % 2 == 1


def test_a_node_is_within_the_outline_of_its_side_alone(recorded):
    outlines = [np.array(line) for line in recorded["outlines"]]
    assert len(outlines) == 2
    for place, side in zip(recorded["places"], recorded["sides"], strict=True):
        assert [_within(line, place) for line in outlines] == [side == 0, side == 1]


def test_all_that_is_drawn_lies_within_the_extent(recorded):
    drawn = [recorded["places"], recorded["letters"], *recorded["outlines"], *recorded["lines"]]
    points = np.array([point for line in drawn for point in line])
    assert max(recorded["extent"]) == 1000
    assert (points.min(axis=0) >= 0).all()
    assert (points.max(axis=0) <= recorded["extent"]).all()


def test_the_cut_says_since_when(recorded):
    first = next(frame for frame in recorded["frames"] if frame["cut"])
    assert recorded["words"] == f"cut since {first['ms'] / 1e3:.3f} s"
    assert recorded["frames"][recorded["still"]]["cut"]
    assert len(recorded["lines"]) == 1


def test_a_run_without_a_cut_has_no_sides():
    found = recording("calm-flock", 0, 10)
    assert found["outlines"] == found["letters"] == found["lines"] == []
    assert found["words"] == ""
    assert set(found["sides"]) == {0}

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from flockpit.instruments.map_frame import Frame, hit, inside
from flockpit.instruments.outlines import cut_line, outline, outline_reach, side_reach

clouds = hnp.arrays(
    np.float32,
    st.tuples(st.integers(2, 40), st.just(2)),
    elements=st.floats(-5000, 5000, width=32).map(lambda v: float(np.float32(round(v)))),
    unique=True,
)


@pytest.mark.slow
@given(clouds)
def test_an_outline_goes_round_its_nodes_at_a_bounded_distance(points):
    x, y = outline(points, 500.0)
    middle = points.mean(axis=0)
    farthest = np.hypot(*(points - middle).T).max()
    assert np.isfinite(x).all()
    assert np.hypot(x - middle[0], y - middle[1]).max() <= farthest + 1.7 * 500.0


def test_the_outline_of_one_node_is_a_circle_at_its_reach():
    x, y = outline(np.array([[3.0, 4.0]], dtype=np.float32), 10.0)
    assert np.hypot(x - 3.0, y - 4.0) == pytest.approx(10.0, abs=0.2)


def test_an_outline_of_a_disc_contains_it():
    random = np.random.default_rng(1)
    angle, radius = random.uniform(0, 2 * np.pi, 80), 100 * np.sqrt(random.uniform(0, 1, 80))
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    corners = np.stack(outline(points.astype(np.float32), outline_reach(points)), axis=1)
    assert len(inside(points, corners)) == 80


def test_the_cut_lies_between_two_sides_from_above_to_below():
    near = np.array([[0, 0], [0, 50], [10, 100]], dtype=np.float32)
    far = np.array([[100, 0], [90, 50], [100, 100]], dtype=np.float32)
    x, y = cut_line(near, far, 40.0)
    assert ((x > 10) & (x < 90)).all()
    assert y[0] > y[-1]


def test_sides_that_lie_in_each_other_have_no_cut_line():
    random = np.random.default_rng(2)
    points = random.uniform(0, 100, (60, 2)).astype(np.float32)
    x, _ = cut_line(points[::2], points[1::2], 1.0)
    assert not len(x)


def test_a_third_side_ends_the_line_between_the_other_two():
    near, far = np.array([[0.0, 0.0]]), np.array([[100.0, 0.0]])
    whole, _ = cut_line(near, far, 100.0)
    part, _ = cut_line(near, far, 100.0, np.array([[50.0, 60.0]]))
    assert len(part) < len(whole)


def test_outlines_leave_room_for_a_near_side():
    side, rest = np.array([[0.0, 0.0], [0.0, 10.0]]), np.array([[8.0, 0.0], [8.0, 10.0]])
    assert side_reach(side, rest, 100.0) == 40.0
    assert side_reach(side, rest + 200.0, 100.0) == 100.0
    assert side_reach(side, rest[:0], 100.0) == 100.0


@pytest.mark.slow
@given(clouds, st.floats(100, 2000), st.floats(100, 1200))
def test_every_point_is_in_the_frame_and_both_directions_have_one_scale(points, width, height):
    frame = Frame()
    frame.resize(width=width, height=height)
    assert frame.fit(points)
    assert not frame.fit(points)
    for axis, (low, high) in zip(points.T, (frame.x, frame.y), strict=True):
        assert low <= axis.min()
        assert axis.max() <= high
    scale = (frame.x[1] - frame.x[0]) / width, (frame.y[1] - frame.y[0]) / height
    assert scale[0] == pytest.approx(scale[1], rel=1e-3)


def test_nodes_shrink_in_a_crowd():
    grid = np.stack(np.meshgrid(np.arange(40), np.arange(25)), axis=-1).reshape(-1, 2)
    frame = Frame()
    frame.fit(grid.astype(np.float32))
    assert 3.5 <= frame.radius < 11.5
    frame.fit(grid[::200].astype(np.float32))
    assert frame.radius == 11.5


def test_a_frame_without_a_size_keeps_its_guess():
    frame = Frame()
    frame.resize(width=0, height=None)
    assert (frame.width, frame.height) == (1060.0, 560.0)


def test_a_click_means_the_nearest_node_within_reach():
    points = np.array([[0, 0], [10, 0]], dtype=np.float32)
    assert hit(points, (6.0, 0.0), 5.0) == (1,)
    assert hit(points, (5.0, 9.0), 5.0) == ()
    assert hit(points[:0], (0.0, 0.0), 5.0) == ()


@pytest.mark.slow
@given(clouds, st.integers(3, 12))
def test_a_lasso_takes_what_an_angle_sum_says_is_inside(points, corners):
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    shape = 2500.3 * np.stack([np.cos(angle), np.sin(angle)], axis=1) + np.array([0.21, 0.37])
    expected = []
    for index, point in enumerate(points.astype(np.float64)):
        away = shape - point
        bearing = np.arctan2(away[:, 1], away[:, 0])
        turn = (np.diff(bearing, append=bearing[0]) + np.pi) % (2 * np.pi) - np.pi
        if abs(turn.sum()) > np.pi:
            expected.append(index)
    assert inside(points, shape).tolist() == expected


def test_two_corners_enclose_nothing():
    assert not len(inside(np.zeros((3, 2)), np.ones((2, 2))))

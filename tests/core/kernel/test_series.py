import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.kernel.series import Series

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("record"), st.integers(0, 40)),
        st.tuples(st.just("cut"), st.integers(-1, 40)),
        st.tuples(st.just("copy"), st.just(0)),
    ),
    max_size=60,
)


@given(OPERATIONS)
def test_it_agrees_with_a_plain_list(operations):
    series, rows, playhead = Series(["a", "b"], capacity=1), [], -1
    for count, (operation, tick) in enumerate(operations):
        if operation == "record":
            tick = min(tick, len(rows))
            series.record(tick, {"b": -count, "a": count})
            rows[tick : tick + 1] = [(count, -count)]
            playhead = tick
        elif operation == "cut":
            series.cut(tick)
            del rows[max(0, tick + 1) :]
            playhead = min(playhead, len(rows) - 1)
        else:
            series = series.copy()
        assert series.recorded_until == len(rows) - 1
        assert series.playhead == playhead
        everything = series.column("a", series.recorded_until + 1)
        assert everything.tolist() == [row[0] for row in rows]
        assert series.column("b").tolist() == [row[1] for row in rows[: playhead + 1]]


def test_rows_may_be_arrays_and_columns_are_typed_views():
    series = Series(["x", "y"], dtype=np.float64)
    series.record(0, np.array([0.5, 1.5]))
    column = series.column("y")
    assert column.dtype == np.float64
    assert not column.flags.writeable
    series.record(0, [2, 3])
    assert column[0] == 3.0


def test_a_copy_is_independent():
    series = Series(["x"])
    series.record(0, [1])
    branch = series.copy()
    branch.record(1, [2])
    branch.record(0, [3])
    assert series.column("x").tolist() == [1]
    assert branch.column("x", 2).tolist() == [3, 2]


def test_misuse_is_named():
    series = Series(["x"])
    with pytest.raises(FlockError, match="without gaps"):
        series.record(1, [0])
    with pytest.raises(FlockError, match=r"lacks \['x'\]"):
        series.record(0, {"z": 1})
    with pytest.raises(FlockError, match="'z'; allowed: x"):
        series.column("z")
    with pytest.raises(FlockError, match="each name once"):
        Series(["x", "x"])

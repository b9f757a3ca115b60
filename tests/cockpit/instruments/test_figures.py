import numpy as np
import pytest
from bokeh.models import FixedTicker, LinearAxis
from hypothesis import given
from hypothesis import strategies as st

from flockpit.instruments.figures import label_axis, nice_scale, round_values, sample_ticks, short


@given(st.floats(1e-3, 1e9), st.integers(2, 6))
def test_round_values_are_few_and_go_from_nothing_to_the_end(end, most):
    found = round_values(end, most)
    assert found[0] == 0.0
    assert 1 <= len(found) <= most + 1
    assert found[-1] <= end * (1 + 1e-6)
    assert end - found[-1] <= end * 0.75


def test_nothing_has_one_round_value():
    assert round_values(0.0, 4) == [0.0]


@given(st.floats(0, 1e9))
def test_a_scale_ends_above_what_it_shows(highest):
    scale = nice_scale(highest, 3)
    assert scale.high >= highest * (1 - 1e-9)
    assert scale.low == 0.0
    assert 2 <= len(scale.marks) <= 5
    assert all(len(words) <= 5 for words in scale.marks.values())


@pytest.mark.parametrize(
    ("value", "words"),
    [(0, "0"), (0.25, "0.25"), (950, "950"), (2000, "2,000"), (20_000, "20k"), (3e6, "3M")],
)
def test_labels_are_short(value, words):
    assert short(value) == words


@given(st.integers(0, 100_000), st.integers(1, 400))
def test_samples_are_spread_over_all_ticks_with_both_ends(until, most):
    found = sample_ticks(until, most)
    assert found[0] == 0
    assert found[-1] == until
    assert len(found) <= most + 1
    assert (np.diff(found) > 0).all()
    assert np.ptp(np.diff(found)) <= 1 if len(found) > 1 else until == 0


def test_the_words_of_values_that_are_left_out_stay_with_an_axis():
    # BokehJS warns when a label that was left out before is followed by any other change.
    axis, given = LinearAxis(ticker=FixedTicker(ticks=[])), []
    axis.on_change("major_label_overrides", lambda _name, _old, new: given.append(dict(new)))
    label_axis(axis, [0.0, 500.0, 1000.0], "ms")
    label_axis(axis, [0.0, 400.0], "ms")
    label_axis(axis, [0.0, 500.0], "ms")
    assert axis.ticker.ticks == [0.0, 500.0]
    assert given == [
        {0.0: "0", 500.0: "500", 1000.0: "1,000 ms"},
        {0.0: "0", 500.0: "500", 1000.0: "1,000 ms", 400.0: "400 ms"},
        {0.0: "0", 500.0: "500 ms", 1000.0: "1,000 ms", 400.0: "400 ms"},
    ]

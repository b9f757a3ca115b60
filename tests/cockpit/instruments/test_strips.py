import numpy as np
import pytest
from bokeh.models import Range1d

from flockpit.instruments import false_positives, field_gradient, heartbeat_states, messages
from flockpit.instruments.false_positives import FalsePositives
from flockpit.instruments.field_gradient import FieldGradient
from flockpit.instruments.heartbeat_states import HeartbeatStates
from flockpit.instruments.messages import DROPPED, Messages
from flockpit.instruments.time_axis import TimeAxis, foot_columns
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import THEMES

KINDS = (HeartbeatStates, FieldGradient, Messages, FalsePositives)


@pytest.fixture
def axis():
    return TimeAxis(Range1d(start=0.0, end=1.0))


# ---------------------------------------------------------------- beliefs


def test_the_areas_fill_the_figure_and_lie_on_each_other(split):
    found = heartbeat_states.columns(split)
    edges = np.stack([found["zero"], *(found[state] for state in heartbeat_states.STATES)])
    assert (np.diff(edges, axis=0) >= 0).all()
    assert edges[-1] == pytest.approx(100.0)
    assert {edges.dtype, found["x"].dtype} == {np.dtype(np.float32)}


def test_the_recorded_future_is_drawn_whatever_the_playhead(runs):
    early, late = (heartbeat_states.columns(runs.view(tick)) for tick in (10, 990))
    for name in early:
        assert np.array_equal(early[name], late[name])


def test_half_of_all_pairs_are_dead_while_the_flock_is_cut(split):
    found = heartbeat_states.columns(split)
    at = int(np.searchsorted(found["x"], 0.5))
    assert found["alive"][at] == pytest.approx(100 * 23 / 47, abs=0.5)
    assert found["dead"][at] == pytest.approx(100.0, abs=0.5)


def test_large_areas_are_named(split):
    assert heartbeat_states.label_columns(split)["text"] == ["ALIVE", "DEAD"]


# ---------------------------------------------------------------- messages


def test_bars_hold_every_copy_of_the_run_but_those_before_the_first_tick(split):
    found = messages.columns(split)
    assert found["delivered"].sum() == split.series("delivered")[1:].sum()
    dropped = sum(split.series(name)[1:].sum() for name in DROPPED)
    assert -found["dropped"].sum() == dropped > 0


def test_a_bar_is_a_round_time_and_there_are_few_of_them(runs):
    for length in (100, 1000, 5000, 100_000):
        view = DeckView(runs.at(100), length=length)
        width = messages.bar_ticks(view)
        assert length / width <= 200
        assert width in {1, 2, 5, 10, 20, 50, 100, 200, 500}


def test_bytes_are_per_node_and_second(runs):
    view = runs.view(100)
    width = messages.bar_ticks(view)
    sent = view.series("bytes")[101 - width : 101].sum()
    assert messages.per_node_second(view) == pytest.approx(sent / (width * 1e-3) / 48)


def test_nothing_is_sent_before_the_first_tick(runs):
    assert messages.per_node_second(runs.view(0)) == 0.0


# ---------------------------------------------------------------- field


def test_mean_and_slope_are_shares(split):
    found = field_gradient.columns(split)
    for name in ("mean", "slope"):
        assert ((found[name] >= 0) & (found[name] <= 1)).all()


def test_the_sides_differ_by_their_means(split):
    fresh = split.field[split.sides == split.sides[0]].mean()
    other = split.field[split.sides != split.sides[0]].mean()
    assert abs(field_gradient.side_difference(split)) == pytest.approx(abs(fresh - other), abs=1e-6)


def test_a_whole_flock_has_no_difference(calm):
    assert field_gradient.side_difference(calm) is None


# ---------------------------------------------------------------- false positives


def test_rates_are_declarations_per_hour_lived(split):
    ticks = np.array([150, 260, 1000])
    every, healthy = false_positives.rates(split, ticks)
    for at, rate in zip(ticks, every, strict=True):
        hours = split.series("up")[: at + 1].sum() * 1e-3 / 3600
        declared = split.series("false_dead")[: at + 1].sum()
        assert rate == pytest.approx(declared / hours)
    assert every[0] == 0.0
    assert (healthy <= every).all()


@pytest.mark.slow
def test_a_calm_flock_says_so_in_the_middle(runs, axis):
    made = FalsePositives(axis)
    made.update(runs.view(50, name="calm-flock", until=100))
    assert made.sources["empty"].data["text"] == ["No living node was declared dead"]
    made.update(runs.view(260))
    assert made.sources["empty"].data["text"] == []


@pytest.mark.parametrize(
    ("rate", "words"),
    [(0, "0"), (0.1234, "0.123"), (1234.5, "1,230"), (1e6, "1M"), (331_400, "331k")],
)
def test_a_rate_has_three_digits(rate, words):
    assert false_positives.rough(rate) == words


# ---------------------------------------------------------------- the axis


def test_the_pill_stands_alone_and_inside():
    class View:
        length, seconds = 2000, 0.01

        def __init__(self, now):
            self.now = now

    labels, pill = foot_columns(View(12.34))
    assert pill["text"] == ["12.34"]
    assert labels["text"] == ["0", "5", "10", "15", "20 s"]
    assert foot_columns(View(14.5))[0]["text"] == ["0", "5", "10", "20 s"]
    assert foot_columns(View(0.0))[1]["align"] == ["left"]
    assert foot_columns(View(20.0))[1]["align"] == ["right"]


def test_all_figures_share_span_playhead_and_veil(runs, axis):
    made = [kind(axis) for kind in KINDS]
    view = DeckView(runs.at(260), length=1600)
    for one in made:
        one.update(view)
    assert {id(one.figure.x_range) for one in made} == {id(axis.time)}
    assert axis.time.end == pytest.approx(1.6)
    assert axis.playhead.location == axis.veil.left == pytest.approx(0.26)
    assert len(axis.faults.data["x"]) == len(
        {s.start for s in view.sim.script.spans if s.start > 1}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_the_run_is_written_once_and_the_playhead_alone_moves(kind, runs, axis):
    made, written = kind(axis), []
    for name, source in made.sources.items():
        source.on_change("data", lambda _a, _o, _n, name=name: written.append(name))
    made.update(runs.view(260))
    assert sorted(written) == sorted(made.sources)
    written.clear()
    made.update(runs.view(700))
    assert written == []
    assert axis.playhead.location == pytest.approx(0.7)


@pytest.mark.parametrize("kind", KINDS)
def test_every_headline_has_at_most_two_numbers(kind, runs, axis):
    for tick in (0, 260, 950):
        said = kind(axis).headline(runs.view(tick))
        assert said.name
        assert len(said.numbers) == 2


@pytest.mark.parametrize("kind", KINDS)
def test_a_theme_changes_ground_and_axis(kind, axis):
    made = kind(axis)
    made.apply_theme("light")
    axis.apply_theme("light")
    assert made.figure.background_fill_color == THEMES["light"]["surface"]
    assert axis.playhead.line_color == THEMES["light"]["ink"]


def test_a_compared_branch_is_one_more_line(runs, axis):
    sim = runs.at(300)
    other = DeckView(sim.fork(seed=99))
    made = HeartbeatStates(axis)
    made.update(DeckView(sim, beside=other))
    assert len(made.sources["beside"].data["x"]) == 301
    made.update(DeckView(sim))
    assert len(made.sources["beside"].data["x"]) == 0

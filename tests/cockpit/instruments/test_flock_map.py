import numpy as np
import pytest
from bokeh.events import SelectionGeometry, Tap

from flockcore.flock.codes import Health, NodeStatus
from flockcore.kernel.faults import Crash, Cut, Leave, Pause
from flockpit.instruments.flock_map import FlockMap
from flockpit.instruments.map_columns import (
    Mark,
    Ring,
    chosen_columns,
    cut_link_columns,
    link_columns,
    node_columns,
)
from flockpit.instruments.map_sides import (
    belief_words,
    cut_columns,
    cut_word_columns,
    cut_words,
    label_columns,
    side_columns,
)
from flockpit.instruments.map_words import head, headline
from flockpit.instruments.view import NOT_SEEN, Choice, DeckView, Viewpoint
from flockpit.look.tokens import FIELD_MAP, THEMES

SMALL = {"x": "float32", "y": "float32", "field": "float32", "mark": "uint8", "ring": "uint8"}


def fork_with(sim, *faults, ticks=80):
    other = sim.fork()
    for fault in faults:
        other.inject(fault)
    other.run(ticks)
    return other


# ---------------------------------------------------------------- nodes


def test_before_the_cut_all_are_alive_and_nothing_contradicts(calm):
    found = node_columns(calm)
    assert (found["mark"] == Mark.ALIVE).all()
    assert not found["ring"].any()
    assert ((found["field"] >= 0) & (found["field"] <= 1)).all()


def test_columns_are_small(calm):
    found = node_columns(calm)
    assert {name: str(found[name].dtype) for name in SMALL} == SMALL
    assert sum(column.nbytes for column in found.values()) <= 16 * calm.nodes


def test_across_the_cut_nodes_are_dead_to_the_observer_and_ringed_because_they_are_up(split):
    found, across = node_columns(split), np.arange(48) < 24
    assert (found["mark"][across] == Mark.DEAD).all()
    assert (found["ring"][across] == Ring.REALLY_UP).all()
    assert (found["mark"][~across] == Mark.ALIVE).all()
    assert not found["ring"][~across].any()


def test_what_is_true_has_no_ring(runs):
    found = node_columns(runs.view(260, viewpoint=Viewpoint.TRUTH))
    assert (found["mark"] == Mark.ALIVE).all()
    assert not found["ring"].any()


def test_the_majority_decides_the_mark(runs):
    view = runs.view(260)
    assert np.array_equal(view.belief, view.sim.flock.majority_belief())


def test_a_node_that_just_crashed_is_still_believed_alive_and_ringed(runs):
    view = DeckView(fork_with(runs.at(180), Crash(nodes=(5,)), ticks=2))
    assert node_columns(view)["ring"][5] == Ring.REALLY_DOWN


def test_a_node_that_left_has_no_mark(runs):
    view = DeckView(fork_with(runs.at(180), Leave(nodes=(5,))))
    found = node_columns(view)
    assert found["mark"][5] == Mark.NOWHERE
    assert not found["ring"][5]


def test_a_stale_field_is_not_shown(runs):
    sim = fork_with(runs.at(180), Pause(nodes=(5,)), ticks=10)
    view = DeckView(sim, Choice(selected=(5,), viewpoint=Viewpoint.NODE))
    assert view.belief[5] == Health.ALIVE
    sim.flock.region.source[5] = 0
    assert node_columns(DeckView(sim, view.choice))["mark"][5] == Mark.STALE


def test_a_node_out_of_reach_is_neither_known_nor_unknown(split):
    view = DeckView(split.sim, split.choice)
    view.__dict__["belief"] = np.full(48, NOT_SEEN, dtype=np.uint8)
    assert (node_columns(view)["mark"] == Mark.UNSEEN).all()


# ---------------------------------------------------------------- links


def test_links_are_the_elected_pairs_once_each(calm):
    found = link_columns(calm)
    elected = calm.sim.flock.elected_peers()
    pairs = {
        tuple(sorted((near, int(far)))) for near in range(48) for far in elected[near] if far >= 0
    }
    assert len(found["x0"]) == len(pairs)
    assert not len(cut_link_columns(calm)["x0"])


def test_links_across_a_fresh_cut_are_cut(runs):
    view = runs.view(202)
    side = view.sides
    near, far = view.elected.shape
    assert (near, far) == (48, view.sim.scenario.k)
    elected = view.elected
    across = {
        tuple(sorted((n, int(f))))
        for n in range(48)
        for f in elected[n]
        if f >= 0 and side[n] != side[f]
    }
    assert len(cut_link_columns(view)["x0"]) == len(across) > 0


def test_a_link_cut_by_hand_is_drawn_although_nobody_elected_it(runs):
    view = DeckView(fork_with(runs.at(180), Cut(source=0, target=47), ticks=1))
    found = cut_link_columns(view)
    ends = {(float(x0), float(x1)) for x0, x1 in zip(found["x0"], found["x1"], strict=True)}
    assert (float(view.positions[0, 0]), float(view.positions[47, 0])) in ends


def test_the_selected_node_shows_its_own_links(split):
    found = chosen_columns(split)
    assert len(found["x0"]) == (split.elected[24] >= 0).sum()
    assert not len(chosen_columns(DeckView(split.sim))["x0"])


# ---------------------------------------------------------------- sides and words


def test_there_are_sides_only_while_there_is_a_cut(calm, split):
    assert side_columns(split)["text"] == ["A", "B"]
    assert side_columns(split)["words"] == ["24 nodes", "24 nodes"]
    assert len(cut_columns(split)["xs"]) == 1


def test_without_a_cut_nothing_is_said_of_one(runs):
    view = runs.view(180)
    assert side_columns(view)["xs"] == []
    assert cut_columns(view)["xs"] == []
    assert cut_word_columns(view)["text"] == []
    assert cut_words(view) == ("", "")


def test_the_cut_proves_itself(split):
    since, proof = cut_words(split)
    assert since == "cut since 0.200 s"
    passed, dropped = split.crossed()
    assert passed == 0
    assert dropped > 0
    assert proof == f"0 crossed, {dropped:,} dropped"
    assert cut_word_columns(split)["text"] == [since, proof]


@pytest.mark.slow
def test_a_one_way_cut_says_which_way(runs):
    view = runs.view(260, name="one-way-cut", until=300)
    assert cut_words(view)[0].startswith("A → B cut since ")
    assert view.crossed()[0] > 0


def test_a_cut_without_a_line_is_described_outside_the_flock(runs):
    view = DeckView(fork_with(runs.at(180), Cut(source=0, target=1), ticks=1))
    above, below = cut_word_columns(view)["y"]
    assert above > view.positions[:, 1].max()
    assert below < view.positions[:, 1].min()


@pytest.mark.slow
def test_three_sides_have_three_letters(runs):
    view = runs.view(260, name="three-way-split", until=300)
    assert side_columns(view)["text"] == ["A", "B", "C"]
    assert side_columns(view)["side"].tolist() == [0, 1, 2]


def test_selected_and_troubled_nodes_are_named(runs):
    sim = fork_with(runs.at(180), Crash(nodes=(5,)))
    found = label_columns(DeckView(sim, Choice(selected=(24,))))
    assert found["text"] == ["n24", "n05 crashed"]
    assert found["strong"] == [1, 0]
    crowd = label_columns(DeckView(sim, Choice(selected=tuple(range(48)))))
    assert len(crowd["text"]) == 12


def test_the_map_says_whose_picture_it_is(runs, split):
    assert belief_words(split) == "What n24 believes"
    assert belief_words(runs.view(260)) == "What most nodes believe"
    assert belief_words(runs.view(260, viewpoint=Viewpoint.TRUTH)) == "What is true"
    # Nobody is selected: there is no node to ask.
    assert belief_words(runs.view(260, viewpoint=Viewpoint.NODE)) == "What most nodes believe"


def test_the_two_numbers_count_the_living_who_are_held_dead(split):
    wrong, alive = headline(split).numbers
    assert (wrong.value, wrong.tone) == ("24", "dead")
    assert alive.value == "7 of 7"
    assert "aria-pressed='true'" in head(split)


def test_the_truth_has_other_numbers(runs):
    up, alive = headline(runs.view(260, viewpoint=Viewpoint.TRUTH)).numbers
    assert (up.value, up.unit) == ("48", "up of 48")
    assert alive.value == "7.0"


# ---------------------------------------------------------------- the figure


@pytest.fixture
def map_and_choices():
    chosen = []
    return FlockMap(lambda nodes, more: chosen.append((nodes, more))), chosen


def test_each_layer_is_assigned_once_and_only_when_it_changes(runs):
    made = FlockMap()
    written = []
    for name, source in made.sources.items():
        source.on_change("data", lambda _a, _o, _n, name=name: written.append(name))
    made.update(runs.view(211))
    assert sorted(written) == sorted(made.sources)
    written.clear()
    made.update(runs.view(250))
    assert len(written) == len(set(written))
    assert {"mark SUSPECT", "cut_words"} <= set(written)
    assert not {"sides", "cut", "selection"} & set(written)


def test_a_click_selects_the_nearest_node_and_shift_adds(runs, map_and_choices):
    made, chosen = map_and_choices
    view = runs.view(260)
    made.update(view)
    x, y = view.positions[7].tolist()
    made._tapped(Tap(None, x=x, y=y, sx=0, sy=0))
    made._tapped(Tap(None, x=x, y=y, sx=0, sy=0, modifiers={"shift": True}))
    made._tapped(Tap(None, x=-1e6, y=0, sx=0, sy=0))
    assert chosen == [((7,), False), ((7,), True), ((), False)]


def test_a_lasso_selects_what_it_goes_round_once_it_is_closed(runs, map_and_choices):
    made, chosen = map_and_choices
    view = runs.view(260)
    made.update(view)
    x, y = view.positions[:24].T
    left, right, low, high = x.min() - 1, x.max() + 1, y.min() - 1, y.max() + 1
    shape = {"type": "poly", "x": [left, right, right, left], "y": [low, low, high, high]}
    made._drawn(SelectionGeometry(None, geometry=shape, final=False))
    made._drawn(SelectionGeometry(None, geometry=shape, final=True))
    assert chosen == [(tuple(range(24)), False)]


def test_gestures_before_the_first_frame_mean_nothing(map_and_choices):
    made, chosen = map_and_choices
    made._tapped(Tap(None, x=0, y=0, sx=0, sy=0))
    assert chosen == []


def test_the_page_tells_the_size_and_the_scale_stays_one(runs):
    made = FlockMap()
    made.update(runs.view(260))
    made._resized("inner_width", None, 400)
    made._resized("inner_height", None, 400)
    x, y = made._figure.x_range, made._figure.y_range
    assert x.end - x.start == pytest.approx(y.end - y.start, rel=1e-3)


def test_a_theme_reaches_glyphs_and_the_field(runs):
    made = FlockMap(theme="dark")
    made.apply_theme("light")
    assert made._field.palette[0] == FIELD_MAP["light"][0]
    assert made._figure.background_fill_color == THEMES["light"]["surface"]


def test_what_is_true_is_up_or_not(runs):
    sim = fork_with(runs.at(180), Pause(nodes=(3,)))
    view = DeckView(sim, Choice(viewpoint=Viewpoint.TRUTH))
    assert view.truth[3] == NodeStatus.PAUSED
    assert view.belief[3] == Health.DEAD

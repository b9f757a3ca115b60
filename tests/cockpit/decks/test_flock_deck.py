"""The Flock deck without a page: turns, slots, tabs, selection, tour."""

import pytest

from flockcore.kernel.faults import Crash
from flockcore.scenario import TourStop
from flockpit.decks.deck import is_wide
from flockpit.decks.flock import FlockDeck
from flockpit.decks.slot import Slot
from flockpit.decks.turns import PERIOD_S, Turns
from flockpit.instruments.view import Viewpoint
from flockpit.look.widgets import html
from flockpit.page import Cockpit
from flockpit.session import Session
from small_flock import scenario


@pytest.fixture
def session():
    session = Session(scenario())
    session.sim.run(40)
    return session


@pytest.fixture
def deck(session):
    return FlockDeck(session, html(""))


# ---------------------------------------------------------------- turns


def test_everybody_gets_a_turn_in_a_period_and_nobody_twice():
    turns = Turns("abcdef", most=2)
    frames = [turns.due(frame * PERIOD_S / 4) for frame in range(4)]
    assert [len(frame) for frame in frames] == [2, 2, 2, 0]
    assert sorted(name for frame in frames for name in frame) == list("abcdef")


def test_who_waited_longest_comes_first():
    turns = Turns("abc", most=1)
    assert [turns.due(10.0 + 0.12 * n)[0] for n in range(6)] == list("abcabc")


def test_where_frames_are_few_nobody_waits_for_many():
    turns = Turns("abcdef", most=2)
    frames = [turns.due(3.0 * PERIOD_S * frame) for frame in range(4)]
    assert [len(frame) for frame in frames] == [2, 2, 4, 6]


def test_when_nothing_moves_everybody_is_shown():
    turns = Turns("abc", most=1)
    assert turns.all(5.0) == list("abc")
    assert turns.due(5.0) == []


# ---------------------------------------------------------------- slots


class Broken:
    name = "broken"
    view = None

    def __init__(self):
        self.view = html("")
        self.error = ValueError("no such column")

    def update(self, view):
        if self.error:
            raise self.error

    def apply_theme(self, theme):
        pass


def test_an_instrument_that_fails_says_so_and_comes_back(deck):
    broken = Broken()
    slot = Slot(broken)
    slot.update(deck._view())
    assert slot._alert.visible
    assert "ValueError: no such column" in slot._alert.object
    broken.error = None
    slot.update(deck._view())
    assert not slot._alert.visible


# ---------------------------------------------------------------- showing


def test_no_instrument_fails(session, deck):
    deck.update(moving=False)
    session.inject(Crash(nodes=(3,)))
    for _ in range(4):
        session.sim.run(30)
        deck.update(moving=False)
    every = list(deck._slots())
    assert [slot.failure for slot in every] == [None] * len(every)


def test_a_fork_is_shown_beside_and_closed_again(session, deck):
    session.fork()
    deck.update(moving=False)
    assert len(deck._maps) == 2
    assert deck._beside.failure is None
    assert "Compare" in [tabs._shown for tabs in deck._tabs]
    session.join()
    deck.update(moving=False)
    assert len(deck._maps) == 1


def test_small_pages_have_one_card_of_evidence(deck):
    assert len(deck._duo) == 2
    deck.resize(1280, 800)
    assert len(deck._duo) == 1
    deck.update(moving=False)
    deck.resize(1920, 1080)
    assert len(deck._duo) == 2


@pytest.mark.parametrize(
    ("size", "wide"), [((1920, 1080), True), ((1280, 800), False), ((1920, 800), False)]
)
def test_how_much_room_is_wide(size, wide):
    assert is_wide(*size) is wide


def test_both_themes(session, deck):
    session.fork()
    deck.update(moving=False)
    deck.apply_theme("light")
    deck.update(moving=False)
    every = list(deck._slots())
    assert [slot.failure for slot in every] == [None] * len(every)


# ---------------------------------------------------------------- choosing


def test_a_selection_grows_with_shift(deck):
    deck.select((3,))
    deck.select((5, 3), more=True)
    assert deck.choice.selected == (3, 5)
    assert deck.nodes.selected == (3, 5)
    deck.select((1,))
    assert deck.choice.selected == (1,)


def test_a_lasso_that_was_asked_for_becomes_a_side(session, deck):
    deck.faults.partition.cut("Lasso")
    deck.select((1, 2, 3))
    assert session.sim.injected[-1].groups == ((1, 2, 3),)


def test_a_nodes_view_needs_a_node(session, deck):
    deck.look(Viewpoint.NODE)
    assert session.notice.refused
    assert deck.choice.viewpoint is Viewpoint.MAJORITY
    deck.select((2,))
    deck.look(Viewpoint.NODE)
    assert deck.choice.viewpoint is Viewpoint.NODE


def test_a_smaller_flock_forgets_who_is_not_in_it(session, deck):
    deck.select((2, 11))
    session.load(scenario(nodes=5))
    deck.update(moving=False)
    assert deck.choice.selected == (2,)


def test_the_tour_points_at_a_node_and_a_view():
    stop = TourStop(tick=20, title="Here", text="Look.", focus=7, view="detection")
    session = Session(scenario(tour=(stop,)))
    deck = FlockDeck(session, html(""))
    session.start_tour()
    session.playback.change(session.playback.speed)
    session.sim.run(20)
    session._wanted = None
    session.pause()
    deck.update(moving=False)
    assert deck.choice.selected == (7,)
    assert deck.choice.viewpoint is Viewpoint.NODE
    assert "Detection" in [tabs._shown for tabs in deck._tabs]


def test_the_deck_opens_where_the_tour_looks():
    stop = TourStop(tick=0, title="Start", text="Look.", focus=4)
    session = Session(scenario(tour=(stop,)))
    deck = FlockDeck(session, html(""))
    assert deck.choice.selected == ()
    deck.arrive()
    assert deck.choice.selected == (4,)
    assert Cockpit(session).deck.choice.selected == (4,)

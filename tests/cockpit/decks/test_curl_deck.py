"""The Curl deck without a page: what its card writes, what it shows, when it opens."""

import numpy as np
import pytest

from flockcore.kernel.faults import Partition, Reconcile, Write
from flockcore.scenario import Scenario, TourStop
from flockpit.controls.conflict import loop, middle_triangle
from flockpit.controls.conflict_picture import picture
from flockpit.controls.spans import settlements
from flockpit.decks.curl import CurlDeck
from flockpit.instruments.view import Flow, Viewpoint
from flockpit.look.widgets import html
from flockpit.page import Cockpit
from flockpit.session import Session
from small_flock import failed, scenario


@pytest.fixture
def session():
    session = Session(scenario())
    session.sim.run(40)
    return session


@pytest.fixture
def deck(session):
    made = CurlDeck(session, html(""))
    made.update(moving=False)
    return made


# ---------------------------------------------------------------- the card that writes


@pytest.mark.parametrize("clockwise", [True, False])
def test_a_loop_goes_the_way_it_says_as_drawn(clockwise):
    rng = np.random.default_rng(4)
    for _ in range(50):
        places = rng.uniform(0, 100, (5, 2))
        x, y = places[list(loop((0, 2, 4), places, clockwise=clockwise))].T
        area = np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y)
        assert (area < 0) == clockwise


def test_the_triangle_in_the_middle_is_meant_unless_its_nodes_are_down():
    places = np.array([[0, 0], [10, 0], [5, 9], [100, 0], [110, 0], [105, 9], [105, 40]], float)
    corners = np.array([[0, 1, 2], [3, 4, 5], [3, 4, 6]])
    up = np.ones(7, dtype=bool)
    assert middle_triangle(corners, places, up) == (3, 4, 6), "one of the larger half"
    up[6] = False
    assert middle_triangle(corners, places, up) in {(0, 1, 2), (3, 4, 5)}
    assert middle_triangle(corners, places, np.zeros(7, dtype=bool)) is None
    assert middle_triangle(corners[:0], places, up) is None


def test_what_is_written_is_the_curl_that_was_asked_for(deck, session):
    conflict = deck.conflict
    conflict._rate.value = 1.5
    conflict.write()
    (fault,) = session.sim.injected
    assert isinstance(fault, Write)
    assert sorted(fault.path) == sorted(conflict.triangle)
    assert fault.node in conflict.triangle
    session.sim.run(2)
    hodge = session.sim.hodge
    corners = hodge.state.mesh.plan.complex.triangles
    mine = int(np.flatnonzero((corners == conflict.triangle).all(axis=1))[0])
    assert abs(hodge.written().curls[mine]) == pytest.approx(4.5)
    deck.update(moving=False)
    assert not failed(deck)


def test_the_sense_turns_the_curl_round(deck, session):
    curls = []
    for sense in ("Clockwise", "Counter"):
        deck.conflict._sense.value = sense
        deck.conflict.write()
        session.sim.run(2)
        curls.append(session.sim.hodge.written().curls.copy())
    assert np.abs(curls[0]).max() > 1.0
    assert np.allclose(curls[1], 0.0), "the second takes the first back"


def test_another_corner_writes_and_its_side_is_named(deck, session):
    half = tuple(range(6))
    session.inject(Partition(groups=(half,)))
    session.sim.run(2)
    corners = session.sim.hodge.state.mesh.plan.complex.triangles
    mixed = [t for t in corners.tolist() if len({n in half for n in t}) == 2]
    deck.conflict.pick(tuple(mixed[0]))
    deck.update(moving=False)
    assert "across the cut" in deck.conflict._which.object
    labels = list(deck.conflict._writer.options)
    assert {label[-1] for label in labels} == {"A", "B"}
    last = mixed[0][-1]
    deck.conflict._writer.value = last
    deck.conflict.write()
    assert session.sim.injected[-1].node == last
    assert not failed(deck)


def test_projecting_and_balancing_are_injected(deck, session):
    deck.conflict.project()
    deck.conflict.balance()
    assert [fault.aim for fault in session.sim.injected] == ["project", "balance"]
    assert all(isinstance(fault, Reconcile) for fault in session.sim.injected)


def test_automatic_is_injected_and_taken_back(deck, session):
    deck.conflict.write()
    session.sim.run(10)
    deck.conflict.turn()
    deck.update(moving=False)
    assert deck.conflict._mending.label == "Automatic: on"
    session.sim.run(100)
    assert session.sim.hodge.statistics().curl_norm < 1e-6, "nodes have mended by themselves"
    deck.conflict.turn()
    deck.update(moving=False)
    assert deck.conflict._mending.label == "Automatic: off"
    deck.conflict.write()
    session.sim.run(100)
    assert session.sim.hodge.statistics().curl_norm > 0.1
    session.undo()
    session.undo()
    assert deck.conflict.automatic


def test_a_flock_without_a_mesh_cannot_be_written_to():
    session = Session(scenario(nodes=1001, ticks=5))
    deck = CurlDeck(session, html(""))
    deck.update(moving=False)
    assert deck.conflict._write.disabled
    deck.conflict.write()
    assert session.notice.refused
    assert not failed(deck)


def test_the_picture_names_every_corner_and_marks_the_writer():
    places = np.array([[0.0, 0.0], [100.0, 1.0], [50.0, 3.0]])
    text = picture((0, 2, 1), places, 2)
    assert [name for name in ("n00", "n01", "n02") if name in text] == ["n00", "n01", "n02"]
    assert text.count("class='corner writer'") == 1
    assert text.count("class='arrow'") == 3


# ---------------------------------------------------------------- the deck


def test_the_keys_of_viewpoints_choose_flows(deck):
    for viewpoint, flow in zip(
        (Viewpoint.MAJORITY, Viewpoint.TRUTH, Viewpoint.NODE),
        (Flow.GOSSIP, Flow.PROJECTED, Flow.REPORTED),
        strict=True,
    ):
        deck.look(viewpoint)
        assert deck.choice.flow is flow


def test_clicking_the_mesh_picks_a_triangle_or_selects_a_node(deck, session):
    class Click:
        modifiers = None

        def __init__(self, place):
            self.x, self.y = (float(part) for part in place)

    mesh = deck._mesh.instrument
    places = session.sim.flock.positions[:, :2].astype(float)
    corners = session.sim.hodge.state.mesh.plan.complex.triangles
    areas = [np.ptp(places[t], axis=0).prod() for t in corners]
    mine = corners[int(np.argmax(areas))]
    mesh._tapped(Click(places[mine].mean(axis=0)))
    assert deck.conflict.triangle is not None
    assert deck.choice.triangle == deck.conflict.triangle
    mesh._tapped(Click(places[3]))
    assert deck.choice.selected == (3,)
    mesh._tapped(Click(places.max(axis=0) + 500.0))
    assert deck.choice.selected == ()


@pytest.mark.parametrize("wide", [True, False])
def test_no_instrument_fails_in_either_theme_or_size(session, wide):
    deck = CurlDeck(session, html(""), wide=wide)
    deck.conflict.update()
    deck.conflict.write()
    session.sim.run(30)
    deck.update(moving=False)
    deck.apply_theme("light")
    deck.resize(1920 if not wide else 1280, 1080 if not wide else 800)
    deck.update(moving=True)
    deck.update(moving=False)
    assert not failed(deck)


def test_what_was_written_and_mended_stands_on_the_timeline(deck, session):
    deck.conflict.write()
    session.sim.run(5)
    deck.conflict.project()
    session.sim.run(5)
    assert settlements(session.sim) == [(41, "open"), (46, "holds")]


# ---------------------------------------------------------------- decks on the page


def test_a_scenario_whose_tour_looks_at_curls_opens_this_deck():
    cockpit = Cockpit(Session(Scenario.load("curl-storm")))
    assert cockpit.deck.name == "Curl"
    cockpit.session.load(Scenario.load("calm-flock"))
    cockpit._update()
    assert cockpit.deck.name == "Flock"


def test_changing_decks_takes_the_selection_along_and_back():
    cockpit = Cockpit(Session(scenario()))
    assert cockpit.deck.name == "Flock"
    cockpit.deck.select((4, 2))
    cockpit.verbs["deck"]()
    assert cockpit.deck.name == "Curl"
    assert cockpit.deck.choice.selected == (4, 2)
    assert list(cockpit._page)[1:] == list(cockpit.deck.cards)
    cockpit.change_theme("light")
    cockpit.verbs["deck-Flock"]()
    cockpit._update()
    assert cockpit.deck._theme == "light"
    assert list(cockpit._page)[1:] == list(cockpit.deck.cards)


def test_writing_opens_the_deck_that_shows_it():
    cockpit = Cockpit(Session(scenario()))
    cockpit.verbs["write"]()
    assert cockpit.deck.name == "Curl"
    assert isinstance(cockpit.session.sim.injected[-1], Write)
    cockpit.verbs["flow-projected"]()
    assert cockpit.deck.choice.flow is Flow.PROJECTED


def test_a_stop_of_the_tour_opens_the_deck_it_looks_at():
    stops = (
        TourStop(tick=2, title="Flows", text="…", view="curl"),
        TourStop(tick=4, title="Lamps", text="…", view="verdicts"),
        TourStop(tick=6, title="Map", text="…", view="map"),
    )
    cockpit = Cockpit(Session(scenario(tour=stops)))
    session = cockpit.session
    seen = []
    for number, stop in enumerate(stops):
        session.scrub(stop.tick)
        session.tour = number
        session.advance(1000.0)
        cockpit._update()
        seen.append(cockpit.deck.name)
    assert seen == ["Curl", "Curl", "Flock"]

"""The Barrier deck without a page: it opens, follows keys and tours, and never fails to draw."""

import pytest

from flockcore.kernel.faults import Crash, Provision, Restart
from flockcore.scenario import Scenario, TourStop
from flockpit.app import begin, first_tick
from flockpit.controls.spans import gate_marks
from flockpit.decks.barrier import BarrierDeck
from flockpit.decks.opening import DECKS, deck_for, deck_of
from flockpit.instruments import barrier_proofs
from flockpit.instruments.barrier_proofs import Proofs
from flockpit.instruments.view import Viewpoint
from flockpit.look.widgets import html
from flockpit.page import Cockpit, _deck_class, import_decks
from flockpit.session import Session
from small_flock import failed, scenario


@pytest.fixture
def session():
    session = Session(scenario())
    session.sim.run(10)
    return session


@pytest.fixture
def deck(session):
    made = BarrierDeck(session, html(""))
    made.update(moving=False)
    return made


def test_the_column_of_three_cards_leaves_out_what_titles_of_buttons_say(deck):
    assert not deck.faults.partition._text.visible
    deck.select((3,))
    deck.update(moving=False)
    assert not deck.nodes._hint.visible
    assert not deck.nodes._say.visible


# ---------------------------------------------------------------- opening


def test_every_deck_that_is_named_is_made():
    assert [_deck_class(name).name for name in DECKS] == list(DECKS) == list(import_decks())


@pytest.mark.parametrize(
    ("name", "deck", "tick"),
    [
        ("late-report", "Barrier", 130),
        ("curl-storm", "Curl", 190),
        ("split-brain", "Flock", 262),
    ],
)
def test_a_link_opens_the_deck_and_the_tick_of_its_scenario(name, deck, tick):
    session = begin({"scenario": name})
    assert (session.tick, deck_for(session.scenario)) == (tick, deck)
    assert first_tick(session.scenario) == tick


@pytest.mark.parametrize(
    "name", ["strict-all-straggler", "threshold-80-of-90", "mass-failure", "late-report"]
)
def test_scenarios_about_the_barrier_open_its_deck(name):
    assert deck_for(Scenario.load(name)) == "Barrier"


def test_stops_look_at_the_deck_that_has_their_view():
    def stop(view):
        return TourStop(tick=1, title="Here", text="Look.", view=view)

    assert [deck_of(stop(view)) for view in ("lanes", "barrier", "curl", "ballots")] == [
        "Barrier", "Barrier", "Curl", "Flock",
    ]  # fmt: skip
    assert deck_of(stop("verdicts")) is None


def test_one_key_goes_round_all_decks(session):
    cockpit = Cockpit(session)
    seen = []
    for _ in range(3):
        cockpit.verbs["deck"]()
        seen.append(cockpit.deck.name)
    assert seen == ["Curl", "Barrier", "Flock"]


# ---------------------------------------------------------------- showing


def test_no_instrument_fails_whatever_happens(session, deck):
    assert failed(deck) == []
    session.inject(Provision(policy="combined", ready=9, failed=2, fail=0.1))
    for fault in (Crash(nodes=(3, 4)), Restart(nodes=(3,)), Crash(nodes=(0,)), Provision(seat=5)):
        session.sim.run(40)
        deck.update(moving=False)
        session.inject(fault)
    for tick in (0, 30, 90, 150, 170):
        session.sim.seek(tick)
        deck.select((tick % 12,))
        deck.update(moving=False)
        assert failed(deck) == []


@pytest.mark.parametrize("nodes", [3, 1000])
def test_small_and_large_flocks_are_shown(nodes):
    session = Session(scenario(nodes=nodes))
    deck = BarrierDeck(session, html(""))
    deck.start.provision()
    session.sim.run(60)
    for theme in ("dark", "light"):
        deck.apply_theme(theme)
        deck.update(moving=False)
    assert failed(deck) == []


def test_the_timeline_has_what_the_gate_did(session, deck):
    deck.start.provision()
    session.sim.run(280)
    marks = gate_marks(session.sim)
    assert marks[0] == (11, "open")
    assert [kind for _, kind in marks] == ["open", "holds"]


def test_another_size_of_the_page_keeps_the_cards(deck):
    deck.resize(1280, 800)
    deck.look(Viewpoint.TRUTH)
    deck.resize(1920, 1080)
    assert deck._tabs[0]._shown == "Proofs"
    deck.update(moving=False)
    assert failed(deck) == []


# ---------------------------------------------------------------- doing


def test_keys_provision_and_ask_for_fewer(session):
    cockpit = Cockpit(session)
    cockpit.verbs["provision"]()
    assert cockpit.deck.name == "Barrier"
    session.sim.run(2)
    cockpit.verbs["fewer"]()
    assert session.sim.injected[-1].ready == 11
    session.sim.run(1)
    cockpit.verbs["more"]()
    assert session.sim.injected[-1].ready == 12


def test_three_keys_turn_the_card(deck):
    for viewpoint, word in zip(Viewpoint, ("Trace", "Fuzz", "Proofs"), strict=True):
        deck.look(viewpoint)
        assert deck._tabs[0]._shown == word


def test_the_fuzz_key_shows_the_card_and_starts(session, deck):
    deck.run_fuzz()
    assert deck._tabs[0]._shown == "Fuzz"
    assert session.chore is deck.fuzz.run
    deck.run_fuzz()
    while session.chore is not None:
        session.advance()
    assert deck.fuzz.run.stopped == "Cancelled."


# ---------------------------------------------------------------- proofs


def test_theorems_are_shown_as_recorded(deck):
    proofs = Proofs(deck.session)
    proofs.update(deck._view())
    shown = proofs._table.object
    assert "recorded with z3" in shown
    assert shown.count("<li") > 20
    assert "counterexample" in shown
    assert "as expected" in proofs._line.object


def test_theorems_are_proved_here(deck):
    pytest.importorskip("z3")
    proofs = Proofs(deck.session)
    proofs.run()
    while deck.session.chore is not None:
        deck.session.advance()
    proofs.update(deck._view())
    assert "proved here by z3" in proofs._table.object


def test_without_z3_the_record_stands_and_no_button(deck, monkeypatch):
    monkeypatch.setattr(barrier_proofs, "find_spec", lambda name: None)
    proofs = Proofs(deck.session)
    proofs.run()
    assert "need z3" in deck.session.notice.text
    assert deck.session.chore is None
    proofs.update(deck._view())
    assert "recorded with z3" in proofs._table.object


@pytest.mark.parametrize("error", [OSError("gone"), ValueError("broken"), KeyError("z3")])
def test_without_a_record_the_card_says_what_makes_one(deck, monkeypatch, error):
    def lost():
        raise error

    monkeypatch.setattr(barrier_proofs, "recorded", lost)
    proofs = Proofs(deck.session)
    proofs.update(deck._view())
    assert "flockpit barrier prove" in proofs._table.object


def test_a_proof_that_fails_keeps_the_record(deck, monkeypatch):
    def broken(**_):
        raise RuntimeError("no more memory")

    monkeypatch.setattr(barrier_proofs, "prove", broken)
    monkeypatch.setattr(barrier_proofs, "z3_version", lambda: "0")
    monkeypatch.setattr(barrier_proofs, "find_spec", lambda name: object())
    proofs = Proofs(deck.session)
    proofs.run()
    while deck.session.chore is not None:
        deck.session.advance()
    proofs.update(deck._view())
    assert "no more memory" in deck.session.notice.text
    assert "recorded with z3" in proofs._table.object

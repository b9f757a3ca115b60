"""The page as a whole, without a server: what an address opens, what keys and gestures do."""

import asyncio

import pytest
from bokeh.document import Document

import flockpit
from flockcore.scenario import Scenario
from flockpit.app import begin, go_to
from flockpit.page import Cockpit
from flockpit.session import Session


@pytest.fixture
def cockpit():
    session = Session(Scenario(nodes=12, ticks=300, title="Small", seed=2))
    session.sim.run(40)
    return Cockpit(session)


def key(cockpit, name, *, shift=False):
    model = cockpit.link.model
    model.gestures = [[model.heard + 1, "key", {"key": name, "shift": shift}]]
    while cockpit.session.busy and not cockpit.session.exploring:
        cockpit.session.advance()


def press(cockpit, verb, argument=""):
    model = cockpit.link.model
    model.gestures = [[model.heard + 1, "do", {"verb": verb, "with": argument}]]


def orders(cockpit):
    return [(verb, details) for _, verb, details in cockpit.link.model.orders]


# ---------------------------------------------------------------- addresses


def test_a_bare_address_opens_a_run_at_a_telling_tick():
    session = begin({})
    assert session.scenario.name == "split-brain"
    assert session.tick > session.scenario.faults[0].start
    assert session.notice is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"scenario": "nope"}, "nope"),
        ({"run": "garbage"}, "not a share token"),
        ({"run": "fp1.99.abc"}, "truncated"),
        ({"seed": "-1"}, "-1"),
        ({"seed": "9" * 30}, "allowed"),
    ],
)
def test_a_bad_address_opens_a_session_that_says_what_is_wrong(query, said):
    session = begin(query)
    assert said in session.notice.text
    assert session.notice.refused
    assert session.failure is None
    session.step()
    session.advance()


@pytest.mark.parametrize(
    "query", [{}, {"scenario": "strict-all-straggler", "seed": "7"}, {"run": "garbage"}]
)
def test_a_session_that_has_begun_goes_where_another_would_begin(query):
    there, wanted = begin({"scenario": "calm-flock"}), begin(query)
    cockpit = Cockpit(there)
    go_to(there, query)
    cockpit.arrive()
    assert there.sim.digest() == wanted.sim.digest()
    assert there.tick == wanted.tick
    assert there.notice == wanted.notice
    fresh = Cockpit(wanted)
    assert cockpit.deck.name == fresh.deck.name
    assert cockpit.deck.choice == fresh.deck.choice


def test_a_page_of_known_size_is_arranged_for_it_at_once():
    session = Session(Scenario(nodes=12, ticks=300, title="Small"))
    decks = [Cockpit(session, extent=extent).deck for extent in ((1280, 800), (1920, 1080))]
    assert [len(deck._tabs) for deck in decks] == [1, 2]
    assert len(Cockpit(session).deck._tabs) == 2


def test_a_seed_in_the_address_is_taken():
    assert begin({"seed": "77"}).sim.schedule == ((0, 77),)


def test_a_scenario_file_is_opened(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('title = "Mine"\nnodes = 9\n')
    assert begin({}, file=str(path)).scenario.nodes == 9


@pytest.mark.parametrize("content", ["nodes = 0", "nodes = ", "colour = 3", "\x00", None])
def test_a_broken_scenario_file_is_said_and_another_opened(tmp_path, content):
    path = tmp_path / "broken.toml"
    if content is not None:
        path.write_text(content)
    session = begin({}, file=str(path))
    assert "broken.toml" in session.notice.text
    assert session.scenario.name == "split-brain"


def test_broken_presets_leave_a_plain_flock(monkeypatch):
    monkeypatch.setattr("flockcore.presets.text", lambda name: "nodes = -5")
    session = begin({})
    assert "-5" in session.notice.text
    assert session.scenario.title == "Plain flock"


# ---------------------------------------------------------------- keys and gestures


def test_the_page_is_made_of_models(cockpit):
    doc = Document()
    doc.add_root(cockpit.view.get_root(doc))
    assert doc.get_model_by_name("flockpit.bridge") is cockpit.link.model


def test_keys_move_through_time(cockpit):
    key(cockpit, "ArrowRight")
    key(cockpit, "ArrowRight", shift=True)
    assert cockpit.session.tick == 51
    key(cockpit, "ArrowLeft")
    assert cockpit.session.tick == 50
    key(cockpit, "Home")
    assert cockpit.session.tick == 0
    key(cockpit, "End")
    assert cockpit.session.tick == 51


def test_keys_change_the_speed_within_its_limits(cockpit):
    for _ in range(30):
        key(cockpit, "+")
    assert cockpit.session.playback.unbounded
    for _ in range(30):
        key(cockpit, "-")
    assert cockpit.session.playback.speed.label == "1/1000"


def test_keys_cut_heal_and_undo(cockpit):
    key(cockpit, "p")
    key(cockpit, "ArrowRight")
    key(cockpit, "h")
    assert [fault.kind_name for fault in cockpit.session.sim.injected] == ["partition", "heal"]
    key(cockpit, "u")
    key(cockpit, "u")
    assert cockpit.session.sim.injected == ()
    assert cockpit.session.tick == 40


def test_a_fork_is_swapped_and_joined(cockpit):
    key(cockpit, "f")
    fork = cockpit.session.sim
    key(cockpit, "x")
    assert cockpit.session.beside is fork
    press(cockpit, "join")
    assert cockpit.session.beside is None


def test_the_theme_is_changed_on_the_page_too(cockpit):
    key(cockpit, "d")
    assert orders(cockpit)[-1] == ("theme", {"name": "light"})
    assert "light" in cockpit.view.css_classes
    key(cockpit, "d")
    assert "light" not in cockpit.view.css_classes


def test_the_page_says_which_theme_it_wants_and_how_large_it_is(cockpit):
    model = cockpit.link.model
    hello = {"theme": "light", "still": False, "width": 1280, "height": 800}
    model.gestures = [[model.heard + 1, "hello", hello]]
    assert cockpit.theme == "light"
    assert len(cockpit.deck._duo) == 1


def test_buttons_in_panes_select_and_go_to_ticks(cockpit):
    press(cockpit, "select", "3,5")
    assert cockpit.deck.choice.selected == (3, 5)
    press(cockpit, "scrub", "12")
    cockpit.session.advance()
    assert cockpit.session.tick == 12
    press(cockpit, "no-such-verb")


def test_escape_closes_everything(cockpit):
    key(cockpit, "?")
    press(cockpit, "select", "3")
    assert cockpit.overlays.keys_shown
    key(cockpit, "Escape")
    assert not cockpit.overlays.keys_shown
    assert cockpit.deck.choice.selected == ()


def test_a_dropped_scenario_file_is_opened_or_refused(cockpit):
    model = cockpit.link.model
    model.gestures = [[model.heard + 1, "file", {"name": "a.toml", "text": "nodes = 7"}]]
    assert cockpit.session.scenario.nodes == 7
    model.gestures = [[model.heard + 1, "file", {"name": "b.toml", "text": "nodes = 0"}]]
    assert cockpit.session.scenario.nodes == 7
    assert "b.toml" in cockpit.session.notice.text


def test_share_copies_a_link(cockpit):
    press(cockpit, "share")
    verb, details = orders(cockpit)[-1]
    assert verb == "share"
    assert details["query"].startswith("run=fp1.")


@pytest.mark.parametrize(("verb", "ending"), [("export-run", ".json"), ("export-log", ".log")])
def test_exports_are_downloaded(cockpit, verb, ending):
    press(cockpit, verb)
    order, details = orders(cockpit)[-1]
    assert order == "download"
    assert details["name"] == f"custom-40{ending}"
    assert details["text"]


def test_every_verb_that_a_pane_offers_is_known(cockpit):
    import re
    from pathlib import Path

    offered = set()
    for source in Path(flockpit.__file__).parent.rglob("*.py"):
        offered |= set(re.findall(r"data-do='([\w-]+)'", source.read_text(encoding="utf-8")))
    known = {*cockpit.verbs, "select", "scrub", "switch"}
    assert offered - known <= {"copied"}


# ---------------------------------------------------------------- frames


def test_frames_are_sent_while_it_plays():
    async def scene():
        session = Session(Scenario(nodes=8, ticks=300, title="Small"))
        cockpit = Cockpit(session, framed=True)
        model = cockpit.link.model
        model.on_change("frame", lambda attr, old, new: setattr(model, "painted", new))
        cockpit.start_here()
        session.play()
        for _ in range(200):
            await asyncio.sleep(0.01)
            if model.frame > 5:
                break
        cockpit.stop()
        assert model.frame > 5
        assert session.tick > 0
        assert session.failure is None

    asyncio.run(scene())


def test_without_a_loop_it_stands_still(cockpit):
    cockpit.start_here()
    assert cockpit._task is None


def test_a_notebook_gets_a_framed_cockpit():
    view = flockpit.cockpit("calm-flock", seed=4)
    assert "framed" in view.css_classes


def test_what_went_wrong_is_said_even_if_the_deck_cannot_be_painted(monkeypatch):
    cockpit = Cockpit(Session(Scenario(nodes=12, ticks=300, title="Small")))

    def broken(*, moving):
        raise ValueError(f"no such colour, moving: {moving}")

    monkeypatch.setattr(cockpit.deck, "update", broken)
    with pytest.raises(ValueError, match="no such colour"):
        cockpit.paint()
    cockpit.session.fail("painting a frame", ValueError("no such colour"))
    cockpit.paint()
    assert cockpit.overlays._failure.visible
    assert "no such colour" in cockpit.overlays._failure.object

"""The Curl deck as a person meets it: conflicts rise, are written by hand, and are mended."""

import re

import numpy as np
import pytest
from playwright.sync_api import expect

from ui.desk import OneDeck

STORM = ((190, 0.0), (400, 1.0), (690, 0.0), (760, 5.0), (910, 0.0))
"""Stops of the tour of curl-storm, and what the curl norm exceeds there; 0 means it is 0."""


@pytest.fixture
def curl(desk):
    """The desk with what only this deck has."""
    return Curl(desk)


class Curl(OneDeck):
    name = "Curl"

    @property
    def head(self):
        return self.page.locator(".instrument.flows .map-head")

    @property
    def mesh(self):
        return self.page.locator(".instrument.flows .bk-Figure").first

    @property
    def card(self):
        return self.page.locator(".conflict")

    def choose(self, name):
        """Open a preset that this deck is for, and wait until the mesh has its place."""
        super().choose(name)
        self.stand()

    def stand(self):
        """Wait until the mesh keeps its place on the page."""
        expect(self.mesh).to_be_visible()
        before = None
        for _ in range(50):
            self.desk.settle()
            here = self.mesh.bounding_box()
            if here == before:
                return
            before = here
            self.page.wait_for_timeout(150)
        raise AssertionError(f"the mesh keeps moving: {before}")

    def shows(self, norm):
        """Expect the number beside the mesh."""
        expect(self.head.locator(".heroes b").first).to_have_text(norm)

    def norm(self):
        """The curl norm as the page shows it beside the mesh, once the last frame is there."""
        self.desk.settle()
        return float(self.head.locator(".heroes b").first.inner_text())

    def middle(self, corners):
        """Where on the page a triangle is."""
        places = self.desk.sim.flock.positions[list(corners)]
        return self.desk.at(self.mesh, *places.mean(axis=0))

    def go(self, tick):
        """Drag the playhead to a tick, once nothing on the page moves of itself."""
        self.stand()
        seconds = self.desk.session.scenario.tick_us / 1e6
        path = [(part * tick * seconds, 70) for part in (0.5, 0.8, 1.0)]
        self.desk.drag(self.desk.timeline, path)
        self.desk.until(lambda: abs(self.desk.tick - tick) < 15, f"the drag ended at {tick}")
        self.desk.settle()


def test_curl_rises_at_the_heal_and_falls_after_the_reconciliation(desk, curl):
    curl.choose("curl-storm")
    expect(curl.head).to_contain_text("What the edges claim")
    desk.press(*"+++++", "t")
    for number, (tick, least) in enumerate(STORM):
        desk.until(lambda goal=tick: desk.session.stop and desk.tick == goal, f"stop {tick}")
        desk.shows_tick(tick)
        shown = curl.norm()
        assert shown > least if least else shown == 0.0, f"tick {tick}"
        strip = desk.page.locator(".instrument.curl-norm .headline .figures b").first
        expect(strip).to_have_text("0" if not least else re.compile(r"[1-9]"))
        if number + 1 < len(STORM):
            desk.page.get_by_role("button", name="Next").click()
    expect(desk.page.locator(".lamps")).to_contain_text("No curl is left")
    expect(desk.page.locator(".lamps")).to_contain_text("40 nodes, one flow, bit for bit")


def test_a_conflict_written_by_hand_is_seen_and_mended(desk, curl):
    curl.choose("bowtie-conflict")
    expect(curl.page.locator(".flow-empty")).to_contain_text("Nothing was written yet")
    corners = (2, 3, 4)
    desk.page.mouse.click(*curl.middle(corners))
    expect(curl.card).to_contain_text("n02, n03, n04")
    curl.card.get_by_role("button", name="n04").click()
    curl.card.get_by_role("button", name="Counter").click()
    desk.settle()
    curl.card.get_by_role("button", name=re.compile("^Write it")).click()
    desk.leap(10)
    (fault,) = desk.sim.injected
    assert (fault.node, sorted(fault.path)) == (4, [2, 3, 4])
    known = np.abs(desk.sim.hodge.written().curls)
    assert known.max() == pytest.approx(3.0)
    assert curl.norm() > 1.0
    expect(curl.page.locator(".flow-empty")).to_be_empty()
    expect(desk.page.locator(".instrument.share")).to_contain_text("100 % curl")
    desk.press("3")
    curl.shows("0")
    desk.press("1")
    assert curl.norm() > 1.0
    desk.press("j")
    desk.leap(1)
    curl.shows("0")
    assert desk.sim.injected[-1].aim == "project"


def test_the_hole_keeps_what_no_projection_mends(desk, curl):
    curl.choose("harmonic-hole")
    desk.until(lambda: desk.sim.recorded_until >= 900, "the run is recorded")
    curl.go(520)
    curl.shows("0")
    for key in ("3", "1"):
        desk.press(key)
        expect(curl.head).to_contain_text("harmonic 2.19 round 1 hole stays")
    expect(desk.page.locator(".instrument.share")).to_contain_text("100 % harmonic")
    expect(desk.page.locator(".instrument.share")).to_contain_text("harmonic flow stays")
    expect(desk.page.locator(".lamps")).to_contain_text("harmonic 2.19 round 1 hole")


def test_balancing_moves_what_a_projection_leaves(desk, curl):
    curl.choose("hot-node")
    desk.until(lambda: desk.sim.recorded_until >= 1100, "the run is recorded")
    curl.go(850)
    queues = desk.page.locator(".instrument.queues")
    expect(queues).to_contain_text("what is hot stays hot")
    expect(queues.locator("tbody tr").first).to_contain_text("n12")


def test_decks_change_by_tab_and_by_key_and_both_go_on(desk, curl):
    desk.leap(2)
    desk.press("g")
    curl.stand()
    expect(desk.page.locator(".tabs [aria-current]")).to_have_text("Curl")
    node = 7
    desk.page.mouse.click(*desk.at(curl.mesh, *desk.sim.flock.positions[node]))
    desk.until(lambda: desk.cockpit.deck.choice.selected == (node,), "the node is selected")
    desk.page.locator(".tabs").get_by_role("button", name="Flock").click()
    expect(desk.page.locator(".tabs [aria-current]")).to_have_text("Flock")
    expect(desk.map).to_be_visible()
    desk.settle()
    assert desk.cockpit.deck.choice.selected == (node,)
    desk.click_node(3)
    desk.until(lambda: desk.cockpit.deck.choice.selected == (3,), "the map takes clicks again")
    desk.press("g", "d", "d", "g", "g")
    desk.leap(1)
    expect(desk.page.locator(".instrument.map .map-head")).to_be_visible()
    expect(desk.page.locator(".slot-alert:visible")).to_have_count(0)


def test_nothing_fails_on_this_deck_while_it_plays(desk, curl):
    curl.choose("curl-storm")
    desk.press(*"+++++")
    desk.page.keyboard.press(" ")
    desk.until(lambda: desk.tick >= desk.session.scenario.ticks, "the run is played to its end")
    desk.settle()
    expect(desk.page.locator(".slot-alert:visible")).to_have_count(0)
    assert [slot.failure for slot in desk.cockpit.deck._slots() if slot.failure] == []

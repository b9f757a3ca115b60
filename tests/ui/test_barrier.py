"""The Barrier deck as a person meets it: gates open, fail, open falsely, and are fuzzed."""

import re

import pytest
from playwright.sync_api import expect

from ui.desk import OneDeck


@pytest.fixture
def barrier(desk):
    """The desk with what only this deck has."""
    return Barrier(desk)


class Barrier(OneDeck):
    name = "Barrier"

    @property
    def head(self):
        return self.page.locator(".waffle-head")

    @property
    def waffle(self):
        return self.page.locator(".instrument.waffle .bk-Figure")

    @property
    def legend(self):
        return self.page.locator(".waffle-legend li")

    @property
    def outcome(self):
        return self.page.locator(".instrument.outcome")

    @property
    def windows(self):
        """The line above the counts, which tells how often the gate's word was false."""
        return self.page.locator(".instrument.barrier-counts .headline")

    @property
    def gate(self):
        return self.desk.sim.barrier

    def choose(self, name):
        """Open a preset that this deck is for, recorded to its end."""
        super().choose(name)
        ticks = self.desk.session.scenario.ticks
        self.desk.until(lambda: self.desk.sim.recorded_until >= ticks, "the run is recorded", 90)
        self.desk.settle()
        expect(self.waffle).to_be_visible()

    def open_on(self, name):
        """Show this deck on a preset that is for another one."""
        self.desk.fresh(name)
        self.page.locator(".tabs").get_by_role("button", name="Barrier").click()
        expect(self.waffle).to_be_visible()
        self.desk.settle()

    def go(self, tick):
        """Go to a recorded tick."""
        self.desk.session.scrub(tick)
        self.desk.until(lambda: self.desk.tick == tick, f"tick {tick} is shown")
        self.desk.settle()

    def counts(self, square, number):
        """Expect a number in the legend."""
        row = self.legend.filter(has=self.page.locator(f"i.{square}"))
        expect(row.locator("b")).to_have_text(str(number))

    def turn(self, word):
        """Turn to a card by the word on the switch."""
        self.page.locator(".tabs-switch").get_by_role("button", name=word, exact=True).click()
        self.desk.settle()

    def ends(self, phase):
        """Expect the gate to have decided as was foretold."""
        expect(self.head).to_contain_text(phase)
        expect(self.outcome).to_contain_text("identical")
        lamps = self.page.locator(".lamps li", has_text="Prediction matches")
        expect(lamps.locator("button")).to_have_attribute("title", re.compile("holds"))


def test_a_straggler_holds_the_gate_until_it_converges(barrier):
    barrier.choose("strict-all-straggler")
    desk = barrier.desk
    ready = desk.sim.series.column("barrier_ready", desk.sim.recorded_until + 1)
    hosts = desk.session.scenario.nodes
    barrier.go(int((ready < hosts).nonzero()[0].max()))
    expect(barrier.head).to_contain_text("BARRIER")
    expect(barrier.outcome).to_contain_text("pending")
    barrier.go(desk.session.scenario.ticks)
    barrier.ends("CONVERGE")


def test_a_mass_failure_ends_in_failed(barrier):
    barrier.choose("mass-failure")
    barrier.go(barrier.desk.session.scenario.ticks)
    barrier.ends("FAILED")
    barrier.turn("Trace")
    checks = barrier.page.locator(".checks li")
    expect(checks.filter(has_text="FAILED only when all in")).to_contain_text("1 point")
    expect(checks.filter(has_text="Terminated")).to_contain_text("F at point")


def test_a_false_ready_window_is_seen_and_measured(barrier):
    barrier.choose("late-report")
    barrier.go(719)
    barrier.counts("false", 5)
    expect(barrier.head).to_contain_text("CONVERGE")
    expect(barrier.windows).to_contain_text("1 false-ready window")
    expect(barrier.page.locator(".lamps")).to_contain_text("5 of 56 are not")
    barrier.go(1100)
    barrier.counts("false", 0)
    expect(barrier.windows).to_contain_text("247 ms longest")
    barrier.go(700)
    expect(barrier.windows).to_contain_text("0 false-ready windows")
    expect(barrier.outcome).to_contain_text("pending")


def test_a_square_and_a_lane_select_their_host(barrier):
    barrier.choose("late-report")
    desk, deck = barrier.desk, barrier.desk.cockpit.deck
    waffle = deck._waffle.instrument
    desk.until(lambda: waffle._hosts == 60, "the squares stand")
    barrier.page.mouse.click(*desk.at(barrier.waffle, *waffle._grid.places(60)[33]))
    desk.until(lambda: deck.choice.selected == (33,), "the square selects")
    desk.settle()
    expect(barrier.page.locator(".card.node")).to_contain_text("n33")
    lanes = barrier.page.locator(".instrument.barrier-lanes .bk-Figure").first
    barrier.page.mouse.click(*desk.at(lanes, 0.6, 1.5))
    desk.until(lambda: deck.choice.selected == (8,), "the lane selects")


def test_a_flock_is_provisioned_and_the_policy_changed_live(barrier):
    barrier.open_on("calm-flock")
    desk = barrier.desk
    expect(barrier.head).to_contain_text("not provisioned")
    barrier.page.get_by_role("button", name=re.compile("^Provision the flock")).click()
    desk.until(lambda: desk.sim.injected, "the provisioning is injected")
    desk.settle()
    desk.leap(4)
    expect(barrier.head).to_contain_text("BARRIER")
    hosts = desk.session.scenario.nodes
    ready = int(barrier.gate.state.gate.ready[0])
    assert 0 < ready < hosts
    policy = barrier.page.locator(".ask")
    policy.get_by_role("button", name="Both", exact=True).click()
    desk.until(lambda: desk.sim.injected[-1].policy == "combined", "the gate asks for both")
    expect(policy).to_contain_text("not monotone")
    desk.settle()
    before = desk.sim.injected[-1].ready
    desk.press("[")
    assert desk.sim.injected[-1].ready == before - 1
    policy.get_by_role("button", name="Ready", exact=True).click()
    desk.until(lambda: desk.sim.injected[-1].policy == "threshold", "the gate asks for READY")
    desk.leap(30)
    barrier.ends("CONVERGE")
    assert barrier.gate.decided_at[0] == before - 1
    policy.get_by_role("button", name="Cap", exact=True).click()
    expect(policy).to_contain_text("zero evidence")


def test_half_of_the_images_fail_and_so_does_the_gate(barrier):
    barrier.open_on("calm-flock")
    desk = barrier.desk
    barrier.turn("Provision")
    form = barrier.page.locator(".ask")
    form.get_by_role("button", name="30 %").click()
    desk.until(lambda: desk.cockpit.deck.start.fail == 0.3, "the pattern is chosen")
    desk.press("i")
    assert desk.sim.injected[-1].fail == 0.3
    desk.leap(40)
    barrier.ends("FAILED")


def test_a_seat_that_is_no_node_is_refused(barrier):
    barrier.open_on("calm-flock")
    barrier.turn("Provision")
    seat = barrier.page.locator(".ask input[type=text]")
    seat.fill("many")
    seat.press("Tab")
    barrier.page.locator(".ask").get_by_role("button", name=re.compile("^Provision +I")).click()
    expect(barrier.desk.notice()).to_contain_text("Seat is `many`; a node from 0 to")
    seat.fill("0")
    seat.press("Tab")
    barrier.desk.settle()


def test_the_fuzz_suite_runs_from_the_deck(barrier):
    barrier.open_on("calm-flock")
    desk = barrier.desk
    barrier.turn("Fuzz")
    card = barrier.page.locator(".instrument.fuzz")
    hosts = card.locator(".fuzz-hosts input")
    hosts.fill("-5")
    hosts.press("Tab")
    card.get_by_role("button", name=re.compile("^Run")).click()
    expect(card).to_contain_text("Hosts is `-5`; a whole number from 1 to 100,000 is allowed.")
    hosts.fill("500")
    hosts.press("Tab")
    card.get_by_role("button", name=re.compile("^Run")).click()
    expect(card).to_contain_text("all runs made", timeout=30_000)
    expect(card).to_contain_text("240 runs")
    expect(card).to_contain_text("0 broken")
    expect(card.locator("tbody tr")).to_have_count(12)
    hosts.fill("100000")
    hosts.press("Tab")
    desk.until(lambda: desk.cockpit.deck.fuzz.fields["hosts"].value == "100000", "it is typed")
    barrier.head.click()
    barrier.page.keyboard.press("q")
    desk.until(lambda: desk.cockpit.deck.fuzz.running, "it runs")
    desk.until(lambda: desk.cockpit.deck.fuzz.run.made > 1, "runs are made")
    barrier.page.keyboard.press("q")
    expect(card).to_contain_text("Cancelled.", timeout=30_000)
    assert 1 < desk.cockpit.deck.fuzz.run.made < 240


def test_theorems_are_proved_from_the_deck(barrier):
    pytest.importorskip("z3")
    barrier.open_on("calm-flock")
    barrier.turn("Proofs")
    card = barrier.page.locator(".instrument.proofs")
    expect(card).to_contain_text("recorded with z3")
    card.get_by_role("button", name="Prove them here").click()
    expect(card).to_contain_text("proved here by z3", timeout=60_000)
    expect(card).to_contain_text("counterexample")


def test_keys_go_round_and_both_themes_are_drawn(barrier):
    barrier.choose("late-report")
    desk = barrier.desk
    barrier.go(749)
    dark = desk.corners()
    desk.press("d")
    desk.until(lambda: desk.corners() != dark, "the figures are light")
    expect(barrier.page.locator(".slot-alert:visible")).to_have_count(0)
    desk.press("d", "2", "3", "1", "g")
    expect(barrier.page.locator(".tabs [aria-current]")).to_have_text("Flock")
    desk.press("g", "g")
    expect(barrier.page.locator(".tabs [aria-current]")).to_have_text("Barrier")
    desk.press("?")
    expect(barrier.page.locator(".keys")).to_contain_text("provision the flock")
    desk.press("Escape")


def test_nothing_fails_on_this_deck_while_it_plays(barrier):
    barrier.choose("threshold-80-of-90")
    desk = barrier.desk
    desk.press(*"+++++")
    desk.page.keyboard.press(" ")
    desk.until(lambda: desk.tick >= desk.session.scenario.ticks, "the run is played to its end")
    desk.settle()
    expect(desk.page.locator(".slot-alert:visible")).to_have_count(0)
    assert [slot.failure for slot in desk.cockpit.deck._slots() if slot.failure] == []
    barrier.ends("CONVERGE")


def test_a_link_opens_with_every_host_in_sight(barrier):
    barrier.choose("late-report")
    barrier.go(800)
    desk = barrier.desk
    desk.open(f"run={desk.sim.token()}")
    desk.until(lambda: desk.tick == 800 and desk.cockpit.deck.name == "Barrier", "the run is open")
    waffle = desk.cockpit.deck._waffle.instrument
    drawn = ".instrument.waffle .bk-Figure"

    def width():
        return barrier.page.locator(drawn).bounding_box()["width"]

    def inside():
        places = [place for source in waffle.sources.values() for place in source.data.get("x", ())]
        return len(places) >= 60 and max(places) < width()

    desk.until(inside, "all squares have a place on the card")
    barrier.counts("false", 5)

"""Faults given by hand on the page, and what the simulation behind it makes of them."""

import numpy as np
from playwright.sync_api import expect

from flockcore.flock.codes import Health

BEFORE = 5
"""Heartbeat periods until everybody has heard everybody."""


def ready(desk):
    """Go on until everybody knows everybody in reach."""
    desk.leap(BEFORE)
    everyone = set(range(desk.session.scenario.nodes))
    assert set(desk.within(everyone)) == {Health.ALIVE}
    return everyone


def left_part(desk):
    """A third of the nodes or so, at the left of the map: as far as its widest gap there."""
    across = desk.sim.flock.positions[:, 0]
    order = across.argsort(kind="stable")
    least, most = len(order) // 5, len(order) // 2
    gaps = np.diff(across[order])[least - 1 : most]
    return set(order[: least + int(gaps.argmax())].tolist())


def test_a_lasso_cuts_and_silence_spreads_across_the_cut_alone(desk):
    everyone = ready(desk)
    side = left_part(desk)
    rest = everyone - side
    at = desk.tick
    desk.press("l")
    expect(desk.page.get_by_text("Draw round nodes on the map.")).to_be_visible()
    desk.lasso(side)
    expect(desk.notice()).to_contain_text("partition")
    desk.settle()
    assert desk.cuts == [(tuple(sorted(side)),)]

    desk.leap(2)
    assert desk.sides() == 2
    assert set(desk.pairs(side, rest)) == {Health.SUSPECT}
    assert set(desk.within(side) + desk.within(rest)) == {Health.ALIVE}

    desk.leap(4)
    assert desk.tick == at + 60
    assert set(desk.pairs(side, rest)) == {Health.DEAD}
    assert set(desk.within(side) + desk.within(rest)) == {Health.ALIVE}

    desk.page.get_by_role("button", name="Heal").click()
    expect(desk.notice()).to_contain_text("heal")
    desk.settle()
    desk.leap(3)
    assert desk.sides() == 1
    assert set(desk.within(everyone)) == {Health.ALIVE}


def test_undo_takes_a_cut_back(desk):
    everyone = ready(desk)
    desk.press("ArrowRight", "ArrowLeft")
    digest = desk.sim.digest()
    desk.press("p")
    desk.leap(3)
    assert Health.SUSPECT in desk.within(everyone)
    desk.press("u")
    assert desk.sim.digest() == digest
    assert desk.tick == BEFORE * 10
    desk.leap(3)
    assert set(desk.within(everyone)) == {Health.ALIVE}


def test_a_click_selects_a_node_and_crash_crashes_it(desk):
    ready(desk)
    desk.click_node(5)
    desk.until(lambda: desk.cockpit.deck.choice.selected == (5,), "node 5 is selected")
    desk.settle()
    expect(desk.page.locator(".card.node")).to_contain_text("n05")
    desk.page.get_by_role("button", name="Crash", exact=True).click()
    expect(desk.notice()).to_contain_text("crash")
    desk.settle()
    desk.leap(6)
    everyone = set(range(desk.session.scenario.nodes))
    assert set(desk.seen(everyone - {5}, {5})) == {Health.DEAD}
    assert set(desk.within(everyone - {5})) == {Health.ALIVE}


def test_a_fork_runs_beside_the_trunk_and_a_fault_makes_them_differ(desk):
    ready(desk)
    desk.press("f")
    maps = desk.page.locator(".instrument.map .bk-Figure")
    expect(maps).to_have_count(2)
    left, right = (maps.nth(number).bounding_box() for number in (0, 1))
    assert left["x"] + left["width"] <= right["x"] + 1, "side by side"
    assert desk.session.beside.digest() == desk.sim.digest()
    desk.press("p")
    desk.leap(2)
    assert desk.session.beside.tick == desk.tick
    assert desk.session.beside.digest() != desk.sim.digest()
    desk.fresh()
    expect(maps).to_have_count(1)

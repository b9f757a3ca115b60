"""The cockpit as a person meets it: what the page shows, how time moves, keys, themes, sizes."""

import re

import pytest
from playwright.sync_api import expect


def test_the_page_opens_with_title_map_and_tick(desk):
    desk.open()
    assert desk.page.title() == "flockpit"
    expect(desk.page.locator(".brand")).to_have_text("flockpit")
    expect(desk.map).to_be_visible()
    desk.shows_tick(desk.tick)
    assert desk.tick > 0, "the page opens at something worth seeing"
    expect(desk.clock()).to_contain_text("paused")


def test_play_lets_time_pass_and_pause_stops_it(desk):
    desk.page.get_by_role("button", name="Play", exact=True).click()
    desk.until(lambda: desk.tick > 10, "ticks pass")
    expect(desk.clock()).to_contain_text("playing")
    desk.page.get_by_role("button", name="Pause", exact=True).first.click()
    expect(desk.clock()).to_contain_text("paused")
    desk.settle()
    there = desk.tick
    desk.page.wait_for_timeout(300)
    assert desk.tick == there
    desk.shows_tick(there)


def test_a_step_on_and_a_step_back_end_at_the_same_state(desk):
    desk.leap(1)
    first = desk.sim.digest()
    desk.page.get_by_role("button", name="Step", exact=True).click()
    desk.until(lambda: desk.tick == 11, "one tick on")
    desk.shows_tick(11)
    assert desk.sim.digest() != first
    desk.page.get_by_role("button", name="Step back").click()
    desk.until(lambda: desk.tick == 10, "one tick back")
    desk.shows_tick(10)
    assert desk.sim.digest() == first


def test_dragging_the_timeline_moves_through_what_is_recorded(desk):
    seconds = desk.session.scenario.tick_us / 1e6
    for path in ((11, 200, 400), (400, 350, 300)):
        desk.drag(desk.timeline, [(tick * seconds, 70) for tick in path])
        desk.until(lambda goal=path[-1]: abs(desk.tick - goal) <= 3, "the drag ended here")
        desk.settle()
        desk.shows_tick(desk.tick)
    assert desk.sim.recorded_until >= 397


def test_the_keys_do_what_their_sheet_says(desk):
    desk.page.keyboard.press(" ")
    desk.until(lambda: desk.tick > 0, "space plays")
    desk.page.keyboard.press(" ")
    desk.until(lambda: not desk.session.playback.playing, "space pauses")
    desk.settle()
    there = desk.tick
    desk.press("ArrowRight", "ArrowRight", "ArrowLeft")
    assert desk.tick == there + 1
    desk.press("p", "ArrowRight")
    expect(desk.notice()).to_contain_text("partition")
    assert desk.sides() == 2
    desk.press("h", "ArrowRight")
    assert desk.sides() == 1
    desk.press("f")
    assert desk.session.beside is not None
    expect(desk.page.locator(".instrument.map .bk-Figure")).to_have_count(2)
    desk.press("?")
    sheet = desk.page.locator(".keys")
    expect(sheet).to_be_visible()
    expect(sheet).to_contain_text("play or pause")
    desk.press("Escape")
    expect(sheet).to_be_hidden()


def test_the_other_theme_changes_page_and_figures_and_back(desk):
    def bright(rgb):
        return sum(rgb) / len(rgb) > 128

    def shown():
        colour = desk.page.evaluate("getComputedStyle(document.body).backgroundColor")
        page = [int(part) for part in re.findall(r"\d+", colour)[:3]]
        return {bright(rgb) for rgb in (page, *desk.corners())}

    before = desk.cockpit.theme
    for light in ({"dark": True, "light": False}[before], before == "light"):
        desk.press("d")
        desk.until(lambda light=light: shown() == {light}, "page and figures have the theme")
        assert desk.cockpit.theme == ("light" if light else "dark")


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (1920, 1080)])
def test_nothing_is_wider_than_the_page(desk, width, height):
    desk.page.set_viewport_size({"width": width, "height": height})
    desk.page.wait_for_timeout(500)
    desk.settle()
    needed = desk.page.evaluate("document.documentElement.scrollWidth")
    spilled = desk.page.evaluate(SPILLED)
    desk.page.set_viewport_size({"width": 1280, "height": 800})
    assert needed <= width
    assert spilled == []


SPILLED = """
() => {
    const spilled = []
    const walk = (root) => {
        for (const element of root.querySelectorAll("*")) {
            const box = element.getBoundingClientRect()
            // Bokeh keeps what it draws over a figure apart, in a layer that clips it.
            if (element.classList.contains("bk-BoxAnnotation")) continue
            const shown = box.width > 0 && box.height > 0 && element.checkVisibility()
            if (shown && (box.right > innerWidth + 1 || box.left < -1)) {
                spilled.push(`${element.tagName}.${element.className}`)
            }
            if (element.shadowRoot) walk(element.shadowRoot)
        }
    }
    walk(document)
    return spilled
}
"""

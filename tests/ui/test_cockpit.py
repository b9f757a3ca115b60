"""The cockpit as a person meets it: what the page shows, how time moves, keys, themes, sizes."""

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

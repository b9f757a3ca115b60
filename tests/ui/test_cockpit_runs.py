"""What can be opened: presets, files, links; whatever is wrong with them, a run goes on."""

import re
import subprocess
import sys
from contextlib import contextmanager

import pytest
from playwright.sync_api import expect

from flockcore.scenario import Scenario
from ui.conftest import free_port, wait_until_it_answers

BIG = 'name = "five-hundred"\ntitle = "Five hundred"\nnodes = 500\nticks = 2000\n'


@pytest.mark.parametrize("name", Scenario.names())
def test_every_preset_of_the_menu_opens(desk, name):
    desk.fresh(name)
    desk.leap(1)
    desk.shows_tick(10)
    expect(desk.map).to_be_visible()


def test_a_link_reopens_the_same_state_and_says_identical(desk):
    desk.leap(2)
    desk.press("p")
    desk.leap(3)
    digest, tick = desk.sim.digest(), desk.tick
    desk.page.get_by_role("button", name="Share").click()
    expect(desk.notice()).to_contain_text("copied")
    link = desk.page.evaluate("navigator.clipboard.readText()")
    assert "?run=" in link
    desk.open(link.partition("?")[2])
    desk.until(lambda: desk.session.checked is not None, "the link is checked", 60)
    desk.settle()
    assert desk.session.checked == "identical"
    assert (desk.tick, desk.sim.digest()) == (tick, digest)
    desk.shows_tick(tick)
    expect(desk.notice()).to_contain_text("identical")
    expect(desk.page.locator(".digest")).to_contain_text("identical")


def test_a_truncated_link_gives_a_message_and_a_page_that_works(desk):
    token = desk.session.token()
    desk.open(f"run={token[: len(token) // 2]}")
    expect(desk.notice()).to_be_visible()
    expect(desk.notice()).to_contain_text(re.compile("token|link", re.IGNORECASE))
    expect(desk.map).to_be_visible()
    there = desk.tick
    desk.press("ArrowRight")
    assert desk.tick == there + 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nodes = 48\nbananas = 3\n", "bananas"),
        ("nodes = [48\n", "TOML"),
        ("nodes = 48\nk = 16\n", "15"),
        ("nodes = 0\n", "nodes"),
        ("nodes = 1_000_000_000\n", "nodes"),
        ("[loss]\nprobability = nan\n", "loss"),
    ],
    ids=["unknown key", "no TOML", "k too big", "empty flock", "too many nodes", "NaN"],
)
def test_a_broken_file_gives_a_message_and_the_run_goes_on(desk, text, said):
    desk.leap(1)
    before = desk.sim
    desk.open_file("broken.toml", text)
    expect(desk.notice()).to_contain_text("broken.toml")
    expect(desk.notice()).to_contain_text(said)
    desk.settle()
    assert desk.sim is before
    expect(desk.map).to_be_visible()
    desk.press("ArrowRight")
    desk.shows_tick(11)


@pytest.mark.parametrize(
    ("query", "said"),
    [("scenario=nonsense", "nonsense"), ("seed=-1", "-1"), ("run=nonsense", "share token")],
)
def test_a_nonsensical_address_gives_a_message_and_a_page_that_works(desk, query, said):
    desk.open(query)
    expect(desk.notice()).to_contain_text(said)
    expect(desk.map).to_be_visible()
    there = desk.tick
    desk.press("ArrowRight")
    desk.shows_tick(there + 1)


def test_a_served_file_that_is_broken_later_gives_a_message_and_a_page_that_works(page, tmp_path):
    # One that is broken from the start is refused by the command itself.
    file = tmp_path / "mine.toml"
    file.write_text("nodes = 48\n")
    with served_by_command(file, tmp_path / "log") as url:
        file.write_text("nodes = 48\nbananas = 3\n")
        page.goto(url)
        notice = page.locator(".notice")
        expect(notice).to_contain_text("mine.toml", timeout=60_000)
        expect(notice).to_contain_text("bananas")
        expect(page.locator(".instrument.map .bk-Figure")).to_be_visible()
        page.keyboard.press("Home")
        expect(page.locator(".clock")).to_contain_text("tick 0")


@contextmanager
def served_by_command(file, log):
    """Serve a scenario file as a person does on the command line; yields the page's address."""
    port = free_port()
    command = [sys.executable, "-m", "flockpit.cli", "serve", str(file), "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            url = f"http://localhost:{port}/"
            wait_until_it_answers(url, process, log)
            yield url
        finally:
            process.terminate()
            process.wait(10)


def test_five_hundred_nodes_play_and_the_rate_is_shown(desk, capsys):
    desk.page.set_viewport_size({"width": 1920, "height": 1080})
    desk.open_file("five-hundred.toml", BIG)
    desk.until(lambda: desk.session.scenario.nodes == 500, "the file is open")
    desk.settle()
    rates = []
    desk.page.keyboard.press(" ")
    desk.until(lambda: desk.tick > 20, "ticks pass")
    for _ in range(24):
        desk.page.wait_for_timeout(250)
        shown = re.search(r"([\d.]+) frames/s", desk.page.locator(".rate span").inner_text())
        if shown:
            rates.append(float(shown[1]))
    desk.page.keyboard.press(" ")
    desk.until(lambda: not desk.session.playback.playing, "space pauses")
    desk.page.set_viewport_size({"width": 1280, "height": 800})
    desk.settle()
    assert rates
    assert max(rates) > 0
    median = sorted(rates)[len(rates) // 2]
    with capsys.disabled():
        print(f"\n500 nodes: {median:.0f} acknowledged frames/s (best {max(rates):.0f})")

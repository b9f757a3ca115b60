"""A cockpit within a page of somebody else's: `flockpit.cockpit()` in an app that is served."""

import re

import pytest
from playwright.sync_api import expect

APP = """
import panel as pn

import flockpit

pn.Row(flockpit.cockpit("calm-flock", seed=4)).servable()
"""


@pytest.fixture(scope="module")
def embedding(serve, tmp_path_factory):
    path = tmp_path_factory.mktemp("app") / "embedding.py"
    path.write_text(APP)
    return serve(path)


def test_an_embedded_cockpit_has_its_looks_plays_and_hears_keys(page, embedding):
    page.goto(embedding)
    clock = page.locator(".clock")
    expect(clock).to_contain_text("paused", timeout=60_000)
    expect(page.locator(".flockpit")).to_have_css("display", "block")
    expect(page.locator(".instrument.map .bk-Figure")).to_be_visible()
    before = clock.inner_text()

    page.get_by_role("button", name="Play", exact=True).click()
    expect(clock).to_contain_text("playing")
    expect(page.locator(".rate span")).to_have_text(re.compile(r"[1-9]\d* frames/s"))
    assert clock.inner_text() != before

    page.locator(".instrument.map").hover()
    page.keyboard.press(" ")
    expect(clock).to_contain_text("paused")
    page.keyboard.press("p")
    expect(page.locator(".notice")).to_contain_text("partition")

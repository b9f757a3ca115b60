"""The Barrier deck in the static site: one run to CONVERGE, another to FAILED, and a campaign."""

import re

import pytest
from playwright.sync_api import expect

from flockcore.scenario import Scenario
from ui.conftest import collect
from ui.sitedesk import BOOT_MS, STEP_MS, Visitor
from ui.test_site import shelf, site_folder  # noqa: F401 - fixtures

RECORDED_S = 120


@pytest.fixture(scope="module")
def visit(browser, browser_context_args, shelf):  # noqa: F811 - the fixture
    """One page for all tests of this file."""
    context = browser.new_context(**browser_context_args, service_workers="block")
    complaints = []
    collect(context, complaints)
    visitor = Visitor(context.new_page(), shelf.url)
    visitor.open()
    same = visitor.page.locator("#same")
    expect(same).to_contain_text("identical to native", timeout=BOOT_MS)
    yield visitor, complaints
    context.close()


@pytest.fixture
def visitor(visit):
    """The shared page; it must not complain."""
    visitor, complaints = visit
    complaints.clear()
    yield visitor
    assert complaints == []


def to_the_end(visitor, name):
    """Open a preset, and go to its end once it is recorded."""
    visitor.choose(name)
    expect(visitor.page.locator(".waffle-head")).to_be_visible(timeout=STEP_MS)
    ticks = Scenario.load(name).ticks

    def there():
        visitor.page.keyboard.press("End")
        visitor.page.wait_for_timeout(500)
        return visitor.tick >= ticks

    visitor.until(there, f"{name} is recorded", seconds=RECORDED_S)


@pytest.mark.parametrize(
    ("name", "phase"), [("strict-all-straggler", "CONVERGE"), ("mass-failure", "FAILED")]
)
def test_a_scenario_ends_as_foretold(visitor, name, phase):
    to_the_end(visitor, name)
    page = visitor.page
    expect(page.locator(".waffle-head")).to_contain_text(phase, timeout=STEP_MS)
    expect(page.locator(".instrument.outcome")).to_contain_text("identical", timeout=STEP_MS)
    expect(page.locator(".checks li", has_text="Terminated")).to_contain_text(
        f"{phase[0]} at point", timeout=STEP_MS
    )
    expect(page.locator(".slot-alert:visible")).to_have_count(0)


def run_a_campaign(visitor):
    """Open the Barrier deck, and let the fuzz suite run to its end."""
    page = visitor.page
    visitor.choose("late-report")
    expect(page.locator(".waffle-head")).to_be_visible(timeout=STEP_MS)
    page.keyboard.press("q")
    card = page.locator(".instrument.fuzz")
    expect(card).to_contain_text("all runs made", timeout=2 * STEP_MS)
    expect(card).to_contain_text("0 broken")


def test_a_campaign_runs_and_theorems_are_recorded_ones(visitor):
    page = visitor.page
    run_a_campaign(visitor)
    page.keyboard.press("3")
    proofs = page.locator(".instrument.proofs")
    expect(proofs).to_contain_text(re.compile("recorded with z3"), timeout=STEP_MS)
    expect(proofs.get_by_role("button", name="Prove them here")).to_have_count(0)


def test_a_campaign_after_a_start_from_memory_links_the_generators_that_it_draws_from(page, shelf):  # noqa: F811
    visitor = Visitor(page, shelf.url)
    visitor.open()
    page.wait_for_selector("html[data-memory=kept]", state="attached", timeout=BOOT_MS)
    visitor.open()
    run_a_campaign(visitor)

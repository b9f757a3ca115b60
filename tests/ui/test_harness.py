"""The browser fixtures themselves: a fault in them would let a broken page pass."""

import pytest
from playwright.sync_api import expect

APP = """
import panel as pn

button = pn.widgets.Button(name="press")
label = pn.pane.Str("idle")
button.on_click(lambda event: setattr(label, "object", "pressed"))
pn.Column(button, label).servable()
"""


@pytest.fixture(scope="module")
def small_app(serve, tmp_path_factory):
    path = tmp_path_factory.mktemp("app") / "small.py"
    path.write_text(APP)
    return serve(path)


def test_a_press_reaches_python_and_comes_back(page, small_app):
    page.goto(small_app)
    page.get_by_role("button", name="press").click()
    expect(page.get_by_text("pressed")).to_be_visible()


@pytest.mark.expects_console_errors
def test_each_kind_of_complaint_is_collected(page, small_app, console_errors):
    page.goto(small_app)
    page.evaluate("console.error('a word of complaint')")
    page.evaluate("setTimeout(() => { throw new Error('thrown') })")
    page.evaluate("fetch('/nowhere')")
    page.evaluate("fetch('http://another.invalid/').catch(() => null)")
    page.wait_for_timeout(500)
    collected = "\n".join(console_errors)
    for sign in ("a word of complaint", "thrown", "status 404", "asks another machine"):
        assert sign in collected


def test_a_quiet_page_has_no_complaints(page, small_app, console_errors):
    page.goto(small_app)
    expect(page.get_by_text("idle")).to_be_visible()
    assert console_errors == []

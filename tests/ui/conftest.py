"""Browser fixtures: a served app on a free port, Chromium, and what the page complained of.

``serve(app)`` starts an app and returns its address; ``cockpit_url`` is the cockpit, served once
for all tests. A test that takes ``page`` fails when the page logs an error, raises, misses a file
or asks another machine for anything, unless it is marked ``expects_console_errors`` and looks at
the list ``console_errors`` itself.
"""

import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from socket import socket
from urllib.parse import urlsplit

import pytest

from ui.desk import Desk, served_here
from ui.find_chromium import find

ROOT = Path(__file__).parents[2]
APP = ROOT / "cockpit" / "flockpit" / "app.py"
LAUNCH = (
    "--no-sandbox",  # Chromium refuses to start as root with it
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
)
LOCAL = {"localhost", "127.0.0.1", "::1"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Mark whatever takes a browser, so that no test can forget it."""
    for item in items:
        if "browser" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.ui)
            item.add_marker(pytest.mark.slow)


# ---------------------------------------------------------------- the browser


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """Launch the Chromium that was found, with nothing of its own on the network."""
    found = find()
    assert found, "no Chromium: run `make browser`"
    return browser_type_launch_args | {"executable_path": found.path, "args": list(LAUNCH)}


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args):
    """The smaller of the two sizes that the cockpit is designed for."""
    return browser_context_args | {"viewport": {"width": 1280, "height": 800}}


# ---------------------------------------------------------------- complaints


def collect(context, complaints):
    """Append to ``complaints`` whatever goes wrong in any page of a browser context."""

    def on_request(request):
        address = urlsplit(request.url)
        if address.scheme.startswith(("http", "ws")) and address.hostname not in LOCAL:
            complaints.append(f"asks another machine: {request.url}")

    def on_failure(request):
        # A page that is left behind aborts what it was still loading: that is no fault.
        if request.failure != "net::ERR_ABORTED":
            complaints.append(f"{request.failure}: {request.url}")

    def on_response(response):
        if response.status >= 400:
            complaints.append(f"status {response.status}: {response.url}")

    def on_console(message):
        # Bokeh only warns when it is made to take down what it has taken down before.
        if message.type == "error" or (message.type == "warning" and "[bokeh" in message.text):
            complaints.append(f"console: {message.text}")

    context.on("request", on_request)
    context.on("requestfailed", on_failure)
    context.on("response", on_response)
    context.on("console", on_console)
    context.on("weberror", lambda error: complaints.append(f"raised: {error.error}"))


@pytest.fixture
def console_errors(context):
    """What the pages of this test have complained of so far, one line each."""
    complaints = []
    collect(context, complaints)
    return complaints


@pytest.fixture(autouse=True)
def _no_console_errors(request):
    if "page" not in request.fixturenames:
        yield
        return
    complaints = request.getfixturevalue("console_errors")
    yield
    if request.node.get_closest_marker("expects_console_errors") is None:
        assert complaints == []


# ---------------------------------------------------------------- the server


def free_port():
    """Return a port of this machine that nothing listens on."""
    with closing(socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url):
    """Say whether the address serves a page."""
    try:
        with urllib.request.urlopen(url, timeout=30) as response:
            return response.status == 200
    except (urllib.error.URLError, OSError):
        return False


def wait_until_it_answers(url, process, log, seconds=90):
    """Return once the page is served; fail with the end of the server's log."""
    for _ in range(seconds * 5):
        if answers(url):
            return
        if process.poll() is not None:
            break
        time.sleep(0.2)
    pytest.fail(f"{url} was never served; the server said:\n{log.read_text()[-4000:]}")


@contextmanager
def served(app, log, environment=None):
    """Serve one Panel app in a process of its own; yields its address."""
    port = free_port()
    url = f"http://localhost:{port}/{app.stem}"
    command = [sys.executable, "-m", "panel", "serve", str(app), "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            wait_until_it_answers(url, process, log)
            yield url
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="session")
def serve(tmp_path_factory):
    """Return a function that serves an app (a path, and an environment if need be)."""
    with ExitStack() as stack:

        def start(app, environment=None):
            log = tmp_path_factory.mktemp("served") / f"{app.stem}.log"
            return stack.enter_context(served(app, log, environment))

        yield start


@pytest.fixture(scope="session")
def cockpit_url(serve):
    """The address of the cockpit, served as ``panel serve cockpit/flockpit/app.py``."""
    return serve(APP)


# ---------------------------------------------------------------- the cockpit, from both sides


@pytest.fixture(scope="session")
def cockpit_here():
    """The cockpit served by a thread of this process: its address, and the cockpits it made."""
    with served_here(APP, free_port()) as (url, made):
        yield url, made


@pytest.fixture(scope="session")
def desk_of_all(browser, browser_context_args, cockpit_here):
    """One page for all tests that can share it: opening one takes seconds."""
    context = browser.new_context(**browser_context_args)
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    complaints = []
    collect(context, complaints)
    desk = Desk(context.new_page(), *cockpit_here)
    desk.open()
    yield desk, complaints
    desk.leave()
    context.close()


@pytest.fixture
def desk(desk_of_all):
    """The shared page, from the first tick of the preset split-brain; it must not complain."""
    desk, complaints = desk_of_all
    complaints.clear()
    try:
        desk.fresh()
    except Exception:
        # Whatever the test before left behind, this one begins on a page that works.
        desk.open()
        desk.fresh()
    yield desk
    assert complaints == []

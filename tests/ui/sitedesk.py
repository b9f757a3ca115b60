"""The built site on a plain static server, and a person at it, who sees only the page."""

import re
import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from playwright.sync_api import expect

from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from ui.desk import _TO_PAGE, ring_round, words_of

PLACE = "class/flockpit"
"""The site is served below the server's root, as on GitHub Pages."""
BOOT_MS = 120_000
STEP_MS = 30_000


class Shelf:
    """A static server, which can be made to lose or damage files.

    Attributes:
        url: of the site.
        lost: paths below the site that are answered by 404.
        damaged: paths whose middle byte is another.
        asked: paths below the server's root that were asked for.
        down: no request is answered any more.
        held: paths that are answered only once they are let go.
    """

    def __init__(self, root):
        shelf = self
        self.lost = set()
        self.damaged = set()
        self.asked = []
        self.down = False
        self.held = set()
        self._let_go = threading.Condition()

        class Handler(SimpleHTTPRequestHandler):
            def log_message(self, *_):
                pass

            def do_GET(self):
                path = self.path.partition("?")[0].removeprefix(f"/{PLACE}/")
                shelf.asked.append(path)
                with shelf._let_go:
                    shelf._let_go.wait_for(lambda: path not in shelf.held, BOOT_MS / 1e3)
                if shelf.down:
                    self.close_connection = True
                elif path in shelf.lost:
                    self.send_error(404)
                elif path in shelf.damaged:
                    self._send_damaged(path)
                else:
                    super().do_GET()

            def _send_damaged(self, path):
                data = bytearray((root / PLACE / path).read_bytes())
                data[len(data) // 2] ^= 1
                self.send_response(200)
                self.send_header("Content-Type", self.guess_type(path))
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(root)))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://localhost:{self._server.server_port}/{PLACE}/"

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    @contextmanager
    def without(self, *, lost=(), damaged=()):
        """Lose or damage files for a while."""
        self.lost, self.damaged = set(lost), set(damaged)
        try:
            yield
        finally:
            self.lost, self.damaged = set(), set()

    @contextmanager
    def holding(self, *paths):
        """Answer requests for some files only afterwards."""
        self.held = set(paths)
        try:
            yield
        finally:
            with self._let_go:
                self.held = set()
                self._let_go.notify_all()


def stocked(site, root):
    """Put a built site where `Shelf` serves it from."""
    shutil.copytree(site, root / PLACE)
    return root


class Visitor:
    """A page of the site.

    Args:
        page: of the browser.
        url: of the site.
    """

    def __init__(self, page, url):
        self.page = page
        self.url = url

    def open(self, query=""):
        """Load the page, and wait until the cockpit runs in it."""
        self.page.goto(f"{self.url}?{query}" if query else self.url)
        self.live()

    def live(self):
        """Wait until the cockpit is there, and what it shows stands still."""
        self.page.wait_for_selector("html.ready.live", state="attached", timeout=BOOT_MS)
        expect(self.clock).to_contain_text("tick", timeout=STEP_MS)

    # ------------------------------------------------------------------ what the page shows

    @property
    def clock(self):
        return self.page.locator(".clock")

    @property
    def notice(self):
        return self.page.locator(".notice")

    @property
    def map(self):
        return self.page.locator(".instrument.map .bk-Figure").first

    @property
    def timeline(self):
        return self.page.locator(".timeline .bk-Figure")

    @property
    def tick(self):
        return int(re.search(r"tick ([\d,]+)", self.clock.inner_text())[1].replace(",", ""))

    def at_tick(self, tick):
        """Expect a tick to be shown."""
        expect(self.clock).to_contain_text(re.compile(rf"tick {tick:,}(?!\d)"), timeout=STEP_MS)

    def pairs(self, state):
        """Return the number of pairs in which one holds the other SUSPECT or DEAD."""
        # What is in shadow trees is in this text, too.
        said = self.page.locator(".instrument.heartbeats").first.aria_snapshot()
        found = re.search(rf"([\d,]+)\s*{state}", said)
        return int(found[1].replace(",", "")) if found else None

    def until(self, condition, what, seconds=30):
        """Wait for something to come true on the page."""
        for _ in range(seconds * 20):
            if condition():
                return
            self.page.wait_for_timeout(50)
        raise AssertionError(f"{what}: not after {seconds} s")

    # ------------------------------------------------------------------ what a person does

    def choose(self, name):
        """Choose a preset, and go to its first tick."""
        self.page.locator(".scenario select").select_option(label=words_of(name))
        self.at_tick(0)

    def leap(self, periods):
        """Go some heartbeat periods on."""
        goal = self.tick + 10 * periods
        for _ in range(periods):
            self.page.keyboard.press("Shift+ArrowRight")
        self.at_tick(goal)

    def drag(self, figure, places):
        """Draw a line through places of a figure's plane."""
        first, *rest = [figure.evaluate(_TO_PAGE, list(map(float, place))) for place in places]
        mouse = self.page.mouse
        mouse.move(*first)
        mouse.down()
        for place in rest:
            mouse.move(*place, steps=4)
        mouse.up()

    def click_node(self, places, node):
        """Click a node on the map."""
        self.page.mouse.click(*self.map.evaluate(_TO_PAGE, places[node].tolist()))


def seats(name):
    """Return where the nodes of a preset sit, and a part of them at the left of the map."""
    places = Simulation(Scenario.load(name)).flock.positions.astype(float)
    order = places[:, 0].argsort(kind="stable")
    least, most = len(order) // 5, len(order) // 2
    gaps = np.diff(places[order, 0])[least - 1 : most]
    side = sorted(order[: least + int(gaps.argmax())].tolist())
    return places, side, ring_round(places, side)

"""A person at the cockpit: what they press, draw and read, and the run behind the page.

The cockpit is served by a thread of the test's own process, so that a test presses real keys in a
real browser and then asks the very simulation that the page shows.
"""

import time
from contextlib import contextmanager

import numpy as np
import panel as pn
from playwright.sync_api import expect

import flockpit.page
from flockcore.kernel.faults import Partition
from flockcore.scenario import Scenario

_TO_PAGE = """
(element, [x, y]) => {
    const [view] = Bokeh.index.query((view) => view.el === element)
    const box = element.getBoundingClientRect()
    const {x_scale, y_scale} = view.frame
    return [box.left + x_scale.compute(x), box.top + y_scale.compute(y)]
}
"""
_CORNERS = """
() => [...Bokeh.index.query((view) => view.model.type === "Figure")].map((view) => {
    const canvas = view.canvas.primary
    const [red, green, blue] = canvas.ctx.getImageData(2, 2, 1, 1).data
    return [red, green, blue]
})
"""


@contextmanager
def served_here(app, port):
    """Serve the cockpit by a thread of this process.

    Args:
        app: the app's file.
        port: to listen on.

    Yields:
        The address of the page, and a list of all cockpits made so far, the latest last.
    """
    made = []
    original = flockpit.page.Cockpit

    class Watched(original):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            made.append(self)

    flockpit.page.Cockpit = Watched
    origins = [f"localhost:{port}"]
    thread = pn.serve(
        {app.stem: app},
        port=port,
        address="localhost",
        websocket_origin=origins,
        threaded=True,
        show=False,
        verbose=False,
    )
    try:
        yield f"http://localhost:{port}/{app.stem}", made
    finally:
        for cockpit in made:
            cockpit.stop()
        thread.stop()
        flockpit.page.Cockpit = original


class Desk:
    """One page of the cockpit, and what is behind it.

    Args:
        page: of the browser.
        url: of the cockpit.
        made: all cockpits of the server, as `served_here` yields them.

    Attributes:
        cockpit: what the server holds for this page.
    """

    def __init__(self, page, url, made):
        self.page = page
        self.url = url
        self.cockpit = None
        self._made = made

    # ------------------------------------------------------------------ what is behind

    @property
    def session(self):
        return self.cockpit.session

    @property
    def sim(self):
        return self.session.sim

    @property
    def tick(self):
        return self.session.tick

    @property
    def cuts(self):
        """The sides of each partition that holds at the next tick."""
        spans = self.sim.script.holding(self.tick + 1)
        return [span.fault.groups for span in spans if isinstance(span.fault, Partition)]

    def until(self, condition, what, seconds=30):
        """Wait for something to come true behind the page."""
        limit = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < limit, f"{what}: not after {seconds} s; {self.state()}"
            self.page.wait_for_timeout(20)

    def state(self):
        """Say in a line what a failed test wants to know."""
        notice, failure = self.session.notice, self.session.failure
        return f"tick {self.tick}, notice {notice and notice.text!r}, failure {failure!r}"

    def leave(self):
        """Leave the page, and wait until the server knows: one that stops before would complain."""
        self.page.goto("about:blank")
        context = self.cockpit._doc.session_context
        self.until(lambda: not context.session.connection_count, "the page is gone")

    def settle(self):
        """Wait until nothing is left to run, but for the future that is recorded when idle."""
        session, link = self.session, self.cockpit.link.model

        def still():
            idle = not session.busy or session.exploring
            return idle and self.cockpit.pacer._seen == session.version

        self.until(still, "the run stands still")
        self.until(lambda: link.painted >= link.frame, "the last frame is painted")
        assert session.failure is None, session.failure.trace

    def seen(self, watchers, peers):
        """Health of some nodes in the eyes of others, one entry for each pair in reach."""
        flock = self.sim.flock
        found = []
        for watcher, slot in np.argwhere(flock.peer >= 0).tolist():
            if watcher in watchers and int(flock.peer[watcher, slot]) in peers:
                found.append(int(flock.heartbeat.health[watcher, slot]))
        return found

    def pairs(self, one, other):
        """Health across two sides, in both directions."""
        return self.seen(one, other) + self.seen(other, one)

    def within(self, side):
        """Health of a side's nodes in each other's eyes."""
        return self.seen(side, side)

    def sides(self):
        """Return how many parts of the flock cannot reach each other."""
        return len(set(self.sim.flock.sides().tolist()))

    # ------------------------------------------------------------------ the page

    def open(self, query=""):
        """Load the page, and wait until it has greeted."""
        known = len(self._made)
        self.page.goto(f"{self.url}?{query}" if query else self.url)
        self.page.wait_for_selector("html.ready", state="attached", timeout=90_000)
        assert len(self._made) == known + 1
        self.cockpit = self._made[-1]
        self.until(lambda: self.cockpit.link.model.heard > 0, "the page has greeted")
        self.settle()

    def fresh(self, name="split-brain"):
        """Show a preset from its first tick on, with nothing injected and nothing open."""
        if self.session.scenario.name != name:
            self.choose(name)
        self.press("Shift+R")
        self.press("Escape")
        assert self.tick == 0
        assert self.session.scenario.name == name

    def choose(self, name):
        """Choose a preset in the menu of scenarios."""
        self.page.locator(".scenario select").select_option(label=words_of(name))
        self.until(lambda: self.session.scenario.name == name, f"{name} is open")
        self.settle()

    def press(self, *keys):
        """Press keys one after the other, and wait for what comes of each."""
        for key in keys:
            heard = self.cockpit.link.model.heard
            self.page.keyboard.press(key)
            self.until(lambda past=heard: self.cockpit.link.model.heard > past, f"{key} is heard")
            self.settle()

    def leap(self, periods):
        """Go some heartbeat periods on, as fast as the keys can be pressed."""
        goal = self.tick + periods * self.session.scenario.period_ticks
        for _ in range(periods):
            self.page.keyboard.press("Shift+ArrowRight")
        self.until(lambda: self.tick == goal, f"tick {goal} is reached")
        self.settle()

    def open_file(self, name, text):
        """Open a scenario file by the menu."""
        with self.page.expect_file_chooser() as chooser:
            self.page.locator("summary[aria-label=More]").click()
            self.page.get_by_role("button", name="Open a scenario file").click()
        chooser.value.set_files({"name": name, "mimeType": "text/plain", "buffer": text.encode()})

    @property
    def map(self):
        """The figure of the first map, of nodes, of flows or of hosts."""
        kinds = ("map", "flows", "waffle")
        figures = ", ".join(f".instrument.{kind} .bk-Figure" for kind in kinds)
        return self.page.locator(figures).first

    @property
    def timeline(self):
        """The figure at the foot."""
        return self.page.locator(".timeline .bk-Figure")

    def notice(self):
        """The sentence that is shown to the person."""
        return self.page.locator(".notice")

    def clock(self):
        """The place that shows time, tick, and whether the run plays."""
        return self.page.locator(".clock")

    def shows_tick(self, tick):
        """Expect the page to show a tick."""
        expect(self.clock()).to_contain_text(f"tick {tick}")

    def corners(self):
        """The colour in a corner of every figure: red, green, blue."""
        return self.page.evaluate(_CORNERS)

    # ------------------------------------------------------------------ the pointer

    def at(self, figure, x, y):
        """Return where a place of a figure's plane lies on the page, in pixels."""
        return figure.evaluate(_TO_PAGE, [float(x), float(y)])

    def drag(self, figure, places):
        """Draw a line through places of a figure's plane."""
        first, *rest = [self.at(figure, *place) for place in places]
        mouse = self.page.mouse
        mouse.move(*first)
        mouse.down()
        for place in rest:
            mouse.move(*place, steps=4)
        mouse.up()

    def lasso(self, nodes):
        """Draw round some nodes on the map, by the way through the middle of the gaps."""
        places = self.sim.flock.positions
        self.drag(self.map, ring_round(places, sorted(nodes)))

    def click_node(self, node):
        """Click a node on the map."""
        self.page.mouse.click(*self.at(self.map, *self.sim.flock.positions[node]))


def words_of(name):
    """Return a preset's name as the menu shows it."""
    assert name in Scenario.names()
    return name.replace("-", " ").capitalize()


def ring_round(places, nodes):
    """Return a convex polygon that holds exactly these nodes.

    Args:
        places: of all nodes, shape (N, 2).
        nodes: to be enclosed; a straight line parts them from the others.
    """
    chosen = places[nodes].astype(float)
    others = np.delete(places, nodes, axis=0).astype(float)
    hull = convex_hull(chosen)
    away = hull - chosen.mean(axis=0)
    away /= np.sqrt((away**2).sum(axis=1, keepdims=True))
    gap = np.sqrt(((chosen[:, None] - others[None]) ** 2).sum(axis=2)).min()
    ring = hull + away * gap
    while any(_holds(ring, other) for other in others):
        gap /= 2
        ring = hull + away * gap
    return [tuple(place) for place in (*ring, ring[0])]


def _holds(ring, place):
    after = np.roll(ring, -1, axis=0)
    return all(_turn(a, b, place) > 0 for a, b in zip(ring, after, strict=True))


def convex_hull(points):
    """Return the corners of the convex hull, in order (Andrew's monotone chain)."""
    ordered = sorted(map(tuple, points))

    def chain(path):
        corners = []
        for point in path:
            while len(corners) > 1 and _turn(corners[-2], corners[-1], point) <= 0:
                corners.pop()
            corners.append(point)
        return corners[:-1]

    return np.array(chain(ordered) + chain(ordered[::-1]))


def _turn(a, b, c):
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


class OneDeck:
    """The desk with what only one deck has.

    Attributes:
        name: of the deck, on its tab.
        desk: the desk.
        page: of the browser.
    """

    name = ""

    def __init__(self, desk):
        self.desk = desk
        self.page = desk.page

    def choose(self, name):
        """Open a preset that this deck is for."""
        self.desk.choose(name)
        self.desk.until(lambda: self.desk.cockpit.deck.name == self.name, "the deck is open")

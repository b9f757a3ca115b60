"""The static site in a real browser: no server but one for files, no other machine, no errors."""

import json
import re
from hashlib import sha256
from typing import get_args
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import expect

from documents import assert_alike
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockpit.app import FIRST, first_tick
from flockpit.look.tokens import Theme
from flockpit.session import Session
from flockwasm.bundle import BUNDLE, PACKED
from flockwasm.inside.parity import CAMPAIGN, recorded
from flockwasm.parity import TOLERANCE, compare
from flockwasm.runtime import NUMPY
from flockwasm.site import IMPORTS, build
from ui.conftest import collect
from ui.desk import words_of
from ui.sitedesk import BOOT_MS, STEP_MS, Shelf, Visitor, seats, stocked

CALM = "calm-flock"
GATED = "late-report"


@pytest.fixture(scope="session")
def site_folder(tmp_path_factory):
    """The site, built once."""
    folder = tmp_path_factory.mktemp("site") / "site"
    build(folder, quiet=True)
    return folder


@pytest.fixture(scope="session")
def shelf(site_folder, tmp_path_factory):
    """The site on a plain server, below its root."""
    served = Shelf(stocked(site_folder, tmp_path_factory.mktemp("served")))
    yield served
    served.close()


@pytest.fixture(scope="module")
def visit(browser, browser_context_args, shelf):
    """One page for all tests that can share it: Python comes up but once."""
    context = browser.new_context(**browser_context_args, service_workers="block")
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    complaints = []
    collect(context, complaints)
    visitor = Visitor(context.new_page(), shelf.url)
    visitor.open()
    yield visitor, complaints
    context.close()


@pytest.fixture
def visitor(visit):
    """The shared page; it must not complain."""
    visitor, complaints = visit
    complaints.clear()
    yield visitor
    assert complaints == []


@pytest.fixture
def flock(visitor):
    """The shared page, at the first tick of a flock in which nothing happens by itself."""
    visitor.page.keyboard.press("Escape")
    visitor.choose("equivocator")
    visitor.choose(CALM)
    return visitor


# ---------------------------------------------------------------- the cockpit


def test_the_cockpit_comes_up_as_recorded_natively(visitor):
    assert visitor.page.title() == "flockpit"
    expect(visitor.map).to_be_visible()
    expect(visitor.clock).to_contain_text("paused")
    tick = visitor.tick
    assert tick > 0
    foot = visitor.page.locator("#same")
    expect(foot).to_have_text(f"tick {tick}: identical to native", timeout=STEP_MS)
    sim = Simulation(Scenario.load("split-brain"))
    sim.run(tick)
    assert sim.digest()[:12] in visitor.page.locator("#digest").inner_text()


IMPORTED = """
() => new Promise((done) => {
    flockpitSite.worker().addEventListener("message", ({data}) => {
        if (data.kind === "imported") done(data.names)
    })
    flockpitSite.worker().postMessage({kind: "imported"})
})
"""


def test_the_interpreter_was_optimised_before_it_ran(visitor):
    (worker,) = visitor.page.workers
    marks = "performance.getEntriesByName('flockpit:optimised').length"
    assert worker.evaluate(marks) == 1


def test_only_what_is_imported_is_packed(visitor):
    names = visitor.page.evaluate(IMPORTED)
    packages = {name.partition(".")[0] for name in names}
    assert packages == {packed.name for packed in PACKED} | {"numpy"}
    assert len(names) == pytest.approx(IMPORTS, rel=0.1), "the end of the bar"


def test_a_click_selects_a_node_and_a_button_crashes_it(flock):
    places, *_ = seats(CALM)
    flock.leap(3)
    flock.click_node(places, 5)
    expect(flock.page.locator(".card.node")).to_contain_text("n05", timeout=STEP_MS)
    flock.page.get_by_role("button", name="Crash", exact=True).click()
    expect(flock.notice).to_contain_text("crash", timeout=STEP_MS)


def test_a_lasso_cuts_silence_kills_and_healing_mends(flock):
    _, side, ring = seats(CALM)
    flock.leap(5)
    flock.page.keyboard.press("l")
    expect(flock.page.get_by_text("Draw round nodes on the map.")).to_be_visible(timeout=STEP_MS)
    flock.drag(flock.map, ring)
    expect(flock.notice).to_contain_text("partition", timeout=STEP_MS)
    flock.leap(2)
    flock.until(lambda: flock.pairs("SUSPECT"), "silence across the cut is SUSPECT")
    flock.leap(5)
    flock.until(lambda: flock.pairs("DEAD"), "silence across the cut is DEAD")
    assert len(side) > 1
    flock.page.keyboard.press("h")
    expect(flock.notice).to_contain_text("heal", timeout=STEP_MS)
    flock.leap(4)
    flock.until(lambda: flock.pairs("DEAD") == 0, "the dead are back")


def test_dragging_the_timeline_goes_back(flock):
    flock.leap(6)
    tick_us = Scenario.load(CALM).tick_us
    flock.drag(flock.timeline, [(tick * tick_us / 1e6, 70) for tick in (60, 40, 20)])
    flock.until(lambda: abs(flock.tick - 20) <= 3, "the drag ended at tick 20")


def test_play_lets_time_pass_and_keys_are_heard_meanwhile(flock):
    flock.page.keyboard.press(" ")
    flock.until(lambda: flock.tick > 10, "ticks pass")
    expect(flock.clock).to_contain_text("playing")
    flock.page.keyboard.press(" ")
    expect(flock.clock).to_contain_text("paused", timeout=STEP_MS)


def test_a_link_of_the_site_reopens_natively(flock):
    flock.leap(2)
    flock.page.keyboard.press("p")
    expect(flock.notice).to_contain_text("partition", timeout=STEP_MS)
    flock.leap(2)
    flock.page.keyboard.press("s")
    expect(flock.notice).to_contain_text("Link copied", timeout=STEP_MS)
    address = urlsplit(flock.page.url)
    (token,) = parse_qs(address.query)["run"]
    session = Session(Scenario.load("split-brain"))
    session.open(token)
    while session.busy:
        session.advance()
    assert session.checked == "identical"
    assert session.tick == 40


# ---------------------------------------------------------------- how it starts

ENTERED = "(phase) => performance.getEntriesByName(`flockpit:${phase}`).length > 0"


def test_there_is_something_to_read_and_to_watch_before_python_is_loaded(page, shelf):
    visitor = Visitor(page, shelf.url)
    with shelf.holding("pyodide/pyodide.asm.wasm"):
        page.goto(shelf.url)
        expect(page.get_by_role("heading", name="flockpit", exact=True)).to_be_visible()
        expect(page.locator(".about")).to_contain_text("Cut a flock of machines in two")
        expect(page.locator("#recorded")).to_contain_text("Recorded run")
        expect(page.locator("#phase")).to_have_text("Loading the Python runtime")
        expect(page.locator("#phases li")).to_have_count(5)
        first = page.locator("#time").inner_text()
        expect(page.locator("#time")).not_to_have_text(first)
        assert not page.evaluate(ENTERED, "numpy"), "Python is not there yet"
    visitor.live()
    expect(page.locator("#boot")).to_be_hidden()


SPOIL = """
async () => {
    const [name] = (await caches.keys()).filter((name) => name.startsWith("flockpit-memory-"))
    const cache = await caches.open(name)
    const memory = await (await cache.match("memory/memory.bin")).blob()
    await cache.put("memory/memory.bin", new Response(memory.slice(0, memory.size / 2)))
}
"""


def test_the_next_start_goes_on_from_memory_if_that_is_whole(page, shelf):
    visitor = Visitor(page, shelf.url)
    visitor.open()
    assert page.evaluate(ENTERED, "cockpit")
    tick = first_tick(Scenario.load(FIRST))
    visitor.at_tick(tick)
    kept = "html[data-memory=kept]"
    page.wait_for_selector(kept, state="attached", timeout=BOOT_MS)

    visitor.open()
    assert not page.evaluate(ENTERED, "cockpit"), "nothing is imported anew"
    visitor.at_tick(tick)
    foot = page.locator("#same")
    expect(foot).to_have_text(f"tick {tick}: identical to native", timeout=STEP_MS)
    visitor.choose(CALM)
    visitor.leap(1)

    page.evaluate(SPOIL)
    visitor.open()
    assert page.evaluate(ENTERED, "cockpit"), "started anew"
    page.wait_for_selector(kept, state="attached", timeout=BOOT_MS)


LOSE = """
async (names) => {
    for (const store of await caches.keys()) {
        const cache = await caches.open(store)
        for (const request of await cache.keys()) {
            if (names.some((name) => request.url.endsWith(name))) await cache.delete(request)
        }
    }
}
"""


def test_a_start_from_memory_lives_before_the_archives_are_there(page, shelf):
    visitor = Visitor(page, shelf.url)
    visitor.open()
    page.wait_for_selector("html[data-memory=kept]", state="attached", timeout=BOOT_MS)
    archives = ["pyodide/flockpit.zip", "pyodide/python_stdlib.zip"]
    page.evaluate(LOSE, archives)
    asked = len(shelf.asked)
    with shelf.holding(*archives):
        visitor.open()
        visitor.at_tick(first_tick(Scenario.load(FIRST)))
        visitor.until(
            lambda: {*archives} <= {*shelf.asked[asked:]}, "they are fetched once there is time"
        )


COLOURS = """
() => {
    const models = [...window.Bokeh.index.roots[0].model.references()]
    const maps = models.filter(({type}) => type === "LinearColorMapper")
    return {
        light: document.documentElement.classList.contains("light"),
        python: window.Bokeh.index.roots[0].model.css_classes.includes("light"),
        figures: maps.map(({palette}) => String([...palette])).sort(),
    }
}
"""


def test_a_start_from_memory_in_another_theme_has_it_throughout_even_after_a_death(page, shelf):
    visitor = Visitor(page, shelf.url)
    page.emulate_media(color_scheme="dark")
    visitor.open()
    page.wait_for_selector("html[data-memory=kept]", state="attached", timeout=BOOT_MS)
    dark = page.evaluate(COLOURS)
    assert dark["figures"]
    assert not dark["light"]
    assert not dark["python"]

    page.emulate_media(color_scheme="light")
    visitor.open()
    visitor.until(lambda: page.evaluate(COLOURS)["python"], "Python has it, too")
    light = page.evaluate(COLOURS)
    assert light["light"]
    assert light["figures"] != dark["figures"]

    page.keyboard.press("d")
    visitor.until(lambda: page.evaluate(COLOURS) == dark, "dark again")
    (worker,) = [worker for worker in page.workers if "worker.js" in worker.url]
    worker.evaluate("self.close()")
    expect(page.locator("#word")).to_contain_text("The simulator stopped", timeout=BOOT_MS)
    visitor.live()
    visitor.until(lambda: page.evaluate(COLOURS) == dark, "still dark")


@pytest.mark.expects_console_errors
def test_an_import_after_a_start_from_memory_waits_for_the_archives(page, shelf):
    visitor = Visitor(page, shelf.url)
    visitor.open()
    page.wait_for_selector("html[data-memory=kept]", state="attached", timeout=BOOT_MS)
    archive = "pyodide/flockpit.zip"
    page.evaluate(LOSE, [archive])

    with shelf.without(lost=[archive]):
        visitor.open()
        page.locator(".scenario select").select_option(label=words_of(GATED))
        expect(page.get_by_role("alert")).to_contain_text(f"{archive} is missing", timeout=STEP_MS)
    visitor.open()
    visitor.choose(GATED)
    expect(page.locator(".waffle-head")).to_be_visible(timeout=STEP_MS)


# ---------------------------------------------------------------- links, offline, death


def test_a_native_link_opens_offline_survives_a_dead_worker_and_says_so(page, shelf):
    session = Session(Scenario.load(CALM))
    session.step(30)
    session.advance(1e6)
    visitor = Visitor(page, shelf.url)
    visitor.open(f"run={session.token()}")
    expect(visitor.notice).to_contain_text("identical", timeout=STEP_MS)
    visitor.at_tick(30)
    page.wait_for_selector("html[data-offline=ready]", state="attached", timeout=BOOT_MS)

    visitor.leap(1)
    expect(page.locator("#digest")).to_contain_text("tick 40", timeout=STEP_MS)
    (worker,) = [worker for worker in page.workers if "worker.js" in worker.url]
    shelf.down = True
    asked = len(shelf.asked)
    try:
        worker.evaluate("self.close()")
        expect(page.locator("#word")).to_contain_text("goes on from tick 40", timeout=BOOT_MS)
        visitor.live()
        visitor.at_tick(40)

        page.goto(shelf.url)
        visitor.live()
        visitor.at_tick(first_tick(Scenario.load(FIRST)))
    finally:
        shelf.down = False
    assert {*shelf.asked[asked:]} <= {"sw.js"}, "all else came from the browser's own store"


# ---------------------------------------------------------------- style sheets

LINKS = "#cockpit link[rel=stylesheet]"
"""Playwright looks into the panes' own trees."""


def test_sheets_are_written_into_panes_and_lead_where_they_led(visitor, shelf):
    assert visitor.page.locator(LINKS).count() == 0
    written = "".join(set(visitor.page.locator("#cockpit style").all_text_contents()))
    places = set(re.findall(r'url\("(?!data:)([^"]+)', written))
    assert places
    for place in places:
        assert place.startswith(shelf.url)
        assert ".." not in place


@pytest.mark.expects_console_errors
def test_a_lost_sheet_stops_nothing_and_the_page_takes_turns_with_what_is_built(page, shelf):
    page.add_init_script(
        "window.turns = 0; const own = scheduler.yield.bind(scheduler);"
        "scheduler.yield = () => { window.turns += 1; return own() }"
    )
    with shelf.without(lost={"static/extensions/flockpit/css/instruments.css"}):
        page.goto(shelf.url)
        page.wait_for_selector("html.ready.live", state="attached", timeout=BOOT_MS)
    assert page.locator(LINKS).count() > 0, "Bokeh links the one that could not be fetched"
    assert page.evaluate("turns") > 1
    # Only whole documents are built so.
    initialize = "Bokeh.require('core/view').View.prototype.lazy_initialize.toString()"
    assert page.evaluate(initialize).startswith("async lazy_initialize(")


# ---------------------------------------------------------------- the interpreter

RUNTIME = """
async (interpret) => {
    const {optimise} = await import("./boot/eager.js")
    const memory = new WebAssembly.Memory({initial: 1})
    const stack = {least: 65536, now: 65536}
    const run = eval(`(${interpret})`)
    const exports = {
        emscripten_stack_get_current: () => stack.now,
        _emscripten_stack_alloc: (size) => {
            stack.now -= size
            stack.least = stack.now
            return stack.now
        },
        _emscripten_stack_restore: (place) => { stack.now = place },
        _PyEval_EvalFrameDefault: (...where) => run(new Int32Array(memory.buffer), ...where),
    }
    const done = optimise({exports}, {env: {memory}})
    const written = new Uint8Array(memory.buffer).some((byte) => byte !== 0)
    return {done, written, left: 65536 - stack.now, taken: 65536 - stack.least}
}
"""


@pytest.mark.parametrize(
    ("interpret", "done"),
    [
        ("(words, state, frame) => words[(frame >> 2) + 10]", True),
        ("(words, state, frame) => { words[(frame >> 2) + 12] = 7; return 7 }", False),
        ("() => { throw new WebAssembly.RuntimeError('memory access out of bounds') }", False),
    ],
    ids=["as expected", "another result", "a trap"],
)
def test_a_runtime_that_is_not_as_expected_is_left_as_it_was(bare, interpret, done):
    found = bare.evaluate(RUNTIME, interpret)
    assert found.pop("taken") > 0
    assert found == {"done": done, "written": False, "left": 0}


# ---------------------------------------------------------------- the same runs


RECORD = """
(scenarios) => {
    const site = fetch("boot/site.json").then((answer) => answer.json())
    const run = (worker, site, scenario) => new Promise((done, failed) => {
        worker.onmessage = ({data}) => {
            if (data.kind === "parity") done(data.text)
            if (data.kind === "failure") failed(new Error(data.reason + data.trace))
        }
        worker.postMessage({kind: "parity", site, scenario})
    })
    const workers = [1, 2].map(() => new Worker("worker.js", {type: "module"}))
    const before = workers.map(() => site)
    window.records = {}
    for (const [index, scenario] of scenarios.entries()) {
        const place = index % workers.length
        const record = before[place].then(async () => run(workers[place], await site, scenario))
        window.records[scenario] = record
        before[place] = record.catch(() => {})
    }
}
"""


@pytest.fixture(scope="module")
def bare(browser, shelf):
    """A page of the site's origin on which nothing else runs."""
    context = browser.new_context(service_workers="block")
    page = context.new_page()
    page.goto(f"{shelf.url}manifest.webmanifest")
    page.evaluate("history.replaceState(null, '', './')")
    yield page
    context.close()


@pytest.fixture(scope="module")
def records(bare, request):
    """Records of all runs that are asked for, made in the browser while they are made here."""
    asked = [
        item.callspec.params["name"]
        for item in request.session.items
        if "records" in getattr(item, "fixturenames", ())
    ]
    bare.evaluate(RECORD, asked)
    return lambda name: bare.evaluate("(name) => window.records[name]", name)


@pytest.mark.parametrize("name", [*Scenario.names(), CAMPAIGN])
def test_a_scenario_runs_in_the_browser_as_it_does_natively(records, name):
    found = compare(name, recorded(name), records(name))
    assert found.exact is None, f"digests differ by tick {found.exact}"
    assert found.largest <= TOLERANCE, found


WRITE = """
async ({path, look}) => {
    const worker = new Worker("worker.js", {type: "module"})
    const site = await (await fetch("boot/site.json")).json()
    const shipped = await (await fetch(path)).json()
    return new Promise((done, failed) => {
        worker.onmessage = ({data}) => {
            if (data.kind === "written") done({shipped, site, ...data})
            if (data.kind === "failure") failed(new Error(data.reason + data.trace))
        }
        worker.postMessage({kind: "document", site, look})
    })
}
"""


@pytest.mark.parametrize("theme", get_args(Theme.__value__))
@pytest.mark.parametrize(("name", "extent"), [("wide", [1920, 1080]), ("narrow", [1280, 800])])
def test_the_document_that_came_with_the_site_is_the_one_that_python_makes(
    bare, name, extent, theme
):
    path = f"boot/{name}-{theme}.json"
    found = bare.evaluate(WRITE, {"path": path, "look": {"extent": extent, "theme": theme}})
    (named,) = [made for made in found["site"]["documents"] if made["path"] == path]
    assert named["theme"] == theme
    assert found["models"] == found["shipped"]["models"] == named["models"]
    assert_alike(json.loads(found["text"]), json.loads(found["shipped"]["doc"]))


# ---------------------------------------------------------------- what goes wrong


BROKEN = [
    ("lost", "pyodide/flockpit.zip", "is missing"),
    ("damaged", "pyodide/python_stdlib.zip", "not the one in boot/site.json"),
    ("damaged", f"pyodide/{NUMPY.name}", "not the one in pyodide/pyodide-lock.json"),
    ("damaged", f"pyodide/{BUNDLE}", "not the one in pyodide/pyodide-lock.json"),
    ("damaged", "pyodide/pyodide-lock.json", "not the one in boot/site.json"),
    ("lost", "static/js/panel.min.js", "missing or damaged"),
    ("lost", "worker.js", "missing or damaged"),
]


def test_hashes_of_packages_stand_in_the_lock_alone(site_folder):
    lock = json.loads((site_folder / "pyodide/pyodide-lock.json").read_text())["packages"]
    packages = {f"pyodide/{package['file_name']}": package["sha256"] for package in lock.values()}
    assert packages == {path: digest(site_folder / path) for path in packages}
    named = json.loads((site_folder / "boot/site.json").read_text())["files"]
    others = {file["path"]: file["sha256"] for file in named if file["path"] not in packages}
    assert others == {path: digest(site_folder / path) for path in others}
    assert not [file for file in named if file["path"] in packages and "sha256" in file]


def digest(path):
    return sha256(path.read_bytes()).hexdigest()


@pytest.mark.expects_console_errors
@pytest.mark.parametrize(("how", "path", "words"), BROKEN)
def test_a_broken_file_is_named_with_what_to_do(page, shelf, how, path, words):
    with shelf.without(**{how: [path]}):
        page.goto(shelf.url)
        card = page.locator("#failure")
        expect(card).to_be_visible(timeout=BOOT_MS)
        expect(card.locator("#reason")).to_contain_text(path)
        expect(card.locator("#reason")).to_contain_text(words)
        expect(card.locator("#advice")).to_contain_text("Load the page again")
        card.get_by_role("button", name="Copy the details").click()
        expect(card.get_by_role("button", name="Copied")).to_be_visible()

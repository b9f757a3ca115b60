"""Measure the static site: sizes, starts cold and warm, frames per second, time of a tick.

`make bench-site` builds the site and prints all of it, with starts beside those of what
`panel convert` makes of the same cockpit. Times depend on the machine and on what else it does:
nothing is asserted.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

import brotli
from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.stock import build
from flockwasm.errors import SiteError
from flockwasm.inside.pace import tick_ms
from ui.conftest import LAUNCH
from ui.find_chromium import find
from ui.sitedesk import BOOT_MS, PLACE, Shelf, stocked

SIZES = (60, 200, 500, 1000)
WINDOW_S = 5
REST_MS = 2000
"""Before each visit the browser is left alone: what the last one left to do is not measured."""

PACE = """
(nodes) => new Promise((done) => {
    const worker = flockpitSite.worker()
    worker.addEventListener("message", ({data}) => data.kind === "pace" && done(data.ms))
    worker.postMessage({kind: "pace", nodes})
})
"""
WATCH = """
window.longest = 0
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
        if (!window.flockpitBoot) window.longest = Math.max(window.longest, entry.duration)
    }
}).observe({type: "longtask", buffered: true})
"""
MARKS = """
() => ({
    ...Object.fromEntries(
        [...performance.getEntriesByType("paint"), ...performance.getEntriesByType("mark")].map(
            (entry) => [entry.name, entry.startTime],
        ),
    ),
    "longest task": window.longest,
})
"""
PHASES = ("runtime", "numpy", "cockpit", "tick", "live")
WORDS = {
    "first-contentful-paint": "first paint",
    "flockpit:runtime": "enters: Python runtime",
    "flockpit:numpy": "enters: numpy",
    "flockpit:cockpit": "enters: cockpit",
    "flockpit:tick": "enters: first tick",
    "flockpit:live": "first live frame",
    "longest task": "longest task of the page",
}
COUNT = """
(seconds) => new Promise((done) => {
    const {painted} = Bokeh.documents[0].get_model_by_name("flockpit.bridge").properties
    let frames = 0
    const count = () => { frames += 1 }
    painted.change.connect(count)
    setTimeout(() => {
        painted.change.disconnect(count)
        done(frames)
    }, 1000 * seconds)
})
"""
FLOCK = """
name = "measured"
title = "Measured"
nodes = {nodes}
seed = 1
ticks = 100000
"""


def squeezed(data):
    """Bytes as they are, by gzip 9 and by brotli 11."""
    return len(data), len(gzip.compress(data, 9)), len(brotli.compress(data, quality=11))


def print_sizes(site):
    """Print what the site weighs: in all, and what a first visit fetches before it runs."""
    paths = [path for path in sorted(site.rglob("*")) if path.is_file()]
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(lambda path: squeezed(path.read_bytes()), paths))
    print(f"{'MB (10^6 bytes)':<44} {'raw':>7} {'gzip 9':>7} {'brotli 11':>9}")
    order = sorted(zip(paths, found, strict=True), key=lambda pair: -pair[1][0])
    for path, sizes in order[:10]:
        print_line(path.relative_to(site).as_posix(), sizes)
    print_line(f"all {len(paths)} files", [sum(column) for column in zip(*found, strict=True)])


def print_line(name, sizes):
    raw, by_gzip, by_brotli = (size / 1e6 for size in sizes)
    print(f"{name:<44} {raw:7.2f} {by_gzip:7.2f} {by_brotli:9.2f}")


def visit(page, url):
    """Open the site; return milliseconds from the start of navigation to each mark."""
    page.add_init_script(WATCH)
    page.wait_for_timeout(REST_MS)
    page.goto(url)
    page.wait_for_selector("html.ready.live", state="attached", timeout=BOOT_MS)
    marks = page.evaluate(MARKS)
    page.wait_for_timeout(300)
    return marks


def visit_stock(page, url):
    """The same for what `panel convert` made: live as soon as the page shows the document."""
    asked = []

    def note(request):
        asked.append(request.url)

    page.wait_for_timeout(REST_MS)
    page.context.on("request", note)
    page.goto(f"{url}app.html")
    try:
        page.wait_for_selector(".bk-Figure, .bk-Column", state="attached", timeout=BOOT_MS)
    finally:
        page.context.remove_listener("request", note)
        # A start that waits for other hosts, maybe in vain, measures the network.
        if elsewhere := others(asked, url):
            sys.exit(
                f"The build of `panel convert` asks {', '.join(elsewhere)}: its starts cannot be "
                "compared. ELSEWHERE in tests/benchmarks/stock.py has to name their addresses."
            )
    return {"flockpit:live": page.evaluate("performance.now()")}


def others(asked, url):
    """Return the hosts, other than the site's, that some addresses lead to."""
    parts = [urlsplit(address) for address in asked]
    hosts = {part.netloc for part in parts if part.scheme in ("http", "https", "ws", "wss")}
    return sorted(hosts - {urlsplit(url).netloc})


def starts(context, site, stock, runs):
    """Visit for the first time, and again with what was kept; each time beside the stock build.

    The browser keeps what any visitor's keeps, compiled code too, so its profile is on disk. Each
    run has servers of its own: to the browser another port is a site that it has nothing of.
    """
    found = {"cold": [], "warm": [], "stock cold": [], "stock warm": []}
    for _ in range(runs):
        shelf = Shelf(site)
        page = context.new_page()
        found["cold"].append(visit(page, shelf.url))
        page.wait_for_selector("html[data-memory=kept]", state="attached", timeout=BOOT_MS)
        page.close()
        page = context.new_page()
        found["warm"].append(visit(page, shelf.url))
        page.close()
        shelf.close()
        if stock:
            shelf = Shelf(stock)
            for kind in ("stock cold", "stock warm"):
                page = context.new_page()
                found[kind].append(visit_stock(page, shelf.url))
                page.close()
            shelf.close()
    return found


def print_starts(found):
    shown = {name: runs for name, runs in found.items() if runs}
    marks = ["first-contentful-paint", *(f"flockpit:{name}" for name in PHASES), "longest task"]
    print(f"\n{'seconds, median of ' + str(len(found['cold'])):<34}", end="")
    print("".join(f"{name:>12}" for name in shown))
    for mark in marks:
        times = [[run[mark] for run in runs if mark in run] for runs in shown.values()]
        row = "".join(f"{median(each) / 1e3:12.2f}" if each else f"{'-':>12}" for each in times)
        print(f"{WORDS.get(mark, mark):<34}{row}")
    if found["stock cold"]:
        for kind in ("cold", "warm"):
            ours, stock = (
                median(run["flockpit:live"] for run in found[name])
                for name in (kind, f"stock {kind}")
            )
            print(f"{kind}: {ours / stock:.2f} of what `panel convert` takes")


def frames_per_second(page, nodes):
    """Play a flock of some size, and count the frames that the page has painted."""
    with page.expect_file_chooser() as chooser:
        page.locator("summary[aria-label=More]").click()
        page.get_by_role("button", name="Open a scenario file").click()
    text = FLOCK.format(nodes=nodes).encode()
    chooser.value.set_files({"name": "f.toml", "mimeType": "text/plain", "buffer": text})
    page.get_by_text(f"of {nodes}").first.wait_for(timeout=BOOT_MS)
    page.keyboard.press(" ")
    page.wait_for_timeout(2000)
    frames = page.evaluate(COUNT, WINDOW_S)
    page.keyboard.press(" ")
    return frames / WINDOW_S


def stock_root(folder):
    """Put what `panel convert` makes of the cockpit into a server's root; None if it cannot."""
    try:
        build(folder / PLACE)
    except SiteError as error:
        print(f"without `panel convert`: {error}")
        return None
    return folder


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--site", type=Path, default=Path("build/site"))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--no-sizes", action="store_true", help="brotli 11 takes a minute")
    parser.add_argument("--no-stock", action="store_true", help="without `panel convert`")
    arguments = parser.parse_args()
    if not arguments.no_sizes:
        print_sizes(arguments.site)
    load = os.getloadavg()[0]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        site = stocked(arguments.site, Path(folder) / "site")
        stock = None if arguments.no_stock else stock_root(Path(folder) / "stock")
        context = playwright.chromium.launch_persistent_context(
            Path(folder) / "profile",
            executable_path=find().path,
            args=list(LAUNCH),
            viewport={"width": 1280, "height": 800},
        )
        print_starts(starts(context, site, stock, arguments.runs))
        shelf = Shelf(site)
        page = context.new_page()
        visit(page, shelf.url)
        print(f"\n{'frames per second at 1/20':<44}")
        for nodes in SIZES:
            print(f"{nodes:>6} nodes {frames_per_second(page, nodes):>40.1f}")
        page.keyboard.press("Escape")
        in_browser, native = page.evaluate(PACE, 1000), tick_ms(1000)
        print(f"\nms per tick at 1,000 nodes: {in_browser:.2f} here, {native:.2f} native, ", end="")
        print(f"{in_browser / native:.1f} times")
        context.close()
        shelf.close()
    print(f"load of the machine: {load:.1f} before, {os.getloadavg()[0]:.1f} after")
    print(json.dumps({"site": str(arguments.site), "runs": arguments.runs}))


if __name__ == "__main__":
    main()

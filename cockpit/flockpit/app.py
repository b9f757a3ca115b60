"""The cockpit as an app: for `panel serve`, for `flockpit serve`, and in a notebook."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import panel as pn

from flockcore.errors import FlockError
from flockcore.scenario import Scenario
from flockpit.decks.opening import first_tick
from flockpit.look.assets import EXTENSION, register, route, served, text, url
from flockpit.look.tokens import theme_of
from flockpit.look.widgets import box, html
from flockpit.look.widgets import words as safe
from flockpit.page import Cockpit
from flockpit.session import Failure, Session, sentence

__all__ = ["FIRST", "SCENARIO_FILE", "begin", "cockpit", "first_tick", "go_to", "page", "serve"]

FIRST = "split-brain"
"""The scenario that a page opens with."""
SCENARIO_FILE = "FLOCKPIT_SCENARIO"
"""Environment variable that names a scenario file to open instead."""


def begin(query: Mapping[str, str], *, file: str | None = None) -> Session:
    """Start the session that an address asks for; whatever is wrong with it, a session starts.

    Args:
        query: `run` (a share token), `scenario` (a preset's name), `seed`.
        file: path of a scenario file to open when the address names nothing.

    Returns:
        A session; its notice says what could not be done.
    """
    refusals: list[str] = []
    scenario = _scenario(query, file, refusals)
    session = Session(scenario, seed=_seed(query, refusals))
    _enter(session, query, refusals)
    return session


def go_to(session: Session, query: Mapping[str, str]) -> None:
    """Let a session that has begun go to what an address asks for, as `begin` would."""
    refusals: list[str] = []
    scenario = _scenario(query, None, refusals)
    session.load(scenario, seed=_seed(query, refusals))
    _enter(session, query, refusals)


def _enter(session: Session, query: Mapping[str, str], refusals: Sequence[str]) -> None:
    session.record_ahead(first_tick(session.scenario))
    if "run" in query:
        session.open(query["run"])
    elif refusals:
        session.say(" ".join(refusals), refused=True)


def _scenario(query: Mapping[str, str], file: str | None, refusals: list[str]) -> Scenario:
    wanted = query.get("scenario")
    if wanted is None and file:
        try:
            return Scenario.from_toml(Path(file).read_text(encoding="utf-8"))
        except (FlockError, OSError, UnicodeDecodeError) as error:
            refusals.append(f"The scenario file {file} cannot be opened: {sentence(error)}")
    for name in filter(None, (wanted, FIRST)):
        try:
            return Scenario.load(name)
        except FlockError as error:
            refusals.append(sentence(error))
    return Scenario(title="Plain flock")


def _seed(query: Mapping[str, str], refusals: list[str]) -> int | None:
    text = query.get("seed")
    if text is None:
        return None
    if text.isdecimal() and int(text) < 2**53:
        return int(text)
    refusals.append(f"Seed {text!r} is no seed; allowed is a whole number from 0 to {2**53 - 1}.")
    return None


# ------------------------------------------------------------------ served


def page() -> None:
    """Build the page of one visitor; called once for each by the server."""
    register()
    doc = pn.state.curdoc
    assert doc is not None
    doc.template = text("page.html")  # type: ignore[assignment]
    doc.template_variables["flockpit"] = {
        "tokens": url("css/tokens.css"),
        "page": url("css/page.css"),
        "script": url("js/cockpit.js"),
        "icon": url("icons/mark.svg"),
    }
    try:
        made = Cockpit(begin(_query(), file=os.environ.get(SCENARIO_FILE)), theme_of(_theme()))
    except Exception as error:
        _apology(error).servable(title="flockpit")
        raise
    made.view.servable(title="flockpit")
    pn.state.onload(made.start)
    pn.state.on_session_destroyed(lambda _: made.stop())


def _query() -> dict[str, str]:
    found: dict[str, str] = {}
    for key, values in (pn.state.session_args or {}).items():
        found[key] = values[0].decode("utf-8", "replace")
    return found


def _theme() -> str | None:
    return _query().get("theme")


def _apology(error: Exception) -> pn.viewable.Viewable:
    failure = Failure.of("opening the cockpit", error, 0)
    return box(
        html(
            f"<h2>The cockpit could not be opened</h2><pre>{safe(failure.line)}</pre>"
            "<p class='words'>This is a bug in flockpit. Reload the page without what follows the "
            "question mark in its address to open the first scenario.</p>"
        ),
        classes=("flockpit", "apology"),
    )


def serve(*, port: int = 5006, address: str | None = None, show: bool = False) -> None:
    """Serve the cockpit until interrupted.

    Args:
        port: to listen on.
        address: to listen on; None is every one that Panel listens on by default.
        show: open a browser.
    """
    pn.serve({"/": Path(__file__)}, port=port, address=address, show=show, title="flockpit")


# ------------------------------------------------------------------ in a notebook


def cockpit(
    scenario: str | Path | Scenario = FIRST, *, seed: int | None = None, theme: str = "dark"
) -> pn.viewable.Viewable:
    """Return a cockpit to be shown in a notebook, or within somebody else's served page.

    Args:
        scenario: a preset's name, a scenario file, or a scenario.
        seed: overrides the scenario's seed.
        theme: dark or light.

    Raises:
        FlockError: there is no such scenario, or it is broken.
    """
    if isinstance(scenario, Path):
        scenario = Scenario.from_toml(scenario.read_text(encoding="utf-8"))
    elif isinstance(scenario, str):
        scenario = Scenario.load(scenario)
    register()
    session = Session(scenario, seed=seed)
    session.record_ahead(first_tick(scenario))
    made = Cockpit(session, theme_of(theme), framed=True)
    if served():
        pn.config.js_files = {**pn.config.js_files, EXTENSION: route("js/cockpit.js")}
        pn.state.onload(made.start)
        pn.state.on_session_destroyed(lambda _: made.stop())
    else:
        _run_script()
        made.start_here()
    return made.view


def _run_script() -> None:
    """Give the notebook's page our script."""
    try:
        from IPython.display import Javascript, display
    except ImportError:
        return
    display(Javascript(text("js/cockpit.js")))


# `panel serve` and `serve` run this file anew for each visitor, under a name of their own.
if __name__.startswith("bokeh_app_"):
    page()

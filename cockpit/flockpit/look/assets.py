"""Where the style sheets, scripts and icons lie, and how a page gets them.

Installed, the files are package data (``flockpit/assets``); in a checkout they are read from
``assets``. A served page links them by address, under Bokeh's own route for extensions, so
``panel serve`` needs no option; a notebook and a page without a server get their text.
"""

import sys
from functools import cache
from hashlib import sha256
from pathlib import Path

import panel as pn
from bokeh.embed.bundle import extension_dirs

from flockpit.packaged import asset, folder

__all__ = ["EXTENSION", "asset", "icon", "register", "route", "served", "sheet", "text", "url"]

EXTENSION = "flockpit"
_ROUTE = f"static/extensions/{EXTENSION}"


@cache
def text(path: str) -> str:
    """Return the text of an asset."""
    return asset(path).read_text(encoding="utf-8")


def register() -> None:
    """Let Bokeh's server hand the assets out, below `static/extensions/flockpit`."""
    extension_dirs[EXTENSION] = Path(str(folder()))


@cache
def route(path: str) -> str:
    """Return the address of an asset from a server's root; it changes with the content."""
    return f"{_ROUTE}/{path}?v={sha256(text(path).encode()).hexdigest()[:8]}"


def url(path: str) -> str:
    """Return the address of an asset from the page that is being built."""
    root = pn.state.rel_path
    return f"{root}/{route(path)}" if root else route(path)


def served() -> bool:
    """Return whether what is being built goes to a page that a server hands out."""
    doc = pn.state.curdoc
    return doc is not None and doc.session_context is not None


def sheet(name: str) -> str:
    """Return a style sheet in the form in which the page at hand takes it.

    Args:
        name: file name below `css`, without its ending.

    Returns:
        An address on a server and in the static site, the style sheet's text elsewhere.
    """
    path = f"css/{name}.css"
    return url(path) if served() or sys.platform == "emscripten" else text(path)


def icon(name: str) -> str:
    """Return an icon as inline SVG: a grid of 16 px, strokes of 1.5 px, in the text's colour."""
    return text(f"icons/{name}.svg").strip()

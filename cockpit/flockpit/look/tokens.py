"""Both themes as data: every colour that the page and the figures use.

Canvas figures cannot read CSS variables, so the colours live here once: the style sheet
`assets/css/tokens.css` is written from them (`python -m flockpit.look`) and figures take them
through `flockpit.look.figures`. One hue has one meaning everywhere: green alive, orange doubt,
vermillion gone, blue agrees, pink-purple contradicts.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal

__all__ = [
    "CURL_MAP",
    "DASHES",
    "FIELD_MAP",
    "MARKERS",
    "MONO",
    "SANS",
    "SIZES",
    "THEMES",
    "TINT_ALPHA",
    "VEIL_ALPHA",
    "Theme",
    "theme_of",
]

type Theme = Literal["dark", "light"]

SANS = (
    '-apple-system, BlinkMacSystemFont, "Segoe UI", Roboto, "Helvetica Neue", Arial, '
    '"Liberation Sans", sans-serif'
)
MONO = 'ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace'

SIZES: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "small": (12, 16),
        "body": (13, 20),
        "title": (15, 20),
        "number": (20, 24),
        "hero": (28, 32),
    }
)
"""Type scale: size and line height in pixels by role. Nothing is smaller."""

_DARK = {
    # surfaces
    "bg": "#0B1015",
    "surface": "#121920",
    "raised": "#1B252E",
    "line": "#26323D",
    "grid": "#1C262F",
    "mesh": "#151E27",
    # words
    "text": "#E8EEF3",
    "text2": "#AAB7C3",
    "text3": "#8494A2",
    "ink": "#F3F6F8",
    "on-ink": "#0B1015",
    # links and sides
    "edge": "#4A5A68",
    "side-a": "#7FA7D9",
    "side-b": "#D9B98C",
    # belief states: the mark, and the word beside it
    "unknown": "#8494A2",
    "unknown-text": "#8494A2",
    "alive": "#009E73",
    "alive-text": "#1DB48A",
    "suspect": "#E69F00",
    "suspect-edge": "#E69F00",
    "suspect-text": "#E69F00",
    "dead": "#D55E00",
    "dead-text": "#F07A2B",
    # verdicts
    "holds": "#56B4E9",
    "holds-text": "#56B4E9",
    "violated": "#CC79A7",
    "violated-text": "#DB8FB8",
    "open": "#C3CDD6",
    "open-text": "#C3CDD6",
    # flow parts
    "gradient": "#56B4E9",
    "curl": "#E69F00",
    "harmonic": "#CC79A7",
}

_LIGHT = {
    "bg": "#EDF0F3",
    "surface": "#FFFFFF",
    "raised": "#F1F4F7",
    "line": "#CFD7DF",
    "grid": "#E6EBF0",
    "mesh": "#F4F7F9",
    "text": "#14202B",
    "text2": "#43515E",
    "text3": "#5D6C7A",
    "ink": "#14202B",
    "on-ink": "#FFFFFF",
    "edge": "#A3B0BC",
    "side-a": "#4C7FBE",
    "side-b": "#B98B45",
    "unknown": "#5D6C7A",
    "unknown-text": "#5D6C7A",
    "alive": "#009E73",
    "alive-text": "#00704F",
    "suspect": "#E69F00",
    "suspect-edge": "#8A5A00",
    "suspect-text": "#8A5A00",
    "dead": "#C65300",
    "dead-text": "#B04A00",
    "holds": "#0072B2",
    "holds-text": "#0068A3",
    "violated": "#B0447F",
    "violated-text": "#A23B73",
    # The mark's colour alone is too pale for words.
    "open": "#84929F",
    "open-text": "#43515E",
    "gradient": "#0072B2",
    "curl": "#B97700",
    "harmonic": "#B0447F",
}

THEMES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"dark": MappingProxyType(_DARK), "light": MappingProxyType(_LIGHT)}
)
"""Colours by theme and token; the same tokens in both. "open" is the verdict unknown."""

FIELD_MAP: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dark": (
            "#2a55a6", "#256eb1", "#1f86bb", "#299ec1", "#40b5c4",
            "#72c8bd", "#9fd9b8", "#c9eab4", "#f1f9bd",
        ),
        "light": (
            "#62c0bf", "#37acc3", "#2095c0", "#1f7eb7", "#2166ac",
            "#234fa1", "#253595", "#172976", "#081d58",
        ),
    }
)  # fmt: skip
"""Fill of a fresh field, low to high: even steps of OKLab lightness, high far from the surface."""

CURL_MAP: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "dark": (
            "#33240a", "#4f3607", "#6d4905", "#8c5d04", "#ab7303",
            "#ca8a01", "#e8a309", "#f7c352", "#ffe3a6",
        ),
        "light": (
            "#fff3da", "#fdd794", "#f7b952", "#e79d1c", "#d08607",
            "#b67100", "#9b5d00", "#804b00", "#663a00",
        ),
    }
)  # fmt: skip
"""Size of a curl, low to high."""

TINT_ALPHA: Mapping[str, float] = MappingProxyType({"dark": 0.085, "light": 0.11})
"""Opacity of the tint of a partition's side."""
VEIL_ALPHA: Mapping[str, float] = MappingProxyType({"dark": 0.58, "light": 0.62})
"""Opacity of the surface over what lies right of the playhead."""

MARKERS: Mapping[str, str] = MappingProxyType(
    {
        "UNKNOWN": "diamond",
        "ALIVE": "circle",
        "SUSPECT": "triangle",
        "DEAD": "x",
        "holds": "square",
        "violated": "hex",
        "unknown": "square",
    }
)
"""Bokeh marker by belief state and by verdict: no two states differ by colour alone."""

DASHES: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {"cut-link": (3, 5), "threshold": (5, 4), "fault-time": (2, 3), "cut": (1, 5)}
)
"""Dash patterns by what the line stands for, in pixels."""


def theme_of(name: str | None) -> Theme:
    """Return the theme of that name; dark when there is none, so that a bad link still opens."""
    return "light" if name == "light" else "dark"

"""The tokens as CSS variables."""

from flockpit.look.tokens import CURL_MAP, FIELD_MAP, MONO, SANS, SIZES, THEMES, TINT_ALPHA

__all__ = ["PATH", "tokens_css"]

PATH = "css/tokens.css"
"""Where the written style sheet lies, below the asset folder."""

_HEAD = "/* Written from flockpit/look/tokens.py by `python -m flockpit.look`. */\n"

# In a notebook no page is ours: there the variables hang on the cockpit's outermost element.
_SELECTORS = {"dark": ":root,\n:host(.flockpit)", "light": ":root.light,\n:host(.flockpit.light)"}

# Panel's own sheets draw from these.
_PANEL = {
    "design-primary-color": "ink",
    "design-primary-text-color": "on-ink",
    "design-background-color": "bg",
    "design-background-text-color": "text",
    "design-surface-color": "surface",
    "design-surface-text-color": "text",
    "panel-primary-color": "ink",
    "panel-background-color": "bg",
    "panel-surface-color": "surface",
    "panel-on-background-color": "text",
    "panel-on-surface-color": "text",
}


def tokens_css() -> str:
    """Return the style sheet that declares every token as a variable, for both themes."""
    blocks = [_block(_SELECTORS["dark"], {**_scale(), **_theme("dark"), **_panel()})]
    blocks.append(_block(_SELECTORS["light"], _theme("light")))
    return _HEAD + "\n".join(blocks)


def _block(selector: str, variables: dict[str, str]) -> str:
    lines = "".join(f"  --{name}: {value};\n" for name, value in variables.items())
    return f"{selector} {{\n{lines}}}\n"


def _scale() -> dict[str, str]:
    sizes = {name: f"{size}px/{line}px" for name, (size, line) in SIZES.items()}
    return {"sans": SANS, "mono": MONO, **{f"type-{name}": value for name, value in sizes.items()}}


def _theme(name: str) -> dict[str, str]:
    return {
        "color-scheme": name,
        **THEMES[name],
        "tint": f"{TINT_ALPHA[name]:g}",
        "field-map": f"linear-gradient(90deg, {', '.join(FIELD_MAP[name])})",
        "curl-map": f"linear-gradient(90deg, {', '.join(CURL_MAP[name])})",
    }


def _panel() -> dict[str, str]:
    return {name: f"var(--{token})" for name, token in _PANEL.items()}

"""The visual language: tokens and style sheet agree, words are legible, assets are complete."""

import re
from pathlib import Path

import pytest

import flockpit
from flockpit.look.assets import asset, icon, text, url
from flockpit.look.css import PATH, tokens_css
from flockpit.look.figures import Paint, blank_figure
from flockpit.look.tokens import CURL_MAP, FIELD_MAP, MARKERS, SIZES, THEMES, theme_of

SHEETS = ("tokens", "page", "deck", "controls", "panes", "instruments", "curl", "barrier")
WORDS = ("text", "text2", "text3")
WORDS_IN_COLOUR = [
    f"{name}-text" for name in ("unknown", "alive", "suspect", "dead", "holds", "violated", "open")
]


def luminance(colour):
    """Relative luminance by WCAG 2."""
    channels = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(first, second):
    """Ratio of contrast by WCAG 2."""
    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def variables(sheet, selector):
    block = re.search(re.escape(selector) + r"[^{]*\{([^}]*)\}", sheet)
    return dict(re.findall(r"--([\w-]+):\s*([^;]+);", block.group(1)))


def test_the_style_sheet_is_the_one_written_from_the_tokens():
    assert text(PATH) == tokens_css(), "run `python -m flockpit.look`"


@pytest.mark.parametrize("theme", THEMES)
def test_every_token_is_a_variable_of_its_theme(theme):
    found = variables(text(PATH), ":root.light" if theme == "light" else ":root,")
    assert {name: found[name] for name in THEMES[theme]} == dict(THEMES[theme])


def test_both_themes_have_the_same_tokens():
    assert THEMES["dark"].keys() == THEMES["light"].keys()


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("word", [*WORDS, *WORDS_IN_COLOUR])
@pytest.mark.parametrize("ground", ["surface", "bg"])
def test_words_are_legible(theme, word, ground):
    tokens = THEMES[theme]
    assert contrast(tokens[word], tokens[ground]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_words_on_buttons_are_legible(theme):
    tokens = THEMES[theme]
    assert contrast(tokens["on-ink"], tokens["ink"]) >= 4.5
    assert contrast(tokens["text"], tokens["raised"]) >= 4.5
    assert contrast(tokens["text3"], tokens["raised"]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("colours", [FIELD_MAP, CURL_MAP], ids=["field", "curl"])
def test_maps_grow_away_from_the_surface(theme, colours):
    light = [luminance(colour) for colour in colours[theme]]
    assert light == sorted(light, reverse=theme == "light")


def test_no_two_beliefs_share_a_marker():
    beliefs = [MARKERS[name] for name in ("UNKNOWN", "ALIVE", "SUSPECT", "DEAD")]
    assert len(set(beliefs)) == len(beliefs)


def test_nothing_is_smaller_than_twelve_pixels():
    assert min(size for size, _ in SIZES.values()) == 12
    for sheet in SHEETS:
        sizes = re.findall(r"font(?:-size)?:[^;]*?(\d+)px", text(f"css/{sheet}.css"))
        assert all(int(size) >= 12 or int(size) == 0 for size in sizes), sheet


@pytest.mark.parametrize("sheet", SHEETS)
def test_sheets_use_no_colour_that_is_not_a_token(sheet):
    if sheet != "tokens":
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b|rgba?\(", text(f"css/{sheet}.css")) == []


@pytest.mark.parametrize("sheet", SHEETS)
def test_sheets_ask_nobody_else(sheet):
    assert "http" not in text(f"css/{sheet}.css")
    assert "@import" not in text(f"css/{sheet}.css")


def test_the_variables_that_sheets_use_exist():
    known = set(re.findall(r"--([\w-]+):", text(PATH)))
    # Widths of bars and the like are set on single elements, where the HTML is made, and a card
    # may tell what is inside it how to look.
    for sheet in SHEETS:
        known |= set(re.findall(r"--([\w-]+):", text(f"css/{sheet}.css")))
    for source in Path(flockpit.__file__).parent.rglob("*.py"):
        known |= set(re.findall(r"--([\w-]+):", source.read_text(encoding="utf-8")))
    for sheet in SHEETS:
        # What has something to fall back on may be left to the page around.
        used = set(re.findall(r"var\(--([\w-]+)\)", text(f"css/{sheet}.css")))
        assert used <= known, sheet


@pytest.mark.parametrize(
    "name", sorted(p.name.removesuffix(".svg") for p in asset("icons/play.svg").parent.iterdir())
)
def test_icons_are_drawn_in_the_colour_of_their_words_or_of_a_token(name):
    drawn = icon(name)
    assert drawn.startswith("<svg")
    assert 'aria-hidden="true"' in drawn
    colours = set(re.findall(r'(?:fill|stroke)="([^"]+)"', drawn)) - {"none", "currentColor"}
    assert all(re.fullmatch(r"var\(--[\w-]+\)", colour) for colour in colours)


def test_a_missing_asset_is_named():
    with pytest.raises(FileNotFoundError, match=r"css/none\.css"):
        asset("css/none.css")


def test_an_address_changes_with_the_content():
    first, second = url("css/deck.css"), url("css/page.css")
    assert first.startswith("static/extensions/flockpit/css/deck.css?v=")
    assert first.split("?v=")[1] != second.split("?v=")[1]


def test_a_theme_is_dark_unless_it_is_light():
    assert [theme_of(name) for name in (None, "pink", "dark", "light")] == [
        "dark",
        "dark",
        "dark",
        "light",
    ]


def test_one_loop_changes_the_theme_of_a_figure():
    from bokeh.models import Range1d

    paint = Paint("dark")
    made = blank_figure(paint, x_range=Range1d(0, 1), y_range=(0, 1))
    assert made.background_fill_color == THEMES["dark"]["surface"]
    paint.apply("light")
    assert made.background_fill_color == THEMES["light"]["surface"]
    assert made.border_fill_color == THEMES["light"]["surface"]

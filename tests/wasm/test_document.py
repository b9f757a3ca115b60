"""The first document of the page, and what makes it quicker to make."""

import json

import pytest

from documents import assert_alike
from flockwasm.document import document


@pytest.mark.slow
@pytest.mark.parametrize(("extent", "theme"), [((1280, 800), "light"), ((1920, 1080), "dark")])
def test_shortcuts_of_the_browser_change_nothing_nor_does_the_order_of_a_set(extent, theme):
    plain = document(*extent, theme)
    for seed in (1, 2):
        quick = document(*extent, theme, quick=True, seed=seed)
        assert quick["models"] == plain["models"]
        assert_alike(json.loads(quick["doc"]), json.loads(plain["doc"]))
    assert len(json.loads(plain["doc"])["roots"]) == 1
    assert len(plain["models"]) == 64

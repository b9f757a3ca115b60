"""The field over time: its mean, on each side while the flock is cut, and the steepest slope."""

from typing import ClassVar

import numpy as np

from flockpit.instruments.base import Columns, Headline, Number
from flockpit.instruments.figures import Scale, nice_scale, sample_ticks
from flockpit.instruments.strip import LinePair
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import Theme
from flockpit.texts import MINUS

__all__ = ["FieldGradient", "columns", "label_columns"]

_ONE = 65536.0
_MEAN, _SLOPE = "field_mean_load", "field_max_gradient"


def columns(view: DeckView) -> Columns:
    """Return mean load and steepest gradient over the recorded run, as shares of 1.

    Returns:
        x in seconds, mean, slope: float32.
    """
    ticks = sample_ticks(view.recorded_until)
    return {
        "x": (ticks * view.seconds).astype(np.float32),
        "mean": (view.series(_MEAN)[ticks] / _ONE).astype(np.float32),
        "slope": (view.series(_SLOPE)[ticks] / _ONE).astype(np.float32),
    }


def label_columns(view: DeckView) -> Columns:
    """Return the names of the lines, at the right edge: x, y, text."""
    found = columns(view)
    high = _scale(view).high
    (low, lower), (upper_at, upper) = sorted(
        (float(found[name][-1]), name) for name in ("mean", "slope")
    )
    gap = 0.17 * high
    # Each name stands above its line, or the lower one below it when there is no room between.
    below = low + gap if upper_at - low > 2.0 * gap else max(low - gap, 0.18 * high)
    return {
        "x": [0.99 * view.length * view.seconds] * 2,
        "y": [below, min(upper_at + gap, 0.84 * high)],
        "text": [_NAMES[lower], _NAMES[upper]],
    }


_NAMES = {"mean": "mean load", "slope": "steepest gradient"}


def _scale(view: DeckView) -> Scale:
    found = columns(view)
    highest = max(float(found[name].max(initial=0.0)) for name in ("mean", "slope"))
    room = min(1.12 * highest, 1.0) if highest <= 1.0 else highest
    return nice_scale(room, 3, least=0.25)


def side_difference(view: DeckView) -> float | None:
    """Return how much higher the mean fresh field of side A is than that of B; None without."""
    labels = view.sides
    fresh = ~np.isnan(view.field) & view.really_up
    means = [
        float(view.field[fresh & (labels == label)].mean())
        for label in np.unique(labels)[:2]
        if (fresh & (labels == label)).any()
    ]
    return means[0] - means[1] if len(means) == 2 else None


class FieldGradient(LinePair):
    """Mean load and steepest gradient over time."""

    name: ClassVar[str] = "field"

    def __init__(self, axis: TimeAxis, theme: Theme = "dark") -> None:
        super().__init__(
            axis, columns=columns, labels=label_columns, scale=_scale,
            tokens={"mean": "side-a", "slope": "text3"},
            first=nice_scale(0.75, 3, least=0.75), theme=theme,
        )  # fmt: skip

    def headline(self, view: DeckView) -> Headline:
        """Return what parts the two sides, or the mean, and the steepest slope."""
        difference = side_difference(view)
        if difference is None:
            first = Number(f"{view.latest(_MEAN) / _ONE:.2f}", "mean")
        else:
            sign = MINUS if difference < 0 else "+"
            first = Number(f"{sign}{abs(difference):.2f}", f"A {MINUS} B")
        slope = Number(f"{view.latest(_SLOPE) / _ONE:.2f}", "slope")
        return Headline("Field and gradient", (first, slope))

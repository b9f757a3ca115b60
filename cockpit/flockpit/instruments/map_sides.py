"""The sides of a cut flock, the line between them, and the words on the map, as columns."""

from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.codes import NodeStatus
from flockcore.kernel.faults import Partition
from flockpit.instruments.base import Columns
from flockpit.instruments.map_columns import selected_nodes
from flockpit.instruments.outlines import cut_line, outline, outline_reach, side_reach
from flockpit.instruments.view import DeckView, Viewpoint
from flockpit.texts import clock, count, node

__all__ = [
    "belief_words",
    "cut_columns",
    "cut_word_columns",
    "cut_words",
    "label_columns",
    "side_columns",
]

_LABELS = 12
"""Labels of nodes at most: more would hide the nodes."""
_STATUS = {
    NodeStatus.SLOW: "slow",
    NodeStatus.PAUSED: "paused",
    NodeStatus.CRASHED: "crashed",
}


# ---------------------------------------------------------------- sides and the cut


def _members(view: DeckView) -> list[NDArray[np.intp]]:
    """Nodes of each side, in order of the side's lowest node; nothing without a cut."""
    labels = view.sides
    there = view.present
    found = [np.flatnonzero((labels == label) & there) for label in np.unique(labels[there])]
    return sorted(found, key=lambda nodes: int(nodes[0])) if len(found) > 1 else []


def side_columns(view: DeckView) -> Columns:
    """Return each side's outline, and its letter and size above it.

    Returns:
        xs, ys: one line per side; side: 0 for A, 1 for B, 2 for all further ones; x, y: the
        line's top; text: the letter; words: how many nodes.
    """
    sides = _members(view)
    lines = [_outline(view, nodes) for nodes in sides]
    tops = [_top(x, y) for x, y in lines]
    return {
        "xs": [x for x, _ in lines],
        "ys": [y for _, y in lines],
        "side": np.minimum(np.arange(len(lines)), 2).astype(np.uint8),
        "x": [x for x, _ in tops],
        "y": [y for _, y in tops],
        "text": [_letter(number) for number in range(len(lines))],
        "words": [f"{len(nodes)} node{'s' if len(nodes) != 1 else ''}" for nodes in sides],
    }


def _top(x: NDArray[np.float32], y: NDArray[np.float32]) -> tuple[float, float]:
    """The highest place of an outline near its middle: away from where it meets the others."""
    middle = (x.min() + x.max()) / 2.0
    near = np.abs(x - middle) <= 0.2 * np.ptp(x)
    return float(middle), float(y[near].max())


def _outline(
    view: DeckView, nodes: NDArray[np.intp]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rest = view.present.copy()
    rest[nodes] = False
    side = view.positions[nodes]
    return outline(side, side_reach(side, view.positions[rest], _reach(view)))


def _reach(view: DeckView) -> float:
    return outline_reach(view.positions[view.present])


def _letter(number: int) -> str:
    return chr(ord("A") + number) if number < 26 else f"{number + 1}"


def cut_columns(view: DeckView) -> Columns:
    """Return the lines along which the flock is cut: xs, ys, one line per pair of sides."""
    sides = [view.positions[nodes] for nodes in _members(view)]
    lines = []
    if len(sides) <= 4:
        for near, far in combinations(range(len(sides)), 2):
            others = [side for number, side in enumerate(sides) if number not in (near, far)]
            rest = np.concatenate(others) if others else None
            line = cut_line(sides[near], sides[far], 2.0 * _reach(view), rest)
            if len(line[0]) > 1:
                lines.append(line)
    return {"xs": [x for x, _ in lines], "ys": [y for _, y in lines]}


# ---------------------------------------------------------------- labels


def label_columns(view: DeckView) -> Columns:
    """Return the names of selected nodes and of those that something is wrong with.

    Returns:
        x, y, text; strong: 1 for the selected.
    """
    rows: dict[str, list[Any]] = {"x": [], "y": [], "text": [], "strong": []}
    selected = selected_nodes(view).tolist()
    troubled = np.flatnonzero(np.isin(view.truth, list(_STATUS))).tolist()
    for index in dict.fromkeys([*selected, *troubled]):
        if len(rows["x"]) == _LABELS:
            break
        status = _STATUS.get(NodeStatus(int(view.truth[index])), "")
        rows["x"].append(float(view.positions[index, 0]))
        rows["y"].append(float(view.positions[index, 1]))
        rows["text"].append(f"{node(index)} {status}".strip())
        rows["strong"].append(int(index in selected))
    return rows


def _ways(view: DeckView) -> str:
    """Which ways a one-way partition stops, by the letters of its sides."""
    letters = {int(n): _letter(at) for at, nodes in enumerate(_members(view)) for n in nodes}
    for span in view.cuts:
        fault = span.fault
        if isinstance(fault, Partition) and fault.one_way:
            rest = sorted(set(letters) - {n for group in fault.groups for n in group})
            groups = [*fault.groups, tuple(rest)]
            named = [letters.get(group[0], "") if group else "" for group in groups]
            return ", ".join(f"{named[a]} → {named[b]}" for a, b in fault.one_way) + " "
    return ""


def cut_words(view: DeckView) -> tuple[str, str]:
    """Return since when the flock is cut, and what the cut let through and dropped."""
    if not view.cuts:
        return "", ""
    since = min(span.start for span in view.cuts)
    passed, dropped = view.crossed()
    return (
        f"{_ways(view)}cut since {clock(since, round(view.seconds * 1e6))} s",
        f"{count(passed)} crossed, {count(dropped)} dropped",
    )


def cut_word_columns(view: DeckView) -> Columns:
    """Return the words at both ends of the first cut line: x, y, text, align, baseline, row."""
    words = cut_words(view)
    if not words[0]:
        return {name: [] for name in ("x", "y", "text", "align", "baseline", "row")}
    ends, lying = _cut_ends(view)
    return {
        "x": [x for x, _ in ends],
        "y": [y for _, y in ends],
        "text": list(words),
        "align": ["left", "right"] if lying else ["center", "center"],
        "baseline": ["bottom", "top"],
        "row": [0, 1],
    }


def _cut_ends(view: DeckView) -> tuple[list[tuple[float, float]], bool]:
    """Upper and lower end of the cut, or left and right, and whether it lies more than stands.

    Without a line (single links, sides that lie in each other) the words stand outside the flock.
    """
    lines = cut_columns(view)
    if lines["xs"]:
        x, y = lines["xs"][0], lines["ys"][0]
        ends = [(float(x[end]), float(y[end])) for end in (0, -1)]
        lying = abs(ends[0][0] - ends[1][0]) > abs(ends[0][1] - ends[1][1])
        return sorted(ends, key=lambda end: end[0] if lying else -end[1]), lying
    reach = _reach(view)
    least, most = view.positions.min(axis=0) - reach, view.positions.max(axis=0) + reach
    middle = float(least[0] + most[0]) / 2.0
    return [(middle, float(most[1])), (middle, float(least[1]))], False


def belief_words(view: DeckView) -> str:
    """Return whose picture the map is."""
    if view.observer is not None:
        return f"What {node(view.observer)} believes"
    truth = view.choice.viewpoint is Viewpoint.TRUTH
    return "What is true" if truth else "What most nodes believe"

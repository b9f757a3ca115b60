"""The words around the mesh of flows: whose flow it is, two numbers, the switch, the legend."""

import numpy as np

from flockcore.hodge.reports import CONSISTENT
from flockpit.instruments.base import Headline, Number
from flockpit.instruments.flow_reading import NOTHING, Reading, absent, read, whose
from flockpit.instruments.view import DeckView, Flow
from flockpit.look.assets import icon
from flockpit.look.widgets import words
from flockpit.texts import count

__all__ = ["empty", "head", "headline", "legend", "size"]

_TITLES = {
    Flow.REPORTED: "What the edges claim",
    Flow.GOSSIP: "What averaging would leave",
    Flow.PROJECTED: "What projecting would leave",
}
_EXPLAIN = "width is flow, lanes are its three parts, arrow is its sense, triangle fill is curl"
_SWITCH = (
    (Flow.REPORTED, "Reported", "what nodes act on now (key 1)"),
    (Flow.GOSSIP, "Gossip", "the mean of what all nodes act on: where averaging ends (key 2)"),
    (Flow.PROJECTED, "Projected", "the reported flow without its curl (key 3)"),
)


def size(number: float) -> str:
    """Return a norm with three digits; rounding counts as 0."""
    if number <= CONSISTENT:
        return "0"
    return f"{number:.3g}" if number >= 1e-3 else f"{number:.0e}"


def headline(view: DeckView) -> Headline:
    """Return whose flow is shown, its curl norm and how many triangles have some."""
    reading = read(view)
    if reading is None:
        return Headline(_TITLES[Flow.REPORTED], (), _EXPLAIN)
    parts = reading.shown(view.choice.flow)
    many = int(np.count_nonzero(np.abs(parts.turn) > CONSISTENT))
    norm = parts.curl_norm
    numbers = (
        Number(size(norm), "curl norm", "curl" if norm > CONSISTENT else "none"),
        Number(count(many), f"of {count(len(parts.turn))} triangles"),
    )
    return Headline(_TITLES[view.choice.flow], numbers, f"{whose(view, reading)}: {_EXPLAIN}")


def head(view: DeckView) -> str:
    """Return what stands above the mesh."""
    line = headline(view)
    numbers = "".join(
        f"<div><b class='{n.tone}'>{words(n.value)}</b><span>{words(n.unit)}</span></div>"
        for n in line.numbers
    )
    reading = read(view)
    warning = _warning(reading) if reading is not None else ""
    said = words(line.words)
    text = warning or f"<p title='{said}'>{said}</p>"
    return (
        f"<div class='map-head'><div><h2>{words(line.name)}</h2>{text}</div>"
        f"{_switch(view)}<div class='heroes'>{numbers}</div></div>"
    )


def _warning(reading: Reading) -> str:
    """Say that a solver has stopped before its tolerance: what is shown is then not exact."""
    solved = reading.held.solved
    if solved.converged:
        return ""
    bad = [one for one in solved.solutions if one is not None and not one.converged]
    passes = max(one.iterations for one in bad)
    left = max(one.residual / (one.scale or 1.0) for one in bad)
    return (
        f"<p class='violated' role='alert'>{icon('violated')} The solver stopped after {passes} "
        f"passes, residual {left:.0e}: parts are not exact.</p>"
    )


def _switch(view: DeckView) -> str:
    buttons = "".join(
        f"<button data-do='flow-{flow}' aria-pressed='{str(flow is view.choice.flow).lower()}' "
        f"title='{words(hint)}'>{name}</button>"
        for flow, name, hint in _SWITCH
    )
    return f"<div class='switch' role='group' aria-label='Flow'>{buttons}</div>"


def legend() -> str:
    """Return the legend below the mesh."""
    parts = "".join(
        f"<span><i class='part {part}'></i>{part}<em>, {gloss}</em></span>"
        for part, gloss in (
            ("gradient", "mergeable"),
            ("curl", "a local quarrel"),
            ("harmonic", "round a hole"),
        )
    )
    return (
        f"<div class='legend flow'>{parts}"
        "<span class='wide'><i class='dot'></i>acts on another flow</span>"
        "<span class='wide'><i class='link cut'></i>cut</span>"
        "<span class='scale'>|curl| 0<i class='curl'></i><u></u></span></div>"
    )


def empty(view: DeckView) -> str:
    """Return what is said in the middle while there is no flow, and what would bring one."""
    said = absent(view)
    if not said:
        return ""
    how = ""
    if said == NOTHING:
        how = "<button class='small-button' data-do='write'>Write a conflict <kbd>W</kbd></button>"
    return f"<p class='empty'>{words(said)}{how}</p>"

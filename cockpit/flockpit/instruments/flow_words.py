"""The words around the mesh of flows: whose flow it is, two numbers, the switch, the legend."""

import numpy as np

from flockcore.hodge.reports import CONSISTENT
from flockpit.instruments.base import Headline, Number
from flockpit.instruments.flow_reading import NOTHING, Parts, Reading, absent, read, whose
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
        many = view.sim.hodge.state.mesh.plan.complex.triangle_count
        return Headline(_TITLES[Flow.REPORTED], _numbers(0.0, 0, many), _EXPLAIN)
    parts = reading.shown(view.choice.flow)
    turned = int(np.count_nonzero(np.abs(parts.turn) > CONSISTENT))
    numbers = _numbers(parts.curl_norm, turned, len(parts.turn))
    first, more = _told(view, reading, parts)
    return Headline(_TITLES[view.choice.flow], numbers, f"{first}; {more}")


def _numbers(norm: float, turned: int, triangles: int) -> tuple[Number, Number]:
    tone = "curl" if norm > CONSISTENT else "none"
    unit = f"of {count(triangles)} triangles"
    return Number(size(norm), "curl norm", tone), Number(count(turned), unit)


def _told(view: DeckView, reading: Reading, parts: Parts) -> tuple[str, str]:
    """Return what must be told about the flow, and what is told where there is room."""
    stays = float(np.sqrt(np.sum(parts.harmonic**2)))
    if stays <= CONSISTENT:
        return _whose(view, reading), _EXPLAIN
    holes = reading.holes
    round_ = f"harmonic {stays:.3g} round {holes} hole{'s' * (holes != 1)} stays"
    return round_, f"no projection mends it; {_whose(view, reading)}"


def _whose(view: DeckView, reading: Reading) -> str:
    if view.choice.flow is Flow.GOSSIP:
        flows = reading.versions
        return (
            f"the mean of {flows} flow{'s' * (flows != 1)} that {int(reading.up.sum())} nodes hold"
        )
    return whose(view, reading)


def head(view: DeckView) -> str:
    """Return what stands above the mesh."""
    line = headline(view)
    numbers = "".join(
        f"<div><b class='{n.tone}'>{words(n.value)}</b><span>{words(n.unit)}</span></div>"
        for n in line.numbers
    )
    reading = read(view)
    warning = _warning(reading) if reading is not None else ""
    first, _, more = line.words.partition("; ")
    rest = f"<span class='wide'>; {words(more)}</span>" if more else ""
    text = warning or f"<p title='{words(line.words)}'>{words(first)}{rest}</p>"
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


def legend(sharpest: float = 0.0) -> str:
    """Return the legend below the mesh.

    Args:
        sharpest: the curl at the end of the colour scale.
    """
    parts = "".join(
        f"<span><i class='part {part}'></i><span>{part}<em>, {gloss}</em></span></span>"
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
        f"<span class='scale'>|curl| 0<i class='ramp'></i>{size(sharpest)}</span></div>"
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

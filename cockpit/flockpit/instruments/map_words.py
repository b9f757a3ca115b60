"""The words around the flock map: whose belief it is, the two numbers, the legend."""

from __future__ import annotations

import numpy as np

from flockcore.flock.codes import Health
from flockpit.instruments.base import Headline, Number
from flockpit.instruments.map_sides import belief_words
from flockpit.instruments.view import DeckView, Viewpoint
from flockpit.look.assets import icon
from flockpit.look.widgets import words
from flockpit.texts import count, node

__all__ = ["head", "headline", "legend", "viewpoints"]

_EXPLAIN = "shape is belief, fill is fresh field"
_RING = ", ring marks a node that is really up"


def head(view: DeckView) -> str:
    """Return what stands above the map: whose belief, the switch, two large numbers."""
    line = headline(view)
    numbers = "".join(
        f"<div><b class='{n.tone}'>{words(n.value)}</b><span>{words(n.unit)}</span></div>"
        for n in line.numbers
    )
    return (
        f"<div class='map-head'><div><h2>{words(line.name)}</h2>"
        f"<p>{words(line.words)}<span class='wide'>{_RING}</span></p></div>"
        f"{viewpoints(view)}<div class='heroes'>{numbers}</div></div>"
    )


def headline(view: DeckView) -> Headline:
    """Return whose belief is shown, with the two numbers that matter there."""
    return Headline(belief_words(view), _numbers(view), _EXPLAIN)


def _numbers(view: DeckView) -> tuple[Number, Number]:
    if view.choice.viewpoint is Viewpoint.TRUTH:
        up, members = int(view.really_up.sum()), int(view.present.sum())
        return Number(count(up), f"up of {members}"), _alive(view)
    wrong = int(np.count_nonzero((view.belief == Health.DEAD) & view.really_up))
    return Number(count(wrong), "false DEAD", "dead" if wrong else "none"), _alive(view)


def _alive(view: DeckView) -> Number:
    alive, elected = view.neighbours
    if view.observer is not None:
        mine = int(alive[view.observer]), int(elected[view.observer])
        return Number(f"{mine[0]} of {mine[1]}", "neighbours alive")
    up = view.really_up & (elected > 0)
    mean = float(alive[up].mean()) if up.any() else 0.0
    k = int(view.elected.shape[1])
    return Number(f"{mean:.1f}", f"neighbours alive of {k}")


def legend() -> str:
    """Return the legend below the map."""
    states = "".join(
        f"<span>{icon(state.lower())}{state}</span>"
        for state in ("ALIVE", "SUSPECT", "DEAD", "UNKNOWN")
    )
    return (
        f"<div class='legend'>{states}"
        "<span><i class='ring'></i>ring: really up</span>"
        "<span class='wide'><i class='link'></i>elected</span>"
        "<span class='wide'><i class='link cut'></i>cut</span>"
        "<span class='scale'>field 0<i class='field'></i>1</span></div>"
    )


def viewpoints(view: DeckView) -> str:
    """Return the switch between viewpoints."""
    first = node(view.choice.selected[0]) if view.choice.selected else "Node"
    options = (("node", first, "1"), ("majority", "Majority", "2"), ("truth", "Truth", "3"))
    effective = (
        view.choice.viewpoint
        if view.choice.selected or view.choice.viewpoint is not Viewpoint.NODE
        else Viewpoint.MAJORITY
    )
    buttons = "".join(
        f"<button data-do='view-{name}' aria-pressed='{str(name == effective).lower()}' "
        f"title='key {key}'>{text}</button>"
        for name, text, key in options
    )
    return f"<div class='switch' role='group' aria-label='Viewpoint'>{buttons}</div>"

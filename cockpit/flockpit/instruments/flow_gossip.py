"""Gossip beside the projector: what averaging leaves of the curl, and at what price."""

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from bokeh.models import CDSView, GroupFilter, Line, Range1d
from numpy.typing import NDArray

from flockcore.hodge.gossip import Partners
from flockcore.hodge.operators import curl
from flockcore.kernel.rng import Streams
from flockpit.instruments.base import Columns, Figure, Headline, Layer, Number, pane, put
from flockpit.instruments.figures import Scale, add_axis, add_text, chart, label_axis
from flockpit.instruments.flow_norm import FLOOR, MARKS, logarithm
from flockpit.instruments.flow_reading import Reading, absent, no_rows, read
from flockpit.instruments.view import DeckView
from flockpit.look.tokens import Theme

__all__ = ["ROUNDS", "Contest", "FlowGossip", "average", "contest", "octets"]

ROUNDS = 40
"""Rounds of averaging that are drawn."""
_AGREED = 1e-3
"""Share of the first disagreement at which nodes count as agreed."""
_EDGE_BYTES = 16
"""What the number of an edge and a value for it take in a letter."""


@dataclass(frozen=True, eq=False, slots=True)
class Contest:
    """Both ways to one flow.

    Attributes:
        gossip: largest curl norm at any node, before each round and after the last, (ROUNDS + 1,).
        agreed: rounds after which all nodes have the same flow, to a thousandth; None if more
            than were run.
        gossip_bytes: what the exchanges up to then sent, of all rounds if they do not agree.
        projected: curl norm that one projection leaves.
        projector_bytes: what it takes to bring every entry to every node once, which then project
            by themselves.
    """

    gossip: NDArray[np.float64]
    agreed: int | None
    gossip_bytes: int
    projected: float
    projector_bytes: int


def average(
    weight: NDArray[np.float64], partners: Partners, streams: Streams, rounds: int
) -> tuple[list[NDArray[np.float64]], list[int]]:
    """Let random neighbours take their mean, every node once a round at most.

    Args:
        weight: what each node holds, as shares of the flows that there are, shape (N, G).
        partners: who may exchange with whom.
        streams: of draws.
        rounds: how many.

    Returns:
        What each node holds before each round and after the last; exchanges in each round.
    """
    found, made = [weight], []
    for number in range(rounds):
        pairs = partners.draw(streams, number, name="gossip/deck")
        pairs = pairs[pairs[:, 0] != pairs[:, 1]]
        # A pair exchanges if it is the first to name either of its nodes.
        mine = np.arange(len(pairs))
        earliest = np.zeros(partners.vertices, dtype=np.intp)
        # Of several values for one place the last stays, which is here the first pair's.
        earliest[pairs[::-1].reshape(-1)] = np.repeat(mine[::-1], 2)
        kept = pairs[(earliest[pairs] == mine[:, None]).all(axis=1)]
        now = found[-1].copy()
        now[kept] = now[kept].mean(axis=1, keepdims=True)
        found.append(now)
        made.append(len(kept))
    return found, made


def contest(reading: Reading, streams: Streams) -> Contest:
    """Return what gossip and the projector make of the flows that nodes act on."""
    complex_ = reading.complex
    turns = np.array([curl(complex_, flow) for flow in reading.groups])
    gram = turns @ turns.T
    hodge = reading.hodge
    up = int(reading.up.sum())
    lines = len(hodge.state.log.edge)
    projected = reading.projected.curl_norm
    price = _EDGE_BYTES * lines * max(up - 1, 0)
    if len(turns) < 2:
        norm = float(np.sqrt(gram.max(initial=0.0)))
        return Contest(np.full(ROUNDS + 1, norm), 0, 0, projected, price)
    # Who holds what does not matter to the norm, only how many do: they stand in order of seats.
    weight = np.zeros((complex_.vertex_count, len(turns)))
    _, group, sizes = hodge.groups()
    place = np.full(len(sizes), 0, dtype=np.intp)
    place[np.argsort(-sizes, kind="stable")[: len(turns)]] = np.arange(len(turns))
    weight[np.arange(len(group)), np.where(group >= 0, place[group], 0)] = 1.0
    steps, made = average(weight, Partners(complex_), streams, ROUNDS)
    norms = np.array(
        [np.sqrt(np.maximum(np.einsum("ng,gh,nh->n", w, gram, w), 0.0).max()) for w in steps]
    )
    apart = np.array([float(np.ptp(w, axis=0).max()) for w in steps])
    agreed = np.flatnonzero(apart <= _AGREED)
    rounds = int(agreed[0]) if len(agreed) else None
    sent = 2 * 8 * complex_.edge_count * sum(made[:rounds])
    return Contest(norms, rounds, sent, projected, price)


def octets(number: int) -> str:
    """Return a number of bytes as people read it."""
    for size, unit in ((1e6, "MB"), (1e3, "kB")):
        if number >= size:
            return f"{number / size:.3g} {unit}"
    return f"{number} B"


class FlowGossip(Figure):
    """What is left of the curl, round by round."""

    name: ClassVar[str] = "gossip"

    def __init__(self, theme: Theme = "dark") -> None:
        self._last: tuple[object, Contest] | None = None
        layers = {
            "gossip": Layer(self._gossip, self._key),
            "projector": Layer(self._projector, self._key),
            "labels": Layer(self._labels, self._key),
            "empty": Layer(_empty_columns, absent),
        }
        super().__init__(layers, theme)
        self._figure = self._draw(Scale(FLOOR - 0.5, 2.0, MARKS))
        self._price = pane(classes=("flow-foot",), more=("curl",))
        self.view = self.compose(self._figure, self._price)

    def _draw(self, scale: Scale) -> Any:  # noqa: ANN401
        made = chart(self.paint, Range1d(start=0.0, end=float(ROUNDS)), scale, bottom=22)
        axis = add_axis(made, self.paint, "below")
        label_axis(axis, [0.0, 15.0, 30.0], "rounds")
        for name, token in (("gossip", "text3"), ("projector", "gradient")):
            line = Line(x="x", y="y", line_width=2)
            made.add_glyph(self.sources[name], self.paint(line, line_color=token))
        for row, token in enumerate(("text2", "holds-text")):
            source = self.sources["labels"]
            view = _row(row)
            add_text(
                made, self.paint, source, token, view=view,
                text_align={"value": "right"}, y_offset=-11 if row else 11,
            )  # fmt: skip
        add_text(made, self.paint, self.sources["empty"], "text2", text_align={"value": "center"})
        return made

    def _key(self, view: DeckView) -> object:
        reading = read(view)
        if reading is None:
            return None
        lines = len(reading.hodge.state.log.edge)
        return (reading.plan, reading.groups.tobytes(), reading.sizes.tobytes(), lines)

    def _contest(self, view: DeckView) -> Contest | None:
        reading = read(view)
        if reading is None:
            return None
        key = self._key(view)
        if self._last is None or self._last[0] != key:
            self._last = (key, contest(reading, view.sim.network.streams))
        return self._last[1]

    def _gossip(self, view: DeckView) -> Columns:
        found = self._contest(view)
        y = logarithm(found.gossip) if found else np.zeros(0, dtype=np.float32)
        return {"x": np.arange(len(y), dtype=np.float32), "y": y}

    def _projector(self, view: DeckView) -> Columns:
        found = self._contest(view)
        if found is None:
            return no_rows("x", "y")
        y = logarithm(np.array([found.gossip[0], found.projected, found.projected]))
        return {"x": [0.0, 1.0, float(ROUNDS)], "y": y}

    def _labels(self, view: DeckView) -> Columns:
        found = self._contest(view)
        if found is None:
            return no_rows("x", "y", "text", "row")
        left, after = logarithm(np.array([found.gossip[-1], found.projected])).tolist()
        kept = "gossip keeps the curl" if left > -6 else "nothing to mend"
        rows = [(left if left > -6 else -6.0, kept, 0)]
        if left > -6:
            rows.append((after, "projector, one round", 1))
        return {
            "x": [0.98 * ROUNDS] * len(rows),
            "y": [y for y, _, _ in rows],
            "text": [text for _, text, _ in rows],
            "row": [row for _, _, row in rows],
        }

    def headline(self, view: DeckView) -> Headline:
        """Return in how many rounds gossip comes to one flow."""
        found = self._contest(view)
        if found is None or not found.agreed:
            none = found is not None and found.agreed is None
            return Headline("Gossip or project", (Number(f"> {ROUNDS}", "rounds"),) * none)
        return Headline("Gossip or project", (Number(str(found.agreed), "rounds"),))

    def update(self, view: DeckView) -> None:
        """Show a view, and what either way sends."""
        super().update(view)
        found = self._contest(view)
        said = ""
        if found is not None:
            price = ((found.gossip_bytes, "gossip"), (found.projector_bytes, "projector"))
            both = "".join(
                f"<span><b>{octets(sent)}</b> <small>{by}</small></span>" for sent, by in price
            )
            said = f"<div class='row'>{both}</div>"
        put(self._price, said)


def _row(value: int) -> CDSView:
    return CDSView(filter=GroupFilter(column_name="row", group=value))


def _empty_columns(view: DeckView) -> Columns:
    said = absent(view) and "No flow to agree on"
    return {
        "x": [ROUNDS / 2] if said else [],
        "y": [-5.0] if said else [],
        "text": [said] if said else [],
    }

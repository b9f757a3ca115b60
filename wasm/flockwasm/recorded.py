"""What is recorded natively while the site is built: a run to look at, and digests to compare."""

import json
import os
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import flockcore
from flockcore.flock.fields import Component
from flockcore.flock.fixed import ONE
from flockcore.presets import text
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockpit.instruments import map_sides
from flockpit.instruments.base import Columns
from flockpit.instruments.view import DeckView

__all__ = ["EVERY", "digests", "kept_digests", "recording"]

EVERY = 25
"""Ticks between two recorded digests."""
_SHORT = 12
"""Hexadecimal digits kept of each."""
_STEP = 5
"""Ticks between two frames of the recorded run."""
_LEVELS = 10


def recording(name: str = "split-brain", first: int = 150, last: int = 1000) -> dict[str, Any]:
    """Return frames of a real run, small enough to be in the page before Python is up.

    Args:
        name: of the scenario.
        first: tick of the first frame.
        last: tick before which the frames end.
    """
    sim = Simulation(Scenario.load(name))
    sim.run(first)
    places = sim.flock.positions.astype(float)
    elected = sim.flock.elected_peers()
    near = np.repeat(np.arange(len(elected)), elected.shape[1])
    far = elected.reshape(-1)
    pairs = {(min(a, b), max(a, b)) for a, b in zip(near.tolist(), far.tolist(), strict=True)}
    frames: list[dict[str, Any]] = []
    sides: list[int] = []
    shapes = _Shapes([], [], [], "")
    while sim.tick < last:
        frames.append(_frame(sim))
        if frames[-1]["cut"] and not sides:
            sides = sim.flock.sides().tolist()
            shapes = _shapes(sim)
        sim.run(_STEP)
    seen = np.concatenate([places, *shapes.outlines, *shapes.lines])
    low, high = seen.min(axis=0), seen.max(axis=0)
    scale = 1000 / float((high - low).max())

    def small(points: NDArray[np.float64]) -> list[list[int]]:
        return [[round(x), round(y)] for x, y in ((points - low) * scale).tolist()]

    doubt = [index for index, frame in enumerate(frames) if frame["cut"]]
    return {
        "title": f"Recorded run: {sim.scenario.title.lower()}, seed {sim.schedule[0][1]}",
        "extent": [round(value) for value in ((high - low) * scale).tolist()],
        "places": small(places),
        "links": sorted(pair for pair in pairs if pair[0] >= 0),
        "sides": sides or [0] * len(places),
        "outlines": [small(line) for line in shapes.outlines],
        "letters": small(np.array(shapes.letters).reshape(-1, 2)),
        "lines": [small(line) for line in shapes.lines],
        "words": shapes.words,
        "still": doubt[len(doubt) // 8] if doubt else 0,
        "frames": frames,
    }


@dataclass(frozen=True, slots=True)
class _Shapes:
    """What the cockpit's map draws of a cut, in the flock's own plane.

    Attributes:
        outlines: round each side, shape (n, 2) each.
        letters: where each side's letter stands, above its outline.
        lines: where the flock is cut, from above to below, shape (n, 2) each.
        words: since when.
    """

    outlines: list[NDArray[np.float64]]
    letters: list[tuple[float, float]]
    lines: list[NDArray[np.float64]]
    words: str


def _shapes(sim: Simulation) -> _Shapes:
    view = DeckView(sim)
    sides, cut = map_sides.side_columns(view), map_sides.cut_columns(view)
    return _Shapes(
        outlines=_lines(sides),
        letters=list(zip(sides["x"], sides["y"], strict=True)),
        lines=_lines(cut),
        words=map_sides.cut_words(view)[0],
    )


def _lines(columns: Columns) -> list[NDArray[np.float64]]:
    pairs = zip(columns["xs"], columns["ys"], strict=True)
    return [np.stack([x, y], axis=1).astype(np.float64) for x, y in pairs]


def _frame(sim: Simulation) -> dict[str, Any]:
    belief = np.minimum(sim.flock.majority_belief(), 9)
    load = sim.flock.region.values[Component.LOAD] * (_LEVELS - 1) // ONE
    return {
        "ms": sim.now_us // 1000,
        "cut": bool(sim.flock.sides().any()),
        "belief": "".join(map(str, belief.tolist())),
        "field": "".join(map(str, np.clip(load, 0, _LEVELS - 1).tolist())),
    }


def kept_digests(tick_of_page: dict[str, int], cache: Path) -> bytes:
    """Return `digests` as JSON; they are taken anew only when the engine or a scenario changed.

    Args:
        tick_of_page: as for `digests`.
        cache: folder in which they are kept.
    """
    key = sha256(np.__version__.encode() + json.dumps(tick_of_page).encode())
    for path in sorted(Path(flockcore.__file__).parent.rglob("*.py")):
        key.update(path.read_bytes())
    for name in Scenario.names():
        key.update(text(name).encode())
    kept = cache / f"digests-{key.hexdigest()[:16]}.json"
    if not kept.is_file():
        cache.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(digests(tick_of_page), separators=(",", ":")))
        part.replace(kept)
    return kept.read_bytes()


def digests(tick_of_page: dict[str, int]) -> dict[str, dict[str, Any]]:
    """Run every scenario, and return the beginnings of its digests by tick, and its seed.

    Args:
        tick_of_page: for each scenario, a tick more to be recorded.
    """
    made: dict[str, dict[str, Any]] = {}
    for name in Scenario.names():
        sim = Simulation(Scenario.load(name))
        wanted = {*range(0, sim.scenario.ticks + 1, EVERY), tick_of_page[name]}
        found: dict[str, Any] = {"seed": sim.schedule[0][1]}
        for tick in sorted(wanted):
            sim.run(tick - sim.tick)
            found[str(tick)] = sim.digest()[:_SHORT]
        made[name] = found
    return made

"""Which engine a tick's time goes to: exclusive times of the phases, by wrapping them."""

import time
from collections import Counter
from contextlib import contextmanager
from functools import wraps

import flockcore.flock.layer as layer
from flockcore.flock.consensus import Consensus
from flockcore.flock.heartbeat import Heartbeat
from flockcore.flock.topology import Topology
from flockcore.kernel.channel import Channel
from flockcore.kernel.digest import Trail
from flockcore.kernel.history import History
from flockcore.kernel.network import Network

ENGINES = {
    "inbox": [(Channel, "read"), (layer, "sort_mail")],
    "receive": [(layer.Flock, "_read_beats")],
    "heartbeat tick": [(Heartbeat, "tick")],
    "topology": [(layer.Flock, "_notice"), (layer.Flock, "reelect"), (Topology, "tick")],
    "consensus": [
        (layer.Flock, "_read_letters"),
        (Consensus, "tick"),
        (layer.Flock, "_settle"),
        (layer.Flock, "_accuse"),
    ],
    "sense": [(layer.Flock, "_sense_and_publish")],
    "send": [(layer.Flock, "_send_beats")],
    "loss": [(Network, "dispatch")],
    "deliver": [(Channel, "deliver")],
    "statistics": [(layer.Flock, "columns")],
}
"""Phases of a tick, as (owner, name) of their functions. Each is counted without what it calls."""

KEEPING = {"checkpoints": [(History, "offer")], "digests": [(Trail, "record")]}
"""What is done after some ticks only, and not by the flock."""

for _functions in (*ENGINES.values(), *KEEPING.values()):
    for _owner, _name in _functions:
        # A renamed phase is found before minutes of measuring, not after.
        assert callable(getattr(_owner, _name, None)), f"{_owner.__name__} has no {_name}"


class Shares:
    """Time by engine, as long as `watch` is entered.

    Attributes:
        wall: seconds on the wall clock.
        cpu: seconds of this process's processor time, which other work does not stretch as much.
    """

    def __init__(self):
        self.wall, self.cpu = Counter(), Counter()
        self._inner = [(0.0, 0.0)]

    def clear(self):
        """Forget what was counted."""
        self.wall.clear()
        self.cpu.clear()

    @contextmanager
    def watch(self, engines):
        """Wrap the functions of `engines`, and put them back."""
        originals = []
        for engine, functions in engines.items():
            for owner, name in functions:
                originals.append((owner, name, getattr(owner, name)))
                setattr(owner, name, self._timed(engine, originals[-1][2]))
        try:
            yield self
        finally:
            for owner, name, original in originals:
                setattr(owner, name, original)

    def _timed(self, engine, function):
        @wraps(function)
        def timed(*args, **kwargs):
            self._inner.append((0.0, 0.0))
            wall, cpu = time.perf_counter(), time.process_time()
            try:
                return function(*args, **kwargs)
            finally:
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                inner = self._inner.pop()
                self.wall[engine] += wall - inner[0]
                self.cpu[engine] += cpu - inner[1]
                outer = self._inner[-1]
                self._inner[-1] = outer[0] + wall, outer[1] + cpu

        return timed

"""Real runs, seen at one tick or another."""

import pytest

from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockpit.instruments.view import Choice, DeckView, Viewpoint

CUT, HEALED, UNTIL = 200, 900, 1000
"""When the split-brain scenario is cut and healed, and how far it is recorded here."""


class Runs:
    """Recorded runs of scenarios, each made once."""

    def __init__(self):
        self._made = {}

    def at(self, tick, *, name="split-brain", until=UNTIL):
        """Return the run of a scenario, at a tick of it."""
        if name not in self._made:
            self._made[name] = Simulation(Scenario.load(name))
            self._made[name].run(until)
        self._made[name].seek(tick)
        return self._made[name]

    def view(self, tick, *, name="split-brain", until=UNTIL, beside=None, **choice):
        """Return what instruments see of it."""
        return DeckView(self.at(tick, name=name, until=until), Choice(**choice), beside=beside)


@pytest.fixture(scope="session")
def runs():
    return Runs()


@pytest.fixture
def calm(runs):
    return runs.view(CUT - 20)


@pytest.fixture
def split(runs):
    """The flock 60 ticks after the cut, as node 24 at the gap sees it."""
    return runs.view(CUT + 60, selected=(24,), viewpoint=Viewpoint.NODE)

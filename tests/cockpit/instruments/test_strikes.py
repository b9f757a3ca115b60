"""What is outlined on the map when a fault strikes, and for how long."""

import numpy as np
import pytest

from flockcore.kernel.faults import Crash, Cut, Partition
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockpit.instruments.strikes import PULSE_S, Strikes, struck
from flockpit.instruments.view import DeckView


@pytest.fixture
def sim():
    faults = (
        Crash(start=20, nodes=(3, 4)),
        Cut(start=30, source=1, target=2),
        Partition(start=40, groups=((0, 1, 2, 3, 4, 5),)),
    )
    return Simulation(Scenario(nodes=12, ticks=100, title="Small", faults=faults))


@pytest.mark.parametrize(
    ("tick", "since", "nodes", "cut"),
    [(19, 0, [], False), (20, 19, [3, 4], False), (30, 20, [1, 2], False), (40, 35, [], True)],
)
def test_who_was_struck(sim, tick, since, nodes, cut):
    sim.run_to(tick)
    found, was_cut = struck(DeckView(sim), since)
    assert found.tolist() == nodes
    assert was_cut == cut


def test_an_outline_shows_for_its_moment_alone(sim):
    now = [7.0]
    strikes = Strikes(lambda: now[0])
    for tick in (19, 20):
        sim.run_to(tick)
        strikes.look(DeckView(sim))
    assert len(strikes.places(DeckView(sim))["x"]) == 2
    now[0] += PULSE_S
    assert not len(strikes.places(DeckView(sim))["x"])
    assert strikes.key() is None


def test_a_cut_outlines_its_sides(sim):
    strikes = Strikes(lambda: 1.0)
    for tick in (39, 41):
        sim.run_to(tick)
        strikes.look(DeckView(sim))
    assert len(strikes.outlines(DeckView(sim))["xs"]) == 2
    assert np.isfinite(strikes.outlines(DeckView(sim))["xs"][0]).all()


def test_going_back_strikes_nobody(sim):
    strikes = Strikes(lambda: 1.0)
    for tick in (50, 25):
        sim.seek(tick)
        strikes.look(DeckView(sim))
    assert strikes.rest == 0.0

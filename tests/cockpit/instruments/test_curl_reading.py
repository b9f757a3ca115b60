"""What the Curl deck's instruments say of real runs."""

import numpy as np
import pytest
from bokeh.document import Document
from bokeh.models import Range1d
from hypothesis import given
from hypothesis import strategies as st

from flockcore.hodge.complex import Complex
from flockcore.hodge.gossip import Partners
from flockcore.hodge.operators import curl, divergence
from flockcore.kernel.faults import Crash, Write
from flockcore.kernel.rng import Streams
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockpit.instruments import flow_norm
from flockpit.instruments.figures import sample_ticks
from flockpit.instruments.flow_gossip import ROUNDS, FlowGossip, average, contest, octets
from flockpit.instruments.flow_map import FlowMap
from flockpit.instruments.flow_norm import FLOOR, CurlNorm, logarithm, power
from flockpit.instruments.flow_queues import FlowQueues, chosen_rows, spread
from flockpit.instruments.flow_reading import NOTHING, absent, parts_of, read
from flockpit.instruments.flow_residual import FlowResidual, curves
from flockpit.instruments.flow_share import FlowShare, edge_rows, signed
from flockpit.instruments.flow_words import head, size
from flockpit.instruments.time_axis import TimeAxis
from flockpit.instruments.view import Choice, DeckView, Flow

STORM, HOLE, HOT = "curl-storm", "harmonic-hole", "hot-node"


def at(runs, tick, name=STORM, **choice):
    return runs.view(tick, name=name, until=1000, **choice)


@pytest.fixture
def healed(runs):
    """60 ms after the heal: both sides hold what the other wrote."""
    return at(runs, 760)


# ---------------------------------------------------------------- whose flow, and its parts


def test_the_largest_group_is_shown_unless_a_node_is_selected(runs):
    view = at(runs, 400)
    reading = read(view)
    assert reading.versions == 2
    assert int(reading.same.sum()) == 20
    other = int(np.flatnonzero(~reading.same)[0])
    chosen = read(at(runs, 400, selected=(other,)))
    assert chosen.node == other
    assert not (chosen.same & reading.same).any()
    assert not np.array_equal(chosen.held.flow, reading.held.flow)
    assert "n" in head(at(runs, 400, selected=(other,)))


def test_the_parts_add_up_and_are_solved_for_once(healed):
    reading = read(healed)
    held = reading.held
    assert np.allclose(held.gradient + held.curl + held.harmonic, held.flow, atol=1e-8)
    assert parts_of(reading.plan, held.flow.copy()) is held
    assert sum(held.shares) == pytest.approx(1.0)


def test_the_three_flows_share_one_scale(healed):
    reading = read(healed)
    flows = [reading.shown(flow).flow for flow in Flow]
    assert reading.largest == max(float(np.abs(flow).max()) for flow in flows)
    assert reading.projected.curl_norm < 1e-9
    assert reading.mean.curl_norm > 1.0


def test_projecting_keeps_what_every_node_takes_and_gives(healed):
    reading = read(healed)
    before, after = (
        divergence(reading.complex, flow) for flow in (reading.held.flow, reading.projected.flow)
    )
    assert np.allclose(before, after, atol=1e-9)


def test_rounding_is_no_flow(runs):
    reading = read(at(runs, 550, HOT))
    assert reading.largest == 0.0
    assert reading.held.shares == (0.0, 0.0, 0.0)
    assert "All flows are 0" in FlowShare().html(at(runs, 550, HOT))


def test_nothing_written_and_a_flock_too_large_are_told(runs):
    assert absent(at(runs, 50)) == NOTHING
    mesh = FlowMap()
    mesh.update(at(runs, 50))
    assert "Write a conflict" in mesh._empty.object
    crowd = Simulation(Scenario(nodes=1001, ticks=2, title="Crowd"))
    view = DeckView(crowd, layer="hodge")
    assert "2 to 1,000 nodes; this one has 1,001" in absent(view)
    for instrument in (FlowMap(), FlowGossip(), FlowResidual(), FlowShare(), FlowQueues()):
        instrument.update(view)


def test_a_flock_of_the_dead_holds_no_flow():
    sim = Simulation(Scenario(nodes=4, ticks=20, title="Few", k=3))
    sim.inject(Write(node=0, path=(0, 1, 2)))
    sim.run(2)
    sim.inject(Crash(nodes=(0, 1, 2, 3)))
    sim.run(2)
    view = DeckView(sim, layer="hodge")
    assert absent(view).startswith("No node runs")
    for instrument in (FlowMap(), FlowGossip(), FlowResidual(), FlowShare(), FlowQueues()):
        instrument.update(view)


# ---------------------------------------------------------------- the curl norm over time


def test_the_norm_rises_at_the_heal_and_falls_when_it_is_mended(runs):
    view = at(runs, 990)
    found = flow_norm.columns(view)
    ticks = sample_ticks(view.recorded_until)
    exponent = dict(zip(ticks.tolist(), found["held"].tolist(), strict=True))

    def near(tick):
        return exponent[min(exponent, key=lambda one: abs(one - tick))]

    assert near(690) == FLOOR
    assert near(760) > 0.0
    assert near(950) == FLOOR
    assert (found["written"][ticks > 700] > 0).all()


def test_powers_and_sizes_are_written_as_people_read_them():
    assert power(-12) == "10⁻¹²"
    assert logarithm(np.array([0.0, 1e-30, 100.0])).tolist() == [FLOOR, FLOOR, 2.0]
    assert [size(n) for n in (0.0, 5e-7, 2e-5, 1.23456, 21.3)] == [
        "0",
        "0",
        "2e-05",
        "1.23",
        "21.3",
    ]
    assert [octets(n) for n in (0, 999, 13_100, 2_500_000)] == ["0 B", "999 B", "13.1 kB", "2.5 MB"]
    assert [signed(x) for x in (0.001, 0.5, -0.25)] == ["0.00", "+0.50", "−0.25"]


# ---------------------------------------------------------------- gossip beside the projector


def test_gossip_agrees_and_keeps_the_curl_of_the_mean(healed):
    reading = read(healed)
    streams = healed.sim.network.streams
    found = contest(reading, streams)
    again = contest(reading, streams)
    assert np.array_equal(found.gossip, again.gossip), "the same seed, the same rounds"
    assert len(found.gossip) == ROUNDS + 1
    norms = [float(np.linalg.norm(curl(reading.complex, flow))) for flow in reading.groups]
    assert found.gossip[0] == pytest.approx(max(norms))
    assert (np.diff(found.gossip) <= 1e-9).all(), "an average is never sharper than its sharpest"
    # What averaging keeps: a node's own share may be off, the mean over all nodes is not.
    assert found.gossip[-1] >= reading.mean.curl_norm * (1 - 1e-9)
    assert found.projected < 1e-9
    assert 0 < found.projector_bytes < found.gossip_bytes


def test_nodes_that_agree_already_send_nothing(runs):
    found = contest(read(at(runs, 350, HOLE)), at(runs, 350, HOLE).sim.network.streams)
    assert found.agreed == 0
    assert found.gossip_bytes == 0
    assert np.ptp(found.gossip) == 0.0


# ---------------------------------------------------------------- residual, shares, queues


def test_the_residual_ends_within_the_tolerance(healed):
    drawn = [curve for curve in curves(read(healed).held) if len(curve["x"])]
    assert drawn
    for curve in drawn:
        assert curve["y"][0] == 0.0
        assert curve["y"][-1] <= -12.0
    passes = max(len(curve["x"]) for curve in drawn) - 1
    instrument = FlowResidual()
    instrument.update(healed)
    assert f"<b>{passes}</b> <small>passes" in instrument._price.object


def test_where_there_is_nothing_to_solve_there_is_no_curve(runs):
    potentials, streams = curves(read(at(runs, 300, "bowtie-conflict")).held)
    assert not len(potentials["x"]), "a flow round triangles has no gradient part"
    assert len(streams["x"])
    mended = FlowResidual()
    mended.update(at(runs, 520, HOLE))
    assert "<b>0</b> <small>passes" in mended._price.object


def test_the_hole_keeps_its_flow(runs):
    view = at(runs, 520, HOLE)
    reading = read(view)
    assert reading.holes == 1
    assert reading.held.shares == pytest.approx((0.0, 0.0, 1.0), abs=1e-9)
    assert "harmonic 2.19 round 1 hole stays" in head(view)
    assert "harmonic flow stays" in FlowShare().html(view)


def test_the_largest_edges_point_the_way_they_flow(runs):
    reading = read(at(runs, 350, HOLE))
    rows = edge_rows(reading, 5)
    sizes = [max(row.reported, abs(row.projected)) for row in rows]
    assert sizes == sorted(sizes, reverse=True)
    for row in rows:
        edge, sign = reading.complex.find_edges([row.tail], [row.head])
        assert sign[0] * reading.held.flow[edge[0]] == pytest.approx(row.reported)
        assert sign[0] * reading.projected.flow[edge[0]] == pytest.approx(row.projected)
        assert row.reported >= 0.0
        assert sum(row.parts) == pytest.approx(1.0)


def test_balancing_evens_queues_out_and_projecting_does_not(runs):
    view = at(runs, 850, HOT)
    reading = read(view)
    found, up = reading.evening, reading.up
    assert spread(found.balanced, up) < 1e-6
    assert spread(found.projected, up) == pytest.approx(spread(found.now, up), rel=1e-6)
    assert chosen_rows(found, up)[0] == 12, "the hot one comes first"
    assert chosen_rows(found, np.zeros_like(up)) == []
    text = FlowQueues().html(view)
    assert "what is hot stays hot" in text
    assert "n12" in text


def test_a_solver_that_stops_early_is_told(healed, monkeypatch):
    reading = read(healed)
    solved = reading.held.solved
    one = solved.solutions[1]
    monkeypatch.setattr(type(one), "converged", False, raising=False)
    assert "The solver stopped after" in head(healed)


# ---------------------------------------------------------------- nothing is sent twice


def test_a_flow_that_stays_is_not_sent_again(runs):
    sent = []
    mesh = FlowMap()
    mesh.update(at(runs, 750))
    names = {source.id: name for name, source in mesh.sources.items()}
    document = Document()
    document.add_root(mesh._figure)
    document.on_change(lambda event: sent.append(names.get(event.model.id)))
    mesh.update(at(runs, 760))
    assert sent == []
    mesh.update(at(runs, 760, flow=Flow.GOSSIP))
    assert {"filled", "lane curl"} <= set(sent)
    assert not {"mesh", "edges", "node same"} & set(sent)


@pytest.mark.parametrize("tick", [50, 400, 690, 760, 910])
def test_every_instrument_shows_every_moment(runs, tick):
    view = at(runs, tick)
    axis = TimeAxis(Range1d(start=0, end=1))
    every = (FlowMap(), CurlNorm(axis), FlowGossip(), FlowResidual(), FlowShare(), FlowQueues())
    for instrument in every:
        instrument.update(view)
        instrument.apply_theme("light")
        instrument.update(view)


def test_choices_begin_with_the_reported_flow():
    assert Choice().flow is Flow.REPORTED
    assert Choice().triangle is None


@given(st.integers(0, 2**32 - 1))
def test_a_round_of_averaging_and_its_slow_twin(seed):
    rng = np.random.default_rng(seed)
    complex_ = Complex.flag(np.array([(a, b) for a in range(7) for b in range(a + 1, 7)]))
    weight = rng.random((7, 2))
    partners, streams = Partners(complex_), Streams([(0, seed)])
    steps, made = average(weight, partners, streams, 2)
    expected = weight.copy()
    for number in range(2):
        busy, before, exchanges = set(), expected.copy(), 0
        for one, other in partners.draw(streams, number, name="gossip/deck").tolist():
            if not {one, other} & busy:
                expected[[one, other]] = (before[one] + before[other]) / 2
                exchanges += 1
            busy |= {one, other}
        assert exchanges == made[number]
        assert np.allclose(steps[number + 1], expected)

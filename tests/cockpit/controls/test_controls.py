"""Panels of widgets: they follow the script, and what they do is a fault in it."""

import pytest

from flockcore.kernel.faults import Clear, Delay, Heal, Loss, Partition, SetNeighbours
from flockcore.scenario import NetworkOptions, Scenario
from flockpit.controls.faults import FaultPanel
from flockpit.controls.nodes import NodePanel
from flockpit.controls.overlays import Overlays
from flockpit.controls.partition import PartitionControl, one_way_pairs
from flockpit.session import Session


@pytest.fixture
def session():
    session = Session(Scenario(nodes=12, ticks=400, title="Small", seed=2))
    session.sim.run(30)
    return session


def run(session, ticks=1):
    session.sim.run(ticks)


def injected(session):
    return list(session.sim.injected)


# ---------------------------------------------------------------- partition


@pytest.fixture
def partition(session):
    return PartitionControl(session)


def test_halves_are_cut_at_the_next_tick(session, partition):
    partition.cut("A | B")
    (cut,) = injected(session)
    assert cut.start == 31
    assert sorted(node for group in cut.groups for node in group) == list(range(12))
    partition.update()
    assert partition.shape_of(partition.holding()) == "A | B"


def test_another_shape_takes_the_place_of_the_first(session, partition):
    partition.cut("A | B")
    run(session)
    partition.cut("3 ways")
    assert [fault.kind_name for fault in injected(session)] == ["partition", "heal", "partition"]
    run(session)
    assert partition.shape_of(partition.holding()) == "3 ways"
    assert len(partition.holding()) == 1


def test_isolation_needs_a_selection(session, partition):
    partition.cut("Isolate")
    assert session.notice.refused
    partition.selected = (3, 5)
    partition.cut("Isolate")
    (cut,) = injected(session)
    assert cut.groups == ((3,), (5,))
    assert partition.shape_of(partition.holding()) == "Isolate"


def test_the_lasso_waits_for_nodes_to_be_drawn_round(session, partition):
    partition.cut("Lasso")
    assert partition.armed
    assert injected(session) == []
    partition.draw((1, 2, 3))
    assert injected(session)[-1].groups == ((1, 2, 3),)
    run(session)
    partition.draw((3, 4))
    assert injected(session)[-1].groups == ((1, 2), (3, 4))
    assert partition.shape_of(partition.holding()) == "Lasso"


def test_the_lasso_takes_nodes_that_are_already_selected(session, partition):
    partition.selected = (4, 5, 6)
    partition.cut("Lasso")
    assert injected(session)[-1].groups == ((4, 5, 6),)


def test_one_way_turns_a_cut_that_holds(session, partition):
    partition.cut("A | B")
    run(session)
    partition.turn()
    heal, cut = injected(session)[-2:]
    assert isinstance(heal, Heal)
    assert len(cut.one_way) == 1
    run(session)
    partition.turn()
    assert injected(session)[-1].one_way == ()


@pytest.mark.parametrize(
    ("groups", "pairs"),
    [
        (((0, 1), (2, 3)), ((0, 1),)),
        (((0,), (1,), (2, 3)), ((0, 1), (1, 2), (2, 0))),
        (((0,),), ((0, 1),)),
        (((0,), (1,)), ((0, 2), (1, 2))),
    ],
)
def test_who_falls_silent_to_whom(groups, pairs):
    assert one_way_pairs(groups, 4) == pairs


def test_healing_nothing_is_refused(session, partition):
    partition.heal()
    assert session.notice.refused
    partition.cut("A | B")
    run(session)
    partition.heal()
    run(session)
    assert partition.holding() == []


def test_the_proof_counts_what_was_stopped(session, partition):
    partition.cut("A | B")
    run(session, 25)
    partition.update()
    dropped = session.sim.network.touched[-1]
    assert dropped > 0
    assert f"{dropped:,}" in partition._counts.object
    assert "<b>0</b><span>crossed" in partition._counts.object


# ---------------------------------------------------------------- sliders


@pytest.fixture
def panel(session):
    return FaultPanel(session)


def move(knob, value):
    """Do what the page does when a handle is let go."""
    import param

    with param.edit_constant(knob._slider):
        knob._slider.param.update(value=value, value_throttled=value)


def test_a_slider_sets_its_fault_and_replaces_the_one_that_holds(session, panel):
    loss = panel._knobs[0]
    move(loss, 20)
    assert injected(session) == [Loss(start=31, probability=0.2)]
    run(session)
    move(loss, 5)
    assert injected(session)[1:] == [Clear(start=32, kind="loss"), Loss(start=32, probability=0.05)]
    run(session)
    move(loss, 0)
    run(session)
    assert loss._now() == 0


def test_a_slider_follows_the_script_without_injecting(session, panel):
    loss = panel._knobs[0]
    move(loss, 20)
    run(session, 10)
    session.sim.seek(10)
    panel.update()
    assert loss._slider.value == 0
    session.sim.seek(35)
    panel.update()
    assert loss._slider.value == 20
    assert len(injected(session)) == 1
    move(loss, 10)
    assert len(injected(session)) == 3


def test_the_networks_own_loss_is_on_the_slider():
    session = Session(Scenario(nodes=8, title="Small", network=NetworkOptions(loss=0.02)))
    panel = FaultPanel(session)
    session.sim.run(3)
    panel.update()
    assert panel._knobs[0]._slider.value == 2


def test_delay_has_a_fixed_part_and_a_mean(session, panel):
    move(panel._knobs[1], (4, 10))
    assert injected(session) == [Delay(start=31, min_us=4000, mean_us=6000)]
    run(session)
    panel.update()
    assert "4 + 6 ms" in panel._knobs[1]._label.object
    assert "p99 32 ms" in panel._knobs[1]._count.object


def test_the_number_of_neighbours_is_a_command(session, panel):
    neighbours = panel._knobs[-1]
    move(neighbours, 5)
    assert injected(session) == [SetNeighbours(start=31, k=5)]
    run(session)
    panel.update()
    assert neighbours._now() == 5
    assert session.sim.flock.elected_peers().shape[1] == 5


def test_undo_is_offered_when_there_is_something_to_undo(session, panel):
    panel.update()
    assert "data-do" not in panel._head.object
    session.inject(Partition(groups=((1,),)))
    panel.update()
    assert "data-do='undo'" in panel._head.object


# ---------------------------------------------------------------- nodes


@pytest.fixture
def nodes(session):
    panel = NodePanel(session, "inspector")
    panel.selected = (4, 7)
    return panel


def kinds(session):
    return [fault.kind_name for fault in session.sim.injected]


def test_nodes_go_down_and_come_back(session, nodes):
    nodes.crash()
    run(session)
    nodes.restart()
    run(session)
    assert kinds(session) == ["crash", "restart"]
    assert session.sim.world.up.all()


def test_a_restart_of_a_node_that_is_up_is_a_crash_of_one_tick(session, nodes):
    nodes.restart()
    assert kinds(session) == ["crash"]
    run(session, 2)
    assert session.sim.world.incarnation[[4, 7]].tolist() == [1, 1]


def test_pause_becomes_resume(session, nodes):
    nodes.pause()
    run(session)
    nodes.update()
    assert nodes._pause.label == "Resume"
    nodes.pause()
    run(session)
    assert kinds(session) == ["pause", "resume"]


def test_leave_becomes_join(session, nodes):
    nodes.leave()
    run(session)
    nodes.update()
    assert nodes._leave.label == "Join"
    nodes.leave()
    assert kinds(session) == ["leave", "join", "join"]
    run(session)
    assert not session.sim.world.absent.any()


def test_slow_and_lying_nodes(session, nodes):
    nodes.slow()
    nodes.lie()
    assert kinds(session) == ["slow", "equivocate"]


def test_a_ballot_is_proposed_and_inhibited(session, nodes):
    nodes.inhibit()
    assert session.notice.refused
    nodes.propose()
    run(session)
    nodes.selected = (7, 4)
    nodes.inhibit()
    assert kinds(session) == ["propose", "inhibit"]
    propose, inhibit = session.sim.injected
    assert inhibit.proposer == propose.node == 4


def test_someone_proposes_when_nobody_is_selected(session, nodes):
    nodes.selected = ()
    nodes.propose()
    assert kinds(session) == ["propose"]


@pytest.mark.parametrize("deed", ["crash", "pause", "restart", "leave", "slow", "lie"])
def test_without_a_selection_nothing_is_done(session, nodes, deed):
    nodes.selected = ()
    getattr(nodes, deed)()
    assert session.notice.refused
    assert session.sim.injected == ()
    nodes.update()
    assert all(widget.disabled for widget in nodes._first)


# ---------------------------------------------------------------- overlays


def test_a_notice_is_shown_with_what_can_be_done(session):
    overlays = Overlays(session)
    session.inject(Partition(groups=((1,),)))
    overlays.update()
    assert overlays._notice.visible
    assert "data-do='undo'" in overlays._notice.object
    session.dismiss()
    overlays.update()
    assert not overlays._notice.visible


def test_a_failure_shows_its_last_line_to_copy_and_the_way_back(session):
    overlays = Overlays(session)
    try:
        raise ValueError("<b>bold</b>")
    except ValueError as error:
        session.fail("painting", error)
    overlays.update()
    shown = overlays._failure.object
    assert "ValueError: &lt;b&gt;bold&lt;/b&gt;" in shown
    assert "data-do='recover'" in shown
    assert "Traceback" in shown


def test_the_sheet_lists_every_key(session):
    from flockpit.actions import ACTIONS

    overlays = Overlays(session)
    assert all(action.text in overlays._keys.object for action in ACTIONS if "|" not in action.text)

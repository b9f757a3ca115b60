"""What becomes of copies: every fault bites, counts, and depends on its own draws alone."""

import numpy as np
import pytest

from flockcore.kernel.faults import (
    Cut,
    Delay,
    Duplicate,
    Fault,
    Flap,
    Heal,
    Loss,
    Partition,
    Reorder,
)
from flockcore.kernel.mail import FanOut
from flockcore.kernel.network import Network
from flockcore.kernel.rng import Streams
from flockcore.kernel.script import Script

NODES = 40
SOURCE = np.repeat(np.arange(NODES), NODES)
TARGET = np.tile(np.arange(NODES), NODES)


def network(*faults: Fault, tick: int = 1, seed: int = 5) -> Network:
    script = Script(faults)
    made = Network(nodes=NODES, streams=Streams([(0, seed)]), tick_us=1_000)
    made.hold(script.links(tick), len(script))
    return made


COPIES = FanOut.along(TARGET * NODES + SOURCE, np.arange(len(SOURCE)), SOURCE, NODES)


def sent(made: Network, kind: int = 1, tick: int = 1) -> tuple[np.ndarray, np.ndarray]:
    fate = made.dispatch(COPIES, kind=kind, tick=tick)
    index = np.arange(len(SOURCE)) if fate.index is None else fate.index
    ticks = np.zeros(len(index), dtype=np.int64) if fate.ticks is None else fate.ticks
    return index, ticks


def test_a_calm_network_changes_nothing() -> None:
    fate = network().dispatch(COPIES, kind=1, tick=1)
    assert fate.index is None
    assert fate.ticks is None


def test_loss_drops_its_share_and_counts_it() -> None:
    made = network(Loss(start=1, probability=0.3))
    index, _ = sent(made)
    lost = len(SOURCE) - len(index)
    assert 0.25 < lost / len(SOURCE) < 0.35
    assert made.touched.tolist() == [lost]
    assert made.passed.tolist() == [len(index)]


def test_draws_differ_by_kind_tick_fault_and_seed_only() -> None:
    loss = Loss(start=1, probability=0.3)
    base = sent(network(loss))[0]
    assert np.array_equal(sent(network(loss))[0], base)
    assert not np.array_equal(sent(network(loss), kind=2)[0], base)
    assert not np.array_equal(sent(network(loss), tick=2)[0], base)
    assert not np.array_equal(sent(network(loss, seed=6))[0], base)
    doubled = sent(network(loss, Loss(start=1, probability=0.3)))[0]
    assert len(doubled) < len(base)
    assert set(doubled) < set(base)


def test_a_draw_does_not_depend_on_the_batch() -> None:
    made = network(Loss(start=1, probability=0.3))
    whole = set(sent(made)[0].tolist())
    half = np.arange(0, len(SOURCE), 2)
    fate = made.dispatch(COPIES.take(half), kind=1, tick=1)
    assert fate.index is not None
    assert set(half[fate.index].tolist()) == whole & set(half.tolist())


def test_loss_on_chosen_links_leaves_the_others_alone() -> None:
    made = network(Loss(start=1, probability=1.0, sources=(3,), targets=(4, 5)))
    index, _ = sent(made)
    gone = np.setdiff1d(np.arange(len(SOURCE)), index)
    assert set(zip(SOURCE[gone].tolist(), TARGET[gone].tolist(), strict=True)) == {(3, 4), (3, 5)}
    assert made.touched.tolist() == [2]
    assert made.passed.tolist() == [0]


def test_duplicates_come_a_tick_later() -> None:
    made = network(Duplicate(start=1, probability=0.2))
    index, ticks = sent(made)
    extra = len(index) - len(SOURCE)
    assert 0.15 < extra / len(SOURCE) < 0.25
    assert made.repeats
    assert made.touched.tolist() == [extra]
    assert np.array_equal(np.sort(index[ticks == 0]), np.arange(len(SOURCE)))
    assert np.array_equal(index[ticks == 1], np.sort(index[ticks == 1]))


def test_delay_has_its_least_and_its_mean() -> None:
    _, ticks = sent(network(Delay(start=1, min_us=4_000, mean_us=6_000)))
    assert ticks.min() == 5  # four, and something more, rounded up to whole ticks
    assert abs(ticks.mean() - 10.5) < 0.7


def test_a_fixed_delay_is_rounded_up() -> None:
    _, ticks = sent(network(Delay(start=1, min_us=1_500)))
    assert set(ticks.tolist()) == {2}


def test_reorder_holds_back_its_share() -> None:
    made = network(Reorder(start=1, probability=0.1, by_us=3_000))
    _, ticks = sent(made)
    assert set(ticks.tolist()) == {0, 3}
    assert 0.07 < np.mean(ticks == 3) < 0.13
    assert made.touched[0] == np.count_nonzero(ticks)


def test_a_partition_stops_all_between_sides_and_nothing_within() -> None:
    made = network(Partition(start=1, groups=(tuple(range(10)), tuple(range(10, 25)))))
    side = np.digitize(np.arange(NODES), [10, 25])
    passing = made.cross(SOURCE, TARGET)
    assert passing is not None
    assert np.array_equal(passing, side[SOURCE] == side[TARGET])
    assert made.touched[0] == np.count_nonzero(~passing)
    assert made.passed[0] == 0
    assert len(set(made.sides().tolist())) == 3


def test_a_one_way_partition_counts_what_crossed() -> None:
    made = network(Partition(start=1, groups=((0, 1),), one_way=((0, 1),)))
    passing = made.cross(SOURCE, TARGET)
    assert passing is not None
    from_a = (SOURCE < 2) & (TARGET >= 2)
    assert np.array_equal(passing, ~from_a)
    assert made.touched[0] == np.count_nonzero(from_a)
    assert made.passed[0] == np.count_nonzero((SOURCE >= 2) & (TARGET < 2))


@pytest.mark.parametrize(("both", "stopped"), [(True, {(3, 8), (8, 3)}), (False, {(3, 8)})])
def test_a_cut_stops_one_link(both: bool, stopped: set[tuple[int, int]]) -> None:
    made = network(Cut(start=1, source=3, target=8, both=both))
    passing = made.cross(SOURCE, TARGET)
    assert passing is not None
    shut = set(zip(SOURCE[~passing].tolist(), TARGET[~passing].tolist(), strict=True))
    assert shut == stopped
    assert np.array_equal(made.open(SOURCE, TARGET), passing)


def test_partitions_compose() -> None:
    made = network(
        Partition(start=1, groups=(tuple(range(20)),)),
        Partition(start=1, groups=(tuple(range(0, NODES, 2)),)),
    )
    label = made.sides()
    passing = made.open(SOURCE, TARGET)
    assert np.array_equal(passing, label[SOURCE] == label[TARGET])
    assert len(set(label.tolist())) == 4


def test_counters_survive_a_growing_script() -> None:
    loss = Loss(start=1, probability=0.5)
    made = network(loss)
    sent(made)
    before = made.touched[0]
    script = Script([loss, Cut(start=2, source=0, target=1)])
    made.hold(script.links(2), len(script))
    assert made.touched.tolist() == [before, 0]


def test_heal_clear_until_and_flap_end_faults() -> None:
    cut = Cut(start=5, source=0, target=1)
    script = Script([cut, Heal(start=9), Loss(start=2, until=4, probability=0.5)])
    assert [len(script.links(t)) for t in (1, 2, 3, 4, 5, 8, 9)] == [0, 1, 1, 0, 1, 1, 0]
    flap = Script([Flap(start=10, fault=cut, on=2, off=3, times=2)])
    assert [bool(flap.links(t)) for t in range(10, 20)] == [
        True, True, False, False, False, True, True, False, False, False,
    ]  # fmt: skip
    assert [span.start for span in flap.begins(15)] == [15]
    assert [span.stop for span in flap.ends(17)] == [17]


def test_a_replayed_loss_rule_replaces_drawn_loss() -> None:
    made = Network(
        nodes=NODES,
        streams=Streams([(0, 1)]),
        tick_us=1_000,
        loss_rule=lambda source, target, tick: (source + target + tick) % 7 == 0,
    )
    fate = made.dispatch(COPIES, kind=1, tick=3)
    assert fate.index is not None
    assert np.array_equal(fate.index, np.flatnonzero((SOURCE + TARGET + 3) % 7 != 0))

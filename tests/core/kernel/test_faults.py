"""Fault records: reading, writing, checking, unrolling, and their words."""

import json
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.flock.codes import ProposalKind
from flockcore.kernel import faults as f
from flockcore.kernel.fault_text import EXPLANATIONS, describe, label

NODES = 20

node = st.integers(0, NODES - 1)
some_nodes = st.lists(node, min_size=1, max_size=8, unique=True)
any_nodes = st.lists(node, max_size=8, unique=True)
share = st.floats(0, 1)
times = st.integers(0, 10**6)
spans = st.sampled_from([{}, {"start": 3}, {"start": 3, "until": 9}, {"until": 40}])
starts = st.sampled_from([{}, {"start": 3}])


def build(cls, when, **keys):
    return st.builds(lambda span, values: cls(**span, **values), when, st.fixed_dictionaries(keys))


plain_lasting = st.one_of(
    build(
        f.Partition,
        st.just({}),
        groups=st.just(((0, 1, 2), (3,))),
        one_way=st.sampled_from([(), ((0, 1),), ((2, 0), (1, 2))]),
    ),
    build(
        f.Cut, st.just({}), source=node, target=st.integers(NODES, 2 * NODES), both=st.booleans()
    ),
    build(f.Loss, st.just({}), probability=share, sources=any_nodes, targets=any_nodes),
    build(f.Delay, st.just({}), min_us=times, mean_us=times, sources=any_nodes),
    build(f.Duplicate, st.just({}), probability=share, targets=any_nodes),
    build(f.Reorder, st.just({}), probability=share, by_us=times),
    build(f.Crash, st.just({}), nodes=some_nodes),
    build(f.Pause, st.just({}), nodes=some_nodes),
    build(f.Slow, st.just({}), nodes=some_nodes, every=st.integers(2, 100)),
    build(f.Equivocate, st.just({}), nodes=some_nodes, ballot=st.none() | st.integers(1, 9)),
)
flaps = build(
    f.Flap,
    spans,
    fault=plain_lasting,
    on=st.integers(1, 20),
    off=st.integers(1, 20),
    times=st.integers(1, 9),
)
momentary = st.one_of(
    build(f.Restart, starts, nodes=some_nodes),
    build(f.Resume, starts, nodes=some_nodes),
    build(f.Join, starts, node=node, x=st.integers(-100, 100), y=st.integers(-100, 100)),
    build(f.Leave, starts, nodes=some_nodes),
    build(f.Heal, starts),
    build(f.Clear, starts, kind=st.sampled_from(["loss", "crash", "flap"])),
    build(
        f.Propose,
        starts,
        node=node,
        kind=st.integers(0, 20),
        data=st.integers(0, 2**32 - 1),
        threshold=st.integers(1, 65536),
    ),
    build(f.Inhibit, starts, node=node, proposer=node, ballot=st.integers(1, 65535)),
    build(f.SetField, starts, node=node, component=st.integers(0, 5), value=share),
    build(f.SetNeighbours, starts, k=st.integers(3, 15)),
    build(f.AddTask, starts, node=node, deadline_us=st.none() | times, period_us=times),
    build(f.Lift, starts, node=node),
)
dated_lasting = st.builds(lambda span, fault: replace(fault, **span), spans, plain_lasting)
records = st.one_of(dated_lasting, flaps, momentary)


@given(records)
def test_a_record_survives_being_written(fault):
    table = f.to_dict(fault)
    assert f.from_dict(json.loads(json.dumps(table))) == fault
    assert table["kind"] == fault.kind_name
    f.validate(fault, 3 * NODES)


@given(records)
def test_a_record_has_words(fault):
    sentence = describe(fault)
    assert sentence[0].isupper() or sentence[0].isdigit()
    assert sentence.endswith(".")
    assert 0 < len(label(fault)) < 60


def test_every_kind_is_explained_and_no_other():
    assert set(EXPLANATIONS) == set(f.KINDS)
    assert all(text.endswith(".") for text in EXPLANATIONS.values())


def test_names_stand_for_the_numbers_of_the_flock_layer():
    assert {kind.name.lower(): int(kind) for kind in ProposalKind} == f.PROPOSALS
    given_names = f.from_dict(
        {"kind": "propose", "node": 1, "proposal": "quarantine", "threshold": "two_thirds"}
    )
    assert given_names == f.Propose(node=1, kind=4, threshold=f.TWO_THIRDS)
    assert f.from_dict(
        {"kind": "set_field", "node": 1, "component": "power", "value": 1}
    ) == f.SetField(node=1, component=2, value=1.0)


def test_lists_spans_and_numpy_numbers_become_tuples_of_plain_numbers():
    fault = f.Crash(nodes=np.array([3, 1]))
    assert fault.nodes == (3, 1)
    assert all(type(n) is int for n in fault.nodes)
    assert f.Crash(nodes=["2-5", 9, "11"]).nodes == (2, 3, 4, 5, 9, 11)
    assert f.Crash(nodes="0-2").nodes == (0, 1, 2)
    assert f.to_dict(f.Crash(nodes=(2, 3, 4, 5, 9, 10))) == {
        "kind": "crash",
        "nodes": ["2-5", 9, 10],
    }
    assert f.Partition(groups=[range(3), [7]]).groups == ((0, 1, 2), (7,))


@given(flaps, st.integers(1, 100))
def test_a_flap_unrolls_into_its_times_on(flap, start):
    flap = replace(flap, start=start, until=flap.until and start + flap.until)
    parts = f.expand(flap)
    last = start + flap.times * (flap.on + flap.off) + 50
    for tick in range(start - 1, last):
        cycle, place = divmod(tick - start, flap.on + flap.off)
        on = 0 <= cycle < flap.times and place < flap.on
        on = on and (flap.until is None or tick < flap.until)
        assert sum(part.start <= tick < part.until for part in parts) == on
    assert all(part.start < part.until for part in parts)


def test_everything_but_a_flap_stands_for_itself():
    crash = f.Crash(nodes=(1,))
    assert f.expand(crash) == (crash,)
    with pytest.raises(FlockError, match="start is not set"):
        f.expand(f.Flap(fault=crash, on=1, off=1, times=1))


@pytest.mark.parametrize(
    ("table", "words"),
    [
        ({"kind": "partiton"}, '"partition"'),
        ({"kind": 3}, "3 is unknown"),
        ({}, "None is unknown"),
        ([], "a table with a kind"),
        ({"kind": "partition", "group": [[1]]}, '"groups"'),
        ({"kind": "loss"}, "'probability' is missing"),
        ({"kind": "loss", "probability": "much"}, "a number from 0 to 1"),
        ({"kind": "crash", "nodes": 3}, "a list of one or more"),
        ({"kind": "crash", "nodes": [1.5]}, "1.5"),
        ({"kind": "crash", "nodes": [True]}, "True"),
        ({"kind": "crash", "nodes": "0-999999999"}, "spans"),
        ({"kind": "crash", "nodes": "5-2"}, "spans"),
        ({"kind": "propose", "node": 1, "proposal": "party"}, "mode_change"),
        ({"kind": "flap", "fault": {"kind": "los"}, "on": 1, "off": 1, "times": 1}, '"loss"'),
        ({"kind": "flap", "fault": 7, "on": 1, "off": 1, "times": 1}, "7"),
        ({"kind": "cut", "source": 1, "target": 2, "both": 1}, "true or false"),
        ({"kind": "clear", "what": 1}, "a text"),
    ],
)
def test_a_table_that_is_no_record_is_refused_by_name(table, words):
    with pytest.raises(FlockError, match=re.escape(words)):
        f.from_dict(table)


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (f.Crash(nodes=(20,)), "node 20 does not exist; allowed is a list of one or more"),
        (f.Crash(nodes=(20,)), "from 0 to 19"),
        (f.Crash(nodes=()), "no node is named"),
        (f.Crash(nodes=(1, 1)), "twice"),
        (f.Loss(probability=float("nan")), "not a number"),
        (f.Loss(probability=1.01), "from 0 to 1"),
        (f.Loss(probability=0.5, targets=(-1,)), "node -1"),
        (f.Partition(groups=()), "no group"),
        (f.Partition(groups=((1,), ())), "group 1 is empty"),
        (f.Partition(groups=((1,), (1,))), "twice"),
        (f.Partition(groups=((1,),), one_way=((0, 2),)), "from 0 to 1"),
        (f.Partition(groups=((1,),), one_way=((0, 0),)), "different groups"),
        (f.Delay(min_us=-1), "from 0"),
        (f.Slow(nodes=(1,), every=1), "from 2"),
        (f.Cut(source=1, target=40), "node 40"),
        (f.Cut(source=3, target=3), "both 3"),
        (f.Propose(node=1, threshold=0), "from 1 to 65536"),
        (f.Inhibit(node=1, proposer=2, ballot=0), "from 1"),
        (f.SetNeighbours(k=16), "from 3 to 15"),
        (f.SetField(node=1, component=6, value=0.5), "load"),
        (f.AddTask(node=1, priority=256), "from 0 to 255"),
        (f.Join(node=1, x=40_000, y=0), "32767"),
        (f.Heal(until=3), "start alone"),
        (f.Crash(nodes=(1,), start=5, until=5), "later than start"),
        (f.Crash(nodes=(1,), start=0), "from 1"),
        (f.Clear(kind="los"), '"loss"'),
        (f.Clear(kind="heal"), "allowed are partition"),
        (f.Flap(fault=f.Heal(), on=1, off=1, times=1), "lasting"),
        (f.Flap(fault=f.Crash(nodes=(1,), start=3), on=1, off=1, times=1), "of its own"),
        (f.Flap(fault=f.Crash(nodes=(99,)), on=1, off=1, times=1), "node 99"),
        (f.Flap(fault=f.Crash(nodes=(1,)), on=0, off=1, times=1), "from 1"),
    ],
)
def test_a_record_that_does_not_fit_the_flock_is_refused_by_name(fault, words):
    with pytest.raises(FlockError, match=re.escape(words)) as caught:
        f.validate(fault, NODES)
    assert "llowed" in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "sentence", "short"),
    [
        (
            f.Partition(groups=((0, 1),)),
            "Cut nodes 0 and 1 off from everyone else.",
            "partition 2",
        ),
        (
            f.Partition(groups=((0, 1), (2,)), one_way=((0, 1),)),
            "Stop traffic from group 0 to group 1; the other direction still works.",
            "one-way partition",
        ),
        (f.Crash(nodes=(7,)), "Crash node 7: silent at once, inbox lost.", "crash 7"),
        (f.Loss(probability=0.2), "Lose 20 % of the messages on every link.", "loss 20 %"),
        (
            f.Slow(nodes=(7,), every=20),
            "Node 7 runs only every 20 ticks.",
            "slow 7 1 in 20",
        ),
        (
            f.Delay(min_us=4_000, mean_us=6_000, sources=(3,)),
            "Delay messages on the way from node 3 to any node by 4 ms plus 6 ms on average.",
            "delay 4 ms",
        ),
        (
            f.Propose(node=4, kind=1, data=80),
            "Node 4 proposes POWER_LIMIT 80; approved by more than half of its voters.",
            "propose 4",
        ),
        (f.SetField(node=4, component=0, value=1.0), "Node 4 sets its load to 1.", "load 4 = 1"),
    ],
)
def test_words(fault, sentence, short):
    assert describe(fault) == sentence
    assert label(fault) == short


ONE_OF_EACH = (
    f.Partition(groups=((0, 1, 2), (3,))),
    f.Cut(source=1, target=2),
    f.Cut(source=1, target=2, both=False),
    f.Loss(probability=0.5, sources=tuple(range(9)), targets=(1, 2)),
    f.Delay(min_us=4_000),
    f.Duplicate(probability=0.01),
    f.Reorder(probability=0.01, by_us=5_000),
    f.Flap(fault=f.Cut(source=1, target=2), on=3, off=4, times=5),
    f.Crash(nodes=(1, 2, 3, 4)),
    f.Restart(nodes=(1,)),
    f.Pause(nodes=(1, 2)),
    f.Resume(nodes=(1, 2)),
    f.Slow(nodes=(1, 2), every=3),
    f.Equivocate(nodes=(1,)),
    f.Equivocate(nodes=(1, 2), ballot=7),
    f.Join(node=1, x=10, y=20),
    f.Leave(nodes=(1,)),
    f.Leave(nodes=(1, 2)),
    f.Heal(),
    f.Clear(kind="loss"),
    f.Propose(node=1, kind=99, threshold=43_908),
    f.Inhibit(node=1, proposer=2, ballot=3),
    f.SetField(node=1, component=1, value=0.25),
    f.SetNeighbours(k=5),
    f.AddTask(node=1),
    f.AddTask(node=1, period_us=10_000, deadline_us=2_000_000),
    f.Lift(node=1),
    f.Write(node=1, path=(1, 2, 3)),
    f.Write(node=1, path=(1, 2, 3), shape="path"),
    f.Write(node=1, path=(1, 2, 3), shape="star"),
    f.Storm(),
    f.Mend(),
    f.Reconcile(),
    f.Reconcile(aim="balance"),
    f.Provision(),
    f.Provision(policy="threshold", ready=5, early=True),
    f.Provision(policy="max_failures", failed=2),
    f.Require(),
    f.Require(policy="combined", ready=5, failed=2),
)


def test_no_two_records_have_the_same_words():
    assert {type(fault) for fault in ONE_OF_EACH} == set(f.KINDS.values())
    assert len({describe(fault) for fault in ONE_OF_EACH}) == len(ONE_OF_EACH)
    assert all(label(fault) for fault in ONE_OF_EACH)

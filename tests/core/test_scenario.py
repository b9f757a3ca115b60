"""Scenarios: the nine that come with the package, reading and writing, and every refusal."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore import presets, toml_text
from flockcore.errors import FlockError
from flockcore.flock.options import FlockOptions
from flockcore.kernel.faults import Crash, Cut, Flap, Partition, Propose, expand, validate
from flockcore.resize import resize_nodes
from flockcore.scenario import MAX_NODES, NetworkOptions, Scenario, TourStop

NAMES = (
    "calm-flock",
    "split-brain",
    "one-way-cut",
    "three-way-split",
    "flapping-link",
    "slow-observer",
    "rolling-crash",
    "ballot-storm",
    "equivocator",
)


def test_the_nine_scenarios_are_there_in_the_order_of_the_story():
    assert Scenario.names()[: len(NAMES)] == NAMES


@pytest.mark.parametrize("name", Scenario.names())
def test_a_scenario_of_the_package_is_complete(name):
    scenario = Scenario.load(name)
    assert scenario.name == name
    assert scenario.title
    assert scenario.summary.endswith(".")
    assert 2 <= len(scenario.watch) <= 5
    assert all(sentence.endswith(".") for sentence in scenario.watch)
    assert scenario.faults
    assert Scenario.from_toml(scenario.to_toml()) == scenario


@pytest.mark.parametrize("name", Scenario.names())
def test_a_tour_stops_within_the_run_and_in_order(name):
    scenario = Scenario.load(name)
    ticks = [stop.tick for stop in scenario.tour]
    assert 4 <= len(ticks) <= 7
    assert ticks == sorted(set(ticks))
    assert ticks[0] >= 1
    assert ticks[-1] <= scenario.ticks
    for stop in scenario.tour:
        assert 0 < len(stop.title) <= 40
        assert stop.text.endswith(".")
        assert len(re.findall(r"[.?!](?: |$)", stop.text)) <= 3, stop.text


@pytest.mark.parametrize("name", Scenario.names())
def test_a_script_ends_within_the_run_and_begins_early(name):
    scenario = Scenario.load(name)
    parts = [part for fault in scenario.faults for part in expand(fault)]
    starts = [part.start for part in parts]
    assert None not in starts
    assert min(starts) <= 400
    assert max(part.until or part.start for part in parts) <= scenario.ticks


@pytest.mark.parametrize("name", Scenario.names())
@pytest.mark.parametrize("nodes", [30, 61, 1000])
def test_a_scenario_can_be_told_with_another_number_of_nodes(name, nodes):
    scenario = Scenario.load(name)
    if scenario.positions:
        with pytest.raises(FlockError, match="explicit positions"):
            scenario.resized(nodes)
        return
    resized = scenario.resized(nodes)
    assert resized.nodes == nodes
    assert len(resized.faults) == len(scenario.faults)
    for fault in resized.faults:
        validate(fault, nodes)
    assert scenario.resized(scenario.nodes) is scenario


def test_a_new_scenario_has_the_documented_defaults():
    scenario = Scenario()
    assert (scenario.tick_us, scenario.period_us, scenario.k) == (1_000, 10_000, 7)
    assert scenario.period_ticks == 10
    assert scenario.heard == 59
    assert scenario.to_dict() == {}


@pytest.mark.parametrize(("nodes", "least"), [(1, 1), (2, 1), (3, 2), (4, 3), (60, 3)])
def test_small_flocks_need_fewer_neighbours(nodes, least):
    assert Scenario(nodes=nodes).min_neighbours == least
    wide = Scenario(nodes=nodes, flock=FlockOptions(min_neighbours=2))
    assert wide.min_neighbours == 2


scenarios = st.builds(
    Scenario,
    title=st.text(max_size=20),
    watch=st.lists(st.text(max_size=10), max_size=3),
    nodes=st.integers(5, 70),
    seed=st.integers(0, 2**53 - 1),
    k=st.integers(3, 15),
    metric=st.sampled_from(["logical", "physical", "latency"]),
    layout=st.sampled_from(["blob", "ring", "grid"]),
    absent=st.lists(st.integers(0, 4), max_size=3, unique=True),
    network=st.builds(NetworkOptions, loss=st.floats(0, 1), delay_mean_us=st.integers(0, 10**6)),
    flock=st.builds(
        FlockOptions,
        inbox_limit=st.none() | st.integers(1, 500),
        announce_results=st.booleans(),
        decay=st.sampled_from(["rational", "exponential"]),
        component_decay=st.sampled_from([(), ({"component": "power", "tau_us": 5},)]),
    ),
    faults=st.sampled_from(
        [
            (),
            (Crash(nodes=(1, 2), start=5),),
            (Flap(fault=Cut(source=1, target=2), on=3, off=4, times=2, start=9),),
            (Partition(groups=((0, 1), (2,)), one_way=((0, 2),)), Propose(node=3, kind=4)),
        ]
    ),
    tour=st.lists(
        st.builds(TourStop, tick=st.integers(0, 99), title=st.text(), text=st.text()), max_size=2
    ),
)


@pytest.mark.slow
@given(scenarios)
def test_a_scenario_survives_being_written(scenario):
    assert Scenario.from_toml(scenario.to_toml()) == scenario
    assert Scenario.from_dict(scenario.to_dict()) == scenario
    assert Scenario.from_toml(scenario.to_toml()).fingerprint == scenario.fingerprint


@pytest.mark.slow
@given(scenarios, scenarios)
def test_a_fingerprint_stands_for_the_content(first, second):
    assert (first.fingerprint == second.fingerprint) == (first == second)


REFUSED = [
    ("nodez = 3", "'nodez' is unknown; did you mean \"nodes\""),
    ("nodes = 0", "an empty flock; allowed is a whole number from 1"),
    ("nodes = -4", "an empty flock"),
    (
        "nodes = 1_000_000_000",
        f"8,000.0 GB of memory; allowed is a whole number from 1 to {MAX_NODES}",
    ),
    ("nodes = 0.5", "nodes is 0.5"),
    ("nodes = nan", "nodes is nan"),
    ('nodes = "many"', "'many'; allowed is a whole number"),
    ("nodes = true", "nodes is True"),
    ("k = 2", "from 3 to 15"),
    ("k = 16", "from 3 to 15"),
    ("seed = -1", "seed is -1"),
    ("tick_us = 0", "tick_us is 0"),
    ("ticks = 0", "ticks is 0"),
    ("period_us = 500", "a period of one tick or longer"),
    ("tick_us = 10_000", "59 peers"),
    ("tick_us = 10_000", "16 messages per tick * 10000 us period / 10000 us tick = 16"),
    ("tick_us = 10_000", "a reach of 16 or less"),
    ("k = 9\nreach = 8", "reach is 8 and k is 9"),
    ("reach = 64", "from 1 to 63"),
    ('metric = "phisical"', 'did you mean "physical"'),
    ('layout = "explicit"', "0 positions"),
    ("positions = [[1, 2]]", "1 positions"),
    ('nodes = 2\nlayout = "explicit"\npositions = [[1, 2]]', "1 positions for 2 nodes"),
    ('nodes = 1\nlayout = "explicit"\npositions = [[1, 40000]]', "off the plane"),
    ('nodes = 1\nlayout = "explicit"\npositions = [[1]]', "one [x, y] per node"),
    ("nodes = 2\nabsent = [0, 1]", "absent names all 2 nodes"),
    ("absent = [60]", "node 60 does not exist"),
    ("watch = 'one'", "a list of texts"),
    ("title = 3", "title is 3"),
    ("network = 3", "network is 3"),
    ("[network]\nloss = nan", "loss is nan: this is not a number"),
    ("[network]\nloss = 1.5", "loss is 1.5"),
    ("[network]\ndelay_min = 5", 'did you mean "delay_min_us"'),
    ("[network]\ndelay_min_us = 0.5", "delay_min_us is 0.5"),
    ("[flock]\nregio = 'live'", 'did you mean "region"'),
    ("[flock]\nregion = 'life'", 'did you mean "live"'),
    ("[flock]\ntimeout_count = 0", "from 1 to 255"),
    ("[flock]\nmin_neighbours = 8", "min_neighbours is 8 and k is 7"),
    ("[flock]\nannounce_results = 1", "true or false"),
    ("[[flock.component_decay]]\ncomponent = 'lod'", 'did you mean "load"'),
    ("faults = 3", "a list of faults"),
    ("[[faults]]\nkind = 'crash'\nnodes = [60]", "faults[0]: crash: nodes is [60]"),
    ("[[faults]]\nkind = 'cras'", "faults[0]: fault kind 'cras'"),
    ("[[tour]]\ntick = 1\ntitle = 'a'", "tour[0]: key 'text' is missing"),
    ("[[tour]]\ntick = 1\ntitle = 'a'\ntext = 'b'\nfocus = 60", "tour[0]: focus is 60"),
    ("[[tour]]\ntick = 1\ntitle = 'a'\ntext = 'b'\nview = 'mapp'", 'did you mean "map"'),
    ("nodes = ", "not valid TOML"),
    ("nodes = 3\n\nk 7", "line 3"),
]


@pytest.mark.parametrize(("text", "words"), REFUSED)
def test_a_document_that_is_no_scenario_is_refused_by_name(text, words):
    with pytest.raises(FlockError, match=re.escape(words)):
        Scenario.from_toml(text)


def test_an_unknown_scenario_is_refused_with_the_nearest_name():
    with pytest.raises(FlockError, match='did you mean "split-brain"'):
        Scenario.load("split-brian")
    for name in ("../../../etc/passwd", "calm-flock.toml", ""):
        with pytest.raises(FlockError, match="does not exist"):
            Scenario.load(name)


def test_a_change_is_checked_like_everything_else():
    scenario = Scenario(nodes=10, faults=[Crash(nodes=[9])])
    assert scenario.replace(seed=5).seed == 5
    with pytest.raises(FlockError, match="node 9 does not exist"):
        scenario.replace(nodes=9)
    with pytest.raises(FlockError, match='did you mean "seed"'):
        scenario.replace(seeds=5)


def test_the_largest_flock_is_allowed():
    assert Scenario(nodes=MAX_NODES).heard == 63
    with pytest.raises(FlockError, match="GB"):
        Scenario(nodes=MAX_NODES + 1)


def test_a_flock_with_explicit_positions_keeps_its_size():
    placed = Scenario(nodes=2, layout="explicit", positions=[[0, 0], [5, 5]])
    with pytest.raises(FlockError, match="2 explicit positions"):
        placed.resized(3)


def test_halves_stay_halves_and_single_nodes_single():
    split = Scenario(
        nodes=48,
        faults=[
            Partition(groups=["0-23", "24-47"]),
            Crash(nodes=[23]),
            Flap(fault=Cut(source=23, target=24), on=1, off=1, times=1),
            Propose(node=0, kind=4, data=47),
        ],
        absent=["40-47"],
    )
    more = split.resized(96)
    halves, crash, flap, quarantine = more.faults
    assert halves.groups == (tuple(range(48)), tuple(range(48, 96)))
    assert crash.nodes == (47,)
    assert (flap.fault.source, flap.fault.target) == (47, 49)
    assert quarantine.data == 95
    assert more.absent == tuple(range(80, 96))
    fewer = split.resized(3)
    assert fewer.faults[0].groups == ((0,), (1, 2))
    assert fewer.faults[2].fault == Cut(source=1, target=2)
    with pytest.raises(FlockError, match="both 0"):
        Scenario(nodes=4, faults=[Cut(source=0, target=1)]).resized(1)


@given(
    st.integers(1, 200).flatmap(
        lambda old: st.tuples(
            st.just(old),
            st.integers(1, 400),
            st.sets(st.integers(0, old - 1), min_size=1, max_size=20),
        )
    )
)
def test_resized_nodes_exist(case):
    old, new, nodes = case
    found = resize_nodes(nodes, old, new)
    assert found
    assert all(0 <= node < new for node in found)
    assert list(found) == sorted(set(found))
    if new >= old:
        assert len(found) >= len(nodes)


def test_every_option_of_the_original_differs_from_ours_in_name_only_where_it_says_so():
    original = FlockOptions.upstream()
    assert original != FlockOptions()
    assert FlockOptions.upstream(announce_results=True).announce_results
    assert not original.announce_results
    assert original.inhibit_from == "anyone"


def test_toml_has_no_form_for_nothing():
    with pytest.raises(TypeError, match="NoneType"):
        toml_text.write({"a": None})


def test_keys_that_are_no_bare_words_are_quoted():
    assert toml_text.write({"a b": 1, "c": {"d.e": True}}) == '"a b" = 1\n\n[c]\n"d.e" = true\n'


def test_without_a_folder_there_are_no_scenarios(tmp_path, monkeypatch):
    monkeypatch.setattr(presets, "_folder", lambda: tmp_path / "nowhere")
    assert presets.names() == ()
    with pytest.raises(FlockError, match="does not exist"):
        presets.text("calm-flock")


def test_a_scenario_beside_the_story_comes_last(tmp_path, monkeypatch):
    for name in ("zebra", "calm-flock", "ape"):
        (tmp_path / f"{name}.toml").write_text("nodes = 3")
    monkeypatch.setattr(presets, "_folder", lambda: tmp_path)
    assert presets.names() == ("calm-flock", "ape", "zebra")


def test_the_scenarios_of_an_installed_package_are_its_own(tmp_path, monkeypatch):
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "packed.toml").write_text("nodes = 3")
    monkeypatch.setattr(presets, "files", lambda package: tmp_path)
    assert Scenario.names() == ("packed",)
    assert Scenario.load("packed").nodes == 3

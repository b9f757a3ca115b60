"""The table of tags does what it says, and skips no more than agreed."""

import json
from types import SimpleNamespace

import pytest

import golden
from golden import FILES, OWN_VECTORS, POLICY, Handling, cases, load, tally

SKIPPED_AT_MOST = {"consensus": 25, "module": 7, "multi": 5, "ballot_eval": 0, "evidence": 0}
KEPT = {"Q09s", "Q09t", "Q17", "Q28"}
RELAXED = {"Q14", "Q15", "Q22", "W23"}
OPTION = {"Q06", "Q08", "Q10", "Q23", "Q33", "W1", "W15"}
SKIPPED = {"Q05", "Q07", "Q12", "Q16", "Q18", "Q20", "Q21", "Q01", "Q02", "Q03", "L1"}


def write(folder, name, *tags_of_cases):
    folder = folder / "ekk"
    folder.mkdir(exist_ok=True)
    listed = [{"kind": "row", "quirks": list(tags)} for tags in tags_of_cases]
    (folder / f"{name}.json").write_text(json.dumps({"cases": listed}))


def test_every_tag_has_its_rule():
    for tags, handling in [
        (KEPT, Handling.KEPT),
        (RELAXED, Handling.RELAXED),
        (OPTION, Handling.OPTION),
        (SKIPPED, Handling.SKIPPED),
    ]:
        assert {tag for tag, rule in POLICY.items() if rule.handling is handling} == tags
    assert POLICY["Q06"].for_file("multi") is Handling.RELAXED
    assert [tag for tag, rule in POLICY.items() if rule.only] == ["Q06"]


@pytest.mark.parametrize("name", FILES)
def test_the_copy_here_skips_no_more_than_agreed(name):
    loaded = load(name, OWN_VECTORS)
    assert loaded
    skipped = [case for case in loaded if case.skipped]
    assert len(skipped) <= SKIPPED_AT_MOST.get(name, len(loaded))
    assert len(skipped) < len(loaded)
    assert all(case.tags & SKIPPED for case in skipped)
    assert not any(case.skipped for case in loaded if not case.tags)


def test_the_corrected_wiring_is_compared_row_for_row():
    wired = [case for case in load("multi", OWN_VECTORS) if case.data["glue"]]
    assert len(wired) == 5
    assert all(case.data["name"].endswith("_glued") for case in wired)
    assert not any(case.skipped for case in wired)
    assert set().union(*(case.relaxed for case in wired)) == {"Q06", "Q15"}


def test_consensus_always_takes_inhibitions_from_anyone():
    loaded = load("consensus", OWN_VECTORS)
    assert all("Q10" in case.options for case in loaded)
    assert {tag for case in loaded for tag in case.options} == {"Q06", "Q08", "Q10", "Q33"}
    assert not any(case.relaxed for case in loaded)


def test_another_folder_takes_the_place_of_the_copy(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOCKPIT_VECTORS", str(tmp_path))
    write(tmp_path, "field", [], ["Q20"])
    open_case, closed_case = cases("field")
    assert open_case.id == "field[0] row"
    assert not open_case.marks
    assert closed_case.id == "field[1] row Q20"
    assert [mark.name for mark in closed_case.marks] == ["skip"]
    assert "Q20" in closed_case.marks[0].kwargs["reason"]
    assert not any(one.marks for one in cases("field", skip=False))


def test_a_missing_file_is_skipped_by_name(tmp_path, monkeypatch):
    monkeypatch.setenv("FLOCKPIT_VECTORS", str(tmp_path))
    (only,) = cases("heartbeat")
    assert only.id == "heartbeat missing"
    assert "heartbeat.json is missing" in only.marks[0].kwargs["reason"]


def test_an_unknown_tag_is_an_error(tmp_path):
    write(tmp_path, "field", ["Q99"])
    with pytest.raises(ValueError, match=r"no rule for Q99; add it to POLICY"):
        load("field", tmp_path)


def report(case, outcome, when="call"):
    item = SimpleNamespace(callspec=SimpleNamespace(params={"case": case}), user_properties=[])
    golden.note([item, SimpleNamespace(user_properties=[])])
    return SimpleNamespace(user_properties=item.user_properties, outcome=outcome, when=when)


def test_the_tally_counts_a_case_once_by_its_worst_outcome():
    def case(name, index, *tags):
        return golden.Case(name, index, {}, frozenset(tags))

    lines = tally(
        [
            report(case("consensus", 0), "passed", when="setup"),
            report(case("consensus", 0), "passed"),
            report(case("consensus", 1, "Q05"), "skipped", when="setup"),
            report(case("consensus", 1, "Q05"), "passed"),
            report(case("heartbeat", 0, "Q22"), "passed"),
            report(case("heartbeat", 1), "passed"),
            report(case("heartbeat", 1), "failed"),
        ]
    )
    assert lines == [
        "heartbeat    passed   0  relaxed   1  skipped   0  FAILED   1",
        "consensus    passed   1  relaxed   0  skipped   1  (1 with the original's options)",
    ]
    assert tally([SimpleNamespace()]) == []

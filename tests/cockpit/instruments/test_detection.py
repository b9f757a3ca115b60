import numpy as np
import pytest

from flockcore.kernel.faults import Crash
from flockpit.instruments import detection
from flockpit.instruments.detection import Detection
from flockpit.instruments.view import Choice, DeckView


@pytest.fixture(scope="module")
def crashed(runs):
    sim = runs.at(150).fork()
    sim.inject(Crash(nodes=(5,)))
    sim.run(140)
    return sim


def test_every_observer_notices_a_crash_after_the_timeout(crashed):
    crashed.seek(199)
    found = detection.find(DeckView(crashed))
    assert found.expected == 47
    assert found.outages.subject.tolist() == [5]
    crashed.seek(290)
    found = detection.find(DeckView(crashed))
    assert len(found.detections.delay) == 47
    assert 40 <= found.milliseconds(0.5) <= 75
    assert found.milliseconds(0.5) <= found.milliseconds(0.99) <= found.milliseconds(1.0)
    assert found.detections.first[0] * found.tick_ms <= found.milliseconds(0.5)


def test_the_line_ends_at_all_observers_and_the_dots_lie_on_it(crashed):
    crashed.seek(290)
    view = DeckView(crashed)
    line, dots = detection.columns(view), detection.dot_columns(view)
    assert line["y"][-1] == pytest.approx(100.0)
    for x, y in zip(dots["x"], dots["y"], strict=True):
        at = np.searchsorted(line["x"], x, "right") - 1
        assert line["y"][at] == pytest.approx(y)


def test_what_the_cut_makes_them_say_is_false_and_dotted(split):
    found = detection.find(split)
    assert not len(found.outages)
    assert len(found.false_delay) == 48 * 24
    assert detection.false_columns(split)["y"][-1] == pytest.approx(100 * 24 / 47)
    assert not len(detection.columns(split)["x"])


def test_one_subject_can_be_chosen(crashed):
    crashed.seek(290)
    assert len(detection.find(DeckView(crashed, Choice(subject=5))).outages) == 1
    assert not len(detection.find(DeckView(crashed, Choice(subject=6))).outages)


def test_the_future_is_not_counted(crashed):
    crashed.seek(160)
    assert not len(detection.find(DeckView(crashed)).detections.delay)


def test_the_card_says_who_is_down_and_who_knows(crashed):
    crashed.seek(290)
    view = DeckView(crashed)
    made = Detection()
    made.update(view)
    assert made.headline(view).numbers[0].unit == "47 of 47"
    assert [number.unit for number in detection.numbers(view)] == ["p50 ms", "p95", "p99", "max"]
    assert detection.extremes(view).startswith("n05: first observer ")
    assert "dotted" in made._below.object


def test_what_a_truncated_log_no_longer_knows_is_said(crashed, monkeypatch):
    crashed.seek(290)
    monkeypatch.setattr(crashed.records.logs["health"], "first_tick", 250)
    made = Detection()
    made.update(DeckView(crashed))
    assert "before tick 250" in made._below.object
    assert not len(detection.find(DeckView(crashed)).outages)


def test_while_nobody_is_down_the_card_offers_to_crash_one(calm):
    made = Detection()
    made.update(calm)
    assert "data-do='crash'" in made._below.object
    assert detection.numbers(calm) == ()

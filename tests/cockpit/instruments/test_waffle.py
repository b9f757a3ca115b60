"""Squares of hosts: where they stand, whom a click means, what they say."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.barrier.codes import Host
from flockcore.kernel.faults import Provision
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation
from flockpit.instruments.view import DeckView
from flockpit.instruments.waffle import Waffle
from flockpit.instruments.waffle_shapes import Grid, Square, fit, squares

ROOM = st.tuples(st.integers(120, 900), st.integers(90, 400))


@given(st.integers(1, 1000), ROOM)
def test_all_squares_are_inside_and_none_lies_on_another(hosts, room):
    grid = fit(hosts, *room, most=46.0)
    places, side = grid.places(hosts), grid.side
    assert (places - side / 2 >= 0).all()
    assert (places + side / 2 <= np.array(room)).all()
    assert len(np.unique(places.round(6), axis=0)) == hosts
    assert grid.pitch > side
    assert grid.columns * grid.rows >= hosts


@given(st.integers(1, 1000), ROOM)
def test_a_click_into_a_square_means_its_host(hosts, room):
    grid = fit(hosts, *room, most=46.0)
    chosen = [0, hosts // 2, hosts - 1]
    places = grid.places(hosts)
    assert [grid.at(*places[host], hosts) for host in chosen] == chosen


@pytest.mark.parametrize("place", [(2, 8), (8, 2), (64, 8), (48, 28)])
def test_a_click_beside_the_squares_means_nobody(place):
    assert Grid(3, 2, 20.0).at(*place, 5) is None


def test_squares_are_as_large_as_they_can_be():
    for hosts in (3, 48, 90, 200, 1000):
        width, height = 420.0, 160.0
        grid = fit(hosts, width, height, most=34.0)
        slow = max(
            min((width - 6) / columns, (height - 6) / -(-hosts // columns), 34.0)
            for columns in range(1, hosts + 1)
        )
        assert grid.pitch == pytest.approx(int(slow) if slow >= 4 else slow)


def test_labels_go_where_they_do_not_fit():
    assert fit(60, 420, 160, most=34.0).labelled(60)
    assert not fit(1000, 420, 160, most=34.0).labelled(1000)


def test_what_a_square_says():
    word = np.array([Host.READY, Host.READY, Host.FAILED, 0, 0, 0, Host.READY], dtype=np.uint8)
    truth = np.array([Host.READY, 0, Host.FAILED, 0, Host.READY, Host.FAILED, Host.FAILED])
    false = (word == Host.READY) & (truth != Host.READY)
    said = [Square.READY, Square.FALSE, Square.FAILED, Square.DUE]
    said += [Square.HELD, Square.HELD, Square.FALSE]
    assert squares(word, truth.astype(np.uint8), false).tolist() == said


# ---------------------------------------------------------------- on a real run

LATE = {"name": "late-report", "until": 1400}


def shown(view):
    waffle = Waffle()
    waffle.update(view)
    return waffle


def test_each_host_has_one_square(runs):
    for tick in (0, 130, 500, 749, 1100):
        waffle = shown(runs.view(tick, **LATE))
        assert sum(len(waffle.sources[one.name].data["x"]) for one in Square) == 60


def test_the_false_ready_are_those_that_crashed(runs):
    waffle = shown(runs.view(749, **LATE))
    assert waffle.sources["label surface"].data["text"] == ["08", "12", "17", "21", "26"]
    assert "CONVERGE" in waffle.line.object
    assert "the controller sits on n00" in waffle.line.object


def test_a_click_selects_and_a_click_beside_selects_nobody(runs):
    chosen = []
    waffle = Waffle(lambda hosts, more: chosen.append((hosts, more)))
    waffle.update(runs.view(749, **LATE))

    x, y = waffle._grid.places(60)[17]
    waffle._tapped(SimpleNamespace(x=x, y=y, modifiers={"shift": True}))
    waffle._tapped(SimpleNamespace(x=-4.0, y=y, modifiers=None))
    assert chosen == [((17,), True), ((), False)]


def test_squares_find_other_places_when_the_card_has_another_size(runs):
    asked, view = [], runs.view(749, **LATE)
    waffle = Waffle(resized=lambda: asked.append(1))
    waffle.update(view)
    waffle._resized("inner_width", 420, 300.0)
    waffle._resized("inner_width", 300, 300.0)
    assert asked == [1]
    waffle.update(view)
    right = max(max(waffle.sources[one.name].data["x"], default=0) for one in Square)
    assert right <= waffle._figure.x_range.end == 300.0


def test_without_a_provisioning_the_card_offers_one(runs):
    waffle = shown(runs.view(180))
    assert "data-do='provision'" in waffle._empty.object
    assert "not provisioned" in waffle.line.object


def test_the_page_says_how_much_room_there_is(runs):
    waffle = shown(runs.view(749, **LATE))
    before = waffle._grid.pitch
    waffle._resized("inner_width", None, 900.0)
    waffle._resized("inner_height", None, 300.0)
    waffle.update(runs.view(749, **LATE))
    assert waffle._grid.pitch > before
    assert (waffle._figure.x_range.end, waffle._figure.y_range.start) == (900.0, 300.0)


def test_a_provisioning_that_is_about_to_begin_is_told():
    sim = Simulation(Scenario(nodes=8, ticks=100, seed=1))
    sim.inject(Provision())
    assert "from the next tick on" in shown(DeckView(sim))._empty.object
    sim.run(1)
    assert shown(DeckView(sim))._empty.object == ""

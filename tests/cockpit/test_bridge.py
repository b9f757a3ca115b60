"""Python's end of the bridge."""

import asyncio

from flockpit.actions import ACTIONS, action_of
from flockpit.bridge import NAME, Link


def test_the_script_finds_the_model_by_its_name():
    assert Link().model.name == NAME


def test_gestures_are_heard_once_and_in_order():
    link, heard = Link(), []
    link.on("key", lambda details: heard.append(details["key"]))
    link.model.gestures = [[1, "key", {"key": "a"}], [2, "key", {"key": "b"}]]
    link.model.gestures = [[2, "key", {"key": "b"}], [3, "key", {"key": "c"}]]
    assert heard == ["a", "b", "c"]
    assert link.model.heard == 3


def test_unknown_gestures_are_passed_over():
    link = Link()
    link.model.gestures = [[1, "wave", {}]]
    assert link.model.heard == 1


def test_orders_are_numbered_and_old_ones_fall_off():
    link = Link()
    for number in range(40):
        link.order("copy", text=str(number))
    numbers = [number for number, _, _ in link.model.orders]
    assert numbers == list(range(25, 41))
    assert link.model.orders[-1] == [40, "copy", {"text": "39"}]


def test_a_frame_is_waited_for_until_the_page_has_painted_it():
    async def scene():
        link = Link()
        link.next_frame()
        waiting = asyncio.ensure_future(link.painted(5.0))
        await asyncio.sleep(0)
        assert not waiting.done()
        link.model.painted = link.model.frame
        assert await waiting

    asyncio.run(scene())


def test_an_acknowledgement_that_came_before_the_waiting_counts():
    async def scene():
        link = Link()
        link.next_frame()
        link.model.painted = 1
        return await link.painted(5.0)

    assert asyncio.run(scene())


def test_an_old_acknowledgement_does_not_count():
    async def scene():
        link = Link()
        link.next_frame()
        link.next_frame()
        link.model.painted = 1
        return await link.painted(0.01)

    assert not asyncio.run(scene())


def test_a_frame_may_be_on_its_way():
    async def scene():
        link = Link()
        painted = []
        link.on_painted = lambda: painted.append(link.model.painted)
        link.next_frame()
        link.next_frame()
        waiting = asyncio.ensure_future(link.painted(5.0, ahead=1))
        await asyncio.sleep(0)
        assert not waiting.done()
        link.model.painted = 1
        assert await waiting
        assert painted == [1]
        assert not await link.painted(0.01)

    asyncio.run(scene())


def test_a_key_means_one_thing():
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))
    assert len({action.verb for action in ACTIONS}) == len(ACTIONS)


def test_reset_needs_the_shift_key():
    assert action_of("R", shift=True) == "reset"
    assert action_of("r", shift=False) is None


def test_keys_are_found_with_and_without_shift():
    assert action_of(" ", shift=False) == "toggle"
    assert action_of("ArrowRight", shift=False) == "step"
    assert action_of("ArrowRight", shift=True) == "leap"
    assert action_of("?", shift=True) == "keys"
    assert action_of("F13", shift=False) is None

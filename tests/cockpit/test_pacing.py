"""The task that moves a page, with a page that only counts."""

import asyncio

import pytest

from flockcore.scenario import Scenario
from flockpit.pacing import FRAME_S, Pacer
from flockpit.playback import SPEEDS
from flockpit.session import Session


class World:
    """A clock, a sleep that moves it, and a page that takes its time to paint."""

    def __init__(self, paint_s=0.005):
        self.now = 50.0
        self.paint_s = paint_s
        self.frames = []
        self.waiting = 0
        self.error = None
        self.answers = True

    def clock(self):
        self.now += 0.0005
        return self.now

    async def sleep(self, seconds):
        self.now += seconds
        await asyncio.sleep(0)

    async def locked(self, work):
        return work()

    def paint(self):
        if self.error is not None:
            raise self.error
        assert self.waiting == 0, "a frame is sent before the last one was painted"
        self.waiting += 1
        self.frames.append(self.now)

    async def painted(self, seconds):
        self.now += self.paint_s if self.answers else seconds
        await asyncio.sleep(0)
        self.waiting -= 1
        return self.answers


def make(world, **changes):
    scenario = Scenario(**{"nodes": 6, "ticks": 100_000, "title": "Small", **changes})
    session = Session(scenario, clock=world.clock)
    return session, Pacer(session, world, clock=world.clock, sleep=world.sleep)


async def until(pacer, condition, most=20_000):
    """Let the pacer run until something is true."""
    task = asyncio.ensure_future(pacer.run())
    for _ in range(most):
        if condition() or task.done():
            break
        await asyncio.sleep(0)
    pacer.end()
    await asyncio.wait_for(task, 5)
    assert condition()


def test_a_first_frame_is_painted_and_then_nothing_moves():
    world = World()
    _, pacer = make(world)

    async def scene():
        task = asyncio.ensure_future(pacer.run())
        for _ in range(200):
            await asyncio.sleep(0)
        assert len(world.frames) == 1
        pacer.end()
        await task

    asyncio.run(scene())


def test_a_step_wakes_it():
    world = World()
    session, pacer = make(world)

    async def scene():
        task = asyncio.ensure_future(pacer.run())
        for _ in range(50):
            await asyncio.sleep(0)
        session.step(3)
        for _ in range(50):
            await asyncio.sleep(0)
        assert session.tick == 3
        assert len(world.frames) == 2
        pacer.end()
        await task

    asyncio.run(scene())


def test_no_more_frames_than_thirty_a_second():
    world = World()
    session, pacer = make(world)
    session.play()
    asyncio.run(until(pacer, lambda: len(world.frames) >= 40))
    gaps = [b - a for a, b in zip(world.frames, world.frames[1:], strict=False)]
    assert min(gaps) >= FRAME_S - 0.005
    assert pacer.frames_per_second == pytest.approx(30, rel=0.2)


def test_a_slow_page_gets_fewer_frames_never_a_queue():
    world = World(paint_s=0.25)
    session, pacer = make(world)
    session.play()
    asyncio.run(until(pacer, lambda: len(world.frames) >= 10))
    assert pacer.frames_per_second < 4.5


def test_the_speed_is_kept_whatever_the_frames():
    world = World(paint_s=0.2)
    session, pacer = make(world)
    session.play()
    began = world.now
    asyncio.run(until(pacer, lambda: len(world.frames) >= 20))
    assert session.tick == pytest.approx((world.now - began) * 50, rel=0.1)


def test_as_fast_as_possible_the_run_gets_most_of_the_time():
    world = World(paint_s=0.05)
    session, pacer = make(world)
    session.change_speed(SPEEDS[-1])
    session.play()
    began = world.now
    asyncio.run(until(pacer, lambda: len(world.frames) >= 20))
    painting = 20 * world.paint_s
    assert painting < 0.75 * (world.now - began)


def test_an_unpainted_frame_does_not_count_and_does_not_stop_the_run():
    world = World()
    world.answers = False
    session, pacer = make(world)
    session.play()
    asyncio.run(until(pacer, lambda: session.tick > 100))
    assert pacer.frames_per_second == 0.0


def test_a_frame_that_fails_is_shown_and_the_task_lives():
    world = World()
    session, pacer = make(world)
    world.error = ValueError("no such colour")

    async def scene():
        task = asyncio.ensure_future(pacer.run())
        for _ in range(200):
            await asyncio.sleep(0)
        assert session.failure.line == "ValueError: no such colour"
        assert not task.done()
        world.error = None
        session.recover()
        for _ in range(200):
            await asyncio.sleep(0)
        assert world.frames
        pacer.end()
        await task

    asyncio.run(scene())

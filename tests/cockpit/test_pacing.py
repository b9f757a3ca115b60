"""The task that moves a page, with a page that only counts."""

import asyncio

import pytest

from flockcore.kernel.faults import Crash
from flockcore.scenario import Scenario
from flockpit.pacing import FRAME_S, Pacer
from flockpit.playback import SPEEDS
from flockpit.session import Session


class World:
    """A clock that moves when everybody waits, and a page that takes its time to paint."""

    def __init__(self, paint_s=0.005):
        self.now = 50.0
        self.paint_s = paint_s
        self.frames = []
        self.ready = []
        self.told = 0
        self.ahead = 0
        self.heard = lambda: None
        self.error = None
        self.answers = True
        self.sleepers = []

    def clock(self):
        self.now += 0.0005
        return self.now

    async def sleep(self, seconds):
        woken = asyncio.get_running_loop().create_future()
        self.sleepers.append((self.now + seconds, woken))
        await woken

    async def turn(self):
        """Let everybody do what they can, then move the clock to whoever wakes first."""
        for _ in range(30):
            await asyncio.sleep(0)
        self.sleepers = [sleeper for sleeper in self.sleepers if not sleeper[1].done()]
        if self.sleepers:
            due, woken = min(self.sleepers, key=lambda sleeper: sleeper[0])
            self.now = max(self.now, due)
            woken.set_result(None)

    async def locked(self, work):
        return work()

    def paint(self):
        if self.error is not None:
            raise self.error
        unpainted = sum(ready > self.now for ready in self.ready)
        self.ahead = max(self.ahead, unpainted)
        self.frames.append(self.now)
        before = self.ready[-1] if self.ready else 0.0
        self.ready.append(max(self.now, before) + self.paint_s)

    async def painted(self, seconds, *, ahead):
        if not self.answers:
            await self.sleep(seconds)
            return False
        for ready in self.ready[self.told : len(self.ready) - ahead]:
            await self.sleep(max(ready - self.now, 0.0))
            self.told += 1
            self.heard()
        return True


def make(world, **changes):
    scenario = Scenario(**{"nodes": 6, "ticks": 100_000, "title": "Small", **changes})
    session = Session(scenario, clock=world.clock)
    pacer = Pacer(session, world, clock=world.clock, sleep=world.sleep)
    world.heard = pacer.painted
    return session, pacer


async def until(world, pacer, condition, most=5_000):
    """Let the pacer run until something is true."""
    task = asyncio.ensure_future(pacer.run())
    for _ in range(most):
        if condition() or task.done():
            break
        await world.turn()
    await end(world, pacer, task)
    assert condition()


async def end(world, pacer, task):
    """Let the pacer end."""
    pacer.end()
    while not task.done():
        await world.turn()
    await task


def test_a_first_frame_is_painted_and_then_nothing_moves():
    world = World()
    _, pacer = make(world)

    async def scene():
        task = asyncio.ensure_future(pacer.run())
        for _ in range(200):
            await world.turn()
        assert len(world.frames) == 1
        await end(world, pacer, task)

    asyncio.run(scene())


def test_a_step_wakes_it():
    world = World()
    session, pacer = make(world)

    async def scene():
        task = asyncio.ensure_future(pacer.run())
        for _ in range(50):
            await world.turn()
        session.step(3)
        for _ in range(50):
            await world.turn()
        assert session.tick == 3
        assert len(world.frames) == 2
        await end(world, pacer, task)

    asyncio.run(scene())


def test_no_more_frames_than_thirty_a_second():
    world = World()
    session, pacer = make(world)
    session.play()
    asyncio.run(until(world, pacer, lambda: len(world.frames) >= 40))
    gaps = [b - a for a, b in zip(world.frames, world.frames[1:], strict=False)]
    assert min(gaps) >= FRAME_S - 0.005
    assert pacer.frames_per_second == pytest.approx(30, rel=0.2)


def test_a_slow_page_gets_fewer_frames_never_a_queue():
    world = World(paint_s=0.25)
    session, pacer = make(world)
    session.play()
    asyncio.run(until(world, pacer, lambda: len(world.frames) >= 10))
    assert pacer.frames_per_second < 4.5
    gaps = [b - a for a, b in zip(world.frames, world.frames[1:], strict=False)]
    assert min(gaps[5:]) >= 0.25, "nothing is sent ahead to a slow page"


def test_a_frame_is_made_while_the_page_paints_the_one_before():
    world = World(paint_s=0.05)
    session, pacer = make(world)
    session.play()
    asyncio.run(until(world, pacer, lambda: len(world.frames) >= 40))
    assert world.ahead == 1
    assert pacer.frames_per_second == pytest.approx(20, rel=0.05)


def test_the_speed_is_kept_whatever_the_frames():
    world = World(paint_s=0.2)
    session, pacer = make(world)
    session.play()
    began = world.now
    asyncio.run(until(world, pacer, lambda: len(world.frames) >= 20))
    assert session.tick == pytest.approx((world.now - began) * 50, rel=0.1)


def test_as_fast_as_possible_the_run_gets_most_of_the_time():
    world = World(paint_s=0.05)
    session, pacer = make(world)
    session.change_speed(SPEEDS[-1])
    session.play()
    began = world.now
    asyncio.run(until(world, pacer, lambda: len(world.frames) >= 20))
    painting = 20 * world.paint_s
    assert painting < 0.75 * (world.now - began)


def test_the_run_goes_on_while_the_page_paints():
    world = World(paint_s=0.5)
    session, pacer = make(world)
    session.play()

    async def scene():
        task = asyncio.ensure_future(pacer.run())
        while world.now < 51.5:
            await world.turn()
            assert session.tick == pytest.approx((world.now - 50.0) * 50, abs=2)
        assert len(world.frames) <= 4
        await end(world, pacer, task)

    asyncio.run(scene())


def test_what_is_injected_while_the_page_paints_begins_at_the_next_tick():
    world = World(paint_s=0.5)
    session, pacer = make(world)
    session.play()

    async def scene():
        task = asyncio.ensure_future(pacer.run())
        while len(world.frames) < 2 or world.now - world.frames[-1] < 0.3:
            await world.turn()
        session.pause()
        session.inject(Crash(nodes=(3,)))
        assert session.sim.script.spans[-1].start == session.tick + 1
        while len(world.frames) < 3:
            await world.turn()
        await end(world, pacer, task)

    asyncio.run(scene())


def test_an_unpainted_frame_does_not_count_and_does_not_stop_the_run():
    world = World()
    world.answers = False
    session, pacer = make(world)
    session.play()
    asyncio.run(until(world, pacer, lambda: session.tick > 100))
    assert pacer.frames_per_second == 0.0


def test_a_frame_that_fails_is_shown_and_the_task_lives():
    world = World()
    session, pacer = make(world)
    world.error = ValueError("no such colour")

    async def scene():
        task = asyncio.ensure_future(pacer.run())
        for _ in range(200):
            await world.turn()
        assert session.failure.line == "ValueError: no such colour"
        assert not task.done()
        world.error = None
        session.recover()
        for _ in range(200):
            await world.turn()
        assert world.frames
        await end(world, pacer, task)

    asyncio.run(scene())

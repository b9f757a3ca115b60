"""The guard of a field slot (spec ekk, 4.2 to 4.4): every interleaving, to closure.

Properties PFD-5, 6 and 7. The simulation runs publishers, readers and the collector in turn; this
model lets them overlap. Each is a small machine whose every step reads or writes one word of the
slot, and steps of different machines may follow each other in any order (sequential consistency).
Whoever changes the slot first moves its counter from even to odd, in one atomic step, and moves it
on to even when done; a reader copies between two looks at the counter.
"""

from collections.abc import Iterator
from typing import NamedTuple

import pytest

OWNER = 1
COMPONENTS = 2
TIME = COMPONENTS  # the word after the components is the time of publication
PUBLICATIONS = (1, 2)  # the writer's, both young; number 0 is old enough to be collected
DONE = -1


class Slot(NamedTuple):
    counter: int
    words: tuple[int, ...]  # each holds the number of the publication that wrote it
    source: int


class Machine(NamedTuple):
    """Where a machine is; what the registers mean depends on the machine."""

    role: str
    at: int = 0
    turn: int = 0
    seen: int = 0
    copy: tuple[int, ...] = ()
    result: str = ""


class World(NamedTuple):
    slot: Slot
    machines: tuple[Machine, ...]


def write(slot: Slot, word: int, value: int) -> Slot:
    words = list(slot.words)
    words[word] = value
    return slot._replace(words=tuple(words))


class Guard:
    """The rules of the slot; a mutant lacks the one that it names."""

    def __init__(self, without: str = "", *, attempts: int = 2, rounds: int = 2) -> None:
        self.without = without
        self.attempts = attempts  # of a reader
        self.rounds = rounds  # of the collector

    def step(self, slot: Slot, one: Machine) -> tuple[Slot, Machine] | None:
        """Take one step; None while the machine has to wait."""
        return getattr(self, one.role)(slot, one)

    def writer(self, slot: Slot, one: Machine) -> tuple[Slot, Machine] | None:
        if one.at == 0:
            if slot.counter % 2 == 1 and self.without != "writer waits":
                return None
            return slot._replace(counter=slot.counter + 1), one._replace(at=1)
        further = one._replace(at=one.at + 1)
        if one.at <= COMPONENTS + 1:
            return write(slot, one.at - 1, PUBLICATIONS[one.turn]), further
        if one.at == COMPONENTS + 2:
            return slot._replace(source=OWNER), further
        turn = one.turn + 1
        slot = slot._replace(counter=slot.counter + 1)
        return slot, Machine("writer", DONE if turn == len(PUBLICATIONS) else 0, turn)

    def reader(self, slot: Slot, one: Machine) -> tuple[Slot, Machine]:
        if one.at == 0:
            if slot.counter % 2 == 1 and self.without != "reader looks first":
                return slot, self.again(one)
            return slot, one._replace(at=1, seen=slot.counter)
        if one.at == 1:
            if slot.source == 0:
                return slot, Machine("reader", DONE, result="NOT_FOUND")
            return slot, one._replace(at=2)
        if one.at <= COMPONENTS + 2:
            word = slot.words[one.at - 2]
            return slot, one._replace(at=one.at + 1, copy=(*one.copy, word))
        if slot.counter != one.seen and self.without != "reader looks again":
            return slot, self.again(one)
        return slot, Machine("reader", DONE, copy=one.copy, result="OK")

    def again(self, one: Machine) -> Machine:
        if one.turn + 1 == self.attempts:
            return Machine("reader", DONE, result="BUSY")
        return Machine("reader", turn=one.turn + 1)

    def collector(self, slot: Slot, one: Machine) -> tuple[Slot, Machine]:
        further = one._replace(at=one.at + 1)
        if one.at == 0:
            busy = slot.counter % 2 == 1
            return slot, self.next_round(one) if busy else further._replace(seen=slot.counter)
        if one.at == 1:
            return slot, further if slot.source else self.next_round(one)
        if one.at == 2:
            return slot, further if slot.words[TIME] == 0 else self.next_round(one)
        if one.at == 3:
            if slot.counter != one.seen and self.without != "collector compares":
                return slot, self.next_round(one)
            return slot._replace(counter=one.seen + 1), further
        if one.at == 4:
            return slot._replace(source=0), further
        return slot._replace(counter=slot.counter + 1), self.next_round(one, emptied=1)

    def next_round(self, one: Machine, emptied: int = 0) -> Machine:
        """Begin the next round; ``copy`` counts the slots emptied."""
        count = (sum(one.copy) + emptied,)
        return Machine(
            "collector", DONE if one.turn + 1 == self.rounds else 0, one.turn + 1, copy=count
        )


def writing(one: Machine) -> bool:
    """Between its two moves of the counter."""
    return one.at > {"writer": 0, "collector": 3}.get(one.role, one.at)


def broken(world: World) -> Iterator[str]:
    """Name the properties that a state breaks."""
    slot, machines = world
    if slot.counter % 2 != any(map(writing, machines)):
        yield "PFD-5: the counter is not odd exactly while the slot changes"
    if any(one.result == "OK" and len(set(one.copy)) > 1 for one in machines):
        yield "PFD-6: a reader got a mix of publications"
    if any(one.role == "collector" and one.at == 4 for one in machines) and any(slot.words):
        yield "PFD-7: a field published after the age test is about to be emptied"


def broken_at_the_end(world: World, start: Slot) -> Iterator[str]:
    published = sum(one.turn for one in world.machines if one.role == "writer")
    emptied = sum(sum(one.copy) for one in world.machines if one.role == "collector")
    if world.slot.counter != start.counter + 2 * (published + emptied):
        yield "PFD-5: the counter did not grow by 2 with each change"
    if published and world.slot[1:] != ((PUBLICATIONS[-1],) * (TIME + 1), OWNER):
        yield "PFD-7: the last publication is lost"
    if any(one.at != DONE for one in world.machines):
        yield "somebody waits for ever"


def successors(world: World, guard: Guard) -> Iterator[World]:
    for number, one in enumerate(world.machines):
        taken = None if one.at == DONE else guard.step(world.slot, one)
        if taken:
            slot, after = taken
            machines = (*world.machines[:number], after, *world.machines[number + 1 :])
            yield World(slot, machines)


class Explored(NamedTuple):
    states: int
    steps: int
    told: set[str]  # what readers got
    broken: set[str]


def explore(start: Slot, roles: list[str], guard: Guard) -> Explored:
    """Visit every reachable state."""
    first = World(start, tuple(map(Machine, roles)))
    seen, frontier, steps = {first}, [first], 0
    told, found = set(), set()
    while frontier:
        world = frontier.pop()
        found.update(broken(world))
        told.update(one.result for one in world.machines if one.result)
        after = list(successors(world, guard))
        steps += len(after)
        if not after:
            found.update(broken_at_the_end(world, start))
        fresh = set(after) - seen
        seen |= fresh
        frontier.extend(fresh)
    return Explored(len(seen), steps, told, found)


OLD = Slot(counter=2, words=(0,) * (TIME + 1), source=OWNER)
EMPTY = Slot(counter=0, words=(0,) * (TIME + 1), source=0)


@pytest.mark.slow
@pytest.mark.parametrize("start", [OLD, EMPTY], ids=["old field", "empty slot"])
@pytest.mark.parametrize(("readers", "attempts", "rounds"), [(1, 3, 2), (2, 1, 1)])
def test_the_guard_holds(start, readers, attempts, rounds):
    roles = ["writer", *["reader"] * readers, "collector"]
    found = explore(start, roles, Guard(attempts=attempts, rounds=rounds))
    print(f"PFD-5, 6, 7: {report(start, roles, found)}")
    assert not found.broken
    assert found.told == {"OK", "BUSY", "NOT_FOUND"}


def report(start: Slot, roles: list[str], found: Explored) -> str:
    slot = "old field" if start == OLD else "empty slot"
    return f"{slot}, {' + '.join(roles)}: {found.states} states, {found.steps} steps, closed"


@pytest.mark.parametrize(
    ("without", "properties"),
    [
        ("reader looks first", {"PFD-6"}),
        ("reader looks again", {"PFD-6"}),
        ("collector compares", {"PFD-5", "PFD-6", "PFD-7"}),
        ("writer waits", {"PFD-5", "PFD-6", "PFD-7"}),
    ],
)
def test_a_missing_guard_is_caught(without, properties):
    found = explore(OLD, ["writer", "reader", "collector"], Guard(without, attempts=1))
    assert properties <= {text.split(":")[0] for text in found.broken}


def test_a_writer_need_not_wait_where_nothing_is_collected():
    """Like the original's, which only increments: it is its slot's one writer."""
    roles = ["writer", "reader", "reader"]
    found = explore(OLD, roles, Guard("writer waits", attempts=1))
    print(f"PFD-5, 6: {report(OLD, roles, found)}")
    assert not found.broken


def test_an_old_field_is_collected_and_a_young_one_stays():
    assert explore(OLD, ["collector", "reader"], Guard()).told == {"OK", "BUSY", "NOT_FOUND"}
    young = Slot(counter=2, words=(1,) * (TIME + 1), source=OWNER)
    assert explore(young, ["collector", "reader"], Guard()).told == {"OK"}

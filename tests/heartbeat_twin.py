"""One observer's failure detector as the text of the specification has it (spec ekk, section 6)."""

from dataclasses import dataclass, field
from itertools import pairwise

UNKNOWN, ALIVE, SUSPECT, DEAD = range(4)


@dataclass
class Entry:
    health: int = UNKNOWN
    last_seen: int = 0
    missed: int = 0
    sequence: int = 0
    average: int = 0


@dataclass
class HeartbeatTwin:
    """A dictionary of entries. Events are (peer, before, after) in table order."""

    period: int
    timeout: int
    track_gaps: bool = True
    entries: dict[int, Entry] = field(default_factory=dict)
    last_send: int = 0
    sent: int = 0

    def add(self, peer):
        if peer in self.entries:
            return -6
        self.entries[peer] = Entry()
        return 0

    def remove(self, peer):
        return 0 if self.entries.pop(peer, None) else -5

    def receive(self, peer, sequence, now):
        entry = self.entries.get(peer)
        if entry is None:
            return []
        if self.track_gaps and entry.last_seen > 0:
            entry.average = (7 * entry.average + max(now - entry.last_seen, 0)) // 8
        before, entry.health = entry.health, ALIVE
        entry.last_seen, entry.sequence, entry.missed = now, sequence, 0
        return [(peer, before, ALIVE)] if before != ALIVE else []

    def tick(self, now):
        """Returns (number of changed peers, events)."""
        events, changed = [], 0
        for peer, entry in self.entries.items():
            if entry.health == UNKNOWN:
                continue
            silent = max(now - entry.last_seen, 0) // self.period
            entry.missed = min(max(silent, entry.missed), 255)
            before, entry.health = entry.health, self.belief(entry.missed)
            if before != entry.health:
                changed += 1
                chain = [before, entry.health]
                if chain == [ALIVE, DEAD]:
                    chain.insert(1, SUSPECT)
                events += [(peer, *step) for step in pairwise(chain)]
        return changed, events

    def belief(self, missed):
        if missed == 0:
            return ALIVE
        return SUSPECT if missed < self.timeout else DEAD

    def send(self, now):
        if now - self.last_send < self.period:
            return False
        self.last_send, self.sent = now, (self.sent + 1) % 256
        return True

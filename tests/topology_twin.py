"""One observer's topology as the text of the specification has it (spec ekk, section 5), slowly."""

from dataclasses import dataclass, field


@dataclass
class TopologyTwin:
    """Known and elected peers of one observer, in plain dictionaries and lists.

    `known` maps a peer to (distance, barred); `elected` lists (distance, peer).
    """

    own: int
    k: int
    capacity: int = 64
    known: dict[int, tuple[int, bool]] = field(default_factory=dict)
    elected: list[tuple[int, int]] = field(default_factory=list)
    elections: int = 0
    last: int = 0

    def wanted(self):
        able = [(far, peer) for peer, (far, barred) in self.known.items() if not barred]
        return sorted(able)[: self.k]

    def ids(self):
        return [peer for _, peer in self.elected]

    def elect(self):
        """Re-elect; returns whether the ordered ids changed."""
        before = self.ids()
        self.elected = self.wanted()
        self.elections += 1
        return self.ids() != before

    def discover(self, peer, distance, barred=False):
        """Returns (code, changed)."""
        if peer < 0:
            return -1, False
        if peer == self.own:
            return 0, False
        if peer not in self.known and len(self.known) == self.capacity:
            return -2, False
        was = self.known.get(peer)
        self.known[peer] = (distance, barred)
        if not self.needs_election(peer, distance, barred, was):
            return 0, False
        return 0, self.elect()

    def needs_election(self, peer, distance, barred, was):
        if peer in self.ids():
            return barred or was[0] != distance
        if barred or was == (distance, barred):
            return False
        return len(self.elected) < self.k or (distance, peer) < self.elected[-1]

    def lose(self, peer):
        """Returns (code, changed); a peer that is not elected is forgotten all the same (Q02)."""
        elected = peer in self.ids()
        self.known.pop(peer, None)
        return (0, self.elect()) if elected else (-5, False)

    def tick(self, now, period, least):
        """Returns (broadcasts, urgent)."""
        sent, urgent = 0, False
        if now - self.last >= period:
            sent, self.last = sent + 1, now
        if len(self.elected) < least and now - self.last >= period // 4:
            sent, self.last, urgent = sent + 1, now, True
        return sent, urgent

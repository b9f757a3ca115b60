"""What can be read off a flock at its present tick: beliefs, truth, fields, places."""

import numpy as np
from numpy.typing import NDArray

from flockcore.flock.codes import NodeStatus
from flockcore.flock.fields import FieldRegion
from flockcore.flock.heartbeat import Heartbeat
from flockcore.flock.tables import FlockState
from flockcore.flock.topology import Topology
from flockcore.kernel.channel import Channel
from flockcore.kernel.network import Network
from flockcore.kernel.world import World

__all__ = ["Readings"]

type Indices = NDArray[np.intp]
type Mask = NDArray[np.bool_]


class Readings:
    """Views of a flock's state, none of which changes it.

    Attributes:
        state: all that changes in the layer.
        world: what is really true of the nodes.
        network: the faults that act on messages.
        slots: peers that a node tracks at most, R.
        now: time of the present tick in microseconds.
        everyone: whether all nodes run in the tick that was last worked out.
    """

    state: FlockState
    world: World
    network: Network
    slots: int
    now: int
    everyone: bool

    @property
    def channel(self) -> Channel:
        """Messages under way."""
        return self.state.channel

    @property
    def heartbeat(self) -> Heartbeat:
        """Beliefs."""
        return self.state.heartbeat

    @property
    def topology(self) -> Topology:
        """Known and elected peers."""
        return self.state.topology

    @property
    def region(self) -> FieldRegion:
        """Published fields."""
        return self.state.region

    @property
    def own(self) -> NDArray[np.int64]:
        """Own fields, raw Q16.16, shape (6, N)."""
        return self.state.own

    @property
    def gradients(self) -> NDArray[np.int64]:
        """Neighbourhood minus own, raw Q16.16, shape (6, N)."""
        return self.state.gradient

    @property
    def stale(self) -> Mask:
        """Nodes whose gradient is older than the last tick, shape (N,)."""
        return self.state.stale

    @property
    def module_state(self) -> NDArray[np.uint8]:
        """`ModuleState` of each node, shape (N,)."""
        return self.state.module

    @property
    def positions(self) -> NDArray[np.int64]:
        """Places on the plane, shape (N, 2)."""
        return self.world.position[:, :2]

    @property
    def peer(self) -> NDArray[np.int32]:
        """Who is in each node's reach, -1 for nobody, shape (N, R)."""
        return self.state.topology.peer

    @property
    def truth(self) -> NDArray[np.uint8]:
        """`NodeStatus` of each node, shape (N,)."""
        world = self.world
        status = np.where(world.every > 1, NodeStatus.SLOW, NodeStatus.UP)
        status = np.where(world.paused, NodeStatus.PAUSED, status)
        status = np.where(world.crashed, NodeStatus.CRASHED, status)
        return np.where(world.absent, NodeStatus.ABSENT, status).astype(np.uint8)

    def elected_peers(self) -> NDArray[np.int32]:
        """Elected neighbours, nearest first, -1 for none, shape (N, k)."""
        return self.state.topology.elected_peers()

    def sides(self) -> Indices:
        """A label per node, equal where no partition separates, shape (N,)."""
        return self.network.sides()

    def belief(self, observer: int) -> NDArray[np.uint8]:
        """What one node believes of all: `Health`, 255 out of its reach, shape (N,)."""
        seen = np.full(self.world.nodes, 255, dtype=np.uint8)
        peers = self.peer[observer]
        there = peers >= 0
        seen[peers[there]] = self.state.heartbeat.health[observer][there]
        return seen

    def majority_belief(self) -> NDArray[np.uint8]:
        """What most running observers believe of each node, 255 where nobody tracks it, (N,).

        While the flock is divided the observers of the largest side are asked (of equal sides,
        the one with the lowest node), since two halves can have no common majority. Ties go to
        the worse belief.
        """
        asked = self.world.up.copy()
        sides = self.sides()
        if asked.any() and sides.any():
            labels, first, sizes = np.unique(sides[asked], return_index=True, return_counts=True)
            largest = np.flatnonzero(sizes == sizes.max())
            asked &= sides == labels[largest[first[largest].argmin()]]
        peer = self.peer.reshape(-1)
        use = np.flatnonzero((peer >= 0) & np.repeat(asked, self.slots))
        health = self.state.heartbeat.health.reshape(-1)[use].astype(np.intp)
        votes = np.bincount(peer[use].astype(np.intp) * 4 + health, minlength=4 * self.world.nodes)
        ballots = votes.reshape(-1, 4)[:, ::-1]
        seen = np.where(ballots.any(axis=1), 3 - ballots.argmax(axis=1), 255)
        return seen.astype(np.uint8)

    def silence(self, observer: int) -> NDArray[np.int64]:
        """Microseconds since one node heard each other, -1 for never, shape (N,)."""
        silent = np.full(self.world.nodes, -1, dtype=np.int64)
        edge = np.arange(observer * self.slots, (observer + 1) * self.slots, dtype=np.intp)
        seen = self.state.heartbeat.last_seen(edge)
        peers = self.peer[observer]
        heard = (peers >= 0) & (seen > 0)
        silent[peers[heard]] = self.now - seen[heard]
        return silent

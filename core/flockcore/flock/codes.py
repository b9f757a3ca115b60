"""Enumerations of the flock layer (spec ekk, sections 1 and 2).

The numbers are the ones that the original runtime puts on the wire, so that recorded runs compare
without translation.
"""

from enum import IntEnum

__all__ = [
    "Code",
    "Health",
    "MessageKind",
    "ModuleState",
    "NodeStatus",
    "ProposalKind",
    "Result",
    "TaskState",
    "Vote",
]


class Code(IntEnum):
    """Outcome of one operation on one node."""

    OK = 0
    INVALID_ARG = -1
    NO_MEMORY = -2
    BUSY = -4
    NOT_FOUND = -5
    ALREADY_EXISTS = -6
    NO_QUORUM = -7
    INHIBITED = -8
    FIELD_EXPIRED = -10
    HAL_FAILURE = -11
    DEGRADED = -14


class Health(IntEnum):
    """What an observer believes of a peer."""

    UNKNOWN = 0
    ALIVE = 1
    SUSPECT = 2
    DEAD = 3


class Vote(IntEnum):
    """A voter's answer to one ballot."""

    ABSTAIN = 0
    YES = 1
    NO = 2
    INHIBIT = 3


class Result(IntEnum):
    """Where a ballot stands; EXPIRED is ours: a voter's copy whose result never came (Q06)."""

    PENDING = 0
    APPROVED = 1
    REJECTED = 2
    TIMEOUT = 3
    CANCELLED = 4
    EXPIRED = 5


class ProposalKind(IntEnum):
    """What a ballot is about; the kind never changes the rules."""

    MODE_CHANGE = 0
    POWER_LIMIT = 1
    SHUTDOWN = 2
    REFORMATION = 3
    QUARANTINE = 4
    CUSTOM_0 = 16
    CUSTOM_1 = 17
    CUSTOM_2 = 18
    CUSTOM_3 = 19


class ModuleState(IntEnum):
    """Life cycle of a node's module (spec section 9.7)."""

    INIT = 0
    DISCOVERING = 1
    ACTIVE = 2
    DEGRADED = 3
    ISOLATED = 4
    REFORMING = 5
    SHUTDOWN = 6


class TaskState(IntEnum):
    """Life cycle of a task (spec section 9.5)."""

    IDLE = 0
    READY = 1
    RUNNING = 2
    BLOCKED = 3


class MessageKind(IntEnum):
    """Message type byte (spec section 10); RESULT and EVIDENCE are ours (Q06, Q26)."""

    HEARTBEAT = 1
    DISCOVERY = 2
    PROPOSAL = 4
    VOTE = 5
    INHIBIT = 6
    RESULT = 9
    EVIDENCE = 10


class NodeStatus(IntEnum):
    """What is really true of a node, whatever the others believe."""

    UP = 0
    SLOW = 1
    PAUSED = 2
    CRASHED = 3
    ABSENT = 4

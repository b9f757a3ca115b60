"""Names, numbers and rules of the keys that fault records have."""

from __future__ import annotations

import dataclasses

from flockcore import rules

COMPONENTS = ("load", "thermal", "power", "custom_0", "custom_1", "slack")
"""Names of the six field components, in their order (spec ekk, section 2)."""

SIMPLE_MAJORITY = 32768
"""Approval threshold of one half, raw Q16.16: a tie approves (anomaly Q09)."""
STRICT_MAJORITY = 32769
"""Approval threshold of more than one half, raw Q16.16."""
TWO_THIRDS = 43690
"""Approval threshold of two thirds, raw Q16.16."""
SUPERMAJORITY = 43908
"""Approval threshold of 0.67, raw Q16.16: exactly two thirds is refused (anomaly Q09)."""
UNANIMOUS = 65536
"""Approval threshold of everybody, raw Q16.16."""


PROPOSALS = {
    "mode_change": 0,
    "power_limit": 1,
    "shutdown": 2,
    "reformation": 3,
    "quarantine": 4,
    "custom_0": 16,
    "custom_1": 17,
    "custom_2": 18,
    "custom_3": 19,
}
"""Numbers of the proposal kinds by name (spec ekk, section 2)."""
THRESHOLDS = {
    "simple_majority": SIMPLE_MAJORITY,
    "strict_majority": STRICT_MAJORITY,
    "two_thirds": TWO_THIRDS,
    "supermajority": SUPERMAJORITY,
    "unanimous": UNANIMOUS,
}
"""Approval thresholds by name, raw Q16.16."""

POLICIES = ("strict_all", "threshold", "max_failures", "combined")
"""Policies that a barrier's gate may follow (spec barrier, section 4)."""


def _check_hosts(value: int, nodes: int) -> str | None:
    if value < 0:
        return "this is negative"
    return None if value <= nodes else f"there are only {nodes} hosts"


# 10^12 us are eleven days: beyond that a time is a slip of the pen.
TIME = rules.whole(0, 10**12, " microseconds")
WAIT = rules.whole(1, 10**12, " microseconds")
OPTIONAL_TIME = rules.optional(TIME)
TICKS = rules.whole(1, 10**9, " ticks")
TICK = rules.optional(rules.whole(1, 10**9))
EVERY = rules.whole(2, 10_000, " ticks")
TIMES = rules.whole(1, 10_000)
NODE = rules.one_node()
NODES = rules.nodes(empty=False)
LINKS = rules.nodes(empty=True)
GROUPS = rules.groups()
WAYS = rules.pairs("a list of pairs [from group, to group]")
COORDINATE = rules.whole(-32_768, 32_767)
COMPONENT = rules.whole_of({name: number for number, name in enumerate(COMPONENTS)}, 0, 5)
BYTE = rules.whole(0, 255)
BITS = rules.whole(0, 0xFFFF)
DATA = rules.whole(0, 2**32 - 1)
PROPOSAL = rules.whole_of(PROPOSALS, 0, 255)
THRESHOLD = rules.whole_of(THRESHOLDS, 1, UNANIMOUS)
BALLOT = rules.whole(1, 65_535)
OPTIONAL_BALLOT = rules.optional(BALLOT)
NEIGHBOURS = rules.whole(3, 15)
RATE = rules.real(-1_000.0, 1_000.0)
PATH = rules.path(2, 64)
SHAPE = rules.choice("loop", "path", "star")
AIM = rules.choice("project", "balance")
POLICY = rules.choice(*POLICIES)
HOSTS = dataclasses.replace(
    rules.whole(0, 0), allowed="a number of hosts, from none to all", check=_check_hosts
)

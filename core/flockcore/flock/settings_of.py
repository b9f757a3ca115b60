"""From the options of a scenario to the settings of the engines."""

from typing import Literal

from flockcore.flock.consensus_options import ConsensusOptions
from flockcore.flock.decay import Component, ComponentProfile, Decay, DecayProfile
from flockcore.flock.options import FlockOptions

__all__ = ["ballots", "decay"]

_CONFLICTS: dict[str, Literal["allow", "one_yes", "inhibit"]] = {
    "independent": "allow",
    "refuse": "one_yes",
    "inhibit": "inhibit",
}


def decay(options: FlockOptions) -> DecayProfile:
    """Return how the field components fade."""
    special = {
        Component[one.component.upper()]: ComponentProfile(
            model=Decay[one.model.upper()], tau_us=one.tau_us
        )
        for one in options.component_decay
    }
    return DecayProfile.uniform(
        model=Decay[options.decay.upper()],
        tau_us=options.decay_tau_us,
        max_age_us=options.max_age_us,
        special=special,
    )


def ballots(options: FlockOptions) -> ConsensusOptions:
    """Return how ballots run."""
    return ConsensusOptions(
        vote_timeout_us=options.vote_timeout_us,
        inhibit_duration_us=options.inhibit_duration_us,
        allow_self_vote=options.allow_self_vote,
        require_all_neighbours=options.require_all_neighbours,
        announce_results=options.announce_results,
        result_grace_us=options.result_grace_us,
        inhibit_from=options.inhibit_from,
        ballot_history=options.ballot_history,
        full_table=options.full_table,
        abstain=options.abstain,
        full_answer=options.full_answer,
        conflicts=options.conflicts,
    )

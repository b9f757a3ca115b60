import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flockcore.kernel.faults import Crash, Delay, Pause, Propose
from flockcore.replay import replay
from flockcore.scenario import Scenario
from flockcore.simulation import Simulation

DEEDS = st.lists(
    st.one_of(
        st.tuples(st.just("run"), st.integers(1, 12)),
        st.tuples(st.just("seek"), st.integers(0, 40)),
        st.tuples(st.just("fork"), st.integers(0, 9)),
        st.tuples(
            st.just("inject"),
            st.sampled_from(
                [
                    Crash(nodes=(1,)),
                    Pause(nodes=(2, 3)),
                    Delay(min_us=2_000, mean_us=1_000),
                    Propose(node=0),
                ]
            ),
        ),
    ),
    max_size=8,
)


@pytest.mark.slow
@settings(deadline=None, max_examples=30)
@given(DEEDS)
def test_a_run_is_repeated_from_its_scenario_seeds_and_injections(deeds):
    simulation = Simulation(Scenario(nodes=6))
    for deed, what in deeds:
        if deed == "run":
            simulation.run(what)
        elif deed == "seek":
            simulation.seek(what)
        elif deed == "fork":
            simulation = simulation.fork(what)
        else:
            simulation.inject(what)
    # What was injected at the playhead has not begun yet.
    simulation.run(1)
    repeated = list(
        replay(
            simulation.scenario,
            schedule=simulation.schedule,
            injected=simulation.injected,
            ticks=simulation.tick,
        )
    )
    assert len(repeated) == simulation.tick + 1
    assert repeated[-1].digest() == simulation.digest()

"""Policy, provisioning and fuzzing from the deck: what they inject, refuse and keep."""

from types import SimpleNamespace

import pytest

from flockcore.barrier.codes import Phase
from flockcore.barrier.fuzz import Campaign
from flockcore.barrier.policy import Combined, MaxFailures, StrictAll, Threshold, UserPolicy
from flockcore.barrier.schedule import all_ready
from flockcore.barrier.suite import SUITE, Cell
from flockcore.barrier.traces import run
from flockcore.errors import FlockError
from flockcore.kernel.faults import Provision, Require
from flockcore.scenario import Scenario
from flockpit.controls.fuzzing import Fuzzing, read_campaign
from flockpit.controls.policy import Asked, PolicyEditor, asked_of
from flockpit.controls.provision import ProvisionForm
from flockpit.instruments.barrier_fuzz import Fuzz
from flockpit.session import Session


@pytest.fixture
def session():
    made = Session(Scenario(nodes=20, ticks=400, title="Small", seed=2))
    made.sim.run(10)
    return made


@pytest.fixture
def policy(session):
    made = PolicyEditor(session)
    made.update()
    return made


@pytest.fixture
def form(session, policy):
    made = ProvisionForm(session, policy)
    made.update()
    return made


# ---------------------------------------------------------------- policy


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        (StrictAll(), {"policy": "strict_all", "ready": 0, "failed": 0}),
        (Threshold(7), {"policy": "threshold", "ready": 7, "failed": 0}),
        (MaxFailures(2), {"policy": "max_failures", "ready": 0, "failed": 2}),
        (Combined(7, 2), {"policy": "combined", "ready": 7, "failed": 2}),
    ],
)
def test_records_name_policies_and_only_the_numbers_that_count(policy, numbers):
    known = Asked(ready=16, failed=3)
    assert asked_of(policy, known).numbers() == numbers


def test_before_a_provisioning_a_policy_is_kept_for_it(session, policy, form):
    policy._kinds.value = "combined"
    policy._knobs[0]._slider.param.trigger("value")
    policy.ask(Asked(policy="combined", ready=15, failed=4))
    assert session.sim.injected == ()
    assert form.provision()
    assert session.sim.injected[-1].policy == "combined"
    session.sim.run(1)
    assert session.sim.barrier.policy == Combined(15, 4)


def test_while_the_gate_waits_a_change_is_injected(session, policy, form):
    form.provision()
    session.sim.run(2)
    policy.update()
    policy._kinds.value = "threshold"
    assert isinstance(session.sim.injected[-1], Require)
    session.sim.run(1)
    assert session.sim.barrier.policy == Threshold(16)
    policy.shift(-1)
    session.sim.run(1)
    assert session.sim.barrier.policy == Threshold(15)


def test_once_it_has_decided_a_change_is_for_the_next_time(session, policy, form):
    form.provision()
    session.sim.run(380)
    assert session.sim.barrier.phase is Phase.CONVERGE
    done = len(session.sim.injected)
    policy.update()
    policy.ask(Asked(policy="max_failures", failed=1))
    policy.update()
    assert len(session.sim.injected) == done
    assert policy.kept
    assert form.provision()
    session.sim.run(2)
    assert session.sim.barrier.policy == MaxFailures(1)
    policy.update()
    assert not policy.kept


def test_the_editor_follows_the_script_when_time_goes_back(session, policy, form):
    form.provision()
    session.sim.run(3)
    policy.update()
    policy.ask(Asked(policy="threshold", ready=12))
    session.sim.run(3)
    policy.update()
    assert policy.asked.policy == "threshold"
    session.sim.seek(12)
    policy.update()
    assert policy._kinds.value == "strict_all"


def test_fewer_than_all_is_a_threshold(session, policy):
    policy.shift(-1)
    policy.update()
    assert policy.asked.numbers() == {"policy": "threshold", "ready": 19, "failed": 0}
    policy.ask(Asked(policy="max_failures", failed=1))
    policy.shift(1)
    assert session.notice.refused


def test_a_cap_alone_warns_that_it_holds_on_no_evidence(policy):
    policy.ask(Asked(policy="max_failures", failed=2))
    policy.update()
    assert "zero evidence" in policy._said.object
    assert "not monotone" in policy._head.object


def test_another_flock_has_other_numbers(session, policy):
    session.load(Scenario(nodes=5, ticks=100, seed=1))
    policy.update()
    assert (policy.asked.ready, policy._knobs[0]._slider.end) == (4, 5)


# ---------------------------------------------------------------- provisioning


def test_the_form_says_what_is_going_to_happen(session, form):
    form._patterns.value = 0.3
    form.take(least_us=5_000, mean_us=45_000)
    form._when.value = True
    form._seat.value_input = "n7"
    assert form.provision()
    record = session.sim.injected[-1]
    assert isinstance(record, Provision)
    assert (record.fail, record.least_us, record.mean_us) == (0.3, 5_000, 45_000)
    assert (record.early, record.seat) == (True, 7)


def test_a_custom_share_is_shown_as_such(form):
    form._patterns.value = -1.0
    form.update()
    assert form.fail == 0.2
    assert form._patterns.value == -1.0
    form.take(fail=0.1)
    form.update()
    assert form._patterns.value == 0.1


@pytest.mark.parametrize("text", ["20", "-1", "", "seven", "1.5"])
def test_a_seat_that_is_no_node_is_refused_with_what_is_allowed(session, form, text):
    form._seat.value_input = text
    assert not form.provision()
    assert "from 0 to 19" in session.notice.text
    assert session.sim.injected == ()


def test_the_form_begins_with_what_the_scenario_does():
    session = Session(Scenario.load("late-report"))
    form = ProvisionForm(session, PolicyEditor(session))
    form.update()
    assert (form.fail, form.least_us, form.mean_us) == (0.0, 60_000, 60_000)


# ---------------------------------------------------------------- fuzzing


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("hosts", "0"), ("hosts", "-3"), ("hosts", "many"), ("hosts", ""), ("hosts", "1e3"),
        ("hosts", "100001"), ("runs", "0"), ("runs", "2.5"), ("seed", "-1"), ("seed", str(2**53)),
    ],
)  # fmt: skip
def test_a_number_that_is_none_is_named_with_what_is_allowed(name, text):
    texts = {"hosts": "10", "runs": "24", "seed": "0", name: text}
    with pytest.raises(FlockError, match=rf"{name} is `{text}`; a whole number from"):
        read_campaign(**texts)


def test_slices_come_to_what_the_campaign_comes_to():
    campaign = read_campaign(hosts="1,000", runs="120", seed="7")
    whole = campaign.run()
    fuzzing = Fuzzing(campaign)
    while not fuzzing.done:
        fuzzing.work(0.0)
    assert (fuzzing.made, fuzzing.converged, fuzzing.failed) == (
        whole.runs, whole.converged, whole.failed,
    )  # fmt: skip
    assert (fuzzing.reports, fuzzing.broken) == (whole.reports, 0)
    assert {name: tuple(cell[:2]) for name, cell in fuzzing.cells.items()} == whole.cells


def test_slices_get_shorter_when_they_take_too_long():
    now = [0.0]

    def clock():
        now[0] += 0.05
        return now[0]

    fuzzing = Fuzzing(Campaign(hosts=5, runs=40), clock=clock)
    fuzzing._width = 16
    fuzzing.work(0.0)
    assert (fuzzing.made, fuzzing._width) == (16, 8)


def failing(*, after, error):
    """A suite whose runs fail from one on."""
    left = [after]

    def make(hosts, _):
        left[0] -= 1
        if left[0] < 0:
            raise error
        return StrictAll(), all_ready(hosts)

    return (Cell("all", make),)


@pytest.mark.parametrize("error", [FlockError("no such draw"), ValueError("broken")])
def test_what_was_done_before_a_failure_is_kept(error):
    campaign = Campaign(hosts=4, runs=50, suite=failing(after=9, error=error))
    fuzzing = Fuzzing(campaign)
    while not fuzzing.done:
        fuzzing.work(0.0)
    assert 7 <= fuzzing.made <= 9
    assert str(error).capitalize() in fuzzing.stopped or str(error) in fuzzing.stopped
    assert fuzzing.converged == fuzzing.made


def test_a_policy_that_raises_stops_it_with_its_words():
    def bad(ready, failed, prov):
        raise ZeroDivisionError("by nothing")

    cell = Cell("mine", lambda n, _: (UserPolicy(label="mine", predicate=bad), all_ready(n)))
    fuzzing = Fuzzing(Campaign(hosts=4, runs=10, suite=(*SUITE[:2], cell)))
    while not fuzzing.done:
        fuzzing.work(0.0)
    assert "ZeroDivisionError" in fuzzing.stopped
    assert fuzzing.made >= 2


def test_a_violation_is_counted_in_its_cell():
    def never(policy, words, *, early=False):
        return run(Threshold(0), words, early=early)

    fuzzing = Fuzzing(Campaign(hosts=6, runs=24, engine=never))
    while not fuzzing.done:
        fuzzing.work(0.0)
    assert fuzzing.broken == sum(cell[2] for cell in fuzzing.cells.values()) > 0
    assert len(fuzzing.violations) <= 8
    assert "seed 0" in str(fuzzing.violations[0])


def finish(session):
    while session.chore is not None:
        session.advance()


def test_the_card_runs_a_campaign_beside_the_run(session):
    card = Fuzz(session)
    view = SimpleNamespace()
    card.update(view)
    assert "Every policy" in card._table.object
    card.toggle()
    assert card.running
    session.advance()
    card.update(view)
    assert "role='progressbar'" in card._table.object
    finish(session)
    card.update(view)
    assert "all runs made" in card._table.object
    assert "240</b> <small>runs" in card._line.object


def test_a_cancelled_campaign_keeps_its_tallies(session):
    card = Fuzz(session)
    card.fields["hosts"].value_input = "5000"
    card.toggle()
    session.advance()
    card.toggle()
    finish(session)
    card.update(SimpleNamespace())
    assert "Cancelled" in card._table.object
    assert 0 < card.run.made < 240


def test_bad_numbers_are_answered_and_the_last_tallies_stay(session):
    card = Fuzz(session)
    card.toggle()
    finish(session)
    card.fields["hosts"].value_input = "0"
    card.toggle()
    card.update(SimpleNamespace())
    assert "Hosts is `0`; a whole number from 1 to 100,000 is allowed." in card._table.object
    assert "all runs made" in card._table.object
    assert session.chore is None


def test_a_change_is_shown_before_the_tick_with_which_it_begins(session, policy, form):
    form.provision()
    session.sim.run(2)
    policy.update()
    policy._kinds.value = "combined"
    policy.update()
    assert policy._kinds.value == "combined"
    policy.shift(-1)
    policy.update()
    assert policy.asked.numbers() == {"policy": "combined", "ready": 15, "failed": 2}


def test_a_provisioning_that_has_not_begun_takes_the_other_policy(session, policy, form):
    form.provision()
    policy.update()
    policy._kinds.value = "max_failures"
    (record,) = session.sim.injected
    assert (record.policy, record.failed, record.start) == ("max_failures", 2, 11)
    policy.update()
    assert policy._kinds.value == "max_failures"


def test_the_form_is_as_usual_again_for_a_scenario_without_a_provisioning():
    session = Session(Scenario.load("late-report"))
    form = ProvisionForm(session, PolicyEditor(session))
    form.update()
    session.load(Scenario.load("calm-flock"))
    form.update()
    assert form.mean_us == Provision().mean_us != 60_000


def test_a_reset_forgets_what_was_kept_for_the_next_provisioning(session, policy, form):
    policy.ask(Asked(policy="max_failures", failed=1))
    form.take(fail=0.5)
    session.reset()
    policy.update()
    form.update()
    assert policy.asked.policy == "strict_all"
    assert form.fail == 0.0

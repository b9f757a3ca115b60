"""Share tokens: what is written is read, what is damaged is refused, and by name."""

import hashlib
import json
import re
import string
import zlib
from base64 import urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flockcore.errors import FlockError
from flockcore.kernel.faults import Crash, Heal, Loss, Partition, SetField
from flockcore.scenario import Scenario
from flockcore.token import (
    MAX_LENGTH,
    MAX_SAMPLES,
    TokenContent,
    compare,
    decode,
    encode,
)

DIGEST = hashlib.sha256(b"end").hexdigest()


def samples(count, stride=16):
    digests = [hashlib.sha256(bytes([n])).digest()[:4] for n in range(count)]
    return tuple((stride * (n + 1), digest) for n, digest in enumerate(digests))


def content(**changes):
    values = {
        "scenario": Scenario.load("split-brain"),
        "schedule": ((0, 7),),
        "tick": 1_000,
        "digest": DIGEST,
        "samples": samples(MAX_SAMPLES),
    }
    return TokenContent(**{**values, **changes})


faults = st.one_of(
    st.builds(Crash, nodes=st.just((1, 2)), start=st.integers(1, 999)),
    st.builds(Loss, probability=st.floats(0, 1), start=st.integers(1, 999)),
    st.builds(Heal, start=st.integers(1, 999)),
    st.builds(Partition, groups=st.just((tuple(range(24)), (30,))), start=st.integers(1, 999)),
)
contents = st.builds(
    content,
    scenario=st.sampled_from(
        [
            Scenario.load("split-brain"),
            Scenario.load("split-brain").replace(nodes=60, seed=3),
            Scenario.load("calm-flock").replace(ticks=2_000, k=7, summary=""),
            Scenario(name="of-my-own", nodes=31, title="Ünïcode \N{GOAT}", metric="logical"),
        ]
    ),
    schedule=st.sampled_from([((0, 1),), ((0, 2**53 - 1), (300, 5), (301, 6))]),
    injected=st.lists(faults, max_size=5).map(tuple),
    scripted=st.sampled_from([None, (), (0,), (0, 0)]).filter(lambda n: n != (0, 0)),
    tick=st.integers(0, 10**7),
    samples=st.integers(0, MAX_SAMPLES).map(samples),
)


@pytest.mark.slow
@given(contents)
def test_what_is_written_is_read(run):
    if run.scripted and not run.scenario.faults:
        run = content(scenario=run.scenario)
    token = encode(run)
    assert decode(token) == run
    assert len(token) <= MAX_LENGTH
    assert set(token) <= set(string.ascii_letters + string.digits + "-_.")


def test_white_space_of_a_broken_line_does_not_matter():
    token = encode(content())
    assert decode(f"  {token[:70]}\n  {token[70:]}\n") == content()


def test_a_preset_is_named_and_not_written_out():
    assert len(encode(content(samples=()))) < 250
    assert len(encode(content())) < 700


def test_the_script_is_what_is_scripted_and_what_was_injected():
    scenario = Scenario.load("split-brain")
    crash = Crash(nodes=(3,), start=500)
    assert content(injected=(crash,)).script == (*scenario.faults, crash)
    assert content(injected=(crash,), scripted=(1,)).script == (scenario.faults[1], crash)


def test_samples_that_do_not_fit_are_thinned_evenly():
    many = tuple(
        SetField(node=n % 48, component=0, value=(n * 7919 % 1000) / 1000, start=100 + 7 * n)
        for n in range(130)
    )
    crowded = content(injected=many)
    kept = decode(encode(crowded))
    assert kept.injected == many
    assert 0 < len(kept.samples) < MAX_SAMPLES
    assert set(kept.samples) < set(crowded.samples)
    steps = {
        after[0] - before[0] for before, after in zip(kept.samples, kept.samples[1:], strict=False)
    }
    assert len(steps) == 1


def test_more_samples_than_a_token_holds_are_thinned():
    assert len(decode(encode(content(samples=samples(200)))).samples) == 50


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        (
            {
                "injected": tuple(
                    SetField(node=n % 48, component=n % 6, value=(n * 7919 % 1000) / 1000, start=n)
                    for n in range(1, 800)
                )
            },
            "the faults injected by hand",
        ),
        (
            {
                "scenario": Scenario(
                    nodes=900,
                    layout="explicit",
                    positions=[(n * n % 997, n * n * n % 991) for n in range(900)],
                )
            },
            "the scenario",
        ),
    ],
)
def test_a_run_too_long_for_a_token_says_which_part_and_what_to_do(changes, part):
    with pytest.raises(FlockError, match=part) as caught:
        encode(content(**changes))
    assert "allowed are 2000" in str(caught.value)
    assert "flockpit verify RUN.json" in str(caught.value)


@pytest.mark.slow
@given(st.integers(0, 10_000))
def test_every_truncation_is_named(cut):
    token = encode(content())
    part = token[: cut % len(token)]
    with pytest.raises(FlockError, match=r"truncated|not a share token"):
        decode(part)
    if len(part) > len("fp1.600."):
        with pytest.raises(FlockError, match="truncated"):
            decode(part)


@pytest.mark.slow
@given(st.integers(0, 10_000), st.sampled_from(string.ascii_letters + string.digits + "-_"))
def test_every_altered_letter_is_named(place, letter):
    token = encode(content())
    start = token.index(".", 4) + 1
    # The last letter may carry bits that belong to no byte.
    place = start + place % (len(token) - start - 1)
    if token[place] != letter:
        with pytest.raises(FlockError, match="altered"):
            decode(token[:place] + letter + token[place + 1 :])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a share token"),
        ("hello", "begins with 'hello'"),
        ("fp2.10.abcdefghij", "of version 2, this flockpit reads version 1"),
        ("fp0.1.a", "of version 0"),
        ("fp1.", "truncated"),
        ("fp1.900", "truncated"),
        ("fp1.4.AAAA", "altered"),
        ("fp1.4.ÄÖÜß", "altered"),
        ("fp1.0.", "altered"),
    ],
)
def test_what_is_no_token_is_refused_by_name(text, words):
    with pytest.raises(FlockError, match=re.escape(words)) as caught:
        decode(text)
    assert "allowed" in str(caught.value)


def test_a_token_with_something_after_it_was_altered():
    with pytest.raises(FlockError, match="altered"):
        decode(encode(content()) + "AAAA")


def sealed(parts, *, plain=None):
    """A token with a valid check sum and whatever content."""
    packed = zlib.compress(json.dumps(parts).encode() if plain is None else plain)
    raw = hashlib.sha256(packed).digest()[:4] + packed
    data = urlsafe_b64encode(raw).decode().rstrip("=")
    return f"fp1.{len(data)}.{data}"


GOOD = {
    "scenario": {"whole": {"nodes": 9}},
    "schedule": [[0, 1]],
    "tick": 5,
    "digest": "AAAA",
}


def test_a_sealed_content_is_read():
    assert decode(sealed(GOOD)).scenario == Scenario(nodes=9)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tick": -1}, "content is not that of a run"),
        ({"tick": "5"}, "content is not that of a run"),
        ({"tick": 10**12}, "more than 10000000"),
        ({"schedule": []}, "seed schedule"),
        ({"schedule": [[1, 1]]}, "seed schedule"),
        ({"schedule": [[0, 1], [0, 2]]}, "seed schedule"),
        ({"scripted": [0]}, "scripted fault does not exist"),
        ({"scenario": {}}, "content is not that of a run"),
        ({"scenario": {"whole": {"nodes": 10**9}}}, "GB"),
        ({"scenario": {"preset": "nowhere", "hash": ""}}, "does not exist"),
        ({"scenario": {"preset": "calm-flock", "hash": "0" * 16}}, "has changed since"),
        ({"injected": [{"kind": "crash", "nodes": [9]}]}, "node 9 does not exist"),
        ({"injected": [{"kind": "crush"}]}, '"crash"'),
    ],
)
def test_a_sealed_content_that_is_no_run_is_refused(changes, words):
    with pytest.raises(FlockError, match=re.escape(words)):
        decode(sealed({**GOOD, **changes}))


def test_a_sealed_content_that_is_no_table_is_refused():
    for token in (sealed([]), sealed(None, plain=b"not json")):
        with pytest.raises(FlockError, match="altered"):
            decode(token)


def test_comparison_names_the_ticks_between_which_two_runs_part():
    ticks = (10, 20, 30)
    first = (b"aaaa", b"bbbb", b"cccc")
    longer = tuple(digest + b"more" for digest in first)
    assert compare(ticks, first, first) == "identical"
    assert compare(ticks, first, longer) == "identical"
    assert compare((), (), ()) == "identical"
    assert compare(ticks, first, (b"xxxx", *first[1:])) == ("differs", 0, 10)
    assert compare(ticks, first, (*first[:2], b"xxxx")) == ("differs", 20, 30)
    with pytest.raises(FlockError, match="as many of each"):
        compare(ticks, first, first[:2])

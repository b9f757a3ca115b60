"""Share tokens: a whole run in at most 2,000 characters, and the proof that it is that run.

A token holds what a run was made of (scenario, seeds, faults injected by hand), how far it got, and
digests of its state along the way. Opening one means to execute the run again; `compare` then says
whether it is identical, or between which ticks it went another way.

Form: ``fp1.LENGTH.DATA`` with the version, the length of DATA in decimal, and DATA in URL-safe
base64: four bytes of SHA-256 over what follows, then the zlib-compressed JSON content.
"""

from __future__ import annotations

import json
import re
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal

from flockcore.errors import FlockError
from flockcore.kernel.faults import Fault, from_dict, to_dict, validate
from flockcore.scenario import Scenario

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = [
    "LONGEST_RUN",
    "MAX_LENGTH",
    "MAX_SAMPLES",
    "SAMPLE_BYTES",
    "VERSION",
    "TokenContent",
    "compare",
    "decode",
    "encode",
]

VERSION = 1
"""Version of the token's form."""
MAX_LENGTH = 2_000
"""Most characters of a token."""
LONGEST_RUN = 10**7
"""Most ticks that a token may ask to be executed."""
MAX_SAMPLES = 64
"""Most digests along the way."""
SAMPLE_BYTES = 4
"""Bytes kept of each digest along the way."""

_FORM = re.compile(r"fp(\d{1,6})\.(?:(\d{1,6})\.)?(.*)", re.DOTALL)
_CHECK_BYTES = 4
_LARGEST_CONTENT = 1 << 23


@dataclass(frozen=True, kw_only=True)
class TokenContent:
    """What a token says.

    Attributes:
        scenario: The scenario of the run.
        schedule: (tick, seed) pairs in ascending order of tick, the first at tick 0.
        injected: Faults and commands injected by hand, each with its tick.
        scripted: Which faults of the scenario's script belong to the run, by number; None for all
            of them. A branch that left the past before a scripted fault may lack some.
        tick: Ticks done.
        digest: Digest of the state at `tick`, 32 bytes in hexadecimal.
        samples: (tick, first four bytes of the digest) pairs along the way, by ascending tick.
    """

    scenario: Scenario
    schedule: tuple[tuple[int, int], ...]
    injected: tuple[Fault, ...] = ()
    scripted: tuple[int, ...] | None = None
    tick: int
    digest: str
    samples: tuple[tuple[int, bytes], ...] = ()

    @property
    def script(self) -> tuple[Fault, ...]:
        """The whole fault script: what is scripted, then what was injected."""
        faults, numbers = self.scenario.faults, self.scripted
        kept = faults if numbers is None else tuple(faults[number] for number in numbers)
        return (*kept, *self.injected)


def encode(content: TokenContent) -> str:
    """Write a token.

    A scenario that comes with the package is named, with a hash of its content and what differs
    from it; another one is written out. Of samples that do not fit every second one is dropped.

    Args:
        content: What the token is to say.

    Returns:
        The token, at most `MAX_LENGTH` characters of the URL-safe alphabet and dots.

    Raises:
        FlockError: If it does not fit even without samples; the message says which part is long
            and how to share the run instead.
    """
    samples = content.samples
    while len(samples) > MAX_SAMPLES:
        samples = samples[1::2]
    parts = _parts(content)
    while True:
        token = _pack({**parts, **_sample_parts(samples)})
        if len(token) <= MAX_LENGTH:
            return token
        if not samples:
            raise FlockError(_too_long(token, parts))
        samples = samples[1::2]


def decode(text: str) -> TokenContent:
    """Read a token.

    Args:
        text: The token; white space around or within it, as from a broken line, does not matter.

    Returns:
        What it says.

    Raises:
        FlockError: If it is no token, is of another version, truncated or altered, or names a
            scenario that has changed since. The message says which.
    """
    parts = _unpack("".join(text.split()))
    try:
        return _content(parts)
    except FlockError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise FlockError(
            f"the token's content is not that of a run ({type(error).__name__}: {error}); allowed "
            "is a token as the share button gives it"
        ) from error


def compare(
    ticks: Sequence[int], recorded: Sequence[bytes], recomputed: Sequence[bytes]
) -> Literal["identical"] | tuple[Literal["differs"], int, int]:
    """Compare digests along two executions of one run.

    Args:
        ticks: Ticks of the digests, ascending.
        recorded: Digests of the first execution, or their first bytes.
        recomputed: Digests of the second one, as long or longer.

    Returns:
        ``"identical"``, or ``("differs", a, b)``: equal at tick a (0 is the start), different at
        tick b.

    Raises:
        FlockError: If the three are not of one length.
    """
    if not len(ticks) == len(recorded) == len(recomputed):
        raise FlockError(
            f"{len(ticks)} ticks, {len(recorded)} recorded and {len(recomputed)} recomputed "
            "digests; allowed are as many of each"
        )
    before = 0
    for tick, first, second in zip(ticks, recorded, recomputed, strict=True):
        if first != second[: len(first)]:
            return "differs", before, tick
        before = tick
    return "identical"


# ------------------------------------------------------------------------------ content


def _parts(content: TokenContent) -> dict[str, object]:
    parts: dict[str, object] = {
        "scenario": _scenario_part(content.scenario),
        "schedule": [list(pair) for pair in content.schedule],
        "tick": content.tick,
        "digest": _text64(bytes.fromhex(content.digest)),
    }
    if content.injected:
        parts["injected"] = [to_dict(fault) for fault in content.injected]
    if content.scripted is not None:
        parts["scripted"] = list(content.scripted)
    return parts


def _scenario_part(scenario: Scenario) -> dict[str, object]:
    table = scenario.to_dict()
    if scenario.name not in Scenario.names():
        return {"whole": table}
    preset = Scenario.load(scenario.name)
    base = preset.to_dict()
    part: dict[str, object] = {"preset": scenario.name, "hash": preset.fingerprint[:16]}
    changed = {key: value for key, value in table.items() if base.get(key, ...) != value}
    dropped = [key for key in base if key not in table]
    if changed:
        part["changed"] = changed
    if dropped:
        part["dropped"] = dropped
    return part


def _scenario(part: Mapping[str, Any]) -> Scenario:
    if "whole" in part:
        return Scenario.from_dict(part["whole"])
    preset = Scenario.load(part["preset"])
    if preset.fingerprint[:16] != part["hash"]:
        raise FlockError(
            f"the scenario {preset.name!r} has changed since the token was made: its content was "
            f"{part['hash']} and is {preset.fingerprint[:16]}; allowed is the flockpit that made "
            "the token, or an export of the run"
        )
    table = {**preset.to_dict(), **part.get("changed", {})}
    for key in part.get("dropped", ()):
        table.pop(key, None)
    return Scenario.from_dict(table)


def _sample_parts(samples: Sequence[tuple[int, bytes]]) -> dict[str, object]:
    if not samples:
        return {}
    ticks = [tick for tick, _ in samples]
    # Steps, not ticks: evenly spaced ones then compress to almost nothing.
    steps = [after - before for before, after in zip([0, *ticks], ticks, strict=False)]
    packed = b"".join(digest[:SAMPLE_BYTES] for _, digest in samples)
    return {"steps": steps, "samples": _text64(packed)}


def _samples(parts: Mapping[str, Any]) -> tuple[tuple[int, bytes], ...]:
    packed = _bytes64(parts.get("samples", ""))
    found, tick = [], 0
    for number, step in enumerate(parts.get("steps", ())):
        tick += _number(step)
        found.append((tick, packed[number * SAMPLE_BYTES : (number + 1) * SAMPLE_BYTES]))
    return tuple(found)


def _content(parts: Mapping[str, Any]) -> TokenContent:
    scenario = _scenario(parts["scenario"])
    injected = tuple(from_dict(table) for table in parts.get("injected", ()))
    for fault in injected:
        validate(fault, scenario.nodes)
    schedule = tuple((_number(tick), _number(seed)) for tick, seed in parts["schedule"])
    ticks = [tick for tick, _ in schedule]
    if not ticks or ticks[0] != 0 or ticks != sorted(set(ticks)):
        raise ValueError("the seed schedule does not begin at tick 0 and ascend")
    scripted = parts.get("scripted")
    if scripted is not None:
        scripted = tuple(_number(number) for number in scripted)
        if any(number >= len(scenario.faults) for number in scripted):
            raise ValueError("a scripted fault does not exist")
    digest = _bytes64(parts["digest"]).hex()
    tick = _number(parts["tick"])
    if tick > LONGEST_RUN:
        raise ValueError(f"{tick} ticks are more than {LONGEST_RUN}")
    return TokenContent(
        scenario=scenario,
        schedule=schedule,
        injected=injected,
        scripted=scripted,
        tick=tick,
        digest=digest,
        samples=_samples(parts),
    )


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no number of ticks or seed")
    return value


# ------------------------------------------------------------------------------ form


def _text64(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _bytes64(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _pack(parts: Mapping[str, object]) -> str:
    plain = json.dumps(parts, separators=(",", ":"), ensure_ascii=False).encode()
    packed = zlib.compress(plain, 9)
    data = _text64(sha256(packed).digest()[:_CHECK_BYTES] + packed)
    return f"fp{VERSION}.{len(data)}.{data}"


def _unpack(text: str) -> dict[str, Any]:
    form = _FORM.fullmatch(text)
    if form is None:
        raise FlockError(
            f"this is not a share token: it begins with {text[:12]!r}; allowed is a text that "
            f"begins with fp{VERSION}."
        )
    version, length, data = form.groups()
    if int(version) != VERSION:
        raise FlockError(
            f"the token is of version {version}, this flockpit reads version {VERSION}; allowed is "
            "a token of that version, or the flockpit that made this one"
        )
    if length is None or len(data) < int(length):
        wanted = "its length" if length is None else f"{length} characters"
        raise FlockError(
            f"the token is truncated: {len(data)} characters of data where {wanted} should follow; "
            "allowed is the whole token, copied to its end"
        )
    parts = _opened(data) if len(data) == int(length) else None
    if not isinstance(parts, dict):
        raise FlockError(
            "the token was altered on its way: its check sum does not fit; allowed is the token as "
            "the share button gives it"
        )
    return parts


def _opened(data: str) -> object:
    """The content of a token's data; None if they were altered."""
    try:
        raw = _bytes64(data)
        packed = raw[_CHECK_BYTES:]
        if sha256(packed).digest()[:_CHECK_BYTES] != raw[:_CHECK_BYTES]:
            return None
        return json.loads(zlib.decompressobj().decompress(packed, _LARGEST_CONTENT))
    except (Base64Error, zlib.error, ValueError):
        return None


def _too_long(token: str, parts: Mapping[str, object]) -> str:
    sizes = {name: len(_pack({name: part})) for name, part in parts.items()}
    longest = max(sizes, key=lambda name: sizes[name])
    names = {"scenario": "the scenario", "injected": "the faults injected by hand"}
    return (
        f"the run does not fit into a share token: {len(token)} characters, most of them for "
        f"{names.get(longest, longest)} ({sizes[longest]}); allowed are {MAX_LENGTH}. Export the "
        "run as JSON and share the file: flockpit verify RUN.json checks it"
    )

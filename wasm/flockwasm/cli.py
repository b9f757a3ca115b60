"""The command line of the static site: `python -m flockwasm site | parity`."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from flockcore.errors import FlockError
from flockcore.scenario import Scenario
from flockwasm import parity
from flockwasm.inside.parity import CAMPAIGN
from flockwasm.site import build

__all__ = ["main"]

_BAD = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Args:
        argv: the arguments; by default those of the process.

    Returns:
        The exit code: 0; 1 when runs differ; 2, with a line on standard error, when something is
        missing.
    """
    parser = argparse.ArgumentParser(prog="python -m flockwasm", description=__doc__)
    made = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    site = made.add_parser("site", help="write the static site")
    site.add_argument("--out", type=Path, default=Path("build/site"), help="folder to write")
    site.add_argument("--runtime", type=Path, help="folder with Pyodide's files, tried first")
    site.add_argument("--quiet", action="store_true", help="no progress bars")
    site.set_defaults(command=_site)
    both = made.add_parser("parity", help="run natively and on Pyodide, and compare")
    both.add_argument(
        "scenarios", nargs="*", metavar="SCENARIO", help="by default all, and a campaign"
    )
    both.add_argument("--site", type=Path, default=Path("build/site"), help="a built site")
    both.set_defaults(command=_parity)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.command(arguments)
    except (FlockError, OSError) as error:
        print(f"flockwasm: {error}", file=sys.stderr)
        return _BAD
    return code


def _site(arguments: argparse.Namespace) -> int:
    report = build(arguments.out, runtime=arguments.runtime, quiet=arguments.quiet)
    print(report)
    return 0


def _parity(arguments: argparse.Namespace) -> int:
    names = arguments.scenarios or [*Scenario.names(), CAMPAIGN]
    found: list[parity.Difference] = []

    def each() -> Iterator[parity.Difference]:
        for difference in parity.check(arguments.site, names):
            found.append(difference)
            yield difference

    for line in parity.table(each()):
        print(line, flush=True)
    return 0 if all(difference.holds for difference in found) else 1

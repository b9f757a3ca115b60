"""The command line of the static site: `python -m flockwasm site`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from flockwasm.errors import SiteError
from flockwasm.site import build

__all__ = ["main"]

_BAD = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Args:
        argv: the arguments; by default those of the process.

    Returns:
        The exit code: 0, or 2, with one line on standard error, when something is missing.
    """
    parser = argparse.ArgumentParser(prog="python -m flockwasm", description=__doc__)
    made = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    site = made.add_parser("site", help="write the static site")
    site.add_argument("--out", type=Path, default=Path("build/site"), help="folder to write")
    site.add_argument("--runtime", type=Path, help="folder with Pyodide's files, tried first")
    site.add_argument("--quiet", action="store_true", help="no progress bars")
    site.set_defaults(command=_site)
    arguments = parser.parse_args(argv)
    try:
        code: int = arguments.command(arguments)
    except (SiteError, OSError) as error:
        print(f"flockwasm: {error}", file=sys.stderr)
        return _BAD
    return code


def _site(arguments: argparse.Namespace) -> int:
    report = build(arguments.out, runtime=arguments.runtime, quiet=arguments.quiet)
    print(report)
    return 0

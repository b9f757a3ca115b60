"""The command line: `flockpit serve | run | verify | scenarios | swarm | curl | barrier`.

Every command ends with 0 when all is well, 1 when a check failed, and 2, with one line on standard
error, when it was asked for something that cannot be done.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from typing import Never

from flockcore.errors import FlockError
from flockpit import commands
from flockpit.barrier import command as barrier
from flockpit.exports import engine_version
from flockpit.flows import command as curl

__all__ = ["main"]

BAD_INPUT = 2
"""Exit code for what cannot be done."""
_INTERRUPTED = 130


class _Parser(argparse.ArgumentParser):
    """Refuses in one line, where argparse would repeat the whole usage."""

    def error(self, message: str) -> Never:
        self.exit(BAD_INPUT, f"{self.prog}: {message} ({self.prog} --help says what is allowed)\n")


def main(argv: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Args:
        argv: The arguments; by default those of the process.

    Returns:
        The exit code.
    """
    try:
        arguments = _parser().parse_args(argv)
        code: int = arguments.command(arguments)
        sys.stdout.flush()
    except FlockError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        # Whoever read our output has left; point it elsewhere, or the interpreter complains.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        what = f"{error.filename}: " if error.filename else ""
        return _refuse(f"{what}{error.strerror or error}")
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return _INTERRUPTED
    return code


def _refuse(message: str) -> int:
    print(f"flockpit: {' '.join(message.split())}", file=sys.stderr)
    return BAD_INPUT


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="flockpit",
        description="A cockpit for flocks of machines: watch leaderless coordination, break it, "
        "wind it back.",
    )
    parser.add_argument("--version", action="version", version=f"flockpit {engine_version()}")
    made = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, add, words in (
        ("serve", _add_serve, "open the cockpit in a browser"),
        ("run", _add_run, "run a scenario and say what came of it"),
        ("verify", _add_verify, "run a recorded or shared run again and compare it"),
        ("scenarios", _add_scenarios, "list the scenarios that come with flockpit"),
        ("swarm", _add_swarm, "run random flocks under random faults, and check them"),
        ("curl", curl.add_arguments, "take a flow or comparisons of your own apart"),
        ("barrier", barrier.add_arguments, "fuzz the readiness gate, or prove it"),
    ):
        add(made.add_parser(name, help=words, description=f"{words.capitalize()}."))
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", nargs="?", metavar="FILE.toml", help="a scenario file to open")
    parser.add_argument("--port", type=int, default=5006, help="port to listen on (5006)")
    parser.add_argument("--address", default="localhost", help="address to listen on (localhost)")
    parser.add_argument("--show", action="store_true", help="open a browser on it")
    parser.set_defaults(command=commands.serve)


def _add_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("scenario", metavar="SCENARIO|FILE.toml", help="a scenario or its file")
    parser.add_argument("--nodes", type=int, metavar="N", help="size of the flock")
    parser.add_argument("--ticks", type=int, metavar="T", help="length of the run in ticks")
    parser.add_argument("--seed", type=int, metavar="S", help="seed of its randomness")
    parser.add_argument("--json", metavar="FILE", help="record every tick there (- is the output)")
    parser.set_defaults(command=commands.run)


def _add_verify(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run",
        metavar="TOKEN|RUN.json",
        help="a share token, the link that holds one, or a recorded run (- is the input)",
    )
    parser.set_defaults(command=commands.verify)


def _add_scenarios(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=commands.scenarios)


def _add_swarm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--seeds", type=int, default=100, metavar="N", help="how many runs (100)")
    parser.add_argument("--first", type=int, default=0, metavar="S", help="first seed (0)")
    parser.add_argument("--jobs", type=int, default=1, metavar="J", help="runs at a time (1)")
    parser.set_defaults(command=commands.swarm)


if __name__ == "__main__":
    sys.exit(main())

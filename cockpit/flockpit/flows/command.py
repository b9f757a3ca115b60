"""The command `flockpit curl`: take a flow apart, tell its parts and draw them."""

import argparse
import os
import sys
from pathlib import Path

from flockcore.errors import FlockError
from flockcore.hodge.table import FlowTable, Meaning, read_csv, read_json
from flockpit.console import STANDARD, progress, read_input, show, writable, write
from flockpit.flows.analysis import STAGES, Analysis, analyse
from flockpit.packaged import asset

__all__ = ["add_arguments", "run"]

EXAMPLE = "world-cup-2014.csv"
"""The data set that comes with the package, in the folder `data` of its assets."""
_FAILED = 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what the command takes."""
    parser.add_argument(
        "file",
        nargs="?",
        metavar="FILE",
        help="CSV or JSON: rows of from, to, value, or of loser, winner (- is the input)",
    )
    parser.add_argument(
        "--example",
        action="store_true",
        help="in place of a file, the matches of the football World Cup 2014 as comparisons",
    )
    parser.add_argument(
        "--meaning",
        choices=[one.value for one in Meaning],
        help="what a row is: what flows, each pair once (flow, without this option); how much `to`"
        " was preferred, averaged over a pair's rows (comparison); who lost to whom (win)",
    )
    parser.add_argument(
        "--top", type=int, default=10, metavar="N", help="rows of each table (10); 0 means all"
    )
    parser.add_argument("--json", metavar="OUT", help="write everything there (- is the output)")
    parser.add_argument(
        "--plot", metavar="OUT.svg|OUT.html", help="draw the three parts there as a picture"
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace) -> int:
    """Take a flow apart; 1 when the solver did not converge, which is said."""
    _check(arguments)
    meaning = Meaning(arguments.meaning or ("comparison" if arguments.example else "flow"))
    with progress(STAGES + 1, "stages") as told:
        name, table = _read(arguments, meaning)
        writable(arguments.json, arguments.plot)
        told(1)
        analysis = analyse(table, name=name, meaning=meaning, told=lambda done: told(1 + done))
    _tell(analysis, arguments)
    return 0 if analysis.converged else _FAILED


def _check(arguments: argparse.Namespace) -> None:
    """Refuse what cannot be meant, before anything is read or written."""
    if arguments.example == (arguments.file is not None):
        raise FlockError("curl takes one FILE, or --example in its place")
    if arguments.top < 0:
        raise FlockError(f"--top {arguments.top}; allowed is 0 or more")
    if arguments.plot is not None and not arguments.plot.lower().endswith((".svg", ".html")):
        raise FlockError(f"--plot {arguments.plot}; allowed is a name that ends in .svg or .html")
    files = [
        one
        for one in (arguments.file, arguments.json, arguments.plot)
        if one not in (None, STANDARD)
    ]
    if len({os.path.realpath(one) for one in files}) < len(files):
        raise FlockError("FILE, --json and --plot name the same file; nothing was written")


def _read(arguments: argparse.Namespace, meaning: Meaning) -> tuple[str, FlowTable]:
    if arguments.example:
        return EXAMPLE, read_csv(asset(f"data/{EXAMPLE}").read_text("utf-8"), meaning=meaning)
    name = arguments.file
    text = read_input(name)
    is_json = name.lower().endswith(".json") or (
        not name.lower().endswith(".csv") and text.lstrip("\ufeff \t\r\n")[:1] in ("[", "{")
    )
    try:
        table = (read_json if is_json else read_csv)(text, meaning=meaning)
    except FlockError as error:
        raise FlockError(f"{'standard input' if name == STANDARD else name}: {error}") from error
    return "standard input" if name == STANDARD else Path(name).name, table


def _tell(analysis: Analysis, arguments: argparse.Namespace) -> None:
    from flockpit.flows.picture import as_html, as_svg
    from flockpit.flows.report import as_json, as_text

    # The report makes way when the JSON itself goes to the standard output.
    stream = sys.stderr if arguments.json == STANDARD else sys.stdout
    show(as_text(analysis, top=arguments.top), stream=stream)
    if arguments.json is not None:
        write(arguments.json, as_json(analysis))
    if arguments.plot is not None:
        drawn = as_svg if arguments.plot.lower().endswith(".svg") else as_html
        write(arguments.plot, drawn(analysis))

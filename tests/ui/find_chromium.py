"""Find a Chromium that starts, or install one: ``python tests/ui/find_chromium.py [--install]``.

In this order: the one that ``$FLOCKPIT_CHROMIUM`` names, one on the path, the one that Playwright
has downloaded; and with ``--install`` Playwright's download, then the system's package manager.
"""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

VARIABLE = "FLOCKPIT_CHROMIUM"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# The fonts are those that the cockpit's type stack ends in: without any, Chromium draws boxes.
PACKAGES = ("chromium", "fonts-liberation", "fonts-dejavu-core")


class NoChromiumError(RuntimeError):
    """No Chromium was found or could be installed; the message says what to do."""


@dataclass(frozen=True)
class Chromium:
    """An executable that answered, its version and where it came from."""

    path: str
    version: str
    source: str


def answer(command: Sequence[str], seconds: int = 60) -> str:
    """Return what a command prints; empty when it fails, hangs or is not there."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def succeeds(command: Sequence[str], seconds: int = 900) -> bool:
    """Run a command in view of the person waiting; a missing or hanging one has failed."""
    print("+", *command, flush=True)
    try:
        return subprocess.run(command, timeout=seconds, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        print(error, file=sys.stderr)
        return False


def check(path: str, source: str) -> Chromium | None:
    """Start the executable for its version: one that lacks a library is no use."""
    version = answer([path, "--version"]) if path else ""
    return Chromium(path, version.splitlines()[-1], source) if version else None


def named() -> Chromium | None:
    """Return the Chromium that the environment variable names.

    Raises:
        NoChromiumError: The variable is set, but what it names does not start.
    """
    path = os.environ.get(VARIABLE, "")
    if not path:
        return None
    found = check(shutil.which(path) or path, f"${VARIABLE}")
    if found is None:
        raise NoChromiumError(
            f"{VARIABLE}={path} does not start; it must name a Chromium or Chrome executable, "
            "or be unset to let one be found"
        )
    return found


def on_path() -> Chromium | None:
    """Return the first Chromium on the path that starts."""
    candidates = (check(shutil.which(name) or "", "installed, on the path") for name in NAMES)
    return next(filter(None, candidates), None)


def downloaded() -> Chromium | None:
    """Return Playwright's own Chromium, if it has been downloaded."""
    script = (
        "from playwright.sync_api import sync_playwright as start\n"
        "with start() as playwright: print(playwright.chromium.executable_path)"
    )
    path = answer([sys.executable, "-c", script])
    return check(path, "Playwright's download") if path else None


def find() -> Chromium | None:
    """Return a Chromium that is already here, or None."""
    return named() or on_path() or downloaded()


def download() -> Chromium | None:
    """Let Playwright download its Chromium."""
    succeeds([sys.executable, "-m", "playwright", "install", "chromium"])
    return downloaded()


def from_system() -> Chromium | None:
    """Install Chromium with the system's package manager, when it is ours to use."""
    if not shutil.which("apt-get") or os.geteuid() != 0:
        return None
    os.environ["DEBIAN_FRONTEND"] = "noninteractive"
    succeeds(["apt-get", "update"])
    succeeds(["apt-get", "install", "--yes", "--no-install-recommends", *PACKAGES])
    found = on_path()
    return found and Chromium(found.path, found.version, "the system's package manager")


def find_or_install() -> Chromium:
    """Return a Chromium, installing one when none is here.

    Raises:
        NoChromiumError: Nothing worked.
    """
    found = find() or download() or from_system()
    if found is None:
        raise NoChromiumError(
            "no Chromium: none is installed, Playwright could not download one, and apt-get is "
            f"missing or needs root. Install Chromium or Chrome, or set {VARIABLE} to its path"
        )
    return found


def main(arguments: Sequence[str] | None = None) -> int:
    """Print which Chromium the browser tests take; 1 when there is none."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--install", action="store_true", help="install one when none is here")
    install = parser.parse_args(arguments).install
    try:
        found = find_or_install() if install else find()
    except NoChromiumError as error:
        print(error, file=sys.stderr)
        return 1
    if found is None:
        print("no Chromium here; --install brings one", file=sys.stderr)
        return 1
    print(f"browser: {found.version}, {found.path} ({found.source})")
    return 0


if __name__ == "__main__":
    sys.exit(main())

"""`python -m flockwasm site | parity`."""

import sys

from flockwasm.cli import main

__all__: list[str] = []

if __name__ == "__main__":
    sys.exit(main())

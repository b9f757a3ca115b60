"""What is optimised before Python runs is told in the runtime's own terms."""

import opcode
import re
import sys
from pathlib import Path

import flockwasm
from flockwasm.runtime import RUNTIME

EAGER = (Path(flockwasm.__file__).parent / "shell" / "eager.js").read_text(encoding="utf-8")


def test_the_instruction_that_leaves_is_that_of_the_runtimes_python():
    (number,) = re.findall(r"^const INTERPRETER_EXIT = (\d+)$", EAGER, re.MULTILINE)
    assert opcode.opmap["INTERPRETER_EXIT"] == int(number)
    here = ".".join(map(str, sys.version_info[:2]))
    assert RUNTIME.python.startswith(f"{here}.")

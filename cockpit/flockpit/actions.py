"""What can be done, by name: the keys, what each does, and the sheet that lists them."""

from dataclasses import dataclass

__all__ = ["ACTIONS", "Action", "action_of"]


@dataclass(frozen=True, slots=True)
class Action:
    """One thing that a key or a button does.

    Attributes:
        verb: its name, as buttons in panes and the key table use it.
        keys: keys as the browser names them, "Shift+" before those that need it.
        shown: what stands on the key.
        text: what it does.
        group: heading in the sheet of keys.
    """

    verb: str
    keys: tuple[str, ...]
    shown: str
    text: str
    group: str


ACTIONS = (
    Action("toggle", (" ",), "space", "play or pause", "Time"),
    Action("step", ("ArrowRight",), "→", "one tick on", "Time"),
    Action("back", ("ArrowLeft",), "←", "one tick back; what is recorded stays", "Time"),
    Action("leap", ("Shift+ArrowRight",), "shift →", "one heartbeat period on", "Time"),
    Action("leap-back", ("Shift+ArrowLeft",), "shift ←", "one heartbeat period back", "Time"),
    Action("first", ("Home",), "home", "to the start; nothing is thrown away", "Time"),
    Action("last", ("End",), "end", "to the last recorded tick", "Time"),
    Action("faster", ("+", "="), "+", "faster", "Time"),
    Action("slower", ("-",), "−", "slower", "Time"),
    Action("partition", ("p", "P"), "P", "cut the flock in two, A | B", "Faults"),
    Action("heal", ("h", "H"), "H", "end all partitions and cuts", "Faults"),
    Action("lasso", ("l", "L"), "L", "draw a side round some nodes", "Faults"),
    Action("crash", ("c", "C"), "C", "crash the selected nodes", "Faults"),
    Action("undo", ("u", "U", "z"), "U", "take the last injection back", "Faults"),
    Action("write", ("w", "W"), "W", "write a flow round the picked triangle", "Flows"),
    Action("project", ("j", "J"), "J", "every node removes the curl it knows of", "Flows"),
    Action("balance", ("b", "B"), "B", "and evens the queues out", "Flows"),
    Action("provision", ("i", "I"), "I", "provision the flock, and wait at the barrier", "Barrier"),
    Action("fewer", ("[",), "[", "the gate needs one host fewer", "Barrier"),
    Action("more", ("]",), "]", "the gate needs one host more", "Barrier"),
    Action("fuzz", ("q", "Q"), "Q", "run the fuzz suite, or stop it", "Barrier"),
    Action("fork", ("f", "F"), "F", "fork here: two futures side by side", "Branches"),
    Action("swap", ("x", "X"), "X", "watch the other of two branches", "Branches"),
    Action("reset", ("Shift+R",), "shift R", "start anew, without what was injected", "Branches"),
    Action("deck", ("g", "G"), "G", "go to the next deck", "View"),
    Action(
        "view-node",
        ("1",),
        "1",
        "belief of a node, reported flow, trace",
        "View",
    ),
    Action(
        "view-majority",
        ("2",),
        "2",
        "belief of most, flow by gossip, fuzz",
        "View",
    ),
    Action("view-truth", ("3",), "3", "the truth, projected flow, proofs", "View"),
    Action("tour", ("t", "T"), "T", "narrated tour of the scenario", "View"),
    Action("theme", ("d", "D"), "D", "dark or light", "View"),
    Action("share", ("s", "S"), "S", "copy a link to this very state", "View"),
    Action("keys", ("?",), "?", "this list", "View"),
    Action("close", ("Escape",), "esc", "close what is open; select nothing", "View"),
)
"""Every action that has a key, in the order of the sheet."""

_BY_KEY = {key: action for action in ACTIONS for key in action.keys}


def action_of(key: str, *, shift: bool) -> str | None:
    """Return the verb of a key, or None.

    Args:
        key: as the browser names it.
        shift: whether the shift key is down.
    """
    found = _BY_KEY.get(f"Shift+{key}") if shift else None
    if found is None:
        found = _BY_KEY.get(key)
    return found.verb if found else None

"""The cockpit in a worker: what the page asks for, and what it is told."""

import asyncio
import json
import time
import traceback
from collections.abc import Callable
from typing import Any

import panel as pn
from bokeh.document import Document
from bokeh.io.doc import set_curdoc

from flockcore.errors import FlockError
from flockcore.scenario import Scenario
from flockpit.app import FIRST, begin, first_tick
from flockpit.exports import engine_version
from flockpit.look.tokens import theme_of
from flockpit.page import Cockpit
from flockpit.session import Session
from flockwasm.inside.joint import Joint, Post, written

__all__ = ["Worker"]

_LOOK_S = 1.0
"""Seconds between two looks at whether there is something new to keep."""
_SHARE = 0.05
"""Share of the time that taking tokens may cost."""

type Tell = Callable[[str, str], object]


def _nobody(*_: object) -> None:
    """There is no page yet."""


class Worker:
    """One cockpit, and its page on the other side of the worker.

    Args:
        digests: digest of each scenario at some ticks, recorded natively.
    """

    def __init__(self, digests: str) -> None:
        self._tell: Tell = _nobody
        self._post: Post = _nobody
        self._digests: dict[str, dict[str, Any]] = json.loads(digests)
        self._doc = Document()
        self._cockpit: Cockpit | None = None
        self._joint: Joint | None = None
        self._kept: tuple[int, int] = (-1, -1)
        self._keeper: asyncio.Task[None] | None = None

    def connect(self, tell: Tell, post: Post) -> None:
        """Say where the page is.

        Args:
            tell: sends a message: its kind, and its content as JSON.
            post: sends a patch of the document.
        """
        self._tell, self._post = tell, post

    def begin(self, query: str) -> str:
        """Begin the run that the page's address asks for.

        Args:
            query: of the address, as JSON.

        Returns:
            The document and the id of its root, as JSON.
        """
        asked: dict[str, str] = json.loads(query)
        if self._cockpit is not None:
            # A memory that was kept has another run in it.
            self._doc = Document()
        set_curdoc(self._doc)
        pn.state.curdoc = self._doc
        self._doc.hold()
        session = Session(Scenario.load(FIRST)) if self._plain(asked) else begin(asked)
        self._cockpit = Cockpit(session, theme_of(asked.get("theme")))
        self._cockpit.view.server_doc(self._doc, title="flockpit", location=False)
        (root,) = self._doc.roots
        pn.state._loaded[self._doc] = pn.state._connected[self._doc] = True
        return json.dumps({"doc": written(self._doc), "root": root.id, **self._about()})

    @staticmethod
    def _plain(asked: dict[str, str]) -> bool:
        """Whether the address asks for nothing in particular."""
        return not {"run", "scenario", "seed"} & asked.keys()

    def run_ahead(self) -> None:
        """Go to the tick at which the first scenario is opened, while the page builds itself."""
        assert self._cockpit is not None
        session = self._cockpit.session
        session.record_ahead(first_tick(session.scenario))

    def shown(self) -> None:
        """Begin to move: the page shows the document."""
        assert self._cockpit is not None
        self._joint = Joint(self._doc, self._post)
        self._cockpit.start_here()
        self._keeper = asyncio.get_running_loop().create_task(self._keep())

    def receive(self, patch: str, arrays: Any) -> None:  # noqa: ANN401
        """Take a change from the page; whatever comes of it, the run goes on.

        Args:
            patch: as JSON.
            arrays: what it names, as an array of the browser's.
        """
        assert self._cockpit is not None
        assert self._joint is not None
        try:
            self._joint.receive(patch, [array.to_bytes() for array in arrays])
        except Exception as error:
            self._cockpit.session.fail("answering the page", error)

    # ------------------------------------------------------------------ what the page keeps

    def _about(self) -> dict[str, Any]:
        assert self._cockpit is not None
        session = self._cockpit.session
        return {
            "version": engine_version(),
            "nodes": session.scenario.nodes,
            "tick": session.tick,
        }

    async def _keep(self) -> None:
        """Give the page what it needs to go on after this worker is gone."""
        while True:
            rest = _LOOK_S
            began = time.perf_counter()
            try:
                self._keep_now()
            except Exception as error:
                self._tell("log", json.dumps("".join(traceback.format_exception(error))))
            rest = max(rest, (time.perf_counter() - began) / _SHARE)
            await asyncio.sleep(rest)

    def _keep_now(self) -> None:
        assert self._cockpit is not None
        session = self._cockpit.session
        sim = session.sim
        here = (session.version, sim.tick)
        if here == self._kept or session.failure is not None:
            return
        self._kept = here
        digest = sim.digest()
        content: dict[str, Any] = {"tick": sim.tick, "digest": digest, "same": self._same(digest)}
        try:
            content["run"] = sim.token()
        except FlockError:
            # Too much was done by hand for a token: what is kept is the last one that fitted.
            content["run"] = None
        self._tell("kept", json.dumps(content))

    def _same(self, digest: str) -> bool | None:
        """Whether the state is the one that was recorded natively; None if none was."""
        assert self._cockpit is not None
        sim = self._cockpit.session.sim
        recorded = self._digests.get(sim.scenario.name)
        if recorded is None or sim.injected or sim.schedule != ((0, recorded["seed"]),):
            return None
        if sim.scenario != Scenario.load(sim.scenario.name):
            return None
        wanted = recorded.get(str(sim.tick))
        return None if wanted is None else digest.startswith(wanted)

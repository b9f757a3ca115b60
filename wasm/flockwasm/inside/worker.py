"""The cockpit in a worker: what the page asks for, and what it is told."""

import asyncio
import json
import time
import traceback
from collections.abc import Callable
from hashlib import sha256
from typing import Any

import panel as pn
import param
from bokeh.document import Document
from bokeh.io.doc import set_curdoc

from flockcore.errors import FlockError
from flockcore.scenario import Scenario
from flockpit.app import FIRST, first_tick, go_to
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

    def begin(self, width: int, height: int, theme: str) -> str:
        """Make the cockpit, with the first scenario as it is opened.

        Args:
            width: of the page in pixels.
            height: of the page in pixels.
            theme: of the page.

        Returns:
            A digest of the document's models. Whoever has a document of the same digest needs no
            other, but may have to change its theme.
        """
        # Panel numbers what has no name: what was made by imports does not count.
        param.parameterized.object_count = 0
        set_curdoc(self._doc)
        pn.state.curdoc = self._doc
        self._doc.hold()
        session = Session(Scenario.load(FIRST))
        session.record_ahead(first_tick(session.scenario))
        self._cockpit = Cockpit(session, theme_of(theme), extent=(width, height))
        self._cockpit.view.server_doc(self._doc, title="flockpit", location=False)
        pn.state._loaded[self._doc] = pn.state._connected[self._doc] = True
        # The page will have all of this, from here or with the site.
        self._doc.models.flush_synced()
        self._doc.callbacks._held_events.clear()
        models = sorted(f"{model.id} {type(model).__qualname__}" for model in self._doc.models)
        return sha256("\n".join(models).encode()).hexdigest()

    def document(self) -> str:
        """Return the document as JSON."""
        return written(self._doc)

    def go_to(self, query: str) -> str:
        """Go to the run that the page's address asks for.

        Args:
            query: of the address, as JSON; what it asks for besides a run is not looked at.

        Returns:
            What there is to see, as JSON.
        """
        assert self._cockpit is not None
        session = self._cockpit.session
        asked: dict[str, str] = json.loads(query)
        if {"run", "scenario", "seed"} & asked.keys():
            go_to(session, asked)
            self._cockpit.arrive()
        return json.dumps({"version": engine_version(), "nodes": session.scenario.nodes})

    def shown(self) -> None:
        """Begin to move: the page shows the document."""
        assert self._cockpit is not None
        self._joint = Joint(self._doc, self._post, self._part)
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

    def _part(self, error: Exception) -> None:
        """Give up: the page starts another worker, which goes on from what it keeps."""
        trace = "".join(traceback.format_exception(error))
        self._tell("stopped", json.dumps({"reason": str(error), "trace": trace}))

    # ------------------------------------------------------------------ what the page keeps

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

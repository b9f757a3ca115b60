"""What lies over the main view when there is something to say: notice, failure, tour, keys."""

from itertools import groupby

import panel as pn

from flockpit.actions import ACTIONS
from flockpit.look.assets import icon
from flockpit.look.widgets import box, html, words
from flockpit.session import Session
from flockpit.texts import clock

__all__ = ["Overlays"]


class Overlays:
    """The cards over the main view.

    Args:
        session: what they speak of.

    Attributes:
        view: a layer over the main card that lets the pointer through where it is empty.
        keys_shown: whether the sheet of keys is open.
    """

    def __init__(self, session: Session) -> None:
        self.session = session
        self.keys_shown = False
        self._failure = html(classes=("over", "failure"), visible=False)
        self._stop = html(classes=("over", "tour-card"), visible=False)
        self._notice = html(classes=("over", "notice-card"), visible=False)
        self._keys = html(_keys_html(), classes=("over", "keys"), visible=False)
        self.view = box(self._failure, self._stop, self._keys, self._notice, classes=("overlays",))

    def update(self) -> None:
        """Show what there is to say."""
        session = self.session
        _show(self._failure, self._failure_html() if session.failure is not None else "")
        _show(self._stop, self._stop_html() if session.tour is not None else "")
        _show(self._notice, self._notice_html() if session.notice is not None else "")
        if self._keys.visible != self.keys_shown:
            self._keys.visible = self.keys_shown

    def _failure_html(self) -> str:
        failure = self.session.failure
        assert failure is not None
        return (
            "<div class='alert' role='alert'>"
            f"<div class='row'><span>{icon('violated')}<b>Failed while {words(failure.what)}"
            f" after tick {failure.tick}</b></span></div>"
            f"<pre>{words(failure.line)}</pre>"
            "<div class='acts'>"
            "<button class='main-button' data-do='recover'>Go to last good tick</button>"
            f"<button class='small-button' data-do='copied' data-copy='{words(failure.trace)}'>"
            "Copy</button>"
            "<span class='small quiet'>The run goes on from there.</span></div></div>"
        )

    def _stop_html(self) -> str:
        session = self.session
        assert session.tour is not None
        stops = session.scenario.tour
        number = f"<span class='small quiet'>{session.tour + 1} of {len(stops)}</span>"
        leave = "<button class='small-button' data-do='end-tour'>Leave</button>"
        stop = session.stop
        if stop is None:
            when = clock(stops[session.tour].tick, session.scenario.tick_us)
            return (
                f"<div class='stop'><div class='row'><span>{icon('tour')}"
                f"<b>Next stop at {when} s</b>{number}</span></div>"
                f"<div class='acts'>{leave}</div></div>"
            )
        last = session.tour + 1 == len(stops)
        onward = "Done" if last else "Next"
        return (
            f"<div class='stop'><div class='row'><span>{icon('tour')}<b>{words(stop.title)}</b>"
            f"{number}</span></div><p>{words(stop.text)}</p><div class='acts'>{leave}"
            f"<button class='main-button' data-do='next-stop' data-focus='next-stop'>{onward}"
            "</button></div></div>"
        )

    def _notice_html(self) -> str:
        notice = self.session.notice
        assert notice is not None
        mark = icon("violated") if notice.refused else ""
        stays = " stays" if notice.refused else ""
        offer = ""
        if notice.verb:
            offer = f"<button class='small-button' data-do='{notice.verb}'>{notice.offer}</button>"
        return (
            f"<div class='notice{stays}' role='status'>{mark}<span>{words(notice.text)}</span>"
            f"{offer}<button data-do='dismiss' aria-label='Dismiss' title='Dismiss'>{icon('close')}"
            "</button></div>"
        )


def _show(pane: pn.pane.HTML, text: str) -> None:
    if pane.object != text:
        pane.param.update(object=text, visible=bool(text))


def _keys_html() -> str:
    groups = []
    for group, actions in groupby(ACTIONS, key=lambda action: action.group):
        rows = "".join(
            f"<dt>{''.join(f'<kbd>{words(part)}</kbd>' for part in action.shown.split())}</dt>"
            f"<dd>{words(action.text)}</dd>"
            for action in actions
        )
        groups.append(f"<div><h2>{group}</h2><dl>{rows}</dl></div>")
    return (
        "<div class='row'><h2>Keys</h2>"
        f"<button data-do='keys' aria-label='Close' title='Close (esc)'>{icon('close')}</button>"
        f"</div><div class='sheet'>{''.join(groups)}</div>"
        "<p class='words'>Drag on the map draws round nodes; a click selects one. Drag on the "
        "timeline moves through what is recorded. A scenario file can be dropped on the page.</p>"
    )

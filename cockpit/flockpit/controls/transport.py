"""The top bar: scenario, seed, play, speed, clock, digest, share."""

from collections.abc import Callable, Mapping

import param

from flockcore.errors import FlockError
from flockcore.scenario import Scenario
from flockpit.decks.opening import DECKS
from flockpit.look.assets import icon
from flockpit.look.widgets import box, button, field, html, menu, slider, words
from flockpit.playback import SPEEDS
from flockpit.session import Session
from flockpit.texts import clock

__all__ = ["Transport"]

_OPEN_FILE = "\0file"
_CUSTOM = "\0custom"
_MENU = (
    ("fork", "fork", "Fork here", "F"),
    ("reset", "reset", "Reset: drop all injections", "⇧ R"),
    ("", "", "", ""),
    ("export-run", "download", "Export run as JSON", ""),
    ("export-log", "download", "Export messages for ShiViz", ""),
    ("open-file", "open", "Open a scenario file", ""),
    ("", "", "", ""),
    ("theme", "theme", "Dark or light", "D"),
    ("keys", "keys", "All keys", "?"),
)


class Transport:
    """The top bar.

    Args:
        session: what it drives.
        verbs: the cockpit's actions by name.
        frames: frames per second, as acknowledged by the page.

    Attributes:
        view: the bar.
    """

    def __init__(
        self,
        session: Session,
        verbs: Mapping[str, Callable[[], object]],
        frames: Callable[[], float],
    ) -> None:
        self.session = session
        self._verbs = verbs
        self._frames = frames
        self._setting = False
        self._presets = {_title(name): name for name in Scenario.names()}
        self._digest_at: tuple[object, ...] = ()
        self._digest_text = ""
        self._scenario = menu({}, None, label="scenario", classes=("scenario",), hint="What is run")
        self._scenario.param.watch(self._scenario_chosen, "value")
        self._seed = field("seed", "", classes=("seed", "wide"), hint="Seed of every draw; Enter")
        self._seed.param.watch(self._seed_chosen, "value")
        # Two of them, for a button that changes its icon makes Bokeh walk through all models.
        self._play, self._pause = (
            button(word, verbs["toggle"], classes=("icon", "primary"), symbol=word.lower())
            for word in ("Play", "Pause")
        )
        labels = [speed.label for speed in SPEEDS]
        here = SPEEDS.index(session.playback.speed)
        self._speed = slider(
            "speed: simulated time per wall time",
            start=0,
            end=len(SPEEDS) - 1,
            step=1,
            value=here,
            classes=("speed", "wide"),
            hint="Simulated time per wall time; the frame rate is another matter",
        )
        self._speed.param.watch(self._speed_chosen, "value")
        self._speed_menu = menu(
            dict(zip(labels, range(len(SPEEDS)), strict=True)),
            here,
            classes=("speed-menu", "narrow"),
            hint="Simulated time per wall time",
        )
        self._speed_menu.param.watch(self._speed_chosen, "value")
        self._speed_text = html(classes=("speed-text", "wide"))
        self._clock = html(classes=("clock-pane",))
        self._frame_rate = html(classes=("rate", "wide"))
        self._digest = html(classes=("digest-pane",))
        self._tabs = html(_tabs_html(""), classes=("tabs-pane",))
        self.view = self._bar()

    def _bar(self) -> object:
        verbs = self._verbs

        def small(verb: str, label: str, hint: str, wide: bool = False) -> object:
            classes = ("icon", "quiet", *(("wide",) if wide else ()))
            return button(label, verbs[verb], classes=classes, symbol=verb, hint=hint)

        brand = f"<div class='brand'>{icon('mark')}<span>flockpit</span></div>"
        return box(
            html(brand, classes=("brand-pane",)),
            self._tabs,
            box(classes=("spring",)),
            self._scenario,
            self._seed,
            box(
                small("first", "To the start", "To the start (Home); nothing is lost", wide=True),
                small("back", "Step back", "One tick back (←)"),
                self._play,
                self._pause,
                small("step", "Step", "One tick on (→)"),
                small("last", "To the end", "To the last recorded tick (End)", wide=True),
                classes=("transport",),
            ),
            box(
                html("<span class='small quiet'>speed</span>", classes=("wide", "speed-word")),
                self._speed,
                self._speed_text,
                self._speed_menu,
                classes=("speeds",),
            ),
            self._clock,
            self._frame_rate,
            self._digest,
            box(
                button("Tour", verbs["tour"], classes=("quiet", "tour-button"), symbol="tour",
                       hint="A narrated tour that stops where there is something to see (T)"),
                button("Share", verbs["share"], classes=("share",), symbol="share",
                       hint="Copy a link that reopens this very state (S)"),
                html(_menu_html(), classes=("menu-pane",)),
                classes=("outlets",),
            ),
            classes=("bar",),
        )  # fmt: skip

    # ------------------------------------------------------------------ what is shown

    def update(self, deck: str) -> None:
        """Show where the run stands, and which deck is open."""
        self._tabs.object = _tabs_html(deck)
        session, playback = self.session, self.session.playback
        playing = playback.playing
        for half, shown in ((self._play, not playing), (self._pause, playing)):
            if half.visible != shown:
                half.visible = shown
        self._setting = True
        self._update_scenarios()
        seed = str(session.sim.schedule[0][1])
        if self._seed.value != seed:
            self._seed.value = seed
        here = SPEEDS.index(playback.speed)
        for widget in (self._speed, self._speed_menu):
            if widget.value != here:
                widget.value = here
        self._setting = False
        self._speed_text.object = f"<span class='small'>{playback.speed.label}</span>"
        self._clock.object = self._clock_html()
        self._frame_rate.object = self._rate_html()
        self._digest.object = self._digest_html()

    def _update_scenarios(self) -> None:
        mine = self.session.scenario
        options = dict(self._presets)
        value = mine.name if mine.name in options.values() else _CUSTOM
        if value == _CUSTOM:
            options[mine.title or mine.name] = _CUSTOM
        options["Open a file …"] = _OPEN_FILE
        if options != self._scenario.options:
            self._scenario.param.update(options=options, value=value)
        elif self._scenario.value != value:
            self._scenario.value = value

    def _clock_html(self) -> str:
        session = self.session
        tick_us = session.scenario.tick_us
        playing = session.playback.playing
        rate = f"<span class='narrow'> {self._frames():.0f}/s</span>"
        word = f"playing{rate}" if playing else f"{icon('pause')}paused"
        return (
            f"<div class='clock'><b>{clock(session.tick, tick_us)} s</b>"
            f"<span><i>tick {session.tick}</i><i>{word}</i></span></div>"
        )

    def _rate_html(self) -> str:
        rate = self._frames()
        behind = self.session.playback.lagging
        text = f"{rate:.0f} frames/s" if rate else "idle"
        hint = "The run cannot keep this speed up" if behind else "Frames that the page painted"
        late = "<br>behind" if behind else ""
        return f"<span class='small quiet' title='{hint}'>{text}{late}</span>"

    def _digest_html(self) -> str:
        session = self.session
        if session.checked is not None:
            same = session.checked.startswith("identical")
            mark = icon("holds" if same else "violated")
            text = f"<span>{words(session.checked)}</span>"
        else:
            mark, text = icon("holds"), "<span class='wide'>digest</span>"
        code = self._digest_words()
        return (
            f"<div class='digest' title='SHA-256 of the state: the same run gives the same digest'>"
            f"{mark}{text}<span class='mono wide'>{code}</span></div>"
        )

    def _digest_words(self) -> str:
        """The digest of a tick that stands still; a run that plays would pay for one per frame."""
        session = self.session
        if session.playback.playing:
            return "···· ····"
        at = (session.sim, session.sim.script, session.tick)
        if self._digest_at != at:
            self._digest_at = at
            self._digest_text = session.sim.digest()[:8]
        return f"{self._digest_text[:4]} {self._digest_text[4:]}"

    # ------------------------------------------------------------------ what is asked

    def _scenario_chosen(self, event: param.parameterized.Event) -> None:
        if self._setting or event.new in (None, _CUSTOM):
            return
        if event.new == _OPEN_FILE:
            self._verbs["open-file"]()
        else:
            try:
                self.session.load(Scenario.load(event.new))
            except FlockError as error:
                self.session.say(str(error), refused=True)
        self.session.touch()

    def _seed_chosen(self, event: param.parameterized.Event) -> None:
        if self._setting:
            return
        text = event.new.strip()
        if text.isdecimal() and int(text) < 2**53:
            self.session.load(self.session.scenario, seed=int(text))
        else:
            self.session.say(
                f"Seed {text!r} is no seed; allowed is a whole number from 0 to {2**53 - 1}.",
                refused=True,
            )

    def _speed_chosen(self, event: param.parameterized.Event) -> None:
        if not self._setting:
            self.session.change_speed(SPEEDS[int(event.new)])


def _title(name: str) -> str:
    return name.replace("-", " ").capitalize()


def _tabs_html(deck: str) -> str:
    tabs = "".join(
        f"<button data-do='deck-{name}' title='{name} deck (G goes round)'"
        f"{' aria-current="page"' if name == deck else ''}>{name}</button>"
        for name in DECKS
    )
    return f"<div class='tabs'>{tabs}</div>"


def _menu_html() -> str:
    items = "".join(
        f"<li><button data-do='{verb}'>{icon(symbol)}<span>{text}</span>"
        f"{f'<kbd>{key}</kbd>' if key else '<span></span>'}</button></li>"
        if verb
        else "<li class='rule'></li>"
        for verb, symbol, text, key in _MENU
    )
    return (
        f"<details class='menu'><summary aria-label='More' title='More'>{icon('more')}</summary>"
        f"<ul>{items}</ul></details>"
    )

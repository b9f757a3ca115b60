"""The cockpit as an app: served by `panel serve`, by `flockpit serve`, or shown in a notebook."""

import panel as pn

from flockcore.scenario import Scenario
from flockpit.cockpit import Cockpit
from flockpit.look.assets import register, text, url
from flockpit.session import Session


def serve_session() -> None:
    register()
    doc = pn.state.curdoc
    session = Session(Scenario.load("split-brain"))
    session.record_ahead(260)
    cockpit = Cockpit(session)
    cockpit.view.servable(title="flockpit")
    doc.template = text("page.html")
    doc.template_variables["flockpit"] = {
        "tokens": url("css/tokens.css"),
        "page": url("css/page.css"),
        "script": url("js/cockpit.js"),
        "icon": url("icons/mark.svg"),
    }
    pn.state.onload(cockpit.start)
    pn.state.on_session_destroyed(lambda _: cockpit.stop())


if pn.state.served:
    serve_session()

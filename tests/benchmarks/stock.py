"""The same cockpit as `panel convert` makes it, for a start to be measured beside ours.

Nothing is changed but where files come from: the addresses of CDNs are replaced by this folder's,
and the packages are those that are installed here, packed as wheels without a list of what they
need (it is all there), because the installer in the browser would look that up on other machines.
"""

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path

from flockwasm.errors import SiteError
from flockwasm.runtime import PackageIndex

ASSETS = Path(__file__).resolve().parents[2] / "assets"
APP = """
import panel as pn
from flockpit.app import begin
from flockpit.page import Cockpit

pn.extension()
Cockpit(begin({}), "dark").view.servable(title="flockpit")
"""
FIRST = r"import asyncio\n\nfrom panel.io.pyodide"
ROOT = r"import os\nos.environ['PANEL_CDN_ROOT'] = 'static/panel/'\n"
"""Where sheets come from is settled when Panel is imported, which is before the app begins."""
PURE = (
    "bokeh", "certifi", "charset-normalizer", "idna", "jinja2", "linkify-it-py", "markdown",
    "markdown-it-py", "markupsafe", "mdit-py-plugins", "mdurl", "narwhals", "panel", "param",
    "pyviz-comms", "pyyaml", "requests", "tqdm", "typing-extensions", "urllib3", "xyzservices",
)  # fmt: skip
"""What Panel and Bokeh require, but for what this app can do without: panel-material-ui and nh3.

As in Panel's own wheels for the browser, scripts of the page are left out.
"""
COMPILED = ("numpy", "pandas", "pillow", "packaging")
WITHOUT = re.compile(r"^(panel/dist/|bokeh/server/static/|panel/tests/)|\.so$|__pycache__|^\.\.")
ELSEWHERE = {
    r"'https://cdn\.holoviz\.org/panel/(?:[0-9.]+/dist/)?wheels/[^']+', ": "",  # among ours
    r"https://cdn\.bokeh\.org/bokeh/release/(bokeh[a-z-]*)-[0-9.]+\.min\.js": r"js/\1.min.js",
    r"https://cdn\.holoviz\.org/panel/[0-9.]+/dist/": "panel/",
    r"https://cdn\.jsdelivr\.net/pyodide/v[0-9.]+/(?:full|pyc)/": "./pyodide/",
}


def build(out):
    """Write the converted app, its runtime and its packages to a folder.

    Raises:
        SiteError: the runtime cannot be fetched, or the conversion failed.
    """
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        try:
            runtime = PackageIndex().unpack(Path(folder))
        except OSError as error:
            raise SiteError(f"no runtime for `panel convert`: {error}") from error
        shutil.copytree(runtime, out / "pyodide")
    wheels = [packed(name, out) for name in PURE] + [ours(out)]
    convert([*COMPILED, *(f"wheels/{name}" for name in wheels)], out)
    bokeh, panel = (Path(find_spec(name).origin).parent for name in ("bokeh", "panel"))
    shutil.copytree(bokeh / "server" / "static" / "js", out / "js")
    shutil.copytree(panel / "dist", out / "panel")
    version = distribution("panel").version
    (out / "static" / "panel" / version).mkdir(parents=True)
    (out / "static" / "panel" / version / "dist").symlink_to(out / "panel")
    sheets = out / "static" / "extensions" / "flockpit" / "css"
    shutil.copytree(ASSETS / "css", sheets)
    for path in (out / "app.html", out / "app.js"):
        text = path.read_text()
        for pattern, place in ELSEWHERE.items():
            text = re.sub(pattern, place, text)
        # A worker resolves addresses against its own, but a module it imports must say so.
        text = text.replace('from "pyodide/', 'from "./pyodide/')
        if path.suffix == ".js":
            if FIRST not in text:
                raise SiteError(
                    "panel convert writes another worker: it no longer imports Panel so"
                )
            text = text.replace(FIRST, ROOT + FIRST)
        path.write_text(text)


def convert(requirements, out):
    """Run `panel convert`."""
    with tempfile.TemporaryDirectory() as folder:
        app = Path(folder) / "app.py"
        app.write_text(APP)
        command = [sys.executable, "-m", "panel", "convert", str(app), "--to", "pyodide-worker"]
        command += ["--out", ".", "--skip-embed", "--requirements", *requirements]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=out)
    if done.returncode != 0:
        raise SiteError(f"panel convert failed: {done.stderr[-2000:]}")


def packed(name, out):
    """Pack an installed package as a wheel; return its name."""
    found = distribution(name)
    files = {str(path): path.locate() for path in found.files or ()}
    return wheel(name, found.version, {k: v for k, v in files.items() if v.is_file()}, out)


def ours(out):
    """Pack the simulator and the cockpit."""
    files = {}
    for name in ("flockcore", "flockpit"):
        folder = Path(find_spec(name).origin).parent
        files |= {f"{name}/{p.relative_to(folder)}": p for p in folder.rglob("*") if p.is_file()}
    files |= {f"flockpit/assets/{p.relative_to(ASSETS)}": p for p in ASSETS.rglob("*.*")}
    scenarios = (ASSETS / "scenarios").glob("*.toml")
    files |= {f"flockcore/scenarios/{path.name}": path for path in scenarios}
    return wheel("flockpit", distribution("flockpit").version, files, out)


def wheel(name, version, files, out):
    """Write a wheel."""
    file = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    (out / "wheels").mkdir(exist_ok=True)
    with zipfile.ZipFile(out / "wheels" / file, "w", zipfile.ZIP_DEFLATED) as archive:
        for place, path in files.items():
            if ".dist-info/" not in place and not WITHOUT.search(place):
                archive.write(path, place)
        head = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        archive.writestr(f"{info}/METADATA", head)
        tag = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        archive.writestr(f"{info}/WHEEL", tag)
        archive.writestr(f"{info}/RECORD", "")
    return file


if __name__ == "__main__":
    build(Path(sys.argv[1]))

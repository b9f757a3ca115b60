"""The static site: every file of it, written to a folder that any web server can serve."""

import json
import shutil
from base64 import b64encode
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from flockcore.scenario import Scenario
from flockpit.app import first_tick
from flockpit.decks.deck import HIGH, WIDE
from flockpit.look.tokens import Theme
from flockwasm import bundle, recorded
from flockwasm.archives import compiled
from flockwasm.document import document
from flockwasm.errors import SiteError
from flockwasm.inside.standins import PANEL_ROOT
from flockwasm.official import repacked_numpy, repacked_stdlib
from flockwasm.runtime import NUMPY, RUNTIME, cache_folder, fetch

__all__ = ["IMPORTS", "build"]

IMPORTS = 495
"""Modules that the browser imports before the cockpit is there, about: the end of a bar."""

_SHELL = Path(__file__).parent / "shell"
_ASSETS = Path(__file__).resolve().parents[2] / "assets"
_BOOT = ("boot.css", "boot.js", "eager.js", "embed.js", "image.js", "recording.js")
_DOCUMENTS: dict[str, tuple[Theme, tuple[int, int]]] = {
    f"{name}-{theme}": (theme, least)
    for name, least in {"wide": (WIDE, HIGH), "narrow": (0, 0)}.items()
    for theme in get_args(Theme.__value__)
}
"""The page's first documents: the theme, and the least width and height in pixels, of each."""
_BOKEH = ("bokeh.min.js", "bokeh-widgets.min.js")


def build(out: Path, *, runtime: Path | None = None, quiet: bool = False) -> str:
    """Write the site.

    Args:
        out: folder to write; what is in it is removed first.
        runtime: folder with Pyodide's files, tried before anything else.
        quiet: no progress bars.

    Returns:
        A line that says what was written.

    Raises:
        SiteError: a file is missing or wrong; nothing is written.
    """
    official = fetch(folder=runtime, quiet=quiet)
    files = {
        **_python(official),
        **_scripts(),
        **_sheets(),
        **_looks(),
    }
    files["boot/site.json"] = _dump(_manifest(files))
    files["sw.js"] = _service_worker(files, json.loads(files["boot/site.json"])["version"])
    _write(out, files)
    total = sum(map(len, files.values()))
    return f"{out}: {len(files)} files, {total / 1e6:.1f} MB"


def _dump(value: Any) -> bytes:  # noqa: ANN401
    return json.dumps(value, separators=(",", ":")).encode()


def _write(out: Path, files: dict[str, bytes]) -> None:
    if out.exists() and not (out / "sw.js").is_file() and any(out.iterdir()):
        raise SiteError(f"{out} is not empty and holds no site: name another folder with --out")
    shutil.rmtree(out, ignore_errors=True)
    for path, data in files.items():
        place = out / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)


# ------------------------------------------------------------------ parts


def _python(official: dict[str, bytes]) -> dict[str, bytes]:
    """The runtime, numpy and our bundle, and the lock file that names their hashes."""
    numpy = repacked_numpy(official[NUMPY.name])
    ours = bundle.bundle()
    files = {f"pyodide/{pin.name}": official[pin.name] for pin in RUNTIME.files if pin is not NUMPY}
    files[f"pyodide/{NUMPY.name}"] = numpy
    files["pyodide/python_stdlib.zip"] = repacked_stdlib(official["python_stdlib.zip"])
    files[f"pyodide/{bundle.BUNDLE}"] = ours
    files["pyodide/packed.bin"] = _importer()
    files["pyodide/pyodide-lock.json"] = bundle.lock(numpy, ours).encode()
    return files


def _importer() -> bytes:
    """What imports from archives, and so does not come from one: byte code.

    Not by the name of byte code, which whoever keeps a site in a repository leaves out of it.
    """
    text = (Path(__file__).parent / "inside" / "packed.py").read_bytes()
    return compiled("packed.zip", {"packed.py": text})["packed.pyc"]


def _scripts() -> dict[str, bytes]:
    bokeh, panel = _package("bokeh"), _package("panel")
    files = {
        f"static/js/{name}": (bokeh / "server" / "static" / "js" / name).read_bytes()
        for name in _BOKEH
    }
    files["static/js/panel.min.js"] = (panel / "dist" / "panel.min.js").read_bytes()
    return files


def _sheets() -> dict[str, bytes]:
    """Panel's style sheets, where Panel looks for them."""
    dist = _package("panel") / "dist"
    version = json.loads((_package("panel") / "package.json").read_text())["version"]
    found = [*dist.glob("css/*.css"), *dist.glob("bundled/theme/*.css")]
    return {
        f"{PANEL_ROOT}{version}/dist/{path.relative_to(dist).as_posix()}": path.read_bytes()
        for path in sorted(found)
    }


def _looks() -> dict[str, bytes]:
    """What is ours: the boot page, the worker, the cockpit's sheets, script and icons."""
    files = {f"boot/{name}": (_SHELL / name).read_bytes() for name in _BOOT}
    files["index.html"] = (_SHELL / "index.html").read_bytes()
    files["worker.js"] = (_SHELL / "worker.js").read_bytes()
    files["manifest.webmanifest"] = (_SHELL / "manifest.webmanifest").read_bytes()
    for path in sorted((_SHELL / "icons").glob("*.png")):
        files[f"icons/{path.name}"] = path.read_bytes()
    files["icons/mark.svg"] = (_ASSETS / "icons" / "mark.svg").read_bytes()
    extension = "static/extensions/flockpit"
    for path in sorted((_ASSETS / "css").glob("*.css")):
        files[f"{extension}/css/{path.name}"] = path.read_bytes()
    files[f"{extension}/js/cockpit.js"] = (_ASSETS / "js" / "cockpit.js").read_bytes()
    shown = {name: first_tick(Scenario.load(name)) for name in Scenario.names()}
    files["boot/recording.json"] = _dump(recorded.recording())
    for name, (theme, least) in _DOCUMENTS.items():
        files[f"boot/{name}.json"] = _dump(document(*least, theme))
    files["boot/digests.json"] = recorded.kept_digests(shown, cache_folder())
    return files


def _package(name: str) -> Path:
    spec = find_spec(name)
    if spec is None or spec.origin is None:
        raise SiteError(f"the package {name} is not installed; run `make environment`")
    return Path(spec.origin).parent


# ------------------------------------------------------------------ what names the files

_PHASES = {
    "pyodide/pyodide.mjs": "runtime",
    "pyodide/pyodide.asm.js": "runtime",
    "pyodide/pyodide.asm.wasm": "runtime",
    "pyodide/python_stdlib.zip": "runtime",
    "pyodide/pyodide-lock.json": "runtime",
    "pyodide/packed.bin": "runtime",
    f"pyodide/{NUMPY.name}": "numpy",
    f"pyodide/{bundle.BUNDLE}": "numpy",
    "boot/digests.json": "runtime",
}
"""Files that the worker fetches, and the phase whose bar they fill."""


_LATE = {path for path in _PHASES if path.endswith((".zip", ".whl", ".bin", "digests.json"))}
"""Those of them that a start from a kept memory does not wait for."""


_LOCKED = {path for path, phase in _PHASES.items() if phase == "numpy"}
"""The packages, whose hashes pyodide-lock.json names; the lock comes before them."""


def _manifest(files: dict[str, bytes]) -> dict[str, Any]:
    """What the page is told of the site."""
    scripts = [name for name in files if name.startswith("static/js/")]
    scripts.append("static/extensions/flockpit/js/cockpit.js")
    # Of the documents a visit takes one.
    others = [f"boot/{name}.json" for name in _DOCUMENTS][1:]
    ours = ("boot/eager.js", "boot/image.js", "worker.js")
    python = [sha256(files[path]).digest() for path in (*_PHASES, *ours)]
    return {
        "version": sha256(b"".join(python)).hexdigest()[:16],
        "files": [
            {
                "path": path,
                "phase": phase,
                "size": len(files[path]),
                "late": path in _LATE,
                **({} if path in _LOCKED else {"sha256": sha256(files[path]).hexdigest()}),
            }
            for path, phase in _PHASES.items()
        ],
        "archives": {"numpy": f"pyodide/{NUMPY.name}", "ours": f"pyodide/{bundle.BUNDLE}"},
        "scripts": [{"path": path, "sha256": _base64(files[path])} for path in scripts],
        "page_bytes": sum(
            len(data)
            for path, data in files.items()
            if not path.startswith("pyodide/") and path not in others
        ),
        "imports": IMPORTS,
        "documents": [
            {
                "path": f"boot/{name}.json",
                "sha256": _base64(files[f"boot/{name}.json"]),
                "models": json.loads(files[f"boot/{name}.json"])["models"],
                "theme": theme,
                "least": least,
            }
            for name, (theme, least) in _DOCUMENTS.items()
        ],
    }


def _base64(data: bytes) -> str:
    """The hash of a file as a page wants it for a check of what it fetches."""
    return b64encode(sha256(data).digest()).decode()


def _service_worker(files: dict[str, bytes], memory: str) -> bytes:
    """The service worker, with every file of the site and its hash."""
    named = [[path, sha256(data).hexdigest()] for path, data in sorted(files.items())]
    version = sha256(_dump(named)).hexdigest()[:16]
    text = (_SHELL / "sw.js").read_text(encoding="utf-8")
    text = text.replace("/* FILES */ []", json.dumps(named, indent=1))
    text = text.replace('/* VERSION */ ""', json.dumps(version))
    text = text.replace('/* MEMORY */ ""', json.dumps(memory))
    return text.encode()

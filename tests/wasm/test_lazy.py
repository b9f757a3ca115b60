"""Modules that import and make only what somebody asks them for."""

import subprocess
import sys
from importlib import import_module, invalidate_caches

import pytest

from flockwasm.lazy import Wanted, lazy


class Shop:
    """Packages on disk, rewritten."""

    def __init__(self, root):
        self.root = root

    def stock(self, files, wanted=None, *, whole=()):
        """Write modules by path: lazy ones, but for those that stay whole."""
        for path, text in files.items():
            place = self.root / path
            place.parent.mkdir(parents=True, exist_ok=True)
            name = path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            package = path.endswith("__init__.py")
            beside = [other for other in files if other.startswith(name.replace(".", "/") + "/")]
            modules = [other[len(name) + 1 :].partition("/")[0] for other in beside]
            data = text.encode()
            if path not in whole:
                stems = [module.removesuffix(".py") for module in modules]
                data = lazy(data, name, wanted or Wanted(), submodules=stems if package else None)
            place.write_bytes(data)
        invalidate_caches()

    @property
    def imported(self):
        """The modules of the shop that are there."""
        return {name for name in sys.modules if name.partition(".")[0] == "shop"}


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    stocked = Shop(tmp_path)
    yield stocked
    for name in stocked.imported:
        del sys.modules[name]


TOOLS = {
    "shop/__init__.py": "'A shop.'\nfrom .tools import Hammer, Saw as Cutter\nfrom . import toys\n",
    "shop/tools.py": "class Hammer: pass\nclass Saw: pass\n",
    "shop/toys.py": "from .tools import Hammer\nclass Toy(Hammer): pass\n",
}


def test_what_a_package_offers_is_imported_once_it_is_asked_for(shop):
    shop.stock(TOOLS)
    found = import_module("shop")
    assert shop.imported == {"shop"}
    assert found.__doc__ == "A shop."
    assert {"Hammer", "Cutter", "toys"} <= {*dir(found)}
    assert found.Cutter.__name__ == "Saw"
    assert shop.imported == {"shop", "shop.tools"}
    assert found.toys.Toy.__mro__[1] is found.Hammer
    with pytest.raises(AttributeError, match="module 'shop' has no attribute 'Nail'"):
        found.Nail  # noqa: B018


def test_a_module_of_a_package_is_an_attribute_of_it_as_after_an_import(shop):
    shop.stock(TOOLS)
    assert import_module("shop").tools.Hammer is import_module("shop").Hammer


def test_a_class_is_made_once_and_is_the_same_as_ever(shop):
    shop.stock(
        {
            "shop/__init__.py": "",
            "shop/tools.py": (
                "made = []\n"
                "class Tool:\n"
                "    def __init_subclass__(cls): made.append(cls.__name__)\n"
                "    def name(self): return 'tool'\n"
                "class Hammer(Tool):\n"
                "    def name(self): return 'hammer, a ' + super().name()\n"
                "class Saw(Tool): pass\n"
            ),
        }
    )
    tools = import_module("shop.tools")
    assert "Hammer" not in vars(tools)
    assert tools.Hammer is tools.Hammer
    assert tools.made == ["Hammer"]
    assert (tools.Hammer.__module__, tools.Hammer.__qualname__) == ("shop.tools", "Hammer")
    assert tools.Hammer().name() == "hammer, a tool"


def test_star_imports_are_looked_up_while_building_and_a_worked_out_all_is_written_out(shop):
    brought = {"shop": ["Hammer", "Saw"], "shop.tools": ["Hammer", "Saw"]}
    shop.stock(
        {
            "shop/__init__.py": (
                "from . import tools as _tools\nfrom .tools import *\n"
                "def _all(module): return module.__all__\n"
                "things = _tools\n"
                "__all__ = (*_all(_tools),)\n"
            ),
            "shop/tools.py": "__all__ = ('Hammer', 'Saw')\nclass Hammer: pass\nclass Saw: pass\n",
        },
        Wanted(exported=brought.__getitem__),
    )
    found = import_module("shop")
    assert shop.imported == {"shop"}
    assert found.__all__ == ("Hammer", "Saw")
    space = {}
    exec("from shop import *", space)
    assert space["Saw"] is found.tools.Saw
    assert found.things is found.tools


def test_what_runs_with_the_module_and_what_is_bound_twice_stays_as_it_is(shop):
    shop.stock(
        {
            "shop/__init__.py": (
                "from .tools import Hammer, Saw\n"
                "from .toys import Toy\n"
                "kept = Hammer()\n"
                "def swap(Saw): return Saw\n"
                "class Box(Toy): pass\n"
                "def box(size=Box): return size\n"
            ),
            "shop/tools.py": "class Hammer: pass\nclass Saw: pass\n",
            "shop/toys.py": "class Toy: pass\n",
        }
    )
    found = import_module("shop")
    assert {"Hammer", "Saw", "Toy", "Box"} <= vars(found).keys()
    assert found.swap(1) == 1
    assert found.box() is found.Box


def test_functions_and_classes_ask_for_what_is_not_there_yet(shop):
    shop.stock(
        {
            "shop/__init__.py": "",
            "shop/tools.py": "class Hammer: pass\n",
            "shop/use.py": (
                "from __future__ import annotations\n"
                "import typing as t\n"
                "from .tools import Hammer\n"
                "if t.TYPE_CHECKING:\n"
                "    from nowhere import Nail\n"
                "def beat(nail: Nail, tool: Hammer = None) -> Hammer:\n"
                "    class Own(Hammer): pass\n"
                "    return [Hammer for _ in range(2)], f'{Hammer.__name__}', lambda: Hammer, Own\n"
                "class Case:\n"
                "    inside: Hammer\n"
                "    kind = Hammer\n"
                "    def new(self): return Hammer()\n"
            ),
        },
        Wanted(eager=("typing",)),
    )
    use = import_module("shop.use")
    assert shop.imported == {"shop", "shop.use"}
    many, name, later, own = use.beat(None)
    assert {*many, later(), own.__mro__[1]} == {use.Hammer}
    assert name == "Hammer"
    assert isinstance(use.Case().new(), use.Case.kind)


def test_a_name_that_is_a_module_as_well_is_what_the_package_says(shop):
    shop.stock(
        {
            "shop/__init__.py": "from .sell import sell\n",
            "shop/sell.py": "def sell(): return 'sold'\n",
        }
    )
    import_module("shop.sell")
    assert import_module("shop").sell() == "sold"


def test_what_else_a_package_does_when_asked_it_still_does(shop):
    shop.stock(
        {
            "shop/__init__.py": (
                "from .tools import Hammer\n"
                "def __getattr__(name):\n"
                "    if name == 'luck': return 7\n"
                "    raise AttributeError(name)\n"
            ),
            "shop/tools.py": "class Hammer: pass\n",
        }
    )
    found = import_module("shop")
    assert found.luck == 7
    assert found.Hammer.__name__ == "Hammer"
    assert not hasattr(found, "ill_luck")


def test_circles_are_entered_where_it_is_said(shop):
    files = {
        "shop/__init__.py": "from .state import STATE\nfirst = STATE\n",
        "shop/state.py": "from .config import CONFIG\nSTATE = [CONFIG]\n",
        "shop/config.py": "from .state import STATE\nCONFIG = 1\ndef now(): return STATE\n",
    }
    shop.stock(files, Wanted(first={"shop": ["shop.config"]}))
    found = import_module("shop")
    assert found.first is import_module("shop.config").now()


def test_what_is_being_made_is_not_made_again(shop):
    shop.stock(
        {
            "shop/__init__.py": "",
            "shop/egg.py": "from .hen import Hen\nclass Egg:\n    layer = Hen\n",
            "shop/hen.py": "from .egg import Egg\nclass Hen:\n    from_ = Egg\n",
        }
    )
    with pytest.raises(AttributeError, match="has no attribute 'Egg'"):
        import_module("shop.egg").Egg  # noqa: B018


def test_some_methods_are_decorated_once_they_are_asked_for(shop):
    shop.stock(
        {
            "shop/__init__.py": "",
            "shop/tools.py": "class Hammer: pass\nclass Saw: pass\n",
            "shop/desk.py": (
                "from . import tools\n"
                "asked = []\n"
                "def sells(kind):\n"
                "    asked.append(kind.__name__)\n"
                "    return lambda function: lambda self: (kind, function(self), self)\n"
                "class Desk:\n"
                "    @sells(tools.Hammer)\n"
                "    def hammer(self): return 1\n"
                "    @sells(tools.Saw)\n"
                "    def saw(self): return 2\n"
                "class Counter(Desk): pass\n"
            ),
        },
        Wanted(decorators=("sells",)),
    )
    desk = import_module("shop.desk")
    made = desk.Counter()
    assert desk.asked == []
    for _ in range(2):
        assert made.saw() == (import_module("shop.tools").Saw, 2, made)
    assert desk.asked == ["Saw"]
    assert not hasattr(made, "_make_saw")


SAME = """
import pathlib, sys
from flockwasm.bundle import _THEIRS, _installed
root = pathlib.Path(sys.argv[1])
lazy = next(packed for packed in _THEIRS if packed.name == "bokeh")
for name, text in _installed(lazy):
    place = root / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(text)
"""

NAMES = """
import sys
from flockwasm.inside.standins import prepare, stand_in_for_jinja
stand_in_for_jinja()
import bokeh.models
few = sorted(name for name in sys.modules if name.startswith("bokeh.models."))
from bokeh.plotting import figure
made = figure()
made.scatter([1], [2])
made.line([1], [2])
made.segment([1], [2], [3], [4])
names = [(name, getattr(bokeh.models, name).__module__) for name in bokeh.models.__all__]
print(few, sorted(names), sorted(type(model).__qualname__ for model in made.references()))
prepare()
from bokeh.core.serialization import Deserializer
page = Deserializer()
print(page.decode({"type": "object", "name": "TapTool", "id": "page1"}))
print(page.decode({"type": "object", "name": "Figure", "id": "page2"}))
try:
    page.decode({"type": "object", "name": "Nothing", "id": "page3"})
except Exception as error:
    print(error)
"""


@pytest.mark.slow
def test_a_lazy_bokeh_has_all_that_bokeh_has(tmp_path):
    subprocess.run([sys.executable, "-c", SAME, str(tmp_path)], check=True)

    def said(*before):
        code = [f"import sys; sys.path[:0] = {before!r}", NAMES]
        command = [sys.executable, "-c", "\n".join(code)]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    few, _, rest = said(str(tmp_path)).partition("]")
    whole, _, expected = said().partition("]")
    assert rest == expected
    assert len(whole) > 1000
    assert few == "["

"""Modules rewritten so that they import and make only what somebody asks them for.

A library's `__init__` gathers what lies in its modules, and each of these holds dozens of classes.
A cockpit needs few of them, but every one costs time when the page opens. Here a module is
rewritten while the site is built:

* `from .x import A` notes where A comes from; the import happens when A is asked for (PEP 562).
  What star imports bring is looked up while building.
* A class that nothing needs while the module runs is made when it is asked for.
* Inside functions, and inside such classes, `A` becomes `_here.A`: what is looked up in a module is
  asked for, unlike a global name.

What code needs while the module runs stays as it is. A name that is bound in any other place of the
module is left alone, whatever it means there.
"""

import ast
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from importlib import import_module
from importlib.util import resolve_name
from itertools import chain

from flockwasm.inside.lately import Place

__all__ = ["Wanted", "exported", "lazy"]

_HEAD = """
import flockwasm.inside.lately as _lately
_here, __getattr__, __dir__ = _lately.provide(__name__, {places!r})
"""
_CLASS = """
def _make_{name}():
    global {name}
    return {name}
"""
_METHOD = """
def _make_{name}():
    return {name}
{name} = _lately.Later(_make_{name})
del _make_{name}
"""


def exported(module: str) -> Sequence[str]:
    """Return what a star import of a module brings, by importing it here."""
    found = vars(import_module(module))
    return found.get("__all__") or [name for name in found if not name.startswith("_")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """How modules are rewritten.

    Attributes:
        eager: patterns of modules: imports from these stay as they are.
        first: modules that a module imports before anything else: circles of imports, which its
            own order avoided, are entered at the right place.
        decorators: names of decorators that are applied to a method once it is asked for.
        exported: what a star import of a module brings.
    """

    eager: Sequence[str] = ()
    first: Mapping[str, Sequence[str]] = field(default_factory=dict)
    decorators: Collection[str] = ()
    exported: Callable[[str], Sequence[str]] = exported


def lazy(
    source: bytes, module: str, wanted: Wanted, *, submodules: Collection[str] | None = None
) -> bytes:
    """Rewrite a module so that what it has comes into being when it is asked for.

    Args:
        source: its text.
        module: its full name.
        wanted: how.
        submodules: names of the modules in it; None if it is no package.

    Returns:
        Its new text, without comments.
    """
    return ast.unparse(_Text(source, module, wanted, submodules).rewritten()).encode()


class _Text:
    """One module."""

    def __init__(
        self, source: bytes, module: str, wanted: Wanted, submodules: Collection[str] | None
    ) -> None:
        self._module = module
        self._package = module if submodules is not None else module.rpartition(".")[0]
        self._submodules = submodules or ()
        self._wanted = wanted
        self._body = [*_without_types(ast.parse(source).body)]
        # Annotations are not looked at then.
        self._future = any(
            isinstance(statement, ast.ImportFrom)
            and statement.module == "__future__"
            and any(alias.name == "annotations" for alias in statement.names)
            for statement in self._body
        )
        self._spell_out()

    def _spell_out(self) -> None:
        """Write out star imports, and an `__all__` that is worked out."""
        for statement in self._body:
            if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
                names = self._wanted.exported(self._origin(statement))
                statement.names = [ast.alias(name) for name in names]
            if _is_worked_out(statement):
                names = self._wanted.exported(self._module)
                assert isinstance(statement, ast.Assign)
                constants: list[ast.expr] = [ast.Constant(name) for name in names]
                statement.value = ast.Tuple(constants, ast.Load())

    def _origin(self, statement: ast.ImportFrom) -> str:
        named = "." * statement.level + (statement.module or "")
        return resolve_name(named, self._package)

    # ------------------------------------------------------------------ what can come later

    def _offers(self) -> dict[str, Place]:
        """Every name that an import, a class or another name for one of them binds."""
        offers: dict[str, Place] = {}
        for statement in self._body:
            offers |= dict(self._offered(statement, offers))
        return offers

    def _offered(
        self, statement: ast.stmt, offers: Mapping[str, Place]
    ) -> Iterator[tuple[str, Place]]:
        match statement:
            case ast.ImportFrom(names=names) if not self._stays(self._origin(statement)):
                origin = self._origin(statement)
                for alias in names:
                    yield alias.asname or alias.name, self._place(origin, alias.name)
            case ast.Import(names=names):
                for alias in names:
                    if alias.asname and not self._stays(alias.name):
                        yield alias.asname, (alias.name, "")
                    elif "." not in alias.name and not self._stays(alias.name):
                        yield alias.name, (alias.name, "")
            case ast.ClassDef(name=name):
                yield name, f"_make_{name}"
            case ast.Assign(targets=[ast.Name(id=name)], value=ast.Name(id=other)):
                place = offers.get(other)
                if isinstance(place, tuple):
                    yield name, place

    def _stays(self, origin: str) -> bool:
        patterns = ("__future__", *self._wanted.eager)
        return any(fnmatch(origin, pattern) for pattern in patterns)

    def _place(self, origin: str, name: str) -> Place:
        if origin == self._module and name in self._submodules:
            return f"{origin}.{name}", ""
        return origin, name

    def _later(self) -> dict[str, Place]:
        """The names that nothing needs while the module runs, and that mean one thing alone."""
        offers = self._offers()
        bound = set(self._bound_otherwise(offers))
        later = {name: place for name, place in offers.items() if name not in bound}
        while used := later.keys() & set(self._used(later)):
            for name in used:
                del later[name]
        return later

    def _bound_otherwise(self, offers: Mapping[str, Place]) -> Iterator[str]:
        """Names that are bound by anything but what offers them, or by a class and an import."""
        own = [[name for name, _ in self._offered(one, offers)] for one in self._body]
        offered = list(chain.from_iterable(own))
        for statement, names in zip(self._body, own, strict=True):
            match statement:
                case ast.ClassDef(name=name):
                    for child in ast.iter_child_nodes(statement):
                        yield from _bound(child)
                    yield from (name for _ in range(offered.count(name) - 1))
                case ast.ImportFrom(module="__future__"):
                    pass
                case ast.Assign() if names:
                    pass
                case ast.Import() | ast.ImportFrom():
                    yield from (name for name in _bound(statement) if name not in names)
                case _:
                    yield from _bound(statement)

    def _used(self, later: Mapping[str, Place]) -> Iterator[str]:
        for statement in self._body:
            if isinstance(statement, ast.ClassDef) and statement.name in later:
                continue
            if any(name in later for name, _ in self._offered(statement, later)):
                continue
            user = _Uses(self._wanted.decorators, future=self._future)
            user.visit(statement)
            yield from user.names

    # ------------------------------------------------------------------ the new text

    def rewritten(self) -> ast.Module:
        """Return the new text."""
        later = self._later()
        change = _Asked(later, self._wanted.decorators, future=self._future)
        body: list[ast.stmt] = []
        for statement in self._body:
            for left in self._left(statement, later):
                body.extend(_made_later(part, later) for part in _several(change.visit(left)))
        head = ast.parse(_HEAD.format(places={**self._neighbours(later), **later})).body
        head += [ast.parse(f"import {name}").body[0] for name in self._first()]
        at = next((i for i, part in enumerate(body) if not _is_heading(part)), len(body))
        body[at:at] = head
        return ast.fix_missing_locations(ast.Module(body=body, type_ignores=[]))

    def _first(self) -> Sequence[str]:
        return self._wanted.first.get(self._module, ())

    def _left(self, statement: ast.stmt, later: Mapping[str, Place]) -> Iterator[ast.stmt]:
        match statement:
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                statement.names = [
                    alias for alias in names if (alias.asname or alias.name) not in later
                ]
                if statement.names:
                    yield statement
            case ast.Assign(targets=[ast.Name(id=name)]) if name in later:
                pass
            case ast.FunctionDef(name="__getattr__"):
                statement.name = "_asked_otherwise"
                yield statement
            case _:
                yield statement

    def _neighbours(self, later: Mapping[str, Place]) -> dict[str, Place]:
        """Modules of the package: an import from one of them binds it, too."""
        bound = {name for statement in self._body for name in _bound(statement)}
        return {
            name: (f"{self._module}.{name}", "")
            for name in sorted(self._submodules)
            if name not in bound and name not in later
        }


# ------------------------------------------------------------------ parts of the text


def _without_types(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Leave out what only type checkers read."""
    for statement in body:
        if isinstance(statement, ast.If) and _dotted(statement.test) == "TYPE_CHECKING":
            yield from statement.orelse
        else:
            yield statement


def _dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _is_worked_out(statement: ast.stmt) -> bool:
    """Whether it says what a star import brings, and not by naming it."""
    match statement:
        case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
            elements = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
            return not all(isinstance(element, ast.Constant) for element in elements)
    return False


def _is_future(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.ImportFrom) and statement.module == "__future__"


def _is_heading(statement: ast.stmt) -> bool:
    """A docstring, or an import that must come first."""
    text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    return text or _is_future(statement)


def _several(changed: ast.AST | list[ast.stmt]) -> list[ast.stmt]:
    return changed if isinstance(changed, list) else [changed]  # type: ignore[list-item]


def _made_later(statement: ast.stmt, later: Collection[str]) -> ast.stmt:
    """Put a class into a function that makes it; it is global all the same."""
    if not isinstance(statement, ast.ClassDef) or statement.name not in later:
        return statement
    (maker,) = ast.parse(_CLASS.format(name=statement.name)).body
    assert isinstance(maker, ast.FunctionDef)
    maker.body.insert(1, statement)
    return maker


def _bound(node: ast.AST) -> Iterator[str]:
    """Every name that is bound somewhere in a part of the text, in whatever scope."""
    for part in ast.walk(node):
        match part:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.arg(arg=name):
                yield name
            case ast.alias(name=name, asname=other):
                yield other or name.partition(".")[0]
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from names
            case ast.ExceptHandler(name=str(name)) | ast.MatchAs(name=str(name)):
                yield name
            case ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name
            case ast.TypeVar(name=name) | ast.ParamSpec(name=name) | ast.TypeVarTuple(name=name):
                yield name


class _Uses(ast.NodeVisitor):
    """Finds the names that are looked up while a statement runs: not those inside functions."""

    def __init__(self, decorators: Collection[str], *, future: bool) -> None:
        self.names: set[str] = set()
        self._decorators = decorators
        self._future = future

    def visit_Name(self, node: ast.Name) -> None:
        self.names.add(node.id)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if _deferred(node, self._decorators):
            return
        for part in (*node.decorator_list, *node.args.defaults, *node.args.kw_defaults):
            if part is not None:
                self.visit(part)
        if not self._future:
            for part in _annotations(node):
                self.visit(part)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self.visit_FunctionDef(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        for part in (*node.args.defaults, *node.args.kw_defaults):
            if part is not None:
                self.visit(part)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        for part in (node.target, node.value, None if self._future else node.annotation):
            if part is not None:
                self.visit(part)

    def visit_TypeAlias(self, node: ast.TypeAlias) -> None:
        """Its value is looked at when somebody wants to know it."""


class _Asked(ast.NodeTransformer):
    """Lets later names be asked for, and some methods be made later."""

    def __init__(
        self, later: Collection[str], decorators: Collection[str], *, future: bool
    ) -> None:
        self._later = later
        self._decorators = decorators
        self._future = future

    def visit_Name(self, node: ast.Name) -> ast.expr:
        if node.id not in self._later or not isinstance(node.ctx, ast.Load):
            return node
        here = ast.copy_location(ast.Name("_here", ast.Load()), node)
        return ast.copy_location(ast.Attribute(here, node.id, ast.Load()), node)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST | list[ast.stmt]:
        self._function(node)
        if not _deferred(node, self._decorators):
            return node
        made = ast.parse(_METHOD.format(name=node.name)).body
        assert isinstance(made[0], ast.FunctionDef)
        made[0].body.insert(0, node)
        return made

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> ast.AST:
        self._function(node)
        return node

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        if self._future:
            for part in _annotated(node):
                part.annotation = None
            node.returns = None
        self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        node.target = self.visit(node.target)
        if node.value is not None:
            node.value = self.visit(node.value)
        if not self._future:
            node.annotation = self.visit(node.annotation)
        return node


def _deferred(node: ast.FunctionDef | ast.AsyncFunctionDef, decorators: Collection[str]) -> bool:
    return any(
        isinstance(part, ast.Call) and _dotted(part.func) in decorators
        for part in node.decorator_list
    )


def _annotated(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.arg]:
    every = node.args
    yield from (*every.posonlyargs, *every.args, *every.kwonlyargs)
    yield from (part for part in (every.vararg, every.kwarg) if part is not None)


def _annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[ast.expr]:
    yield from (part.annotation for part in _annotated(node) if part.annotation is not None)
    if node.returns is not None:
        yield node.returns

"""What imports leave out in the browser is there when somebody asks for it."""

import dataclasses
from dataclasses import FrozenInstanceError, dataclass, field, replace

import pytest

from flockwasm.inside import spared
from flockwasm.inside.lately import Later


@pytest.fixture(autouse=True)
def later(monkeypatch):
    monkeypatch.setattr(dataclasses, "_create_fn", spared._create_later)


def test_methods_of_a_data_class_are_made_when_they_are_called():
    @dataclass
    class Point:
        """Without a text of its own a class is given one that tells of its `__init__`."""

        x: int
        y: int = 0

    assert isinstance(vars(Point)["__init__"], Later)
    assert isinstance(vars(Point)["__eq__"], Later)
    assert Point(1) == Point(1, 0) != Point(2)
    assert not isinstance(vars(Point)["__init__"], Later)
    assert not isinstance(vars(Point)["__eq__"], Later)
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'x'"):
        Point()


def test_frozen_ordered_and_slotted_ones_are_what_they_are():
    @dataclass(frozen=True, slots=True, order=True, kw_only=True)
    class Span:
        start: int
        stop: int = 9

        def __post_init__(self):
            if self.stop < self.start:
                raise ValueError("backwards")

    one, other = Span(start=1), Span(start=2)
    assert one < other
    assert sorted({other, one, Span(start=1)}) == [one, other]
    assert replace(one, stop=3) == Span(start=1, stop=3)
    with pytest.raises(FrozenInstanceError):
        one.start = 3
    with pytest.raises(FrozenInstanceError):
        del one.start
    with pytest.raises(ValueError, match="backwards"):
        Span(start=10)


def test_one_that_stands_on_another_calls_its_methods():
    @dataclass
    class Base:
        name: str

    @dataclass
    class Tree(Base):
        parts: list = field(default_factory=list)

        def grow(self):
            self.parts.append(self)
            return super().__eq__(self)

    tree = Tree("oak")
    assert tree.grow()
    assert repr(tree).endswith("Tree(name='oak', parts=[...])")
    assert repr(Tree("elm")).endswith("Tree(name='elm', parts=[])")

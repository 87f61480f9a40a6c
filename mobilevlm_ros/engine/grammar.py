"""What may come next in a JSON document, byte by byte.

An expression stands for a set of byte strings. `step` takes one byte off: it leaves what may
follow that byte (Brzozowski's derivative, "Derivatives of Regular Expressions", 1964), or None
if none of the strings begins with it. Documents are compact: no white space between tokens.

Steps need no search: a JSON value that is complete is never the beginning of a longer one that
goes on with a comma or a bracket.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol


class Expression(Protocol):
    """A set of byte strings. Never empty, and every string of it is finite."""

    @property
    def accepts(self) -> bool:
        """Whether the empty string is in the set: the document may end here."""

    def step(self, byte: int) -> Expression | None:
        """What may follow this byte; None if it may not come."""

    def firsts(self) -> frozenset[int]:
        """The bytes that may come next."""

    def closing(self) -> bytes:
        """A shortest string of the set: how the document can be ended soonest."""


@dataclass(frozen=True, slots=True)
class Literal:
    """Exactly these bytes."""

    rest: bytes = b''

    @property
    def accepts(self) -> bool:
        """At its end."""
        return not self.rest

    def step(self, byte: int) -> Expression | None:
        """The rest."""
        return Literal(self.rest[1:]) if self.rest[:1] == bytes((byte,)) else None

    def firsts(self) -> frozenset[int]:
        """The next byte."""
        return frozenset(self.rest[:1])

    def closing(self) -> bytes:
        """The rest."""
        return self.rest


@dataclass(frozen=True, slots=True)
class Union:
    """Any of the options."""

    options: tuple[Expression, ...]

    @property
    def accepts(self) -> bool:
        """If any does."""
        return any(option.accepts for option in self.options)

    def step(self, byte: int) -> Expression | None:
        """Those that go on."""
        left = tuple(after for o in self.options if (after := o.step(byte)) is not None)
        if len(left) > 1:
            return Union(left)
        return left[0] if left else None

    def firsts(self) -> frozenset[int]:
        """Those of all options."""
        return frozenset().union(*(option.firsts() for option in self.options))

    def closing(self) -> bytes:
        """The shortest of all."""
        return min((option.closing() for option in self.options), key=len)


@dataclass(frozen=True, slots=True)
class Sequence:
    """One after the other."""

    head: Expression
    tail: tuple[Expression, ...]

    @property
    def accepts(self) -> bool:
        """If all do."""
        return self.head.accepts and all(part.accepts for part in self.tail)

    def step(self, byte: int) -> Expression | None:
        """Into the head, or past it if it may end here."""
        after = self.head.step(byte)
        if after is not None:
            return Sequence(after, self.tail) if self.tail else after
        if self.head.accepts and self.tail:
            return Sequence(self.tail[0], self.tail[1:]).step(byte)
        return None

    def firsts(self) -> frozenset[int]:
        """Those of the head, and of what follows if the head may end here."""
        firsts = self.head.firsts()
        if self.head.accepts and self.tail:
            firsts |= Sequence(self.tail[0], self.tail[1:]).firsts()
        return firsts

    def closing(self) -> bytes:
        """All of them."""
        return self.head.closing() + b''.join(part.closing() for part in self.tail)


@dataclass(frozen=True, slots=True)
class Property:
    """One member of an object."""

    key: bytes  # with quotes and colon
    value: Expression
    required: bool


@dataclass(frozen=True, slots=True)
class Members:
    """The rest of an object, its closing brace included; properties keep their order."""

    properties: tuple[Property, ...]
    comma: bytes = b''

    accepts = False

    def _options(self) -> Iterator[Expression]:
        for at, item in enumerate(self.properties, 1):
            rest = Members(self.properties[at:], b',')
            yield Sequence(Literal(self.comma + item.key), (item.value, rest))
            if item.required:
                return
        yield Literal(b'}')

    def step(self, byte: int) -> Expression | None:
        """Into one of the properties up to the next that is required, or to the end."""
        return Union(tuple(self._options())).step(byte)

    def firsts(self) -> frozenset[int]:
        """The comma, quote or brace."""
        return Union(tuple(self._options())).firsts()

    def closing(self) -> bytes:
        """The required ones."""
        needed = [item.key + item.value.closing() for item in self.properties if item.required]
        return (self.comma if needed else b'') + b','.join(needed) + b'}'


@dataclass(frozen=True, slots=True)
class Items:
    """The rest of an array, its closing bracket included."""

    item: Expression
    least: int
    most: int
    comma: bytes = b''

    accepts = False

    def _options(self) -> Iterator[Expression]:
        if self.most:
            rest = Items(self.item, max(self.least - 1, 0), self.most - 1, b',')
            yield Sequence(Literal(self.comma), (self.item, rest))
        if not self.least:
            yield Literal(b']')

    def step(self, byte: int) -> Expression | None:
        """Into one more item, or to the end."""
        return Union(tuple(self._options())).step(byte)

    def firsts(self) -> frozenset[int]:
        """The comma, the beginning of an item, or the bracket."""
        return Union(tuple(self._options())).firsts()

    def closing(self) -> bytes:
        """As few as may be."""
        items = [self.item.closing()] * self.least
        return (self.comma if items else b'') + b','.join(items) + b']'


def literal(value: object) -> Literal:
    """One JSON value, written compactly and in UTF-8."""
    return Literal(json.dumps(value, ensure_ascii=False, separators=(',', ':')).encode())


def any_of(*options: Expression) -> Expression:
    """Any of the options, of which there is one at least."""
    return Union(options) if len(options) > 1 else options[0]


def json_object(*properties: Property) -> Expression:
    """An object of these properties in this order."""
    return Sequence(Literal(b'{'), (Members(properties),))


def member(name: str, value: Expression, required: bool) -> Property:
    """A property of an object."""
    return Property(literal(name).rest + b':', value, required)


def json_array(item: Expression, least: int, most: int) -> Expression:
    """An array of so many items."""
    return Sequence(Literal(b'['), (Items(item, least, most),))

"""JSON strings, byte by byte: whole characters of UTF-8, and no more of them than allowed."""

from __future__ import annotations

from dataclasses import dataclass

from mobilevlm_ros.engine.grammar import Expression, Literal, Sequence

_QUOTE, _BACKSLASH = b'"\\'
_PLAIN = frozenset(range(0x20, 0x80)) - {_QUOTE, _BACKSLASH}
_ESCAPED = frozenset(b'"\\/bfnrt')
_ANY = frozenset(range(0x80, 0xC0))
_Following = dict[int, tuple[frozenset[int], ...]]


def _continuations() -> _Following:
    """What follows each first byte of a longer character (Unicode standard, table 3-7)."""
    following: _Following = dict.fromkeys(range(0xC2, 0xE0), (_ANY,))
    following |= dict.fromkeys(range(0xE0, 0xF0), (_ANY, _ANY))
    following |= dict.fromkeys(range(0xF0, 0xF5), (_ANY, _ANY, _ANY))
    following[0xE0] = frozenset(range(0xA0, 0xC0)), _ANY
    following[0xED] = frozenset(range(0x80, 0xA0)), _ANY  # no surrogates
    following[0xF0] = frozenset(range(0x90, 0xC0)), _ANY, _ANY
    following[0xF4] = frozenset(range(0x80, 0x90)), _ANY, _ANY
    return following


_FOLLOWING: _Following = {_BACKSLASH: (_ESCAPED,), **_continuations()}
_BEGINNINGS = _PLAIN | frozenset(_FOLLOWING)


@dataclass(frozen=True, slots=True)
class Text:
    """The rest of a string, its closing quote included."""

    left: int  # characters that may yet come, an escape counted as one

    accepts = False

    def step(self, byte: int) -> Expression | None:
        """To the end, or into one more character."""
        if byte == _QUOTE:
            return Literal()
        if not self.left:
            return None
        after = Text(self.left - 1)
        if byte in _PLAIN:
            return after
        following = _FOLLOWING.get(byte)
        return Character(following, after) if following else None

    def firsts(self) -> frozenset[int]:
        """The quote, and what begins a character if one may come."""
        return _BEGINNINGS | {_QUOTE} if self.left else frozenset((_QUOTE,))

    def closing(self) -> bytes:
        """The quote."""
        return b'"'


@dataclass(frozen=True, slots=True)
class Character:
    """The rest of one character, and of the string behind it."""

    following: tuple[frozenset[int], ...]
    after: Text

    accepts = False

    def step(self, byte: int) -> Expression | None:
        """One byte further."""
        if byte not in self.following[0]:
            return None
        return Character(self.following[1:], self.after) if self.following[1:] else self.after

    def firsts(self) -> frozenset[int]:
        """What goes on with this character."""
        return self.following[0]

    def closing(self) -> bytes:
        """The least such character, and the quote."""
        return bytes(map(min, self.following)) + self.after.closing()


def json_string(longest: int) -> Expression:
    """A string of so many characters (code points) at most."""
    return Sequence(Literal(b'"'), (Text(longest),))

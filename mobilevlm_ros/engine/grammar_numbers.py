"""JSON numbers within bounds, digit by digit: no beginning that cannot be completed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from mobilevlm_ros.engine.grammar import Expression

_CHARACTERS = b'-.0123456789'


@dataclass(frozen=True, slots=True)
class Number:
    """Numbers from `low` to `high`, both counted in the last of so many decimal places.

    Bounds are exact: 0.25 to 1.5 with two places is 25 to 150. Written without exponent and
    without zeros in front.
    """

    low: int
    high: int
    places: int = 0
    written: bytes = b''

    @property
    def accepts(self) -> bool:
        """Whether what is written is a number within the bounds."""
        return self._completion() == b''

    def step(self, byte: int) -> Expression | None:
        """One character further, if a number within the bounds begins so."""
        if not self._follows(byte):
            return None
        after = Number(self.low, self.high, self.places, self.written + bytes((byte,)))
        return after if after._completion() is not None else None

    def firsts(self) -> frozenset[int]:
        """The characters after which a number can still be completed."""
        return frozenset(byte for byte in _CHARACTERS if self.step(byte) is not None)

    def closing(self) -> bytes:
        """The fewest characters that complete a number."""
        completion = self._completion()
        assert completion is not None, 'no step leads to what cannot be completed'
        return completion

    def _follows(self, byte: int) -> bool:
        """Whether JSON allows the character here, whatever the bounds."""
        whole, point, decimals = self._parts()
        if byte == ord('-'):
            return not self.written
        if byte == ord('.'):
            return bool(whole and self.places and not point)
        if point:
            return ord('0') <= byte <= ord('9') and len(decimals) < self.places
        return ord('0') <= byte <= ord('9') and whole != b'0'

    def _parts(self) -> tuple[bytes, bytes, bytes]:
        """Digits, point, digits."""
        return self.written.removeprefix(b'-').partition(b'.')

    def _completion(self) -> bytes | None:
        """The shortest characters that make a number within the bounds, or None."""
        whole, point, decimals = self._parts()
        if not whole:
            nexts = ((byte, self.step(byte)) for byte in _CHARACTERS)
            found = [bytes((b,)) + after.closing() for b, after in nexts if after is not None]
            return min(found, key=len, default=None)
        digits = int(whole + decimals)
        for wholes, more in self._shapes(whole, point, decimals):
            unit = 10 ** (self.places - len(decimals) - more)
            added = self._fill(digits, wholes + more, unit)
            if added is not None:
                mark = b'.' if more and not point else b''
                return added[:wholes] + mark + added[wholes:]
        return None

    def _shapes(self, whole: bytes, point: bytes, decimals: bytes) -> Iterator[tuple[int, int]]:
        """Digits that may be added before and behind the point, the fewest first."""
        if point:
            yield from ((0, n) for n in range(not decimals, self.places - len(decimals) + 1))
            return
        most = max(abs(self.low), abs(self.high)) // 10**self.places
        room = 0 if whole == b'0' else len(str(most)) - len(whole)
        shapes = [(k, n) for k in range(room + 1) for n in range(self.places + 1)]
        yield from sorted(shapes, key=sum)

    def _fill(self, digits: int, count: int, unit: int) -> bytes | None:
        """The least `count` digits to add such that the number, times `unit`, is in bounds."""
        negative = self.written[:1] == b'-'
        low, high = (-self.high, -self.low) if negative else (self.low, self.high)
        begin = digits * 10**count
        least = max(begin, -(-low // unit))
        if least > min(begin + 10**count - 1, high // unit):
            return None
        return str(least - begin).zfill(count).encode() if count else b''

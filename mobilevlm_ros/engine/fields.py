"""Reading JSON objects whose every mistake is named: where, what was expected, what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mobilevlm_ros.engine.errors import BundleSchemaError


@dataclass(frozen=True, slots=True)
class Fields:
    """One JSON object, and its place in the file for messages."""

    values: Mapping[str, Any]
    place: str

    def names(self) -> list[str]:
        """The keys of the object."""
        return list(self.values)

    def section(self, name: str) -> Fields:
        """The object inside this one."""
        value = self._get(name)
        if not isinstance(value, Mapping):
            raise self.wrong(name, 'an object', value)
        separator = '.' if ': ' in self.place else ': '
        return Fields(value, f'{self.place}{separator}{name}')

    def text(
        self, name: str, choices: tuple[str, ...] = (), default: str | None = None
    ) -> str:
        """A string, one of the choices if any are given; the default where there is no entry."""
        value = self._get(name, default)
        if not isinstance(value, str):
            raise self.wrong(name, 'text', value)
        if choices and value not in choices:
            raise self.wrong(name, f'one of {", ".join(choices)}', value)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """A list of strings that are not empty."""
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
            raise self.wrong(name, 'a list of texts', value)
        return tuple(value)

    def integer(self, name: str, most: int = 1 << 20, default: int | None = None) -> int:
        """A whole number above zero; the default where there is no such entry."""
        value = self._get(name, default)
        if type(value) is not int or not 1 <= value <= most:
            raise self.wrong(name, f'a whole number from 1 to {most}', value)
        return value

    def number(self, name: str, low: float, high: float, default: float) -> float:
        """A number in a range; the default where there is no such entry."""
        value = self.values.get(name, default)
        if type(value) not in (int, float) or not low <= value <= high:
            raise self.wrong(name, f'a number from {low:g} to {high:g}', value)
        return float(value)

    def switch(self, name: str, default: bool) -> bool:
        """True or false; the default where there is no such entry."""
        value = self.values.get(name, default)
        if type(value) is not bool:
            raise self.wrong(name, 'true or false', value)
        return value

    def colour(self, name: str, lowest: float = 0.0) -> tuple[float, float, float]:
        """Three numbers up to 1, for red, green and blue."""
        value = self._get(name)
        if (
            not isinstance(value, list)
            or len(value) != 3
            or not all(type(v) in (int, float) and lowest <= v <= 1 for v in value)
        ):
            expected = f'three numbers from {lowest:g} to 1 for red, green and blue'
            raise self.wrong(name, expected, value)
        red, green, blue = (float(v) for v in value)
        return red, green, blue

    def wrong(self, name: str, expected: str, found: object) -> BundleSchemaError:
        """The error to raise about one entry."""
        return BundleSchemaError(
            f'{self.place}: {name} should be {expected}, found {found!r}; '
            'correct it, or convert the model again'
        )

    def _get(self, name: str, default: Any = None) -> Any:
        if name not in self.values:
            if default is not None:
                return default
            raise BundleSchemaError(
                f'{self.place}: {name} is not there; correct it, or convert the model again'
            )
        return self.values[name]

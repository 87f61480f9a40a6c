"""ROS parameters declared from config dataclasses, whose fields are the only defaults."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from mobilevlm_ros.engine import ConfigError

Config = TypeVar('Config')


def declare(node: Node, config: type[Config], prefix: str = '') -> Config:
    """Declare one read-only parameter for each field of a dataclass and read their values.

    A field's metadata may give `description`, `low` and `high`, and `choices`.

    Raises:
        ConfigError: if a value given from outside has the wrong type or lies out of range.
    """
    values = {}
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        name = prefix + field.name
        default = _as_parameter(_default(field))
        try:
            value = node.declare_parameter(name, default, _describe(field, default)).value
        except ParameterException as error:
            raise ConfigError(f'parameter {name}: {error}') from error
        values[field.name] = tuple(value) if isinstance(value, list) else value
    return config(**values)


def _default(field: dataclasses.Field[Any]) -> Any:
    if field.default_factory is not dataclasses.MISSING:
        return field.default_factory()
    return field.default


def _as_parameter(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _describe(field: dataclasses.Field[Any], default: Any) -> ParameterDescriptor:
    metadata = field.metadata
    descriptor = ParameterDescriptor(
        name=field.name,
        description=metadata.get('description', ''),
        additional_constraints=' '.join(('one of:', *choices))
        if (choices := metadata.get('choices'))
        else '',
        read_only=True,
    )
    if metadata.get('low') is not None:
        _bound(descriptor, metadata['low'], metadata['high'], isinstance(default, int))
    return descriptor


def _bound(descriptor: ParameterDescriptor, low: float, high: float, integer: bool) -> None:
    if integer:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    else:
        floats = FloatingPointRange(from_value=float(low), to_value=float(high))
        descriptor.floating_point_range = [floats]

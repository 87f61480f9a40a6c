"""ROS parameters declared from config dataclasses, whose fields are the only defaults."""

from __future__ import annotations

import dataclasses
from difflib import get_close_matches
from typing import Any, TypeVar

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import ParameterException
from rclpy.node import Node

from mobilevlm_ros.engine import ConfigError

Config = TypeVar('Config')
OF_TOPICS = 'qos_overrides.'  # which rclpy declares with the publishers and subscriptions
# Of EngineConfig: what the node gives along with each question, so that it may change.
RUNTIME = frozenset(
    ('max_age_s', 'deadline_s', 'max_tokens', 'temperature', 'top_p', 'repeat_penalty')
)


def declare(node: Node, config: type[Config], prefix: str = '', **defaults: Any) -> Config:
    """Declare one parameter for each field of a dataclass and read their values.

    A field's metadata gives its description, bounds and choices, as EngineConfig's do. Parameters
    are read-only unless a field's metadata says `runtime`, or RUNTIME names it.

    Args:
        node: whose parameters.
        config: the dataclass.
        prefix: before the names, such as `front.`.
        defaults: of fields whose default is another one in a node.

    Raises:
        ConfigError: if a value given from outside has the wrong type or lies out of range.
    """
    values = {}
    for field in dataclasses.fields(config):  # type: ignore[arg-type]
        default = defaults.get(field.name, field.default)
        default = list(default) if isinstance(default, tuple) else default
        name = prefix + field.name
        try:
            value = node.declare_parameter(name, default, _describe(field)).value
        except ParameterException as error:
            text = str(error).removesuffix(f': {name}')
            point = '; write a decimal point: 5.0, not 5' if "'INTEGER', expecting" in text else ''
            raise ConfigError(f'parameter {name}: {text}{point}') from error
        values[field.name] = tuple(value) if isinstance(value, list) else value
    try:
        return config(**values)
    except ConfigError as error:
        raise ConfigError(f'parameter {prefix}{error}') from error


def unknown(node: Node) -> list[str]:
    """What is to be said of values from outside that no parameter takes; ROS ignores them.

    Args:
        node: that has declared all its parameters.
    """
    known = list(node.get_parameters_by_prefix(''))
    given = node._parameter_overrides  # rclpy shows them nowhere else
    return [
        f'{node.get_name()} has no parameter {name}, so that it has no effect; did you mean '
        f'{get_close_matches(name, known, n=1, cutoff=0.0)[0]}?'
        for name in sorted(given.keys() - set(known))
        if not name.startswith(OF_TOPICS)
    ]


def _describe(field: dataclasses.Field[Any]) -> ParameterDescriptor:
    metadata = field.metadata
    fixed = field.name not in RUNTIME and not metadata.get('runtime')
    descriptor = ParameterDescriptor(description=metadata['description'], read_only=fixed)
    if metadata['choices']:
        listed = ', '.join(choice or "'' (empty)" for choice in metadata['choices'])
        descriptor.additional_constraints = f'one of: {listed}'
    if metadata['low'] is not None:
        _bound(descriptor, metadata['low'], metadata['high'], isinstance(field.default, int))
    return descriptor


def _bound(descriptor: ParameterDescriptor, low: float, high: float, integer: bool) -> None:
    if integer:
        descriptor.integer_range = [IntegerRange(from_value=int(low), to_value=int(high))]
    else:
        floats = FloatingPointRange(from_value=float(low), to_value=float(high))
        descriptor.floating_point_range = [floats]

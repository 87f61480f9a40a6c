"""Parameters that may change while the node runs, atomically, or not at all."""

from __future__ import annotations

import dataclasses
from array import array
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from mobilevlm_ros.engine import MobileVlmError

Check = Callable[[dict[str, Any]], None]  # raises MobileVlmError


class Parameters:
    """Config dataclasses whose fields are parameters of a node."""

    def __init__(self, node: Node, configs: Mapping[str, Sequence[Any]], check: Check) -> None:
        """Let the fields of dataclasses follow the parameters that were declared from them.

        Args:
            node: whose parameters.
            configs: the present values, by the prefix of their parameters.
            check: refuses values that are right each for itself, before any is taken.
        """
        self._configs = {
            (type(config), prefix): config for prefix in configs for config in configs[prefix]
        }
        self._check = check
        node.add_on_set_parameters_callback(self._set)

    def get(self, kind: type, prefix: str = '') -> Any:
        """The present values, as the dataclass."""
        return self._configs[kind, prefix]

    def _set(self, parameters: list[Parameter]) -> SetParametersResult:
        values = {parameter.name: _value(parameter) for parameter in parameters}
        try:
            changed = {
                (kind, prefix): _replaced(config, _under(prefix, values))
                for (kind, prefix), config in self._configs.items()
            }
            self._check(values)
        except MobileVlmError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._configs.update(changed)
        return SetParametersResult(successful=True)


def _under(prefix: str, values: dict[str, Any]) -> dict[str, Any]:
    return {
        name.removeprefix(prefix): value
        for name, value in values.items()
        if name.startswith(prefix)
    }


def _replaced(config: Any, values: dict[str, Any]) -> Any:
    names = {field.name for field in dataclasses.fields(config)} & values.keys()
    return dataclasses.replace(config, **{name: values[name] for name in names})


def _value(parameter: Parameter) -> Any:
    value = parameter.value
    return tuple(value) if isinstance(value, (list, array)) else value

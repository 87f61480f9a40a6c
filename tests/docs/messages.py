"""Messages from YAML, as the `ros2` command makes them."""

import importlib
from array import array


def interface(name):
    """The class of `package/kind/Name`."""
    package, kind, name = name.split('/')
    return getattr(importlib.import_module(f'{package}.{kind}'), name)


def fill(message, values):
    """Set fields by name; a value is converted to its field's type.

    Raises:
        AttributeError: naming a field that there is not.
        ValueError, TypeError: if a value does not fit.
    """
    for name, value in values.items():
        field = getattr(message, name)
        if isinstance(value, dict):
            fill(field, value)
        elif isinstance(field, array):
            setattr(message, name, array(field.typecode, value))
        else:
            setattr(message, name, type(field)(value))
    return message

from pathlib import Path

from mobilevlm_ros.engine import errors


def error_classes() -> list[type[errors.MobileVlmError]]:
    found = [errors.MobileVlmError]
    for kind in found:
        found.extend(kind.__subclasses__())
    return [kind for kind in found if kind.__module__ == errors.__name__]


def test_every_code_is_a_constant_of_the_status_message(root: Path) -> None:
    lines = (root / 'msg' / 'Status.msg').read_text().splitlines()
    constants = {line.split('=')[0].split()[-1] for line in lines if '=' in line.split('#')[0]}
    assert {kind.code for kind in error_classes()} <= constants


def test_the_drawn_tree_names_every_error() -> None:
    assert errors.__doc__ is not None
    drawn = {word for word in errors.__doc__.split() if word.endswith('Error')}
    assert drawn == {kind.__name__ for kind in error_classes()}

"""together: several nodes in one process, `together camera_node vlm_node --ros-args ...`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from itertools import takewhile

from mobilevlm_ros.engine import ConfigError
from mobilevlm_ros.nodes.runner import Runnable, run_together

# Imported by name, so that a process holds only what it runs.
CREATE = {
    'camera_node': 'CameraNode',
    'patrol_node': 'PatrolNode',
    'sim_node': 'SimNode',
    'vlm_node': 'create_node',
}


def create(name: str) -> Runnable:
    """Create the node."""
    module = import_module(f'mobilevlm_ros.nodes.{name}')
    node: Runnable = getattr(module, CREATE[name])()
    return node


def factories(names: Sequence[str]) -> list[Callable[[], Runnable]]:
    """What creates each; vlm_node last, whose model takes time to load.

    Raises:
        ConfigError: if these are not some of our nodes, each once.
    """
    if not names or set(names) - CREATE.keys() or len(set(names)) < len(names):
        known = ', '.join(CREATE)
        raise ConfigError(f'{" ".join(names)!r} is not valid; name some of {known}, each once')
    return [partial(create, name) for name in sorted(names, key=lambda name: name == 'vlm_node')]


def main(argv: list[str] | None = None) -> int:
    """Run until a signal arrives, or all nodes are done."""
    arguments = sys.argv[1:] if argv is None else argv
    names = takewhile(lambda argument: argument != '--ros-args', arguments)
    try:
        creates = factories(list(names))
    except ConfigError as error:
        sys.stderr.write(f'together: {error}\n')
        return 2
    return run_together(creates, argv)


if __name__ == '__main__':
    raise SystemExit(main())

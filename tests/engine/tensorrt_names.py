"""Run as a program, since only one TensorRT can be in a process: what its bindings look like.

    python tensorrt_names.py FOLDER LIBRARIES < names

The bindings in FOLDER are real; their libraries, gigabytes, are replaced by those in LIBRARIES,
in which every function returns null. So classes, methods and signatures can be looked at, and
nothing can be created.
"""

import ctypes
import json
import sys
from pathlib import Path
from typing import Any


def load(folder: str, libraries: str) -> Any:
    for path in Path(libraries).iterdir():
        ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    sys.path.insert(0, folder)
    import tensorrt_bindings

    sys.modules['tensorrt'] = tensorrt_bindings
    return tensorrt_bindings


def look_up(module: Any, name: str) -> str | None:
    """The docstring, in which pybind11 writes the signatures; None if there is no such name."""
    found = module
    for part in name.split('.'):
        if not hasattr(found, part):
            return None
        found = getattr(found, part)
    return found.__doc__ or ''


def failures() -> dict[str, str]:
    """What our code makes of a TensorRT that can create nothing."""
    from mobilevlm_ros.engine import BackendError
    from mobilevlm_ros.engine.plans import PlanOptions
    from mobilevlm_ros.engine.tensorrt_build import build_plan
    from mobilevlm_ros.engine.tensorrt_encoder import TensorRtEncoder

    said = {}
    for name, call in (
        ('build', lambda: build_plan(Path('vision.onnx'), PlanOptions(), Path('timing.cache'))),
        ('run', lambda: TensorRtEncoder(memoryview(b''), None, None)),  # type: ignore[arg-type]
    ):
        try:
            call()
        except BackendError as error:
            said[name] = str(error)
    return said


if __name__ == '__main__':
    tensorrt = load(*sys.argv[1:])
    docs = {name: look_up(tensorrt, name) for name in sys.stdin.read().split()}
    flag = 1 << int(tensorrt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    print(json.dumps({'docs': docs, 'flag': flag, 'failures': failures()}))

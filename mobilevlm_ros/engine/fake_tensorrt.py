"""A stand-in for `tensorrt`, for tests of what we decide, and of nothing else.

It proves that a plan is found, refused, built again or thrown away when it should be, and that
failures become errors of ours. It proves nothing about TensorRT: not that a network is accepted,
built or right, not how fast it is, not how much memory it takes. Its plans are a few lines of
JSON, and it "runs" them with a function on the CPU.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from types import SimpleNamespace
from typing import Any

import numpy as np

from mobilevlm_ros.engine.bundle import VisionSpec
from mobilevlm_ros.engine.cuda import Shape
from mobilevlm_ros.engine.fake_cuda import STREAM
from mobilevlm_ros.engine.types import Floats

DataType = IntEnum('DataType', ['FLOAT', 'HALF'])
MemoryPoolType = IntEnum('MemoryPoolType', ['WORKSPACE'])
NetworkDefinitionCreationFlag = IntEnum('NetworkDefinitionCreationFlag', ['STRONGLY_TYPED'])
TensorIOMode = IntEnum('TensorIOMode', ['NONE', 'INPUT', 'OUTPUT'])
Severity = IntEnum('Severity', ['INTERNAL_ERROR', 'ERROR', 'WARNING', 'INFO', 'VERBOSE'], start=0)


@dataclass
class Script:
    """How the fake behaves, and what it was asked to do."""

    vision: VisionSpec
    run: Callable[[Floats], Floats]  # pixels to visual tokens
    version: str = '10.3.0'
    parser_errors: tuple[str, ...] = ()
    build_error: str = ''
    load_error: str = ''
    run_error: str = ''
    builds: list[dict[str, Any]] = field(default_factory=list)
    timings_read: list[bytes] = field(default_factory=list)


@contextmanager
def installed(script: Script) -> Iterator[None]:
    """Make `import tensorrt` find the fake for a while."""
    real = sys.modules.get('tensorrt')
    sys.modules['tensorrt'] = create_module(script)
    try:
        yield
    finally:
        del sys.modules['tensorrt']
        if real:
            sys.modules['tensorrt'] = real


def create_module(script: Script) -> Any:
    """What takes the place of the module."""

    def bound(kind: Any) -> Any:
        return lambda *arguments: kind(script, *arguments)

    return SimpleNamespace(
        __version__=script.version,
        DataType=DataType,
        MemoryPoolType=MemoryPoolType,
        NetworkDefinitionCreationFlag=NetworkDefinitionCreationFlag,
        TensorIOMode=TensorIOMode,
        ILogger=Logger,
        Builder=bound(Builder),
        OnnxParser=bound(Parser),
        Runtime=bound(Runtime),
    )


class Logger:
    """What loggers derive from."""

    Severity = Severity

    def log(self, severity: int, msg: str) -> None:
        """Take a message."""


class Builder:
    """Makes plans that hold what they were asked for."""

    def __init__(self, script: Script, logger: Logger) -> None:
        self._script = script
        self._logger = logger

    def create_network(self, flags: int) -> Any:
        """A network with one input of any batch."""
        size = self._script.vision.image_size
        pixels = SimpleNamespace(name='pixels', shape=(-1, 3, size, size))
        return SimpleNamespace(flags=flags, get_input=lambda index: pixels)

    def create_builder_config(self) -> BuilderConfig:
        """Nothing set."""
        return BuilderConfig(self._script)

    def create_optimization_profile(self) -> Profile:
        """No shapes."""
        return Profile()

    def build_serialized_network(self, network: Any, config: BuilderConfig) -> bytes | None:
        """A plan, or nothing and an error in the log."""
        if self._script.build_error:
            self._logger.log(Severity.ERROR, self._script.build_error)
            return None
        build = {'flags': network.flags, 'workspace': config.workspace, 'batch': config.batch}
        self._script.builds.append(build)
        return json.dumps({'version': self._script.version, **build}).encode()


class Profile:
    """The shapes of one input."""

    most: Shape = ()

    def set_shape(self, name: str, least: Shape, best: Shape, most: Shape) -> None:
        """Remember the largest."""
        self.most = most


class BuilderConfig:
    """Remembers what is set; its timing cache knows one kernel more after every build."""

    workspace = 0
    batch = 0

    def __init__(self, script: Script) -> None:
        self._script = script
        self._timings = b''

    def set_memory_pool_limit(self, pool: MemoryPoolType, size: int) -> None:
        """Set the workspace."""
        self.workspace = size

    def create_timing_cache(self, known: bytes) -> bytes:
        """The cache is its bytes."""
        return known

    def set_timing_cache(self, cache: bytes, ignore_mismatch: bool) -> bool:
        """Take a cache of this version only."""
        if cache and not cache.startswith(self._script.version.encode()):
            return False
        self._script.timings_read.append(cache)
        self._timings = cache
        return True

    def get_timing_cache(self) -> Any:
        """The cache after the build."""
        grown = (self._timings or self._script.version.encode()) + b' kernel'
        return SimpleNamespace(serialize=lambda: grown)

    def add_optimization_profile(self, profile: Profile) -> int:
        """Take the batch of it."""
        self.batch = profile.most[0]
        return 0


class Parser:
    """Parses whatever it is given, unless told to find errors."""

    def __init__(self, script: Script, network: Any, logger: Logger) -> None:
        self._errors = script.parser_errors
        self.num_errors = len(self._errors)

    def parse_from_file(self, model: str) -> bool:
        """Whether there were no errors."""
        return not self._errors

    def get_error(self, index: int) -> Any:
        """One error, all whose parts are methods."""
        return SimpleNamespace(
            desc=lambda: self._errors[index],
            node_name=lambda: f'node_{index}',
            node_operator=lambda: 'Attention',
        )


class Runtime:
    """Loads plans of its own version."""

    def __init__(self, script: Script, logger: Logger) -> None:
        self._script = script
        self._logger = logger

    def deserialize_cuda_engine(self, plan: memoryview) -> Engine | None:
        """The engine, or nothing and an error in the log."""
        content = json.loads(bytes(plan))
        reason = self._script.load_error
        if content['version'] != self._script.version:
            reason = 'the plan is of another version'
        if reason:
            self._logger.log(Severity.ERROR, reason)
            return None
        return Engine(self._script, content['batch'], self._logger)


class Engine:
    """One input, one output."""

    num_io_tensors = 2

    def __init__(self, script: Script, batch: int, logger: Logger) -> None:
        self.script = script
        self.batch = batch
        self.logger = logger
        vision = script.vision
        size = vision.image_size
        self.shapes = {
            'pixels': (-1, 3, size, size),
            'visual_tokens': (-1, vision.visual_tokens, vision.width),
        }

    def get_tensor_name(self, index: int) -> str:
        """By number."""
        return list(self.shapes)[index]

    def get_tensor_mode(self, name: str) -> TensorIOMode:
        """The pixels go in."""
        return TensorIOMode.INPUT if name == 'pixels' else TensorIOMode.OUTPUT

    def get_tensor_dtype(self, name: str) -> DataType:
        """Float32 at both ends."""
        return DataType.FLOAT

    def get_tensor_shape(self, name: str) -> Shape:
        """With -1 for the batch."""
        return self.shapes[name]

    def get_tensor_profile_shape(self, name: str, profile_index: int) -> list[Shape]:
        """Least, best and most."""
        rest = self.shapes[name][1:]
        return [(1, *rest), (self.batch, *rest), (self.batch, *rest)]

    def create_execution_context(self) -> Context:
        """One with no shape and no addresses."""
        return Context(self)


class Context:
    """Runs the script's function between the two addresses."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._count = 0
        self._addresses: dict[str, int] = {}

    def set_input_shape(self, name: str, shape: Shape) -> bool:
        """Whether the batch lies within the profile."""
        self._count = shape[0] if shape[1:] == self._engine.shapes[name][1:] else 0
        return 1 <= self._count <= self._engine.batch

    def infer_shapes(self) -> list[str]:
        """The tensors whose shape is not known."""
        return [] if self._count else ['pixels']

    def set_tensor_address(self, name: str, memory: int) -> bool:
        """Remember it."""
        self._addresses[name] = memory
        return name in self._engine.shapes

    def execute_async_v3(self, stream_handle: int) -> bool:
        """Run at once; refuses the default stream, which the real one would only slow down on."""
        script = self._engine.script
        if script.run_error or stream_handle != STREAM:
            self._engine.logger.log(Severity.ERROR, script.run_error or 'the default stream')
            return False
        self._view('visual_tokens')[:] = script.run(self._view('pixels'))
        return True

    def _view(self, name: str) -> Floats:
        shape = (self._count, *self._engine.shapes[name][1:])
        content = ctypes.c_float * int(np.prod(shape))
        array = np.ctypeslib.as_array(content.from_address(self._addresses[name]))
        return array.reshape(shape)

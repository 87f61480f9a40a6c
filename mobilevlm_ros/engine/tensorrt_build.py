"""An ONNX file to a TensorRT plan, with the calls that TensorRT 10.3 to 11 have in common.

The network is strongly typed: it computes in the types that the ONNX file says. With them left
to the builder, vision transformers lose their accuracy in float16.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from mobilevlm_ros.engine.errors import BackendError, PlanError
from mobilevlm_ros.engine.plans import PlanOptions
from mobilevlm_ros.engine.tensorrt_log import complaints, trt_logger

if TYPE_CHECKING:
    import tensorrt as trt

_logger = logging.getLogger(__name__)


def build_plan(path: Path, options: PlanOptions, timing: Path) -> memoryview:
    """Let TensorRT build an engine; takes minutes.

    Args:
        path: of the ONNX file.
        options: batch and workspace.
        timing: of the timing cache, which is read if it is there, and written.

    Raises:
        PlanError: if the file cannot be parsed or the engine cannot be built, with the reasons.
        BackendError: if TensorRT finds no device.
    """
    import tensorrt as trt

    builder = _create_builder()
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, trt_logger())
    if not parser.parse_from_file(str(path)):
        raise PlanError(f'TensorRT could not parse {path}: {_parser_errors(parser)}')
    config = builder.create_builder_config()
    config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE, options.workspace_mib << 20)
    _load_timing(config, timing)
    _add_profile(builder, network, config, options)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise PlanError(f'TensorRT could not build an engine of {path}: {complaints().take()}')
    _save_timing(config, timing)
    return memoryview(plan)


def _create_builder() -> trt.Builder:
    import tensorrt as trt

    try:
        return trt.Builder(trt_logger())
    except TypeError as error:  # what pybind11 makes of a builder that could not be created
        raise BackendError(f'TensorRT cannot build here: {complaints().take()}') from error


def _parser_errors(parser: trt.OnnxParser) -> str:
    errors = (parser.get_error(index) for index in range(parser.num_errors))
    found = [f'{error.node_operator()} {error.node_name()}: {error.desc()}' for error in errors]
    return '; '.join(text.strip() for text in found) or complaints().take()


def _add_profile(
    builder: trt.Builder,
    network: trt.INetworkDefinition,
    config: trt.IBuilderConfig,
    options: PlanOptions,
) -> None:
    """From one image to as many as asked for, the latter fastest; one alone is a static shape."""
    pixels = network.get_input(0)
    batch, *rest = (pixels.shape[axis] for axis in range(len(pixels.shape)))
    if batch != -1:
        return  # the file has a batch of its own, which TensorRT keeps
    least, most = (1, *rest), (options.tiles, *rest)
    profile = builder.create_optimization_profile()
    profile.set_shape(pixels.name, least, most, most)
    if config.add_optimization_profile(profile) < 0:
        raise PlanError(f'TensorRT took no profile {least} to {most}: {complaints().take()}')


def _load_timing(config: trt.IBuilderConfig, path: Path) -> None:
    """Begin with the timings of earlier builds, which spares measuring the same kernels again."""
    known = path.read_bytes() if path.is_file() else b''
    if not config.set_timing_cache(config.create_timing_cache(known), False):
        _logger.warning('%s is of another TensorRT or GPU and is not used', path)
        config.set_timing_cache(config.create_timing_cache(b''), False)


def _save_timing(config: trt.IBuilderConfig, path: Path) -> None:
    """Keep the timings; a build does not fail over them."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(memoryview(config.get_timing_cache().serialize()))
    except OSError as error:
        _logger.warning('%s could not be written: %s', path, error.strerror)

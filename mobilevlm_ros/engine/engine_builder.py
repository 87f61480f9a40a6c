"""`mobilevlm build-engine`, step by step: decide, check memory, build, compare, keep."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from mobilevlm_ros.engine.accuracy import Agreement, compare_tokens
from mobilevlm_ros.engine.bundle import Bundle
from mobilevlm_ros.engine.cuda import Cuda, open_cuda
from mobilevlm_ros.engine.encoder import VisionEncoder
from mobilevlm_ros.engine.errors import PlanError
from mobilevlm_ros.engine.memory import check_memory, estimate, free_memory, read_meminfo
from mobilevlm_ros.engine.plans import (
    PRECISION,
    PlanKey,
    PlanOptions,
    PlanRecord,
    check_plan,
    fitting_record,
    onnx_file,
    output_folder,
    save_plan,
)
from mobilevlm_ros.engine.preprocess import preprocess
from mobilevlm_ros.engine.tensorrt_build import build_plan
from mobilevlm_ros.engine.tensorrt_encoder import TensorRtEncoder
from mobilevlm_ros.engine.tensorrt_log import tensorrt_version
from mobilevlm_ros.engine.types import Floats, Pixels

LEAST_COSINE = 0.999
REFERENCES = ('fp32', PRECISION)  # in this order, as the bundle has them

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Request:
    """What is to be built."""

    options: PlanOptions = field(default_factory=PlanOptions)
    rebuild: bool = False  # even if a plan fits
    preflight: bool = True  # refuse if memory is estimated not to do


def build_engine(
    bundle: Bundle, request: Request, images: Sequence[Pixels], say: Say, cuda: Cuda | None = None
) -> Path:
    """Make sure that a plan for this bundle and machine is there; returns its path.

    Args:
        bundle: with a fp16 ONNX file.
        request: how to build.
        images: uint8 RGB (height, width, 3) each, to compare the engine with ONNX Runtime on.
        say: is told what is being done.
        cuda: the device; None: open it.

    Raises:
        BundleError: if the bundle has no fp16 ONNX file.
        MemoryShortError: before anything is built.
        PlanError: if the engine cannot be built, or is not as accurate as it has to be; only a
            plan that passed earlier is there then.
        BackendError: if TensorRT, CUDA or ONNX Runtime is missing or fails.
    """
    onnx, digest = onnx_file(bundle)
    version, cuda = tensorrt_version(), cuda or open_cuda()
    key, folder = PlanKey(version, cuda.sm, digest), output_folder(bundle)
    say(f'TensorRT {version}, SM {cuda.sm} through {cuda.name}, from {onnx.name}')
    if not request.rebuild and (path := _kept(folder, key, request.options, say)):
        return path
    if request.preflight:
        _check_memory(onnx, request.options, cuda, say)
    pixels = np.stack([preprocess(image, bundle.vision) for image in images])
    precision, expected = _reference_tokens(bundle, pixels, say)
    say('building; this takes minutes')
    plan = build_plan(onnx, request.options, folder / f'timing-trt{version}-sm{cuda.sm}.cache')
    say(f'comparing with ONNX Runtime in {precision}')
    with closing(TensorRtEncoder(plan, bundle.vision, cuda)) as encoder:
        cosine = _pass_gate(encoder, request.options.tiles, pixels, expected, say)
    record = PlanRecord(key, request.options, '', 0, cosine, precision, len(images))
    path = save_plan(folder, plan, record)
    say(f'wrote {path}, {plan.nbytes / 1e6:.0f} MB')
    return path


def _kept(folder: Path, key: PlanKey, options: PlanOptions, say: Say) -> Path | None:
    """The plan that is there already, unless it was built otherwise or is damaged."""
    record = fitting_record(folder, key)
    if record is None:
        return None
    if record.options != options:
        say(f'the plan that is there was built with {record.options}; building again')
        return None
    try:
        path = check_plan(folder, record)
    except PlanError as error:
        say(f'{error}; building again')
        return None
    say(f'{path} is there already: worst cosine {record.cosine:.6f} on {record.images} images')
    return path


def _check_memory(onnx: Path, options: PlanOptions, cuda: Cuda, say: Say) -> None:
    need = estimate(onnx.stat().st_size, options.workspace_mib << 20)
    free, total = free_memory(cuda), read_meminfo('MemTotal')
    say(
        f'memory: {free / 2**30:.1f} GiB free; building is estimated to take '
        f'{need.build / 2**30:.1f}, running {need.run / 2**30:.1f}'
    )
    check_memory(need, free, total)


def _reference_tokens(bundle: Bundle, pixels: Floats, say: Say) -> tuple[str, Floats]:
    """ONNX Runtime's tokens, on the CPU; before building, so that one model is in memory."""
    from mobilevlm_ros.engine.onnx_encoder import OnnxEncoder

    there = bundle.backends['onnxruntime']
    precision = next(name for name in REFERENCES if name in there)
    path = bundle.backend_file('onnxruntime', precision)
    say(f'encoding {len(pixels)} images with ONNX Runtime in {precision}, to compare with')
    with closing(OnnxEncoder(path, bundle.vision, precision)) as encoder:
        return precision, _encode(encoder, pixels, 1)


def _encode(encoder: VisionEncoder, pixels: Floats, count: int) -> Floats:
    """Tokens of all images, so many at a time."""
    starts = range(0, len(pixels), count)
    return np.concatenate([encoder.encode(pixels[at : at + count]) for at in starts])


def _pass_gate(
    encoder: VisionEncoder, tiles: int, pixels: Floats, expected: Floats, say: Say
) -> float:
    """The worst cosine, one image at a time and in full batches, which run other kernels.

    Raises:
        PlanError: if it is too low.
    """
    cosines = []
    for count in sorted({1, tiles}):
        found = _encode(encoder, _repeat(pixels, count), count)
        agreement = compare_tokens(found, _repeat(expected, count))
        _check_agreement(agreement, count, say)
        cosines.append(agreement.cosine)
    return min(cosines)


def _repeat(values: Floats, count: int) -> Floats:
    """The images, over and over until they fill a batch; as they are if they do already."""
    return np.resize(values, (max(len(values), count), *values.shape[1:]))


def _check_agreement(agreement: Agreement, count: int, say: Say) -> None:
    said = (
        f'worst token, {count} at a time: cosine {agreement.cosine:.6f} (token '
        f'{agreement.token} of image {agreement.image}), largest difference '
        f'{agreement.max_error:.3g}'
    )
    if not agreement.cosine >= LEAST_COSINE:  # nan does not pass either
        raise PlanError(
            f'the engine is not accurate and was not kept: {said}, where a cosine of '
            f'{LEAST_COSINE} is needed. The robot goes on with ONNX Runtime; report this with '
            'the output of `mobilevlm doctor`'
        )
    say(said)

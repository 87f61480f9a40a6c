"""The vision part in int8, so that outliers of trained towers do not drown the rest.

ONNX Runtime quantises an activation with one scale for the whole tensor. Trained CLIPs have
channels and tokens that are hundreds of times larger than the others (arXiv 2402.17762), which
leave no steps for these. Exact rewritings of the float32 graph mend that before:

- centre: what is the same in all tokens is taken out of an activation, and goes into the bias.
- channels: what is large in an activation is moved into the weights, by a factor for each channel
  (SmoothQuant, arXiv 2211.10438). Behind a LayerNormalization both become part of its gain and
  bias, behind attention of the product that makes its values, and cost nothing.
- split: the few channels that contribute most get small products of their own, which stay float32
  (LLM.int8, arXiv 2208.07339).
- tokens: but directly behind a LayerNormalization, each token is divided by its own largest
  value, and its product multiplied by it, so that every token has all the steps.

Means and largest values come from a run over a few synthetic images. A projector with a small
share of the weights stays float32. Attention becomes one operator of ONNX Runtime.
docs/accuracy.md has what each of them is worth.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import QuantType, quantize_dynamic

from mobilevlm_ros.convert.fused_attention import fuse_attention
from mobilevlm_ros.convert.int8_rewriting import (
    Activation,
    Spread,
    channel_factors,
    find_activations,
    largest_rows,
    move_channels,
    outlier_channels,
    scale_tokens,
    share_of,
    split_channels,
)
from mobilevlm_ros.convert.onnx_graph import drop_notes, drop_unread, sort_nodes
from mobilevlm_ros.convert.vision_onnx import quiet
from mobilevlm_ros.engine.budget import release_freed_memory
from mobilevlm_ros.engine.types import Floats

IMAGES = 4
PROJECTOR = 'model.projector'


@dataclass(frozen=True)
class Int8Options:
    """Which cures are used; the defaults are what measurements chose."""

    channels: bool = True
    centre: bool = True  # goes with channels
    tokens: bool = True
    split: int = 16  # channels of an activation at most that stay float32; goes with channels
    seven_bits: bool = True  # of weight, as CPUs without VNNI need: see `quantise_vision`
    weights: QuantType = QuantType.QInt8
    small_projector: float = 0.08  # share of the matrices up to which it stays float32


def quantise_vision(source: Path, target: Path, options: Int8Options = Int8Options()) -> None:
    """Weights of matrix products to int8, activations quantised as they come.

    Seven bits of weight are used, since CPUs without VNNI add up pairs of products in 16 bits
    and saturate with eight.
    """
    model = onnx.load(source)
    fuse_attention(model)
    sort_nodes(model)
    weights = {w.name: w for w in model.graph.initializer}
    small = share_of(PROJECTOR, model, weights) <= options.small_projector
    activations = find_activations(model, weights, (PROJECTOR,) if small else ())
    chosen = [product.name for activation in activations for product in activation.products]
    with TemporaryDirectory(dir=target.parent) as folder:
        whole = Path(folder) / 'float32.onnx'
        if options.channels:
            spreads = measure_spreads(model, activations, whole)
            # The last one first, so that attention's values take their factors undivided.
            for activation in reversed(activations):
                cure_channels(model.graph, activation, weights, spreads[activation.name], options)
        if options.tokens:
            for activation in activations:
                if activation.split or not activation.behind_norm:
                    scale_tokens(model.graph, activation)
        drop_unread(model.graph)
        drop_notes(model.graph)
        onnx.save(sort_nodes(model), whole)
        del model, weights, activations
        gc.collect()
        release_freed_memory()
        with quiet():
            quantize_dynamic(
                str(whole),
                str(target),
                op_types_to_quantize=['MatMul'],
                nodes_to_quantize=chosen,
                per_channel=True,
                reduce_range=options.seven_bits,
                weight_type=options.weights,
            )
    gc.collect()
    release_freed_memory()


def cure_channels(
    graph: onnx.GraphProto,
    activation: Activation,
    weights: dict[str, onnx.TensorProto],
    spread: Spread,
    options: Int8Options,
) -> None:
    """Centre and balance the channels of an activation, and split off those that stand out."""
    shift = spread.mean if options.centre and activation.makers else np.zeros_like(spread.mean)
    largest = spread.around(shift)
    rows = largest_rows(activation, weights)
    outliers = outlier_channels(largest, rows, options.split)
    factors = channel_factors(largest, rows, outliers)
    move_channels(graph, activation, weights, shift, factors)
    if len(outliers):
        split_channels(graph, activation, weights, outliers)


def measure_spreads(
    model: onnx.ModelProto, activations: Iterable[Activation], scratch: Path
) -> dict[str, Spread]:
    """The values of each channel of each activation, over synthetic images.

    Args:
        model: gives the activations as outputs while it is written to `scratch`.
        activations: of that model.
        scratch: a file to write.
    """
    names = [activation.name for activation in activations]
    own = len(model.graph.output)
    for name in names:
        model.graph.output.add(name=name)
    onnx.save(model, scratch)
    del model.graph.output[own:]
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(scratch), options, providers=['CPUExecutionProvider']
    )
    given = session.get_inputs()[0]
    seen: dict[str, list[Floats]] = {name: [] for name in names}
    for pixels in synthetic_pixels(given.shape[-1], IMAGES):
        found = session.run(names, {given.name: pixels[None]})
        for name, values in zip(names, found, strict=True):
            tokens = values.reshape(-1, values.shape[-1])
            seen[name].append(np.stack([tokens.min(0), tokens.max(0), tokens.mean(0)]))
    return {name: _spread(np.stack(images)) for name, images in seen.items()}


def _spread(images: Floats) -> Spread:
    """Join least, largest and mean values of several images: (images, 3, channels)."""
    return Spread(images[:, 0].min(0), images[:, 1].max(0), images[:, 2].mean(0))


def synthetic_pixels(size: int, count: int, seed: int = 0) -> Iterable[Floats]:
    """Normalised images float32 (3, size, size) whose spectrum falls like that of photographs."""
    random = np.random.default_rng(seed)
    frequencies = np.fft.fftfreq(size)
    radius = np.hypot(frequencies[:, None], frequencies[None])
    radius[0, 0] = 1 / size
    for _ in range(count):
        noise = np.fft.fft2(random.normal(size=(3, size, size)))
        image = np.fft.ifft2(noise / radius).real
        yield (image / image.std()).astype(np.float32)

"""The vision part in int8, so that outliers of trained towers do not drown the rest.

ONNX Runtime quantises an activation with one scale for the whole tensor. Trained CLIPs have
channels and tokens that are hundreds of times larger than the others (arXiv 2402.17762), which
leave no steps for these. Exact rewritings of the float32 graph correct that before:

- centre: what is the same in all tokens is taken out of an activation, and goes into the bias.
- channels: what is large in an activation is moved into the weights, by a factor for each channel
  (SmoothQuant, arXiv 2211.10438). Behind a LayerNormalization both become part of its gain and
  bias, behind attention of the product that makes its values, and cost nothing.
- split: the few channels that contribute most get small products of their own, which stay float32
  (LLM.int8, arXiv 2208.07339).
- tokens: but directly behind a LayerNormalization, each token is divided by its own largest
  value, and its product multiplied by it, so that every token has all the steps.

The weights are then rounded so that the products lose least (`int8_rounding`).

Means and largest values, and for the rounding how much channels are alike, come from runs over a
few synthetic images. A projector with a small share of the weights stays float32. Attention
becomes one operator of ONNX Runtime.
docs/accuracy.md has what each of them is worth.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from tqdm import tqdm

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
from mobilevlm_ros.convert.int8_rounding import round_matrix
from mobilevlm_ros.convert.onnx_graph import drop_notes, drop_unread, give_constant, sort_nodes
from mobilevlm_ros.convert.vision_onnx import quiet
from mobilevlm_ros.engine.budget import release_freed_memory
from mobilevlm_ros.engine.types import Floats

IMAGES = 4
PROJECTOR = 'model.projector'
LARGEST_HALF = 6e4  # that float16 can keep


@dataclass(frozen=True)
class Int8Options:
    """Which cures are used; the defaults are what measurements chose."""

    channels: bool = True
    centre: bool = True  # goes with channels
    tokens: bool = True
    split: int = 16  # channels of an activation at most that stay float32; goes with channels
    fitted: bool = True  # weights are rounded by what the product loses, else to the nearest
    seven_bits: bool = True  # of weight, if not fitted, as CPUs without VNNI need
    weights: QuantType = QuantType.QInt8
    small_projector: float = 0.08  # share of the matrices up to which it stays float32


def quantise_vision(source: Path, target: Path, options: Int8Options = Int8Options()) -> None:
    """Weights of matrix products to int8, activations quantised as they come."""
    with TemporaryDirectory(dir=target.parent) as folder:
        whole = Path(folder) / 'float32.onnx'
        products, rounded = _rewrite(source, whole, options)
        gc.collect()
        release_freed_memory()
        with quiet():
            quantize_dynamic(
                str(whole),
                str(target),
                op_types_to_quantize=['MatMul'],
                nodes_to_quantize=products,
                per_channel=True,
                reduce_range=options.seven_bits and not options.fitted,
                weight_type=options.weights,
                extra_options={'TensorQuantOverrides': _given_scales(rounded)},
            )
    gc.collect()
    release_freed_memory()


def _rewrite(
    source: Path, whole: Path, options: Int8Options
) -> tuple[list[str], dict[str, Floats]]:
    """Write the float32 graph that will be quantised.

    Returns:
        its products that will be, and the scales of the matrices that are on their levels already.
    """
    model = onnx.load(source)
    fuse_attention(model)
    sort_nodes(model)
    weights = {w.name: w for w in model.graph.initializer}
    small = share_of(PROJECTOR, model, weights) <= options.small_projector
    activations = find_activations(model, weights, (PROJECTOR,) if small else ())
    if options.channels:
        spreads = measure_spreads(model, activations, whole)
        # The last one first, so that attention's values take their factors undivided.
        for activation in reversed(activations):
            cure_channels(model.graph, activation, weights, spreads[activation.name], options)
        drop_unread(model.graph)
        sort_nodes(model)
    scales = round_products(model, activations, weights, whole) if options.fitted else {}
    if options.tokens:
        for activation in activations:
            if activation.split or not activation.behind_norm:
                scale_tokens(model.graph, activation)
    drop_unread(model.graph)
    drop_notes(model.graph)
    onnx.save(sort_nodes(model), whole)
    return [product.name for activation in activations for product in activation.products], scales


def _given_scales(scales: dict[str, Floats]) -> dict[str, list[dict[str, object]]]:
    """The scales of matrices, by column, as ONNX Runtime takes them."""
    return {
        name: [{'axis': 1, 'scale': scale, 'zero_point': 0} for scale in columns]
        for name, columns in scales.items()
    }


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


def round_products(
    model: onnx.ModelProto,
    activations: Iterable[Activation],
    weights: dict[str, onnx.TensorProto],
    scratch: Path,
) -> dict[str, Floats]:
    """Put the matrices of products on levels of int8; the scales of each, by column.

    Args:
        model: its nodes are sorted.
        activations: of that model, each token as large as it is.
        weights: the model's constants.
        scratch: a file to write.
    """
    activations = list(activations)
    read = [activation.products[0].input[0] for activation in activations]
    tokens: dict[str, list[NDArray[np.float16]]] = {name: [] for name in read}
    for found in _look(model, read, scratch):
        for name, values in found.items():
            tokens[name].append(np.clip(values, -LARGEST_HALF, LARGEST_HALF).astype(np.float16))
    scales = {}
    pairs = [*zip(read, activations, strict=True)]
    for name, activation in tqdm(pairs, 'rounding', unit='tensor', leave=False, disable=None):
        seen = np.concatenate(tokens.pop(name)).astype(np.float32)
        gram = (seen.T @ seen).astype(np.float64)
        for product in activation.products:
            matrix = weights[product.input[1]]
            rounded = round_matrix(numpy_helper.to_array(matrix), gram)
            values = rounded.levels * rounded.scales
            give_constant(model.graph, weights, product, 1, values)
            scales[product.input[1]] = rounded.scales
    return scales


def measure_spreads(
    model: onnx.ModelProto, activations: Iterable[Activation], scratch: Path
) -> dict[str, Spread]:
    """The values of each channel of each activation, over synthetic images.

    Args:
        model: its nodes are sorted.
        activations: of that model.
        scratch: a file to write.
    """
    names = [activation.name for activation in activations]
    seen: dict[str, list[Floats]] = {name: [] for name in names}
    for found in _look(model, names, scratch):
        for name, tokens in found.items():
            seen[name].append(np.stack([tokens.min(0), tokens.max(0), tokens.mean(0)]))
    return {name: _spread(np.stack(images)) for name, images in seen.items()}


def _look(model: onnx.ModelProto, names: list[str], scratch: Path) -> Iterator[dict[str, Floats]]:
    """For each synthetic image, these tensors of a model as (tokens, channels)."""
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
    for pixels in synthetic_pixels(given.shape[-1], IMAGES):
        found = session.run(names, {given.name: pixels[None]})
        yield {
            name: values.reshape(-1, values.shape[-1])
            for name, values in zip(names, found, strict=True)
        }


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

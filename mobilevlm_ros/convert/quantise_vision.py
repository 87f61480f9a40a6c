"""The vision part in int8, so that outliers of trained towers do not drown the rest.

ONNX Runtime quantises an activation with one scale for the whole tensor. Trained CLIPs have
channels and tokens that are hundreds of times larger than the others (arXiv 2402.17762), which
leave no steps for these. Three exact rewritings of the float32 graph mend that before:

- split: the few channels that stand out most get small products of their own, which stay float32
  (LLM.int8, arXiv 2208.07339).
- channels: what is large in an activation is moved into the weights, by a factor for each channel
  (SmoothQuant, arXiv 2211.10438). Behind a LayerNormalization it becomes part of its gain and
  costs nothing. What is large comes from a run over a few synthetic images.
- tokens: but directly behind a LayerNormalization, each token is divided by its own largest
  value, and its product multiplied by it, so that every token has all the steps.

docs/accuracy.md has what each of them is worth.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from mobilevlm_ros.convert.onnx_graph import drop_unread, give_constant, sort_nodes
from mobilevlm_ros.convert.vision_onnx import quiet
from mobilevlm_ros.engine.types import Floats

SMALLEST = np.float32(1e-6)  # of a divisor
OUTLIER = 8.0  # times the median channel: what stands out
STRENGTH = 0.5  # how much of a channel's size moves into the weights: SmoothQuant's alpha
MOST = 1e3  # that a channel is scaled by
IMAGES = 4
SCOPES = 'pkg.torch.onnx.name_scopes'  # what PyTorch's exporter notes on each node


@dataclass(frozen=True)
class Int8Options:
    """Which cures are used; the defaults are what measurements chose."""

    channels: bool = True
    tokens: bool = True
    split: int = 16  # channels of an activation at most that stay float32; goes with channels
    seven_bits: bool = True  # of weight, as CPUs without VNNI need: see `quantise_vision`
    weights: QuantType = QuantType.QInt8
    exclude: tuple[str, ...] = ()  # names of modules that stay float32, such as model.projector


@dataclass
class Activation:
    """A tensor, and the products with constant matrices that it goes into."""

    name: str
    maker: onnx.NodeProto
    only_products: bool  # whether nothing else reads it
    products: list[onnx.NodeProto] = field(default_factory=list)

    @property
    def behind_norm(self) -> bool:
        """Whether a LayerNormalization makes it, and for these products alone."""
        return self.only_products and self.maker.op_type == 'LayerNormalization'


def quantise_vision(source: Path, target: Path, options: Int8Options = Int8Options()) -> None:
    """Weights of matrix products to int8, activations quantised as they come.

    Seven bits of weight are used, since CPUs without VNNI add up pairs of products in 16 bits
    and saturate with eight.
    """
    model = onnx.load(source)
    weights = {w.name: w for w in model.graph.initializer}
    activations = find_activations(model, weights, options.exclude)
    chosen = [product.name for activation in activations for product in activation.products]
    with TemporaryDirectory(dir=target.parent) as folder:
        whole = Path(folder) / 'float32.onnx'
        if options.channels:
            largest = largest_by_channel(model, activations, whole)
            for activation in activations:
                peaks = largest[activation.name]
                outliers = outlier_channels(peaks, options.split)
                if len(outliers):
                    split_channels(model.graph, activation, weights, outliers)
                    peaks[outliers] = np.median(peaks)
                balance_channels(model.graph, activation, weights, peaks)
        if options.tokens:
            for activation in activations:
                if not activation.behind_norm:
                    scale_tokens(model.graph, activation)
        drop_unread(model.graph)
        onnx.save(sort_nodes(model), whole)
        del model, weights, activations
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


def find_activations(
    model: onnx.ModelProto, weights: Mapping[str, onnx.TensorProto], exclude: tuple[str, ...] = ()
) -> list[Activation]:
    """What goes into products with constant matrices, in the order of the graph."""
    makers = {output: node for node in model.graph.node for output in node.output}
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in set(node.input):
            readers.setdefault(name, []).append(node)
    found: dict[str, Activation] = {}
    for node in model.graph.node:
        if node.op_type != 'MatMul' or node.input[1] not in weights:
            continue
        if any(f"'{module}'" in _scopes(node) for module in exclude):
            continue
        name = node.input[0]
        only = all(n.op_type == 'MatMul' and n.input[1] in weights for n in readers[name])
        found.setdefault(name, Activation(name, makers[name], only)).products.append(node)
    return list(found.values())


def _scopes(node: onnx.NodeProto) -> str:
    """The modules that a node was exported from, quoted."""
    return next((p.value for p in node.metadata_props if p.key == SCOPES), '')


def largest_by_channel(
    model: onnx.ModelProto, activations: Iterable[Activation], scratch: Path
) -> dict[str, Floats]:
    """Largest absolute value of each channel of each activation, over synthetic images.

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
    largest: dict[str, Floats] = dict.fromkeys(names, np.array(SMALLEST))
    for pixels in synthetic_pixels(given.shape[-1], IMAGES):
        found = session.run(names, {given.name: pixels[None]})
        for name, values in zip(names, found, strict=True):
            peaks = np.abs(values).reshape(-1, values.shape[-1]).max(0)
            largest[name] = np.maximum(largest[name], peaks)
    return largest


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


def outlier_channels(largest: Floats, most: int) -> NDArray[np.int64]:
    """The channels whose largest values stand out, the largest ones first."""
    order = np.argsort(-largest)[:most]
    return order[largest[order] > OUTLIER * np.median(largest)]


def split_channels(
    graph: onnx.GraphProto,
    activation: Activation,
    weights: dict[str, onnx.TensorProto],
    outliers: NDArray[np.int64],
) -> None:
    """Let some channels go through products of their own, which stay float32 (arXiv 2208.07339).

    In the products that will be quantised, these channels and their weights become zero.
    """
    name = activation.name
    for suffix, values in (
        ('outliers', outliers),
        ('others', np.isin(np.arange(weights_of(activation, weights)[0].shape[0]), outliers,
                           invert=True).astype(np.float32)),
    ):  # fmt: skip
        graph.initializer.append(numpy_helper.from_array(values, f'{name}_{suffix}'))
    chosen = f'{name}_chosen'
    graph.node.append(
        helper.make_node('Gather', [name, f'{name}_outliers'], [chosen], chosen, axis=-1)
    )
    for product, matrix in zip(activation.products, weights_of(activation, weights), strict=True):
        whole, kept = product.output[0], f'{product.output[0]}_kept'
        graph.initializer.append(numpy_helper.from_array(matrix[outliers], f'{kept}_matrix'))
        rest = matrix.copy()
        rest[outliers] = 0
        give_constant(graph, weights, product, 1, rest)
        product.output[0] = f'{whole}_rest'
        graph.node.append(helper.make_node('MatMul', [chosen, f'{kept}_matrix'], [kept], kept))
        graph.node.append(
            helper.make_node('Add', [product.output[0], kept], [whole], f'{whole}_joined')
        )
    _insert(graph, activation, 'Mul', [name, f'{name}_others'], f'{name}_without_outliers')
    activation.name = f'{name}_without_outliers'
    activation.only_products = False


def weights_of(
    activation: Activation, weights: Mapping[str, onnx.TensorProto]
) -> list[NDArray[np.float32]]:
    """The matrices that an activation is multiplied with."""
    return [numpy_helper.to_array(weights[p.input[1]]) for p in activation.products]


def balance_channels(
    graph: onnx.GraphProto,
    activation: Activation,
    weights: dict[str, onnx.TensorProto],
    largest: Floats,
) -> None:
    """Divide the activation's channels by factors, and multiply the rows of its matrices."""
    matrices = weights_of(activation, weights)
    rows = np.max([np.abs(matrix).max(1) for matrix in matrices], 0)
    factors = channel_factors(largest, rows)
    for product, matrix in zip(activation.products, matrices, strict=True):
        give_constant(graph, weights, product, 1, matrix * factors[:, None])
    if activation.behind_norm:
        for index, name in enumerate(activation.maker.input[1:], 1):
            divided = numpy_helper.to_array(weights[name]) / factors
            give_constant(graph, weights, activation.maker, index, divided)
        return
    scale = f'{activation.name}_channel_factors'
    graph.initializer.append(numpy_helper.from_array(1 / factors, scale))
    _insert(graph, activation, 'Mul', [activation.name, scale], f'{activation.name}_balanced')


def channel_factors(largest: Floats, rows: Floats) -> Floats:
    """SmoothQuant's factors: largest ** a / rows ** (1 - a), around one.

    Args:
        largest: largest value of each channel of the activation.
        rows: largest weight that each channel meets.
    """
    largest, rows = np.maximum(largest, SMALLEST), np.maximum(rows, SMALLEST)
    ratio = largest**STRENGTH / rows ** (1 - STRENGTH)
    factors: Floats = np.clip(ratio / np.median(ratio), 1 / MOST, MOST).astype(np.float32)
    return factors


def scale_tokens(graph: onnx.GraphProto, activation: Activation) -> None:
    """Divide each token by its largest value, and multiply the products by it."""
    name = activation.products[0].input[0]
    peak, floor, divisor = f'{name}_peak', f'{name}_floor', f'{name}_divisor'
    graph.initializer.append(numpy_helper.from_array(np.array(SMALLEST), floor))
    axes = f'{name}_axes'
    graph.initializer.append(numpy_helper.from_array(np.array([-1], np.int64), axes))
    graph.node.append(helper.make_node('Abs', [name], [f'{name}_abs'], f'{name}_abs'))
    graph.node.append(helper.make_node('ReduceMax', [f'{name}_abs', axes], [peak], peak))
    graph.node.append(helper.make_node('Max', [peak, floor], [divisor], divisor))
    _insert(graph, activation, 'Div', [name, divisor], f'{name}_scaled')
    for product in activation.products:
        whole = product.output[0]
        product.output[0] = f'{whole}_scaled'
        node = helper.make_node('Mul', [product.output[0], divisor], [whole], f'{whole}_unscaled')
        graph.node.append(node)


def _insert(
    graph: onnx.GraphProto, activation: Activation, kind: str, inputs: list[str], output: str
) -> None:
    """Add a node, and let the products read what it makes."""
    graph.node.append(helper.make_node(kind, inputs, [output], output))
    for product in activation.products:
        product.input[0] = output

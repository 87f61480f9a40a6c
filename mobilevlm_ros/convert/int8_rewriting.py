"""Exact changes to products with constant matrices, after which int8 loses less of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from mobilevlm_ros.convert.fused_attention import OPERATOR
from mobilevlm_ros.convert.onnx_graph import SCOPES, Readers, add_after, give_constant, makers_of
from mobilevlm_ros.engine.types import Floats

SMALLEST = np.float32(1e-6)  # of a divisor
OUTLIER = 4.0  # times what the median channel contributes: what stands out
HIDDEN = 64.0  # how far below the others what was split off is pushed
STRENGTH = 0.5  # how much of a channel's size moves into the weights: SmoothQuant's alpha
MOST = 1e3  # that a channel is scaled by


@dataclass(frozen=True)
class Spread:
    """The values that an activation takes, by channel: float32 (channels,) each."""

    least: Floats
    most: Floats
    mean: Floats

    def around(self, centre: Floats) -> Floats:
        """Largest distance from `centre`."""
        distance: Floats = np.maximum(self.most - centre, centre - self.least)
        return distance


@dataclass
class Activation:
    """A tensor, and the products with constant matrices that it goes into.

    `makers` are the nodes that a shift and a factor for each channel can become part of, for
    nothing: the LayerNormalization, or product and bias of the values of an attention, whose
    weights add up to one. None if there are none, or something else reads what they make.
    """

    name: str
    makers: tuple[onnx.NodeProto, ...]
    products: list[onnx.NodeProto] = field(default_factory=list)
    split: bool = False

    @property
    def behind_norm(self) -> bool:
        """Whether a LayerNormalization makes it, and for these products alone."""
        return len(self.makers) == 1


def find_activations(
    model: onnx.ModelProto, weights: Mapping[str, onnx.TensorProto], exclude: tuple[str, ...] = ()
) -> list[Activation]:
    """What goes into products with constant matrices, in the order of the graph."""
    makers, readers = makers_of(model.graph), Readers(model.graph)
    products: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        excluded = any(f"'{module}'" in _scopes(node) for module in exclude)
        if node.op_type == 'MatMul' and node.input[1] in weights and not excluded:
            products.setdefault(node.input[0], []).append(node)
    return [
        Activation(
            name,
            _absorbing(makers[name], makers, readers, weights)
            if len(found) == len(readers.all(name))
            else (),
            found,
        )
        for name, found in products.items()
    ]


def share_of(
    module: str, model: onnx.ModelProto, weights: Mapping[str, onnx.TensorProto]
) -> float:
    """How much of all constant matrices belongs to a module, from 0 to 1."""
    sizes = {True: 0, False: 0}
    for activation in find_activations(model, weights):
        for product in activation.products:
            inside = f"'{module}'" in _scopes(product)
            sizes[inside] += int(np.prod(weights[product.input[1]].dims))
    return sizes[True] / max(1, sum(sizes.values()))


def _scopes(node: onnx.NodeProto) -> str:
    """The modules that a node was exported from, quoted."""
    return next((p.value for p in node.metadata_props if p.key == SCOPES), '')


def _absorbing(
    maker: onnx.NodeProto,
    makers: Mapping[str, onnx.NodeProto],
    readers: Readers,
    weights: Mapping[str, onnx.TensorProto],
) -> tuple[onnx.NodeProto, ...]:
    """See `Activation.makers`."""
    if maker.op_type == 'LayerNormalization':
        return (maker,)
    if maker.op_type != OPERATOR:
        return ()
    try:
        readers.only(maker.input[2], OPERATOR)
        bias = makers[maker.input[2]]
        product = makers[bias.input[0]]
        readers.only(product.output[0], 'Add')
    except LookupError:
        return ()
    constant = product.op_type == 'MatMul' and {product.input[1], bias.input[1]} <= weights.keys()
    return (product, bias) if constant else ()


def move_channels(
    graph: onnx.GraphProto,
    activation: Activation,
    weights: dict[str, onnx.TensorProto],
    shift: Floats,
    factors: Floats,
) -> None:
    """Replace an activation by (itself - shift) / factors, in front of products that undo it."""
    for product in activation.products:
        matrix = numpy_helper.to_array(weights[product.input[1]])
        add_after(graph, weights, product, shift @ matrix)
        give_constant(graph, weights, product, 1, matrix * factors[:, None])
    if not activation.makers:
        _divide(graph, activation, factors)
        return
    *before, last = activation.makers
    gain, bias = (before[0], last) if before else (last, last)
    offset = 1 if before else 2
    give_constant(graph, weights, gain, 1, numpy_helper.to_array(weights[gain.input[1]]) / factors)
    moved = (numpy_helper.to_array(weights[bias.input[offset]]) - shift) / factors
    give_constant(graph, weights, bias, offset, moved)


def _divide(graph: onnx.GraphProto, activation: Activation, factors: Floats) -> None:
    scale = f'{activation.name}_channel_factors'
    graph.initializer.append(numpy_helper.from_array(1 / factors, scale))
    _insert(graph, activation, 'Mul', [activation.name, scale], f'{activation.name}_balanced')


def channel_factors(largest: Floats, rows: Floats, outliers: NDArray[np.int64]) -> Floats:
    """SmoothQuant's factors: largest ** a / rows ** (1 - a), around one.

    Args:
        largest: largest value of each channel of the activation.
        rows: largest weight that each channel meets.
        outliers: channels that need no steps; they are pushed far below the others.
    """
    largest, rows = np.maximum(largest, SMALLEST), np.maximum(rows, SMALLEST)
    ratio = largest**STRENGTH / rows ** (1 - STRENGTH)
    factors: Floats = np.clip(ratio / np.median(ratio), 1 / MOST, MOST).astype(np.float32)
    others = np.median(largest / factors)
    factors[outliers] = HIDDEN * largest[outliers] / others
    return factors


def largest_rows(activation: Activation, weights: Mapping[str, onnx.TensorProto]) -> Floats:
    """Largest weight that each channel meets, in units of its column, which has its own scale."""
    matrices = [numpy_helper.to_array(weights[p.input[1]]) for p in activation.products]
    rows: Floats = np.max(
        [np.abs(matrix / _column_sizes(matrix)).max(1) for matrix in matrices], 0
    )
    return rows


def _column_sizes(matrix: Floats) -> Floats:
    sizes: Floats = np.maximum(np.sqrt(np.square(matrix).mean(0)), SMALLEST)
    return sizes


def outlier_channels(largest: Floats, rows: Floats, most: int) -> NDArray[np.int64]:
    """The channels that contribute most to the products, by largest value times weight."""
    contribution = largest * rows
    order: NDArray[np.int64] = np.argsort(-contribution)[:most]
    chosen: NDArray[np.int64] = order[contribution[order] > OUTLIER * np.median(contribution)]
    return chosen


def split_channels(
    graph: onnx.GraphProto,
    activation: Activation,
    weights: dict[str, onnx.TensorProto],
    outliers: NDArray[np.int64],
) -> None:
    """Let some channels go through products of their own, which stay float32 (arXiv 2208.07339).

    In the products that will be quantised, their weights become zero.
    """
    name = activation.products[0].input[0]
    indices, chosen = f'{name}_outliers', f'{name}_chosen'
    graph.initializer.append(numpy_helper.from_array(outliers, indices))
    graph.node.append(helper.make_node('Gather', [name, indices], [chosen], chosen, axis=-1))
    for product in activation.products:
        matrix = numpy_helper.to_array(weights[product.input[1]])
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
    activation.split = True


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

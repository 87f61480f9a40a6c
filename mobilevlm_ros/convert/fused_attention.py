"""Attention as one operator of ONNX Runtime, for files that nothing else reads."""

from __future__ import annotations

from dataclasses import dataclass

import onnx
from onnx import helper, numpy_helper

from mobilevlm_ros.convert.onnx_graph import Readers, drop_unread, makers_of

DOMAIN = 'com.microsoft'
OPERATOR = 'MultiHeadAttention'


@dataclass(frozen=True)
class _Attention:
    """One attention over [batch, n, heads * d], as `export_vision` writes it."""

    inputs: tuple[str, str, str]  # query, key, value, before they are cut into heads
    heads: int
    scale: float
    last: onnx.NodeProto  # which joins the heads again


def fuse_attention(model: onnx.ModelProto) -> int:
    """Replace each attention by com.microsoft's MultiHeadAttention where it stands.

    The kernels of ONNX Runtime neither transpose nor write down the whole matrix of weights.
    What does not look like `scaled_query_attention` is left as it is.

    Returns:
        How many were found.
    """
    graph = model.graph
    makers, readers = makers_of(graph), Readers(graph)
    constants = {w.name: w for w in graph.initializer}
    softmaxes = [node for node in graph.node if node.op_type == 'Softmax']
    found = [_match(node, makers, readers, constants) for node in softmaxes]
    for attention in filter(None, found):
        _replace(graph, attention)
    count = len(found) - found.count(None)
    if count and DOMAIN not in {opset.domain for opset in model.opset_import}:
        model.opset_import.append(helper.make_opsetid(DOMAIN, 1))
    drop_unread(graph)
    return count


def _match(
    softmax: onnx.NodeProto,
    makers: dict[str, onnx.NodeProto],
    readers: Readers,
    constants: dict[str, onnx.TensorProto],
) -> _Attention | None:
    """softmax((q * scale) @ k.T) @ v, each of them reshaped to heads and transposed."""
    try:
        product = _made_by(makers, softmax.input[0], 'MatMul')
        scaling = _made_by(makers, product.input[0], 'Mul')
        query = _whole(makers, constants, scaling.input[0], [0, 2, 1, 3])
        key = _whole(makers, constants, product.input[1], [0, 2, 3, 1])
        mixed = readers.only(softmax.output[0], 'MatMul')
        value = _whole(makers, constants, mixed.input[1], [0, 2, 1, 3])
        swapped = readers.only(mixed.output[0], 'Transpose')
        last = readers.only(swapped.output[0], 'Reshape')
        scale = numpy_helper.to_array(constants[scaling.input[1]])
    except LookupError:
        return None
    same = query[1] == key[1] == value[1] and mixed.input[0] == softmax.output[0]
    whole = _order(swapped) == [0, 2, 1, 3] and scale.size == 1
    if not (same and whole and softmax.attribute[0].i in (-1, 3)):
        return None
    return _Attention((query[0], key[0], value[0]), query[1], float(scale), last)


def _whole(
    makers: dict[str, onnx.NodeProto],
    constants: dict[str, onnx.TensorProto],
    name: str,
    order: list[int],
) -> tuple[str, int]:
    """What a tensor was before it was cut into heads, and into how many."""
    transpose = _made_by(makers, name, 'Transpose')
    if _order(transpose) != order:
        raise LookupError(name)
    reshape = _made_by(makers, transpose.input[0], 'Reshape')
    shape = numpy_helper.to_array(constants[reshape.input[1]])
    if shape.shape != (4,):
        raise LookupError(name)
    return reshape.input[0], int(shape[2])


def _made_by(makers: dict[str, onnx.NodeProto], name: str, kind: str) -> onnx.NodeProto:
    if makers[name].op_type != kind:
        raise LookupError(name)
    return makers[name]


def _order(transpose: onnx.NodeProto) -> list[int]:
    return list(transpose.attribute[0].ints)


def _replace(graph: onnx.GraphProto, attention: _Attention) -> None:
    output = attention.last.output[0]
    attention.last.output[0] = f'{output}_unfused'
    node = helper.make_node(
        OPERATOR,
        attention.inputs,
        [output],
        f'{output}_attention',
        domain=DOMAIN,
        num_heads=attention.heads,
        scale=attention.scale,
    )
    node.metadata_props.extend(attention.last.metadata_props)
    graph.node.append(node)

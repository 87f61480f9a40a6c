"""Changes to an ONNX graph that leave what it computes to the caller."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper

from mobilevlm_ros.engine.types import Floats


def give_constant(
    graph: onnx.GraphProto,
    weights: dict[str, onnx.TensorProto],
    node: onnx.NodeProto,
    index: int,
    values: Floats,
) -> None:
    """Give a node a constant of its own: PyTorch's exporter lets equal ones be shared."""
    name = f'{node.name}_constant_{index}'
    tensor = numpy_helper.from_array(values.astype(np.float32), name)
    if name in weights:
        weights[name].CopyFrom(tensor)
        return
    graph.initializer.append(tensor)
    weights[name] = graph.initializer[-1]
    node.input[index] = name


def drop_unread(graph: onnx.GraphProto) -> None:
    """Remove the constants that no node reads any more."""
    read = {name for node in graph.node for name in node.input}
    for index in reversed(range(len(graph.initializer))):
        if graph.initializer[index].name not in read:
            del graph.initializer[index]


def sort_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The nodes in an order in which each comes after what it reads, as ONNX asks for."""
    waiting = list(model.graph.node)
    made = {v.name for v in (*model.graph.input, *model.graph.initializer)} | {''}
    order: list[onnx.NodeProto] = []
    while waiting:
        ready = [node for node in waiting if made.issuperset(node.input)]
        order += ready
        made.update(name for node in ready for name in node.output)
        done = set(map(id, ready))
        waiting = [node for node in waiting if id(node) not in done]
    del model.graph.node[:]
    model.graph.node.extend(order)
    return model

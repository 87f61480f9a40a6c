"""Changes to an ONNX graph that leave what it computes to the caller."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mobilevlm_ros.engine.types import Floats


class Readers:
    """Which nodes read each tensor of a graph, as it is now."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        """Walk through the graph once."""
        self._readers: dict[str, list[onnx.NodeProto]] = {v.name: [] for v in graph.output}
        for node in graph.node:
            for name in set(node.input):
                self._readers.setdefault(name, []).append(node)

    def all(self, name: str) -> list[onnx.NodeProto]:
        """Each node that reads a tensor; empty too for one that nobody reads."""
        return self._readers.get(name, [])

    def only(self, name: str, kind: str) -> onnx.NodeProto:
        """The one node that reads a tensor.

        Raises:
            LookupError: if there are more or none, or it is of another kind.
        """
        readers = self.all(name)
        if len(readers) != 1 or readers[0].op_type != kind:
            raise LookupError(name)
        return readers[0]

SCOPES = 'pkg.torch.onnx.name_scopes'  # what PyTorch's exporter notes on each node


def makers_of(graph: onnx.GraphProto) -> dict[str, onnx.NodeProto]:
    """The node that makes each tensor."""
    return {output: node for node in graph.node for output in node.output}


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


def add_after(
    graph: onnx.GraphProto,
    weights: dict[str, onnx.TensorProto],
    node: onnx.NodeProto,
    values: Floats,
) -> None:
    """Add a constant to what a node makes: to the bias that follows, if one does."""
    output = node.output[0]
    try:
        bias = Readers(graph).only(output, 'Add')
        index = 1 - list(bias.input).index(output)
        give_constant(
            graph, weights, bias, index, numpy_helper.to_array(weights[bias.input[index]]) + values
        )
    except LookupError:
        node.output[0] = f'{output}_before_shift'
        shift = f'{output}_shift'
        graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), shift))
        weights[shift] = graph.initializer[-1]
        graph.node.append(helper.make_node('Add', [node.output[0], shift], [output], shift))


def drop_unread(graph: onnx.GraphProto) -> None:
    """Remove the nodes, and then the constants, that nothing reads any more."""
    outputs = {value.name for value in graph.output}
    while True:
        read = outputs | {name for node in graph.node for name in node.input}
        unread = [i for i, node in enumerate(graph.node) if read.isdisjoint(node.output)]
        for index in reversed(unread):
            del graph.node[index]
        if not unread:
            break
    for index in reversed(range(len(graph.initializer))):
        if graph.initializer[index].name not in read:
            del graph.initializer[index]


def drop_notes(graph: onnx.GraphProto, kept: tuple[str, ...] = ()) -> None:
    """Remove what the exporter noted on nodes and values, but for the keys to be kept.

    These are paths of the machine that exported, and for small models a tenth of the file.
    """
    for holder in (graph, *graph.node, *graph.value_info, *graph.input, *graph.output):
        notes = [note for note in holder.metadata_props if note.key in kept]
        del holder.metadata_props[:]
        holder.metadata_props.extend(notes)


def sort_nodes(model: onnx.ModelProto) -> onnx.ModelProto:
    """The nodes in an order in which each comes after what it reads, as ONNX asks for."""
    waiting = list(model.graph.node)
    made = {v.name for v in (*model.graph.input, *model.graph.initializer)} | {''}
    order: list[onnx.NodeProto] = []
    while waiting:
        ready = [node for node in waiting if made.issuperset(node.input)]
        assert ready, f'nothing makes what {waiting[0].name} reads'
        order += ready
        made.update(name for node in ready for name in node.output)
        done = set(map(id, ready))
        waiting = [node for node in waiting if id(node) not in done]
    # In place, so that nodes that somebody holds stay part of the graph.
    place = {node.output[0]: index for index, node in enumerate(order)}
    model.graph.node.sort(key=lambda node: place[node.output[0]])
    return model

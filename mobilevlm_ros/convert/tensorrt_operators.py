"""Which ONNX operators TensorRT 10.3, the oldest served (JetPack 6), imports.

Source: the table of docs/operators.md in github.com/onnx/onnx-tensorrt at its release 10.1
(commit 96e7811), for opsets 9 to 20; its changelog for 10.2 and 10.3 takes nothing away, and
adds `axes` that are computed to Slice alone. Only operators that our exports may hold are here.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import onnx
from onnx import TensorProto

OPSETS = range(9, 21)
FLOATS = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16})
NUMBERS = FLOATS | {TensorProto.INT32, TensorProto.INT64}
ALL = NUMBERS | {TensorProto.BOOL}
OPERATORS: dict[str, frozenset[int]] = {
    **dict.fromkeys(
        ('AveragePool', 'Conv', 'Erf', 'Gemm', 'GlobalAveragePool', 'HardSigmoid', 'HardSwish',
         'LayerNormalization', 'MatMul', 'Pow', 'Sigmoid', 'Softmax', 'Sqrt'), FLOATS,
    ),
    **dict.fromkeys(('Add', 'Div', 'Equal', 'Max', 'Min', 'Mul', 'ReduceMean', 'Relu', 'Sub'),
                    NUMBERS),
    **dict.fromkeys(
        ('Cast', 'Concat', 'Constant', 'ConstantOfShape', 'Expand', 'Gather', 'Identity',
         'Reshape', 'Shape', 'Slice', 'Split', 'Squeeze', 'Tile', 'Transpose', 'Unsqueeze',
         'Where'), ALL,
    ),
}  # fmt: skip
# The number of the input that has to be a constant of the file.
CONSTANT_AXES = {'ReduceMean': 1, 'Slice': 3, 'Squeeze': 1, 'Unsqueeze': 1}


def unsupported(path: Path) -> list[str]:
    """What TensorRT 10.3 would not import, one line for each node; empty if it imports all."""
    model = onnx.shape_inference.infer_shapes(onnx.load(path, load_external_data=False))
    found = [
        f'opset {opset.version} of {opset.domain or "ONNX"}'
        for opset in model.opset_import
        if opset.domain or opset.version not in OPSETS
    ]
    types = _types(model.graph)
    constants = _constants(model.graph)
    for node in model.graph.node:
        problems = _problems(node, types, constants)
        found += [f'{node.op_type} {node.name}: {problem}' for problem in problems]
    return found


def _problems(node: onnx.NodeProto, types: dict[str, int], constants: set[str]) -> Iterator[str]:
    if node.domain or node.op_type not in OPERATORS:
        yield 'no such operator'
        return
    kind = types.get(node.input[0]) if node.input else None
    if kind is not None and kind not in OPERATORS[node.op_type]:
        yield f'not for {TensorProto.DataType.Name(kind)}'
    axes = CONSTANT_AXES.get(node.op_type, len(node.input))
    if axes < len(node.input) and node.input[axes] and node.input[axes] not in constants:
        yield 'its axes are computed'
    if node.op_type == 'LayerNormalization' and len(node.output) > 1:
        yield 'only its first output is served'
    if node.op_type == 'AveragePool' and any(a.name == 'dilations' for a in node.attribute):
        yield 'dilations are not served'


def _types(graph: onnx.GraphProto) -> dict[str, int]:
    values = (*graph.input, *graph.value_info, *graph.output)
    types = {value.name: int(value.type.tensor_type.elem_type) for value in values}
    return types | {tensor.name: int(tensor.data_type) for tensor in graph.initializer}


def _constants(graph: onnx.GraphProto) -> set[str]:
    made = {name for node in graph.node if node.op_type == 'Constant' for name in node.output}
    return made | {tensor.name for tensor in graph.initializer}

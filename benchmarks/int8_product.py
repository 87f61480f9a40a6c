"""Times one matrix product of CLIP ViT-L/14-336 in the ways that ONNX Runtime has for int8.

    python benchmarks/int8_product.py

CPU time on one thread, the least of some runs. Beside them the kernels that PyTorch has, FBGEMM's
and oneDNN's, to see whether another library would be faster.
"""

from __future__ import annotations

import logging
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import onnx
import onnxruntime
import torch
from onnx import TensorProto, helper, numpy_helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

TOKENS, INNER, OUTER = 577, 1024, 4096
RUNS = 10
LEVELS = {1: 'float32', 4: 'int8'}  # MatMulNBits' accuracy_level: type of activations


def product() -> onnx.ModelProto:
    """Input x [batch, TOKENS, INNER] times a constant matrix."""
    weights = np.random.default_rng(0).normal(0, 0.02, (INNER, OUTER)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node('MatMul', ['x', 'w'], ['y'], 'product')],
        'product',
        [helper.make_tensor_value_info('x', TensorProto.FLOAT, ['batch', TOKENS, INNER])],
        [helper.make_tensor_value_info('y', TensorProto.FLOAT, ['batch', TOKENS, OUTER])],
        [numpy_helper.from_array(weights, 'w')],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=9)


def onnx_time(path: Path) -> float:
    """Milliseconds that ONNX Runtime takes."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    x = np.random.default_rng(1).normal(size=(1, TOKENS, INNER)).astype(np.float32)
    return least_time(lambda: session.run(None, {'x': x}))


def torch_time(engine: str) -> float:
    """Milliseconds that one of PyTorch's libraries takes."""
    torch.backends.quantized.engine = engine
    plain = torch.nn.Sequential(torch.nn.Linear(INNER, OUTER))
    module = torch.ao.quantization.quantize_dynamic(plain, {torch.nn.Linear}, torch.qint8)
    x = torch.randn(TOKENS, INNER)
    return least_time(lambda: module(x))


def least_time(run: Callable[[], object]) -> float:
    """Milliseconds of CPU time."""
    times = []
    for _ in range(RUNS):
        start = time.process_time()
        run()
        times.append(time.process_time() - start)
    return 1e3 * min(times)


def main() -> None:
    """Print a row for each way."""
    logging.disable(logging.WARNING)
    warnings.simplefilter('ignore')  # PyTorch's quantisation moves to a package of its own
    torch.set_num_threads(1)
    with TemporaryDirectory() as folder:
        whole, path = Path(folder) / 'float32.onnx', Path(folder) / 'int8.onnx'
        onnx.save(product(), whole)
        print(f'float32: {onnx_time(whole):.1f} ms')
        for kind in (QuantType.QInt8, QuantType.QUInt8):
            quantize_dynamic(str(whole), str(path), per_channel=True, weight_type=kind)
            print(f'dynamic, weights {kind.name}: {onnx_time(path):.1f} ms')
        for level, activations in LEVELS.items():
            quantiser = MatMulNBitsQuantizer(
                product(), bits=8, block_size=128, is_symmetric=True, accuracy_level=level
            )
            quantiser.process()
            quantiser.model.save_model_to_file(str(path))
            print(f'MatMulNBits, {activations} activations: {onnx_time(path):.1f} ms')
    for engine in sorted({'fbgemm', 'onednn'} & {*torch.backends.quantized.supported_engines}):
        print(f'PyTorch, {engine}: {torch_time(engine):.1f} ms')


if __name__ == '__main__':
    main()

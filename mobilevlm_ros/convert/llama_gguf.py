"""A checkpoint's LLaMA to GGUF, as stock llama.cpp loads it, one tensor at a time."""

from __future__ import annotations

import math
from pathlib import Path

import gguf
import torch
from torch import Tensor
from tqdm import tqdm

from mobilevlm_ros.convert.source import Source
from mobilevlm_ros.convert.vocabulary import Vocabulary, load_vocabulary
from mobilevlm_ros.engine.errors import CheckpointError
from mobilevlm_ros.model.mobilevlm import PROJECTOR, TOWER, Geometry, weight_shapes

F16 = gguf.GGMLQuantizationType.F16
F32 = gguf.GGMLQuantizationType.F32
FILE_TYPES = {F16: gguf.LlamaFileType.MOSTLY_F16, F32: gguf.LlamaFileType.ALL_F32}
STORED = {F16: torch.float16, F32: torch.float32}

BLOCK = {
    'input_layernorm': 'attn_norm',
    'self_attn.q_proj': 'attn_q',
    'self_attn.k_proj': 'attn_k',
    'self_attn.v_proj': 'attn_v',
    'self_attn.o_proj': 'attn_output',
    'post_attention_layernorm': 'ffn_norm',
    'mlp.gate_proj': 'ffn_gate',
    'mlp.up_proj': 'ffn_up',
    'mlp.down_proj': 'ffn_down',
}
WHOLE = {
    'model.embed_tokens.weight': 'token_embd.weight',
    'model.norm.weight': 'output_norm.weight',
    'lm_head.weight': 'output.weight',
}


def write_llama(source: Source, path: Path, matrices: gguf.GGMLQuantizationType = F16) -> None:
    """Write a GGUF file; matrices in float16 or float32, norms in float32.

    Tensors are read, written and dropped one by one.

    Raises:
        CheckpointError: naming a tensor that has values which are not finite in that type.
    """
    writer = gguf.GGUFWriter(path, 'llama')
    _write_geometry(writer, source)
    writer.add_file_type(FILE_TYPES[matrices])
    _write_vocabulary(writer, load_vocabulary(source.tokenizer, source.geometry.vocabulary))
    shapes = llama_shapes(source.geometry)
    kinds = {name: STORED[matrices if len(shape) > 1 else F32] for name, shape in shapes.items()}
    for name, shape in shapes.items():
        number = torch.empty(0, dtype=kinds[name]).numpy()
        size = math.prod(shape) * number.itemsize
        writer.add_tensor_info(gguf_name(name), shape, number.dtype, size)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    for name, kind in tqdm(kinds.items(), f'language model, {matrices.name}', unit='tensor'):
        writer.write_tensor_data(_convert(name, source, kind).numpy())
    writer.close()


def llama_shapes(geometry: Geometry) -> dict[str, tuple[int, ...]]:
    """Official names and shapes of the language model's tensors."""
    others = (TOWER, PROJECTOR)
    shapes = weight_shapes(geometry).items()
    return {name: shape for name, shape in shapes if not name.startswith(others)}


def gguf_name(source: str) -> str:
    """llama.cpp's name for a tensor of a Hugging Face LLaMA.

    Raises:
        KeyError: if it is none.
    """
    if source in WHOLE:
        return WHOLE[source]
    _, _, layer, part = source.removesuffix('.weight').split('.', 3)
    return f'blk.{layer}.{BLOCK[part]}.weight'


def permute_rope(matrix: Tensor, heads: int) -> Tensor:
    """Rows of Q or K from rotated halves (Hugging Face) to interleaved pairs (llama.cpp)."""
    rows, columns = matrix.shape
    halves = matrix.reshape(heads, 2, rows // heads // 2, columns)
    return halves.transpose(1, 2).reshape(rows, columns)


def unpermute_rope(matrix: Tensor, heads: int) -> Tensor:
    """What `permute_rope` was given."""
    rows, columns = matrix.shape
    pairs = matrix.reshape(heads, rows // heads // 2, 2, columns)
    return pairs.transpose(1, 2).reshape(rows, columns)


def rope_heads(name: str, geometry: Geometry) -> int:
    """The heads of a matrix whose rows are permuted, zero for all others."""
    if name.endswith('q_proj.weight'):
        return geometry.heads
    return (geometry.kv_heads or geometry.heads) if name.endswith('k_proj.weight') else 0


def _convert(name: str, source: Source, stored: torch.dtype) -> Tensor:
    tensor = source.read(name).detach()
    if heads := rope_heads(name, source.geometry):
        tensor = permute_rope(tensor, heads)
    tensor = tensor.to(stored).contiguous()
    if not tensor.isfinite().all():
        raise CheckpointError(
            f'{name} has values that are not finite as {stored}; the checkpoint is damaged, or '
            'needs a wider type'
        )
    return tensor


def _write_geometry(writer: gguf.GGUFWriter, source: Source) -> None:
    geometry = source.geometry
    writer.add_name(source.name)
    writer.add_context_length(geometry.context)
    writer.add_embedding_length(geometry.width)
    writer.add_block_count(geometry.layers)
    writer.add_feed_forward_length(geometry.feed_forward)
    writer.add_rope_dimension_count(geometry.width // geometry.heads)
    writer.add_head_count(geometry.heads)
    writer.add_head_count_kv(geometry.kv_heads or geometry.heads)
    writer.add_layer_norm_rms_eps(geometry.rms_eps)
    writer.add_rope_freq_base(geometry.rope_theta)
    writer.add_vocab_size(geometry.vocabulary)


def _write_vocabulary(writer: gguf.GGUFWriter, vocabulary: Vocabulary) -> None:
    pieces = vocabulary.pieces
    writer.add_tokenizer_model('llama')
    writer.add_token_list([piece.text.encode() for piece in pieces])
    writer.add_token_scores([piece.score for piece in pieces])
    writer.add_token_types([piece.kind for piece in pieces])
    writer.add_bos_token_id(vocabulary.bos)
    writer.add_eos_token_id(vocabulary.eos)
    writer.add_unk_token_id(vocabulary.unknown)
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(vocabulary.space_prefix)

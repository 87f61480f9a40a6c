"""A LLaMA with a SentencePiece vocabulary to GGUF, as stock llama.cpp loads it."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np
import sentencepiece
from numpy.typing import NDArray
from torch import Tensor
from transformers import LlamaConfig

Q8_0 = gguf.GGMLQuantizationType.Q8_0
F32 = gguf.GGMLQuantizationType.F32

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


def write_llama(
    weights: dict[str, Tensor],
    config: LlamaConfig,
    tokenizer: sentencepiece.SentencePieceProcessor,
    name: str,
    path: Path,
    matrices: gguf.GGMLQuantizationType = Q8_0,
) -> None:
    """Write a GGUF file; matrices in the given type, norms in float32."""
    writer = gguf.GGUFWriter(path, 'llama')
    _write_geometry(writer, config, name)
    _write_vocabulary(writer, tokenizer)
    for source, tensor in weights.items():
        array = tensor.detach().float().numpy()
        if source.endswith(('q_proj.weight', 'k_proj.weight')):
            array = permute_rope(array, _heads(config, source))
        kind = matrices if array.ndim > 1 else F32
        data = gguf.quants.quantize(array, kind)
        writer.add_tensor(gguf_name(source), data, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def gguf_name(source: str) -> str:
    """llama.cpp's name for a tensor of a Hugging Face LLaMA.

    Raises:
        KeyError: if it is none.
    """
    if source in WHOLE:
        return WHOLE[source]
    _, _, layer, part = source.removesuffix('.weight').split('.', 3)
    return f'blk.{layer}.{BLOCK[part]}.weight'


def permute_rope(matrix: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of Q or K from rotated halves (Hugging Face) to interleaved pairs (llama.cpp)."""
    rows, columns = matrix.shape
    halves = matrix.reshape(heads, 2, rows // heads // 2, columns)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(rows, columns))


def _heads(config: LlamaConfig, source: str) -> int:
    heads = config.num_attention_heads if 'q_proj' in source else config.num_key_value_heads
    return int(heads)


def _write_geometry(writer: gguf.GGUFWriter, config: LlamaConfig, name: str) -> None:
    writer.add_name(name)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_rope_dimension_count(config.hidden_size // config.num_attention_heads)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10000.0)
    writer.add_vocab_size(config.vocab_size)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)


def _write_vocabulary(
    writer: gguf.GGUFWriter, tokenizer: sentencepiece.SentencePieceProcessor
) -> None:
    pieces = range(len(tokenizer))
    writer.add_tokenizer_model('llama')
    writer.add_token_list([tokenizer.id_to_piece(i).encode() for i in pieces])
    writer.add_token_scores([tokenizer.get_score(i) for i in pieces])
    writer.add_token_types([_token_type(tokenizer, i) for i in pieces])
    writer.add_bos_token_id(tokenizer.bos_id())
    writer.add_eos_token_id(tokenizer.eos_id())
    writer.add_unk_token_id(tokenizer.unk_id())
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(True)


def _token_type(tokenizer: sentencepiece.SentencePieceProcessor, piece: int) -> gguf.TokenType:
    if tokenizer.is_unknown(piece):
        return gguf.TokenType.UNKNOWN
    if tokenizer.is_control(piece):
        return gguf.TokenType.CONTROL
    return gguf.TokenType.BYTE if tokenizer.is_byte(piece) else gguf.TokenType.NORMAL

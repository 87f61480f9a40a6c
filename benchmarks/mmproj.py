"""A MobileVLM's vision part as the mmproj file that llama.cpp's multimodal path loads."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

from mobilevlm_ros.convert.beside import CLIP_PIXELS
from mobilevlm_ros.model.mobilevlm import PROJECTOR, TOWER, Vision

EMBEDDINGS = {
    'embeddings.class_embedding': 'v.class_embd',
    'embeddings.patch_embedding.weight': 'v.patch_embd.weight',
    'embeddings.position_embedding.weight': 'v.position_embd.weight',
    'pre_layrnorm.weight': 'v.pre_ln.weight',
    'pre_layrnorm.bias': 'v.pre_ln.bias',
}
BLOCK = {
    'layer_norm1': 'ln1',
    'layer_norm2': 'ln2',
    'self_attn.q_proj': 'attn_q',
    'self_attn.k_proj': 'attn_k',
    'self_attn.v_proj': 'attn_v',
    'self_attn.out_proj': 'attn_out',
    'mlp.fc1': 'ffn_up',
    'mlp.fc2': 'ffn_down',
}


def write_mmproj(model: Vision, path: Path, feature_layer: bool, kind: str = 'F32') -> None:
    """Write a GGUF file; depthwise kernels in float16, the only type they work in.

    Args:
        model: whose blocks are all written; the official converter too leaves out CLIP's last.
        path: of the file.
        feature_layer: whether to say that the last block's output is to be used.
        kind: of the matrices: F32, F16 or Q8_0.
    """
    writer = gguf.GGUFWriter(path, 'clip')
    _write_sizes(writer, model, feature_layer)
    for name, tensor in model.named_weights().items():
        if target := mmproj_name(name):
            array, its_kind = _store(tensor.detach().float().numpy(), kind)
            writer.add_tensor(target, array, raw_dtype=its_kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def mmproj_name(source: str) -> str:
    """llama.cpp's name for an official tensor; none for the norm that is not used."""
    if source.startswith(PROJECTOR):
        name = source.removeprefix(PROJECTOR).removeprefix('model.')
        for ours, theirs in (('mlp.mlp.', 'mlp.'), ('peg.peg.', 'peg.')):
            name = name.replace(ours, theirs)
        return f'mm.model.{name}'
    name = source.removeprefix(TOWER)
    if not name.startswith('encoder.'):
        return EMBEDDINGS.get(name, '')
    _, _, layer, part = name.split('.', 3)
    stem, _, kind = part.rpartition('.')
    return f'v.blk.{layer}.{BLOCK[stem]}.{kind}'


def _store(array: np.ndarray, kind: str) -> tuple[np.ndarray, gguf.GGMLQuantizationType]:
    """Convolutions of 1 x 1 as the matrices that they are; the type, and the array in it."""
    kinds = gguf.GGMLQuantizationType
    if array.ndim == 4 and array.shape[2:] == (1, 1):
        array = array[:, :, 0, 0]
    if array.ndim == 4:
        small = array.shape[1] == 1 or kind != 'F32'
        return (array.astype(np.float16), kinds.F16) if small else (array, kinds.F32)
    if array.ndim == 1 or kind == 'F32':
        return array, kinds.F32
    return gguf.quants.quantize(array, kinds[kind]), kinds[kind]


def _write_sizes(writer: gguf.GGUFWriter, model: Vision, feature_layer: bool) -> None:
    geometry = model.geometry
    vision = 'clip.vision.'
    writer.add_bool('clip.has_vision_encoder', True)
    writer.add_bool('clip.use_gelu', False)
    writer.add_string('clip.projector_type', geometry.projector)
    for key, value in {
        'image_size': geometry.image_size,
        'patch_size': geometry.patch_size,
        'embedding_length': geometry.vision_width,
        'feed_forward_length': 4 * geometry.vision_width,
        'projection_dim': geometry.width,
        'block_count': geometry.vision_layers,
        'attention.head_count': geometry.vision_heads,
    }.items():
        writer.add_uint32(vision + key, value)
    writer.add_float32(f'{vision}attention.layer_norm_epsilon', 1e-5)
    writer.add_array(f'{vision}image_mean', CLIP_PIXELS['mean'])
    writer.add_array(f'{vision}image_std', CLIP_PIXELS['std'])
    if feature_layer:
        writer.add_array(f'{vision}feature_layer', [geometry.vision_layers])

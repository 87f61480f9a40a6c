"""Measures how far llama.cpp's own MobileVLM vision path is from the PyTorch reference.

    python benchmarks/llama_cpp_vision.py
    python benchmarks/llama_cpp_vision.py --against CHECKPOINT

The same weights are written as an mmproj file, run through llama_cpp.mtmd_cpp, and compared token
by token. Rows named "imitation" compare llama.cpp with our own reference made wrong on purpose,
in the ways that its issues 25814 and 25817 describe: where these agree, nothing else differs.
The picture has the model's size already, so that preprocessing plays no part.
"""

from __future__ import annotations

import argparse
import ctypes
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import llama_cpp
import numpy as np
import torch
from llama_cpp import mtmd_cpp
from mmproj import write_mmproj
from torch import Tensor

from mobilevlm_ros.convert.beside import CLIP_PIXELS
from mobilevlm_ros.convert.llama_gguf import write_llama
from mobilevlm_ros.convert.random_vocabulary import write_random_vocabulary
from mobilevlm_ros.convert.source import Source, load_vision, open_source
from mobilevlm_ros.convert.verify_pixels import official_pixels
from mobilevlm_ros.convert.verify_vision import token_cosines
from mobilevlm_ros.model.checkpoint import Usage, save_checkpoint
from mobilevlm_ros.model.mobilevlm import Geometry, MobileVlm, Vision

SMALL = Geometry(  # llama.cpp's path takes 24 x 24 patches only
    image_size=336, patch_size=14, vision_width=256, vision_layers=4, vision_heads=4, width=256,
    layers=1, heads=4, feed_forward=256, vocabulary=512, context=512,
)  # fmt: skip
ERROR = 4  # GGML_LOG_LEVEL_ERROR
USAGE = Usage('small', {}, CLIP_PIXELS, '', '', {})


@llama_cpp.llama_log_callback
def quiet(level: int, text: bytes, _: ctypes.c_void_p) -> None:
    """Print llama.cpp's errors alone."""
    if level == ERROR:
        print(text.decode(errors='replace').rstrip())


def main() -> None:
    """Compare, print a row for each way."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--against', help='checkpoint to use instead of small random ones')
    parser.add_argument('--vision-tower', help='of that checkpoint')
    args = parser.parse_args()
    print(f'{"":12}{"llama.cpp against":44}{"worst cosine":>14}{"mean":>10}')
    with TemporaryDirectory() as folder:
        if args.against:
            compare(open_source(args.against, args.vision_tower), Path(folder))
            return
        for projector in ('ldp', 'ldpv2'):
            compare(make_source(projector, Path(folder) / projector), Path(folder))


def make_source(projector: str, folder: Path) -> Source:
    """A seeded checkpoint; position embeddings are as large as those of patches, as trained."""
    torch.manual_seed(0)
    model = MobileVlm(replace(SMALL, projector=projector))
    with torch.no_grad():
        for name, weight in model.named_weights().items():
            if name.endswith(('position_embedding.weight', 'class_embedding')):
                weight.copy_(torch.randn(weight.shape) * 0.3)
            elif 'vision_tower' in name and weight.ndim == 2:
                weight.copy_(torch.randn(weight.shape) / weight.shape[1] ** 0.5)
    write_random_vocabulary(folder.with_suffix('.model'), SMALL.vocabulary)
    save_checkpoint(model, USAGE, folder.with_suffix('.model'), folder)
    return open_source(folder)


def compare(source: Source, folder: Path) -> None:
    """All rows of one checkpoint."""
    model = load_vision(source)
    name, layers = source.geometry.projector, source.geometry.vision_layers
    picture = np.random.default_rng(0).integers(0, 256, (336, 336, 3), np.uint8)
    pixels = torch.from_numpy(official_pixels(picture, 336, CLIP_PIXELS))[None]
    write_llama(source, folder / f'{name}.gguf')
    for told in (False, True):
        path = folder / f'{name}-mmproj-{told}.gguf'
        write_mmproj(model, path, told)
        found = llama_cpp_tokens(folder / f'{name}.gguf', path, picture, source.geometry)
        used = layers if told else layers - 1
        with torch.no_grad():
            expected = model.encode(pixels)[0].numpy()
            imitated = imitate(model, pixels, used)[0].numpy()
        way = 'with feature_layer' if told else 'as converted'
        report(name, f'reference, {way}', found, expected)
        report(name, f'imitation with {used} blocks, CLS last', found, imitated)


def imitate(model: Vision, pixels: Tensor, blocks: int) -> Tensor:
    """The reference made wrong: CLS behind the patches, positions and choice as if before them."""
    tower = getattr(model.tower, 'vision_model', model.tower)
    parts = tower.embeddings
    patches = parts.patch_embedding(pixels).flatten(2).transpose(1, 2)
    cls = parts.class_embedding.expand(len(pixels), 1, -1)
    hidden = torch.cat([patches, cls], 1) + parts.position_embedding.weight
    hidden = tower.pre_layrnorm(hidden)
    for block in tower.encoder.layers[:blocks]:
        found = block(hidden, attention_mask=None)
        hidden = found[0] if isinstance(found, tuple) else found
    return model.projector(hidden[:, 1:])  # type: ignore[no-any-return]


def llama_cpp_tokens(
    llm: Path, mmproj: Path, picture: np.ndarray, geometry: Geometry
) -> np.ndarray:
    """Visual tokens as llama.cpp makes them, float32 (tokens, width)."""
    llama_cpp.llama_backend_init()
    llama_cpp.llama_log_set(quiet, ctypes.c_void_p(0))
    mtmd_cpp.mtmd_log_set(quiet, ctypes.c_void_p(0))
    mtmd_cpp.mtmd_helper_log_set(quiet, ctypes.c_void_p(0))
    params = llama_cpp.llama_model_default_params()
    params.use_extra_bufts = False  # else its AMX kernels may end the process
    model = llama_cpp.llama_model_load_from_file(str(llm).encode(), params)
    settings = mtmd_cpp.mtmd_context_params_default()
    settings.use_gpu, settings.print_timings, settings.warmup = False, False, False
    context = mtmd_cpp.mtmd_init_from_file(str(mmproj).encode(), model, settings)
    if not context:
        raise SystemExit(f'llama.cpp could not load {mmproj}')
    tokens = encode(context, picture, geometry)
    mtmd_cpp.mtmd_free(context)
    llama_cpp.llama_model_free(model)
    return tokens


def encode(context: int, picture: np.ndarray, geometry: Geometry) -> np.ndarray:
    """Run the picture's chunk of a prompt that has nothing else in it."""
    height, width = picture.shape[:2]
    data = (ctypes.c_uint8 * picture.size).from_buffer_copy(picture.tobytes())
    bitmap = mtmd_cpp.mtmd_bitmap_init(width, height, data)
    marker = mtmd_cpp.mtmd_default_marker()
    text = mtmd_cpp.mtmd_input_text(marker, len(marker), True, True)
    chunks = mtmd_cpp.mtmd_input_chunks_init()
    bitmaps = (mtmd_cpp.mtmd_bitmap_p_ctypes * 1)(bitmap)
    assert mtmd_cpp.mtmd_tokenize(context, chunks, ctypes.byref(text), bitmaps, 1) == 0
    for index in range(mtmd_cpp.mtmd_input_chunks_size(chunks)):
        chunk = mtmd_cpp.mtmd_input_chunks_get(chunks, index)
        if mtmd_cpp.mtmd_input_chunk_get_type(chunk) == mtmd_cpp.MTMD_INPUT_CHUNK_TYPE_IMAGE:
            assert mtmd_cpp.mtmd_encode_chunk(context, chunk) == 0
    shape = (geometry.visual_tokens, geometry.width)
    found = np.ctypeslib.as_array(mtmd_cpp.mtmd_get_output_embd(context), shape).copy()
    mtmd_cpp.mtmd_input_chunks_free(chunks)
    mtmd_cpp.mtmd_bitmap_free(bitmap)
    return found


def report(name: str, what: str, found: np.ndarray, expected: np.ndarray) -> None:
    """One row."""
    cosines = token_cosines(found, expected)
    print(f'{name:12}{what:44}{cosines.min():14.4f}{cosines.mean():10.4f}', flush=True)


if __name__ == '__main__':
    main()

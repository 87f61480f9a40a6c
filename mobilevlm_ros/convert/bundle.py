"""Write a bundle: ONNX files, GGUF file and the manifest with their checksums."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import sentencepiece

from mobilevlm_ros.convert.llama_gguf import write_llama
from mobilevlm_ros.convert.source import Source, load_reference
from mobilevlm_ros.convert.vision_onnx import export_vision, quantise_vision
from mobilevlm_ros.engine.bundle import MANIFEST, SCHEMA, load_bundle, sha256
from mobilevlm_ros.engine.errors import BundleError

VISION, VISION_INT8, LLM = 'vision.onnx', 'vision-int8.onnx', 'llm.gguf'


def write_bundle(source: Source, out: Path, extras: tuple[Path, ...] = ()) -> None:
    """Convert a checkpoint into a bundle folder; `extras` are copied beside the models.

    Works in `OUT.partial` and renames at the end, so that nothing half made looks finished.

    Raises:
        BundleError: if `out` exists already.
    """
    if out.exists():
        raise BundleError(f'{out} exists already; remove it or choose another folder')
    partial = out.with_name(out.name + '.partial')
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    model = load_reference(source)
    export_vision(model, partial / VISION)
    quantise_vision(partial / VISION, partial / VISION_INT8)
    weights, config = model.llama.state_dict(), model.geometry.llama()
    tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(source.tokenizer))
    write_llama(weights, config, tokenizer, source.name, partial / LLM)
    for extra in extras:
        shutil.copy(extra, partial / extra.name)
    manifest = json.dumps(_manifest(source, partial), indent=2)
    (partial / MANIFEST).write_text(manifest + '\n')
    load_bundle(partial)
    partial.rename(out)


def _manifest(source: Source, folder: Path) -> dict[str, Any]:
    geometry = source.geometry
    files = {
        file: {'sha256': sha256(folder / file), 'bytes': (folder / file).stat().st_size}
        for file in (VISION, VISION_INT8, LLM)
    }
    return {
        'schema': SCHEMA,
        'name': source.name,
        'architecture': 'mobilevlm',
        'vision': {
            'image_size': geometry.image_size,
            **source.preprocessing,
            'resize': 'pad',
            'visual_tokens': geometry.visual_tokens,
            'width': geometry.width,
            'projector': geometry.projector,
        },
        'language': {'context_length': geometry.context},
        'prompt': source.prompt,
        'caption': {'question': source.caption},
        'files': files,
        'backends': {'onnxruntime': {'int8': VISION_INT8, 'fp32': VISION}, 'llama_cpp': LLM},
        'license': source.license,
        'provenance': source.provenance,
    }

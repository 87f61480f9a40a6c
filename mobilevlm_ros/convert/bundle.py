"""Write a bundle: ONNX files, GGUF file and the manifest with their checksums."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from mobilevlm_ros.convert.llama_gguf import write_llama
from mobilevlm_ros.convert.vision_onnx import export_vision, quantise_vision
from mobilevlm_ros.engine.bundle import MANIFEST, SCHEMA, load_bundle, sha256
from mobilevlm_ros.engine.errors import BundleError
from mobilevlm_ros.model.checkpoint import Checkpoint

VISION, VISION_INT8, LLM = 'vision.onnx', 'vision-int8.onnx', 'llm.gguf'


def write_bundle(
    checkpoint: Checkpoint, name: str, out: Path, extras: tuple[Path, ...] = ()
) -> None:
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
    model = checkpoint.model
    export_vision(model, partial / VISION)
    quantise_vision(partial / VISION, partial / VISION_INT8)
    weights, config = model.llama.state_dict(), model.geometry.llama()
    write_llama(weights, config, checkpoint.tokenizer, name, partial / LLM)
    for extra in extras:
        shutil.copy(extra, partial / extra.name)
    manifest = json.dumps(_manifest(checkpoint, name, partial), indent=2)
    (partial / MANIFEST).write_text(manifest + '\n')
    load_bundle(partial)
    partial.rename(out)


def _manifest(checkpoint: Checkpoint, name: str, folder: Path) -> dict[str, Any]:
    geometry = checkpoint.model.geometry
    files = {
        file: {'sha256': sha256(folder / file), 'bytes': (folder / file).stat().st_size}
        for file in (VISION, VISION_INT8, LLM)
    }
    return {
        'schema': SCHEMA,
        'name': name,
        'architecture': 'mobilevlm',
        'vision': {
            'image_size': geometry.image_size,
            **checkpoint.preprocessing,
            'resize': 'pad',
            'visual_tokens': geometry.visual_tokens,
            'width': geometry.width,
            'projector': 'ldp',
        },
        'language': {'context_length': geometry.context},
        'prompt': checkpoint.prompt,
        'caption': {'question': checkpoint.caption},
        'files': files,
        'backends': {'onnxruntime': {'int8': VISION_INT8, 'fp32': VISION}, 'llama_cpp': LLM},
        'license': checkpoint.license,
        'provenance': checkpoint.provenance,
    }

"""Write a bundle: ONNX files, a GGUF file and the manifest with their checksums."""

from __future__ import annotations

import json
import math
import re
import shutil
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tqdm import tqdm

from mobilevlm_ros.convert.llama_gguf import F16, F32, llama_shapes, write_llama
from mobilevlm_ros.convert.options import UNQUANTISED, VISION, Options
from mobilevlm_ros.convert.quantise import quantise_llama
from mobilevlm_ros.convert.quantise_vision import quantise_vision
from mobilevlm_ros.convert.source import Source, load_vision
from mobilevlm_ros.convert.vision_onnx import export_apart, join_weights
from mobilevlm_ros.convert.workspace import Workspace, check_room, not_written
from mobilevlm_ros.engine.bundle import MANIFEST, SCHEMA, load_bundle, sha256
from mobilevlm_ros.model.mobilevlm import weight_shapes
from mobilevlm_ros.model.names import model_name

LLM = 'llm.gguf'
STORED = {'F16': F16, 'F32': F32}
WHOLE_LLM = 'llm-f16.gguf'  # what is quantised
VISION_BYTES = {'fp32': 4.0, 'fp16': 2.0, 'int8': 1.2}  # a parameter


def write_bundle(
    source: Source, out: Path, options: Options, extras: tuple[Path, ...] = ()
) -> None:
    """Convert a checkpoint into a bundle folder; `extras` are copied beside the models.

    Works in `OUT.partial`, goes on there after a kill, and renames it at the end, so that
    nothing half made looks finished.

    Raises:
        BundleError: if `out` exists already, was begun from something else, or the disk is full.
        CheckpointError: if a tensor cannot be converted.
    """
    try:
        work = Workspace(out, _job(source, options))
        try:
            free = shutil.disk_usage(work.folder).free
            check_room(needed_bytes(source, options) - work.size(), free, work.folder.parent)
            _make(source, options, extras, work)
            work.finish()
        except BaseException:
            work.close()
            raise
    except OSError as error:
        raise not_written(out, error) from error


def _make(source: Source, options: Options, extras: tuple[Path, ...], work: Workspace) -> None:
    _make_llm(source, options.quantisation, work)
    for precision in options.precisions:
        _make_vision(source, precision, work)
    if 'fp32' not in options.precisions:
        work.drop(VISION['fp32'])
    for extra in extras:
        work.make(extra.name, partial(shutil.copy, extra))
    manifest = json.dumps(_manifest(source, options, work.folder), indent=2) + '\n'
    work.make(MANIFEST, lambda path: path.write_text(manifest, encoding='utf-8'))
    load_bundle(work.folder)


def _make_vision(source: Source, precision: str, work: Workspace) -> None:
    name = VISION[precision]
    if work.has(name):
        return
    if precision == 'int8':
        _make_vision(source, 'fp32', work)
        write = partial(quantise_vision, work.folder / VISION['fp32'])
    else:
        write = partial(_export, source, precision)
    with tqdm(desc=f'vision, {precision}', total=1, unit='file') as bar:
        work.make(name, write)
        bar.update()


def _export(source: Source, precision: str, path: Path) -> None:
    inner = torch.float16 if precision == 'fp16' else torch.float32
    with TemporaryDirectory(dir=path.parent) as folder:
        apart = Path(folder) / 'vision.onnx'
        model = load_vision(source)
        export_apart(model, apart, inner)
        for weight in model.parameters():  # PyTorch's exporter keeps them
            weight.data = torch.empty(0)
        join_weights(apart, path)


def _make_llm(source: Source, quantisation: str, work: Workspace) -> None:
    if quantisation in STORED:
        kind = STORED[quantisation]
        work.make(LLM, lambda path: write_llama(source, path, kind))
        return
    if not work.has(LLM):
        whole = work.make(WHOLE_LLM, partial(write_llama, source))
        work.make(LLM, lambda path: quantise_llama(whole, path, quantisation))
    work.drop(WHOLE_LLM)


def _job(source: Source, options: Options) -> dict[str, Any]:
    """What has to be the same for a conversion to go on."""
    stats = [(path.name, path.stat()) for path in (*source.files, source.tokenizer)]
    return {
        'source': [[name, stat.st_size, stat.st_mtime_ns] for name, stat in stats],
        'geometry': asdict(source.geometry),
        'options': asdict(options),
    }


def needed_bytes(source: Source, options: Options) -> int:
    """About how much the disk has to hold at the worst moment."""
    language = llama_shapes(source.geometry)
    shapes = weight_shapes(source.geometry)
    vision = sum(math.prod(s) for name, s in shapes.items() if name not in language)
    precisions = {*options.precisions, *(['fp32'] if 'int8' in options.precisions else [])}
    encoders = vision * sum(VISION_BYTES[precision] for precision in precisions)
    bits = int((re.findall(r'\d+', options.quantisation) or ['32'])[0])
    whole = 0 if options.quantisation in UNQUANTISED else 16
    parameters = sum(math.prod(shape) for shape in language.values())
    return int(encoders + parameters * (whole + bits + 1) / 8)


def _manifest(source: Source, options: Options, folder: Path) -> dict[str, Any]:
    geometry = source.geometry
    vision = {precision: VISION[precision] for precision in options.precisions}
    return {
        'schema': SCHEMA,
        'name': source.name,
        'architecture': 'mobilevlm',
        'vision': {
            'image_size': geometry.image_size,
            **source.preprocessing,
            'resize': source.resize,
            'visual_tokens': geometry.visual_tokens,
            'width': geometry.width,
            'projector': geometry.projector,
        },
        'language': {'context_length': geometry.context, 'max_tokens': source.max_tokens},
        'prompt': source.prompt,
        'caption': {'question': source.caption},
        'files': {
            file: {'sha256': sha256(folder / file), 'bytes': (folder / file).stat().st_size}
            for file in (*vision.values(), LLM)
        },
        'backends': {'onnxruntime': vision, 'llama_cpp': LLM},
        'license': source.license,
        'provenance': {
            **source.provenance,
            'quantisation': options.quantisation,
            'sha256': {
                f'{model_name(path.parent)}/{path.name}': sha256(path)
                for path in (*source.files, source.tokenizer)
            },
        },
    }

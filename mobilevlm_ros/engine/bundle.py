"""Model bundles: a folder with bundle.json and the files that it names."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mobilevlm_ros.engine.errors import BundleError, BundleFileError, BundleSchemaError
from mobilevlm_ros.engine.fields import Fields
from mobilevlm_ros.engine.paths import user_path

SCHEMA = 1
MANIFEST = 'bundle.json'
TEMPERATURES = 0.05, 20.0
MAX_TOKENS = 512  # of an answer, where a bundle says nothing: what MobileVLM's own demo allows
RESIZES = 'pad', 'crop'


@dataclass(frozen=True, slots=True)
class VisionSpec:
    """How pixels become visual tokens."""

    image_size: int
    mean: tuple[float, float, float]  # RGB, of values in [0, 1]
    std: tuple[float, float, float]
    visual_tokens: int
    width: int
    resize: str = 'pad'  # to a square; or crop: shortest side to the size, then the middle
    projector: str = 'ldp'


@dataclass(frozen=True, slots=True)
class PromptSpec:
    """What stands around the image and the question."""

    head: str
    question: str  # with {question} where the question goes
    stop: tuple[str, ...] = ()
    turn: str = ''  # the same for further questions of a conversation; empty: as the first
    turn_space: bool = True  # a space stands before such a question, as before all other text


@dataclass(frozen=True, slots=True)
class FileSpec:
    """Size and checksum of one file."""

    sha256: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model as bundle.json describes it."""

    path: Path
    name: str
    architecture: str
    vision: VisionSpec
    context_length: int
    prompt: PromptSpec
    caption_question: str
    license: str = ''
    files: Mapping[str, FileSpec] = field(default_factory=dict)
    backends: Mapping[str, Any] = field(default_factory=dict)
    temperature: float = 1.0  # of typed answers; see `mobilevlm calibrate`
    max_tokens: int = MAX_TOKENS  # of an answer, unless a setting or the question says otherwise

    def backend_file(self, backend: str, variant: str = '') -> Path:
        """The file that serves a backend, in the variant that was asked for."""
        entry = self.backends.get(backend)
        if isinstance(entry, Mapping) and variant:
            name = entry.get(variant)
        else:
            name = entry
        if not isinstance(name, str):
            raise BundleError(
                f'{self.path} has nothing for {" ".join((backend, variant)).strip()}; '
                f'it serves {_describe_backends(self.backends)}'
            )
        return self.path / name


def load_bundle(path: Path | str, verify: bool = True) -> Bundle:
    """Read a bundle and, unless told otherwise, verify the checksum of each of its files."""
    folder = user_path(path)
    try:
        bundle = parse_bundle(_read_manifest(folder), folder)
        for name, spec in bundle.files.items():
            check_file(folder / name, spec, verify)
    except OSError as error:
        raise BundleFileError(
            f'{error.filename or folder} cannot be read: {error.strerror}; check its permissions'
        ) from error
    return bundle


def parse_bundle(manifest: Mapping[str, Any], folder: Path) -> Bundle:
    """Turn the content of bundle.json into a Bundle, or say which entry is wrong."""
    top = Fields(manifest, str(folder / MANIFEST))
    language = top.section('language')
    schema = top.integer('schema')
    if schema != SCHEMA:
        raise BundleSchemaError(
            f'{folder / MANIFEST} has schema {schema}; this version reads schema {SCHEMA}: '
            'update mobilevlm_ros, or convert the model again'
        )
    return Bundle(
        path=folder,
        name=top.text('name'),
        architecture=top.text('architecture', choices=('mobilevlm',)),
        vision=_vision(top.section('vision')),
        context_length=language.integer('context_length'),
        prompt=_prompt(top.section('prompt')),
        caption_question=_caption(top.section('caption')),
        license=top.text('license'),
        files=_files(top.section('files')),
        backends=_backends(top.section('backends'), top.section('files')),
        temperature=language.number('temperature', *TEMPERATURES, default=1.0),
        max_tokens=language.integer('max_tokens', default=MAX_TOKENS),
    )


def check_file(path: Path, spec: FileSpec, verify: bool = True) -> None:
    """Compare a file with what bundle.json says of it; the checksum only if told to verify."""
    if not path.is_file():
        raise BundleFileError(
            f'{path} is missing; copy the bundle again, with all the files that {MANIFEST} names'
        )
    size = path.stat().st_size
    if size != spec.bytes:
        raise BundleFileError(
            f'{path} has {size} bytes where {spec.bytes} were expected; '
            'the copy was cut short or is another version: copy the bundle again'
        )
    if verify and (found := sha256(path)) != spec.sha256:
        raise BundleFileError(
            f'{path} is damaged: its SHA-256 is {found[:12]}… where {spec.sha256[:12]}… '
            'was expected; copy the bundle again'
        )


def sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal, read piece by piece."""
    digest = hashlib.sha256()
    with path.open('rb') as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
    return digest.hexdigest()


def _describe_backends(backends: Mapping[str, Any]) -> str:
    """Backends and their variants, for people: `llama_cpp, onnxruntime (fp32, int8)`."""
    names = [
        f'{name} ({", ".join(sorted(entry))})' if isinstance(entry, Mapping) else name
        for name, entry in sorted(backends.items())
    ]
    return ', '.join(names) or 'no backend'


def _read_manifest(folder: Path) -> Mapping[str, Any]:
    path = folder / MANIFEST
    if not path.is_file():
        raise BundleFileError(
            f'{path} does not exist; a bundle is a folder with a {MANIFEST}, '
            'such as models/nano or one made by `mobilevlm convert`'
        )
    try:
        manifest = json.loads(path.read_text(encoding='utf-8'), object_pairs_hook=_object)
        json.dumps(manifest, ensure_ascii=False).encode()  # fails on half a surrogate pair
    except (ValueError, RecursionError) as error:
        raise BundleFileError(f'{path} cannot be read as JSON: {error}') from error
    if not isinstance(manifest, dict):
        raise BundleSchemaError(f'{path} must hold a JSON object, not {type(manifest).__name__}')
    return manifest


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries: dict[str, Any] = {}
    for name, value in pairs:
        if name in entries:
            raise ValueError(f'{name!r} is there twice')
        entries[name] = value
    return entries


def _vision(section: Fields) -> VisionSpec:
    return VisionSpec(
        image_size=section.integer('image_size'),
        mean=section.colour('mean'),
        std=section.colour('std', lowest=1e-6),
        visual_tokens=section.integer('visual_tokens'),
        width=section.integer('width'),
        resize=section.text('resize', choices=RESIZES, default='pad'),
        projector=section.text('projector'),
    )


def _prompt(section: Fields) -> PromptSpec:
    turn = _question(section, 'turn') if 'turn' in section.names() else ''
    return PromptSpec(
        section.text('head'),
        _question(section, 'question'),
        section.texts('stop'),
        turn,
        section.switch('turn_space', default=True),
    )


def _question(section: Fields, name: str) -> str:
    template = section.text(name)
    if template.count('{question}') != 1:
        raise section.wrong(name, 'text with {question} in it once', template)
    return template


def _caption(section: Fields) -> str:
    question = section.text('question')
    if not question.strip():
        raise section.wrong('question', 'a question that makes the model describe', question)
    return question


def _files(section: Fields) -> dict[str, FileSpec]:
    files = {}
    for name in section.names():
        if Path(name).name != name or name in ('', '..'):
            raise section.wrong(name, 'the plain name of a file in the bundle', name)
        entry = section.section(name)
        files[name] = FileSpec(entry.text('sha256').lower(), entry.integer('bytes', most=1 << 50))
    return files


def _backends(section: Fields, files: Fields) -> dict[str, Any]:
    backends = dict(section.values)
    for backend, entry in backends.items():
        for name in entry.values() if isinstance(entry, Mapping) else (entry,):
            if name not in files.names():
                raise section.wrong(backend, f'one of {", ".join(files.names())}', name)
    return backends

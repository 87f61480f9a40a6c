"""TensorRT plans: what they were built from, where they lie, and whether one fits.

A plan runs only on the TensorRT version and the kind of GPU that built it. It lies in the
bundle's folder `tensorrt`, or in the user's cache where the bundle cannot be written to, with a
record beside it. A plan without a record that fits is no plan.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from mobilevlm_ros.engine.bundle import Bundle, FileSpec, check_file, sha256
from mobilevlm_ros.engine.cuda import open_cuda
from mobilevlm_ros.engine.errors import BundleError, BundleFileError, PlanError
from mobilevlm_ros.engine.paths import user_path
from mobilevlm_ros.engine.tensorrt_log import tensorrt_version

PRECISION = 'fp16'  # of the ONNX file that plans are built from


@dataclass(frozen=True, slots=True)
class PlanKey:
    """What a plan fits."""

    tensorrt: str  # version
    sm: str  # compute capability: '87' is Orin
    onnx: str  # SHA-256 of the ONNX file

    def stem(self) -> str:
        """The name of the plan's files, without suffix."""
        return f'vision-{self.onnx[:12]}-trt{self.tensorrt}-sm{self.sm}'


@dataclass(frozen=True, slots=True)
class PlanOptions:
    """How a plan is built."""

    tiles: int = 1  # most images at a time
    workspace_mib: int = 1024  # memory that TensorRT may use for one layer


@dataclass(frozen=True, slots=True)
class PlanRecord:
    """What is written beside a plan."""

    key: PlanKey
    options: PlanOptions
    sha256: str
    bytes: int
    cosine: float  # of the worst token of the accuracy gate
    reference: str  # precision of the ONNX file that it was compared with
    images: int  # that it was compared on


def onnx_file(bundle: Bundle) -> tuple[Path, str]:
    """The ONNX file that plans are built from, and its SHA-256 as bundle.json gives it."""
    try:
        path = bundle.backend_file('onnxruntime', PRECISION)
    except BundleError as error:
        raise BundleError(
            f'{error}; TensorRT plans are built from {PRECISION}: convert the model again with it'
        ) from error
    return path, bundle.files[path.name].sha256


def bundle_folder(bundle: Bundle) -> Path:
    """Where the plans of a bundle lie if it can be written to."""
    return bundle.path / 'tensorrt'


def cache_folder(bundle: Bundle) -> Path:
    """Where they lie if it cannot; the same for all copies of the ONNX file."""
    base = user_path(os.environ.get('XDG_CACHE_HOME') or '~/.cache')
    return Path(base, 'mobilevlm_ros', f'tensorrt-{onnx_file(bundle)[1][:12]}')


def output_folder(bundle: Bundle) -> Path:
    """Where a new plan goes."""
    writable = os.access(bundle.path, os.W_OK | os.X_OK)
    return bundle_folder(bundle) if writable else cache_folder(bundle)


def find_plan(bundle: Bundle, verify: bool = True) -> Path:
    """The plan that fits the bundle and this machine.

    Raises:
        BundleError: if the bundle has no fp16 ONNX file.
        BackendError: if TensorRT or CUDA is missing.
        PlanError: if there is no plan, only ones that do not fit, or a damaged one.
    """
    _, onnx = onnx_file(bundle)
    key = PlanKey(tensorrt_version(), open_cuda().sm, onnx)
    for folder in (bundle_folder(bundle), cache_folder(bundle)):
        record = fitting_record(folder, key)
        if record:
            return check_plan(folder, record, verify)
    raise PlanError(f'{_describe_others(bundle, key)}; run `mobilevlm build-engine {bundle.path}`')


def fitting_record(folder: Path, key: PlanKey) -> PlanRecord | None:
    """The record of the plan for this key, if there is one."""
    record = read_record(folder / f'{key.stem()}.json')
    return record if record and record.key == key else None


def check_plan(folder: Path, record: PlanRecord, verify: bool = True) -> Path:
    """The plan's file, once it was compared with its record; the checksum only if asked to."""
    path = folder / f'{record.key.stem()}.plan'
    try:
        check_file(path, FileSpec(record.sha256, record.bytes), verify)
    except BundleFileError as error:
        what = str(error).partition(';')[0]
        raise PlanError(f'{what}; run `mobilevlm build-engine` again') from error
    return path


def read_record(path: Path) -> PlanRecord | None:
    """A record, or nothing where there is none that can be read."""
    try:
        values = json.loads(path.read_text(encoding='utf-8'))
        key, options = PlanKey(**values.pop('key')), PlanOptions(**values.pop('options'))
        return PlanRecord(key, options, **values)
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        return None


def save_plan(folder: Path, plan: memoryview, record: PlanRecord) -> Path:
    """Write plan and record so that a plan cut short never has a record.

    Args:
        folder: is made if it is not there.
        plan: the bytes.
        record: its size and checksum are ignored and taken from the plan.
    """
    path = folder / f'{record.key.stem()}.plan'
    partial = path.with_suffix('.partial')
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.with_suffix('.json').unlink(missing_ok=True)
        partial.write_bytes(plan)
        written = asdict(record) | {'sha256': sha256(partial), 'bytes': plan.nbytes}
        partial.replace(path)
        partial.write_text(json.dumps(written, indent=2) + '\n', encoding='utf-8')
        partial.replace(path.with_suffix('.json'))
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise PlanError(f'{path} could not be written: {error.strerror}') from error
    return path


def _describe_others(bundle: Bundle, key: PlanKey) -> str:
    others = [_misfit(record.key, key) for record in _records(bundle)]
    return f'no TensorRT plan fits: {"; ".join(others)}' if others else 'no TensorRT plan is there'


def _misfit(found: PlanKey, wanted: PlanKey) -> str:
    if found.tensorrt != wanted.tensorrt:
        return f'one is of TensorRT {found.tensorrt} where this is {wanted.tensorrt}'
    if found.sm != wanted.sm:
        return f'one is for SM {found.sm} where this GPU is SM {wanted.sm}'
    return 'one is of another vision encoder'


def _records(bundle: Bundle) -> Iterator[PlanRecord]:
    for folder in (bundle_folder(bundle), cache_folder(bundle)):
        for path in sorted(folder.glob('*.json')):
            if record := read_record(path):
                yield record

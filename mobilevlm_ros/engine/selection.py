"""Which vision encoder runs, in which precision, and why not a better one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mobilevlm_ros.engine.bundle import Bundle
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.errors import BackendError, BundleError, ConfigError, MobileVlmError

# Best first, backends as well as the precisions of each. TensorRT runs what it was built from.
PRECISIONS: Mapping[str, tuple[str, ...]] = {
    'tensorrt': ('fp16',),
    'onnxruntime_cuda': ('fp16', 'fp32', 'int8'),
    'onnxruntime': ('int8', 'fp32', 'fp16'),
}
CUDA_PROVIDER = 'CUDAExecutionProvider'
NO_GPU = dict.fromkeys(('tensorrt', 'onnxruntime_cuda'), 'no NVIDIA GPU here')
# What Linux shows of one: the driver's, two of a Jetson's, Windows's under WSL.
GPU_DEVICES = ('nvidiactl', 'nvhost-gpu', 'nvgpu', 'dxg')


@dataclass(frozen=True, slots=True)
class Selection:
    """What runs."""

    backend: str
    precision: str
    path: Path  # what it loads: an ONNX file or a plan
    rejected: Mapping[str, str] = field(default_factory=dict)  # better ones, and why not

    def describe(self) -> str:
        """For people: `onnxruntime int8; not tensorrt: ...`."""
        names: dict[str, list[str]] = {}
        for name, reason in self.rejected.items():
            names.setdefault(reason, []).append(name)
        others = [f'; not {", ".join(each)}: {reason}' for reason, each in names.items()]
        return f'{self.backend} {self.precision}{"".join(others)}'


def installed_providers() -> Sequence[str]:
    """The execution providers that ONNX Runtime was built with."""
    from mobilevlm_ros.engine.onnx_encoder import available_providers

    return available_providers()


def installed_plan(bundle: Bundle, verify: bool) -> Path:
    """The TensorRT plan that fits."""
    from mobilevlm_ros.engine.plans import find_plan

    return find_plan(bundle, verify)


def installed_gpu() -> bool:
    """Whether there is an NVIDIA GPU; where there is none, nobody needs libraries for it."""
    return any(Path('/dev', name).exists() for name in GPU_DEVICES)


@dataclass(frozen=True, slots=True)
class Machine:
    """What is asked of the machine.

    `providers` and `plan` raise a MobileVlmError with the reason why not.
    """

    providers: Callable[[], Sequence[str]] = installed_providers
    plan: Callable[[Bundle, bool], Path] = installed_plan
    gpu: Callable[[], bool] = installed_gpu


def select_encoder(
    bundle: Bundle,
    config: EngineConfig,
    machine: Machine = Machine(),
    failed: Mapping[str, str] | None = None,
) -> Selection:
    """Choose without loading anything.

    Args:
        bundle: what there is to run.
        config: its `encoder` and `precision` force a choice unless they are auto.
        machine: what there is to run it on.
        failed: backends that could not be loaded, and why.

    Raises:
        BundleError: if the bundle lacks the precision that was asked for.
        BackendError: if what was asked for, or everything, cannot run here.
    """
    if config.precision != 'auto':
        bundle.backend_file('onnxruntime', config.precision)
    if config.encoder != 'auto':
        return _try(config.encoder, bundle, config, machine)
    rejected = {**({} if machine.gpu() else NO_GPU), **(failed or {})}
    for backend in PRECISIONS:
        if backend in rejected:
            continue
        try:
            chosen = _try(backend, bundle, config, machine)
        except MobileVlmError as error:
            rejected[backend] = str(error)
        else:
            return Selection(chosen.backend, chosen.precision, chosen.path, rejected)
    reasons = '; '.join(f'{name}: {reason}' for name, reason in rejected.items())
    raise BackendError(f'nothing can run the vision encoder: {reasons}')


def _try(backend: str, bundle: Bundle, config: EngineConfig, machine: Machine) -> Selection:
    precision = _precision(backend, bundle, config)
    if backend == 'tensorrt':
        return Selection(backend, precision, machine.plan(bundle, config.verify))
    providers = machine.providers()
    if backend == 'onnxruntime_cuda' and CUDA_PROVIDER not in providers:
        raise BackendError(
            f'this ONNX Runtime has no {CUDA_PROVIDER}, only {", ".join(providers)}; install '
            'onnxruntime-gpu in its place'
        )
    return Selection(backend, precision, bundle.backend_file('onnxruntime', precision))


def _precision(backend: str, bundle: Bundle, config: EngineConfig) -> str:
    """The one asked for, or the best that the bundle has."""
    wanted, served = config.precision, PRECISIONS[backend]
    if wanted != 'auto' and wanted not in served:
        raise ConfigError(f'{backend} runs {", ".join(served)} alone, and {wanted} was asked for')
    there = bundle.backends.get('onnxruntime', {})
    there = there if isinstance(there, Mapping) else {}
    needed = served if wanted == 'auto' else (wanted,)
    for precision in needed:
        if precision in there:
            return precision
    raise BundleError(
        f'{backend} needs a {" or ".join(needed)} ONNX file, and {bundle.path} has '
        f'{", ".join(sorted(there)) or "none"}; convert the model again'
    )

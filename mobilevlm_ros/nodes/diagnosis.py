"""/diagnostics: what the node knows of itself, its cameras and its machine, as pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue

from mobilevlm_ros.engine import Load
from mobilevlm_ros.nodes.camera import CameraHealth
from mobilevlm_ros.nodes.config import CameraConfig
from mobilevlm_ros.nodes.host import Host
from mobilevlm_ros.nodes.record import PERCENTILES, Record

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
FAULTS = 3  # requests in a row that ended with INTERNAL: an error
FULL = 0.8  # of the queue: a warning
LEAST_MB = 200.0  # of memory that is available: a warning
HOT = 90.0  # degrees Celsius: a warning; an Orin throttles from 99 on

Verdict = tuple[bytes, str]


@dataclass(frozen=True, slots=True)
class Model:
    """What runs."""

    state: str  # of the lifecycle
    name: str = ''
    backend: str = ''
    placement: str = ''  # how much of the language model is on a GPU
    queue_size: int = 0


def diagnose(
    node: str, stamp: Time, parts: Iterable[tuple[str, Verdict, Mapping[str, Any]]]
) -> DiagnosticArray:
    """The message, each part under the node's name."""
    array = DiagnosticArray()
    array.header.stamp = stamp
    for part, (level, message), values in parts:
        pairs = [KeyValue(key=key, value=_text(value)) for key, value in values.items()]
        array.status.append(
            DiagnosticStatus(
                level=level,
                name=f'{node}: {part}',
                message=message,
                hardware_id=node,  # which robot's, where several are side by side
                values=pairs,
            )
        )
    return array


def engine_part(model: Model, load: Load, record: Record) -> tuple[str, Verdict, dict[str, Any]]:
    """State, backend and load."""
    values = {**asdict(model), **asdict(load), 'faults_in_a_row': record.faults}
    return 'engine', judge_engine(model, load, record), values


def judge_engine(model: Model, load: Load, record: Record) -> Verdict:
    """The state of the engine."""
    if record.faults >= FAULTS:
        return ERROR, f'the last {record.faults} requests failed; see the log'
    if record.faults:
        return WARN, 'the last request failed; see the log'
    since = record.happened
    if since.faults:
        return WARN, f'{since.faults} requests failed since the last report; see the log'
    if since.refused:
        return WARN, (
            f'{since.refused} requests were refused since the last report, as the queue was full; '
            'ask less often, or raise queue_size'
        )
    waiting = max(load.waiting, since.most_waiting)
    if model.queue_size and waiting >= FULL * model.queue_size:
        return WARN, f'{waiting} of {model.queue_size} places in the queue were taken'
    return OK, model.state


def answers_part(record: Record, now_s: float) -> tuple[str, Verdict, dict[str, Any]]:
    """Counts by status, rate and percentiles."""
    values: dict[str, Any] = {f'count_{code}': n for code, n in sorted(record.counts.items())}
    values['answers_per_second'] = record.rate_hz(now_s)
    for stage, found in record.percentiles(now_s).items():
        values |= {f'{stage}_p{p}': v for p, v in zip(PERCENTILES, found, strict=True)}
    return 'answers', (OK, f'{values["answers_per_second"]:.1f} a second'), values


def camera_part(
    health: CameraHealth, config: CameraConfig
) -> tuple[str, Verdict, dict[str, Any]]:
    """One camera."""
    return f'camera {health.name}', judge_camera(health, config), asdict(health)


def judge_camera(health: CameraHealth, config: CameraConfig) -> Verdict:
    """The state of a camera."""
    if health.trouble:
        return ERROR, health.trouble
    if health.silent_s > config.silent_after_s:
        return ERROR, f'silent for {health.silent_s:.1f} s'
    if health.clock:
        return WARN, health.clock
    return OK, 'images come'


def clock_part(fault: str) -> tuple[str, Verdict, dict[str, Any]]:
    """The clock that stamps are compared with."""
    return 'clock', (WARN, fault) if fault else (OK, ''), {}


def host_part(host: Host) -> tuple[str, Verdict, dict[str, Any]]:
    """Memory, temperature and power."""
    values = {'resident_mb': host.resident_mb, 'available_mb': host.available_mb}
    values |= {f'celsius_{zone}': value for zone, value in host.celsius.items()}
    values |= {f'watts_{rail}': value for rail, value in host.watts.items()}
    return 'host', judge_host(host), values


def judge_host(host: Host) -> Verdict:
    """The state of the machine."""
    if 0 < host.available_mb < LEAST_MB:
        return WARN, f'{host.available_mb:.0f} MB of memory are left'
    hottest: Sequence[float] = sorted(host.celsius.values())[-1:]
    if hottest and hottest[0] >= HOT:
        return WARN, f'{hottest[0]:.0f} degrees: it will soon be slowed down'
    return OK, ''


def _text(value: Any) -> str:
    return f'{value:.3f}' if isinstance(value, float) else str(value)

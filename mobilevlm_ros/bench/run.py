"""One run of the whole benchmark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from tqdm import tqdm

from mobilevlm_ros.bench.captions import best_replay, caption_rate, read_traces
from mobilevlm_ros.bench.floor import Floor
from mobilevlm_ros.bench.harness import Values, measure
from mobilevlm_ros.bench.machine import describe_machine
from mobilevlm_ros.bench.ours import Ours, StaticView
from mobilevlm_ros.bench.peak import peak_mb
from mobilevlm_ros.bench.peer import Peer, PeerSettings
from mobilevlm_ros.bench.process import Process
from mobilevlm_ros.bench.report import Report
from mobilevlm_ros.bench.rows import CAPTIONS, FLOOR, OURS, PEER, ROWS, STATIC
from mobilevlm_ros.bench.summary import summarise
from mobilevlm_ros.engine import Bundle, EngineConfig, load_bundle
from mobilevlm_ros.engine.cpu import thread_count

FRAMES = 4  # held at most
CAMERA_HZ = 10.0  # of the view that does not change
OUTPUT = 256  # tokens, as in MobileVLM's Table 6
DRAFTS = 8  # most tokens decoded at once


@dataclass(frozen=True, slots=True)
class Plan:
    """What to measure, and how thoroughly."""

    bundle: Path
    mmprojs: tuple[Path, ...] = ()  # the peer's; none: no peer
    trace: Path | None = None  # of captions
    repetitions: int = 7
    static_s: float = 12.0
    threads: int = 0  # 0: one per core
    precision: str = 'int8'


def quick(plan: Plan) -> Plan:
    """The same in a fraction of the time, with a wider spread."""
    return replace(plan, repetitions=2, static_s=3.0)


def run(plan: Plan) -> Report:
    """Measure everything."""
    bundle = load_bundle(plan.bundle)
    cores = thread_count(plan.threads)
    machine = describe_machine(bundle, cores)
    if settings := tune_peer(plan, cores) if plan.mmprojs else None:
        machine['peer'] = str(settings)
    with ExitStack() as stack:
        sides = {
            side: stack.enter_context(process) for side, process in start_sides(plan, settings)
        }
        values = measure(sides, ROWS, plan.repetitions)
        growth = list(measure_growth(sides[OURS], bundle))
        table6 = measure_table6(sides, bundle, plan)
        captions = measure_captions(plan, sides, values)
        static = {PEER: [sides[PEER].call('static_view', plan.static_s)]} if settings else {}
        memory = {side: peak_mb(process.pid) for side, process in sides.items()}
    values[CAPTIONS.name] = captions
    values[STATIC.name] = {OURS: [measure_static(plan)], **static}
    rows = [*ROWS, *([CAPTIONS] if captions else []), STATIC]
    return Report(machine, rows, values, growth, memory, table6)


def config(plan: Plan) -> EngineConfig:
    """The engine's: frames are encoded as soon as they are shown."""
    return EngineConfig(
        look='always',
        look_rate_hz=0.0,
        held_frames=FRAMES + 1,
        precision=plan.precision,
        llm_threads=plan.threads,
        encoder_threads=plan.threads,
        verify=False,
    )


def start_sides(plan: Plan, peer: PeerSettings | None) -> Iterator[tuple[str, Process]]:
    """Load all models, one after the other."""
    yield OURS, Process(OURS, Ours, plan.bundle, config(plan))
    yield FLOOR, Process(FLOOR, Floor, plan.bundle, plan.precision, plan.threads)
    if peer:
        yield PEER, Process(PEER, Peer, plan.bundle, peer)


def tune_peer(plan: Plan, cores: int) -> PeerSettings:
    """The peer's fastest settings, one after the other: file, threads, flash attention, batch."""
    best = PeerSettings(plan.mmprojs[0], cores)
    choices = {
        'mmproj': plan.mmprojs,
        'threads': tuple({cores, max(1, cores // 2)}),
        'flash_attention': (False, True),
        'batch_tokens': (512, 2048),
    }
    spent = {best: time_peer(plan, best)}
    for name, values in tqdm(choices.items(), 'settings of the peer', disable=None):
        for value in values:
            tried = replace(best, **{name: value})
            if tried not in spent:
                spent[tried] = time_peer(plan, tried)
        best = min(spent, key=lambda settings: spent[settings])
    return best


def time_peer(plan: Plan, settings: PeerSettings) -> float:
    """Milliseconds for an answer of 64 tokens about a new frame, the better of two."""
    with Process(PEER, Peer, plan.bundle, settings) as process:
        pairs = [(process.call('new_frame'), process.call('answer')) for _ in range(2)]
    return float(min(map(sum, pairs)))


def measure_growth(ours: Process, bundle: Bundle) -> Iterator[tuple[str, str]]:
    """What it costs to hold more frames, to answer more at once, and to have said more."""
    for count in (1, FRAMES):
        yield f'{count} held frames', f'first token {ours.call("held_frames", count):.0f} ms'
    for count in (1, 2, 4, 8):
        elapsed, rate = ours.call('in_flight', count)
        yield f'{count} long answers at once', f'{elapsed:.0f} ms, {rate:.1f} tok/s together'
    for words in (0, bundle.context_length // 8, bundle.context_length // 4):
        tokens, first, rate = ours.call('context', words)
        yield f'question at {tokens} tokens', f'first token {first:.0f} ms, {rate:.1f} tok/s'


def measure_captions(
    plan: Plan, sides: dict[str, Process], values: Values
) -> dict[str, list[float]]:
    """Tokens a second of captions of a slowly changing view, in each repetition."""
    if not plan.trace:
        return {}
    costs = [
        summarise([sides[FLOOR].call('batch_cost', count) for _ in range(5)]).median
        for count in range(1, DRAFTS + 1)
    ]
    found = best_replay(read_traces(plan.trace), costs, sides[FLOOR].call('exact_rows', DRAFTS))
    tokens, cost_ms = found or (30.0, 30.0 * costs[0])
    frames, speeds = values['new_frame'], values['decode']
    overhead = summarise(speeds[FLOOR]).median / summarise(speeds[OURS]).median
    rates = {OURS: [caption_rate(ms, tokens, cost_ms * overhead) for ms in frames[OURS]]}
    if PEER in sides:
        pairs = zip(frames[PEER], speeds[PEER], strict=True)
        rates[PEER] = [caption_rate(ms, tokens, tokens / rate * 1e3) for ms, rate in pairs]
    return rates


def measure_static(plan: Plan) -> float:
    """CPU seconds a minute of our engine, as a robot runs it, before a view without change."""
    settings = EngineConfig(verify=False, precision=plan.precision)
    with Process('static view', StaticView, plan.bundle, settings) as process:
        found: float = process.call('static_view', plan.static_s, CAMERA_HZ)
        return found


def measure_table6(sides: dict[str, Process], bundle: Bundle, plan: Plan) -> dict[str, float]:
    """The columns of MobileVLM's Table 6 (arXiv 2312.16886), by its equation 4.

    Its total has no term for the vision part, of which it counts milliseconds per visual token.
    """
    ours = sides[OURS]
    visual, prompt = ours.call('prompt_size')
    files = bundle.backend_file('llama_cpp'), bundle.backend_file('onnxruntime', plan.precision)
    encode = summarise([ours.call('encode') for _ in range(3)]).median
    sample, evaluate = sides[FLOOR].call('sample_rate'), ours.call('decode')
    prefill, load_s = ours.call('prefill_rate'), ours.call('load_seconds')
    return {
        'size, GB': sum(file.stat().st_size for file in files) / 1e9,
        'VE, ms/token': encode / visual,
        'sample, tok/s': sample,
        'eval prompt, tok/s': prefill,
        'eval, tok/s': evaluate,
        'total of 256 tokens, s': load_s + prompt / prefill + OUTPUT / sample + OUTPUT / evaluate,
    }

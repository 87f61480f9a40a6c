"""Every setting of the engine, with its default, meaning and range in one place."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from mobilevlm_ros.engine.errors import ConfigError


def setting(
    default: Any,
    description: str,
    *,
    low: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
) -> Any:
    """A dataclass field that carries its description and range."""
    metadata = {'description': description, 'low': low, 'high': high, 'choices': choices}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineConfig:
    """Settings of the engine; nodes and command line declare theirs from these fields."""

    verify: bool = setting(True, 'check the SHA-256 of every file of the bundle when it is opened')
    encoder: str = setting(
        'auto',
        'what runs the vision encoder; auto: the first of these that can, the log says why',
        choices=('auto', 'tensorrt', 'onnxruntime_cuda', 'onnxruntime', 'fake'),
    )
    precision: str = setting(
        'auto',
        'of the vision encoder; auto: fp16 on a GPU and int8 on a CPU, if the model has them',
        choices=('auto', 'int8', 'fp16', 'fp32'),
    )
    encoder_threads: int = setting(
        0, 'CPU threads of the vision encoder; 0: one per core', low=0, high=256
    )
    llm: str = setting('llama_cpp', 'what runs the language model', choices=('llama_cpp', 'fake'))
    llm_threads: int = setting(
        0, 'CPU threads of the language model; 0: up to one per core, by its size', low=0, high=256
    )
    n_gpu_layers: int = setting(
        -1,
        'layers of the language model on a GPU, if llama.cpp was built for one; -1: all',
        low=-1,
        high=1 << 16,
    )
    context_length: int = setting(
        0,
        'tokens of one conversation, image included; 0: what the model was made for',
        low=0,
        high=1 << 20,
    )
    batch_tokens: int = setting(
        512, 'most tokens the language model takes at a time', low=32, high=8192
    )
    kv_type: str = setting(
        'f16',
        'of the KV cache; q8_0 halves it where the model allows that, the log says if not',
        choices=('f16', 'q8_0'),
    )
    held_frames: int = setting(
        4, 'frames kept ready for questions, the newest of each camera', low=1, high=64
    )
    active_questions: int = setting(
        8, 'questions answered at once, as one batch; further ones wait', low=1, high=64
    )
    sessions: int = setting(
        8, 'conversations remembered; the one unused longest makes way', low=1, high=64
    )
    session_idle_s: float = setting(
        300.0, 'forget a conversation this long after its last answer', low=0.0, high=1e6
    )
    look: str = setting(
        'on_change',
        'encode frames ahead of questions: all, those that differ, or none until asked about',
        choices=('always', 'on_change', 'on_demand'),
    )
    look_rate_hz: float = setting(
        5.0, 'most frames of a camera encoded ahead each second; 0: no limit', low=0.0, high=1000.0
    )
    queue_size: int = setting(
        16, 'questions that may wait; further ones are refused as busy', low=1, high=4096
    )
    max_age_s: float = setting(
        0.0, 'refuse to answer about an image older than this; 0: any age', low=0.0, high=1e6
    )
    deadline_s: float = setting(
        0.0, 'end an answer this long after its question arrived; 0: never', low=0.0, high=1e6
    )
    max_tokens: int = setting(
        0, 'most tokens of an answer; 0: what the model says, mostly 512', low=0, high=1 << 16
    )
    temperature: float = setting(
        0.0, 'of sampling; 0: greedy, always the likeliest token', low=0.0, high=2.0
    )
    top_p: float = setting(
        1.0, 'sample among the likeliest tokens that add up to this', low=0.01, high=1.0
    )
    repeat_penalty: float = setting(
        1.0, 'makes tokens that were just said less likely; 1: none', low=1.0, high=2.0
    )
    look_change: float = setting(
        0.04,
        'with look on_change: of luma, relative to its mean, from which a frame is looked at',
        low=0.0,
        high=10.0,
    )
    look_again_s: float = setting(
        30.0,
        'with look on_change: encode a view again for a question if it was found unchanged for '
        'longer than this; 0: never',
        low=0.0,
        high=1e6,
    )
    caption_period_s: float = setting(
        1.0, 'least time between two captions of a camera', low=0.0, high=1e6
    )
    caption_change: float = setting(
        0.01,
        'distance of views, 0 to 2, from which a caption is said; 0: of every view',
        low=0.0,
        high=2.0,
    )
    caption_heartbeat_s: float = setting(
        10.0, 'say a caption after so long even if nothing changed; 0: never', low=0.0, high=1e6
    )
    drafts: bool = setting(
        True, 'guess captions from the last one, where the model was found to say the same'
    )

    def __post_init__(self) -> None:
        check_settings(self)


def check_settings(config: Any) -> None:
    """Raise ConfigError, naming the field, if one of a dataclass of settings cannot be used."""
    for item in fields(config):
        _check(item.name, getattr(config, item.name), type(item.default), item.metadata)


def _check(name: str, value: Any, kind: Any, metadata: Mapping[str, Any]) -> None:
    allowed = (int, float) if kind is float else (kind,)
    if type(value) not in allowed:
        raise ConfigError(f'{name} is {value!r}; it must be of type {kind.__name__}')
    choices = metadata['choices']
    if choices and value not in choices:
        listed = ', '.join(choice or "'' (empty)" for choice in choices)
        raise ConfigError(f'{name} is {value!r}; choose one of {listed}')
    low, high = metadata['low'], metadata['high']
    if low is not None and not (math.isfinite(value) and low <= value <= high):
        raise ConfigError(f'{name} is {value}; it must lie between {low} and {high}')

"""Random JSON schemas, and a plain loop that writes an answer to one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st

from mobilevlm_ros.engine.constraint import Constraint
from mobilevlm_ros.engine.sampling import create_sampler
from mobilevlm_ros.engine.vocabulary import Vocabulary

Logits = Callable[[int], np.ndarray]  # after the token

NAMES = st.text(st.characters(exclude_categories=['Cs']), min_size=1, max_size=5)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | NAMES
    | st.decimals(-1000, 1000, places=3).map(float)
)


def _plain(value: float) -> int | float:
    return int(value) if value == int(value) else value


@st.composite
def numbers(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(['integer', 'number']))
    places = 0 if kind == 'integer' else 3
    largest = draw(st.sampled_from([9, 10**4, 10**12]))
    bounds = st.decimals(-largest, largest, places=places).map(float).map(_plain)
    low, high = sorted((draw(bounds), draw(bounds)))
    schema = {'type': kind, 'minimum': low, 'maximum': high}
    for name in draw(st.sets(st.sampled_from(['minimum', 'maximum']))):
        del schema[name]
    return schema


LEAVES = st.one_of(
    numbers(),
    st.sampled_from(['boolean', 'null', 'string']).map(lambda kind: {'type': kind}),
    st.integers(0, 12).map(lambda most: {'type': 'string', 'maxLength': most}),
    st.lists(SCALARS, min_size=1, max_size=5).map(lambda values: {'enum': values}),
    SCALARS.map(lambda value: {'const': value}),
)


@st.composite
def arrays(draw: Any, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    least, most = sorted((draw(st.integers(0, 4)), draw(st.integers(0, 4))))
    return {'type': 'array', 'items': draw(inner), 'minItems': least, 'maxItems': most}


@st.composite
def objects(draw: Any, inner: st.SearchStrategy[Any]) -> dict[str, Any]:
    properties = draw(st.dictionaries(NAMES, inner, max_size=4))
    required = sorted(name for name in properties if draw(st.booleans()))
    schema: dict[str, Any] = {'type': 'object', 'properties': properties, 'required': required}
    return {**schema, 'additionalProperties': False}


SCHEMAS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        arrays(inner),
        objects(inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {'anyOf': options}),
    ),
    max_leaves=6,
).map(json.dumps)


def noise(size: int, seed: int) -> Logits:
    """Logits of a model that says anything."""
    random = np.random.default_rng(seed)
    return lambda token: random.normal(0, 3, size).astype(np.float32)


def write(
    constraint: Constraint,
    vocabulary: Vocabulary,
    logits: Logits,
    temperature: float = 0.0,
    most: int = 10**6,
) -> tuple[bytes, int, str]:
    """Generate as an engine does, `most` tokens at most: the text, its tokens, why it ended."""
    sampler = create_sampler(temperature, 0.9, 1, constraint=constraint)
    tokens: list[int] = []
    reason = ''
    while not reason:
        token = sampler(logits(tokens[-1] if tokens else -1))
        if vocabulary.ends[token]:
            reason = 'stop'
            break
        tokens.append(token)
        reason = constraint.finish_reason or ('cancelled' if len(tokens) >= most else '')
    tokens += constraint.close()
    return b''.join(vocabulary.pieces[token] for token in tokens), len(tokens), reason

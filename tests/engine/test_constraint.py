"""What is written under a schema is JSON that fits it, wherever it is cut."""

import json
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mobilevlm_ros.engine import FakeLanguageModel, QuestionError
from mobilevlm_ros.engine.constraint import Constraint, create_constraint
from mobilevlm_ros.engine.sampling import create_sampler, greedy
from mobilevlm_ros.engine.vocabulary import Vocabulary, read_vocabulary
from tests.engine.schemas import SCHEMAS, noise, write

SCENE = json.dumps(
    {
        'type': 'object',
        'properties': {
            'colour': {'type': 'string', 'enum': ['red', 'green', 'blue']},
            'near': {'type': 'boolean'},
            'count': {'type': 'integer', 'minimum': 0, 'maximum': 20},
            'note': {'type': 'string', 'maxLength': 12},
        },
        'required': ['colour', 'count'],
        'additionalProperties': False,
    }
)
FAKE = read_vocabulary(FakeLanguageModel())


def check(text: bytes, schema: str) -> Any:
    """The document, which is JSON that fits the schema."""
    document = json.loads(text.decode(), parse_constant=pytest.fail)
    jsonschema.validate(document, json.loads(schema))
    return document


def constrain(schema: str, vocabulary: Vocabulary, extra: int) -> tuple[Constraint, int]:
    """A constraint that has so many tokens more than the shortest document takes."""
    try:
        return create_constraint(schema, vocabulary, 0), 0
    except QuestionError as error:
        needed = int(str(error).split(' takes ')[1].split()[0])
    return create_constraint(schema, vocabulary, needed + extra), needed + extra


@settings(max_examples=150, deadline=None)
@given(SCHEMAS, st.integers(0, 80), st.sampled_from([0.0, 1.0, 2.0]), st.integers(0, 9))
def test_any_schema_gives_valid_json_at_any_max_tokens(
    schema: str, extra: int, temperature: float, seed: int
) -> None:
    constraint, most = constrain(schema, FAKE, extra)
    text, tokens, reason = write(constraint, FAKE, noise(258, seed), temperature)
    check(text, schema)
    assert tokens <= most
    assert reason in ('stop', 'length')


@settings(max_examples=50, deadline=None)
@given(SCHEMAS, st.integers(1, 30), st.integers(0, 9))
def test_an_answer_that_is_cancelled_is_closed(schema: str, most: int, seed: int) -> None:
    constraint, room = constrain(schema, FAKE, 100)
    text, tokens, _ = write(constraint, FAKE, noise(258, seed), 1.0, most)
    check(text, schema)
    assert tokens <= room


@pytest.fixture(scope='module')
def tiny(tiny_bundle: Any) -> Any:
    from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel

    llm = LlamaCppLanguageModel(
        tiny_bundle / 'llm.gguf', context_length=256, cells=256, sequences=1, threads=1
    )
    yield llm, read_vocabulary(llm)
    llm.close()


@settings(max_examples=60, deadline=None)
@given(schema=SCHEMAS, extra=st.integers(0, 60), temperature=st.sampled_from([0.0, 1.0]))
def test_a_model_in_llama_cpp_gives_valid_json_at_any_max_tokens(
    tiny: Any, schema: str, extra: int, temperature: float
) -> None:
    llm, vocabulary = tiny
    llm.remove(0)
    constraint, most = constrain(schema, vocabulary, extra)
    assume(most < llm.context_length)

    def logits(token: int) -> np.ndarray:
        return llm.decode(0, [token if token >= 0 else llm.bos])

    text, tokens, _ = write(constraint, vocabulary, logits, temperature)
    check(text, schema)
    assert tokens <= most


def test_max_tokens_below_the_shortest_document_is_refused_with_what_it_takes() -> None:
    shortest = len('{"colour":"red","count":0}')
    with pytest.raises(QuestionError, match=f'takes {shortest} tokens'):
        create_constraint(SCENE, FAKE, shortest - 1)
    text, _, _ = write(create_constraint(SCENE, FAKE, shortest), FAKE, noise(258, 0))
    assert check(text, SCENE).keys() == {'colour', 'count'}


def saying(text: bytes) -> np.ndarray:
    """Rows of logits of a model that wants to say this and then to end."""
    rows = np.zeros((len(text) + 1, 258), np.float32)
    rows[np.arange(len(rows)), [*text, 257]] = 9.0
    return rows


def test_what_fits_is_left_as_the_model_says_it() -> None:
    wanted = '{"colour":"blue","near":true,"count":12,"note":"à gauche"}'.encode()
    rows = iter(saying(wanted))
    said, _, reason = write(create_constraint(SCENE, FAKE, 100), FAKE, lambda _: next(rows))
    assert (said, reason) == (wanted, 'stop')


def test_an_answer_cut_by_max_tokens_keeps_what_was_said() -> None:
    wanted = b'{"colour":"blue","near":true,"count":12,"note":"on the left"}'
    rows = iter(saying(wanted))
    constraint = create_constraint(SCENE, FAKE, wanted.index(b'left') + 2)
    said, _, reason = write(constraint, FAKE, lambda _: next(rows))
    assert (said, reason) == (
        b'{"colour":"blue","near":true,"count":12,"note":"on the "}',
        'length',
    )


def test_a_number_ends_where_the_model_ends_it() -> None:
    for wanted in (b'1', b'12', b'120'):
        rows = iter(saying(wanted))
        constraint = create_constraint('{"type": "integer", "maximum": 120}', FAKE, 9)
        assert write(constraint, FAKE, lambda _: next(rows))[0] == wanted  # noqa: B023


def test_end_tokens_come_only_where_the_document_may_end() -> None:
    constraint = create_constraint(SCENE, FAKE, 40)
    logits = np.zeros(258, np.float32)
    logits[257] = 9
    assert constraint.choose(logits, greedy) == ord('{')


def test_drawing_is_by_the_probability_among_what_fits() -> None:
    vocabulary = Vocabulary([b'a', b'"a"', b'"b"', b'"c"', b''], np.arange(5) == 4)
    logits = np.log(np.array([0.4, 0.3, 0.1, 0.15, 0.05], np.float32))
    counts = np.zeros(5)
    for seed in range(4000):
        constraint = create_constraint('{"enum": ["a", "b"]}', vocabulary, 1)
        counts[create_sampler(1.0, 1.0, seed, constraint=constraint)(logits)] += 1
    assert counts / 4000 == pytest.approx(np.array([0, 0.75, 0.25, 0, 0]), abs=0.03)


def test_where_nothing_has_a_chance_the_document_is_closed() -> None:
    constraint = create_constraint(SCENE, FAKE, 40)
    logits = np.full(258, -np.inf, np.float32)
    logits[ord('x')] = 0
    assert constraint.choose(logits, greedy) == ord('{')
    assert constraint.finish_reason == 'length'

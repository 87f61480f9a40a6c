"""JSON answers through the engine."""

import json

import pytest

from mobilevlm_ros.engine import Engine, Question, QuestionError
from tests.engine.support import MakeFrame

SCHEMA = json.dumps(
    {
        'type': 'object',
        'properties': {'clear': {'type': 'boolean'}, 'side': {'enum': ['left', 'right']}},
        'required': ['clear', 'side'],
        'additionalProperties': False,
    }
)


@pytest.mark.parametrize('max_tokens', [24, 40, 60])
def test_an_answer_by_schema_is_json_wherever_it_is_cut(
    engine: Engine, make_frame: MakeFrame, max_tokens: int
) -> None:
    engine.look(make_frame())
    for temperature in (0.0, 1.5):
        question = Question(
            'What?', json_schema=SCHEMA, max_tokens=max_tokens, temperature=temperature
        )
        answer = engine.ask(question)
        assert set(json.loads(answer.text)) == {'clear', 'side'}
        assert answer.timing.generated_tokens <= max_tokens


def test_a_schema_that_is_not_served_fails_its_question_alone(
    engine: Engine, make_frame: MakeFrame
) -> None:
    engine.look(make_frame())
    with pytest.raises(QuestionError):
        engine.ask(Question('What?', json_schema='{"$ref": "http://x"}'))
    engine.ask(Question('What?', max_tokens=2, repeat_penalty=1.3))

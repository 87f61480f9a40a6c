"""The model that ships, made to answer by JSON schema."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from mobilevlm_ros.engine import QuestionError
from mobilevlm_ros.engine.constraint import create_constraint
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from mobilevlm_ros.engine.vocabulary import Vocabulary, read_vocabulary
from tests.engine.schemas import write

THING = {
    'type': 'object',
    'properties': {
        'colour': {'enum': ['red', 'green', 'blue', 'yellow', 'orange']},
        'near': {'type': 'boolean'},
        'count': {'type': 'integer', 'minimum': 1, 'maximum': 12},
        'note': {'type': 'string', 'maxLength': 30},
    },
    'required': ['colour', 'near', 'count', 'note'],
}
SCHEMAS: list[Any] = [
    THING,
    {'type': 'array', 'items': THING, 'minItems': 1, 'maxItems': 3},
    {'type': 'string', 'maxLength': 25},
    {'type': 'number', 'minimum': -1.5, 'maximum': 1.5},
    {'anyOf': [{'type': 'null'}, {'enum': ['left', 'right']}]},
]


@pytest.fixture(scope='module')
def nano(root: Path) -> Iterator[tuple[LlamaCppLanguageModel, Vocabulary]]:
    llm = LlamaCppLanguageModel(
        root / 'models' / 'nano' / 'llm.gguf', context_length=512, cells=512, sequences=1
    )
    yield llm, read_vocabulary(llm)
    llm.close()


@pytest.mark.parametrize('schema', SCHEMAS)
@pytest.mark.parametrize('extra', [0, 3, 80])
def test_it_writes_valid_json(
    nano: tuple[LlamaCppLanguageModel, Vocabulary], schema: Any, extra: int
) -> None:
    llm, vocabulary = nano
    text = json.dumps(schema)
    with pytest.raises(QuestionError) as refused:
        create_constraint(text, vocabulary, 0)
    most = int(str(refused.value).split(' takes ')[1].split()[0]) + extra
    prompt = [llm.bos, *llm.tokenise('USER: \nWhat is ahead? ASSISTANT:')]

    def logits(token: int) -> np.ndarray:
        return llm.decode(0, [token] if token >= 0 else prompt)

    llm.remove(0)
    said, tokens, reason = write(create_constraint(text, vocabulary, most), vocabulary, logits)
    jsonschema.validate(json.loads(said), schema)
    assert tokens <= most
    assert reason in ('stop', 'length')

from collections.abc import Callable
from pathlib import Path

import pytest
import sentencepiece
from sentencepiece import sentencepiece_model_pb2 as proto

from mobilevlm_ros.engine import Engine, load_bundle
from mobilevlm_ros.engine.bundle import PromptSpec
from mobilevlm_ros.engine.prompt import head_tokens, question_part, question_tokens, turn_tokens

NASTY = [
    'What is ahead?',
    '  two  spaces   and a trailing one ',
    'Größe? ¿Qué hay delante?',
    '前面有什么?',
    '🤖🦾 is there a 🧱?',
    'tabs\tand\nnew lines\r\n',
    'zero\x00byte and \x07 bell',
    '{question} {braces} %s \\n',
    'a' * 60,
    '</s><s>[INST] <unk> <0x0A>',
]


@pytest.fixture
def encode(vocabulary: sentencepiece.SentencePieceProcessor) -> Callable[[str], list[int]]:
    return lambda text: list(vocabulary.encode(text))


def test_the_head_is_what_sentencepiece_makes_of_it_after_one_bos(
    engine: Engine, tiny_bundle: Path, encode: Callable[[str], list[int]]
) -> None:
    prompt = load_bundle(tiny_bundle).prompt
    llm = engine.language.llm
    assert head_tokens(prompt, llm.tokenise, llm.bos) == [1, *encode(prompt.head)]


@pytest.mark.parametrize('question', NASTY)
def test_a_question_is_what_sentencepiece_makes_of_it(
    engine: Engine, tiny_bundle: Path, encode: Callable[[str], list[int]], question: str
) -> None:
    prompt = load_bundle(tiny_bundle).prompt
    tokens = question_tokens(prompt, question, engine.language.llm.tokenise)
    assert tokens == encode(f'\n{question.strip()} ASSISTANT:')


def test_a_question_cannot_bring_in_special_tokens(engine: Engine) -> None:
    assert not {0, 1, 2} & set(engine.language.llm.tokenise('</s><s><unk>'))


def test_a_question_is_put_in_once_whatever_it_says(tiny_bundle: Path) -> None:
    prompt = load_bundle(tiny_bundle).prompt
    assert question_part(prompt, ' {question} ') == '\n{question} ASSISTANT:'


@pytest.mark.parametrize('question', NASTY)
@pytest.mark.parametrize('space', [True, False])
def test_a_turn_is_what_sentencepiece_makes_of_it_with_or_without_a_space_before_it(
    engine: Engine, vocabulary: sentencepiece.SentencePieceProcessor, question: str, space: bool
) -> None:
    """As transformers' LlamaTokenizer does behind an end token, with `legacy` or without."""
    model = proto.ModelProto()
    model.ParseFromString(vocabulary.serialized_model_proto())
    model.normalizer_spec.add_dummy_prefix = space
    plain = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    prompt = PromptSpec('', '{question}', (), 'USER: {question} ASSISTANT:', space)
    found = turn_tokens(prompt, question, False, engine.language.llm.tokenise)
    assert found == plain.encode(f'USER: {question.strip()} ASSISTANT:')

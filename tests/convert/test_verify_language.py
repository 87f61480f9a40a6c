"""What counts as a decided choice, and what of it fails."""

import numpy as np
import pytest

from mobilevlm_ros.convert.reference_llama import Continuation, Prompt
from mobilevlm_ros.convert.verify_language import (
    verify_file,
    verify_greedy,
    verify_logits,
    verify_tensors,
)

PROMPT = Prompt([1], np.zeros((1, 2), np.float32), [2])
# After the head, after the question (which predicts 0), after the answer's first token.
LOGITS = np.array([[0, 1, 5], [9, 1, 0], [3, 2.9, 0]], np.float32)
REFERENCE = Continuation(PROMPT, (0, 0), LOGITS)
NOISE = np.array([[0.1, 0, 0], [0, 0, 0], [0, 0, 0]], np.float32)


def test_another_choice_within_the_noise_is_no_failure() -> None:
    found = LOGITS + NOISE
    found[2, 1] = 3.05  # now it leads, in a place where the reference's lead is below twice 0.1
    row = verify_greedy('F16', [REFERENCE], [found])
    assert row.passed and row.amount == '2 tokens, 1 of them decided'


@pytest.mark.parametrize(('kind', 'passed'), [('F16', False), ('F32', False), ('Q4_K_M', True)])
def test_another_choice_beyond_the_noise_fails_where_nothing_is_quantised(
    kind: str, passed: bool
) -> None:
    found = LOGITS + NOISE
    found[1] = [1, 9, 0]
    row = verify_greedy(kind, [REFERENCE], [found])
    assert row.passed == passed and row.worst[0].value == 1


def test_a_proof_without_a_decided_token_says_so() -> None:
    row = verify_greedy('F16', [REFERENCE], [LOGITS + 10 * NOISE * [[9, 0, 0]]])
    assert 'proves nothing' in row.note


@pytest.mark.parametrize(('kind', 'passed'), [('F16', False), ('Q4_K_M', True)])
def test_logits_of_quantised_files_are_reported_only(kind: str, passed: bool) -> None:
    assert verify_logits(kind, [REFERENCE], [LOGITS]).passed
    assert verify_logits(kind, [REFERENCE], [-LOGITS]).passed == passed


def test_a_file_that_llama_cpp_computes_otherwise_fails() -> None:
    assert verify_file('Q4_K_M', [LOGITS], [LOGITS + NOISE]).passed
    assert not verify_file('Q4_K_M', [LOGITS], [-LOGITS]).passed
    assert not verify_file('Q4_K_M', [LOGITS], [LOGITS * np.nan]).passed


@pytest.mark.parametrize(('kind', 'least'), [('Q4_K_M', 0.99), ('Q2_K', 0.9), ('TQ1_0', 0.7)])
def test_the_worst_tensor_is_named_and_limited_by_type(kind: str, least: float) -> None:
    row = verify_tensors(kind, {'good': 1.0, 'bad': least - 0.01})
    assert not row.passed and row.note.endswith('bad')
    assert verify_tensors(kind, {'good': 1.0, 'fair': least}).passed

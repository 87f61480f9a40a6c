"""Proof of the language model: llama.cpp's logits and choices against transformers'."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path

import gguf
import numpy as np

from mobilevlm_ros.convert.reference_llama import Continuation
from mobilevlm_ros.convert.verify_report import Measure, Row
from mobilevlm_ros.convert.verify_vision import token_cosines
from mobilevlm_ros.engine.llm import LanguageModel
from mobilevlm_ros.engine.types import Floats

WHOLE = ('F32', 'F16')
LEAST_COSINE = 0.9999  # of logits, where the matrices are not quantised
LEAST_FILE_COSINE = 0.99  # where they are, and llama.cpp rounds activations to 8 bits besides
# Of a quantised tensor with the source's, by bits of a weight.
LEAST_TENSOR_COSINE = {1: 0.7, 2: 0.9, 3: 0.95}
LEAST_TENSOR_COSINE_OTHERS = 0.99
SEQUENCE = 0


def matrix_type(path: Path) -> str:
    """Type of a GGUF file's matrices, as llama.cpp has it: F16, Q4_K_M and so on."""
    field = gguf.GGUFReader(path).get_field('general.file_type')
    name = gguf.LlamaFileType(int(field.contents())).name if field else 'unknown'
    return name.removeprefix('MOSTLY_').removeprefix('ALL_')


def replay(llm: LanguageModel, reference: Continuation) -> Floats:
    """llama.cpp's logits at the positions of the reference's, given the reference's tokens."""
    prompt = reference.prompt
    llm.remove(SEQUENCE)
    logits = [llm.decode(SEQUENCE, prompt.head)]
    llm.decode_embeddings(SEQUENCE, prompt.visual)
    for token in (*prompt.question, *reference.answer[:-1]):
        logits.append(llm.decode(SEQUENCE, [token]))
    return np.stack(logits)


def verify_tensors(kind: str, cosines: Mapping[str, float]) -> Row:
    """Every tensor of a quantised file, taken apart, with the source's.

    Args:
        kind: type of the file's matrices.
        cosines: of each tensor.
    """
    worst = min(cosines, key=lambda name: cosines[name])
    bits = next((int(letter) for letter in kind if letter.isdigit()), 0)
    least = LEAST_TENSOR_COSINE.get(bits, LEAST_TENSOR_COSINE_OTHERS)
    return Row(
        f'tensors {kind}',
        'file in float32, source',
        f'{len(cosines)} tensors',
        (Measure('cosine', cosines[worst], least=least),),
        f'worst cosine at {worst}',
    )


def verify_logits(kind: str, references: Sequence[Continuation], found: Sequence[Floats]) -> Row:
    """Cosine of the logits at every position of text, the answer included.

    Of a quantised file it is reported alone: how much a model loses depends on its weights.
    """
    return _compare(
        f'logits {kind}', 'llama.cpp, transformers float32', [r.logits for r in references],
        found, LEAST_COSINE if kind in WHOLE else -math.inf,
    )  # fmt: skip


def verify_file(kind: str, own: Sequence[Floats], found: Sequence[Floats]) -> Row:
    """The same with transformers' over the file's own tensors, which tells a fault from a loss."""
    return _compare(
        f'file {kind}', "llama.cpp, transformers on the file's tensors", own, found,
        LEAST_FILE_COSINE,
    )  # fmt: skip


def _compare(
    stage: str, what: str, expected: Sequence[Floats], found: Sequence[Floats], least: float
) -> Row:
    cosines = np.concatenate([token_cosines(f, e) for f, e in zip(found, expected, strict=True)])
    return Row(
        stage,
        what,
        f'{len(expected)} prompts with image, {len(cosines)} positions',
        (Measure('cosine', float(cosines.min()), least=least),),
    )


def verify_greedy(kind: str, references: Sequence[Continuation], found: Sequence[Floats]) -> Row:
    """The likeliest token at every position of the answer, where the reference is decided.

    Numeric noise is measured on the prompts: how far a logit is off there at most. A choice is
    decided where the reference's best logit leads the next by more than twice that. Each token is
    predicted from the reference's tokens before it, so that one undecided choice does not end
    the comparison.
    """
    pairs = list(zip(references, found, strict=True))
    noise = max(_noise(reference, logits) for reference, logits in pairs)
    decided = wrong = total = 0
    for reference, logits in pairs:
        answer = slice(len(reference.logits) - len(reference.answer), None)
        expected = reference.logits[answer]
        sure = _margins(expected) > 2 * noise
        same = logits[answer].argmax(-1) == expected.argmax(-1)
        total, decided = total + len(sure), decided + int(sure.sum())
        wrong += int((sure & ~same).sum())
    most = 0 if kind in WHOLE else math.inf
    return Row(
        f'greedy {kind}',
        'llama.cpp, transformers float32',
        f'{total} tokens, {decided} of them decided',
        (Measure('decided tokens that differ', wrong, most=most), Measure('noise', noise)),
        '' if decided else 'no token was decided, so this proves nothing',
    )


def _noise(reference: Continuation, found: Floats) -> float:
    """Largest difference of a logit within the prompt."""
    prompt = slice(0, len(reference.logits) - len(reference.answer))
    return float(np.abs(found[prompt] - reference.logits[prompt]).max())


def _margins(logits: Floats) -> Floats:
    """By how much the best logit leads the second best, at each position."""
    best = np.sort(logits, axis=-1)[:, -2:]
    margins: Floats = best[:, 1] - best[:, 0]
    return margins

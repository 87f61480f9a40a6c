"""Proof of a bundle against the checkpoint that it was made from, stage by stage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import sentencepiece
from tqdm import tqdm

from mobilevlm_ros.convert.dequantised import load_dequantised
from mobilevlm_ros.convert.reference_llama import (
    Continuation,
    Prompt,
    continue_greedily,
    load_llama,
    replay_reference,
)
from mobilevlm_ros.convert.source import Source
from mobilevlm_ros.convert.verify_language import (
    WHOLE,
    matrix_type,
    replay,
    verify_file,
    verify_greedy,
    verify_logits,
    verify_tensors,
)
from mobilevlm_ros.convert.verify_pixels import read_photos, verify_pixels
from mobilevlm_ros.convert.verify_report import Row
from mobilevlm_ros.convert.verify_tokenizer import verify_tokenizer
from mobilevlm_ros.convert.verify_vision import reference_tokens, verify_vision
from mobilevlm_ros.engine.bundle import Bundle
from mobilevlm_ros.engine.errors import BundleError
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from mobilevlm_ros.engine.prompt import head_tokens, question_part, question_tokens
from mobilevlm_ros.engine.types import Floats

PROMPTS = 3  # images that the language model is asked about


def verify_bundle(
    bundle: Bundle, source: Source, images: Path, tokens: int
) -> Iterator[Row]:
    """Yield a row for each stage as it is done.

    The reference's parts are in memory one after the other, never together: tower and projector,
    then the language model, then that of a quantised file, then llama.cpp's.

    Raises:
        BundleError: if the bundle's sizes are not the source's.
        ConfigError: if there are no images.
    """
    check_sizes(bundle, source)
    photos = read_photos(images, source)
    yield verify_pixels(bundle.vision, source, photos)
    visual = reference_tokens(source, photos)
    yield from verify_vision(bundle, photos, visual)
    references = _answer(bundle, source, visual[:PROMPTS], tokens)
    yield from _verify_llm(bundle, source, references)


def check_sizes(bundle: Bundle, source: Source) -> None:
    """Refuse to compare a bundle with a checkpoint of other sizes."""
    vision, geometry = bundle.vision, source.geometry
    found = (
        vision.image_size, vision.visual_tokens, vision.width, vision.projector, vision.resize,
    )  # fmt: skip
    expected = (
        geometry.image_size, geometry.visual_tokens, geometry.width, geometry.projector,
        source.resize,
    )  # fmt: skip
    if found != expected:
        raise BundleError(
            f'{bundle.path} has image size, visual tokens, width, projector and resize {found} '
            f'where {source.name} has {expected}; compare it with the checkpoint that it was made '
            'from'
        )


def _answer(
    bundle: Bundle, source: Source, visual: Sequence[Floats], tokens: int
) -> list[Continuation]:
    """The reference's answers to the caption's question; tokens are sentencepiece's."""
    vocabulary = sentencepiece.SentencePieceProcessor(model_file=str(source.tokenizer))
    head = head_tokens(bundle.prompt, vocabulary.encode, vocabulary.bos_id())
    question = question_tokens(bundle.prompt, bundle.caption_question, vocabulary.encode)
    model = load_llama(source)
    prompts = [Prompt(head, tokens_of_image, question) for tokens_of_image in visual]
    bar = tqdm(prompts, 'answers, transformers', unit='image')
    return [continue_greedily(model, p, tokens, vocabulary.eos_id()) for p in bar]


def _verify_llm(
    bundle: Bundle, source: Source, references: Sequence[Continuation]
) -> Iterator[Row]:
    path = bundle.backend_file('llama_cpp')
    kind = matrix_type(path)
    own: list[Floats] = []
    if kind not in WHOLE:
        model, cosines = load_dequantised(path, source)
        yield verify_tensors(kind, cosines)
        bar = tqdm(references, "answers, transformers on the file's", unit='image')
        own = [replay_reference(model, reference) for reference in bar]
        del model
    context = bundle.context_length
    llm = LlamaCppLanguageModel(path, context_length=context, cells=context, sequences=1)
    try:
        said = (bundle.prompt.head, question_part(bundle.prompt, bundle.caption_question))
        yield verify_tokenizer(llm.tokenise, source.tokenizer, said)
        bar = tqdm(references, 'answers, llama.cpp', unit='image')
        found = [replay(llm, reference) for reference in bar]
    finally:
        llm.close()
    if own:
        yield verify_file(kind, own, found)
    yield verify_logits(kind, references, found)
    yield verify_greedy(kind, references, found)

"""The seam to the language model: token sequences that share one KV cache."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from mobilevlm_ros.engine.bundle import Bundle
from mobilevlm_ros.engine.config import EngineConfig
from mobilevlm_ros.engine.errors import BackendError, ConfigError
from mobilevlm_ros.engine.steps import Part
from mobilevlm_ros.engine.types import Floats

QUESTION_CELLS = 128  # a question of some words and a short answer


class LanguageModel(Protocol):
    """A decoder and its cache. Every call comes from one thread at a time.

    Sequences are numbered from 0 and start empty. Copying one copies no data: both share the
    cells of their common beginning until the last of them is removed.
    """

    name: str  # what runs, for people: `llama.cpp`
    placement: str  # how much of it is on a GPU, for people; empty where that means nothing
    vocabulary: int  # tokens that there are
    width: int  # of one embedding
    context_length: int  # most tokens of one sequence
    sequences: int  # how many there are
    cells: int  # of the cache: tokens of all sequences, those that they share counted once
    bos: int  # the token that begins every prompt
    end: int  # the token that ends every answer; below zero: the vocabulary has none

    def tokenise(self, text: str) -> list[int]:
        """Turn text into tokens; special tokens are not recognised in it, nor added."""

    def piece(self, token: int) -> bytes:
        """The bytes of one token, perhaps a part of a character; none for special tokens."""

    def is_end(self, token: int) -> bool:
        """Whether the token ends an answer."""

    def length(self, sequence: int) -> int:
        """Tokens in the sequence."""

    def decode(self, sequence: int, tokens: Sequence[int]) -> Floats:
        """Append tokens; returns the logits after the last, float32 (vocabulary,)."""

    def decode_parts(self, parts: Sequence[Part]) -> list[Floats]:
        """Append tokens to several sequences at once.

        Args:
            parts: those of the same sequence come one behind the other.

        Returns:
            for each part the logits after its last tokens, float32 (rows, vocabulary). They may
            be overwritten by the next call.

        Raises:
            BackendError: if the parts cannot be decoded. Whatever is raised, all sequences are
                then as before.
        """

    def decode_embeddings(self, sequence: int, embeddings: Floats) -> None:
        """Append embeddings, float32 (n, width), in place of tokens."""

    def copy(self, source: int, target: int) -> None:
        """Make an empty sequence begin as another one is now."""

    def truncate(self, sequence: int, length: int) -> None:
        """Keep the first `length` tokens of the sequence, of which there must be so many."""

    def remove(self, sequence: int) -> None:
        """Empty the sequence."""

    def close(self) -> None:
        """Free what is held; nothing may be called afterwards."""


def create_llm(bundle: Bundle, config: EngineConfig, sequences: int, shared: int) -> LanguageModel:
    """Load the language model that the config names.

    Args:
        bundle: the model.
        config: backend, threads and context length.
        sequences: how many to make room for.
        shared: tokens that held sequences occupy beside the longest conversation.
    """
    length = context_length(bundle, config)
    if config.llm == 'fake':
        from mobilevlm_ros.engine.fake import FakeLanguageModel

        return FakeLanguageModel(bundle.vision.width, length, sequences, cells=length + shared)
    from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel

    return LlamaCppLanguageModel(
        bundle.backend_file('llama_cpp'),
        context_length=length,
        cells=length + shared,
        sequences=sequences,
        kv_type=config.kv_type,
        batch_tokens=config.batch_tokens,
        threads=config.llm_threads,
        n_gpu_layers=config.n_gpu_layers,
    )


def shared_cells(bundle: Bundle, config: EngineConfig) -> int:
    """Cells beside those of the longest conversation, for what is in the cache at a time.

    One frame more than are held may be coming, and one still be asked about. Further questions
    have room for a short answer; a longer one waits until there is room.
    """
    frames = (config.held_frames + 2) * bundle.vision.visual_tokens
    return frames + config.active_questions * QUESTION_CELLS


def check_parts(llm: LanguageModel, parts: Sequence[Part]) -> None:
    """Raise unless these parts can be decoded together."""
    if not parts:
        raise BackendError('nothing to decode: the list of parts is empty')
    coming: Counter[int] = Counter()
    for part in parts:
        count = len(part.tokens)
        for sequence in part.sequences:
            check_append(llm, sequence, count, coming[sequence])
        if not 0 <= part.rows <= count:
            raise BackendError(f'{part.rows} rows of logits of {count} tokens')
        if part.also:
            _check_alike(llm, part.sequences, coming)
        coming.update(dict.fromkeys(part.sequences, count))


def _check_alike(llm: LanguageModel, sequences: Sequence[int], coming: Counter[int]) -> None:
    """Raise unless these sequences can share tokens: native code refuses the whole batch."""
    problem = f'sequences {tuple(sequences)} cannot share tokens'
    if len(set(sequences)) < len(sequences):
        raise BackendError(f'{problem}: one is named twice')
    if len({llm.length(sequence) + coming[sequence] for sequence in sequences}) > 1:
        raise BackendError(f'{problem}: lengths differ')


def check_truncate(llm: LanguageModel, sequence: int, length: int) -> None:
    """Raise unless the sequence has so many tokens."""
    check_sequence(llm, sequence)
    if not 0 <= length <= llm.length(sequence):
        raise BackendError(
            f'sequence {sequence} has {llm.length(sequence)} tokens; it cannot keep {length}'
        )


def check_append(llm: LanguageModel, sequence: int, count: int, coming: int = 0) -> None:
    """Raise unless so many tokens can be appended: native code would abort the process.

    Args:
        llm: whose sequence it is.
        sequence: its number.
        count: tokens.
        coming: tokens that are appended before.
    """
    check_sequence(llm, sequence)
    if count < 1:
        raise BackendError('nothing to decode: the list of tokens is empty')
    room = llm.context_length - llm.length(sequence) - coming
    if count > room:
        raise BackendError(f'{count} tokens do not fit into sequence {sequence}: room for {room}')


def check_sequence(llm: LanguageModel, sequence: int) -> None:
    """Raise unless the sequence exists."""
    if not 0 <= sequence < llm.sequences:
        raise BackendError(f'no sequence {sequence}: there are {llm.sequences}')


def check_copy(llm: LanguageModel, source: int, target: int) -> None:
    """Raise unless the first can be copied to the second."""
    check_sequence(llm, source)
    check_sequence(llm, target)
    if source == target or llm.length(target):
        raise BackendError(f'sequence {target} is not empty: nothing can be copied to it')


def context_length(bundle: Bundle, config: EngineConfig) -> int:
    """Tokens of one conversation: what the config asks for, within what the model was made for."""
    most = bundle.context_length
    if config.context_length > most:
        raise ConfigError(
            f'context_length is {config.context_length}; {bundle.name} was made for {most}'
        )
    return config.context_length or most

"""The floor: a bare loop over llama.cpp's own functions that keeps all that can be kept.

Nothing is checked, nothing may be cancelled, no text is made. How close we come to it is what
our engine costs.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import llama_cpp
import numpy as np
import onnxruntime

from mobilevlm_ros.bench import frames
from mobilevlm_ros.engine import load_bundle
from mobilevlm_ros.engine.cpu import thread_count
from mobilevlm_ros.engine.llama_cpp_library import context_params, load_model, suitable_threads
from mobilevlm_ros.engine.preprocess import preprocess
from mobilevlm_ros.engine.prompt import head_tokens, question_tokens
from mobilevlm_ros.engine.types import Floats

HEAD, FRAME, QUESTION = 0, 1, 2  # sequences
BATCH = 512
ANSWER = 64  # tokens


class Floor:
    """One context, one held frame, one question at a time."""

    def __init__(self, bundle: Path, precision: str, threads: int) -> None:
        self._bundle = load_bundle(bundle, verify=False)
        self._vision = _session(self._bundle.backend_file('onnxruntime', precision), threads)
        path = self._bundle.backend_file('llama_cpp')
        model = load_model(path)
        cells = self._bundle.context_length + 2 * self._bundle.vision.visual_tokens
        params = context_params(cells, 3, BATCH, suitable_threads(path, threads))
        self._context = llama_cpp.llama_init_from_model(model, params)
        self._memory = llama_cpp.llama_get_memory(self._context)
        self._vocab = llama_cpp.llama_model_get_vocab(model)
        self._size = int(llama_cpp.llama_vocab_n_tokens(self._vocab))
        self._text = llama_cpp.llama_batch_init(BATCH, 0, 1)
        width = self._bundle.vision.width
        self._image = llama_cpp.llama_batch_init(BATCH, width, 1)
        bos = llama_cpp.llama_vocab_bos(self._vocab)
        head = head_tokens(self._bundle.prompt, self._tokenise, bos)
        self._head = len(head)
        self._held = self._head + self._bundle.vision.visual_tokens
        self._decode(HEAD, head, 0)
        self._number = 0
        self._look()

    def encode(self) -> float:
        """Milliseconds to turn a frame into visual tokens."""
        begin = time.perf_counter()
        self._encode()
        return _ms(begin)

    def new_frame(self) -> float:
        """Milliseconds from a frame to the first token about it."""
        begin = time.perf_counter()
        self._look()
        self._first()
        return _ms(begin)

    def held_frame(self) -> float:
        """Milliseconds from a question to its first token."""
        begin = time.perf_counter()
        self._first()
        return _ms(begin)

    def four_questions(self) -> float:
        """Milliseconds from a frame to four answers of one token."""
        begin = time.perf_counter()
        self._look()
        for _ in frames.TYPED:
            self._first()
        return _ms(begin)

    def four_questions_held(self) -> float:
        """The same of the frame that is held."""
        begin = time.perf_counter()
        for _ in frames.TYPED:
            self._first()
        return _ms(begin)

    def answer(self) -> float:
        """Milliseconds to an answer of 64 tokens."""
        begin = time.perf_counter()
        self._generate(*self._first(self._bundle.caption_question))
        return _ms(begin)

    def decode(self) -> float:
        """Tokens a second from the first to the 64th."""
        token, length = self._first(self._bundle.caption_question)
        begin = time.perf_counter()
        count = self._generate(token, length)
        return count / (time.perf_counter() - begin)

    def batch_cost(self, count: int) -> float:
        """Milliseconds to decode so many tokens of one sequence in one call, with all logits."""
        token, length = self._first()
        begin = time.perf_counter()
        self._decode(QUESTION, [token] * count, length, rows=count)
        return _ms(begin)

    def exact_rows(self, most: int) -> int:
        """Up to how many tokens decoded at once choose what they choose one by one."""
        token, length = self._first()
        choices = []
        tokens = [token]
        for place in range(most):
            choices.append(int(self._decode(QUESTION, tokens[-1:], length + place)[0].argmax()))
            tokens.append(choices[-1])
        for count in range(2, most + 1):
            llama_cpp.llama_memory_seq_rm(self._memory, QUESTION, length, -1)
            rows = self._decode(QUESTION, tokens[:count], length, rows=count)
            if rows.argmax(axis=1).tolist() != choices[:count]:
                return count - 1
        return most

    def sample_rate(self) -> float:
        """Samples a second from the logits of one token."""
        logits = self._decode(QUESTION, [1], self._first()[1])
        begin = time.perf_counter()
        for _ in range(100):
            int(logits[0].argmax())
        return 100 / (time.perf_counter() - begin)

    def question_tokens(self) -> int:
        """Tokens of the next question."""
        return len(self._question())

    def _encode(self) -> Floats:
        self._number += 1
        pixels = preprocess(frames.make_frame(self._number), self._bundle.vision)
        tokens: Floats = self._vision.run(None, {'pixels': pixels[None]})[0][0]
        return tokens

    def _look(self) -> None:
        tokens = self._encode()
        llama_cpp.llama_memory_seq_rm(self._memory, QUESTION, 0, -1)
        llama_cpp.llama_memory_seq_rm(self._memory, FRAME, 0, -1)
        llama_cpp.llama_memory_seq_cp(self._memory, HEAD, FRAME, -1, -1)
        batch, count = self._image, len(tokens)
        np.ctypeslib.as_array(batch.embd, (tokens.size,))[:] = tokens.ravel()
        _place(batch, FRAME, self._head, count, rows=0)
        llama_cpp.llama_decode(self._context, batch)

    def _first(self, text: str = '') -> tuple[int, int]:
        """The first token of the next answer, and how many tokens stand before it."""
        self._number += 1
        llama_cpp.llama_memory_seq_rm(self._memory, QUESTION, 0, -1)
        llama_cpp.llama_memory_seq_cp(self._memory, FRAME, QUESTION, -1, -1)
        tokens = self._question(text)
        logits = self._decode(QUESTION, tokens, self._held)
        return int(logits[0].argmax()), self._held + len(tokens)

    def _question(self, text: str = '') -> list[int]:
        text = text or frames.question(self._number)
        return question_tokens(self._bundle.prompt, text, self._tokenise)

    def _generate(self, token: int, length: int) -> int:
        """Go on up to 64 tokens; returns how many were decoded."""
        for position in range(length, length + ANSWER - 1):
            token = int(self._decode(QUESTION, [token], position)[0].argmax())
            if llama_cpp.llama_vocab_is_eog(self._vocab, token):
                return position - length + 1
        return ANSWER - 1

    def _decode(self, sequence: int, tokens: Sequence[int], start: int, rows: int = 1) -> Floats:
        batch, count = self._text, len(tokens)
        np.ctypeslib.as_array(batch.token, (count,))[:] = tokens
        _place(batch, sequence, start, count, rows)
        if llama_cpp.llama_decode(self._context, batch):
            raise RuntimeError('llama_decode failed')
        logits = llama_cpp.llama_get_logits(self._context)
        found: Floats = np.ctypeslib.as_array(logits, (rows, self._size))
        return found

    def _tokenise(self, text: str) -> list[int]:
        data = text.encode()
        tokens = (llama_cpp.llama_token * (len(data) + 8))()
        count = llama_cpp.llama_tokenize(
            self._vocab, data, len(data), tokens, len(tokens), False, False
        )
        return list(tokens[:count])


def _session(path: Path, threads: int) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = thread_count(threads)
    options.log_severity_level = 3
    options.add_session_config_entry('session.intra_op.allow_spinning', '0')  # it takes our cores
    providers = ['CPUExecutionProvider']
    return onnxruntime.InferenceSession(str(path), options, providers=providers)


def _place(batch: Any, sequence: int, start: int, count: int, rows: int) -> None:
    batch.n_tokens = count
    for index in range(count):
        batch.pos[index] = start + index
        batch.n_seq_id[index] = 1
        batch.seq_id[index][0] = sequence
        batch.logits[index] = index >= count - rows


def _ms(begin: float) -> float:
    return (time.perf_counter() - begin) * 1e3

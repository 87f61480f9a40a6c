"""The peer: llama.cpp's multimodal path, as llama-cpp-python's chat handler runs it.

Its handler empties the cache at every call and encodes the picture again (`llama.reset()` and
`kv_cache_clear()` in llama_chat_format.py), so that a held frame costs it what a new one does.
It is given the picture without compression, and every setting that makes it faster.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import llama_cpp
from llama_cpp import mtmd_cpp
from llama_cpp.llama_chat_format import Llava15ChatHandler

from mobilevlm_ros.bench import frames
from mobilevlm_ros.engine import BackendError, Bundle, load_bundle
from mobilevlm_ros.engine.cpu import has_amx

ANSWER = 64  # tokens
IMAGE = 'memory:frame'  # what stands for the picture in a message


@dataclass(frozen=True, slots=True)
class PeerSettings:
    """What may make the peer faster or slower."""

    mmproj: Path  # of the vision part
    threads: int
    flash_attention: bool = False
    batch_tokens: int = 512

    def __str__(self) -> str:
        attention = 'on' if self.flash_attention else 'off'
        return (
            f'{self.mmproj.name}, {self.threads} threads, flash attention {attention}, '
            f'n_batch {self.batch_tokens}'
        )


class Peer:
    """One Llama with its chat handler."""

    def __init__(self, bundle: Path, settings: PeerSettings) -> None:
        self._bundle = load_bundle(bundle, verify=False)
        if has_amx(llama_cpp.llama_print_system_info().decode()):
            raise BackendError('this llama.cpp was built for AMX, where it may crash')
        mtmd_cpp.mtmd_log_set(_quiet, ctypes.c_void_p(0))
        mtmd_cpp.mtmd_helper_log_set(_quiet, ctypes.c_void_p(0))
        self._handler = Handler(self._bundle, str(settings.mmproj))
        self._llama = StampedLlama(
            model_path=str(self._bundle.backend_file('llama_cpp')),
            chat_handler=self._handler,
            n_ctx=self._bundle.context_length,
            n_batch=settings.batch_tokens,
            n_ubatch=settings.batch_tokens,
            n_threads=settings.threads,
            n_threads_batch=settings.threads,
            flash_attn=settings.flash_attention,
            verbose=False,
        )
        self._number = 0
        self._ask(1)

    def encode(self) -> float:
        """Milliseconds to turn a frame into visual tokens."""
        self._next_frame()
        begin = time.perf_counter()
        self._handler.encode()
        return _ms(begin)

    def new_frame(self) -> float:
        """Milliseconds from a frame to the first token about it."""
        self._next_frame()
        return self._ask(1)

    def held_frame(self) -> float:
        """Milliseconds from a question about the same frame to its first token."""
        return self._ask(1)

    def four_questions(self) -> float:
        """Milliseconds from a frame to four answers of one token."""
        self._next_frame()
        return self.four_questions_held()

    def four_questions_held(self) -> float:
        """The same of the same frame."""
        return sum(self._ask(1, text) for text in frames.TYPED)

    def answer(self) -> float:
        """Milliseconds to an answer of 64 tokens."""
        return self._describe()

    def decode(self) -> float:
        """Tokens a second behind the first one."""
        self._describe()
        stamps = self._llama.stamps[1:]  # without the last token of the prompt, run again
        return (len(stamps) - 1) / (stamps[-1] - stamps[0])

    def looking(self) -> float:
        """Milliseconds to the first token; it knows no other way to look than to be asked."""
        return self.new_frame()

    def static_view(self, seconds: float) -> float:
        """CPU seconds a minute of one caption each second, or as many as there is time for."""
        begin, used = time.perf_counter(), time.process_time()
        while time.perf_counter() - begin < seconds:
            due = time.perf_counter() + 1.0
            self._describe()
            time.sleep(max(0.0, due - time.perf_counter()))
        return 60 * (time.process_time() - used) / (time.perf_counter() - begin)

    def _next_frame(self) -> None:
        self._number += 1
        self._handler.show(frames.make_frame(self._number))

    def _describe(self) -> float:
        return self._ask(ANSWER, self._bundle.caption_question)

    def _ask(self, tokens: int, text: str = '') -> float:
        """Milliseconds of one call."""
        self._number += 1
        content = [
            {'type': 'image_url', 'image_url': IMAGE},
            {'type': 'text', 'text': text or frames.question(self._number)},
        ]
        begin = time.perf_counter()
        self._llama.create_chat_completion(
            [{'role': 'user', 'content': content}],
            max_tokens=tokens, temperature=0.0, repeat_penalty=1.0,
        )  # fmt: skip
        return _ms(begin)


@llama_cpp.llama_log_callback
def _quiet(*_: object) -> None:
    """Say nothing: it tells of every picture."""


class StampedLlama(llama_cpp.Llama):
    """A Llama that notes when it was done with each token of an answer."""

    stamps: list[float]

    def eval(self, tokens: Sequence[int]) -> None:
        """Run the model over tokens: many of a prompt, or one of an answer."""
        super().eval(tokens)
        before = self.stamps if len(tokens) == 1 else []
        self.stamps = [*before, time.perf_counter()]


class Handler(Llava15ChatHandler):
    """The LLaVA handler with our prompt, given pictures from memory."""

    def __init__(self, bundle: Bundle, mmproj: str) -> None:
        self.CHAT_FORMAT = chat_format(bundle)
        self.DEFAULT_SYSTEM_MESSAGE = None
        self.show(frames.make_frame(0))
        super().__init__(clip_model_path=mmproj, verbose=False)

    def show(self, pixels: Any) -> None:
        """Store the next picture, as a file format that costs nothing to read."""
        self._file = cv2.imencode('.ppm', pixels[:, :, ::-1])[1].tobytes()

    def load_image(self, image_url: str) -> bytes:
        """The picture that was shown last."""
        return self._file

    def encode(self) -> None:
        """Run the vision part alone."""
        bitmap = self._create_bitmap_from_bytes(self._file)
        marker = mtmd_cpp.mtmd_default_marker()
        text = mtmd_cpp.mtmd_input_text(marker, len(marker), True, True)
        chunks = mtmd_cpp.mtmd_input_chunks_init()
        bitmaps = (mtmd_cpp.mtmd_bitmap_p_ctypes * 1)(bitmap)
        status = mtmd_cpp.mtmd_tokenize(self.mtmd_ctx, chunks, ctypes.byref(text), bitmaps, 1)
        for index in range(mtmd_cpp.mtmd_input_chunks_size(chunks)):
            chunk = mtmd_cpp.mtmd_input_chunks_get(chunks, index)
            if mtmd_cpp.mtmd_input_chunk_get_type(chunk) == mtmd_cpp.MTMD_INPUT_CHUNK_TYPE_IMAGE:
                status = status or mtmd_cpp.mtmd_encode_chunk(self.mtmd_ctx, chunk)
        mtmd_cpp.mtmd_input_chunks_free(chunks)
        mtmd_cpp.mtmd_bitmap_free(bitmap)
        if status:
            raise BackendError(f'llama.cpp could not encode the picture: status {status}')


def chat_format(bundle: Bundle) -> str:
    """The bundle's prompt as a chat template."""
    head, question = bundle.prompt.head, bundle.prompt.question
    inside = question.replace('{question}', '{{ message.content[1].text }}')
    return (
        '{% for message in messages %}'
        + head
        + '{{ message.content[0].image_url }}'
        + inside
        + '{% endfor %}'
    )


def _ms(begin: float) -> float:
    return (time.perf_counter() - begin) * 1e3

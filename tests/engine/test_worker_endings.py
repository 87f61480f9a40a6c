"""Questions that are cancelled or too late: each has a whole answer, wherever it was."""

import gc
import json
import threading
import time
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from mobilevlm_ros.engine import (
    Answer,
    Arrival,
    Chunk,
    Engine,
    EngineConfig,
    EngineWorker,
    Question,
    Reply,
    create_fake_engine,
)
from tests.engine.support import WAIT_S, Gate, Q, Start, grey, slow, text_of, until

SCHEMA = '{"type": "object", "properties": {"words": {"type": "string"}}, "required": ["words"]}'
MANY = tuple(map(str, range(100, 164)))  # choices, of more than one step
HOUR_S = 3600.0
LONG = 'Well? ' * 10  # a prompt of more than one batch

Submit = Callable[..., Reply]


def encoder(engine: Engine) -> Gate:
    gate = engine._encoder.encode = Gate(engine._encoder.encode)  # type: ignore[method-assign]
    return gate


def look(engine: Engine) -> Gate:
    llm = engine.language.llm
    gate = llm.decode_embeddings = Gate(llm.decode_embeddings)  # type: ignore[method-assign]
    return gate


def prompt(engine: Engine) -> Gate:
    llm = engine.language.llm
    gate = llm.decode_parts = Gate(llm.decode_parts)  # type: ignore[method-assign]
    return gate


def cancelled(gate: Gate, submit: Submit) -> Answer:
    reply = submit(0.0)
    assert gate.entered.wait(WAIT_S)
    assert reply.cancel()
    gate.open()
    return reply.result(WAIT_S)


def overdue(gate: Gate, submit: Submit) -> Answer:
    reply, clock = submit(HOUR_S), time.perf_counter
    assert gate.entered.wait(WAIT_S)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, 'perf_counter', lambda: clock() + HOUR_S)
        gate.open()
        return reply.result(WAIT_S)


ENDS = {'cancelled': cancelled, 'deadline': overdue}


@pytest.mark.parametrize('reason', ENDS)
@pytest.mark.parametrize('stage', [encoder, look, prompt])
@pytest.mark.parametrize('fields', [
    {}, {'choices': MANY}, {'json_schema': SCHEMA}, {'session': 'tour'}, {'roi': (0, 0, 4, 4)},
], ids=['text', 'choices', 'schema', 'session', 'region'])  # fmt: skip
def test_before_its_first_token_it_has_an_answer_without_text(
    start: Start, reason: str, stage: Callable[[Engine], Gate], fields: dict[str, Any]
) -> None:
    engine = create_fake_engine(EngineConfig(batch_tokens=32))
    gate = stage(engine)
    worker = start(engine)
    worker.show(grey(5, camera='front', stamp_ns=7, frame_id='lens'))
    answer = ENDS[reason](
        gate, lambda s: worker.submit(Question(LONG, deadline_s=s, **fields), 'front')
    )
    assert (answer.question, answer.camera, answer.text) == (LONG, 'front', '')
    assert (answer.finish_reason, answer.model, answer.backend) == (reason, 'fake', 'fake, fake')
    assert answer.choices == fields.get('choices', ()) and answer.probabilities == ()
    assert (answer.choice, answer.abstained) == (-1, False)
    assert answer.session == fields.get('session', '')
    assert 0 < answer.timing.queue_ms + answer.timing.prefill_ms <= answer.timing.total_ms
    assert answer.unanswered
    if stage is prompt:
        assert (answer.stamp_ns, answer.frame_id) == (7, 'lens')
    assert text_of(worker.submit(Q)) == 'Q brightness 5'
    until(lambda: worker.load().active == worker.load().waiting == 0)


@pytest.mark.parametrize('reason', ENDS)
@pytest.mark.parametrize('stage', [encoder, look])
def test_a_question_about_an_image_of_its_own_names_that_image(
    start: Start, reason: str, stage: Callable[[Engine], Gate]
) -> None:
    engine = create_fake_engine()
    gate = stage(engine)
    worker = start(engine)
    image = grey(5, stamp_ns=7, frame_id='lens')
    answer = ENDS[reason](
        gate, lambda s: worker.submit(Question('Well?', deadline_s=s), frame=image)
    )
    assert (answer.finish_reason, answer.text, answer.camera) == (reason, '', '')
    assert (answer.stamp_ns, answer.frame_id) == (7, 'lens')
    until(lambda: worker.load().held_frames == 0)


def test_one_that_waits_for_others_ends_at_once(start: Start) -> None:
    worker = start(slow(0.1, active_questions=1))
    worker.show(grey(5))
    long = worker.submit(Question('L' * 150, max_tokens=100))
    until(lambda: worker.load().active == 1)
    late = worker.submit(Question('Late?', deadline_s=0.001))
    reply = worker.submit(Q)
    assert reply.cancel() and not reply.cancel()
    assert (reply.result(0).finish_reason, reply.result(0).question) == ('cancelled', 'Q')
    assert late.result(WAIT_S).finish_reason == 'deadline'
    assert not long.done()


def streaming(worker: EngineWorker, question: Question) -> tuple[Reply, threading.Event]:
    shown = threading.Event()

    def on_chunk(_: Chunk) -> None:
        shown.set()

    return worker.submit(question, on_chunk=on_chunk), shown


def test_a_document_that_has_begun_is_closed(start: Start) -> None:
    worker = start(slow(0.01))
    worker.show(grey(5))
    reply, shown = streaming(worker, Question('Q', json_schema=SCHEMA, max_tokens=300))
    assert shown.wait(WAIT_S)
    reply.cancel()
    answer = reply.result(WAIT_S)
    assert answer.finish_reason == 'cancelled' and not answer.unanswered
    assert json.loads(answer.text).keys() == {'words'}


def test_a_conversation_goes_on_from_what_was_said(start: Start) -> None:
    worker = start(slow(0.01))
    worker.show(grey(5))
    reply, shown = streaming(worker, Question('L' * 150, max_tokens=100, session='tour'))
    assert shown.wait(WAIT_S)
    reply.cancel()
    first = reply.result(WAIT_S)
    assert (first.finish_reason, first.session) == ('cancelled', 'tour')
    second = worker.submit(Question('Q', session='tour', max_tokens=1)).result(WAIT_S)
    assert second.timing.reused_tokens > first.timing.reused_tokens


def test_what_was_cancelled_before_it_was_encoded_is_not_encoded(start: Start) -> None:
    engine = create_fake_engine()
    gate = encoder(engine)
    worker = start(engine)
    worker.show(grey(5))
    assert gate.entered.wait(WAIT_S)
    seen = list[int]()
    engine._encoder.encode = lambda pixels: seen.append(1)  # type: ignore
    reply = worker.submit(Q, frame=grey(9))
    reply.cancel()
    gate.open()
    assert text_of(worker.submit(Q)) == 'Q brightness 5'
    assert not seen


def test_time_counts_from_when_the_question_came(start: Start) -> None:
    worker = start(create_fake_engine())
    worker.show(grey(5))
    text_of(worker.submit(Q))
    long_ago = Arrival(at=time.perf_counter() - 10.0)
    answer = worker.submit(Question('Q', deadline_s=5.0), arrival=long_ago).result(WAIT_S)
    assert answer.finish_reason == 'deadline' and answer.timing.total_ms >= 10_000


def test_a_cancelled_question_keeps_no_image_while_the_encoder_is_at_work(start: Start) -> None:
    engine = create_fake_engine(EngineConfig(look='on_demand'))
    gate = encoder(engine)
    worker = start(engine)
    worker.show(grey(10))
    first = worker.submit(Q)
    assert gate.entered.wait(WAIT_S)
    image = grey(90)
    kept = weakref.ref(image.pixels)
    worker.submit(Q, frame=image).cancel()
    del image
    until(lambda: gc.collect() >= 0 and kept() is None)
    gate.open()
    assert text_of(first) == 'Q brightness 10'

"""The client: one request is one concurrent Future, whichever way it is waited for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import Any

from rclpy.action import ActionClient
from rclpy.qos import QoSProfile

from mobilevlm_ros.action import AskStream
from mobilevlm_ros.client.link import Link
from mobilevlm_ros.client.query import make_query
from mobilevlm_ros.client.spinner import Spinner
from mobilevlm_ros.client.stream import Streaming
from mobilevlm_ros.client.values import Answer, Check, NoReplyError, check_of, result_of
from mobilevlm_ros.srv import Ask

GRACE_S = 1.0  # for the reply to arrive that tells of the deadline
PIECES = 1024  # of answers that may be on their way
DEPTH = 200  # requests and replies that may be on their way


class VlmClient:
    """Asks one vlm_node. Usable from any thread; `close` it, or use it in a with statement."""

    def __init__(self, node_name: str = 'vlm_node', namespace: str = '') -> None:
        """Connect; whether anybody is there shows at the first question.

        Args:
            node_name: of the vlm_node.
            namespace: of the vlm_node; empty: none.
        """
        self.name = f'{namespace.rstrip("/")}/{node_name}'
        self._spinner = Spinner(namespace)
        node = self._spinner.node
        # In this order: what is announced first is found first, and a reply to the link then
        # shows that the pieces of a stream will arrive as well.
        self._action = ActionClient(
            node,
            AskStream,
            f'{node_name}/ask_stream',
            feedback_sub_qos_profile=QoSProfile(depth=PIECES),
        )
        qos = QoSProfile(depth=DEPTH)
        self._service = node.create_client(Ask, f'{node_name}/ask', qos_profile=qos)
        self._link = Link(node, self._service, node.resolve_service_name(f'{node_name}/ask'))

    def ask(self, question: str, deadline_s: float = 10.0, **fields: Any) -> Answer:
        """Ask, and wait for the answer.

        Args:
            question: in words.
            deadline_s: from now to the end of the answer.
            fields: any other field of msg/Query: camera, choices, min_probability, max_tokens,
                session, json_schema and so on; `max_age` in seconds.

        Raises:
            NoReplyError: nobody is there, or nobody replied in time.
            RefusedError: with the status that vlm_node gave instead of an answer.
        """
        return self.submit(question, deadline_s, **fields).result()

    def check(self, question: str, deadline_s: float = 10.0, **fields: Any) -> Check:
        """Ask for a yes or no; takes and raises the same as `ask`."""
        fields.setdefault('choices', ('yes', 'no'))
        return check_of(self.ask(question, deadline_s, **fields))

    async def ask_async(self, question: str, deadline_s: float = 10.0, **fields: Any) -> Answer:
        """`ask`, to be awaited."""
        return await asyncio.wrap_future(self.submit(question, deadline_s, **fields))

    async def check_async(self, question: str, deadline_s: float = 10.0, **fields: Any) -> Check:
        """`check`, to be awaited."""
        fields.setdefault('choices', ('yes', 'no'))
        return check_of(await self.ask_async(question, deadline_s, **fields))

    def submit(self, question: str, deadline_s: float = 10.0, **fields: Any) -> Future[Answer]:
        """Ask without waiting; the future has the answer or what `ask` would raise."""
        request = Ask.Request(query=make_query(question, deadline_s, fields))
        future: Future[Answer] = Future()
        expired = self._expiry(deadline_s)
        sent = 0  # generation of the server that has it

        def watch() -> bool:
            nonlocal sent
            self._link.advance()
            if self._link.open and sent != self._link.generation:
                sent = self._link.generation
                reply = self._service.call_async(request)
                reply.add_done_callback(partial(_resolve, future))
            if not future.done() and expired():
                future.set_exception(NoReplyError(f'{self.name} {self._link.fault}'))
            return future.done()

        self._spinner.repeat(watch)
        return future

    def stream(self, question: str, deadline_s: float = 30.0, **fields: Any) -> Iterator[str]:
        """Ask, and yield the answer piece by piece; leaving the loop early cancels it.

        Joined, the pieces are the answer's text, whatever got lost on the way.

        Raises:
            NoReplyError, RefusedError: as `ask`, after the pieces that there were.
        """
        streaming = self._begin(question, deadline_s, fields)
        try:
            while (piece := streaming.pieces.get()) is not None:
                yield piece
            streaming.result.result()
        finally:
            streaming.cancel()

    async def stream_async(
        self, question: str, deadline_s: float = 30.0, **fields: Any
    ) -> AsyncIterator[str]:
        """`stream`, for `async for`."""
        streaming = self._begin(question, deadline_s, fields)
        try:
            while (piece := await asyncio.to_thread(streaming.pieces.get)) is not None:
                yield piece
            streaming.result.result()
        finally:
            streaming.cancel()

    def close(self) -> None:
        """End; whoever still waits gets NoReplyError."""
        self._spinner.close()

    def __enter__(self) -> VlmClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, question: str, deadline_s: float, fields: dict[str, Any]) -> Streaming:
        goal = AskStream.Goal(query=make_query(question, deadline_s, fields))
        expired = self._expiry(deadline_s)
        streaming = Streaming(self._action, goal, self._link, self.name, expired)
        self._spinner.repeat(streaming.advance)
        return streaming

    def _expiry(self, deadline_s: float) -> Callable[[], bool]:
        end = time.monotonic() + deadline_s + GRACE_S
        return lambda: self._spinner.closing or time.monotonic() > end


def _resolve(future: Future[Answer], reply: Any) -> None:
    if future.done():
        return
    try:
        response = reply.result()
        future.set_result(result_of(response.status, response.answer))
    except Exception as error:
        future.set_exception(error)

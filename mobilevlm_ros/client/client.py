"""The client: one request is one concurrent Future, whichever way it is waited for."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import Future
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

from rclpy.action import ActionClient
from rclpy.qos import QoSProfile

from mobilevlm_ros.action import AskStream
from mobilevlm_ros.client.asking import Asking
from mobilevlm_ros.client.fields import real, texts
from mobilevlm_ros.client.link import Link
from mobilevlm_ros.client.names import full_name
from mobilevlm_ros.client.patience import Patience
from mobilevlm_ros.client.query import LONGEST_S, make_query
from mobilevlm_ros.client.spinner import Spinner
from mobilevlm_ros.client.stream import Put, Streaming
from mobilevlm_ros.client.values import Answer, BadValueError, Check, check_of
from mobilevlm_ros.msg import Query
from mobilevlm_ros.srv import Ask

PIECES = 1024  # of answers that may be on their way
DEPTH = 200  # requests and replies that may be on their way


class VlmClient:
    """Asks one vlm_node. Usable from any thread.

    `close` it, or use it in a with statement; it is closed when it is forgotten or the program
    ends, too. Callbacks of its futures run in its thread and must not wait.
    """

    def __init__(
        self, node_name: str = 'vlm_node', namespace: str = '', connect_s: float = 5.0
    ) -> None:
        """Connect; whether anybody is there shows at the first question.

        Args:
            node_name: of the vlm_node.
            namespace: of the vlm_node; empty: none.
            connect_s: how long a call waits for a vlm_node that is not there, or has just
                appeared; [0, 2^31). Its deadline begins afterwards.

        Raises:
            BadValueError: naming the argument.
        """
        self.name = full_name(node_name, namespace)
        self._connect_s = real(connect_s, 'connect_s', 0, LONGEST_S)
        self._spinner = Spinner(self.name.rpartition('/')[0] or '/')
        node, qos = self._spinner.node, QoSProfile(depth=DEPTH)
        # In this order: what is announced first is found first, and a reply to the link then
        # shows that the pieces of a stream will arrive as well.
        self._action = ActionClient(
            node,
            AskStream,
            f'{self.name}/ask_stream',
            goal_service_qos_profile=qos,
            result_service_qos_profile=qos,
            cancel_service_qos_profile=qos,
            feedback_sub_qos_profile=QoSProfile(depth=PIECES),
        )
        self._service = node.create_client(Ask, f'{self.name}/ask', qos_profile=qos)
        self._link = Link(node, self._service, self.name)
        # Calls that go on hold the link: a client may be forgotten before its answers come.
        weakref.finalize(self._link, self._spinner.close, silently=True)
        self._spinner.start()

    def ask(self, question: str, deadline_s: float = 10.0, **fields: Any) -> Answer:
        """Ask, and wait for the answer.

        Args:
            question: in words.
            deadline_s: from the request's being sent to the end of the answer; [0.001, 2^31).
            fields: any other field of msg/Query: camera, choices, min_probability, max_tokens,
                session, json_schema and so on. `max_age` is in seconds, 2 by default, math.inf
                for an image of any age. `frame` may be a name ('NEWEST'), `stamp` nanoseconds,
                `roi` four numbers, and `image` the bytes of a JPEG or PNG file.

        Raises:
            BadValueError: naming the argument that cannot be sent.
            NoReplyError: nobody is there, or nobody replied in time.
            RefusedError: with the status that vlm_node gave instead of a whole answer.
        """
        self._spinner.forbid_waiting()
        future = self.submit(question, deadline_s, **fields)
        try:
            return future.result()
        finally:
            future.cancel()  # where this was interrupted
            del future  # whose error refers to this frame, and so to this client

    def check(self, question: str, deadline_s: float = 10.0, **fields: Any) -> Check:
        """Ask for a yes or no; takes and raises the same as `ask`."""
        return check_of(self.ask(question, deadline_s, **_with_yes(fields)))

    async def ask_async(self, question: str, deadline_s: float = 10.0, **fields: Any) -> Answer:
        """`ask`, to be awaited."""
        return await asyncio.wrap_future(self.submit(question, deadline_s, **fields))

    async def check_async(self, question: str, deadline_s: float = 10.0, **fields: Any) -> Check:
        """`check`, to be awaited."""
        return check_of(await self.ask_async(question, deadline_s, **_with_yes(fields)))

    def submit(self, question: str, deadline_s: float = 10.0, **fields: Any) -> Future[Answer]:
        """Ask without waiting; the future has the answer or what `ask` would raise.

        Raises:
            BadValueError: naming the argument that cannot be sent.
            ClosedError: after `close`.
        """
        request = Ask.Request(query=make_query(question, deadline_s, fields))
        patience = Patience(self._connect_s, float(deadline_s))
        asking = Asking(self._service, request, self._link, patience)
        self._spinner.add(asking)
        return asking.answer

    def stream(self, question: str, deadline_s: float = 30.0, **fields: Any) -> Iterator[str]:
        """Ask, and yield the answer piece by piece; leaving the loop early cancels it.

        Joined, the pieces are the answer's text, whatever got lost on the way.

        Raises:
            BadValueError: naming the argument that cannot be sent, at once.
            NoReplyError, RefusedError: as `ask`, after the pieces that there were.
        """
        return self._stream(make_query(question, deadline_s, fields), deadline_s)

    def stream_async(
        self, question: str, deadline_s: float = 30.0, **fields: Any
    ) -> AsyncIterator[str]:
        """`stream`, for `async for`."""
        return self._stream_async(make_query(question, deadline_s, fields), deadline_s)

    def close(self) -> None:
        """End; whoever still waits gets ClosedError."""
        self._spinner.close()

    def __enter__(self) -> VlmClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _stream(self, query: Query, deadline_s: float) -> Iterator[str]:
        self._spinner.forbid_waiting()
        pieces: SimpleQueue[str | None] = SimpleQueue()
        streaming = self._begin(query, deadline_s, pieces.put)
        try:
            while (piece := pieces.get()) is not None:
                yield piece
            streaming.result.result()
        finally:
            streaming.cancel()
            del streaming  # as in `ask`

    async def _stream_async(self, query: Query, deadline_s: float) -> AsyncIterator[str]:
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(piece: str | None) -> None:
            with suppress(RuntimeError):  # the loop was closed, and nobody reads
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        streaming = self._begin(query, deadline_s, put)
        try:
            while (piece := await pieces.get()) is not None:
                yield piece
            streaming.result.result()
        finally:
            streaming.cancel()
            del streaming  # as in `ask`

    def _begin(self, query: Query, deadline_s: float, put: Put) -> Streaming:
        patience = Patience(self._connect_s, float(deadline_s))
        goal = AskStream.Goal(query=query)
        streaming = Streaming(self._action, goal, self._link, put, patience)
        self._spinner.add(streaming)
        return streaming


def _with_yes(fields: dict[str, Any]) -> dict[str, Any]:
    """The fields of a check, whose choices are yes and no unless there are others beside yes."""
    choices = texts(fields.get('choices', ('yes', 'no')), 'choices')
    if 'yes' not in choices:
        raise BadValueError("choices have no 'yes', which a check is for; use ask")
    return {**fields, 'choices': choices}

"""One request to the service, from its sending to its reply."""

from __future__ import annotations

from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from rclpy.client import Client

from mobilevlm_ros.client.link import Link
from mobilevlm_ros.client.patience import Patience
from mobilevlm_ros.client.values import Answer, NoReplyError, VlmClientError, now_s, outcome_of
from mobilevlm_ros.srv import Ask


class Asking:
    """Sent again to every server that appears, until one replies."""

    def __init__(
        self, service: Client, request: Ask.Request, link: Link, patience: Patience
    ) -> None:
        """Send nothing yet.

        Args:
            service: to ask.
            request: to send.
            link: to the same vlm_node.
            patience: how long to wait.
        """
        self.answer: Future[Answer] = Future()
        self._service = service
        self._request = request
        self._link = link
        self._patience = patience
        self._sent = 0  # generation of the server that has it
        self._replies: list[tuple[Any, float]] = []  # rclpy's future, and when it was sent

    def advance(self) -> bool:
        """Send as soon as the way is open; true once all is over."""
        self._link.advance()
        if self._link.open and self._sent != self._link.generation:
            self._send()
        for reply, sent_s in self._replies:
            if reply.done():
                response = reply.result()
                self._settle(outcome_of(response.status, response.answer, sent_s))
        if self._patience.over():
            self.fail(NoReplyError(self._link.fault))
        if not self.answer.done():
            return False
        self._forget()
        return True

    def fail(self, error: VlmClientError) -> None:
        """End with an error, unless it has ended."""
        self._settle(error)

    def _send(self) -> None:
        self._sent = self._link.generation
        self._patience.sent()
        sent_s = now_s()  # not later: this process may be stopped in between
        self._replies.append((self._service.call_async(self._request), sent_s))

    def leave(self) -> None:
        """Nothing: a service cannot be told."""

    def _settle(self, outcome: Answer | VlmClientError) -> None:
        with suppress(InvalidStateError):  # it has ended, or was cancelled
            if isinstance(outcome, Answer):
                self.answer.set_result(outcome)
            else:
                self.answer.set_exception(outcome)

    def _forget(self) -> None:
        for reply, _ in self._replies:
            reply.cancel()  # rclpy keeps it otherwise
        if self.answer.cancelled():
            self.answer.set_running_or_notify_cancel()  # else wait() would not see it

"""py_trees behaviours that ask vlm_node; a tick never waits. Needs `pip install py_trees`."""

from __future__ import annotations

import math
from concurrent.futures import Future
from typing import Any

import py_trees
from py_trees.common import Access, Status

from mobilevlm_ros.client.client import VlmClient
from mobilevlm_ros.client.fields import text, texts
from mobilevlm_ros.client.query import MAX_AGE_S, make_query
from mobilevlm_ros.client.values import Answer, BadValueError, VlmClientError


class VlmAsk(py_trees.behaviour.Behaviour):
    """Asks a question; writes the Answer to the blackboard.

    RUNNING until the answer is there, then SUCCESS; FAILURE if there is none, with the reason as
    feedback message. A question that is interrupted is left to end by itself.
    """

    def __init__(
        self,
        name: str,
        client: VlmClient,
        question: str,
        key: str = '',
        deadline_s: float = 5.0,
        **fields: Any,
    ) -> None:
        """Prepare.

        Args:
            name: of the behaviour.
            client: whom to ask; several behaviours may share it.
            question: in words.
            key: of the blackboard, for the answer; empty: nowhere.
            deadline_s: from the question's being sent to the end of the answer.
            fields: other fields of msg/Query, as for VlmClient.ask; `max_age` is 2 s there.

        Raises:
            BadValueError: naming the argument that cannot be sent.
        """
        super().__init__(name)
        self._query = make_query(question, deadline_s, fields)  # complains now, not at a tick
        self.answer: Answer | None = None
        self._client = client
        self._question = question
        self._deadline_s = deadline_s
        self._fields = fields
        self._key = text(key, 'key')
        self._board = self.attach_blackboard_client(name)
        if key:
            self._board.register_key(key, access=Access.WRITE)
        self._future: Future[Answer] | None = None

    def initialise(self) -> None:
        """Ask."""
        self.answer = None
        try:
            self._future = self._client.submit(self._question, self._deadline_s, **self._fields)
        except VlmClientError as error:  # the client was closed
            self._future = Future()
            self._future.set_exception(error)

    def update(self) -> Status:
        """See whether there is an answer."""
        assert self._future is not None
        if not self._future.done():
            return Status.RUNNING
        try:
            self.answer = self._future.result()
        except VlmClientError as error:
            self.feedback_message = str(error)
            return Status.FAILURE
        return self.conclude(self.answer)

    def conclude(self, answer: Answer) -> Status:
        """What an answer means."""
        self.feedback_message = answer.text
        if self._key:
            self._board.set(self._key, answer)
        return Status.SUCCESS


class VlmCondition(VlmAsk):
    """Asks a question of choices: SUCCESS for the wanted one, FAILURE for others.

    An abstention, a stale image, a busy or absent vlm_node are FAILURE too: nobody should go on
    because nothing was known. So is an answer whose image has grown older than `max_age` by the
    tick that concludes, because the model or the tree is slow; `max_age` 0, the node's default,
    counts as 2 s there.
    """

    def __init__(
        self,
        name: str,
        client: VlmClient,
        question: str,
        wanted: str = 'yes',
        choices: tuple[str, ...] = ('yes', 'no'),
        **options: Any,
    ) -> None:
        """Prepare.

        Args:
            name: of the behaviour.
            client: whom to ask.
            question: in words.
            wanted: the choice that is a success.
            choices: all of them.
            options: as for VlmAsk; `min_probability` below which nothing is known.

        Raises:
            BadValueError: naming the argument that cannot be sent, or is none of the choices.
        """
        super().__init__(name, client, question, choices=choices, **options)
        if text(wanted, 'wanted') not in texts(choices, 'choices'):
            raise BadValueError(f'wanted is {wanted!r}; it must be one of the choices')
        self._wanted = wanted
        most = self._query.max_age
        # What the node's default is, is not known here.
        unsaid_s = MAX_AGE_S if 'max_age' in options else math.inf
        self._most_s = most.sec + most.nanosec * 1e-9 or unsaid_s

    def conclude(self, answer: Answer) -> Status:
        """Whether it is the wanted choice."""
        super().conclude(answer)
        said = 'abstained' if answer.abstained else answer.choice
        self.feedback_message = f'{said} ({answer.probability:.2f})'
        if answer.age_s > self._most_s:
            self.feedback_message += (
                f', but the image is {answer.age_s:.2f} s old by now and max_age is '
                f'{self._most_s:g} s; tick more often, or allow an older image'
            )
            return Status.FAILURE
        return Status.SUCCESS if answer.choice == self._wanted else Status.FAILURE

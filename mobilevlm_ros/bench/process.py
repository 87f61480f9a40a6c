"""A side in a process of its own.

Each has its own threads, memory and peak of it, and llama.cpp may abort one without the others.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from mobilevlm_ros.engine import BackendError
from mobilevlm_ros.programs import heed_interrupts, hold_interrupts

START_S = 600.0  # a large model from a slow disk
END_S = 20.0


class Process:
    """An object in a child process, whose methods are called from here."""

    def __init__(self, name: str, factory: Callable[..., Any], *arguments: object) -> None:
        """Start the child and wait until it has made the object.

        Args:
            name: for messages.
            factory: what makes the object; must be importable by its name.
            arguments: for the factory.

        Raises:
            BackendError: if the object cannot be made.
        """
        self._name = name
        context = multiprocessing.get_context('spawn')
        self._connection, theirs = context.Pipe()
        arguments_of_child = (theirs, factory, arguments)
        self._child = context.Process(target=_serve, args=arguments_of_child, daemon=True)
        with hold_interrupts():
            self._child.start()
        theirs.close()
        self._receive()

    @property
    def pid(self) -> int:
        """Its number."""
        return self._child.pid or 0

    def call(self, method: str, *arguments: object) -> Any:
        """Call a method of the object and wait for what it returns.

        Raises:
            BackendError: if it raised anything, or if the process ended.
        """
        self._connection.send((method, arguments))
        return self._receive()

    def close(self) -> None:
        """End the child."""
        self._connection.close()
        self._child.join(END_S)
        if self._child.is_alive():
            self._child.kill()
            self._child.join()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _receive(self) -> Any:
        try:
            if not self._connection.poll(START_S):
                raise BackendError(f'{self._name} said nothing for {START_S:g} s')
            value, error = self._connection.recv()
        except EOFError:
            self._child.join(END_S)
            code = self._child.exitcode
            raise BackendError(f'{self._name} ended with exit code {code}') from None
        if error:
            self.close()
            raise BackendError(f'{self._name}: {error}')
        return value


def _serve(
    connection: Connection, factory: Callable[..., Any], arguments: tuple[Any, ...]
) -> None:
    """The child: make the object, then call what is asked for until the parent hangs up."""
    heed_interrupts()
    served: Any = None
    try:
        served = factory(*arguments)
        connection.send((None, ''))
        while True:
            method, values = connection.recv()
            connection.send((getattr(served, method)(*values), ''))
    except (EOFError, BrokenPipeError):
        pass
    except Exception as error:
        connection.send((None, f'{type(error).__name__}: {error}'))
    finally:
        if served is not None and hasattr(served, 'close'):
            served.close()

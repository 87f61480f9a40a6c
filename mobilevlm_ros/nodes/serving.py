"""What vlm_node has from configure to cleanup: a model, and those who ask it."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import wait
from dataclasses import dataclass

from mobilevlm_ros.engine import EngineWorker
from mobilevlm_ros.nodes.desk import Desk
from mobilevlm_ros.nodes.scenes import Scenes

# For answers in progress to end with what they have; runner.py leaves little more for everything.
# One that takes longer is CANCELLED all the same, without its text.
LAST_TOKEN_S = 0.3


@dataclass(frozen=True, slots=True, eq=False)
class Serving:
    """A worker, the desk that passes questions on to it, and its standing questions."""

    worker: EngineWorker
    desk: Desk
    scenes: Scenes

    def end(self) -> Callable[[], None]:
        """End all requests, in the executor's thread; returns what frees the model, in any."""
        replies = self.desk.close()

        def free() -> None:
            wait(replies, LAST_TOKEN_S)
            self.worker.close()
            self.scenes.close()

        return free

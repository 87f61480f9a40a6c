"""A goal of ~/ask_stream, as tests send it."""

from action_msgs.srv import CancelGoal
from rclpy.action import ActionClient
from rclpy.qos import QoSProfile

from mobilevlm_ros.action import AskStream
from mobilevlm_ros.msg import Query


class Streams:
    """Sends goals to vlm_node, and cancels them."""

    def __init__(self, client):
        self.client = client
        # Announced before the service's, so that its pieces arrive once the service replies.
        self.action = ActionClient(
            client.node,
            AskStream,
            'vlm_node/ask_stream',
            feedback_sub_qos_profile=QoSProfile(depth=1024),
        )
        self._cancelling = client.node.create_client(
            CancelGoal, 'vlm_node/ask_stream/_action/cancel_goal'
        )
        client.reconnect()
        client.wait(self.action.server_is_ready)
        client.wait(self._cancelling.service_is_ready)

    def send(self, question='Well?', **fields):
        """Send a goal, and wait until it is accepted or rejected."""
        return Streamed(self, question, **fields)

    def cancel_all(self):
        """Wait for the response."""
        future = self._cancelling.call_async(CancelGoal.Request())  # zeros: every goal
        self.client.wait(future.done)
        return future.result()


class Streamed:
    """One goal, and the pieces that came of it."""

    def __init__(self, streams, question, **fields):
        self.client = streams.client
        self.pieces = []
        goal = AskStream.Goal(query=Query(question=question, **fields))
        sending = streams.action.send_goal_async(goal, feedback_callback=self.hear)
        self.client.wait(sending.done)
        self.handle = sending.result()

    def hear(self, message):
        self.pieces.append(message.feedback)

    def text(self):
        return ''.join(piece.delta for piece in self.pieces)

    def cancel(self):
        """Ask for it, and wait for the response."""
        future = self.handle.cancel_goal_async()
        self.client.wait(future.done)
        return future.result()

    def result(self):
        getting = self.handle.get_result_async()
        self.client.wait(getting.done)
        return getting.result()

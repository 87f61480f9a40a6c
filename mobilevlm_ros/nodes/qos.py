"""Quality of service of the frames, in one place so that publishers and subscribers match."""

from __future__ import annotations

from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy

# Offered reliable, a frame reaches subscribers of either kind; asked for best effort, it comes
# from publishers of either kind. Only the newest frame is of interest.
FRAMES_OUT = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.RELIABLE
)
FRAMES_IN = QoSProfile(
    history=HistoryPolicy.KEEP_LAST, depth=1, reliability=ReliabilityPolicy.BEST_EFFORT
)

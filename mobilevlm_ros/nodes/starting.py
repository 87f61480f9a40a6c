"""How every process of ours begins to use ROS."""

from __future__ import annotations

import re
from collections.abc import Sequence

import rclpy
from rclpy.signals import SignalHandlerOptions

from mobilevlm_ros.engine import ConfigError

SOURCE_LINE = re.compile(r', at /\S+:\d+')  # of ROS's own code


def start_ros(arguments: Sequence[str] | None = None) -> None:
    """Call rclpy.init, without its signal handlers.

    Args:
        arguments: None: those of the process.

    Raises:
        ConfigError: saying in one line what ROS refuses, and what to set.
    """
    try:
        rclpy.init(args=arguments, signal_handler_options=SignalHandlerOptions.NO)
    except UnicodeEncodeError as error:
        raise ConfigError(f'the arguments are not text in UTF-8: {error.object!r}') from error
    except RuntimeError as error:  # RCLError
        text = SOURCE_LINE.sub('', str(error))
        if 'initialize logging' in text:
            raise ConfigError(
                f'{text}; set HOME or ROS_LOG_DIR to a folder that can be written to'
            ) from error
        raise ConfigError(f'ROS refuses the arguments: {text}') from error

"""A robot that sees with words: MobileVLM-class models for ROS 2."""

from pkgutil import extend_path

# Run from the source tree, this package would otherwise hide the generated messages.
__path__ = extend_path(__path__, __name__)

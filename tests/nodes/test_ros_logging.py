"""What of the engine's log reaches a node's, and how."""

import logging

from mobilevlm_ros.nodes.ros_logging import RosHandler, one_line


class Node:
    """Keeps what is logged."""

    def __init__(self):
        self.lines = []

    def get_logger(self):
        return self

    def error(self, text):
        self.lines.append(('error', text))

    def warning(self, text):
        self.lines.append(('warning', text))

    def info(self, text):
        self.lines.append(('info', text))


def record(level, message, *args, exc_info=None):
    return logging.LogRecord('x', level, 'x.py', 1, message, args, exc_info)


def test_what_came_from_outside_cannot_forge_a_line():
    node = Node()
    RosHandler(node).emit(record(logging.WARNING, 'no image: %s', 'a\n[ERROR] \x1b[31mfire ü'))
    assert node.lines == [('warning', 'no image: a\\n[ERROR] \\x1b[31mfire ü')]


def test_a_traceback_keeps_its_lines_and_nothing_else():
    node = Node()
    try:
        raise ValueError('bad \x1b')
    except ValueError as error:
        info = (type(error), error, error.__traceback__)
    RosHandler(node).emit(record(logging.ERROR, 'failed', exc_info=info))
    ((level, text),) = node.lines
    assert level == 'error' and text.startswith('failed\nTraceback')
    assert text.endswith('ValueError: bad \\x1b')


def test_text_that_can_be_printed_stays_as_it_is():
    assert one_line('Ist die Tür offen? 门') == 'Ist die Tür offen? 门'

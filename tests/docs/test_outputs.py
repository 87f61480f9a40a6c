"""Shown outputs are compared by their shape."""

import pytest

from tests.docs.outputs import misfit

PRINTED = """\
name   ms
-----  --
first  12
other   7

done: a 3/4, b 2/2
"""


@pytest.mark.parametrize(
    'shown',
    [
        PRINTED,
        'name   ms\n-----  --\nthird  99\n...\ndone: a 1/1, b 5/5, c 2/3\n',
        'done: a 30/40\n',
        'name   ms\n-----  --\nsome  text that is longer than its column\n',
    ],
)
def test_numbers_and_rows_may_differ(shown):
    assert misfit(shown, PRINTED) == ''


@pytest.mark.parametrize(
    ('shown', 'line'),
    [
        ('name   s\n', 'name   s'),
        ('name   ms\n-----  --\nlonger2 12\n', 'longer2 12'),
        ('done: a 3/4\nname   ms\n', 'name   ms'),
        ('done: a 3/4, b two\n', 'done: a 3/4, b two'),
    ],
)
def test_what_is_not_printed_is_named(shown, line):
    assert misfit(shown, PRINTED).startswith(line)

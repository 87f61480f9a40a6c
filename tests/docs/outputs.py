"""Whether a shown output has the shape of what was printed."""

import re

NUMBER = re.compile(r'\d+(\.\d+)?(e-\d+)?')
COUNTS = re.compile(r'\w+ #/#(, \w+ #/#)*')
ELSE = '...'  # a line that stands for any lines


def misfit(shown: str, printed: str) -> str:
    """The first line of `shown` that is not in `printed`, in this order; empty: all are.

    Numbers may differ. Below a line of dashes, the rows of a table only have to keep its columns.
    """
    rest, columns = iter(printed.splitlines()), None
    for line in shown.splitlines():
        if line in ('', ELSE):
            columns = None
        elif columns is not None:
            if not fits(line, columns):
                return f'{line}\n(not in the columns of its table)'
        elif not any(form(line) == form(other) for other in rest):
            return line
        elif set(line) == set('- '):
            columns = [match.start() for match in re.finditer('-+', line)]
    return ''


def form(line: str) -> str:
    """A line without its numbers."""
    return COUNTS.sub('each #/#', NUMBER.sub('#', line.rstrip()))


def fits(row: str, columns: list[int]) -> bool:
    """Whether there are several cells, and none but the last reaches into the next column."""
    cells = [match.span() for match in re.finditer(r'\S+( \S+)*', row)]
    reaches = any(begin < start < end for begin, end in cells[:-1] for start in columns)
    return len(cells) > 1 and not reaches

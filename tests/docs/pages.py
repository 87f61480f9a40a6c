"""The parts of a Markdown page, as GitHub reads it."""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / 'README.md', ROOT / 'CONTRIBUTING.md', *sorted((ROOT / 'docs').glob('*.md'))]


def tokens(text: str) -> list[Token]:
    """The blocks of a page, in their order."""
    return MarkdownIt('commonmark').enable('table').parse(text)


def inline(page: Path) -> Iterator[tuple[int, Token]]:
    """All that stands in a page's text (words, code, links, pictures), with its line."""
    for token in tokens(page.read_text(encoding='utf-8')):
        for child in token.children or ():
            yield token.map[0] + 1, child


def inline_code(page: Path) -> list[tuple[str, str]]:
    """What stands between backticks in a page's text, each with its place."""
    name = page.relative_to(ROOT)
    return [
        (f'{name}:{line}', child.content)
        for line, child in inline(page)
        if child.type == 'code_inline'
    ]


def links(page: Path) -> Iterator[str]:
    """Where links and pictures of a page lead."""
    for _, child in inline(page):
        if target := child.attrGet('href') or child.attrGet('src'):
            yield str(target)


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to the headings."""
    parts = tokens(page.read_text(encoding='utf-8'))
    titles = [text.content for head, text in pairwise(parts) if head.type == 'heading_open']
    return {re.sub(r'[^\w\- ]', '', title.lower()).replace(' ', '-') for title in titles}


def table(page: Path, column: str) -> list[list[str]]:
    """The rows of the first table whose first column has this name, as Markdown."""
    found: list[list[list[str]]] = []
    for token in tokens(page.read_text(encoding='utf-8')):
        if token.type == 'table_open':
            found.append([])
        elif token.type == 'tr_open':
            found[-1].append([])
        elif token.type == 'inline' and found and token.level > 3:
            found[-1][-1].append(token.content)
    return next(rows[1:] for rows in found if rows[0][0] == column)

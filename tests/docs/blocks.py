"""The code blocks of the pages, and those in the docstrings of the package."""

import ast
import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it.token import Token

from tests.docs.pages import PAGES, ROOT, tokens

NOT_RUN = re.compile(r'<!-- not run: (.+?) -->\s*', re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One block of code, and why it is not run."""

    page: str  # relative to the root
    line: int  # of its first line, from 1
    language: str  # empty: none is given
    text: str
    not_run: str = ''  # empty: it is run
    output: bool = False  # it shows what the block before it prints

    def __str__(self) -> str:
        return f'{self.page}:{self.line}'


def read_blocks(text: str, page: str) -> list[Block]:
    """The blocks of one page, in their order."""
    found, above = [], None
    for token in tokens(text):
        if token.type in ('fence', 'code_block'):
            language, _, rest = token.info.strip().partition(' ')
            reason = reason_in(above, token)
            line = token.map[0] + (2 if token.type == 'fence' else 1)
            found.append(Block(page, line, language, token.content, reason, rest == 'output'))
        above = token
    return found


def reason_in(above: Token | None, block: Token) -> str:
    """What a comment on the line before the block gives as the reason not to run it."""
    if above is None or above.type != 'html_block' or above.map[1] != block.map[0]:
        return ''
    match = NOT_RUN.fullmatch(above.content)
    return ' '.join(match[1].split()) if match else ''


def page_blocks() -> list[Block]:
    """The blocks of all pages."""
    return [
        block
        for path in PAGES
        for block in read_blocks(path.read_text(encoding='utf-8'), str(path.relative_to(ROOT)))
    ]


def docstring_blocks() -> list[Block]:
    """The indented blocks in docstrings, which are Python."""
    return [
        Block(str(path.relative_to(ROOT)), line + block.line - 1, 'python', block.text)
        for path in sorted((ROOT / 'mobilevlm_ros').rglob('*.py'))
        for line, text in docstrings(path)
        for block in read_blocks(text, '')
    ]


def docstrings(path: Path) -> Iterator[tuple[int, str]]:
    """Each docstring of a file, without its indentation, and the line that it begins at."""
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for node in ast.walk(ast.parse(path.read_text(encoding='utf-8'))):
        if isinstance(node, kinds) and (text := ast.get_docstring(node, clean=False)):
            yield node.body[0].lineno, inspect.cleandoc(text)

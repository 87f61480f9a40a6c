"""Code blocks are found wherever they stand, with why they are not run."""

from tests.docs.blocks import docstrings, read_blocks

PAGE = """\
# Title

```sh
a
b
```

<!-- not run: needs
a robot -->
```sh
c
```

<!-- not run: too far away -->

```
d
```

- a list
  ```text output
  e
  ```

      f
"""


def test_blocks_are_found_with_line_language_and_reason():
    found = [
        (block.line, block.language, block.text, block.not_run, block.output)
        for block in read_blocks(PAGE, 'page.md')
    ]
    assert found == [
        (4, 'sh', 'a\nb\n', '', False),
        (11, 'sh', 'c\n', 'needs a robot', False),
        (17, '', 'd\n', '', False),
        (22, 'text', 'e\n', '', True),
        (25, '', 'f\n', '', False),
    ]


def test_docstrings_of_modules_and_functions_are_found(tmp_path):
    path = tmp_path / 'module.py'
    path.write_text('"""One.\n\n    a()\n\nTwo.\n"""\ndef f():\n    """Three."""\n', 'utf-8')
    assert list(docstrings(path)) == [(1, 'One.\n\n    a()\n\nTwo.'), (8, 'Three.')]

"""What is wrong with an argument takes one line and exit code 2, before any work."""

import re
from pathlib import Path

import pytest

from mobilevlm_ros.cli.main import VERBS, main


def ended(arguments: list[str]) -> int:
    """The exit code, whether the parser or the verb gave it."""
    try:
        return main(arguments)
    except SystemExit as exit_info:
        return int(exit_info.code or 0)


@pytest.mark.parametrize(
    ('command', 'message'),
    [
        ('ask {nano} {image} Q --max-tokens 0', "'0' is not a whole number from 1"),
        ('ask {nano} {image} Q --max-tokens -5', "'-5' is not a whole number"),
        ('ask {nano} {image} Q --temperature nan', "'nan' is not a number from 0"),
        ('ask {nano} {image} Q --seed -1', "'-1' is not a whole number from 0"),
        ('ask {nano} {image} Q --threads 9999', "'9999' is not a whole number from 0 to 256"),
        ('ask {nano} {image} Q --encoder cpu', "invalid choice: 'cpu'"),
        ('ask {nano} {here} Q', 'Is a directory'),
        ('ask {here} {image} Q', 'bundle.json does not exist'),
        ('ask {image} {image} Q', 'bundle.json does not exist'),
        ('ask ~nobody-of-this-name/x {image} Q', 'set HOME'),
        ('eval {nano} --scenes 0', "'0' is not a whole number from 1"),
        ('eval {nano} --seed -1', "'-1' is not a whole number from 0"),
        ('eval {nano} --json {here}', 'is a folder; give a file'),
        ('eval {nano} --json {here}/no/file.json', 'not a folder that can be written to'),
        ('eval {here}', 'bundle.json does not exist'),
        ('calibrate {nano} --questions x', "'x' is not a whole number from 1"),
        ('calibrate {nano} --figures {image}', 'not a folder that can be written to'),
        ('calibrate {here} --fit', 'bundle.json does not exist'),
        ('doctor --verbose', 'unrecognized arguments: --verbose'),
        ('train nano --out {here}/out --workers 0', "'0' is not a whole number from 1"),
        ('train nano --out {image}/out', 'not a folder that can be written to'),
        ('train nano', 'the following arguments are required: --out'),
        ('train nano --out {here}', 'exists already'),
        ('bench {nano} --threads -1', "'-1' is not a whole number from 0"),
        ('bench {nano} --budget {here}/no.yaml', 'no.yaml does not exist'),
        ('bench {nano} --peer {here}', 'is a folder; give a file'),
        ('bench {here}', 'bundle.json does not exist'),
        ('verify {nano} --against {here} --images {here}/no', 'no is not a folder'),
        ('verify {nano} --against {here} --images {here} --tokens 0', "'0' is not a whole"),
        ('build-engine {nano} --tiles 65', "'65' is not a whole number from 1 to 64"),
        ('build-engine {nano} --workspace 8', "'8' is not a whole number from 16"),
        ('build-engine {nano} --images {image}', 'is not a folder'),
        ('sim-patrol --runs 0', "'0' is not a whole number from 1"),
        ('sim-patrol --seconds nan', "'nan' is not a number from 1"),
        ('sim-patrol --seconds inf', "'inf' is not a number from 1"),
        ('sim-patrol --bundle {here}', 'bundle.json does not exist'),
        ('sim-patrol --picture {here}', 'is a folder; give a file'),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str, message: str
) -> None:
    places = {'nano': root / 'models/nano', 'image': root / 'docs/room.png', 'here': tmp_path}
    words = [word.format(**places) for word in command.split()]
    assert ended(words) == 2
    out, error = capsys.readouterr()
    assert message in error
    assert (out, error.count('\n')) == ('', 1)
    assert error.startswith(f'mobilevlm {words[0]}: ')


@pytest.mark.parametrize('verb', VERBS)
def test_help_says_what_a_verb_does_and_gives_an_example(
    verb: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ended([verb, '--help']) == 0
    text = capsys.readouterr().out
    assert re.search(rf'\nexamples?:\n  mobilevlm {verb} ?', text)
    assert f'usage: mobilevlm {verb} ' in text

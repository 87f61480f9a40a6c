"""What is wrong with an argument takes one line and exit code 2, before any work."""

import re
import subprocess
import sys
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
        ('convert out', 'either SOURCE and OUT, or --random'),
        ('convert {here} out --random mobilevlm-3b', 'either SOURCE and OUT, or --random'),
        ('convert {here} out --layers 1', 'go with --random'),
        ('convert --random mobilevlm-9b out', "invalid choice: 'mobilevlm-9b'"),
        ('convert --random mobilevlm-3b out --layers 24', "'24' is not a whole number from 1 to"),
        ('convert --random mobilevlm-3b out --layers -1', "'-1' is not a whole number"),
        ('convert --random mobilevlm-3b out --seed -1', "'-1' is not a whole number from 0"),
        ('convert --random mobilevlm-3b out --keep-source {image}', 'not a folder that can be'),
        ('convert {here} {image}/out', 'not a folder that can be written to'),
        ('convert {here} {here}', 'exists already'),
        ('convert {here} out --quantise Q77', 'Q77 is no quantisation'),
        ('convert {here} out --precision int4', "invalid choice: 'int4'"),
        ('convert no-such-folder out', 'is not a folder'),
        ('convert {image} out', 'is a file; give the folder'),
        ('convert {nano} out', 'is a bundle already'),
        ('convert {here} out --vision-tower no-such-tower', 'is not a folder'),
        ('bench {nano} --threads -1', "'-1' is not a whole number from 0"),
        ('bench {nano} --budget {here}/no.yaml', 'no.yaml does not exist'),
        ('bench {nano} --peer {here}', 'is a folder; give a file'),
        ('bench {nano} --quick --captions {image}', 'is no trace of captions'),
        ('bench {here}', 'bundle.json does not exist'),
        ('verify {nano} --against {here} --images {here}/no', 'no is not a folder'),
        ('verify {nano} --against {here} --images {here} --tokens 0', "'0' is not a whole"),
        ('verify {nano} --against {here} --images {here}', 'has no images'),
        ('verify {nano} --against no-such --images {nano}/..', 'has no images'),
        ('verify {nano} --against no-such --images {docs}', 'no-such is not a folder'),
        ('verify {here} --against {here} --images {here}', 'bundle.json does not exist'),
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
    docs = root / 'docs'
    places = {'nano': root / 'models/nano', 'image': docs / 'room.png', 'docs': docs}
    places['here'] = tmp_path
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


HEAVY = ('torch', 'transformers', 'onnxruntime', 'scipy', 'matplotlib', 'rclpy')
PROGRAM = """
import sys
from mobilevlm_ros.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print('imported:', *sys.modules.keys() & {HEAVY!r})
"""


@pytest.mark.parametrize('verb', VERBS)
@pytest.mark.parametrize(('option', 'code'), [('--help', 0), ('--no-such-option', 2)])
def test_help_and_mistakes_come_before_libraries_that_take_seconds(
    verb: str, option: str, code: int
) -> None:
    program = PROGRAM.replace('{HEAVY!r}', repr(set(HEAVY)))
    command = [sys.executable, '-c', program, verb, option]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (code, 'imported:')

"""The command's frame: help, unknown verbs, errors in one line."""

import argparse
import sys
from types import ModuleType

import pytest

from mobilevlm_ros.cli import main as command
from mobilevlm_ros.engine import MobileVlmError


@pytest.fixture
def failing_verb(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module in the place of `mobilevlm ask` that raises its `error`."""
    module = ModuleType('mobilevlm_ros.cli.ask')

    def run(args: argparse.Namespace) -> int:
        raise module.error

    module.HELP = 'Fails.'
    module.configure = lambda parser: parser.add_argument('--size', type=int)
    module.run = run
    monkeypatch.setitem(sys.modules, 'mobilevlm_ros.cli.ask', module)
    return module


def test_help_names_every_verb_and_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        command.main(['--help'])
    assert exit_info.value.code == 0
    text = capsys.readouterr().out
    for verb in command.VERBS:
        assert f'\n  {verb} ' in text
    assert 'mobilevlm ask models/nano' in text


@pytest.mark.parametrize('arguments', [[], ['asks'], ['doctor', '--no-such-option']])
def test_wrong_usage_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as exit_info:
        command.main(arguments)
    assert exit_info.value.code == 2


def test_our_errors_take_one_line_and_no_traceback(
    failing_verb: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    failing_verb.error = MobileVlmError('no such\n   image; try another')
    assert command.main(['ask']) == 2
    assert capsys.readouterr().err == 'mobilevlm ask: no such image; try another\n'


def test_a_verb_gets_its_own_arguments(failing_verb: ModuleType) -> None:
    seen: list[int] = []
    failing_verb.run = lambda args: seen.append(args.size) or 0
    assert command.main(['ask', '--size', '7']) == 0
    assert seen == [7]

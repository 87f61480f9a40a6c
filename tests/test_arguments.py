"""Types of the commands' arguments."""

import argparse
from pathlib import Path

import pytest

from mobilevlm_ros.arguments import (
    Parser,
    any_path,
    file,
    folder,
    new_file,
    new_folder,
    real,
    whole,
    words,
)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('HOME', str(tmp_path))
    return tmp_path


def refusal(kind: argparse.Action, text: str) -> str:
    with pytest.raises(argparse.ArgumentTypeError) as caught:
        kind(text)
    return str(caught.value)


@pytest.mark.parametrize('text', ['0', '-3', '1.5', 'many', '', 'nan', '1e9', '11', '9' * 5000])
def test_whole_numbers_have_a_range(text: str) -> None:
    assert whole(1, 10)('7') == 7
    assert 'is not a whole number from 1 to 10' in refusal(whole(1, 10), text)


@pytest.mark.parametrize('text', ['nan', 'inf', '-inf', '-0.1', '2.1', 'hot', ''])
def test_numbers_are_finite_and_in_their_range(text: str) -> None:
    assert real(0, 2)('1e-1') == 0.1
    assert 'is not a number from 0 to 2' in refusal(real(0, 2), text)


def test_home_is_expanded_in_every_kind_of_path(home: Path) -> None:
    (home / 'there').mkdir()
    (home / 'image.png').touch()
    assert any_path('~/x') == home / 'x'
    assert file('~/image.png') == home / 'image.png'
    assert folder('~/there') == home / 'there'
    assert new_file('~/new.json') == home / 'new.json'
    assert new_folder('~/a/b') == home / 'a' / 'b'


def test_without_a_home_what_to_set_is_said() -> None:
    assert 'set HOME' in refusal(any_path, '~nobody-of-this-name/x')


@pytest.mark.parametrize('text', ['caf\udce9.png', 'a\0b'])
def test_paths_that_libraries_cannot_open_are_refused(text: str) -> None:
    assert repr(text) in refusal(any_path, text)


def test_a_folder_is_no_file_and_a_file_no_folder(tmp_path: Path) -> None:
    (tmp_path / 'file').touch()
    assert 'is a folder' in refusal(file, str(tmp_path))
    assert 'is a folder' in refusal(new_file, str(tmp_path))
    assert 'is not a folder' in refusal(folder, str(tmp_path / 'file'))
    assert 'is not a folder' in refusal(new_folder, str(tmp_path / 'file' / 'in'))
    assert 'is not a folder' in refusal(new_file, str(tmp_path / 'file' / 'in.json'))


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    assert f'{tmp_path}/a does not exist' in refusal(file, f'{tmp_path}/a')
    assert f'{tmp_path}/a is not a folder' in refusal(new_file, f'{tmp_path}/a/b.json')
    assert 'empty' in refusal(new_file, '')


def test_text_is_read_as_utf_8_whatever_the_terminal_is_set_to() -> None:
    assert words('Qu\udcc3\udca9?') == 'Qué?'  # as Python reads it under LANG=C
    assert 'not text in UTF-8' in refusal(words, 'Qu\udce9?')


def test_a_wrong_argument_takes_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    parser = Parser(prog='mobilevlm ask')
    parser.add_argument('--runs', type=whole(1, 5))
    with pytest.raises(SystemExit) as caught:
        parser.parse_args(['--runs', '0'])
    assert caught.value.code == 2
    error = "mobilevlm ask: argument --runs: '0' is not a whole number from 1 to 5"
    assert capsys.readouterr().err == f'{error}; see mobilevlm ask --help\n'

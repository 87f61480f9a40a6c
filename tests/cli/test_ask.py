"""`mobilevlm ask` over the fake engine."""

import json
from pathlib import Path

import pytest
from PIL import Image

from mobilevlm_ros.cli import ask
from mobilevlm_ros.cli.main import main
from mobilevlm_ros.engine import Engine, EngineConfig, create_fake_engine


@pytest.fixture
def image(tmp_path: Path) -> str:
    path = tmp_path / 'grey.png'
    Image.new('RGB', (20, 20), (80, 80, 80)).save(path)
    return str(path)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Engine]:
    """The engines that the command opened."""
    engines: list[Engine] = []

    def open_engine(path: str, config: EngineConfig) -> Engine:
        engines.append(create_fake_engine(config))
        return engines[-1]

    monkeypatch.setattr(ask, 'open_engine', open_engine)
    return engines


def test_every_question_is_answered_about_one_look(
    opened: list[Engine], image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['ask', 'nano', image, 'What is ahead?', 'How many?']) == 0
    lines = capsys.readouterr().out.splitlines()
    assert '> What is ahead? brightness 80' in lines
    assert '> How many? brightness 80' in lines
    assert opened[0]._encoder.encoded == 1  # type: ignore[attr-defined]


def test_json_has_answers_and_timings_and_nothing_else_is_printed(
    opened: list[Engine], image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['ask', 'nano', image, 'Q', '--json']) == 0
    result = json.loads(capsys.readouterr().out)
    assert result['look']['visual_tokens'] == 4
    (answer,) = result['answers']
    assert (answer['question'], answer['text']) == ('Q', 'Q brightness 80')
    assert answer['timing']['generated_tokens'] == len('Q brightness 80')


def test_an_answer_cut_short_says_how_to_get_all_of_it(
    opened: list[Engine], image: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['ask', 'nano', image, 'Q', '--max-tokens', '3']) == 0
    assert '> Q b (cut short: raise --max-tokens)' in capsys.readouterr().out
    assert opened[0].config.max_tokens == 3


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        (['absent', '{image}', 'Q'], 'bundle.json does not exist'),
        (['nano', 'absent.png', 'Q'], 'absent.png cannot be read'),
        (['nano', '{image}', '  '], 'the question is empty'),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    image: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert main(['ask', *(text.format(image=image) for text in arguments)]) == 2
    error = capsys.readouterr().err
    assert error.startswith('mobilevlm ask: ') and message in error
    assert error.count('\n') == 1


def test_an_image_whose_white_nobody_knows_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / 'depth.tif'
    Image.new('F', (20, 20), 1.5).save(path)
    assert main(['ask', 'nano', str(path), 'Q']) == 2
    error = capsys.readouterr().err
    assert f'{path} has samples that are signed, floating-point' in error
    assert error.count('\n') == 1


def test_encoder_and_precision_can_be_forced(opened: list[Engine], image: str) -> None:
    assert main(['ask', 'nano', image, 'Q']) == 0
    assert main(['ask', 'nano', image, 'Q', '--encoder', 'tensorrt', '--precision', 'fp16']) == 0
    first, second = (engine.config for engine in opened)
    assert (first.encoder, first.precision) == ('auto', 'auto')
    assert (second.encoder, second.precision) == ('tensorrt', 'fp16')

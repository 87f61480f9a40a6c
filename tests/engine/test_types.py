import numpy as np
import pytest

from mobilevlm_ros.engine import Frame, ImageError, Question, QuestionError


@pytest.mark.parametrize('text', ['', '  \n\t'])
def test_an_empty_question_is_refused(text: str) -> None:
    with pytest.raises(QuestionError, match='question is empty'):
        Question(text)


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(QuestionError, match='not valid Unicode'):
        Question('what is \ud800?')


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('max_tokens', -1),
        ('temperature', 2.1),
        ('temperature', float('nan')),
        ('top_p', 1.5),
        ('seed', -3),
        ('max_age_s', float('nan')),
        ('deadline_s', -0.1),
    ],
)
def test_a_number_out_of_range_is_refused_by_name(name: str, value: float) -> None:
    kind = 'number' if name.endswith('_s') else 'finite number'  # infinite: any age, no deadline
    with pytest.raises(QuestionError, match=f'{name} is .*must be a {kind} from 0( to|$)'):
        Question('What is ahead?', **{name: value})


@pytest.mark.parametrize('stop', [('.',) * 17, ('x' * 257,)])
def test_stop_strings_are_bounded(stop: tuple[str, ...]) -> None:
    with pytest.raises(QuestionError, match='stop may hold 16 texts of 256 characters'):
        Question('What is ahead?', stop=stop)


@pytest.mark.parametrize(
    'pixels',
    [
        np.zeros((4, 4), np.uint8),
        np.zeros((4, 4, 4), np.uint8),
        np.zeros((4, 4, 3), np.float32),
        np.zeros((0, 4, 3), np.uint8),
        np.zeros((1, 16385, 3), np.uint8),
        [[[0, 0, 0]]],
    ],
)
def test_a_frame_takes_nothing_but_rgb_bytes(pixels: object) -> None:
    with pytest.raises(ImageError):
        Frame(pixels)  # type: ignore[arg-type]

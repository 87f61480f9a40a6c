from dataclasses import fields

import pytest

from mobilevlm_ros.engine import ConfigError, EngineConfig


def test_every_setting_says_what_it_means() -> None:
    assert all(field.metadata['description'] for field in fields(EngineConfig))


def test_a_number_has_a_range_and_a_text_has_choices() -> None:
    for field in fields(EngineConfig):
        if isinstance(field.default, str):
            assert field.default in field.metadata['choices']
        elif not isinstance(field.default, bool):
            assert field.metadata['low'] <= field.default <= field.metadata['high']


@pytest.mark.parametrize(
    ('name', 'value', 'message'),
    [
        ('held_frames', 0, 'must lie between 1 and 64'),
        ('context_length', 1 << 30, 'must lie between 0 and 1048576'),
        ('top_p', float('nan'), 'must lie between'),
        ('precision', 'fp8', 'choose one of auto, int8, fp16, fp32'),
        ('max_tokens', 'many', 'must be of type int'),
        ('verify', 1, 'must be of type bool'),
        ('queue_size', True, 'must be of type int'),
    ],
)
def test_a_wrong_setting_is_refused_by_name(name: str, value: object, message: str) -> None:
    with pytest.raises(ConfigError, match=f'{name} is .*{message}'):
        EngineConfig(**{name: value})


def test_a_whole_number_will_do_for_a_real_one() -> None:
    assert EngineConfig(look_rate_hz=2).look_rate_hz == 2

import random

import pytest

from mobilevlm_ros.engine.text import TextStream


def feed(pieces: list[bytes], stops: tuple[str, ...] = ()) -> list[str]:
    stream = TextStream(stops)
    parts = [stream.add(piece) for piece in pieces]
    return [*parts, stream.finish()]


def test_a_character_comes_out_whole() -> None:
    assert feed([b'\xf0', b'\x9f', b'\xa4', b'\x96']) == ['', '', '', '🤖', '']


def test_half_a_character_at_the_end_is_dropped() -> None:
    assert ''.join(feed([b'red', b'\xe5\x89'])) == 'red'


def test_bytes_that_are_no_character_are_replaced() -> None:
    assert ''.join(feed([b'a', b'\xff', b'b'])) == 'a\ufffdb'


def test_white_space_is_dropped_at_both_ends_only() -> None:
    assert feed([b' ', b' a', b' ', b'b', b'\n', b' ']) == ['', 'a', '', ' b', '', '', '']


def test_a_stop_string_never_leaks_wherever_it_is_cut() -> None:
    text = 'it is a box</s>USER: more'
    for size in range(1, len(text)):
        pieces = [text[i : i + size].encode() for i in range(0, len(text), size)]
        assert ''.join(feed(pieces, ('</s>',))) == 'it is a box'


def test_the_beginning_of_a_stop_string_comes_out_once_it_is_none() -> None:
    assert feed([b'a<', b'/', b'b'], ('</s>',)) == ['a', '', '</b', '']
    assert ''.join(feed([b'a </'], ('</s>',))) == 'a </'


def test_the_earliest_of_several_stop_strings_ends_the_text() -> None:
    assert ''.join(feed([b'one two three'], ('three', 'two'))) == 'one'


def test_nothing_comes_after_a_stop() -> None:
    stream = TextStream(('.',))
    stream.add(b'yes. no')
    assert stream.stopped
    assert stream.add(b'more') == ''
    assert stream.finish() == 'yes'


@pytest.mark.parametrize('seed', range(20))
def test_the_parts_joined_are_the_stripped_text_before_the_first_stop(seed: int) -> None:
    generator = random.Random(seed)
    text = ''.join(generator.choices(' ab.é🤖\n', k=40))
    stops = ('ab', '.\n', '🤖🤖')
    ends = [at for stop in stops if (at := text.find(stop)) >= 0]
    data = text.encode()
    cuts = sorted(generator.sample(range(len(data)), 15))
    pieces = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
    assert ''.join(feed(pieces, stops)) == text[: min(ends, default=None)].strip()

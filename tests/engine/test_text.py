from itertools import pairwise

from hypothesis import example, given, settings
from hypothesis import strategies as st

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


TEXTS = st.text(st.sampled_from(' ab.é🤖\n'), max_size=30)
STOPS = st.lists(st.text(st.sampled_from('ab.é🤖\n'), min_size=1, max_size=4), max_size=3)
CUTS = st.lists(st.integers(0, 60), max_size=20)


def cut(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({min(place, len(data)) for place in cuts} | {0, len(data)})
    return [data[a:b] for a, b in pairwise(places)]


def before_stop(text: str, stops: list[str]) -> str:
    """The text before the stop string that is complete first."""
    for end in range(len(text) + 1):
        complete = [stop for stop in stops if text[:end].endswith(stop)]
        if complete:
            return text[: end - max(map(len, complete))]
    return text


@settings(deadline=None)
@given(TEXTS, STOPS, CUTS)
@example('xaby', ['xaby', 'ab'], [])
def test_the_parts_joined_are_the_stripped_text_before_the_first_stop(
    text: str, stops: list[str], cuts: list[int]
) -> None:
    parts = feed(cut(text.encode(), cuts), tuple(stops))
    assert ''.join(parts) == before_stop(text, stops).strip()


@settings(deadline=None)
@given(st.binary(max_size=40) | TEXTS.map(str.encode), CUTS)
def test_no_cut_splits_a_character(data: bytes, cuts: list[int]) -> None:
    parts = feed(cut(data, cuts))
    assert ''.join(parts) == ''.join(feed([data]))
    assert all(part.encode().decode() == part for part in parts)

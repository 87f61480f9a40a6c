"""What a reply is judged by."""

from dataclasses import replace

import pytest

from mobilevlm_ros.trials.soak.cameras import Shown
from mobilevlm_ros.trials.soak.questions import Asked, fault, lag, uneven

# A frame is stamped 5 ns before publishing it has ended.
SHOWN = [Shown(stamp_ns, stamp_ns + 5) for stamp_ns in (100, 200, 300, 400)]
GOOD = Asked('front', 310, 350, 'OK', 'red', 'front', 300)


@pytest.mark.parametrize(
    'stamp_ns, sent_ns, frames',
    [
        (300, 310, 0),
        (200, 310, 1),
        (100, 310, 2),
        (200, 302, 0),  # the next one was stamped, but was still being published
        (400, 310, 0),  # came after the question
        (250, 310, None),
        (50, 310, None),
    ],
)
def test_frames_count_that_were_out_when_the_question_was_sent(stamp_ns, sent_ns, frames):
    assert lag(replace(GOOD, stamp_ns=stamp_ns, sent_ns=sent_ns), SHOWN) == frames


@pytest.mark.parametrize(
    'changes, says',
    [
        ({}, ''),
        ({'stamp_ns': 200}, ''),
        ({'stamp_ns': 100}, '2 frames behind'),
        ({'stamp_ns': 101}, 'front never showed the frame answered about'),
        ({'text': 'green'}, "front shows red, the answer was 'green'"),
        ({'answered': 'rear'}, 'asked about front, answered about rear'),
        ({'status': 'BUSY'}, 'BUSY'),
        ({'status': 'no reply'}, 'no reply'),
    ],
)
def test_a_reply_is_wrong_for_one_named_reason(changes, says):
    assert fault(replace(GOOD, **changes), SHOWN) == says


def test_missing_and_double_answers_show():
    refused = Asked('left', 1, 2, 'BUSY')
    late = replace(GOOD, stamp_ns=200, status='DEADLINE')
    asked = [GOOD, GOOD, late, refused]
    both = [('front', 300)] * 2
    assert uneven(asked, [*both, ('front', 200), ('rear', 7)]) == (0, 0)
    assert uneven(asked, [*both, ('front', 300), ('front', 200)]) == (0, 1)
    assert uneven(asked, [('front', 300)]) == (2, 0)

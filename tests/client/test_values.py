"""What a client gets back, and what it raises."""

import math
import pickle

import pytest
from builtin_interfaces.msg import Time
from std_msgs.msg import Header

from mobilevlm_ros import msg
from mobilevlm_ros.client import Answer, RefusedError
from mobilevlm_ros.client.values import check_of, now_s, outcome_of


def reply(code=msg.Status.OK, travel_s=0.0, **fields):
    """What comes of a message that took so long both ways, beside the time that it tells of."""
    status = msg.Status(code=code, message='' if code == msg.Status.OK else 'because')
    answer = msg.Answer(**fields)
    return outcome_of(status, answer, now_s() - travel_s - answer.timing.total_ms * 1e-3)


def chosen(choice, abstained=False):
    return reply(
        choices=['yes', 'no'], probabilities=[0.75, 0.25], choice=choice, abstained=abstained
    )


def test_an_answer_has_what_its_message_has():
    header = Header(stamp=Time(sec=3, nanosec=7), frame_id='lens')
    answer = reply(header=header, text='a red box', camera='front', finish_reason='stop')
    assert (answer.stamp_ns, answer.frame_id, answer.camera) == (3_000_000_007, 'lens', 'front')
    assert (answer.text, answer.finish_reason, answer.choice) == ('a red box', 'stop', None)
    assert answer.message.header == header
    assert math.isnan(answer.probability)


def test_an_answer_tells_how_old_its_image_was():
    answer = reply(timing=msg.Timing(image_age_ms=40.0, final_age_ms=90.0, total_ms=50.0))
    assert (answer.image_age_ms, answer.final_age_ms, answer.total_ms) == (40, 90, 50)


def test_an_image_ages_while_its_answer_lies_unread_in_a_process_that_was_stopped():
    timing = msg.Timing(final_age_ms=90.0, total_ms=50.0)
    assert 0.09 <= reply(timing=timing).age_s < 9
    assert reply(timing=timing, travel_s=10.0).age_s >= 10.09


def test_a_choice_has_a_name_unless_none_was_taken():
    assert chosen(1).choice == 'no' and chosen(1).probability == 0.75
    assert chosen(-1, abstained=True).choice is None


@pytest.mark.parametrize(
    ('answer', 'yes'), [(chosen(0), True), (chosen(1), False), (chosen(-1, True), None)]
)
def test_a_check_is_true_for_a_yes_alone(answer, yes):
    check = check_of(answer)
    assert (check.yes, bool(check), check.probability) == (yes, bool(yes), 0.75)


def test_a_refusal_has_its_status_and_what_there_was():
    error = reply(msg.Status.CANCELLED, text='a red', finish_reason='cancelled')
    assert isinstance(error, RefusedError) and str(error) == 'CANCELLED: because'
    assert (error.code, error.answer.text) == ('CANCELLED', 'a red')
    assert reply(msg.Status.STALE).answer is None
    assert reply(200).code == 'status 200'


def test_what_comes_back_can_go_to_another_process():
    error = reply(msg.Status.DEADLINE, text='a red', finish_reason='deadline')
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.code, copy.answer) == (str(error), error.code, error.answer)
    answer = chosen(0)
    assert pickle.loads(pickle.dumps(answer)) == answer and isinstance(answer, Answer)

"""What a message's info says of its way here."""

import pytest

from mobilevlm_ros.nodes.arrivals import RECEIVED, SENT, since_s

NOW_NS = 1_700_000_000_000_000_000


@pytest.mark.parametrize(
    ('info', 'received_s', 'sent_s'),
    [
        ({RECEIVED: NOW_NS - 100_000_000, SENT: NOW_NS - 7_000_000_000}, 0.1, 7.0),
        ({RECEIVED: NOW_NS, SENT: NOW_NS + 3_600_000_000_000}, 0.0, 0.0),
        ({RECEIVED: 0, SENT: 0}, 0.0, 0.0),
        ({}, 0.0, 0.0),
    ],
    ids=['waited', 'a clock ahead', 'not told', 'Humble'],
)
def test_a_message_was_sent_and_arrived_so_long_ago(info, received_s, sent_s):
    assert since_s(info, RECEIVED, NOW_NS) == pytest.approx(received_s)
    assert since_s(info, SENT, NOW_NS) == pytest.approx(sent_s)

"""Counts, rates and percentiles of what was answered lately."""

import pytest

from mobilevlm_ros.engine import Timing
from mobilevlm_ros.nodes.record import WINDOW_S, Record


def test_percentiles_are_of_the_window_alone():
    record = Record()
    record.add('OK', Timing(total_ms=1000.0), now_s=0.0)
    for ms in range(101):
        record.add('OK', Timing(total_ms=float(ms)), now_s=WINDOW_S + 1)
    assert record.percentiles(WINDOW_S + 1)['total_ms'] == pytest.approx((50, 95, 99))
    assert record.rate_hz(WINDOW_S + 1) == pytest.approx(101 / WINDOW_S)
    assert record.percentiles(3 * WINDOW_S) == {}


def test_every_status_is_counted_and_faults_in_a_row_are_told_apart():
    record = Record()
    for code in ('OK', 'BUSY', 'INTERNAL', 'INTERNAL'):
        record.add(code, None, 0.0)
    assert record.counts == {'OK': 1, 'BUSY': 1, 'INTERNAL': 2} and record.faults == 2
    record.add('OK', Timing(), 0.0)
    assert record.faults == 0


def test_what_is_refused_neither_counts_as_a_fault_nor_ends_them():
    record = Record()
    for code in ('INTERNAL', 'INVALID', 'INTERNAL', 'BUSY', 'DEADLINE'):
        record.add(code, None, 0.0)
    assert record.faults == 2

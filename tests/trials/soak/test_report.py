"""What fails a soak."""

import json
from dataclasses import replace

import pytest

from mobilevlm_ros.trials.soak.cameras import COLOURS
from mobilevlm_ros.trials.soak.questions import Asked
from mobilevlm_ros.trials.soak.report import Soak, table, to_json, violations
from mobilevlm_ros.trials.soak.run import Phase
from mobilevlm_ros.trials.usage import Usage

ASKED = Asked('front', 0, 40_000_000, 'OK', 'red', 'front', 1)
PHASE = Phase(10.0, 600.0, (ASKED,), dict.fromkeys(COLOURS, 6000), {0: 1}, {})
SAMPLES = [Usage(t, 300.0, 250.0, 200.0, 21, 30, t / 2, 310.0) for t in range(0, 601, 5)]
GOOD = Soak('raw', PHASE, SAMPLES, {'vlm_node': 0.5}, (0, 0), 10.0)


def test_a_good_run_has_nothing_wrong():
    assert violations(GOOD) == []
    assert table(GOOD).endswith('\nok')
    assert 'median 40, 95% 40, most 40' in table(GOOD)
    assert json.loads(json.dumps(to_json(GOOD)))['mb_per_h'] == pytest.approx(0)


def grown(field, by):
    return [replace(one, **{field: getattr(one, field) + by(one.at_s)}) for one in SAMPLES]


@pytest.mark.parametrize(
    'changes, says',
    [
        ({'phase': replace(PHASE, faults={'BUSY': 2})}, '2 x BUSY'),
        ({'phase': replace(PHASE, frames={**PHASE.frames, 'rear': 5000})}, 'kept 83.4%'),
        ({'uneven': (0, 1)}, '1 more than once'),
        ({'samples': grown('own_mb', lambda t: t / 36)}, 'memory grows by 100.0 MB/h'),
        ({'samples': grown('files', lambda t: int(t // 100))}, '3 more open files'),
        ({'samples': grown('threads', lambda t: int(t > 400))}, '1 more threads'),
        ({'left': ('fastrtps_1',)}, 'left in /dev/shm: fastrtps_1'),
    ],
)
def test_each_fault_fails_the_run(changes, says):
    bad = replace(GOOD, **changes)
    assert [one for one in violations(bad) if says in one]
    assert 'WRONG' in table(bad) and not table(bad).endswith('ok')


def test_a_run_too_short_to_tell_still_makes_valid_json():
    short = replace(GOOD, samples=SAMPLES[:3])
    assert 'too short a run to tell' in table(short)
    assert json.loads(json.dumps(to_json(short), allow_nan=False))['mb_per_h'] is None

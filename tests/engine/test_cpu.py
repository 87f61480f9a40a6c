import os

import pytest

from mobilevlm_ros.engine.cpu import has_amx, thread_count


@pytest.mark.parametrize(
    ('info', 'expected'),
    [
        ('CPU : AVX512_VNNI = 1 | AMX_INT8 = 1 | REPACK = 1 | ', True),
        ('CPU : AVX512_VNNI = 1 | REPACK = 1 | ', False),
        ('CPU : NEON = 1 | ARM_FMA = 1 | REPACK = 1 | ', False),
    ],
)
def test_builds_with_amx_are_told_by_their_own_account(info: str, expected: bool) -> None:
    assert has_amx(info) is expected


def test_threads_are_the_wanted_or_as_many_as_we_may_use() -> None:
    assert thread_count(3) == 3
    assert thread_count(0) == len(os.sched_getaffinity(0))

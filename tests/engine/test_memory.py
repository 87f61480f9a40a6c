from pathlib import Path

import pytest

from mobilevlm_ros.engine.errors import MemoryShortError
from mobilevlm_ros.engine.fake_cuda import FakeCuda
from mobilevlm_ros.engine.memory import Need, check_memory, estimate, free_memory, read_meminfo

GIB = 1 << 30


@pytest.fixture
def meminfo(tmp_path: Path) -> Path:
    path = tmp_path / 'meminfo'
    path.write_text('MemTotal:  7990000 kB\nMemFree: 100 kB\nMemAvailable:    2048 kB\n')
    return path


def test_a_board_counts_what_linux_calls_available(meminfo: Path) -> None:
    board, card = FakeCuda(free=5), FakeCuda(free=5)
    board.integrated = True
    assert free_memory(board, meminfo) == 2 << 20
    assert free_memory(card, meminfo) == 5


def test_a_counter_that_is_not_there_reads_zero(meminfo: Path) -> None:
    assert read_meminfo('SwapFree', meminfo) == 0


def test_building_takes_more_than_running_and_the_workspace_counts() -> None:
    need = estimate(600 << 20, 512 << 20)
    assert need.run < need.build
    assert estimate(600 << 20, 1024 << 20).build - need.build == 512 << 20


@pytest.mark.parametrize(('total', 'small'), [(8 * GIB, True), (16 * GIB, False)])
def test_too_little_is_refused_with_advice_for_small_boards(total: int, small: bool) -> None:
    with pytest.raises(MemoryShortError, match=r'3\.0 GiB .*free.* 4\.0 GiB') as raised:
        check_memory(Need(4 * GIB, GIB), 3 * GIB, total)
    assert ('8 GB board' in str(raised.value)) == small
    assert '--no-preflight' in str(raised.value)


def test_just_enough_will_do() -> None:
    check_memory(Need(4 * GIB, GIB), 4 * GIB, 8 * GIB)

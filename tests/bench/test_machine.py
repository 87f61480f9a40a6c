"""What is told of the machine."""

from pathlib import Path

import pytest

from mobilevlm_ros.bench.machine import CPUINFO, instructions, processor

X86 = 'model name\t: Some CPU\nflags\t\t: fpu avx avx2 avx512_vnni\n'
ARM = 'BogoMIPS\t: 62.50\nFeatures\t: fp asimd asimddp\n'


@pytest.mark.parametrize(
    ('text', 'expected'),
    [(X86, 'avx2, avx512_vnni'), (ARM, 'asimd, asimddp'), ('flags : fpu\n', 'not known')],
)
def test_instructions_are_those_that_products_depend_on(
    tmp_path: Path, text: str, expected: str
) -> None:
    cpuinfo = tmp_path / 'cpuinfo'
    cpuinfo.write_text(text)
    assert instructions(cpuinfo) == expected


def test_a_machine_that_tells_nothing_is_described_all_the_same(tmp_path: Path) -> None:
    assert instructions(tmp_path / 'none') == 'not known' and processor(tmp_path / 'none')


def test_this_machine_is_known() -> None:
    assert instructions(CPUINFO) != 'not known'

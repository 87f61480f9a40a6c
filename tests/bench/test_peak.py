from pathlib import Path

from mobilevlm_ros.bench.peak import peak_mb, taken_mb

SMAPS = """\
7f0000000000-7f0010000000 r--p 00000000 08:01 12 /models/llm.gguf
Size:             200000 kB
Rss:              {resident} kB
7f0020000000-7f0020001000 rw-p 00000000 00:00 0
Size:                  4 kB
Rss:                   4 kB
"""


def process(folder: Path, resident: int) -> Path:
    (folder / '1').mkdir()
    (folder / '1' / 'status').write_text(f'VmHWM:\t 500000 kB\nVmRSS:\t {100000 + resident} kB\n')
    (folder / '1' / 'smaps').write_text(SMAPS.format(resident=resident))
    return folder


def test_the_peak_is_what_linux_says(tmp_path: Path) -> None:
    assert peak_mb(1, process(tmp_path, 0)) == 512


def test_pages_that_were_only_rearranged_do_not_count(tmp_path: Path) -> None:
    proc = process(tmp_path, resident=200000)
    assert taken_mb(1, 'llm.gguf', 150000 << 10, proc) == (150000 << 10) / 1e6


def test_what_the_kernel_took_back_is_not_taken_off_again(tmp_path: Path) -> None:
    proc = process(tmp_path, resident=40000)
    assert taken_mb(1, 'llm.gguf', 150000 << 10, proc) == (140000 << 10) / 1e6


def test_another_file_counts_as_a_whole(tmp_path: Path) -> None:
    proc = process(tmp_path, resident=200000)
    assert taken_mb(1, 'other.gguf', 0, proc) == (300000 << 10) / 1e6

"""What processes take, and what they leave behind."""

import mmap
import os

from mobilevlm_ros.trials.usage import busy_seconds, left_of, read_usage, shared_files


def test_a_process_is_read():
    usage = read_usage(os.getpid(), 1.5)
    assert usage.at_s == 1.5
    assert 1 < usage.own_mb <= usage.pss_mb <= usage.rss_mb <= usage.peak_mb
    assert usage.threads >= 1 and usage.files >= 3
    assert 0 < usage.cpu_s <= busy_seconds()


def test_the_peak_stays_when_memory_is_given_back():
    with mmap.mmap(-1, 64 * 2**20) as block:
        block.write(b'x' * len(block))
        held = read_usage(os.getpid())
    after = read_usage(os.getpid())
    assert after.rss_mb < held.rss_mb - 50 and after.peak_mb >= held.rss_mb


def test_what_outlives_its_users_is_left(tmp_path):
    (tmp_path / '7').mkdir()
    maps = '7f00-7f01 rw-s 0 00:19 5  /dev/shm/fastrtps_x\n7f02-7f03 r-xp 0 08:01 6  /lib/c.so\n'
    (tmp_path / '7' / 'maps').write_text(maps)
    files = shared_files([7], tmp_path)
    assert {path.name for path in files} == {'fastrtps_x'}
    there, gone = tmp_path / 'fastrtps_port7', tmp_path / 'fastrtps_y'
    there.touch()
    assert left_of({there, gone}, tmp_path) == ['fastrtps_port7']

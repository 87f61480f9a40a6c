"""Folders and videos as series of frames."""

import cv2
import numpy as np
import pytest

from mobilevlm_ros.engine import ConfigError, ImageError
from mobilevlm_ros.nodes.sources import open_source


def write_image(path, grey):
    assert cv2.imwrite(str(path), np.full((16, 24, 3), grey, np.uint8))


def write_video(path, greys, rate=12.5):
    video = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'MJPG'), rate, (64, 48))
    assert video.isOpened()
    for grey in greys:
        video.write(np.full((48, 64, 3), (grey, grey, 255), np.uint8))  # BGR
    video.release()


def test_a_folder_gives_its_images_by_name_and_names_broken_ones(tmp_path):
    for name, grey in (('b.png', 20), ('a.PNG', 10), ('d.bmp', 40)):
        write_image(tmp_path / name, grey)
    (tmp_path / 'c.jpg').write_bytes(b'not a picture')
    (tmp_path / 'notes.txt').write_text('no picture either')
    source = open_source(str(tmp_path))
    for _ in range(2):
        first, second, broken, last = source.frames()
        assert [int(frame[0, 0, 0]) for frame in (first, second, last)] == [10, 20, 40]
        assert isinstance(broken, ImageError) and 'c.jpg' in str(broken)


def test_an_image_file_is_played_as_a_folder_with_it_alone(tmp_path):
    write_image(tmp_path / 'a1.png', 10)
    write_image(tmp_path / 'a2.png', 20)
    source = open_source(str(tmp_path / 'a1.png'))
    for _ in range(2):
        assert [int(frame[0, 0, 0]) for frame in source.frames()] == [10]
    (tmp_path / 'cut.png').write_bytes((tmp_path / 'a1.png').read_bytes()[:50])
    (broken,) = open_source(str(tmp_path / 'cut.png')).frames()
    assert isinstance(broken, ImageError) and 'cut.png is a truncated PNG' in str(broken)


def test_a_video_gives_its_frames_and_rate(tmp_path):
    write_video(tmp_path / 'clip.avi', [0, 100, 200])
    source = open_source(str(tmp_path / 'clip.avi'))
    assert source.rate == pytest.approx(12.5)
    for _ in range(2):
        frames = list(source.frames())
        assert [frame.shape for frame in frames] == [(48, 64, 3)] * 3
        for frame, grey in zip(frames, [0, 100, 200], strict=True):
            assert np.abs(frame[24, 32].astype(int) - (255, grey, grey)).max() < 12  # RGB


def test_what_cannot_be_played_is_refused_by_name(tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'text.avi').write_text('not a film')
    for name, reason in (
        ('nowhere', 'does not exist'),
        ('empty', 'has no images'),
        ('text.avi', 'not a video'),
    ):
        with pytest.raises(ConfigError, match=f'{name}.*{reason}'):
            open_source(str(tmp_path / name))
    with pytest.raises(ConfigError, match='give a folder of images or a video file'):
        open_source('')


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((2, 2, 3), np.uint8))
    assert len(list(open_source('~').frames())) == 1
    assert len(list(open_source('~/a.png').frames())) == 1

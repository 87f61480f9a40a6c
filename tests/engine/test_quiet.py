import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DECODE = """
import sys
from mobilevlm_ros.engine import ImageError, read_image
for path in sys.argv[1:]:
    try:
        read_image(path)
    except ImageError as error:
        print(error)
"""


def odd(name: str) -> bytes:
    """A file of which Pillow, or a C library in it, has something to say."""
    stream = io.BytesIO()
    if name == 'big.png':  # a warning
        Image.new('1', (12_000, 9_000)).save(stream, 'PNG')
        return stream.getvalue()
    pixels = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
    Image.fromarray(pixels).save(stream, 'TIFF', compression='tiff_lzw')
    data = bytearray(stream.getvalue())
    if name == 'lzw.tif':  # libtiff
        data[60:160] = b'\xff' * 100
    else:  # logging
        at = data.index(b'\x15\x01\x03\0')  # SamplesPerPixel
        data[at + 8 : at + 10] = b'\xff\xff'
    return bytes(data)


@pytest.mark.parametrize('name', ['big.png', 'lzw.tif', 'samples.tif'])
def test_nothing_of_pillow_reaches_stderr(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(odd(name))
    done = subprocess.run(
        [sys.executable, '-c', DECODE, str(tmp_path / name)], capture_output=True, text=True
    )
    assert done.returncode == 0 and not done.stderr
    assert f'{name} ' in done.stdout

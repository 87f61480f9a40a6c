"""What the format of a sensor_msgs/CompressedImage says of the pixels in its file.

compressed_image_transport converts some encodings before it compresses them, and writes both:
`rgb8; jpeg compressed bgr8`. One that was not converted is named once: `mono16; png compressed `.
Cameras write `jpeg`, which says nothing that is not in the file itself.
"""

from __future__ import annotations

from mobilevlm_ros.engine.encodings import depth_error, find_encoding, is_encoding
from mobilevlm_ros.engine.errors import ImageError

_DEPTH_CODECS = ('compresseddepth', 'rvl')


def stored_encoding(format: str) -> str:
    """The encoding of the image that was compressed; empty: the format does not say.

    Raises:
        ImageError: if it was a depth image, or of an encoding that is not known.
    """
    if any(codec in format.lower() for codec in _DEPTH_CODECS):
        raise depth_error(format[:60])
    source, told, codec = (part.strip() for part in format.partition(';'))
    if not told and not is_encoding(source):
        return ''
    names = [source, *codec.partition('compressed')[2].split()[:1]]
    _check(names, format)
    alone = not told and not source.startswith('bayer')  # beside a file like any other
    return '' if alone else names[-1]


def _check(names: list[str], format: str) -> None:
    try:
        for name in names:
            find_encoding(name)
    except ImageError as error:
        raise ImageError(f'format {format[:60]!r}: {error}') from error


def file_encoding(stored: str, channels: int, bits: int) -> str:
    """The encoding of a file's samples, grey or in the order red, green, blue.

    Args:
        stored: of the image that was compressed; empty: not known.
        channels: samples of a pixel in the file, 1 or 3.
        bits: of each sample, 8 or 16.

    Raises:
        ImageError: if the file has more bits than the image that was compressed.
    """
    if stored and bits > find_encoding(stored).bits:
        raise ImageError(f'the format says {stored}, but the file has {bits} bits a sample')
    if channels == 1:
        return f'{stored.rstrip("168") if stored.startswith("bayer") else "mono"}{bits}'
    # OpenCV takes what it compresses for BGR, so of an image in RGB it swaps red and blue.
    return f'bgr{bits}' if stored.startswith('rgb') else f'rgb{bits}'

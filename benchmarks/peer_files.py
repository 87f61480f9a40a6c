"""The peer's projector files, of the checkpoint that a bundle was made from.

    python benchmarks/peer_files.py CHECKPOINT FOLDER

Writes FOLDER/mmproj-F16.gguf and FOLDER/mmproj-Q8_0.gguf, as the official converter would: its
last block is left out by llama.cpp, which makes the peer a little faster than it should be.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from mmproj import write_mmproj

from mobilevlm_ros.convert.source import load_vision, open_source

KINDS = ('F16', 'Q8_0')


def main() -> None:
    """Write what is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('checkpoint')
    parser.add_argument('folder', type=Path)
    args = parser.parse_args()
    paths = {kind: args.folder / f'mmproj-{kind}.gguf' for kind in KINDS}
    missing = {kind: path for kind, path in paths.items() if not path.exists()}
    if not missing:
        return
    model = load_vision(open_source(args.checkpoint))
    for kind, path in missing.items():
        part = path.with_suffix('.part')
        write_mmproj(model, part, feature_layer=False, kind=kind)
        part.rename(path)
        print(path)


if __name__ == '__main__':
    main()

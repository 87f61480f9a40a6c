from pathlib import Path

import pytest

from mobilevlm_ros.convert.bundle import write_bundle
from mobilevlm_ros.convert.source import Source
from mobilevlm_ros.engine import load_bundle
from mobilevlm_ros.engine.errors import BundleError


def test_a_bundle_describes_and_checks_itself(source: Source, tmp_path: Path) -> None:
    write_bundle(source, tmp_path / 'small')
    bundle = load_bundle(tmp_path / 'small')
    assert (bundle.vision.image_size, bundle.vision.visual_tokens) == (40, 4)
    assert bundle.prompt.head == 'Look: ' and bundle.context_length == 128
    assert {p.name for p in tmp_path.iterdir()} == {'small'}


def test_what_exists_is_not_overwritten(source: Source, tmp_path: Path) -> None:
    (tmp_path / 'mine').mkdir()
    with pytest.raises(BundleError, match='exists already'):
        write_bundle(source, tmp_path / 'mine')

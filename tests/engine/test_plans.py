import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mobilevlm_ros.engine import Bundle, BundleError, load_bundle
from mobilevlm_ros.engine import plans as plans_module
from mobilevlm_ros.engine.errors import BackendError, PlanError
from mobilevlm_ros.engine.plans import (
    PlanKey,
    PlanOptions,
    PlanRecord,
    bundle_folder,
    cache_folder,
    check_plan,
    find_plan,
    fitting_record,
    onnx_file,
    output_folder,
    read_record,
    save_plan,
)

KEY = PlanKey('10.3.0', '87', 'ab' * 32)
RECORD = PlanRecord(KEY, PlanOptions(), '', 0, 0.9999, 'fp32', 8)
PLAN = memoryview(b'plan of the engine')


@pytest.fixture
def bundle(fp16_bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    return load_bundle(fp16_bundle)


def test_a_saved_plan_is_found_by_its_key_and_checked(tmp_path: Path) -> None:
    path = save_plan(tmp_path, PLAN, RECORD)
    record = fitting_record(tmp_path, KEY)
    assert record is not None and (record.bytes, record.cosine) == (len(PLAN), 0.9999)
    assert check_plan(tmp_path, record) == path
    assert path.read_bytes() == PLAN
    assert sorted(p.suffix for p in tmp_path.iterdir()) == ['.json', '.plan']


@pytest.mark.parametrize(
    'other', [{'tensorrt': '10.16.2'}, {'sm': '86'}, {'onnx': 'cd' * 32}, {'onnx': 'ab' * 31}]
)
def test_a_plan_of_another_key_does_not_fit(tmp_path: Path, other: dict[str, str]) -> None:
    save_plan(tmp_path, PLAN, RECORD)
    assert fitting_record(tmp_path, replace(KEY, **other)) is None


@pytest.mark.parametrize('damage', [b'plan of the engin', b'plan of the Engine'])
def test_a_damaged_plan_is_refused(tmp_path: Path, damage: bytes) -> None:
    path = save_plan(tmp_path, PLAN, RECORD)
    path.write_bytes(damage)
    record = fitting_record(tmp_path, KEY)
    assert record is not None
    with pytest.raises(PlanError, match='run `mobilevlm build-engine` again'):
        check_plan(tmp_path, record)


@pytest.mark.parametrize('text', ['', '{', '[]', '{}', '{"key": {}, "options": {}}', '{"key": 1}'])
def test_a_record_that_cannot_be_read_is_none(tmp_path: Path, text: str) -> None:
    path = tmp_path / 'record.json'
    path.write_text(text)
    assert read_record(path) is None


def test_a_plan_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    save_plan(tmp_path, PLAN, RECORD)
    path = tmp_path / f'{KEY.stem()}.plan'
    path.unlink()
    path.mkdir()  # so that nothing can take its place
    with pytest.raises(PlanError, match='could not be written'):
        save_plan(tmp_path, PLAN, RECORD)
    assert fitting_record(tmp_path, KEY) is None
    assert not list(tmp_path.glob('*.partial'))


def test_plans_lie_in_the_bundle_or_else_in_the_cache(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert output_folder(bundle) == bundle.path / 'tensorrt'
    monkeypatch.setattr(plans_module.os, 'access', lambda path, mode: False)  # tests run as root
    assert output_folder(bundle) == cache_folder(bundle)
    assert cache_folder(bundle).name == f'tensorrt-{onnx_file(bundle)[1][:12]}'


def test_without_a_fp16_file_it_is_said_what_to_convert(tiny_bundle: Path) -> None:
    with pytest.raises(BundleError, match='built from fp16: convert the model again'):
        find_plan(load_bundle(tiny_bundle))


def test_without_tensorrt_it_is_said_where_it_comes_from(bundle: Bundle) -> None:
    with pytest.raises(BackendError, match='--system-site-packages'):
        find_plan(bundle)


def test_plans_that_do_not_fit_are_explained(bundle: Bundle) -> None:
    key = replace(KEY, onnx=onnx_file(bundle)[1])
    save_plan(bundle_folder(bundle), PLAN, replace(RECORD, key=replace(key, tensorrt='10.16.2')))
    save_plan(cache_folder(bundle), PLAN, replace(RECORD, key=replace(key, sm='86')))
    text = plans_module._describe_others(bundle, key)
    assert 'one is of TensorRT 10.16.2 where this is 10.3.0' in text
    assert 'one is for SM 86 where this GPU is SM 87' in text
    shutil.rmtree(bundle_folder(bundle))
    shutil.rmtree(cache_folder(bundle))
    assert plans_module._describe_others(bundle, key) == 'no TensorRT plan is there'


def test_the_record_says_how_good_the_plan_is(tmp_path: Path) -> None:
    path = save_plan(tmp_path, PLAN, RECORD)
    written = json.loads(path.with_suffix('.json').read_text())
    assert written['key'] == {'tensorrt': '10.3.0', 'sm': '87', 'onnx': 'ab' * 32}
    assert (written['cosine'], written['reference'], written['images']) == (0.9999, 'fp32', 8)

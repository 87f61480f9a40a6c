import errno
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mobilevlm_ros.engine import BundleError, BundleFileError, BundleSchemaError, load_bundle


def edit(bundle: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = bundle / 'bundle.json'
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


def test_a_bundle_tells_what_its_manifest_says(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    assert bundle.name == 'tiny'
    assert bundle.vision.mean == (0.48, 0.46, 0.41)
    assert bundle.vision.visual_tokens == 16
    assert bundle.context_length == 256
    assert bundle.prompt.stop == ('</s>',)
    assert bundle.backend_file('llama_cpp') == tiny_bundle / 'llm.gguf'
    assert bundle.backend_file('onnxruntime', 'fp32') == tiny_bundle / 'vision.onnx'


def test_the_temperature_of_typed_answers_may_be_left_out(own_bundle: Path) -> None:
    assert load_bundle(own_bundle).temperature == 1.0
    edit(own_bundle, lambda m: m['language'].update(temperature=2))
    assert load_bundle(own_bundle).temperature == 2.0


@pytest.mark.parametrize('value', [0, -1.0, 21, math.nan, math.inf, True, '1', None])
def test_a_temperature_that_makes_no_sense_is_refused(own_bundle: Path, value: Any) -> None:
    edit(own_bundle, lambda m: m['language'].update(temperature=value))
    with pytest.raises(BundleSchemaError, match=r'should be a number from 0\.05 to 20'):
        load_bundle(own_bundle)


def test_a_folder_without_manifest_is_no_bundle(tmp_path: Path) -> None:
    with pytest.raises(BundleFileError, match=r'bundle\.json does not exist; a bundle is'):
        load_bundle(tmp_path)


def test_a_missing_file_is_named(own_bundle: Path) -> None:
    (own_bundle / 'llm.gguf').unlink()
    with pytest.raises(BundleFileError, match=r'llm\.gguf is missing; copy the bundle again'):
        load_bundle(own_bundle)


def test_a_truncated_file_is_told_by_its_size_even_without_verifying(own_bundle: Path) -> None:
    path = own_bundle / 'llm.gguf'
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(BundleFileError, match='was cut short'):
        load_bundle(own_bundle, verify=False)


def test_one_flipped_bit_is_found(own_bundle: Path) -> None:
    path = own_bundle / 'vision.onnx'
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(BundleFileError, match=r'vision\.onnx is damaged: its SHA-256'):
        load_bundle(own_bundle)
    load_bundle(own_bundle, verify=False)


@pytest.mark.parametrize(
    'text', ['{"schema": 1,', '', '\xff', '[' * 100_000, '{"name": "\\ud800"}']
)
def test_a_manifest_that_is_no_json_is_refused(own_bundle: Path, text: str) -> None:
    (own_bundle / 'bundle.json').write_bytes(text.encode('latin-1'))
    with pytest.raises(BundleFileError, match='cannot be read as JSON'):
        load_bundle(own_bundle)


def test_a_manifest_that_is_no_object_is_refused(own_bundle: Path) -> None:
    (own_bundle / 'bundle.json').write_text('[1]')
    with pytest.raises(BundleSchemaError, match='must hold a JSON object'):
        load_bundle(own_bundle)


def test_an_entry_that_is_there_twice_is_refused_by_name(own_bundle: Path) -> None:
    path = own_bundle / 'bundle.json'
    path.write_text(path.read_text().replace('"name"', '"license": "MIT", "name"'))
    with pytest.raises(BundleFileError, match="'license' is there twice"):
        load_bundle(own_bundle)


def test_a_file_that_may_not_be_read_is_named(
    own_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(errno.EACCES, 'Permission denied', str(path))

    monkeypatch.setattr('mobilevlm_ros.engine.bundle.sha256', refuse)
    with pytest.raises(BundleFileError, match=r'cannot be read: Permission denied; check its'):
        load_bundle(own_bundle)


def test_a_newer_schema_asks_for_an_update(own_bundle: Path) -> None:
    edit(own_bundle, lambda m: m.update(schema=2))
    with pytest.raises(BundleSchemaError, match='schema 2; this version reads schema 1: update'):
        load_bundle(own_bundle)


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (lambda m: m.pop('prompt'), 'prompt is not there'),
        (lambda m: m.update(vision=3), 'vision should be an object, found 3'),
        (lambda m: m['vision'].update(width='wide'), 'vision: width should be a whole number'),
        (lambda m: m['vision'].update(width=True), 'width should be a whole number'),
        (lambda m: m['vision'].update(std=[0, 1, 1]), 'std should be three numbers'),
        (lambda m: m['vision'].update(mean=[1, 1]), 'mean should be three numbers'),
        (lambda m: m['vision'].update(mean=[0.5, 0.5, 1.5]), 'three numbers from 0 to 1'),
        (lambda m: m['vision'].update(std=[10**400, 1, 1]), 'three numbers from 1e-06 to 1'),
        (lambda m: m['vision'].update(mean=[math.nan, 0, 0]), 'mean should be three numbers'),
        (lambda m: m['vision'].update(mean=[True, 0, 0]), 'mean should be three numbers'),
        (lambda m: m['language'].update(context_length=1 << 32), 'number from 1 to 1048576'),
        (lambda m: m['caption'].update(question=' '), 'question should be a question that'),
        (lambda m: m['vision'].update(resize='stretch'), 'resize should be one of pad, crop'),
        (lambda m: m['language'].update(max_tokens=0), 'max_tokens should be a whole number from'),
        (lambda m: m['prompt'].update(turn_space=1), 'turn_space should be true or false'),
        (lambda m: m.update(architecture='gpt'), 'architecture should be one of mobilevlm'),
        (lambda m: m['prompt'].update(question='Q'), r'text with \{question\} in it once'),
        (lambda m: m['prompt'].update(stop=['']), 'stop should be a list of texts'),
        (lambda m: m.update(name=1), 'name should be text'),
        (lambda m: m['backends'].update(llama_cpp='x.gguf'), 'llama_cpp should be one of'),
    ],
)
def test_a_wrong_entry_is_named_with_what_was_expected(
    own_bundle: Path, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    edit(own_bundle, change)
    with pytest.raises(BundleSchemaError, match=message):
        load_bundle(own_bundle)


@pytest.mark.parametrize('name', ['../secret', '/etc/passwd', 'a/b', '..', ''])
def test_a_bundle_cannot_reach_outside_its_folder(own_bundle: Path, name: str) -> None:
    edit(own_bundle, lambda m: m['files'].update({name: {'sha256': '', 'bytes': 1}}))
    with pytest.raises(BundleSchemaError, match='plain name of a file'):
        load_bundle(own_bundle)


def test_a_backend_that_is_not_served_is_refused_with_those_that_are(tiny_bundle: Path) -> None:
    bundle = load_bundle(tiny_bundle)
    with pytest.raises(BundleError, match=r'onnxruntime fp16; .*onnxruntime \(fp32, int8\)'):
        bundle.backend_file('onnxruntime', 'fp16')
    with pytest.raises(BundleError, match='nothing for tensorrt'):
        bundle.backend_file('tensorrt')


def test_home_is_expanded(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'model').symlink_to(root / 'models/nano')
    assert load_bundle('~/model', verify=False).path == tmp_path / 'model'


def test_old_bundles_without_newer_entries_stay_what_they_were(own_bundle: Path) -> None:
    def strip(manifest: dict[str, Any]) -> None:
        del manifest['vision']['resize'], manifest['language']['max_tokens']

    edit(own_bundle, strip)
    bundle = load_bundle(own_bundle)
    assert (bundle.vision.resize, bundle.max_tokens) == ('pad', 512)
    assert bundle.prompt.turn_space


def test_nano_says_how_long_its_answers_are(root: Path) -> None:
    assert load_bundle(root / 'models' / 'nano', verify=False).max_tokens == 64

"""The report of `mobilevlm doctor`."""

import hashlib
import json
from pathlib import Path

import pytest

from mobilevlm_ros.cli import doctor
from mobilevlm_ros.cli.main import main
from mobilevlm_ros.engine import BackendError, Bundle, load_bundle
from mobilevlm_ros.engine.selection import Machine


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    """A bundle whose files hold nothing that could run, but match their checksums."""
    content = b'weights'
    checksum = hashlib.sha256(content).hexdigest()
    manifest = {
        'schema': 1,
        'name': 'toy',
        'architecture': 'mobilevlm',
        'vision': {
            'image_size': 160, 'mean': [0.5, 0.5, 0.5], 'std': [0.5, 0.5, 0.5], 'resize': 'pad',
            'visual_tokens': 64, 'width': 256, 'projector': 'ldp',
        },
        'language': {'context_length': 2048},
        'prompt': {'head': 'USER: ', 'question': '\n{question} ASSISTANT:', 'stop': ['</s>']},
        'files': {'llm.gguf': {'sha256': checksum, 'bytes': len(content)}},
        'backends': {'llama_cpp': 'llm.gguf'},
        'caption': {'question': 'Describe the scene.'},
        'license': 'Apache-2.0',
        'provenance': {},
    }
    (tmp_path / 'bundle.json').write_text(json.dumps(manifest), encoding='utf-8')
    (tmp_path / 'llm.gguf').write_bytes(content)
    return tmp_path


def test_report_has_what_a_helper_would_ask_for(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(['doctor', str(bundle)]) == 0
    report = capsys.readouterr().out
    checksum = hashlib.sha256(b'weights').hexdigest()
    for fact in ('Python', 'numpy', 'rclpy', 'onnxruntime', 'CPUExecutionProvider', 'llama_cpp',
                 'memory', 'ROS_DOMAIN_ID', 'RMW_IMPLEMENTATION', 'toy', checksum):
        assert fact in report


def test_damaged_bundle_is_reported_and_fails(
    bundle: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (bundle / 'llm.gguf').write_bytes(b'weightz')
    assert main(['doctor', str(bundle)]) == 1
    report = capsys.readouterr().out
    assert 'broken' in report
    assert 'llm.gguf' in report


def test_missing_backend_is_reported_with_the_reason_and_fails(
    bundle: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__('sys').modules, 'llama_cpp', None)
    assert main(['doctor', str(bundle)]) == 1
    assert 'not found: no module llama_cpp' in ' '.join(capsys.readouterr().out.split())


def test_library_that_fails_to_load_is_shown_not_raised() -> None:
    def load() -> str:
        raise OSError('libcudart.so.12: cannot open shared object file')

    assert doctor.probe(load) == 'broken: OSError: libcudart.so.12: cannot open shared object file'


def test_transport_profile(root: Path, tmp_path: Path) -> None:
    assert '64 MiB' in doctor.profile(str(root / 'config' / 'fastdds.xml'))
    assert 'no such file' in doctor.profile(str(tmp_path / 'absent.xml'))
    assert 'not set' in doctor.profile('')


def test_bundles_are_found_in_the_installed_share(
    bundle: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = tmp_path_factory.mktemp('prefix')
    models = prefix / 'share' / 'mobilevlm_ros' / 'models'
    models.mkdir(parents=True)
    (models / 'toy').symlink_to(bundle)
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/nowhere:{prefix}')
    assert doctor.default_bundles() == [models / 'toy']


def test_ros_distribution_comes_from_the_environment_or_the_wheels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv('ROS_DISTRO', 'humble')
    assert doctor.ros_distribution() == 'humble (sourced)'
    monkeypatch.delenv('ROS_DISTRO')
    assert doctor.ros_distribution() in ('jazzy (wheels)', 'kilted (wheels)')


def test_what_would_run_the_vision_part_is_said_with_the_reasons(root: Path) -> None:
    nano = load_bundle(root / 'models' / 'nano')
    machine = Machine(lambda: ['CPUExecutionProvider'], no_plan, gpu=lambda: True)
    rows = dict(doctor.encoder(nano, machine))
    assert rows['vision encoder'] == 'onnxruntime int8'
    assert 'CUDAExecutionProvider' in rows['not onnxruntime_cuda']
    assert 'not tensorrt' in rows


def test_a_bundle_without_vision_files_says_why_nothing_runs(bundle: Path) -> None:
    ((name, text),) = doctor.encoder(load_bundle(bundle))
    assert (name, text[:6]) == ('vision encoder', 'none: ')
    assert 'ONNX file' in text


def no_plan(bundle: Bundle, verify: bool) -> Path:
    raise BackendError('tensorrt cannot be imported')


def test_how_much_of_the_language_model_goes_to_a_gpu_is_said(root: Path) -> None:
    rows, _ = doctor.bundle(root / 'models' / 'nano')
    assert ' of 7 layers on a GPU' in dict(rows)['language model']


def test_an_old_llama_cpp_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(__import__('llama_cpp'), '__version__', '0.3.16')
    assert 'llama-cpp-python 0.3.16 is too old' in dict(doctor.probe_backends())['llama_cpp']

"""What people take for a checkpoint is called what it is."""

from pathlib import Path

import pytest

from mobilevlm_ros.convert.contents import check_contents, choose_weights, has_adapter
from mobilevlm_ros.convert.source import open_source
from mobilevlm_ros.engine.errors import CheckpointError


@pytest.mark.parametrize(
    ('files', 'complaint'),
    [
        (['adapter_config.json', 'adapter_model.bin', 'config.json'], r'is a LoRA.*mergelora\.py'),
        (['adapter_model.safetensors'], 'is a LoRA'),
        (['config.json', 'non_lora_trainables.bin'], 'is a LoRA'),
        (['config.json', 'mm_projector.bin'], 'is a projector alone.*the whole model'),
        (['checkpoint-500.bin', 'checkpoint-1000.bin'], 'is a projector alone'),
        (['ggml-model-q4_k.gguf', 'mmproj-model-f16.gguf'], 'holds GGUF files'),
        (['bundle.json', 'llm.gguf', 'vision-int8.onnx'], 'is a bundle already.*mobilevlm ask'),
        (['config.json', 'global_step500', 'zero_to_fp32.py'], r'DeepSpeed.*zero_to_fp32\.py \.'),
        (['config.json', 'optimizer.pt', 'trainer_state.json'], 'state of a training'),
    ],
)
def test_a_folder_of_something_else_is_called_that(
    tmp_path: Path, files: list[str], complaint: str
) -> None:
    for name in files:
        (tmp_path / name).write_text('{}')
    with pytest.raises(CheckpointError, match=f'{tmp_path} .*{complaint}'):
        open_source(tmp_path)


@pytest.mark.parametrize('beside', ['adapter_config.json', 'optimizer.pt', 'mm_projector.bin'])
def test_whole_weights_make_a_checkpoint_of_it(beside: str) -> None:
    names = ['config.json', 'pytorch_model.bin', beside]
    check_contents('folder', names)
    assert choose_weights(names) == 'pytorch_model.bin'
    assert has_adapter(names) == (beside == 'adapter_config.json')


def test_an_empty_folder_says_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r'config\.json is not there; expected a chec\w+$'):
        open_source(tmp_path)


@pytest.mark.parametrize('inside', ['MobileVLM-3B', 'snapshots/0123abcd'])
def test_a_folder_around_a_checkpoint_names_the_one_inside(tmp_path: Path, inside: str) -> None:
    (tmp_path / inside).mkdir(parents=True)
    (tmp_path / inside / 'config.json').write_text('{}')
    with pytest.raises(CheckpointError, match=f'is {tmp_path / inside} what you mean'):
        open_source(tmp_path)


@pytest.mark.parametrize(
    ('file', 'complaint'),
    [
        ('model.gguf', 'holds GGUF files'),
        ('mm_projector.bin', 'is a projector alone'),
        ('model.safetensors', 'is a file; give the folder'),
        ('config.json', 'is a file; give the folder'),
        ('MobileVLM.zip', 'is a file; give the folder.*unpack it'),
    ],
)
def test_a_file_in_the_place_of_a_folder_is_said_to_be_one(
    tmp_path: Path, file: str, complaint: str
) -> None:
    (tmp_path / file).touch()
    with pytest.raises(CheckpointError, match=f'{file} .*{complaint}'):
        open_source(tmp_path / file)

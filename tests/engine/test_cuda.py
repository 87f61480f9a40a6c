import importlib
from types import SimpleNamespace

import pytest

from mobilevlm_ros.engine import BackendError
from mobilevlm_ros.engine.cuda import nbytes, open_cuda
from mobilevlm_ros.engine.torch_cuda import TorchCuda


def test_bytes_of_floats() -> None:
    assert nbytes((2, 3, 4)) == 96


def test_without_a_device_the_reasons_of_both_libraries_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(name: str) -> SimpleNamespace:
        raise ModuleNotFoundError(f'No module named {name!r}')

    monkeypatch.setattr(importlib, 'import_module', absent)
    with pytest.raises(BackendError, match=r"torch cannot .*'torch'.*; cuda-python cannot"):
        open_cuda()


def test_torch_without_a_device_says_so() -> None:
    torch = pytest.importorskip('torch')
    if torch.cuda.is_available():
        pytest.skip('there is a CUDA device')
    with pytest.raises(BackendError, match='torch sees no CUDA device'):
        TorchCuda()

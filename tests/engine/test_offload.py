import logging
from collections.abc import Callable

import pytest

from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from mobilevlm_ros.engine.offload import ALL, offload

CPU = 'CPU : SSE3 = 1 | AVX2 = 1 | OPENMP = 1 | '
CUDA = 'CUDA : ARCHS = 870 | USE_GRAPHS = 1 | CPU : NEON = 1 | '


@pytest.mark.parametrize(
    ('wanted', 'supported', 'info', 'expected'),
    [
        (ALL, True, CUDA, '25 of 25 layers on a GPU'),
        (999, True, CUDA, '25 of 25 layers on a GPU'),
        (10, True, CUDA, '10 of 25 layers on a GPU: n_gpu_layers is 10'),
        (0, True, CUDA, '0 of 25 layers on a GPU: n_gpu_layers is 0'),
        (ALL, False, CUDA, '0 of 25 layers on a GPU: this llama.cpp has CUDA, which finds no GPU '
         'here'),
        (ALL, False, CPU, '0 of 25 layers on a GPU: this build of llama.cpp has no GPU support'),
    ],
)  # fmt: skip
def test_what_is_offloaded_is_said_with_the_reason(
    wanted: int, supported: bool, info: str, expected: str
) -> None:
    assert str(offload(wanted, 24, supported, info)) == expected


def test_a_model_says_in_the_log_where_its_layers_are(
    load: Callable[..., LlamaCppLanguageModel], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, 'mobilevlm_ros'):
        llm = load(n_gpu_layers=0)
    assert llm.placement.startswith('0 of 3 layers on a GPU: ')
    assert f'language model: {llm.placement}' in caplog.messages

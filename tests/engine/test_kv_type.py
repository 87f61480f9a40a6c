"""A quantised KV cache, where the model allows one."""

import logging
from typing import Any

import llama_cpp
import numpy as np
import pytest

from mobilevlm_ros.engine.llama_cpp_library import set_kv_type
from tests.engine.support import LoadLlama


@pytest.fixture
def params() -> Any:
    return llama_cpp.llama_context_default_params()


def test_q8_0_gives_nearly_the_logits_of_f16(load: LoadLlama) -> None:
    tokens = [1, *range(300, 330)]
    plain, small = load(), load(kv_type='q8_0')
    assert (plain.kv_type, small.kv_type) == ('f16', 'q8_0')
    expected, found = plain.decode(0, tokens), small.decode(0, tokens)
    assert np.abs(found - expected).max() < 1.0  # they span 17
    assert np.corrcoef(found, expected)[0, 1] > 0.99


def test_heads_that_llama_cpp_refuses_fall_back_to_f16(
    params: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert set_kv_type(params, 'q8_0', head=80) == 'f16'
    assert 'those of this model have 80' in caplog.text
    assert params.type_k != llama_cpp.GGML_TYPE_Q8_0
    assert set_kv_type(params, 'q8_0', head=128) == 'q8_0'
    assert params.type_k == params.type_v == llama_cpp.GGML_TYPE_Q8_0

from dataclasses import replace
from pathlib import Path

import gguf
import numpy as np
import pytest

from mobilevlm_ros.convert.llama_gguf import write_llama
from mobilevlm_ros.convert.quantise import quantisation_types, quantise_llama
from mobilevlm_ros.convert.source import open_source
from mobilevlm_ros.engine.errors import BackendError, ConfigError
from mobilevlm_ros.engine.llama_cpp_llm import LlamaCppLanguageModel
from tests.convert.support import TINY, half_weights, make_model, write_official


@pytest.fixture(scope='module')
def whole(vocabulary: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A float16 file whose rows are long enough for the K types."""
    folder: Path = tmp_path_factory.mktemp('whole')
    geometry = replace(TINY, width=256)
    weights = half_weights(make_model(geometry))
    source = open_source(write_official(folder / 'v', vocabulary, geometry, weights))
    write_llama(source, folder / 'f16.gguf')
    return folder / 'f16.gguf'


@pytest.mark.parametrize(
    ('name', 'stored'), [('Q4_K_S', 'Q4_K'), ('Q4_K_M', 'Q4_K'), ('Q8_0', 'Q8_0')]
)
def test_llama_cpp_loads_what_its_quantiser_wrote(
    whole: Path, tmp_path: Path, name: str, stored: str
) -> None:
    quantise_llama(whole, tmp_path / 'q.gguf', name)
    kinds = {t.name: t.tensor_type.name for t in gguf.GGUFReader(tmp_path / 'q.gguf').tensors}
    assert kinds['blk.0.attn_q.weight'] == stored
    llama = LlamaCppLanguageModel(
        tmp_path / 'q.gguf', context_length=32, cells=32, sequences=1, threads=1
    )
    assert np.isfinite(llama.decode(0, [1, 7, 300])).all()
    llama.close()


def test_an_unknown_type_lists_those_that_there_are(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r'Q4_9 is no quantisation.*Q4_K_M'):
        quantise_llama(whole, tmp_path / 'q.gguf', 'Q4_9')
    assert {'Q4_K_S', 'Q8_0', 'F16'} <= set(quantisation_types())


def test_a_type_that_needs_an_importance_matrix_says_so(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match='requires an imatrix'):
        quantise_llama(whole, tmp_path / 'q.gguf', 'IQ2_XXS')


def test_a_folder_that_cannot_be_written_to_is_reported(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(BackendError, match='could not quantise'):
        quantise_llama(whole, tmp_path / 'nowhere' / 'q.gguf', 'Q8_0')

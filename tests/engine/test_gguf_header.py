import struct
from pathlib import Path

import pytest

from mobilevlm_ros.engine.errors import BundleFileError
from mobilevlm_ros.engine.gguf_header import read_gguf_header


@pytest.fixture
def nano(root: Path) -> Path:
    return root / 'models' / 'nano' / 'llm.gguf'


def test_sizes_and_tensors_of_nano(nano: Path) -> None:
    header = read_gguf_header(nano)
    assert header.size('block_count') == 6 and header.size('attention.head_count_kv') == 8
    assert len(header.tensors) == 57
    assert {tensor.kind for tensor in header.tensors} == {0, 8}  # F32, Q8_0


def test_tensors_fill_the_rest_of_the_file(nano: Path) -> None:
    tensors = read_gguf_header(nano).tensors
    assert 0 <= nano.stat().st_size - sum(tensor.bytes for tensor in tensors) < 64 << 10
    embedding = next(tensor for tensor in tensors if tensor.name == 'token_embd.weight')
    assert embedding.bytes == 768 * 256 * 34 // 32


def test_a_missing_size_is_named(nano: Path) -> None:
    with pytest.raises(BundleFileError, match=r'no llama\.expert_count'):
        read_gguf_header(nano).size('expert_count')


@pytest.mark.parametrize('length', [0, 3, 4, 20, 100, 5000])
def test_a_file_cut_short_is_refused(nano: Path, tmp_path: Path, length: int) -> None:
    file = tmp_path / 'cut.gguf'
    file.write_bytes(nano.read_bytes()[:length])
    with pytest.raises(BundleFileError, match='not a whole GGUF file'):
        read_gguf_header(file)


def test_counts_beyond_reason_are_refused(tmp_path: Path) -> None:
    file = tmp_path / 'huge.gguf'
    file.write_bytes(b'GGUF' + struct.pack('<IQQ', 3, 1 << 60, 1 << 60))
    with pytest.raises(BundleFileError, match='entries'):
        read_gguf_header(file)

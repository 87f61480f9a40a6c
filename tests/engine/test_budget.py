from dataclasses import replace
from pathlib import Path

import pytest

from mobilevlm_ros.engine import EngineConfig, MemoryShortError, fake_bundle, load_bundle
from mobilevlm_ros.engine.budget import (
    MemoryPlan,
    check_budget,
    describe,
    plan_memory,
    release_freed_memory,
)

CONFIG = EngineConfig(encoder='onnxruntime', precision='int8')
PLAN = MemoryPlan({'weights': 3_000_000, 'KV cache': 5_000_000})


def plan(root: Path, config: EngineConfig) -> MemoryPlan:
    return plan_memory(load_bundle(root / 'models' / 'nano', verify=False), config)


def meminfo(folder: Path, kilobytes: int) -> Path:
    file = folder / 'meminfo'
    file.write_text(f'MemAvailable: {kilobytes} kB\n')
    return file


def test_weights_are_as_large_as_their_files(root: Path) -> None:
    parts = plan(root, CONFIG).parts
    folder = root / 'models' / 'nano'
    assert parts['vision encoder'] == (folder / 'vision-int8.onnx').stat().st_size
    assert parts['language model'] == pytest.approx((folder / 'llm.gguf').stat().st_size, rel=0.01)


def test_the_kv_cache_grows_with_held_frames(root: Path) -> None:
    few, many = (
        plan(root, replace(CONFIG, held_frames=count)).parts['KV cache'] for count in (4, 40)
    )
    assert few < many
    assert few % (256 * 6 * 8 * 32 * 2 * 2) == 0  # cells, layers, heads, size, K and V, bytes


def test_a_q8_0_cache_takes_about_half(root: Path) -> None:
    full, half = (
        plan(root, replace(CONFIG, kv_type=kind)).parts['KV cache'] for kind in ('f16', 'q8_0')
    )
    assert half / full == pytest.approx(34 / 64)


def test_nothing_is_rearranged_of_q8_0(root: Path) -> None:
    assert plan(root, CONFIG).dropped == 0


def test_fakes_have_no_weights() -> None:
    config = EngineConfig(encoder='fake', llm='fake')
    assert set(plan_memory(fake_bundle(), config).parts) == {'runtime'}


def test_too_little_memory_is_refused_with_what_takes_most(tmp_path: Path) -> None:
    with pytest.raises(MemoryShortError, match=r'8 are needed \(KV cache 5 MB, weights 3 MB\)'):
        check_budget(PLAN, meminfo(tmp_path, 7000))


def test_enough_memory_is_fine(tmp_path: Path) -> None:
    check_budget(PLAN, meminfo(tmp_path, 8000))


def test_where_linux_does_not_tell_nothing_is_refused(tmp_path: Path) -> None:
    check_budget(PLAN, tmp_path / 'nothing')
    (tmp_path / 'meminfo').write_text('MemTotal: 5 kB\n')
    check_budget(PLAN, tmp_path / 'meminfo')


def test_the_largest_part_is_named_first() -> None:
    assert describe(PLAN) == 'KV cache 5 MB, weights 3 MB'


def test_freed_memory_can_be_given_back() -> None:
    release_freed_memory()

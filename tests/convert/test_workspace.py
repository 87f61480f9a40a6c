from pathlib import Path

import pytest

from mobilevlm_ros.convert.workspace import Workspace
from mobilevlm_ros.engine.errors import BundleError

JOB = {'source': ['weights', 7], 'options': {'precisions': ('int8',)}}


def must_not_run(path: Path) -> None:
    pytest.fail(f'{path} is made again')


def half(path: Path) -> None:
    path.write_text('half')
    raise OSError(28, 'No space left on device')


def test_what_is_whole_is_kept_for_the_next_time(tmp_path: Path) -> None:
    work = Workspace(tmp_path / 'out', JOB)
    work.make('a', lambda path: path.write_text('A'))
    work.close()
    again = Workspace(tmp_path / 'out', JOB)
    assert again.make('a', must_not_run).read_text() == 'A'
    again.make('b', lambda path: path.write_text('B'))
    again.finish()
    assert {path.name for path in (tmp_path / 'out').iterdir()} == {'a', 'b'}
    assert [path.name for path in tmp_path.iterdir()] == ['out']


def test_what_fails_midway_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    work = Workspace(tmp_path / 'out', JOB)
    with pytest.raises(OSError, match='No space'):
        work.make('a', half)
    assert not work.has('a') and not (work.folder / 'a').exists()
    work.close()
    assert not list(tmp_path.iterdir())


def test_what_fails_later_leaves_what_was_whole(tmp_path: Path) -> None:
    work = Workspace(tmp_path / 'out', JOB)
    work.make('a', lambda path: path.write_text('A'))
    with pytest.raises(OSError, match='No space'):
        work.make('b', half)
    work.close()
    assert {path.name for path in work.folder.iterdir()} == {'a', 'state.json'}
    assert not (tmp_path / 'out').exists()


def test_leavings_of_a_kill_are_swept_away(tmp_path: Path) -> None:
    work = Workspace(tmp_path / 'out', JOB)
    work.make('a', lambda path: path.write_text('A'))
    work.close()
    for name in ('b', 'b.unfinished', 'vision-inferred.onnx'):
        (work.folder / name).write_text('half')
    (work.folder / 'tmp1').mkdir()
    (work.folder / 'tmp1' / 'float32.onnx').write_text('half')
    again = Workspace(tmp_path / 'out', JOB)
    assert {path.name for path in again.folder.iterdir()} == {'a', 'state.json'}
    again.close()


def test_a_file_of_another_size_is_made_again(tmp_path: Path) -> None:
    work = Workspace(tmp_path / 'out', JOB)
    work.make('a', lambda path: path.write_text('whole')).write_text('cut')
    assert work.make('a', lambda path: path.write_text('whole')).read_text() == 'whole'
    work.close()


@pytest.mark.parametrize('change', [{'source': ['weights', 8]}, {'options': {}}])
def test_another_job_is_not_mixed_in(tmp_path: Path, change: dict[str, object]) -> None:
    work = Workspace(tmp_path / 'out', JOB)
    work.make('a', lambda path: path.write_text('A'))
    work.close()
    with pytest.raises(BundleError, match=f'begun with another {next(iter(change))};'):
        Workspace(tmp_path / 'out', {**JOB, **change})


@pytest.mark.parametrize('state', ['', '[]', '{"files": '])
def test_a_damaged_state_is_named(tmp_path: Path, state: str) -> None:
    work = Workspace(tmp_path / 'out', JOB)
    work.make('a', lambda path: path.write_text('A'))
    work.close()
    (work.folder / 'state.json').write_text(state)
    with pytest.raises(BundleError, match=r'state\.json is damaged; remove'):
        Workspace(tmp_path / 'out', JOB)


def test_a_folder_of_somebody_else_s_is_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / 'out.partial' / 'mine'
    mine.parent.mkdir()
    mine.write_text('mine')
    with pytest.raises(BundleError, match='is not empty and no conversion'):
        Workspace(tmp_path / 'out', JOB)
    assert mine.read_text() == 'mine'


def test_two_processes_do_not_work_in_one_folder(tmp_path: Path) -> None:
    work = Workspace(tmp_path / 'out', JOB)
    with pytest.raises(BundleError, match='another process'):
        Workspace(tmp_path / 'out', JOB)
    work.close()
    Workspace(tmp_path / 'out', JOB).close()


def test_what_exists_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / 'out').mkdir()
    with pytest.raises(BundleError, match='exists already'):
        Workspace(tmp_path / 'out', JOB)
    assert not (tmp_path / 'out.partial').exists()


def test_an_intermediate_file_is_dropped(tmp_path: Path) -> None:
    work = Workspace(tmp_path / 'out', JOB)
    path = work.make('on the way', lambda path: path.write_text('AB'))
    assert work.size() == 2
    work.drop('on the way')
    work.drop('never there')
    assert not path.exists() and not work.has('on the way') and work.size() == 0
    work.close()

"""Files of standing questions."""

from mobilevlm_ros.nodes.probes import read_probes


def test_home_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv('HOME', str(tmp_path))
    (tmp_path / 'mine.yaml').write_text('clear: {question: Is it clear}')
    (probe,) = read_probes('', '~/mine.yaml', tmp_path / 'ours')
    assert (probe.name, probe.question.text) == ('clear', 'Is it clear')

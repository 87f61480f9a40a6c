"""Text tables."""

from mobilevlm_ros.tables import format_table


def test_columns_line_up() -> None:
    lines = format_table(('a', 'long'), [('longer', 1)]).splitlines()
    assert lines == ['| a      | long |', '| ------ | ---- |', '| longer | 1    |']


def test_a_table_without_rows_is_its_head() -> None:
    assert format_table(('a', 'b'), []).splitlines() == ['| a | b |', '| - | - |']

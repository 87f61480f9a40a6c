import json
import math

from mobilevlm_ros.convert.verify_report import Measure, Row, format_rows, to_json

GOOD = Row('first', 'a, b', '2 images', (Measure('cosine', 0.9995, least=0.999),))
BAD = Row('second', 'c, d', '3 texts', (Measure('error', 2.0, most=1.0),), 'worst at x.png')


def test_a_figure_that_is_not_a_number_passes_no_limit() -> None:
    assert not Measure('cosine', math.nan, least=0.99).passed
    assert not Measure('error', math.nan, most=1.0).passed
    assert not Measure('reported', math.nan).passed


def test_the_table_has_a_line_a_stage_and_the_notes_below() -> None:
    lines = format_rows([GOOD, BAD]).splitlines()
    first, second = (' '.join(line.split()) for line in lines[2:4])
    assert first == '| first | a, b | 2 images | cosine 0.9995 | >= 0.999 | pass |'
    assert second == '| second | c, d | 3 texts | error 2 | <= 1 | FAIL |'
    assert lines[4:] == ['second: worst at x.png']


def test_json_has_null_where_there_is_no_limit() -> None:
    stages = json.loads(json.dumps(to_json([GOOD, BAD]), allow_nan=False))
    assert [stage['passed'] for stage in stages] == [True, False]
    assert stages[0]['worst'] == [
        {'name': 'cosine', 'value': 0.9995, 'least': 0.999, 'most': None}
    ]

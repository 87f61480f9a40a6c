from mobilevlm_ros.bench.report import Report, format_report, ratios, to_json
from mobilevlm_ros.bench.rows import ROWS

VALUES = {row.name: {} for row in ROWS} | {
    'encode': {'ours': [10.0, 10.0], 'peer': [30.0, 30.0], 'floor': [9.0, 9.0]},
    'decode': {'ours': [50.0], 'peer': [40.0], 'floor': [50.0]},
}
REPORT = Report({'processor': 'one'}, ROWS, VALUES, memory={'ours': 100.0})


def test_ratios_say_how_many_times_as_fast_ours_is() -> None:
    found = ratios(REPORT)
    assert found['encode'] == 3 and found['encode_floor'] == 0.9


def test_decoding_is_held_against_the_floor() -> None:
    found = ratios(REPORT)
    assert found['decode'] == 1 and found['decode_peer'] == 1.25


def test_without_a_peer_only_the_floor_is_compared_with() -> None:
    values = {**VALUES, 'decode': {'ours': [50.0], 'floor': [50.0]}}
    found = ratios(Report({}, ROWS, values))
    assert found['decode'] == 1 and 'decode_peer' not in found


def test_what_was_not_measured_is_left_empty() -> None:
    assert 'held_frame' not in ratios(REPORT)
    assert 'first token on a held frame' in format_report(REPORT)


def test_targets_stand_beside_ratios() -> None:
    assert '3 (3 to 3) x, target 3' in format_report(REPORT)


def test_json_has_ratios_medians_and_the_machine() -> None:
    content = to_json(REPORT)
    assert content['ratios']['encode'] == 3
    assert content['rows']['encode']['ours']['median'] == 10
    assert content['machine'] == {'processor': 'one'}

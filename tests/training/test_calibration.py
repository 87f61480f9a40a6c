import numpy as np
import pytest

from mobilevlm_ros.training.calibration import (
    Sureness,
    accuracy_at,
    accuracy_by_coverage,
    answered,
    calibration_error,
    confidence_at,
    fit_temperature,
    log_loss,
    reliability,
    sureness,
)


def sure(confidence: list[float], right: list[bool]) -> Sureness:
    return Sureness(np.array(confidence), np.array(right))


def test_who_says_seventy_per_cent_and_is_right_as_often_has_no_error() -> None:
    assert calibration_error(sure([0.7] * 10, [True] * 7 + [False] * 3)) == pytest.approx(0)


def test_the_error_is_the_distance_of_saying_and_being_right_by_bins() -> None:
    found = sure([0.95] * 4 + [0.55] * 6, [True, True, True, False] + [True] * 6)
    assert calibration_error(found) == pytest.approx(0.4 * 0.2 + 0.6 * 0.45)
    assert [(b.count, b.accuracy) for b in reliability(found)] == [(6, 1.0), (4, 0.75)]


def test_certainty_falls_into_the_last_bin() -> None:
    assert [b.count for b in reliability(sure([1.0, 0.99], [True, True]))] == [2]


def test_the_surest_are_answered_first_and_ties_do_not_flatter() -> None:
    found = sure([0.6, 0.9, 0.9, 0.8, 0.5], [False, True, False, True, True])
    assert accuracy_by_coverage(found) == pytest.approx([0, 1 / 2, 2 / 3, 2 / 4, 3 / 5])
    assert accuracy_at(found, 1.0) == pytest.approx(0.6)
    assert accuracy_at(found, 0.6) == pytest.approx(2 / 3)
    assert accuracy_at(found, 0.0) == 0.0
    assert confidence_at(found, 0.6) == 0.8


def test_what_is_less_probable_than_asked_for_is_not_answered() -> None:
    found = sure([0.6, 0.9, 0.8, 0.7], [False, True, False, True])
    assert answered(found, 0.8) == (0.5, 0.5)
    assert answered(found, 0.95) == (0.0, 1.0)


def test_the_choice_taken_is_the_likeliest() -> None:
    found = sureness([np.log([0.2, 0.8]), np.log([0.5, 0.3, 0.2])], [1, 2], temperature=1.0)
    assert found.confidence == pytest.approx([0.8, 0.5])
    assert found.right.tolist() == [True, False]


@pytest.mark.parametrize('temperature', [0.5, 1.0, 3.0])
def test_the_temperature_of_made_up_answers_is_found_again(temperature: float) -> None:
    random = np.random.default_rng(5)
    logits = random.normal(0, 3, (4000, 4))
    truths = (logits + random.gumbel(size=logits.shape)).argmax(axis=1)  # draws from softmax
    scores = list(logits * temperature)
    fitted = fit_temperature(scores, truths.tolist())
    assert fitted == pytest.approx(temperature, rel=0.06)
    assert log_loss(scores, truths.tolist(), fitted) <= log_loss(scores, truths.tolist(), 1.0)
    assert calibration_error(sureness(scores, truths.tolist(), fitted)) < 0.03


def test_a_model_that_is_always_right_is_made_as_sure_as_a_bundle_allows() -> None:
    assert fit_temperature([np.log([0.6, 0.4])] * 9, [0] * 9) == pytest.approx(0.05, rel=0.01)

from mobilevlm_ros.engine.choices import check_choices
from mobilevlm_ros.sim.exam import sheets
from mobilevlm_ros.sim.questions import QUESTION_KINDS
from mobilevlm_ros.sim.typed import choices_of


def test_every_answer_but_a_description_is_one_of_its_choices() -> None:
    asked = [qa for sheet in sheets('plain', 5, 60) for qa in sheet.questions]
    assert {qa.kind for qa in asked} == set(QUESTION_KINDS)
    for qa in asked:
        choices = choices_of(qa.kind, qa.question)
        assert (qa.answer in choices) == (qa.kind != 'describe'), qa
        assert not choices or check_choices(choices) == choices


def test_what_may_be_nearer_is_what_the_question_names() -> None:
    question = 'Is the red box or the blue ball nearer?'
    assert choices_of('nearer', question) == ('the red box', 'the blue ball')

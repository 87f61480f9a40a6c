"""What the cameras of the soak show."""

import pytest

from mobilevlm_ros.engine import Frame, Question, open_engine
from mobilevlm_ros.trials.soak.cameras import COLOURS, VIEWS, views
from mobilevlm_ros.trials.soak.questions import QUESTION


@pytest.mark.slow
def test_nano_tells_every_view_of_every_camera(root):
    with open_engine(root / 'models' / 'nano') as engine:
        for name, colour in COLOURS.items():
            shown = views(name)
            assert len({view.tobytes() for view in shown}) > VIEWS // 2
            for view in shown:
                engine.look(Frame(view, camera=name))
                assert engine.ask(Question(QUESTION), name).text == colour

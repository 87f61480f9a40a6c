from launch import Action

class OnProcessExit:
    def __init__(self, *, on_exit: list[Action]) -> None: ...

from launch import Substitution

class PythonLaunchDescriptionSource:
    def __init__(self, launch_file_path: str | Substitution) -> None: ...

from launch import Substitution

class FindPackageShare(Substitution):
    def __init__(self, package: str) -> None: ...

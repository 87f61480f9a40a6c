"""What a user may choose for a bundle; without torch, so that mistakes are told at once."""

from __future__ import annotations

from dataclasses import dataclass

from mobilevlm_ros.engine.errors import ConfigError

VISION = {'fp32': 'vision.onnx', 'fp16': 'vision-fp16.onnx', 'int8': 'vision-int8.onnx'}
UNQUANTISED = ('F16', 'F32')
MODELS = (  # whose sizes a random checkpoint can have
    'mobilevlm-1.7b', 'mobilevlm-3b', 'mobilevlm-v2-1.7b', 'mobilevlm-v2-3b', 'mobilevlm-v2-7b',
)  # fmt: skip
TOWER_LAYERS = 23  # of each of them


@dataclass(frozen=True)
class Options:
    """What a bundle is to hold."""

    precisions: tuple[str, ...] = ('int8', 'fp16')  # of the vision part: for a CPU, for a Jetson
    quantisation: str = 'Q4_K_M'  # of the language model: a type of llama.cpp, or F16 or F32

    def __post_init__(self) -> None:
        for precision in self.precisions:
            if precision not in VISION:
                raise ConfigError(f'{precision} is none of the precisions {", ".join(VISION)}')
        if not self.precisions:
            raise ConfigError(f'no precision is given; choose of {", ".join(VISION)}')
        if self.quantisation not in UNQUANTISED:
            from mobilevlm_ros.convert.quantise import check_type  # llama.cpp knows the types

            check_type(self.quantisation)

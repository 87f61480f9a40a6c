"""MobileVLM: a CLIP vision tower, a projector and a LLaMA, named as official checkpoints are."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from mobilevlm_ros.model.projector import PROJECTORS, create_projector

TOWER = 'model.vision_tower.vision_tower.vision_model.'
PROJECTOR = 'model.mm_projector.'
HEAD = 'lm_head.weight'


@dataclass(frozen=True)
class Geometry:
    """Sizes of a model; the defaults are nano's."""

    image_size: int = 200
    patch_size: int = 10
    vision_width: int = 192
    vision_layers: int = 6  # those that are used; official models leave CLIP's last one out
    vision_heads: int = 6
    width: int = 256
    layers: int = 6
    heads: int = 8
    feed_forward: int = 768
    vocabulary: int = 768
    context: int = 1024
    projector: str = 'ldp'  # or ldpv2
    kv_heads: int = 0  # 0: as many as heads
    rope_theta: float = 10000.0
    rms_eps: float = 1e-6
    tied: bool = False  # whether the embeddings serve as output matrix too

    def clip(self) -> CLIPVisionConfig:
        """The tower's configuration."""
        return CLIPVisionConfig(
            hidden_size=self.vision_width,
            intermediate_size=self.vision_width * 4,
            num_hidden_layers=self.vision_layers,
            num_attention_heads=self.vision_heads,
            image_size=self.image_size,
            patch_size=self.patch_size,
        )

    def llama(self) -> LlamaConfig:
        """The language model's configuration."""
        return LlamaConfig(
            vocab_size=self.vocabulary,
            hidden_size=self.width,
            intermediate_size=self.feed_forward,
            num_hidden_layers=self.layers,
            num_attention_heads=self.heads,
            num_key_value_heads=self.kv_heads or self.heads,
            max_position_embeddings=self.context,
            rms_norm_eps=self.rms_eps,
            rope_parameters={'rope_type': 'default', 'rope_theta': self.rope_theta},
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            tie_word_embeddings=self.tied,
        )

    @property
    def visual_tokens(self) -> int:
        """How many tokens the projector makes of an image."""
        return PROJECTORS[self.projector].grid(self.image_size // self.patch_size) ** 2


class Vision(nn.Module):
    """Tower and projector: what becomes vision.onnx."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry
        self.tower = CLIPVisionModel(geometry.clip())
        self.projector = create_projector(
            geometry.projector, geometry.vision_width, geometry.width
        )

    def features(self, pixels: Tensor) -> Tensor:
        """Patch features of the last block without CLS: [batch, patches, vision_width]."""
        tokens: Tensor = self.tower(pixels).last_hidden_state
        return tokens[:, 1:]

    def encode(self, pixels: Tensor) -> Tensor:
        """Normalised RGB [batch, 3, S, S] to visual tokens [batch, tokens, width]."""
        return self.projector(self.features(pixels))  # type: ignore[no-any-return]

    def named_weights(self) -> dict[str, Tensor]:
        """All weights under the names of the official checkpoints."""
        tower = self.tower.state_dict()
        return {
            # Releases of transformers differ in whether CLIPVisionModel has this inner level.
            **{TOWER + k.removeprefix('vision_model.'): v for k, v in tower.items()},
            **{PROJECTOR + k: v for k, v in self.projector.state_dict().items()},
        }


class MobileVlm(Vision):
    """The whole model; `llama` is what becomes llm.gguf."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__(geometry)
        self.llama = LlamaForCausalLM(geometry.llama())

    def named_weights(self) -> dict[str, Tensor]:
        """All weights under the names of the official checkpoints."""
        llama = self.llama.state_dict()
        if self.geometry.tied:
            llama.pop(HEAD)
        return {**llama, **super().named_weights()}


def weight_shapes(geometry: Geometry) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all weights, without making them."""
    with torch.device('meta'):
        weights = MobileVlm(geometry).named_weights()
    return {name: tuple(weight.shape) for name, weight in weights.items()}

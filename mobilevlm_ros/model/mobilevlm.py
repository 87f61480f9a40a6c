"""MobileVLM: a CLIP vision tower, a projector and a LLaMA, named as official checkpoints are."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from mobilevlm_ros.model.projector import Ldp

TOWER = 'model.vision_tower.vision_tower.'
PROJECTOR = 'model.mm_projector.'


@dataclass(frozen=True)
class Geometry:
    """Sizes of a model; the defaults are nano's."""

    image_size: int = 200
    patch_size: int = 10
    vision_width: int = 192
    vision_layers: int = 6
    vision_heads: int = 6
    width: int = 256
    layers: int = 6
    heads: int = 8
    feed_forward: int = 768
    vocabulary: int = 768
    context: int = 1024

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
            max_position_embeddings=self.context,
            rms_norm_eps=1e-6,
            bos_token_id=1,
            eos_token_id=2,
            pad_token_id=0,
            tie_word_embeddings=False,
        )

    @property
    def visual_tokens(self) -> int:
        """How many tokens the projector makes of an image."""
        return (self.image_size // self.patch_size // 2) ** 2


class MobileVlm(nn.Module):
    """The whole model; `encode` is what becomes vision.onnx, `llama` what becomes llm.gguf."""

    def __init__(self, geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry
        self.tower = CLIPVisionModel(geometry.clip())
        self.projector = Ldp(geometry.vision_width, geometry.width)
        self.llama = LlamaForCausalLM(geometry.llama())

    def features(self, pixels: Tensor) -> Tensor:
        """Patch features of the last block without CLS: [batch, patches, vision_width]."""
        tokens: Tensor = self.tower(pixels).last_hidden_state
        return tokens[:, 1:]

    def encode(self, pixels: Tensor) -> Tensor:
        """Normalised RGB [batch, 3, S, S] to visual tokens [batch, tokens, width]."""
        return self.projector(self.features(pixels))  # type: ignore[no-any-return]

    def named_weights(self) -> dict[str, Tensor]:
        """All weights under the names of the official checkpoints."""
        tower = {TOWER + k: v for k, v in self.tower.state_dict().items()}
        projector = {PROJECTOR + k: v for k, v in self.projector.state_dict().items()}
        return {**self.llama.state_dict(), **tower, **projector}

    def load_weights(self, weights: dict[str, Tensor]) -> None:
        """The reverse of `named_weights`; raises RuntimeError on a missing or misshapen tensor."""
        self.tower.load_state_dict(_under(TOWER, weights))
        self.projector.load_state_dict(_under(PROJECTOR, weights))
        others = (TOWER, PROJECTOR)
        self.llama.load_state_dict({k: v for k, v in weights.items() if not k.startswith(others)})


def _under(prefix: str, weights: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}

"""MobileVLM: a CLIP vision tower, a projector and a LLaMA, with the official checkpoint's names."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from mobilevlm_ros.model.projector import Ldp

TOWER = 'model.vision_tower.vision_tower.'
PROJECTOR = 'model.mm_projector.'


@dataclass(frozen=True)
class Geometry:
    """Sizes of a model; the defaults are nano's."""

    image_size: int = 160
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


def save_checkpoint(model: MobileVlm, folder: Path) -> None:
    """Write config.json and model.safetensors; whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / 'config.json').write_text(json.dumps({'geometry': asdict(model.geometry)}, indent=1))
    partial = folder / 'model.partial'
    save_file({k: v.contiguous() for k, v in model.named_weights().items()}, partial)
    partial.rename(folder / 'model.safetensors')


def load_checkpoint(folder: Path) -> MobileVlm:
    """Read what `save_checkpoint` wrote."""
    config = json.loads((folder / 'config.json').read_text())
    model = MobileVlm(Geometry(**config['geometry']))
    model.load_weights(load_file(folder / 'model.safetensors'))
    return model.eval()


def normalise(images: Tensor, mean: Tensor, std: Tensor) -> Tensor:
    """uint8 [batch, S, S, 3] to float32 [batch, 3, S, S]."""
    scaled = images.to(torch.float32) / 255
    return ((scaled - mean) / std).permute(0, 3, 1, 2).contiguous()

"""Makes official_projectors.npz: seeded weights, inputs and outputs of the official projectors.

It runs the definitions of Meituan-AutoML/MobileVLM (mobilevlm/model/vision_projector.py, commit
688fdec), with timm's LayerNormAct2d and torchvision's InvertedResidual and SqueezeExcitation as
they are installed. Nothing of them is kept here but numbers. To make the file again:

    git clone https://github.com/Meituan-AutoML/MobileVLM && git -C MobileVLM checkout 688fdec
    pip install torch==2.14.1 torchvision==0.29.1 timm==0.9.12
    PYTHONPATH=MobileVLM python tests/model/make_official_projectors.py

The shipped file was made with torch 2.13.0 (CPU), torchvision 0.29.1 and timm 0.9.12, the timm
that the official requirements.txt pins.
"""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch
from mobilevlm.model.vision_projector import build_vision_projector

# Widths are tiny; 40 is one whose quarter torchvision rounds up to a multiple of 8. LDPv2's grid
# is the official one, since its code always pools to 12 x 12.
CASES = {
    'ldp': ('ldpnet', 1, 8, 40, (2, 64, 8)),
    'ldpv2': ('ldpnetv2', 2, 8, 16, (1, 576, 8)),
}


def main() -> None:
    arrays = {}
    for name, (kind, seed, vision_width, width, shape) in CASES.items():
        sizes = SimpleNamespace(
            mm_projector_type=kind, mm_hidden_size=vision_width, hidden_size=width
        )
        projector = build_vision_projector(sizes).eval()
        generator = torch.Generator().manual_seed(seed)
        weights = projector.state_dict()
        for key, weight in weights.items():
            # Norms too: their first weights, ones and zeros, would hide a mistake.
            weight.copy_(torch.randn(weight.shape, generator=generator) * 0.5)
            arrays[f'{name}/weights/{key}'] = weight.numpy()
        features = torch.randn(shape, generator=generator)
        arrays[f'{name}/features'] = features.numpy()
        with torch.no_grad():
            arrays[f'{name}/tokens'] = projector(features).numpy()
    np.savez_compressed(Path(__file__).with_name('official_projectors.npz'), **arrays)


if __name__ == '__main__':
    main()

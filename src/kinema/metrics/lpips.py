"""LPIPS: distance of two pictures in AlexNet's features, weighted to agree with people (Zhang et al. 2018, v0.1 heads)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core import Clip, UserError
from ..core.config import part
from .similarity import frames_to_compare

_WIDTHS = (64, 192, 384, 256, 256)
_SMALLEST = 32  # px; below it the last features have no pixel left
_CHUNK = 32  # frames at once


class Perceptual(nn.Module):
    """AlexNet's five feature levels and a non-negative weight per channel. Gradients flow to the pictures; weights are frozen."""

    shift: Tensor
    scale: Tensor

    def __init__(self, spatial: bool = False) -> None:
        super().__init__()
        self.spatial = spatial
        self.features = nn.ModuleDict({
            "0": nn.Conv2d(3, 64, 11, stride=4, padding=2),
            "3": nn.Conv2d(64, 192, 5, padding=2),
            "6": nn.Conv2d(192, 384, 3, padding=1),
            "8": nn.Conv2d(384, 256, 3, padding=1),
            "10": nn.Conv2d(256, 256, 3, padding=1),
        })
        self.heads = nn.ParameterList([nn.Parameter(torch.ones(1, width, 1, 1)) for width in _WIDTHS])
        self.register_buffer("shift", torch.tensor([-0.030, -0.088, -0.188]).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor([0.458, 0.448, 0.450]).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Weights under the published names: `features.N.weight|bias` (torchvision) and `linN.model.1.weight` (lpips v0.1)."""
        own = {name: value for name, value in weights.items() if name.startswith("features.")}
        own |= {f"heads.{i}": weights[f"lin{i}.model.1.weight"] for i in range(len(_WIDTHS))}
        self.load_state_dict({**own, "shift": self.shift, "scale": self.scale})
        for layer in self.features.values():
            layer.weight.data = layer.weight.data.contiguous(memory_format=torch.channels_last)  # type: ignore[operator]

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Distances [b] of pictures [b,3,h,w] in [0,1]. Raises UserError below 32 px."""
        if min(x.shape[-2:]) < _SMALLEST:
            raise UserError(f"LPIPS needs frames of at least {_SMALLEST} x {_SMALLEST} px, got {tuple(x.shape[-2:])}")
        total = x.new_zeros(len(x))
        # Both pictures go through as one batch, channels last in memory, which is the fastest way on a processor.
        both = torch.cat([x, y]).contiguous(memory_format=torch.channels_last)
        for features, head in zip(self._levels(both), self.heads, strict=True):
            apart = torch.sub(*_unit(features).chunk(2)).square()
            level = torch.einsum("bchw,c->bhw", apart, head.flatten())
            if self.spatial:
                level = F.interpolate(level[:, None], x.shape[-2:], mode="bilinear", align_corners=False)
            total = total + level.flatten(1).mean(1)
        return total

    def _levels(self, x: Tensor) -> list[Tensor]:
        x = (2 * x - 1 - self.shift) / self.scale
        levels = []
        for name, layer in self.features.items():
            if name in ("3", "6"):
                x = F.max_pool2d(x, 3, 2)
            x = F.relu(layer(x))
            levels.append(x)
        return levels


@part
class LPIPS:
    """Mean over frames of LPIPS-AlexNet; 0 for equal pictures. The given frames of a dream are left out.

    `spatial` averages maps enlarged to the picture's size, as common_metrics_on_video_quality does; the two means differ
    a little at the borders. Raises UserError naming the weights where they are absent: there is no stand-in.
    """

    name: ClassVar[str] = "lpips"
    unit: ClassVar[str] = "1"
    higher_is_better: ClassVar[bool] = False
    needs_truth: ClassVar[bool] = True

    weights: str = "lpips-alex"
    spatial: bool = False
    first_frame: int | None = None

    def build(self) -> Perceptual:
        """The network with its real weights: `network(x, y) -> [b]`, differentiable, for a loss or a metric."""
        from ..core.registry import load

        network = Perceptual(self.spatial)
        network.load(load(self.weights))
        return network.eval()

    def __call__(self, dream: Clip, truth: Clip) -> Tensor:
        """[b]; single clips count as b = 1."""
        a, b = frames_to_compare(dream, truth, self.first_frame)
        network, flat = _built(self, str(a.device)), (a.flatten(0, 1), b.flatten(0, 1))
        # TF32, which GPUs round convolutions to by default, moves the fourth digit.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            chunks = [network(x, y) for x, y in zip(*(torch.split(f, _CHUNK) for f in flat), strict=True)]
        return torch.cat(chunks).double().reshape(a.shape[:2]).mean(-1).cpu()


@functools.lru_cache(maxsize=2)
def _built(part: LPIPS, device: str) -> Perceptual:
    return part.build().to(device)


def _unit(x: Tensor) -> Tensor:
    return x / (x.square().sum(1, keepdim=True).clamp_min(1e-20).sqrt() + 1e-10)

"""I3D: the video classifier whose Kinetics-400 logits are the features of FVD (Carreira & Zisserman 2017)."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..core.clip import Clip, as_float
from ..core.config import part
from ..core.errors import UserError

SIZE = 224  # px
SHORTEST = 9  # frames; of fewer, the last features have no two steps of time left, over which the logits are averaged
WIDTH = 400
_EPS = 1e-3  # of the batch norms
_POOLS = {"Mixed_4b": (3, 3, 3), "Mixed_5b": (2, 2, 2)}  # kernels of what halves time and space before a block
_MIXED = {  # channels of the four branches: 1x1 | 1x1 -> 3x3 | 1x1 -> 3x3 | pool -> 1x1
    "Mixed_3b": (192, 64, 96, 128, 16, 32, 32),
    "Mixed_3c": (256, 128, 128, 192, 32, 96, 64),
    "Mixed_4b": (480, 192, 96, 208, 16, 48, 64),
    "Mixed_4c": (512, 160, 112, 224, 24, 64, 64),
    "Mixed_4d": (512, 128, 128, 256, 24, 64, 64),
    "Mixed_4e": (512, 112, 144, 288, 32, 64, 64),
    "Mixed_4f": (528, 256, 160, 320, 32, 128, 128),
    "Mixed_5b": (832, 256, 160, 320, 32, 128, 128),
    "Mixed_5c": (832, 384, 192, 384, 48, 128, 128),
}


class _Conv(nn.Conv3d):
    """A convolution of [b,t,h,w,c] with TensorFlow's "same" padding, its batch norm folded in, and a ReLU.

    Channels come last in memory: convolutions of a single pixel are then products of matrices.
    """

    def forward(self, x: Tensor) -> Tensor:
        if self.kernel_size == (1, 1, 1):
            return F.relu_(F.linear(x, self.weight.flatten(1), self.bias))
        if self.stride[0] > 1:
            x = F.pad(x, (0, 0, *_same(x.shape[1:4], self.kernel_size, self.stride)))
        return F.relu_(super().forward(x.permute(0, 4, 1, 2, 3))).permute(0, 2, 3, 4, 1)


class _Mixed(nn.Module):
    """An Inception block. The three 1x1 convolutions that read its input are one."""

    def __init__(self, width: int, *branches: int) -> None:
        super().__init__()
        b0, b1a, b1b, b2a, b2b, b3b = branches
        self.split = (b0, b1a, b2a)
        self.reduce = _Conv(width, sum(self.split), 1)
        self.b1b = _Conv(b1a, b1b, 3, padding=1)
        self.b2b = _Conv(b2a, b2b, 3, padding=1)
        self.b3b = _Conv(width, b3b, 1)

    def forward(self, x: Tensor) -> Tensor:
        b0, b1, b2 = (part.contiguous() for part in self.reduce(x).split(self.split, -1))
        return torch.cat([b0, self.b1b(b1), self.b2b(b2), self.b3b(_pool(x, (3, 3, 3), (1, 1, 1)))], -1)


class InceptionI3D(nn.Module):
    """Inception-v1 inflated to three dimensions: video [b,t,3,224,224] in [-1,1] -> logits [b,400], averaged over time.

    Weights are frozen; gradients flow to the video.
    """

    def __init__(self) -> None:
        super().__init__()
        self.Conv3d_1a_7x7 = _Conv(3, 64, 7, stride=2)
        self.Conv3d_2b_1x1 = _Conv(64, 64, 1)
        self.Conv3d_2c_3x3 = _Conv(64, 192, 3, padding=1)
        self.mixed = nn.ModuleDict({name: _Mixed(*widths) for name, widths in _MIXED.items()})
        self.logits = nn.Linear(1024, WIDTH)
        self.requires_grad_(False)

    def load(self, weights: Mapping[str, Tensor]) -> None:
        """Weights under the names of the usual PyTorch port, such as `Mixed_3b.b1a.conv3d.weight`; batch norms are folded in."""
        units: dict[str, tuple[str, ...]] = {name: (name,) for name in ("Conv3d_1a_7x7", "Conv3d_2b_1x1", "Conv3d_2c_3x3")}
        for name in _MIXED:
            units[f"mixed.{name}.reduce"] = (f"{name}.b0", f"{name}.b1a", f"{name}.b2a")
            units |= {f"mixed.{name}.{branch}": (f"{name}.{branch}",) for branch in ("b1b", "b2b", "b3b")}
        own = {"logits.weight": weights["logits.conv3d.weight"].flatten(1), "logits.bias": weights["logits.conv3d.bias"]}
        for unit, published in units.items():
            folded = [_folded(weights, name) for name in published]
            own[f"{unit}.weight"], own[f"{unit}.bias"] = (torch.cat(parts) for parts in zip(*folded, strict=True))
        self.load_state_dict(own)
        for module in self.modules():
            if isinstance(module, nn.Conv3d):
                module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last_3d)

    def forward(self, x: Tensor) -> Tensor:
        """Raises UserError for other sizes than 224 x 224 px and for fewer than 9 frames."""
        if x.shape[-2:] != (SIZE, SIZE):
            raise UserError(f"I3D takes frames of {SIZE} x {SIZE} px, got {x.shape[-1]} x {x.shape[-2]}")
        if x.shape[1] < SHORTEST:
            raise UserError(f"I3D needs clips of at least {SHORTEST} frames, got {x.shape[1]}")
        x = self.Conv3d_1a_7x7(x.movedim(2, -1).contiguous())
        x = self.Conv3d_2b_1x1(_pool(x, (1, 3, 3), (1, 2, 2)))
        x = _pool(self.Conv3d_2c_3x3(x), (1, 3, 3), (1, 2, 2))
        for name, block in self.mixed.items():
            if name in _POOLS:
                x = _pool(x, _POOLS[name], (2, 2, 2))
            x = block(x)
        # The released network averages over 2 x 7 x 7 neighbours, reads logits and averages these over time. All of that is
        # linear, and 7 x 7 is all of space: every step of time has its weight, half as much at both ends.
        weight = x.new_full((x.shape[1],), 2.0)
        weight[0] = weight[-1] = 1.0
        return self.logits(torch.einsum("btc,t->bc", x.mean((2, 3)), weight / weight.sum()))


@part
class I3D:
    """DeepMind's Inception-I3D on RGB, trained on Kinetics-400: a batch of clips -> its 400 logits, averaged over time.

    `width` is the number of features, `size` the side of the frames in px, `shortest` the least number of frames it takes.
    Raises MissingWeights where the weights are absent: there is no stand-in.
    """

    name: ClassVar[str] = "i3d"
    pretrained: ClassVar[bool] = True
    width: ClassVar[int] = WIDTH
    size: ClassVar[int] = SIZE
    shortest: ClassVar[int] = SHORTEST

    weights: str = "i3d-kinetics400"

    def build(self) -> InceptionI3D:
        """The network with its real weights."""
        from ..core.registry import load

        network = InceptionI3D()
        network.load(load(self.weights))
        return network.eval()

    def __call__(self, clip: Clip) -> Tensor:
        """Features [b,400] of a batch of rgb [b,t,3,224,224] in [0,1], t at least 9, computed where its pixels lie."""
        rgb = as_float(clip.rgb if clip.batched else clip.rgb[None])
        network = _built(self, str(rgb.device))
        # TF32, which GPUs round convolutions to by default, moves small distances by some tenths of a per cent.
        with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            features: Tensor = network(2 * rgb - 1)
        return features


@functools.lru_cache(maxsize=2)
def _built(part: I3D, device: str) -> InceptionI3D:
    return part.build().to(device)


def _folded(weights: Mapping[str, Tensor], unit: str) -> tuple[Tensor, Tensor]:
    """Weight and bias of a convolution with its batch norm folded in."""
    norm = {key: weights[f"{unit}.bn.{key}"].double() for key in ("weight", "bias", "running_mean", "running_var")}
    scale = norm["weight"] / (norm["running_var"] + _EPS).sqrt()
    weight = weights[f"{unit}.conv3d.weight"].double() * scale[:, None, None, None, None]
    return weight.float(), (norm["bias"] - norm["running_mean"] * scale).float()


def _pool(x: Tensor, kernel: tuple[int, int, int], stride: tuple[int, int, int]) -> Tensor:
    """Maximum of [b,t,h,w,c], none negative, with TensorFlow's "same" padding."""
    if x.device.type == "cpu" and not x.requires_grad:  # torch's own takes as long there as all the convolutions
        for axis in (1, 2, 3):
            x = _pool_axis(x, axis, kernel[axis - 1], stride[axis - 1])
        return x
    front = _same(x.shape[1:4], kernel, stride)[-2::-2]  # what is missing at the end is left to `ceil_mode`
    return F.max_pool3d(x.permute(0, 4, 1, 2, 3), kernel, stride, front, ceil_mode=True).permute(0, 2, 3, 4, 1)


def _pool_axis(x: Tensor, axis: int, kernel: int, stride: int) -> Tensor:
    """The maximum along one axis, as maxima of whole slices."""
    if kernel == stride == 1:
        return x
    n, (front, _) = x.shape[axis], _same((x.shape[axis],), (kernel,), (stride,))
    count = -(-n // stride)
    out = _every(x, axis, 0, stride, count).clone()
    for shift in range(-front, kernel - front):
        first, last = max(0, -(shift // stride)), min(count, (n - 1 - shift) // stride + 1)
        if shift and last > first:
            part = out.narrow(axis, first, last - first)
            torch.maximum(part, _every(x, axis, first * stride + shift, stride, last - first), out=part)
    return out


def _every(x: Tensor, axis: int, first: int, stride: int, count: int) -> Tensor:
    """`count` slices along an axis, from `first` on, `stride` apart."""
    return x[(*(slice(None),) * axis, slice(first, first + (count - 1) * stride + 1, stride))]


def _same(size: tuple[int, ...], kernel: tuple[int, ...], stride: tuple[int, ...]) -> tuple[int, ...]:
    """TensorFlow's "same" padding as `F.pad` takes it, (front, back) from the last axis on: the output has ceil(size / stride)."""
    padding: tuple[int, ...] = ()
    for n, k, s in zip(size[::-1], kernel[::-1], stride[::-1], strict=True):
        total = max((-(-n // s) - 1) * s + k - n, 0)
        padding += (total // 2, total - total // 2)
    return padding

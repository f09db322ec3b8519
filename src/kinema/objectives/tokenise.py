"""Tokenise: what a codec of visual tokens learns from single frames, with an adversary if one is named."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.func import functional_call

from ..core.clip import Clip
from ..core.config import part
from ..core.contracts import Context, Loss
from ..core.errors import UserError

USED = 0.01  # a code counts as used whose running share is above this part of 1 / codes
STRONGEST = 1e4  # of an adaptive weight


class Tokeniser(Protocol):
    """What the objective asks of a codec in training. `last` is the layer by whose gradient an adversary is weighted."""

    codes: int
    usage: Tensor
    last: Any

    def embed(self, rgb: Tensor) -> Tensor: ...
    def quantise(self, z: Tensor, update: torch.Generator | None = None) -> Any: ...
    def pixels(self, vectors: Tensor) -> Tensor: ...


@part
class Tokenise:
    """Mean absolute plus squared error of the pixels, what holds vectors to their codes, `perceptual_weight` times a perceptual
    distance (a part whose `.build()` gives (image, image) [b,3,h,w] -> [b]), and an adversary's judgement (VQGAN, Esser et al. 2021).

    `frames` are drawn from every clip (0: all of them). The `adversary`, a part such as PatchGAN, joins after `warmup` steps with a
    hinge loss of `adversary_weight`, by default times the ratio of the gradients at the decoder's last layer (VQGAN eq. 7).
    """

    frames: int = 4
    perceptual: Any = None
    perceptual_weight: float = 0.0
    adversary: Any = None
    adversary_weight: float = 0.1
    adaptive: bool = True
    warmup: int = 1000

    def __post_init__(self) -> None:
        if min(self.frames, self.warmup) < 0 or not (self.perceptual_weight >= 0 and self.adversary_weight >= 0):
            got = f"{self.frames}, {self.warmup}, {self.perceptual_weight} and {self.adversary_weight}"
            raise UserError(f"Tokenise: frames, warmup and the weights must be 0 or more, got {got}")
        if self.perceptual_weight and self.perceptual is None:
            raise UserError("Tokenise: perceptual_weight is set but no perceptual distance is named")

    def build(self) -> Tokenisation:
        """The objective, with its perceptual network and its adversary if they are named."""
        return Tokenisation(self)


class Tokenisation(nn.Module):
    """The objective of a `Tokenise`; the batch is a Clip with rgb [b,t,3,h,w] in [0,1]. Its adversary learns beside the codec."""

    def __init__(self, config: Tokenise) -> None:
        super().__init__()
        self.config = config
        self.adversary: nn.Module | None = None if config.adversary is None else config.adversary.build()
        # In a list, for it is frozen: it belongs in no checkpoint.
        self._frozen: list[Callable[[Tensor, Tensor], Tensor]] = [] if config.perceptual is None else [config.perceptual.build()]

    def parameter_groups(self) -> dict[str, dict[str, nn.Parameter]]:
        """The adversary's parameters, for an optimiser of their own."""
        return {} if self.adversary is None else {"discriminator": dict(self.adversary.named_parameters())}

    def losses(self, model: Tokeniser, batch: Clip, context: Context) -> Iterator[Loss]:
        """The codec's loss, then the adversary's once it has joined; logs the parts and how the codes are used."""
        rgb = self._drawn(batch.rgb, context)
        z = model.embed(rgb)
        made = model.quantise(z, update=context.rng if z.requires_grad else None)  # codes move only with the encoder they serve
        guess = model.pixels(made.vectors)
        error = guess - rgb
        absolute, squared = error.abs().mean(), error.square().mean()
        log: dict[str, float | Tensor] = {"l1": absolute.detach(), "mse": squared.detach(), "commitment": made.loss.detach()}
        real, fake = rgb.flatten(0, 1), guess.flatten(0, 1)
        picture = absolute + squared
        for distance in self._frozen:
            if isinstance(distance, nn.Module):
                distance.to(rgb.device)
            apart = distance(fake, real).mean()
            picture, log["perceptual"] = picture + self.config.perceptual_weight * apart, apart.detach()
        total = picture + made.loss
        adversary = self.adversary if context.step >= self.config.warmup else None
        if adversary is not None:
            judged = -functional_call(adversary, _still(adversary), (fake,)).mean()
            weight = self.config.adversary_weight * (_balance(picture, judged, model.last) if self.config.adaptive else 1.0)
            total, log["adversary"] = total + weight * judged, judged.detach()
            log["adversary_weight"] = torch.as_tensor(weight)
        yield Loss(total, log=log | _use(model.usage) | {"revived": made.revived})
        if adversary is not None:
            yield _judge(adversary, real, fake.detach())

    def _drawn(self, rgb: Tensor, context: Context) -> Tensor:
        """`frames` different frames of every clip [b,frames,3,h,w]."""
        b, t = rgb.shape[:2]
        if not 0 < self.config.frames < t:
            return rgb
        order = torch.rand(b, t, generator=context.rng, device=context.rng.device).argsort(1)[:, : self.config.frames]
        return rgb[torch.arange(b, device=rgb.device)[:, None], order.to(rgb.device)]


def _judge(adversary: nn.Module, real: Tensor, fake: Tensor) -> Loss:
    """Hinge loss of the adversary: above 1 for pictures, below -1 for reconstructions."""
    of_real, of_fake = adversary(real), adversary(fake)
    value = (torch.relu(1 - of_real).mean() + torch.relu(1 + of_fake).mean()) / 2
    return Loss(value, group="discriminator", log={"real": of_real.detach().mean(), "fake": of_fake.detach().mean()})


def _still(network: nn.Module) -> dict[str, Tensor]:
    """A network's parameters without gradients: the codec's step leaves none on the adversary."""
    return {name: p.detach() for name, p in network.named_parameters()}


def _balance(picture: Tensor, judged: Tensor, last: nn.Module) -> Tensor:
    """How many times stronger the picture's gradient is at the last layer than the adversary's."""
    weights = [p for p in last.parameters() if p.ndim > 1]
    norms = [
        torch.cat([g.flatten().float() for g in torch.autograd.grad(loss, weights, retain_graph=True)]).norm() for loss in (picture, judged)
    ]
    return (norms[0] / (norms[1] + 1e-6)).clamp(0, STRONGEST).detach()


@torch.no_grad()
def _use(usage: Tensor) -> dict[str, float | Tensor]:
    """Perplexity of the codes' running shares [codes], and the share of codes that are in use."""
    share = usage / usage.sum().clamp_min(1e-12)
    entropy = -(share * share.clamp_min(1e-12).log()).sum()
    return {"perplexity": entropy.exp(), "usage": (share > USED / len(share)).float().mean()}

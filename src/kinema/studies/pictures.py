"""How alike pictures are, and whether a dream breaks a rule that anybody would see broken: PhyWorld's measures of PHYRE's scenes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..core.clip import Clip
from ..core.config import part
from ..core.contracts import SetMetric
from ..core.registry import MissingWeights, find
from ..experts import I3D
from ..metrics import FVD, LPIPS, PSNR, SSIM
from ..metrics.abnormal import Abnormal
from ..metrics.frechet import I3D_WEIGHTS
from .judges import SetJudge, Value

_LPIPS_PX = 32  # the smallest frames that LPIPS takes


@part
class Pictures(SetJudge):
    """SSIM, PSNR, LPIPS if `lpips`, and `abnormal`, 1 where the stated rule of `metrics.Abnormal` finds fault; FVD of all clips if `fvd`.

    All but FVD look at the dreamt frames alone.
    """

    lpips: bool = True
    fvd: bool = True

    def __call__(self, dream: Clip, truth: Clip, given: int) -> dict[str, Value]:
        metrics: list[Any] = [SSIM(first_frame=given), PSNR(first_frame=given), Abnormal(first_frame=given)]
        if self.lpips:
            metrics.append(LPIPS(first_frame=given))
        return {m.name: float(m(dream, truth)) for m in metrics}

    def sets(self) -> Mapping[str, SetMetric]:
        made: dict[str, Any] = {"fvd": FVD(I3D())} if self.fvd else {}
        return made


def pictures(px: int, frames: int, fvd: bool) -> Pictures:
    """The judge with those of its networks whose weights are here and that take frames of this size and number."""
    return Pictures(lpips=px >= _LPIPS_PX and has(LPIPS().weights), fvd=fvd and frames >= I3D.shortest and has(I3D_WEIGHTS))


def left_out(judge: Pictures) -> str:
    """Which figures a judge lacks, and why; empty where it has all."""
    why = []
    for name, there, weights in (("LPIPS", judge.lpips, LPIPS().weights), ("FVD", judge.fvd, I3D_WEIGHTS)):
        if not there:
            reason = "frames too small or too few, or not asked for (--fvd)" if has(weights) else f"the weights {weights} are not here"
            why.append(f"{name} is left out: {reason}")
    return ". ".join(why)


def has(weights: str) -> bool:
    """Whether weights are on this machine."""
    try:
        find(weights)
    except MissingWeights:
        return False
    return True

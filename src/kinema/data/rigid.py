"""Laws of scenes of rigid bodies that fall, roll and come to rest, each as a number that must stay small."""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.clip import Clip


def rigid_reprojection_error(clip: Clip) -> float:
    """Largest distance in px between the flow of a body's pixels and where the body, turned and moved, takes them; the ground
    must rest."""
    body = clip.bodies
    planes = torch.cat([body["position"], torch.zeros_like(body["position"][..., :1])], -1)
    center = clip.camera.project(planes)  # [t,n,2]
    ids = clip.segmentation[:-1].long()
    height, width = ids.shape[1:]
    rows, cols = (torch.arange(k, dtype=torch.float64) + 0.5 for k in (height, width))
    pixel = torch.stack([cols.expand(height, width), rows[:, None].expand(height, width)], -1)
    worst = 0.0
    for t in range(len(ids)):
        which = (ids[t] - 1).clamp_min(0)
        arm = pixel - center[t][which]
        turn = -(body["angle"][t + 1] - body["angle"][t])[which]  # the image's y points down
        cos, sin = turn.cos(), turn.sin()
        turned = torch.stack([cos * arm[..., 0] - sin * arm[..., 1], sin * arm[..., 0] + cos * arm[..., 1]], -1)
        wanted = torch.where((ids[t] > 0)[..., None], center[t + 1][which] + turned - pixel, 0.0)
        worst = max(worst, float((clip.flow[t].permute(1, 2, 0) - wanted).abs().max()))
    return worst


def energy_gain(clip: Clip) -> float:
    """Largest rise of the energy above what it was at any earlier frame, over the first energy."""
    lowest = clip.energy.cummin(0).values
    return float((clip.energy - lowest).max() / clip.energy[0].clamp_min(1e-12))


def static_motion(clip: Clip) -> float:
    """How far bodies that are static ever get from where they started, m and rad."""
    still: Tensor = clip.bodies["static"][0]
    moved = [(clip.bodies[key] - clip.bodies[key][:1]).abs()[:, still] for key in ("position", "angle")]
    return max(float(x.max()) if x.numel() else 0.0 for x in moved)

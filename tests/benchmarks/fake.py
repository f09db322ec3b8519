"""A test double of a world model: it continues what it is shown by the law, with speeds scaled by `speed`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from kinema.benchmarks.baselines import fit
from kinema.core import Clip
from kinema.metrics import parse
from kinema.simulators import scenario
from kinema.simulators.planar.motion import motion


@dataclass
class Lawful:
    condition_frames: int = 3
    num_frames: int = 24
    size: int = 64
    speed: float = 1.0
    name: str = "lawful"

    def dream(self, *, frames: Clip, num_frames: int | None = None, seed: int = 0) -> Clip:
        return Clip.stack([self._continue(clip) for clip in frames])

    def _continue(self, clip: Clip) -> Clip:
        gravity = (0.0, -2.5) if self._falls(clip) else (0.0, 0.0)
        seen = parse(clip, subpixel=True)
        position, velocity, radius = fit(seen, gravity)
        times = np.arange(self.num_frames) * clip.dt
        run = motion(position, velocity * self.speed, radius, radius**2, times, gravity=gravity)
        bodies = {
            "position": torch.from_numpy(run.position),
            "radius": torch.from_numpy(np.broadcast_to(radius, run.position.shape[:2]).copy()),
            "color": seen.bodies["color"][:1].expand(self.num_frames, -1, -1).clone(),
        }
        rgb = scenario("uniform", size=self.size, num_frames=self.num_frames).render(bodies, ("rgb",))["rgb"]
        return Clip(rgb=torch.cat([clip.rgb, rgb[self.condition_frames :]]), fps=clip.fps, dt=clip.dt)

    def _falls(self, clip: Clip) -> bool:
        y = parse(clip, subpixel=True).bodies["position"][:, :, 1]
        return y.shape[1] == 1 and bool((y[0] - y[self.condition_frames - 1] > 0.02).any())

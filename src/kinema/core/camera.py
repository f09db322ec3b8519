"""Cameras: where a point of the world falls on the image."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Camera:
    """Intrinsics and poses of one camera in the OpenCV convention (x right, y down, z forward).

    `intrinsics` [t,3,3] in px; `pose` [t,4,4], world to camera, in m. Pixel i covers [i, i+1): its centre is i + 0.5.
    An orthographic camera has no perspective division: u = K (x, y, 1) in camera axes.
    """

    intrinsics: Tensor
    pose: Tensor
    orthographic: bool = False

    @classmethod
    def planar(cls, width_px: int, height_px: int, world_width: float, frames: int, *, linspace: bool = False) -> Camera:
        """The orthographic camera of a planar world, y up: u = x W / world_width, v = H - y W / world_width.

        Under `linspace`, PhyWorld's convention, the centres of the outer pixels are the edges of the world instead: x lies
        at pixel x (W - 1) / world_width, whose centre is half a pixel on.
        """
        margin = 0.5 if linspace else 0.0
        scale = (width_px - 2 * margin) / world_width
        k = torch.tensor([[scale, 0.0, margin], [0.0, scale, margin], [0.0, 0.0, 1.0]], dtype=torch.float64)
        pose = torch.diag(torch.tensor([1.0, -1.0, -1.0, 1.0], dtype=torch.float64))
        pose[1, 3] = (height_px - 2 * margin) / scale
        return cls(k.expand(frames, 3, 3).clone(), pose.expand(frames, 4, 4).clone(), orthographic=True)

    def to_camera(self, points: Tensor) -> Tensor:
        """World points [t,n,3] in m to camera axes [t,n,3] in m."""
        pose = self.pose.to(points)
        return torch.einsum("...ij,...nj->...ni", pose[..., :3, :3], points) + pose[..., None, :3, 3]

    def project(self, points: Tensor) -> Tensor:
        """World points [t,n,3] in m to image points [t,n,2] in px."""
        x = self.to_camera(points)
        if self.orthographic:
            x = torch.cat([x[..., :2], torch.ones_like(x[..., :1])], -1)
        image = torch.einsum("...ij,...nj->...ni", self.intrinsics.to(points), x)
        return image[..., :2] / image[..., 2:]

    def unproject(self, pixels: Tensor, depth: Tensor) -> Tensor:
        """Image points [t,n,2] in px at z-depth [t,n] in m to world points [t,n,3] in m: the inverse of `project`."""
        ones = torch.ones_like(pixels[..., :1])
        rays = torch.linalg.solve(self.intrinsics.to(pixels), torch.cat([pixels, ones], -1).mT).mT
        xy = rays[..., :2] if self.orthographic else rays[..., :2] * depth[..., None]
        x = torch.cat([xy, depth[..., None]], -1)
        pose = self.pose.to(pixels)
        points: Tensor = torch.linalg.solve(pose[..., :3, :3], (x - pose[..., None, :3, 3]).mT).mT
        return points

    def frames(self, start: int, stop: int) -> Camera:
        """The same camera for frames start..stop-1."""
        return Camera(self.intrinsics[..., start:stop, :, :], self.pose[..., start:stop, :, :], self.orthographic)

"""Pixels and dense truth of discs on a plane: anti-aliased rgb, ids, exact flow and occlusion, drawn in windows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
DENSE = ("rgb", "segmentation", "flow", "backward_flow", "occlusion")


def render(
    position: Array, radius: Array, color: NDArray[np.uint8], *, size: int, world_width: float, fields: Sequence[str]
) -> dict[str, NDArray[np.generic]]:
    """Dense fields of discs at `position` [t,n,2] m (y up) with `radius` [t,n] m and `color` [t,n,3].

    Gives those of `fields` among rgb [t,3,h,w] uint8, segmentation [t,h,w] uint8 (0 = ground, 1 + body; later bodies
    lie on top), flow and backward_flow [t-1,2,h,w] float32 px/frame, occlusion [t-1,h,w] bool (a point of frame t that
    leaves the image or is covered in frame t+1). Pixel i covers [i, i+1); a pixel belongs to the disc its centre is in.
    The edge is softened over one pixel by the signed distance, which is the covered area to about 1 %.
    """
    discs = _Discs(position, radius, size, world_width)
    wanted = set(fields)
    out: dict[str, NDArray[np.generic]] = {}
    if "rgb" in wanted:
        out["rgb"] = _rgb(discs, color)
    if wanted & {"segmentation", "flow", "backward_flow", "occlusion"}:
        ids = _ids(discs)
        if "segmentation" in wanted:
            out["segmentation"] = ids
        if "flow" in wanted:
            out["flow"] = _flow(discs, discs.step, slice(0, -1))
        if "backward_flow" in wanted:
            out["backward_flow"] = _flow(discs, -discs.step, slice(1, None))
        if "occlusion" in wanted:
            out["occlusion"] = _occlusion(discs, ids)
    return out


class _Discs:
    """Discs in image units with a fixed window per body: `distance` [t,k,k] px from the centre and
    `inside` [t,k,k], placed at `corner`."""

    def __init__(self, position: Array, radius: Array, size: int, world_width: float) -> None:
        scale = size / world_width
        self.size, self.frames, self.count = size, position.shape[0], position.shape[1]
        self.center = np.stack([position[..., 0] * scale, size - position[..., 1] * scale], -1)
        self.radius = radius * scale
        self.step = np.diff(self.center, axis=0)
        self.window = [min(size, int(np.ceil(2 * self.radius[:, n].max())) + 3) for n in range(self.count)]
        self.corner = [
            np.clip(np.floor(self.center[:, n] - k / 2 + 0.5).astype(int), 0, size - k) for n, k in enumerate(self.window)
        ]
        self.distance = [self._distance(n) for n in range(self.count)]
        self.inside = [self.distance[n] < self.radius[:, n, None, None] for n in range(self.count)]

    def _distance(self, n: int) -> NDArray[np.float32]:
        grid = np.arange(self.window[n]) + 0.5
        offset = (self.corner[n][:, :, None] + grid - self.center[:, n, :, None]) ** 2
        distance: NDArray[np.float32] = np.sqrt(offset[:, 1, :, None] + offset[:, 0, None, :]).astype(np.float32)
        return distance

    def place(self, n: int, t: int) -> tuple[slice, slice]:
        """Rows and columns of body n's window in frame t."""
        x, y = self.corner[n][t]
        k = self.window[n]
        return slice(y, y + k), slice(x, x + k)


def _rgb(discs: _Discs, color: NDArray[np.uint8]) -> NDArray[np.uint8]:
    image = np.full((discs.frames, 3, discs.size, discs.size), 255, np.uint8)
    for n in range(discs.count):
        cover = np.clip(0.5 + discs.radius[:, n, None, None].astype(np.float32) - discs.distance[n], 0.0, 1.0)[:, None]
        paint = cover * color[:, n, :, None, None].astype(np.float32)
        rest = 1.0 - cover
        if n == 0:  # nothing lies below the first body but the white ground
            patch = (rest * 255.0 + paint + 0.5).astype(np.uint8)
            for t in range(discs.frames):
                rows, cols = discs.place(n, t)
                image[t, :, rows, cols] = patch[t]
        else:
            for t in range(discs.frames):
                rows, cols = discs.place(n, t)
                image[t, :, rows, cols] = rest[t] * image[t, :, rows, cols] + paint[t] + 0.5
    return image


def _ids(discs: _Discs) -> NDArray[np.uint8]:
    ids = np.zeros((discs.frames, discs.size, discs.size), np.uint8)
    for n in range(discs.count):
        for t in range(discs.frames):
            np.copyto(ids[t][discs.place(n, t)], n + 1, where=discs.inside[n][t])
    return ids


def _flow(discs: _Discs, step: Array, frames: slice) -> NDArray[np.float32]:
    flow = np.zeros((len(step), 2, discs.size, discs.size), np.float32)
    for n in range(discs.count):
        patch = np.where(discs.inside[n][frames, None], step[:, n, :, None, None].astype(np.float32), np.float32(0))
        for i, t in enumerate(range(discs.frames)[frames]):
            rows, cols = discs.place(n, t)
            if n == 0:  # what later bodies cover is painted over
                flow[i, :, rows, cols] = patch[i]
            else:
                np.copyto(flow[i, :, rows, cols], patch[i], where=discs.inside[n][t])
    return flow


def _occlusion(discs: _Discs, ids: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where each pixel's point is hidden one frame later: tested against the discs above it, not against the next mask."""
    hidden: NDArray[np.bool_] = (ids[1:] > 0) & (ids[:-1] == 0)  # the ground does not move
    for n in range(discs.count):
        grid = np.arange(discs.window[n]) + 0.5
        target = discs.corner[n][:-1, :, None] + grid + discs.step[:, n, :, None]  # [t-1,2,k]
        x, y = target[:, 0, None, :], target[:, 1, :, None]
        gone = ((x < 0) | (x >= discs.size)) | ((y < 0) | (y >= discs.size))
        for above in range(n + 1, discs.count):
            reach = discs.radius[1:, n] + discs.radius[1:, above]
            if not (np.hypot(*(discs.center[1:, n] - discs.center[1:, above]).T) < reach).any():
                continue
            cx, cy = discs.center[1:, above, 0, None, None], discs.center[1:, above, 1, None, None]
            gone = gone | (np.hypot(x - cx, y - cy) < discs.radius[1:, above, None, None])
        for t in np.flatnonzero(gone.any((1, 2))).tolist():
            rows, cols = discs.place(n, t)
            hidden[t, rows, cols] |= gone[t] & (ids[t, rows, cols] == n + 1)
    return hidden

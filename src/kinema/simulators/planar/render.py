"""Pixels and dense truth of rigid bodies on a plane: anti-aliased rgb, ids, exact flow and occlusion, drawn in windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...core.errors import UserError
from .scene import Look, Scene, View
from .shapes import BALL, Outline, outline

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
DENSE = ("rgb", "segmentation", "flow", "backward_flow", "occlusion")


def render(
    position: Array,
    radius: Array,
    color: NDArray[np.uint8],
    *,
    size: int,
    world_width: float,
    fields: Sequence[str],
    shape: NDArray[Any] | None = None,
    angle: Array | None = None,
    cut: Bools | None = None,
    style: str = "smooth",
) -> dict[str, NDArray[np.generic]]:
    """Dense fields of balls, squares and rings (`shape` [t,n], balls if not given; see `shapes.outline`).

    `position` [t,n,2] m, y up, `radius` [t,n] m (a square's half side), `color` [t,n,3], `angle` [t,n] rad. What comes
    out is what `render_bodies` says. Raises UserError for a style, a shape or a field that there is not.
    """
    looks = [_look(radius[:, n], None if shape is None else shape[:, n]) for n in range(position.shape[1])]
    return _draw(Scene(looks, position, angle, color, size, world_width, cut, style), fields)


def render_bodies(
    outlines: Sequence[Outline | Sequence[Outline]],
    position: Array,
    angle: Array | None,
    color: NDArray[np.uint8],
    *,
    size: int,
    world_width: float,
    fields: Sequence[str],
    cut: Bools | None = None,
    style: str = "smooth",
) -> dict[str, NDArray[np.generic]]:
    """Dense fields of rigid bodies at `position` [t,n,2] m (y up), turned by `angle` [t,n] rad, in `color` [n,3] or [t,n,3].

    `outlines` are those of the bodies in m, for a body that changes its shape one for each frame; later bodies lie on top.
    Gives those of `fields` among rgb [t,3,h,w] uint8, segmentation [t,h,w] uint8 (0 = ground, 1 + body), flow and
    backward_flow [t-1,2,h,w] float32 px/frame (of the body's material, so a turning ball has a curl), occlusion
    [t-1,h,w] bool (a point of frame t that leaves the image, is covered in frame t+1, or is lost to a change of shape).

    Pixel i covers [i, i+1); a pixel belongs to the body its centre is in. In the style "smooth" edges are softened over
    one pixel by the signed distance, which is the covered area to about 1 %; "published" draws balls and squares as
    PhyWorld's released generator does, on its grid x (W - 1) / world_width.

    A body whose position is NaN is not there. Where `cut` [t-1,n] is true a body of frame t is not followed into frame
    t+1, as where it is there no more: its points have flow 0 both ways and count as hidden.
    Raises UserError for a style or a field that there is not.
    """
    looks = [_changing(given) if isinstance(given, Sequence) else Look((given,), np.zeros(len(position), np.intp)) for given in outlines]
    return _draw(Scene(looks, position, angle, color, size, world_width, cut, style), fields)


def _changing(outlines: Sequence[Outline]) -> Look:
    kinds = tuple(dict.fromkeys(outlines))
    return Look(kinds, np.array([kinds.index(outline) for outline in outlines]))


def _look(radius: Array, shape: NDArray[Any] | None) -> Look:
    """How a body of a planar world looks in every frame."""
    codes = np.full(len(radius), BALL) if shape is None else shape
    if (radius == radius[0]).all() and (codes == codes[0]).all():
        return Look((outline(int(codes[0]), float(radius[0])),), np.zeros(len(radius), np.intp))
    kinds, which = np.unique(np.stack([codes, radius], 1), axis=0, return_inverse=True)
    return Look(tuple(outline(int(code), float(r)) for code, r in kinds), which.reshape(-1))


def _draw(scene: Scene, fields: Sequence[str]) -> dict[str, NDArray[np.generic]]:
    for name in fields:
        if name not in DENSE:
            raise UserError(f"there is no dense field {name!r} of a planar world; there are {', '.join(DENSE)}")
    wanted = set(fields)
    out: dict[str, NDArray[np.generic]] = {}
    if "rgb" in wanted:
        out["rgb"] = _rgb(scene)
    ids = _ids(scene) if wanted & {"segmentation", "occlusion"} else None
    if ids is not None and "segmentation" in wanted:
        out["segmentation"] = ids
    if "flow" in wanted:
        out["flow"] = _flow(scene, forward=True)
    if "backward_flow" in wanted:
        out["backward_flow"] = _flow(scene, forward=False)
    if ids is not None and "occlusion" in wanted:
        out["occlusion"] = _occlusion(scene, ids)
    return out


def _rgb(scene: Scene) -> NDArray[np.uint8]:
    rounding, first = scene.style.rounding, (scene.still + scene.moving)[:1]

    def paint(image: NDArray[np.uint8], n: int, views: list[View]) -> None:
        cover = scene.cover[n][:, None]
        color = cover * scene.color[scene.starts[n], n, :, None, None].astype(cover.dtype)
        rest = 1 - cover
        if n in first:  # nothing lies below but the white ground
            patch = (rest * 255 + color + rounding).astype(np.uint8)
            for t, run, rows, cols in views:
                image[t, :, rows, cols] = patch[run]
        else:
            for t, run, rows, cols in views:
                image[t, :, rows, cols] = rest[run] * image[t, :, rows, cols] + color[run] + rounding

    return _painted(scene, np.full((1, 3, scene.size, scene.size), 255, np.uint8), paint)


def _ids(scene: Scene) -> NDArray[np.uint8]:
    def paint(ids: NDArray[np.uint8], n: int, views: list[View]) -> None:
        for t, run, rows, cols in views:
            np.copyto(ids[t, rows, cols], n + 1, where=scene.inside[n][run])

    return _painted(scene, np.zeros((1, scene.size, scene.size), np.uint8), paint)


def _painted(
    scene: Scene, ground: NDArray[np.uint8], paint: Callable[[NDArray[np.uint8], int, list[View]], None]
) -> NDArray[np.uint8]:
    """What never changes is painted on the ground [1,...] once, the rest on a copy of it for every frame."""
    for n in scene.still:
        paint(ground, n, scene.views[n][:1])
    image = np.repeat(ground, scene.frames, 0)
    for n in scene.moving:
        paint(image, n, scene.views[n])
    return image


def _flow(scene: Scene, *, forward: bool) -> NDArray[np.float32]:
    flow = np.zeros((scene.frames - 1, 2, scene.size, scene.size), np.float32)
    late, sign = (0, 1) if forward else (1, -1)
    for i, n in enumerate(scene.moving):
        moves = np.flatnonzero(~scene.rests[:, n])
        x, y = scene.offsets(n, moves + late)
        u, v = scene.drift(n, x, y, moves[:, None, None], sign)
        patch = np.empty((len(moves), 2, *u.shape[1:]), np.float32)
        patch[:, 0], patch[:, 1] = u, v
        if i == 0:  # what later bodies cover is painted over
            patch = np.where(scene.inside[n][scene.run[n][moves + late], None], patch, np.float32(0))
        which = dict(zip((moves + late).tolist(), patch, strict=True))
        for t, run, rows, cols in scene.views[n]:
            if i == 0 and t in which:
                flow[t - late, :, rows, cols] = which[t]
            elif i > 0 and 0 <= t - late < len(flow):
                np.copyto(flow[t - late, :, rows, cols], which.get(t, np.float32(0)), where=scene.inside[n][run])
    return flow


def _occlusion(scene: Scene, ids: NDArray[np.uint8]) -> Bools:
    """Where each pixel's point is hidden one frame later: tested against the bodies above it, not against the next mask."""
    hidden: Bools = ids[1:] > ids[:-1]
    place = np.flatnonzero(hidden)  # what stays where it is, the ground too, is hidden where another id comes to lie
    stays = np.concatenate([np.ones((scene.frames - 1, 1), bool), scene.rests], 1)
    hidden.reshape(-1)[place] = stays[place // scene.size**2, ids[:-1].reshape(-1)[place]]
    for n in scene.moving:
        _hide(scene, n, ids, hidden)
    return hidden


def _hide(scene: Scene, n: int, ids: NDArray[np.uint8], hidden: Bools) -> None:
    """Mark the points of body n that are hidden in the next frame, where it does not stay as it is."""
    after, bound = scene.center[1:, n], scene.bound[n]
    leaves = ((after < bound) | (after > scene.size - bound)).any(-1)
    covered = scene.near[1:, n, n + 1 :].any(-1)
    other = np.diff(scene.looks[n].which) != 0
    asked = scene.inview[:-1, n] & ~scene.rests[:, n] & (leaves | covered | other | scene.cut[:, n])
    own = [ids[t, rows, cols] == n + 1 for t, _, rows, cols in scene.views[n] if t < len(asked) and asked[t]]
    if not own:
        return
    frames = np.flatnonzero(asked)
    f, row, col = np.nonzero(np.stack(own))
    (x, y), t = scene.offsets(n, frames), frames[f]
    x, y = x[f, 0, col], y[f, row, 0]
    u, v = scene.drift(n, x, y, t)
    x, y = scene.center[t, n, 0] + x + u, scene.center[t, n, 1] - y + v
    gone = (x < 0) | (x >= scene.size) | (y < 0) | (y >= scene.size) | scene.cut[t, n]
    if other.any():  # a body that changes its shape may have lost the point
        gone |= other[t] & ~scene.holds(n, x, y, t + 1)
    for above in range(n + 1, scene.count):
        close = np.flatnonzero(scene.near[t + 1, n, above] & ~gone)
        if len(close):
            gone[close] = scene.holds(above, x[close], y[close], t[close] + 1)
    left, top = scene.corner[n][t].T
    hidden[t[gone], top[gone] + row[gone], left[gone] + col[gone]] = True

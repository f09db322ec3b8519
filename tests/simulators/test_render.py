"""Pixels and dense truth against geometry worked out here, by brute force, pixel by pixel."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from kinema.core import Clip
from kinema.simulators import SCENARIOS, make, scenario
from kinema.simulators.planar import DENSE, Planar, render
from kinema.simulators.planar.shapes import BALL, RING, RING_INNER, SQUARE

CASES = [(name, split) for name, cls in SCENARIOS.items() if issubclass(cls, Planar) for split in ("id", "ood")]
every = pytest.mark.parametrize(("name", "split"), CASES)

TIE = 1e-3  # px; a pixel centre so near a rim may fall on either side in single precision


def clips(name: str, split: str, count: int = 2, size: int = 64) -> list[Clip]:
    return [make(scenario(name, size=size, flip=True).split(split), 11, i, DENSE) for i in range(count)]


def centers(clip: Clip) -> np.ndarray:
    """[t,n,2] px, by the camera."""
    position = clip.bodies["position"]
    image: np.ndarray = clip.camera.project(torch.cat([position, torch.zeros_like(position[..., :1])], -1)).numpy()
    return image


def pixel_radii(clip: Clip) -> np.ndarray:
    radii: np.ndarray = clip.bodies["radius"].numpy() * clip.size[1] / 10
    return radii


def grid(size: int) -> np.ndarray:
    """Pixel centres [h,w,2]."""
    axis = np.arange(size) + 0.5
    return np.stack(np.meshgrid(axis, axis), -1)


def shapes(clip: Clip) -> np.ndarray:
    codes: np.ndarray = clip.bodies["shape"][0].numpy() if "shape" in clip.bodies else np.full(clip.bodies["radius"].shape[1], BALL)
    return codes


def to_rim(points: np.ndarray, center: np.ndarray, radius: float, shape: int) -> np.ndarray:
    """Distance to the rim of an upright body, below 0 inside (a square's outside: the larger of both axes)."""
    dx, dy = np.moveaxis(np.abs(points - center), -1, 0)
    if shape == SQUARE:
        return np.maximum(dx, dy) - radius
    distance = np.hypot(dx, dy)
    return np.maximum(distance - radius, RING_INNER * radius - distance) if shape == RING else distance - radius


def inside(points: np.ndarray, center: np.ndarray, radius: np.ndarray, shape: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The uppermost body at every point [...] (-1: ground), and whether a rim passes within TIE of it."""
    owner, tie = np.full(points.shape[:-1], -1), np.zeros(points.shape[:-1], bool)
    for n in range(len(radius)):
        distance = to_rim(points, center[n], radius[n], shape[n])
        owner[distance < 0] = n
        tie |= np.abs(distance) < TIE
    return owner, tie


@every
def test_ids_are_those_of_the_uppermost_body(name: str, split: str) -> None:
    for clip in clips(name, split):
        for t in range(clip.num_frames):
            owner, tie = inside(grid(64), centers(clip)[t], pixel_radii(clip)[t], shapes(clip))
            assert (clip.segmentation[t].numpy() == owner + 1)[~tie].all()


@every
def test_flow_is_the_projected_step_of_the_body(name: str, split: str) -> None:
    for clip in clips(name, split):
        step = np.diff(centers(clip), axis=0)
        for t in range(clip.num_frames - 1):
            for field, at, sign in (("flow", t, 1), ("backward_flow", t + 1, -1)):
                ids = clip.segmentation[at].numpy()
                flow = clip.fields[field][t].permute(1, 2, 0).numpy()
                for n in range(step.shape[1]):
                    assert np.abs(flow[ids == n + 1] - sign * step[t, n]).max(initial=0) < 1e-3
                assert (flow[ids == 0] == 0).all()


@every
def test_a_pixel_is_hidden_exactly_if_its_point_is(name: str, split: str) -> None:
    for clip in clips(name, split):
        center, radius = centers(clip), pixel_radii(clip)
        for t in range(clip.num_frames - 1):
            owner, tie = inside(grid(64), center[t], radius[t], shapes(clip))
            step = np.concatenate([center[t + 1] - center[t], [[0.0, 0.0]]])  # the last entry is the ground's, found by -1
            target = grid(64) + step[owner]
            above, tie_after = inside(target, center[t + 1], radius[t + 1], shapes(clip))
            gone = ((target < 0) | (target >= 64)).any(-1)
            # A point sits in its own body: only what lies over it covers it.
            covered = above > owner
            at_edge = (np.abs(target) < TIE).any(-1) | (np.abs(target - 64) < TIE).any(-1)
            sure = ~(tie | tie_after | at_edge)
            assert (clip.occlusion[t].numpy() == (gone | covered))[sure].all()
            assert sure.mean() > 0.99


@every
def test_forward_and_backward_flow_agree_where_nothing_is_hidden(name: str, split: str) -> None:
    compared = 0
    for clip in clips(name, split):
        for t in range(clip.num_frames - 1):
            flow, back = (clip.fields[f][t].permute(1, 2, 0).numpy() for f in ("flow", "backward_flow"))
            seen = ~clip.occlusion[t].numpy()
            target = np.floor(grid(64) + flow).astype(int)
            seen &= ((target >= 1) & (target < 63)).all(-1)
            x, y = np.clip(target, 1, 62)[..., 0], np.clip(target, 1, 62)[..., 1]
            ids = clip.segmentation[t + 1].numpy()
            around = np.stack([ids[y + j, x + i] for i in (-1, 0, 1) for j in (-1, 0, 1)])
            seen &= (around == around[0]).all(0)  # away from rims, where the pixel of a point belongs to another body
            assert np.abs(back[y, x] + flow)[seen].max() < 1e-4
            assert (clip.segmentation[t].numpy() == ids[y, x])[seen].all()
            compared += seen.mean() / (clip.num_frames - 1)
    assert compared / 2 > 0.7


@every
def test_colours_are_those_of_the_bodies(name: str, split: str) -> None:
    """Away from rims pixels have the pure colour; at the rim of one ball the id goes to what covers more of the pixel."""
    for clip in clips(name, split):
        color = np.concatenate([clip.bodies["color"][0].numpy(), [[255, 255, 255]]])
        for t in range(clip.num_frames):
            places = zip(centers(clip)[t], pixel_radii(clip)[t], shapes(clip), strict=True)
            distance = np.stack([to_rim(grid(64), *place) for place in places])
            owner, _ = inside(grid(64), centers(clip)[t], pixel_radii(clip)[t], shapes(clip))
            pure = (np.abs(distance) > 0.5 + TIE).all(0)
            rgb = clip.rgb[t].permute(1, 2, 0).numpy()
            assert (rgb[pure] == color[owner[pure]]).all()
            alone = ~pure & ((distance < 1).sum(0) == 1)
            near = np.abs(rgb[alone].astype(int) - color[distance[:, alone].argmin(0)]).sum(-1)
            half = np.abs(255 - color[distance[:, alone].argmin(0)].astype(int)).sum(-1) / 2
            assert ((near < half + 2) | (clip.segmentation[t].numpy()[alone] == 0)).all()
            assert ((near > half - 2) | (clip.segmentation[t].numpy()[alone] > 0)).all()


@pytest.mark.parametrize("size", [128, 256])
@pytest.mark.parametrize("radius", [0.3, 0.7, 1.0, 1.4, 2.0])
def test_a_disc_covers_its_area_at_its_place(radius: float, size: int) -> None:
    rng = np.random.default_rng(round(radius * 10) + size)
    position = rng.uniform(radius + 0.2, 9.8 - radius, (16, 1, 2))
    color = np.broadcast_to(np.array([255, 0, 0], np.uint8), (16, 1, 3))
    image = render(position, np.full((16, 1), radius), color, size=size, world_width=10.0, fields=("rgb",))["rgb"]
    cover = 1 - image[:, 1].astype(float) / 255
    pixels = radius * size / 10
    np.testing.assert_allclose(cover.sum((1, 2)), math.pi * pixels**2, rtol=0.01 if pixels > 5 else 0.015)
    place = np.einsum("thw,hwc->tc", cover, grid(size)) / cover.sum((1, 2))[:, None]
    wanted = np.stack([position[:, 0, 0], 10 - position[:, 0, 1]], -1) * size / 10
    assert np.abs(place - wanted).max() < 0.02


@pytest.mark.parametrize("radius", [0.5, 1.3])
def test_the_rim_is_the_covered_share_of_a_pixel(radius: float) -> None:
    """Against sixteen by sixteen samples per pixel."""
    rng = np.random.default_rng(3)
    position = rng.uniform(2, 8, (1, 1, 2))
    image = render(position, np.full((1, 1), radius), np.zeros((1, 1, 3), np.uint8), size=64, world_width=10.0, fields=("rgb",))["rgb"]
    fine = (np.arange(64 * 16) + 0.5) / 16
    x, y = position[0, 0, 0] * 6.4, 64 - position[0, 0, 1] * 6.4
    samples = np.hypot(*np.meshgrid(fine - x, fine - y)) < radius * 6.4
    share = samples.reshape(64, 16, 64, 16).mean((1, 3))
    error = np.abs(1 - image[0, 0] / 255 - share)
    assert error.max() < 0.15  # at the diagonal a straight ramp is a tenth off the true share
    assert error[error > 0.004].mean() < 0.06


def test_a_disc_that_leaves_the_image_is_drawn_as_far_as_it_is_seen() -> None:
    position = np.array([[[9.5, 5.0]], [[10.0, 5.0]], [[10.6, 5.0]], [[11.5, 5.0]], [[-3.0, 20.0]]])
    image = render(position, np.ones((5, 1)), np.zeros((5, 1, 3), np.uint8), size=64, world_width=10.0, fields=DENSE)
    area = (1 - image["rgb"][:, 0] / 255).sum((1, 2)) / 6.4**2
    segment = [math.acos(-d) + d * math.sqrt(1 - d * d) for d in (0.5, 0.0, -0.6)]  # of a unit disc, cut at d from its centre
    np.testing.assert_allclose(area, [*segment, 0, 0], atol=0.03)
    assert not image["segmentation"][3:].any()
    assert image["occlusion"][2][image["segmentation"][2] == 1].all()


def test_later_bodies_lie_on_top() -> None:
    position = np.full((1, 2, 2), 5.0)
    color = np.array([[[255, 0, 0], [0, 0, 255]]], np.uint8)
    image = render(position, np.array([[2.0, 1.0]]), color, size=64, world_width=10.0, fields=DENSE)
    assert image["rgb"][0, :, 32, 32].tolist() == [0, 0, 255]
    assert image["rgb"][0, :, 32, 42].tolist() == [255, 0, 0]
    assert image["segmentation"][0, 32, 32] == 2
    assert image["segmentation"][0, 32, 42] == 1


def test_y_points_up() -> None:
    position, color = np.array([[[5.0, 9.0]]]), np.zeros((1, 1, 3), np.uint8)
    image = render(position, np.ones((1, 1)), color, size=64, world_width=10.0, fields=("segmentation",))
    rows = image["segmentation"][0].any(1).nonzero()[0]
    assert rows.max() < 20

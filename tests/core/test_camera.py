import math

import pytest
import torch

from kinema.core import Camera


def perspective(frames):
    """A camera that turns about the vertical and rises, 500 px focal length."""
    k = torch.tensor([[500.0, 0.0, 320.5], [0.0, 480.0, 240.5], [0.0, 0.0, 1.0]], dtype=torch.float64)
    pose = torch.eye(4, dtype=torch.float64).repeat(frames, 1, 1)
    for t in range(frames):
        c, s = math.cos(0.1 * t), math.sin(0.1 * t)
        pose[t, :3, :3] = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]])
        pose[t, :3, 3] = torch.tensor([0.2, -0.1 * t, 5.0])
    return Camera(k.expand(frames, 3, 3), pose)


CAMERAS = {"perspective": perspective(3), "planar": Camera.planar(64, 48, 10.0, 3)}
cameras = pytest.mark.parametrize("camera", CAMERAS.values(), ids=CAMERAS)


def points(frames=3, n=20):
    return 2 * torch.rand(frames, n, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 1


@cameras
def test_unproject_is_the_inverse_of_project(camera):
    world = points()
    depth = camera.to_camera(world)[..., 2]
    torch.testing.assert_close(camera.unproject(camera.project(world), depth), world, rtol=0, atol=1e-10)


@cameras
def test_a_batch_projects_as_its_cameras_do(camera):
    two = Camera(torch.stack([camera.intrinsics] * 2), torch.stack([camera.pose] * 2), camera.orthographic)
    world = torch.stack([points(), 0.5 * points()])
    for b in range(2):
        torch.testing.assert_close(two.project(world)[b], camera.project(world[b]))


def test_the_pinhole():
    at = perspective(1).project(torch.tensor([[[0.0, 0.0, 0.0], [1.0, 1.0, 5.0]]], dtype=torch.float64))[0]
    torch.testing.assert_close(at[0], torch.tensor([320.5 + 500 * 0.2 / 5, 240.5], dtype=torch.float64))
    torch.testing.assert_close(at[1], torch.tensor([320.5 + 500 * 1.2 / 10, 240.5 + 480 * 1.0 / 10], dtype=torch.float64))


@pytest.mark.parametrize("width", [32, 64, 128, 256])
def test_a_planar_world_maps_x_to_x_w_over_10_with_y_up(width):
    camera = Camera.planar(width, width, 10.0, 1)
    world = torch.tensor([[[0.0, 0.0, 0.0], [10.0, 10.0, 0.0], [2.5, 7.0, 0.0]]], dtype=torch.float64)
    want = torch.tensor([[0, width], [width, 0], [2.5 * width / 10, width - 7 * width / 10]], dtype=torch.float64)
    torch.testing.assert_close(camera.project(world)[0], want)


def test_frames():
    camera = perspective(5)
    cut = camera.frames(1, 4)
    torch.testing.assert_close(cut.project(points()), Camera(camera.intrinsics[1:4], camera.pose[1:4]).project(points()))
    assert camera.frames(2, 3).pose.shape == (1, 4, 4)
    assert Camera.planar(8, 8, 10.0, 5).frames(1, 3).orthographic

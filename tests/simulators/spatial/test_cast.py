"""The ray-caster's truth: against closed forms, an independent ray test, a brute-force one, and itself carried to other frames."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from kinema.core.camera import Camera
from kinema.simulators.spatial import (
    Box,
    Capsule,
    Cloth,
    Cylinder,
    Dolly,
    Floor,
    Hull,
    Look,
    Orbit,
    Particles,
    Rigid,
    Run,
    Scene,
    Sky,
    Sphere,
    Still,
)
from kinema.simulators.spatial.matter import matter
from kinema.simulators.spatial.views import camera
from kinema.simulators.spatial.world import DENSE

pytest.importorskip("warp")
mujoco = pytest.importorskip("mujoco")

from kinema.simulators.spatial.cast import cast, caster, follow  # noqa: E402

T, SIZE = 5, 48
SHAPES = (
    Box((0.4, 0.3, 0.25)), Sphere(0.2), Capsule(0.1, 0.3), Cylinder(0.15, 0.3),
    Hull(((0, 0, -0.2), (0.3, 0, 0), (-0.2, 0.25, 0), (-0.2, -0.25, 0.02), (0, 0, 0.3))),
)  # fmt: skip
VIEWS = (Still(eye=(0.2, -2.2, 1.1)), Orbit(radius=2.2, height=1.0, rate=60), Dolly(eye=(0.3, -2.1, 0.9), velocity=(0.9, 0.6, 0.3)))


def solids(offset: tuple[float, float, float] = (0.0, 0.0, 0.0), **keys: object) -> Scene:
    spots = [(-0.6, 0.1, 0.3), (-0.1, -0.3, 0.25), (0.45, 0.0, 0.3), (0.1, 0.5, 0.35), (0.6, 0.6, 0.4)]
    moved = [tuple(np.add(spot, offset)) for spot in spots]
    bodies = tuple(Rigid(name=f"b{k}", shape=shape, position=moved[k]) for k, shape in enumerate(SHAPES))
    return Scene(bodies, **{"views": VIEWS, **keys})  # type: ignore[arg-type]


def moving(scene: Scene, seed: int = 0, vertices: np.ndarray | None = None) -> Run:
    """Bodies that move and turn evenly, at random rates."""
    rng, n = np.random.default_rng(seed), len(scene.bodies)
    time = np.arange(T)[:, None, None] / 16
    position = np.array([body.position for body in scene.bodies]) + time * rng.uniform(-1, 1, (n, 3))
    turn = [Rotation.from_rotvec(time[:, 0] * rng.uniform(-4, 4, 3)).as_quat(scalar_first=True) for _ in range(n)]
    nothing = np.zeros((T, n))
    return Run(
        times=np.arange(T) / 16, position=position, rotation=np.stack(turn, 1), center=position, velocity=nothing, angular_velocity=nothing,
        mass=np.ones(n), kinetic=nothing, potential=nothing, elastic=nothing,
        vertices=np.zeros((T, 0, 3), np.float32) if vertices is None else vertices.astype(np.float32),
    )  # fmt: skip


def film(scene: Scene, run: Run, view: int = 0, size: int = SIZE) -> Camera:
    return camera(scene.view(view), run.times, lambda name: (run.center[:, scene.index(name)], run.rotation[:, scene.index(name)]), size)


def sheet() -> tuple[Scene, Run]:
    """A cloth that waves, over a ball."""
    cloth = Cloth(name="cloth", position=(0.0, 0.0, 0.7), size=(1.4, 1.0), count=(9, 8))
    scene = Scene((cloth, Rigid(name="ball", shape=Sphere(0.25), position=(0, 0, 0.25))), views=VIEWS)
    rest = matter(cloth).points + cloth.position
    time = np.arange(T)[:, None] / 16
    wave = np.stack([0.2 * time + 0 * rest[:, 0], 0.1 * np.sin(4 * rest[:, 0] + 9 * time), 0.15 * np.cos(5 * rest[:, 1] + 8 * time)], -1)
    return scene, moving(scene, vertices=rest + wave)


def grains() -> tuple[Scene, Run]:
    """Particles that fly apart, some over the camera's head."""
    sand = Particles(name="sand", substance="sand", size=(0.6, 0.6, 0.4), spacing=0.06, position=(0, 0, 0.4))
    scene = Scene((sand, Rigid(name="box", shape=Box((0.3, 0.3, 0.3)), position=(0.5, 0, 0.15))), views=VIEWS)
    points = matter(sand).points + sand.position
    speed = np.random.default_rng(3).normal(0, 0.6, points.shape)
    return scene, moving(scene, vertices=points + speed * np.arange(T)[:, None, None] / 16)


SCENES = {"solids": lambda: (solids(), moving(solids())), "cloth": sheet, "grains": grains}


def reprojected(found: dict[str, np.ndarray], seen: Camera, near: int, far: int) -> np.ndarray:
    """Flow [2,h,w] px from frame `near` to `far` that depth, scene flow and cameras say, in float64; nan where there is nothing."""
    size = found["depth"].shape[-1]
    y, x = np.mgrid[:size, :size] + 0.5
    depth = found["depth"][near, 0].astype(float)
    k = seen.intrinsics[0].numpy()
    eye = np.stack([(x - k[0, 2]) / k[0, 0] * depth, (y - k[1, 2]) / k[1, 1] * depth, depth], -1)
    eye = np.where(np.isfinite(depth)[..., None], eye + found["scene_flow"][near].transpose(1, 2, 0), np.nan)
    pose = seen.pose.numpy()
    world = (eye - pose[near, :3, 3]) @ pose[near, :3, :3]
    there = world @ pose[far, :3, :3].T + pose[far, :3, 3]
    return np.stack([k[0, 0] * there[..., 0] / there[..., 2] + k[0, 2] - x, k[1, 1] * there[..., 1] / there[..., 2] + k[1, 2] - y])


@pytest.mark.parametrize("view", range(3))
@pytest.mark.parametrize("kind", SCENES)
def test_flow_is_scene_flow_seen_by_the_camera(kind: str, view: int) -> None:
    scene, run = SCENES[kind]()
    seen = film(scene, run, view)
    found = cast(scene, run, seen, SIZE, DENSE)
    for f in range(T - 1):
        expected = reprojected(found, seen, f, f + 1)
        known = np.isfinite(expected).all(0)
        assert known.mean() > 0.5
        assert np.abs(found["flow"][f] - expected)[:, known].max() < 1e-3
    assert np.abs(found["flow"]).max() > 1


@pytest.mark.parametrize("offset", [(150.0, -80.0, 3.0), (1000.0, 1000.0, 0.0)])
def test_precision_does_not_fade_far_from_the_origin(offset: tuple[float, float, float]) -> None:
    views = (Dolly(eye=tuple(np.add((0.3, -2.1, 0.9), offset)), target=tuple(np.add((0, 0, 0.3), offset)), velocity=(9.0, 2.0, 0.1)),)
    scene = solids(offset, views=views)
    run = moving(scene)
    seen = film(scene, run)
    found = cast(scene, run, seen, SIZE, DENSE)
    for f in range(T - 1):
        expected = reprojected(found, seen, f, f + 1)
        known = np.isfinite(expected).all(0) & (np.abs(expected) < 200).all(0)
        assert known.any()
        assert np.abs(found["flow"][f] - expected)[:, known].max() < 1e-3


def test_sky_flows_with_the_cameras_rotation() -> None:
    scene = solids(floor=None, views=(Orbit(radius=2.2, height=0.4, rate=60),))
    run = moving(scene)
    seen = film(scene, run)
    found = cast(scene, run, seen, SIZE, DENSE)
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    k, pose = seen.intrinsics[0].numpy(), seen.pose.numpy()
    rays = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1)
    sky = np.isinf(found["depth"][:, 0])
    assert sky.mean() > 0.3
    for f in range(T - 1):
        there = rays @ (pose[f + 1, :3, :3] @ pose[f, :3, :3].T).T
        at = there[..., :2] / there[..., 2:] * k[0, 0] + k[:2, 2]
        expected = at - np.stack([x, y], -1)
        assert np.abs(found["flow"][f].transpose(1, 2, 0) - expected)[sky[f]].max() < 1e-3
    assert (found["normals"].transpose(0, 2, 3, 1)[sky] == 0).all()
    assert (found["scene_flow"].transpose(0, 2, 3, 1)[sky[:-1]] == 0).all()


@pytest.mark.parametrize("kind", SCENES)
def test_forward_and_backward_agree_where_nothing_is_hidden(kind: str) -> None:
    """A point that is seen in both frames goes there and back; the flow at its new place is read between pixels of one surface."""
    scene, run = SCENES[kind]()
    found = cast(scene, run, film(scene, run, 1, 96), 96, DENSE)
    errors = []
    for f in range(T - 1):
        y, x = np.mgrid[:96, :96]
        u, v = x + 0.5 + found["flow"][f, 0], y + 0.5 + found["flow"][f, 1]
        i, j = np.floor(v - 0.5).astype(int), np.floor(u - 0.5).astype(int)
        inside = ~found["occlusion"][f] & (i >= 0) & (j >= 0) & (i < 95) & (j < 95)
        inside &= found["segmentation"][f] == 0  # what turns has curved flow between pixels, the floor's is smooth
        i, j, u, v, y, x = (array[inside] for array in (i, j, u, v, y, x))
        a, b = u - 0.5 - j, v - 0.5 - i
        corners = [(i, j, (1 - a) * (1 - b)), (i, j + 1, a * (1 - b)), (i + 1, j, (1 - a) * b), (i + 1, j + 1, a * b)]
        same = np.all([(found["segmentation"][f + 1, p, q] == 0) & np.isfinite(found["depth"][f + 1, 0, p, q]) for p, q, _ in corners], 0)
        back = sum(found["backward_flow"][f, :, p, q] * weight[:, None] for p, q, weight in corners)
        error = np.abs(found["flow"][f][:, y, x].T + back).max(1)
        errors.append(error[same & np.isfinite(found["depth"][f, 0, y, x])])
    together = np.concatenate(errors)
    assert len(together) > 5000
    assert np.quantile(together, 0.99) < 0.05


def surfaces(scene: Scene, run: Run, f: int) -> mujoco.MjData:
    """The same bodies in MuJoCo, whose ray test knows nothing of ours."""
    parts = []
    for body, at, turn in zip(scene.bodies, run.position[f], run.rotation[f], strict=True):
        shape = body.shape  # type: ignore[union-attr]
        size = {
            Box: lambda s: ("box", np.array(s.size) / 2), Sphere: lambda s: ("sphere", [s.radius]),
            Capsule: lambda s: ("capsule", [s.radius, s.length / 2]), Cylinder: lambda s: ("cylinder", [s.radius, s.length / 2]),
        }[type(shape)](shape)  # fmt: skip
        words = (" ".join(repr(float(x)) for x in values) for values in (size[1], at, turn))
        parts.append('<geom type="{}" size="{}" pos="{}" quat="{}"/>'.format(size[0], *words))
    xml = f'<mujoco><worldbody><geom type="plane" size="0 0 1"/>{"".join(parts)}</worldbody></mujoco>'
    model = mujoco.MjModel.from_xml_string(xml)
    data = mujoco.MjData(model)
    mujoco.mj_forward(model, data)
    return model, data


@pytest.mark.parametrize("view", range(3))
def test_depth_and_ids_are_those_of_mujocos_rays(view: int) -> None:
    full = solids()
    scene = replace(full, bodies=full.bodies[:4])
    run = moving(scene)
    seen = film(scene, run, view)
    found = cast(scene, run, seen, SIZE, DENSE)
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    k = seen.intrinsics[0].numpy()
    local = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1).reshape(-1, 3)
    length = np.linalg.norm(local, axis=1)
    for f in (0, T - 1):
        model, data = surfaces(scene, run, f)
        pose = seen.pose[f].numpy()
        rays = (local / length[:, None]) @ pose[:3, :3]
        geom, far = np.zeros(len(rays), np.int32), np.zeros(len(rays))
        eye = -pose[:3, :3].T @ pose[:3, 3]
        mujoco.mj_multiRay(model, data, eye, rays.ravel(), None, 1, -1, geom, far, None, len(rays), 1e4)
        theirs = np.where(geom >= 0, far / length, np.inf).reshape(SIZE, SIZE)
        ids = np.maximum(geom, 0).reshape(SIZE, SIZE)
        same = found["segmentation"][f] == ids
        assert (~same).sum() <= 2  # rays that graze
        assert (np.isfinite(found["depth"][f, 0]) == np.isfinite(theirs)).all()
        both = same & np.isfinite(theirs)
        error = np.abs(found["depth"][f, 0][both] / theirs[both] - 1)
        assert error.max() < 1e-4
        assert np.median(error) < 1e-6


def test_occlusion_is_what_mujocos_rays_find_in_the_way() -> None:
    full = solids()
    scene = replace(full, bodies=full.bodies[:4])
    run = moving(scene, seed=5)
    for view in (0, 2):
        seen = film(scene, run, view)
        found = cast(scene, run, seen, SIZE, DENSE)
        y, x = np.mgrid[:SIZE, :SIZE] + 0.5
        wrong = total = 0
        for f in range(T - 1):
            model, data = surfaces(scene, run, f + 1)
            pose, k = seen.pose.numpy(), seen.intrinsics[0].numpy()
            there = np.isfinite(found["depth"][f, 0])
            depth = np.where(there, found["depth"][f, 0], 1.0).astype(float)
            eye = np.stack([(x - k[0, 2]) / k[0, 0] * depth, (y - k[1, 2]) / k[1, 1] * depth, depth], -1)
            world = (eye + found["scene_flow"][f].transpose(1, 2, 0) - pose[f, :3, 3]) @ pose[f, :3, :3]
            camera_at = -pose[f + 1, :3, :3].T @ pose[f + 1, :3, 3]
            for i, j in np.argwhere(there):
                sight = world[i, j] - camera_at
                far = np.linalg.norm(sight)
                u, v = x[i, j] + found["flow"][f, 0, i, j], y[i, j] + found["flow"][f, 1, i, j]
                hit = mujoco.mj_ray(model, data, camera_at, sight / far, None, 1, -1, np.zeros(1, np.int32), None)
                out = not (0 <= u < SIZE and 0 <= v < SIZE)
                gone = out or 0 <= hit < far - 2e-3
                surely = out or not far - 5e-3 < hit < far - 1e-4
                wrong += surely and gone != found["occlusion"][f, i, j]
                total += 1
        assert total > 4000
        assert wrong <= total * 1e-3
        assert found["occlusion"].any()


def test_what_stands_still_does_not_flow_at_all() -> None:
    scene = solids()
    run = moving(scene)
    still = replace(run, position=np.repeat(run.position[2:3], T, 0), rotation=np.repeat(run.rotation[2:3], T, 0))
    found = cast(scene, still, film(scene, still), SIZE, DENSE)
    for name in ("flow", "backward_flow", "scene_flow", "occlusion"):
        assert not found[name].any()
    for name in ("rgb", "depth", "segmentation", "normals"):
        assert (found[name] == found[name][:1]).all()


@pytest.mark.parametrize("kind", SCENES)
def test_normals_are_unit_and_face_the_camera(kind: str) -> None:
    scene, run = SCENES[kind]()
    seen = film(scene, run, 1)
    found = cast(scene, run, seen, SIZE, DENSE)
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    k = seen.intrinsics[0].numpy()
    rays = np.stack([(x - k[0, 2]) / k[0, 0], (y - k[1, 2]) / k[1, 1], np.ones_like(x)], -1)
    normals = found["normals"].transpose(0, 2, 3, 1)
    something = np.isfinite(found["depth"][:, 0])
    assert np.abs(np.linalg.norm(normals, axis=-1)[something] - 1).max() < 1e-5
    assert ((normals * rays).sum(-1)[something] < 1e-5).all()


def test_normals_are_the_slope_of_depth() -> None:
    """On a floor seen at a slant: the cross product of neighbouring points."""
    scene = solids()
    run = moving(scene)
    seen = film(scene, run)
    found = cast(scene, run, seen, SIZE, DENSE)
    floor = (found["segmentation"][0] == 0) & np.isfinite(found["depth"][0, 0])
    up = seen.pose[0, :3, :3].numpy() @ [0, 0, 1]
    assert np.abs(found["normals"][0][:, floor].T - up).max() < 1e-5


@pytest.mark.parametrize("kind", SCENES)
def test_supersampling_changes_rgb_alone(kind: str) -> None:
    scene, run = SCENES[kind]()
    seen = film(scene, run, 2)
    one, four = (cast(scene, run, seen, SIZE, DENSE, n) for n in (1, 4))
    assert {name for name in DENSE if one[name].tobytes() != four[name].tobytes()} == {"rgb"}
    assert np.abs(one["rgb"].astype(float) - four["rgb"]).mean() < 8


@pytest.mark.parametrize("samples", [1, 2])
def test_chunks_and_single_fields_do_not_change_a_byte(samples: int, monkeypatch: pytest.MonkeyPatch) -> None:
    scene, run = SCENES["cloth"]()
    seen = film(scene, run)
    whole = cast(scene, run, seen, SIZE, DENSE, samples)
    for name in DENSE:
        assert cast(scene, run, seen, SIZE, (name,), samples)[name].tobytes() == whole[name].tobytes(), name
    monkeypatch.setattr(caster, "CHUNK", 2 * SIZE**2)
    parts = cast(scene, run, seen, SIZE, DENSE, samples)
    assert all(parts[name].tobytes() == whole[name].tobytes() for name in DENSE)


@pytest.mark.parametrize("view", range(3))
@pytest.mark.parametrize("kind", SCENES)
def test_masks_of_tiles_hide_nothing(kind: str, view: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Scenes of many primitives have no masks but trees of boxes: the same truth, to the last bit."""
    from kinema.simulators.spatial.cast import kernels

    scene, run = SCENES[kind]()
    seen = film(scene, run, view)
    few = cast(scene, run, seen, SIZE, DENSE[1:])
    monkeypatch.setattr(kernels, "FEW", 0)
    many = cast(scene, replace(run), seen, SIZE, DENSE[1:])
    for name in DENSE[1:]:
        assert few[name].tobytes() == many[name].tobytes(), name


def test_shadows_are_where_the_sun_is_hidden() -> None:
    """On a plain floor: dark where a ray to the sun, by MuJoCo, meets a body."""
    full = solids(floor=Floor(look=Look(color=(200, 200, 200), gloss=0.0)), sky=Sky(haze=0.0))
    scene = replace(full, bodies=full.bodies[:4])
    run = moving(scene)
    seen = film(scene, run)
    found = cast(scene, run, seen, SIZE, DENSE)
    model, data = surfaces(scene, run, 0)
    sun = -np.array(scene.light.direction) / np.linalg.norm(scene.light.direction)
    y, x = np.mgrid[:SIZE, :SIZE] + 0.5
    pixels, depth = np.stack([x, y], -1).reshape(1, -1, 2), found["depth"][:1, 0].reshape(1, -1)
    floor = (found["segmentation"][0] == 0).ravel() & np.isfinite(depth[0])
    points = seen.frames(0, 1).unproject(torch.from_numpy(pixels), torch.from_numpy(np.where(floor, depth, 1.0).astype(float)))[0].numpy()
    red = found["rgb"][0, 0].ravel().astype(float)
    hit = np.array([mujoco.mj_ray(model, data, p + 1e-3 * sun, sun, None, 1, -1, np.zeros(1, np.int32), None) >= 0 for p in points[floor]])
    assert hit.any()
    assert not hit.all()
    full_light = np.quantile(red[floor][~hit], 0.9)
    assert (red[floor][hit] < 0.85 * full_light).mean() > 0.98
    assert red[floor][~hit].mean() > 1.3 * red[floor][hit].mean()


def test_a_body_that_is_not_there_is_not_seen_and_throws_no_shadow() -> None:
    scene = solids()
    run = moving(scene)
    visible = np.ones((T, len(SHAPES)), bool)
    visible[2:, 1] = False
    gone = replace(run, visible=visible)
    seen = film(scene, run)
    without = replace(scene, bodies=scene.bodies[:1] + scene.bodies[2:])
    rest = replace(run, position=np.delete(run.position, 1, 1), rotation=np.delete(run.rotation, 1, 1))
    found, base, less = (cast(s, r, seen, SIZE, DENSE) for s, r in ((scene, gone), (scene, run), (without, rest)))
    for name in ("rgb", "depth", "normals"):
        assert (found[name][:2] == base[name][:2]).all()
        assert (found[name][2:] == less[name][2:]).all()
    vanished = base["segmentation"][1] == 2
    assert vanished.any()
    assert found["occlusion"][1][vanished].all()
    assert not found["flow"][1][:, vanished].any()


def test_a_body_that_is_cut_is_not_followed() -> None:
    scene = solids()
    run = moving(scene)
    cut = np.zeros((T, len(SHAPES)), bool)
    cut[3, 0] = True
    found, base = (cast(scene, r, film(scene, run), SIZE, DENSE) for r in (replace(run, cut=cut), run))
    before, after = base["segmentation"][2] == 1, base["segmentation"][3] == 1
    assert found["occlusion"][2][before].all()
    assert not found["flow"][2][:, before].any()
    assert not found["backward_flow"][2][:, after].any()
    assert (found["flow"][1] == base["flow"][1]).all()
    assert (found["flow"][2][:, ~before] == base["flow"][2][:, ~before]).all()


@pytest.mark.parametrize("kind", SCENES)
def test_tracks_lie_on_their_bodies(kind: str) -> None:
    scene, run = SCENES[kind]()
    seen = film(scene, run, 1)
    found = cast(scene, run, seen, SIZE, ("segmentation", "depth"))
    tracks = follow(scene, run, seen, SIZE, 60)
    points, visible, ids = (tracks[key] for key in ("tracks", "track_visible", "track_ids"))
    assert points.shape == (T, 60, 3)
    assert (ids == ids[:1]).all()
    assert visible.any(0).all()
    bodies = np.unique(found["segmentation"][found["segmentation"] > 0])
    assert set(np.unique(ids)) == set(bodies)
    assert np.bincount(ids[0])[bodies].min() >= 60 // len(bodies) - 1
    pixel = seen.project(torch.from_numpy(points.astype(float))).numpy()
    depth = seen.to_camera(torch.from_numpy(points.astype(float))).numpy()[..., 2]
    agree = []
    for f, n in np.argwhere(visible):
        x, y = np.floor(pixel[f, n]).astype(int)
        around = np.s_[f, max(0, y - 1) : y + 2, max(0, x - 1) : x + 2]
        assert (found["segmentation"][around] == ids[f, n]).any()
        if (found["segmentation"][around] == ids[f, n]).all():
            agree.append(abs(found["depth"][f, 0, y, x] - depth[f, n]))
    assert np.median(agree) < 0.02
    again = follow(scene, run, seen, SIZE, 60)
    assert all(again[key].tobytes() == tracks[key].tobytes() for key in tracks)


def test_tracks_move_as_their_rigid_body_does() -> None:
    scene = solids()
    run = moving(scene)
    tracks = follow(scene, run, film(scene, run), SIZE, 40)
    for n, body in enumerate(tracks["track_ids"][0] - 1):
        turn = Rotation.from_quat(run.rotation[:, body], scalar_first=True)
        inside = turn.inv().apply(tracks["tracks"][:, n] - run.position[:, body])
        assert np.abs(inside - inside[0]).max() < 1e-5


@pytest.mark.parametrize("floor", [Floor(), None])
def test_tracks_where_no_body_is_seen(floor: Floor | None) -> None:
    scene = solids(floor=floor, views=(Still(eye=(0, -3, 1), target=(0, -6, 0.2)),))
    tracks = follow(scene, moving(scene), film(scene, moving(scene)), SIZE, 7)
    assert tracks["tracks"].shape == (T, 7, 3)
    assert np.isfinite(tracks["tracks"]).all()
    assert (tracks["track_ids"] == 0).all() if floor else (tracks["track_ids"] > 0).all()


def test_rays_along_edges_and_axes() -> None:
    """Directions with components of 0, in a plane of a face, along a cylinder: a box's front is flat and whole."""
    bodies = (Rigid(name="box", shape=Box((1.0, 1.0, 1.0))), Rigid(name="rod", shape=Cylinder(0.2, 1.0), position=(1.0, 0.0, 0.0)))
    scene = Scene(bodies, floor=None, views=(Still(eye=(0.0, 0.0, 3.0), target=(0.0, 0.0, 0.0), fov=45.0),))
    run = moving(scene)
    run = replace(run, position=np.repeat(run.position[:1], T, 0), rotation=np.repeat(run.rotation[:1], T, 0))
    found = cast(scene, run, film(scene, run, size=33), 33, DENSE)
    box = found["segmentation"][0] == 1
    assert np.abs(found["depth"][0, 0][box] - 2.5).max() < 1e-6
    y, x = np.argwhere(box).T
    assert box[y.min() : y.max() + 1, x.min() : x.max() + 1].all()
    assert abs((x.max() - x.min() + 1) - 33 * 1.0 / 2.5 / (2 * np.tan(np.radians(22.5)))) <= 1


def test_a_camera_among_particles_and_an_empty_floor() -> None:
    scene, run = grains()
    inside = replace(scene, views=(Still(eye=(0.0, 0.0, 0.4), target=(0.5, 0.1, 0.3)),))
    found = cast(inside, run, film(inside, run), SIZE, DENSE)
    assert (found["segmentation"][0] == 1).mean() > 0.5
    assert all(np.isfinite(found[name]).all() for name in ("flow", "scene_flow", "normals"))
    away = replace(scene, views=(Still(eye=(0.0, -3.0, 1.0), target=(0.0, -6.0, 0.0)),))
    empty = cast(away, run, film(away, run), SIZE, DENSE)
    assert not empty["segmentation"].any()
    assert not empty["flow"].any()
    assert np.isfinite(empty["depth"]).mean() > 0.4

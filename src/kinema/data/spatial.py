"""Laws of spatial clips, each as a number that must stay small; none of them asks the ray-caster."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.clip import Clip
from ..simulators import Rigid, SpatialWorld
from .spatial_bodies import distance_to_surface, free_flights, free_groups, loose, scene_of
from .spatial_rays import Rays

Law = tuple[str, Callable[[Clip], float], float, str]
Floats = NDArray[np.float64]

FLOW = 1e-3  # px
RETURN = 0.05  # px, beyond twice what the flow differs by between neighbouring pixels
DEPTH = 1e-3  # of the depth
STRAY = 1e-3  # of the pixels: where two surfaces are one
FLIGHT = 1e-3  # m/s
MEETING = 1e-4  # m/s
GAIN = 0.02  # of the energy that changes its form
JUMP = 1.0  # m/s by which impacts between two frames may hide a body's speed
TOUCH = 2e-3  # m that bodies sink into each other where they touch
SUNK = 1e-2  # m that they may for a moment, where they hit each other
FRAMES, PIXELS = 6, 2000  # that are looked at where every pixel would take too long


def laws(world: SpatialWorld) -> Iterator[Law]:
    """What must hold in every clip of a spatial world: name, measure, its limit and unit."""
    dense = set(world.default_dense)
    if {"flow", "scene_flow", "depth"} <= dense:
        yield "flow against scene flow and depth", flow_error, FLOW, "px"
        yield "flow there and back", return_error, RETURN, "px beyond twice what neighbours differ by"
    yield "depth against MuJoCo's rays", ray_error, DEPTH, "of the depth"
    yield "pixels lie on their bodies", surface_error, DEPTH, "of the depth"
    if world.tracks:
        yield "tracks stay on their bodies", track_error, DEPTH, "of the distance"
    yield "ids against MuJoCo's rays", id_error, STRAY, "of the pixels and tracks"
    yield "static bodies move", still_error, 0.0, "m or rad"
    yield "bodies jump", jump_error, JUMP, "m/s beyond their speed"
    yield "bodies overlap", overlap, SUNK, "m"
    yield "free flight", flight_error, FLIGHT, "m/s"
    yield "momentum of what meets", momentum_error, MEETING, "m/s"
    yield "energy gained beyond work", gain, GAIN, "of what changes its form"
    yield "outcome against distance", outcome_error, TOUCH, "m"


def flow_error(clip: Clip) -> float:
    """Largest distance in px between the flow and where depth and scene flow take each pixel, over the flow in images where it
    is longer than one. What goes behind the camera is left out."""
    there, flow = _carried(clip), clip.flow.double().flatten(2).mT
    image = (clip.camera.intrinsics[1:].double() @ there.mT).mT
    error = (image[..., :2] / image[..., 2:] - _pixels(clip) - flow).norm(dim=-1) / (flow.norm(dim=-1) / clip.size[1]).clamp_min(1)
    ahead = ~(there[..., 2] <= 0)
    return float(error[ahead].max()) if bool(ahead.any()) else 0.0


def _carried(clip: Clip) -> Tensor:
    """Where depth and scene flow take each pixel [t-1,h w,3] m, in the axes of the camera at the next frame."""
    pixel, k, pose = _pixels(clip), clip.camera.intrinsics.double(), clip.camera.pose.double()
    depth, step = clip.depth[:-1, 0].double().flatten(1), clip.scene_flow.double().flatten(2).mT
    ray = torch.linalg.solve(k[:-1], torch.cat([pixel, torch.ones_like(pixel[:, :1])], -1).T.expand(len(depth), 3, -1)).mT
    far = depth.isinf()[..., None]
    turn = pose[1:, :3, :3] @ pose[:-1, :3, :3].mT
    shift = pose[1:, :3, 3:] - turn @ pose[:-1, :3, 3:]
    # What is infinitely far is a direction: it turns and does not shift.
    seen = torch.where(far, ray, ray * torch.where(depth.isinf(), 0.0, depth)[..., None] + step)
    return (turn @ seen.mT).mT + torch.where(far, torch.zeros_like(ray), shift.mT)


def return_error(clip: Clip) -> float:
    """How far in px the backward flow, at the place where a pixel that is not occluded lands, misses that pixel: at places where
    all four pixels around show its body, as far away as it is there (not another fold), and beyond twice what their backward
    flows differ by. Of what bends, which has creases smaller than a pixel, all but a hundredth of the pixels."""
    height, width = clip.size
    pixel, landed = _pixels(clip), _carried(clip)[..., 2]
    smooth = torch.tensor([True, *(isinstance(body, Rigid) for body in scene_of(clip).bodies)])
    found, bent = [0.0], [torch.zeros(1, dtype=torch.float64)]  # NaN stays in the largest of a list, and fails
    for t in range(clip.num_frames - 1):
        land = pixel + clip.flow[t].double().flatten(1).T
        corner = (land - 0.5).floor().long()
        fits = ((corner >= 0) & (corner < torch.tensor([width - 1, height - 1]))).all(-1) & ~clip.occlusion[t].flatten()
        ids, after = clip.segmentation[t].flatten().long(), clip.segmentation[t + 1].flatten().long()
        places = [corner + torch.tensor([dx, dy]) for dy in (0, 1) for dx in (0, 1)]
        index = torch.stack([(p[:, 1] * width + p[:, 0]).clamp(0, width * height - 1) for p in places])
        fits &= (after[index] == ids).all(0)
        around = clip.depth[t + 1, 0].flatten().double()[index]
        apart = torch.maximum(around.amin(0) - landed[t], landed[t] - around.amax(0))
        fits &= (apart <= around.amax(0) - around.amin(0) + 1e-4 * landed[t]) | around.isinf().all(0)
        if not bool(fits.any()):
            continue
        back = clip.backward_flow[t].double().flatten(1).T[index[:, fits]]  # [4,n,2]
        x, y = (land[fits] - 0.5 - corner[fits]).unbind(-1)
        weight = torch.stack([(1 - x) * (1 - y), x * (1 - y), (1 - x) * y, x * y])[..., None]
        miss = (land[fits] + (weight * back).sum(0) - pixel[fits]).norm(dim=-1)
        spread = (back.amax(0) - back.amin(0)).norm(dim=-1)
        beyond, rigid = miss - 2 * spread, smooth[ids[fits]]
        found.append(float(np.max(beyond[rigid].numpy(), initial=0.0)))
        bent.append(beyond[~rigid])
    return float(np.max([*found, np.quantile(torch.cat(bent).numpy(), 0.99)]))


def ray_error(clip: Clip) -> float:
    """Largest distance, over the depth, of the depth from that of MuJoCo's rays through the pixel's centre or, where these differ,
    through four points a hundredth of a pixel around it, between which it must lie. Of pixels that show a rigid body, floor or sky.
    """
    scene = scene_of(clip)
    rays = Rays(scene)
    rigid = torch.tensor([True, *rays.is_rigid])
    found = [0.0]
    for t, at in _chosen(clip):
        at = at[rigid[clip.segmentation[t].flatten()[at].long()]]
        pixel, depth = _pixels(clip)[at].numpy(), clip.depth[t, 0].flatten()[at].double().clamp_max(FAR).numpy()
        hit = np.minimum(rays.depth(clip, t, pixel), FAR)
        error = np.abs(hit - depth) / depth
        for n in np.flatnonzero(~(error <= DEPTH)):  # an edge, perhaps; or not a number
            around = np.minimum(rays.depth(clip, t, pixel[n] + _AROUND), FAR)
            low, high = min(hit[n], *around), max(hit[n], *around)
            error[n] = np.max([0.0, low - depth[n], depth[n] - high]) / depth[n]
        found.append(float(error.max(initial=0.0)))
    return float(np.max(found))


FAR = 500.0  # m, from where on floor and horizon are one
_AROUND: Floats = np.array([(0.01, 0.0), (-0.01, 0.0), (0.0, 0.01), (0.0, -0.01)])


def surface_error(clip: Clip) -> float:
    """Largest distance, over the depth, of what a pixel shows from the surface of the body whose id it has; of what has none from
    the floor."""
    found = [0.0]
    for t, at in _chosen(clip):
        depth = clip.depth[t, 0].flatten()[at].double()
        seen = depth.isfinite() & (depth < FAR)
        at, depth = at[seen], depth[seen]
        ids = clip.segmentation[t].flatten()[at].long()
        points = clip.camera.frames(t, t + 1).unproject(_pixels(clip)[at][None], depth[None])[0]
        apart = distance_to_surface(clip, t, points.numpy(), ids.numpy())
        found.append(float((apart / depth.numpy()).max(initial=0.0)))
    return float(np.max(found))


def track_error(clip: Clip) -> float:
    """Largest distance, over that from the camera, of a tracked point from the surface of its body, whether it is seen or not.
    Twins have no tracks: 0."""
    if not clip.has("tracks"):
        return 0.0
    found = [0.0]
    for t in range(clip.num_frames):
        points = clip.tracks[t].double()
        far = clip.camera.frames(t, t + 1).to_camera(points[None])[0].norm(dim=-1).numpy()
        apart = distance_to_surface(clip, t, points.numpy(), clip.track_ids[t].long().numpy())
        found.append(float((apart / np.maximum(far, 1.0)).max(initial=0.0)))
    return float(np.max(found))


def id_error(clip: Clip) -> float:
    """Share of the pixels, and of the tracked points that are seen, whose id is not that of the body which MuJoCo's ray hits there,
    or within a hundredth of a pixel; infinite where a point changes its body. Of rigid bodies, floor and sky."""
    rays = Rays(scene_of(clip))
    tracked, known = clip.has("tracks"), torch.tensor([True, *rays.is_hit])
    if tracked and bool((clip.track_ids != clip.track_ids[:1]).any()):
        return float("inf")
    wrong, count = 0, 0
    for t, at in _chosen(clip):
        pixel, own = _pixels(clip)[at], clip.segmentation[t].flatten()[at].long()
        if tracked:
            seen = clip.track_visible[t]
            points = clip.camera.frames(t, t + 1).project(clip.tracks[t : t + 1].double())[0]
            pixel, own = torch.cat([pixel, points[seen]]), torch.cat([own, clip.track_ids[t][seen].long()])
        pixel, own = pixel[known[own]], own[known[own]]
        for n in np.flatnonzero(rays.hits(clip, t, pixel.numpy())[1] != own.numpy()):
            wrong += int(own[n]) not in rays.hits(clip, t, pixel[n].numpy() + _AROUND)[1]
        count += len(own)
    return wrong / max(count, 1)


def still_error(clip: Clip) -> float:
    """How far bodies that are static ever get from where they started, m and rad."""
    still: Tensor = clip.bodies["static"][0]
    moved = [(clip.bodies[key] - clip.bodies[key][:1]).abs()[:, still] for key in ("position", "rotation", "center")]
    return max(float(x.max()) if x.numel() else 0.0 for x in moved)


def jump_error(clip: Clip) -> float:
    """By how many m/s a body's centre of mass gets further between two frames than its speed in either, gravity and pushes explain."""
    scene, speed, mass = scene_of(clip), clip.bodies["velocity"].norm(dim=-1), clip.bodies["mass"][0]
    pull = torch.full_like(speed[1:], float(np.linalg.norm(scene.gravity)) * clip.dt)
    start = torch.arange(clip.num_frames - 1) * clip.dt
    for push in scene.pushes:
        n, during = scene.index(push.body), (push.time < start + clip.dt) & (push.time + push.duration > start)
        pull[during, n] += float(np.linalg.norm(push.force)) * min(push.duration, clip.dt) / float(mass[n])
    moved = clip.bodies["center"].diff(dim=0).norm(dim=-1) / clip.dt
    return float((moved - torch.maximum(speed[:-1], speed[1:]) - pull).max())


def overlap(clip: Clip) -> float:
    """How deep in m a rigid body that is held by nothing ever is in another, or in the floor."""
    rays, free = Rays(scene_of(clip)), loose(scene_of(clip))
    return float(np.max([rays.overlap(clip, t, free) for t in range(clip.num_frames)]))


def flight_error(clip: Clip) -> float:
    """Largest change in m/s of a free body's velocity, between two frames in which nothing touches it, that is not gravity's."""
    pull = torch.tensor(scene_of(clip).gravity, dtype=torch.float64) * clip.dt
    change = (clip.bodies["velocity"].diff(dim=0) - pull).norm(dim=-1)
    alone = torch.from_numpy(free_flights(clip))
    return float(change[alone].max()) if bool(alone.any()) else 0.0


def momentum_error(clip: Clip) -> float:
    """Largest change in m/s of the common velocity of free bodies that, between two frames, touch each other, that is not
    gravity's: impacts hand momentum on, and make none. Where the floor is touched, that upwards beyond the floor's impulses. 0 in
    scenes of what bends, whose solver is less exact."""
    if clip.has("vertices"):
        return 0.0
    pull = torch.tensor(scene_of(clip).gravity, dtype=torch.float64) * clip.dt
    change, mass = clip.bodies["velocity"].diff(dim=0) - pull, clip.bodies["mass"][0].double()
    found = [0.0]
    for t, n, floor in free_groups(clip):
        left = (mass[n, None] * change[t, n]).sum(0)
        left = left if floor is None else left[2] - floor
        found.append(float(left.norm() / mass[n].sum()))
    return float(np.max(found))


def gain(clip: Clip) -> float:
    """Largest rise of the energy, less what drives, pushes and wind have put in, above what it was at the start or at an earlier
    frame, over the energy that changes its form."""
    energy = clip.energy.double() - (clip.fields["work"].double() if clip.has("work") else 0.0)
    forms = [clip.bodies[key].sum(1) for key in ("kinetic_energy", "potential_energy", "elastic_energy")]
    moved = max(float(form.max() - form.min()) for form in forms)
    least = float(clip.bodies["mass"][0].sum()) * float(np.linalg.norm(scene_of(clip).gravity)) * 1e-3  # a mm of height
    return float((energy - energy.cummin(0).values).max()) / max(moved, least, 1e-12)


def outcome_error(clip: Clip) -> float:
    """How far in m the agent and the patient are, at the frames about their contact, beyond what they move in between; or how
    deep they ever are in each other where the label says that they do not touch. 0 where either is not rigid."""
    scene = scene_of(clip)
    if not clip.has("outcome") or "contact" not in clip.outcome:
        return 0.0
    a, b = (scene.index(name) for name in (scene.agent or "", scene.patient or ""))
    rays = Rays(scene)
    if not (rays.is_rigid[a] and rays.is_rigid[b]):
        return 0.0
    if not bool(clip.outcome["contact"]):
        return max(0.0, -min(rays.distance(clip, t, a, b) for t in range(clip.num_frames)))
    before = min(int(float(clip.outcome["contact_time"]) / clip.dt), clip.num_frames - 2)
    pair = range(before, before + 2)
    reach = max(float((clip.bodies["velocity"][t, [a, b]].norm(dim=-1)).sum()) for t in pair) * clip.dt
    return max(0.0, min(rays.distance(clip, t, a, b) for t in pair) - reach)


def _pixels(clip: Clip) -> Tensor:
    """Centres [h w,2] of the pixels."""
    height, width = clip.size
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y], -1).reshape(-1, 2).double() + 0.5


def _chosen(clip: Clip) -> Iterator[tuple[int, Tensor]]:
    """Frames and pixels, evenly spread over the clip."""
    height, width = clip.size
    at = torch.arange(0, height * width, max(1, height * width // PIXELS | 1))  # an odd step wanders over the columns
    for t in sorted({i * (clip.num_frames - 1) // max(FRAMES - 1, 1) for i in range(FRAMES)}):
        yield t, at

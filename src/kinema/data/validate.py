"""Is a dataset what it says? Hashes, a second simulation bit for bit, and the laws of motion, each as a row with a verdict."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ..core.clip import AXES, NAMED, Clip
from ..core.errors import UserError
from ..simulators import Pairs, World, make
from ..simulators.planar import Planar
from ..simulators.planar.phyre import Scenes, depth
from ..simulators.planar.scenario import BOX2D_STEP, BOX2D_THRESHOLD
from .dataset import Dataset
from .family import is_spatial, versions
from .file import PublishedFile
from .folder import Shards, Videos
from .generate import reason
from .phyworld import PhyWorldFile
from .published import problems, radius_error, shown_error, speed_error
from .rigid import energy_gain, rigid_reprojection_error, static_motion
from .shards import key_of, scan
from .spatial import laws

REPROJECTION = 1e-3  # px
DRIFT = 1e-9  # of the energy
GAIN = 0.005  # of the energy: what an impulse solver may add where bodies are pushed apart
CONTACT = 1e-6  # m, and of the momentum that changes hands
SHOWN = {"shape": 0.75}  # px, else a quarter: published squares are cut hard at pixels, discs softened a little
SPEED = 1e-3  # m/s; published positions have single precision


@dataclass(frozen=True)
class Check:
    """One line of the verdict."""

    name: str
    ok: bool
    found: str
    wanted: str


def validate(dataset: Dataset, clips: int = 8) -> Iterator[Check]:
    """Checks of a dataset as they are done: of every shard its hash and index, and of `clips` clips, evenly spread, a
    second simulation bit for bit, flow against the bodies' re-projection, energy and contacts; of spatial worlds depth, ids and
    outcomes too (`data.spatial`); and that clips which were left out do fail. Plain videos are decoded.
    Of PhyWorld's files, every dataset's shape, and of the clips whether their pixels show bodies where and as large as they are stated."""
    if clips < 1:
        raise UserError(f"clips to check must be at least 1, got {clips}")
    if isinstance(dataset, Shards):
        yield from _shards(dataset)
        yield from _left_out(dataset, clips)
        yield from _sample(dataset, _spread(dataset, clips))
    elif isinstance(dataset, PublishedFile):
        yield from _published(dataset, _spread(dataset, clips))
    elif isinstance(dataset, Videos):
        yield _decodes(dataset)
    else:
        raise UserError("only a dataset in a folder can be validated")


def _spread(dataset: Dataset, clips: int) -> list[int]:
    count = min(clips, len(dataset))
    return [i * len(dataset) // count for i in range(count)]


def _published(dataset: PublishedFile, indices: list[int]) -> Iterator[Check]:
    bad = problems(dataset.path, dataset.index)
    count = len(dataset.index.keys)
    yield Check("streams", not bad, "; ".join(bad[:3]) or f"{count} datasets in each", "the same lengths and shapes")
    clips, read = _read(dataset, indices)
    yield read
    if not clips or not isinstance(dataset, PhyWorldFile):
        return
    shown = SHOWN.get(dataset.kind, 0.25)
    measures = (
        ("pixels against states", shown_error, shown, "px"), ("radii", radius_error, shown, "px"), ("speeds", speed_error, SPEED, "m/s"),
    )  # fmt: skip
    for name, measure, limit, unit in measures:
        worst = float(torch.tensor([measure(clip) for clip in clips.values()]).max())
        yield Check(name, worst <= limit, f"{worst:.1e} {unit}", f"at most {limit:g} {unit}")


def _read(dataset: Dataset, indices: list[int]) -> tuple[dict[int, Clip], Check]:
    clips, bad = {}, []
    for i in indices:
        try:
            clips[i] = dataset[i]
        except UserError as error:
            bad.append(str(error))
    return clips, Check("clips read", not bad, "; ".join(bad[:3]) or f"{len(clips)} of {len(indices)}", "every clip")


def _shards(dataset: Shards) -> Iterator[Check]:
    bad = []
    for k, entry in enumerate(dataset.card["shards"]):
        try:
            shard = scan(Path(dataset.path) / entry["file"])
        except UserError as error:
            bad.append(str(error))
            continue
        if shard.sha256 != entry["sha256"]:
            bad.append(f"{dataset.path}/{entry['file']}: has changed since it was written")
        elif not dataset.agrees(k, shard.place):
            bad.append(f"{dataset.path}/index.safetensors: does not fit {entry['file']}")
    count = len(dataset.card["shards"])
    yield Check("shards (SHA-256, index)", not bad, "; ".join(bad[:3]) or f"{count} of {count}", "every shard as in the card")
    other = {k: v for k, v in versions(dataset.scenario).items() if dataset.card["versions"].get(k) != v}
    note = ", ".join(f"{k} {dataset.card['versions'].get(k)} there, {v} here" for k, v in other.items())
    yield Check("versions", True, note or "the same as here", "for information")


def _left_out(dataset: Shards, clips: int) -> Iterator[Check]:
    failed, seed = list(dataset.failed.items())[:clips], dataset.card["job"]["seed"]
    if failed:
        wrong = [f"{key_of(i)}: {again or 'can be simulated'}" for i, why in failed if (again := reason(dataset.scenario, seed, i)) != why]
        yield Check("clips left out", not wrong, "; ".join(wrong[:3]) or f"{len(failed)} fail again", "the failure in the card")


def _sample(dataset: Shards, indices: list[int]) -> Iterator[Check]:
    clips, read = _read(dataset, indices)
    yield read
    if not clips:
        return
    seed = dataset.card["job"]["seed"]
    places = ((dataset.indices[i], clip) for i, clip in clips.items())
    wrong = [f"{key_of(i)}: {name}" for i, clip in places if (name := difference(clip, make(dataset.scenario, seed, i)))]
    yield Check("simulated again", not wrong, "; ".join(wrong[:3]) or f"{len(clips)} clips, bit for bit", "the same bits")
    lawful = [clip for clip in clips.values() if clip.meta.get("possible", True)]
    for name, law, limit, unit in _laws(dataset.scenario) if lawful else ():
        worst = float(torch.tensor([law(clip) for clip in lawful]).max())  # NaN stays, and fails
        yield Check(name, worst <= limit, f"{worst:.1e} {unit}", f"at most {limit:g} {unit}")


def _laws(world: World) -> Iterator[tuple[str, Callable[[Clip], float], float, str]]:
    """What must hold in every clip of a world, of twins in every possible one: name, measure, its limit and unit."""
    if isinstance(world, Pairs):
        yield from ((f"{name} (possible clips)", law, limit, unit) for name, law, limit, unit in _laws(world.scenario))
    if isinstance(world, Planar):
        yield "flow against re-projection", reprojection_error, REPROJECTION, "px"
        yield "energy drift", energy_drift if not world.box2d_compatible else energy_rise, DRIFT, "of the energy"
        step = BOX2D_STEP if world.box2d_compatible else 0.0
        beyond = f" beyond what closes in {step:g} s" if step else ""
        yield "contacts", lambda clip: contact_error(clip, world.gravity, step), CONTACT, f"m{beyond} or of the momentum"
        yield "bodies overlap", lambda clip: overlap(clip, step), CONTACT, f"m{beyond}"
    if isinstance(world, Scenes):
        yield "flow against re-projection", rigid_reprojection_error, REPROJECTION, "px"
        yield "energy gained", energy_gain, GAIN, "of the first energy"
        yield "static bodies move", static_motion, 0.0, "m or rad"
        yield "bodies overlap", lambda clip: depth.overlap(clip.bodies), depth.ONE_STEP, "m"
        yield "bodies outside", lambda clip: depth.escape(clip.bodies), depth.ONE_STEP, "m"
    if is_spatial(world):
        yield from laws(world)


def _decodes(dataset: Videos) -> Check:
    bad = []
    for i in range(len(dataset)):
        try:
            dataset[i]
        except UserError as error:
            bad.append(str(error))
    return Check("videos decode", not bad, "; ".join(bad[:3]) or f"{len(dataset)} of {len(dataset)}", "every file")


def difference(a: Clip, b: Clip) -> str:
    """The first thing in which two clips differ in a single bit, "" where there is none."""
    if set(a.fields) != set(b.fields):
        return "fields"
    for key in ("fps", "dt", "meta"):
        if getattr(a, key) != getattr(b, key):
            return key
    for (name, x), (_, y) in zip(_arrays(a), _arrays(b), strict=True):
        if x.dtype != y.dtype or x.shape != y.shape or not torch.equal(_bits(x), _bits(y)):
            return name
    return "" if a.fields.get("text") == b.fields.get("text") else "text"


def reprojection_error(clip: Clip) -> float:
    """Largest distance in px between the flow of a body's pixels and the step of its projected centre; ground must rest."""
    centers = torch.cat([clip.bodies["position"], torch.zeros_like(clip.bodies["position"][..., :1])], -1)
    steps = clip.camera.project(centers).diff(dim=0)  # [t-1,n,2]
    steps = torch.cat([torch.zeros_like(steps[:, :1]), steps], 1)
    ids = clip.segmentation[:-1].long()  # [t-1,h,w]
    expected = torch.stack([steps[t][ids[t]] for t in range(len(ids))]).permute(0, 3, 1, 2)
    return float((clip.flow - expected).abs().max())


def energy_drift(clip: Clip) -> float:
    """Largest change of the energy since the first frame, over the largest energy."""
    energy = clip.energy
    return float((energy - energy[0]).abs().max() / energy.abs().max().clamp_min(1e-12))


def energy_rise(clip: Clip) -> float:
    """Largest rise of the energy from a frame to the next, over the largest energy; and a fall where no impact explains it."""
    change = clip.energy.diff()
    frames = torch.arange(clip.num_frames, dtype=torch.float64) * clip.dt
    met = torch.zeros_like(change, dtype=torch.bool)
    after = torch.searchsorted(frames, clip.contacts["time"]) - 1
    met[after[(after >= 0) & (after < len(met))]] = True
    wrong = torch.where(met, change.clamp_min(0), change.abs())
    return float(wrong.max() / clip.energy.abs().max().clamp_min(1e-12))


def overlap(clip: Clip, step: float = 0.0) -> float:
    """Deepest overlap in m of two bodies in any frame, 0 where they never do, beyond what they sink into each other within
    `step` s: at the speed at which they meet or part, or that which leaves them together."""
    position, velocity, radius = (clip.bodies[key] for key in ("position", "velocity", "radius"))
    depths = [torch.zeros(len(position), dtype=torch.float64)]
    for i in range(position.shape[1]):
        for j in range(i):
            apart = (position[:, i] - position[:, j]).norm(dim=-1)
            allowed = step * (velocity[:, i] - velocity[:, j]).norm(dim=-1).clamp_min(BOX2D_THRESHOLD)
            depths.append(radius[:, i] + radius[:, j] - apart - allowed)
    return float(torch.stack(depths).max())


def contact_error(clip: Clip, gravity: Iterable[float], step: float = 0.0) -> float:
    """Worst violation of: contacts lie on the bodies' rims (m), their impulses are not negative, and between two frames
    momentum changes by gravity and by these impulses along the normals, and by nothing else (over the largest momentum).
    A contact of two bodies may lie as far within a rim as they sink into each other in `step` s.

    Bodies that meet twice between two frames are left out, because frames do not say where they were in between.
    """
    body, contacts, dt = clip.bodies, clip.contacts, clip.dt
    pull = torch.tensor(tuple(gravity), dtype=torch.float64)
    x, v, r, m = (body[key] for key in ("position", "velocity", "radius", "mass"))
    left = m[:-1, :, None] * (v.diff(dim=0) - pull * dt)  # momentum that contacts must account for, [t-1,n,2]
    pairs = contacts["bodies"].tolist()
    # A frame at the very time of an impact shows what comes after it: the frame before is the last with a smaller time.
    frames = (torch.searchsorted(torch.arange(len(x), dtype=torch.float64) * dt, contacts["time"]) - 1).tolist()
    met = [(frame, i) for frame, pair in zip(frames, pairs, strict=True) for i in pair if i >= 0]
    worst = [float((-contacts["impulse"]).clamp_min(0).max())] if pairs else [0.0]
    for k, (frame, pair) in enumerate(zip(frames, pairs, strict=True)):
        if not 0 <= frame < len(left):
            continue
        wait = float(contacts["time"][k]) - frame * dt
        for i in (i for i in pair if i >= 0):
            if met.count((frame, i)) > 1:
                left[frame, i] = 0.0
                continue
            arm = x[frame, i] + v[frame, i] * wait + 0.5 * pull * wait**2 - contacts["point"][k]
            closing = float((v[frame, pair[0]] - v[frame, pair[1]]).norm()) if min(pair) >= 0 else 0.0
            worst.append(float((arm.norm() - r[frame, i]).abs()) - step * closing)
            left[frame, i] -= contacts["impulse"][k] * arm / arm.norm()
    momentum = (m[..., None] * v).norm(dim=-1).max().clamp_min(1e-12)
    return max([*worst, float(left.norm(dim=-1).max() / momentum)])


def _arrays(clip: Clip) -> Iterator[tuple[str, Tensor]]:
    for name in sorted(clip.fields):
        value = clip.fields[name]
        if name in AXES:
            yield name, value
        elif name in NAMED:
            yield from ((f"{name}.{key}", value[key]) for key in sorted(value))
        elif name == "camera":
            yield from (("camera.intrinsics", value.intrinsics), ("camera.pose", value.pose))


def _bits(array: Tensor) -> Tensor:
    flat = array if array.dim() else array.reshape(1)
    return flat.clone(memory_format=torch.contiguous_format).view(torch.uint8)  # an axis of length 1 may have any stride

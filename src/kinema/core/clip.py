"""Clip: the time-aligned fields of one piece of world, seen by one camera. Simulated, recorded and dreamt are one type."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from .camera import Camera
from .errors import AbsentField, UserError
from .files import write_whole

# Axes of every array field. "t" is one entry per frame, "p" one per pair of neighbouring frames (t-1 of them).
AXES = {
    "rgb": "t3hw",
    "depth": "t1hw",
    "flow": "p2hw",
    "backward_flow": "p2hw",
    "occlusion": "phw",
    "segmentation": "thw",
    "scene_flow": "p3hw",
    "normals": "t3hw",
    "tracks": "tn3",
    "track_visible": "tn",
    "track_ids": "tn",
    "vertices": "tn3",
    "energy": "t",
    "work": "t",
    "actions": "ta",
}
NAMED = ("bodies", "contacts", "outcome")  # dictionaries of arrays: bodies [t,n,...], contacts [k,...], outcome [...]
FIELDS = (*AXES, *NAMED, "camera", "text")


class Clip:
    """Time-aligned fields of one piece of world; a batch is a Clip whose arrays have one more leading axis.

    Fields, each of which may be absent (asking for an absent one raises AbsentField):
    `rgb` [t,3,h,w] uint8, or float in [0,1] once batched; `depth` [t,1,h,w] m, z along the optical axis; `flow` and
    `backward_flow` [t-1,2,h,w] px/frame, x right, y down; `occlusion` [t-1,h,w] bool, true where a pixel of frame t is
    not seen in t+1; `segmentation` [t,h,w] integer, 0 = background; `scene_flow` [t-1,3,h,w] m/frame, camera axes;
    `normals` [t,3,h,w], camera axes; `tracks` [t,n,3] m of points on surfaces, `track_visible` [t,n] bool, `track_ids` [t,n];
    `vertices` [t,n,3] m of meshes and particles; `camera`; `bodies`: named arrays [t,n,...] (`position` m, `velocity` m/s,
    `radius` m, `mass` kg, `color`, ...); `contacts`: named arrays [k,...] with `time` in s since the first frame;
    `energy` [t] J, `work` [t] J that was put in since the first frame; `outcome`: named labels; `actions` [t,a]; `text`.

    `fps` is the rate the video plays at, `dt` the physical time between two frames in s. They differ in published data
    (PhyWorld: dt 0.1 s, mp4 at 5 fps). `meta` says where the Clip came from: scenario, parameters, seed, run, versions.
    """

    rgb: Tensor
    depth: Tensor
    flow: Tensor
    backward_flow: Tensor
    occlusion: Tensor
    segmentation: Tensor
    scene_flow: Tensor
    normals: Tensor
    tracks: Tensor
    track_visible: Tensor
    track_ids: Tensor
    vertices: Tensor
    energy: Tensor
    work: Tensor
    actions: Tensor
    camera: Camera
    bodies: dict[str, Tensor]
    contacts: dict[str, Tensor]
    outcome: dict[str, Tensor]
    text: str | list[str]

    def __init__(
        self, *, fps: float, dt: float | None = None, meta: Mapping[str, Any] | None = None, batched: bool = False, **fields: Any
    ) -> None:
        if not 0 < fps < math.inf:
            raise UserError(f"a clip's fps must be above 0, got {fps}")
        self.fps = float(fps)
        if dt is not None and not 0 < dt < math.inf:
            raise UserError(f"a clip's time step dt must be above 0 s, got {dt}")
        self.dt = 1.0 / self.fps if dt is None else float(dt)
        self.meta: dict[str, Any] = dict(meta or {})
        self.batched = batched
        self.fields: dict[str, Any] = {name: value for name, value in fields.items() if value is not None}
        for name in self.fields:
            if name not in FIELDS:
                raise UserError(f"a clip has no field named {name!r}; it may have {', '.join(FIELDS)}")
        self._check()

    def __getattr__(self, name: str) -> Any:
        if name in FIELDS:
            fields = self.__dict__.get("fields", {})
            if name in fields:
                return fields[name]
            raise AbsentField(f"this clip has no {name}; it has {', '.join(fields) or 'no fields'}")
        raise AttributeError(name)

    def has(self, *names: str) -> bool:
        """Whether every named field is here."""
        return all(name in self.fields for name in names)

    @property
    def num_frames(self) -> int:
        """Number of frames t. Raises UserError where no field tells."""
        axis = 1 if self.batched else 0
        for name, value in self.fields.items():
            if name in AXES:
                return int(value.shape[axis]) + (AXES[name][0] == "p")
            if name == "bodies" and value:
                return int(next(iter(value.values())).shape[axis])
        raise UserError("this clip has no field that is aligned with time")

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) in px."""
        for name, axes in AXES.items():
            if axes.endswith("hw") and name in self.fields:
                return tuple(self.fields[name].shape[-2:])
        raise UserError("this clip has no field with pixels")

    def __len__(self) -> int:
        if not self.batched:
            raise TypeError("a single clip has no length: use num_frames, or Clip.stack for a batch")
        if "text" in self.fields:
            return len(self.fields["text"])
        for name, value in self.fields.items():
            if name in AXES:
                return len(value)
        return len(next(iter(self.bodies.values())))

    def replace(self, **fields: Any) -> Self:
        """The same Clip with some fields, or fps, dt, meta, replaced; None takes a field away."""
        known = {"fps": self.fps, "dt": self.dt, "meta": self.meta, "batched": self.batched}
        return type(self)(**{**known, **self.fields, **fields})

    def only(self, *names: str) -> Self:
        """The same Clip with these fields alone."""
        return self.replace(**{name: None for name in self.fields if name not in names})

    def frames(self, start: int = 0, stop: int | None = None) -> Self:
        """Frames start..stop-1; fields between frames keep the pairs inside, contacts the times inside (and shifted)."""
        total = self.num_frames
        stop = total if stop is None else stop
        if not 0 <= start < stop <= total:
            raise UserError(f"frames {start} to {stop} were asked of a clip of {total} frames")
        lead = (slice(None),) if self.batched else ()
        cut: dict[str, Any] = {}
        for name, value in self.fields.items():
            if name in AXES:
                cut[name] = value[(*lead, slice(start, stop - (AXES[name][0] == "p")))]
            elif name == "bodies":
                cut[name] = {key: array[(*lead, slice(start, stop))] for key, array in value.items()}
            elif name == "camera":
                cut[name] = value.frames(start, stop)
            elif name == "contacts":
                cut[name] = _contacts_between(value, start * self.dt, (stop - 1) * self.dt)
        return self.replace(**cut)

    def map(self, function: Any) -> Self:
        """`function` applied to every array, e.g. `clip.map(lambda x: x.cuda())`."""
        changed: dict[str, Any] = {}
        for name, value in self.fields.items():
            if name in AXES:
                changed[name] = function(value)
            elif name in NAMED:
                changed[name] = {key: function(array) for key, array in value.items()}
            elif name == "camera":
                changed[name] = Camera(function(value.intrinsics), function(value.pose), value.orthographic)
        return self.replace(**changed)

    # --- batches ---------------------------------------------------------------------------------------------------

    @classmethod
    def stack(cls, clips: Iterable[Clip]) -> Self:
        """A batch: arrays get a leading axis, bodies and contacts are padded (with `bodies["mask"]` [b,t,n] and
        `contacts["mask"]` [b,k]), texts become a list, rgb becomes float in [0,1].

        Raises UserError where the clips differ in fields, frames, size, fps or dt.
        """
        items = list(clips)
        if not items:
            raise UserError("a batch needs at least one clip")
        first = items[0]
        for clip in items[1:]:
            if set(clip.fields) != set(first.fields):
                raise UserError(f"clips of a batch must carry the same fields: {sorted(first.fields)} against {sorted(clip.fields)}")
            if (clip.fps, clip.dt) != (first.fps, first.dt):
                raise UserError(f"clips of a batch must share fps and dt: {(first.fps, first.dt)} against {(clip.fps, clip.dt)}")
        fields: dict[str, Any] = {}
        for name in first.fields:
            values = [clip.fields[name] for clip in items]
            if name in NAMED and len({frozenset(value) for value in values}) > 1:
                raise UserError(f"clips of a batch differ in what {name} holds: {sorted({', '.join(sorted(v)) for v in values})}")
            if name in AXES:
                if len({tuple(v.shape) for v in values}) > 1:
                    raise UserError(f"clips of a batch differ in the shape of {name}: {sorted({tuple(v.shape) for v in values})}")
                fields[name] = torch.stack(values)
            elif name == "bodies":
                if len(frames := {len(array) for value in values for array in value.values()}) > 1:
                    raise UserError(f"clips of a batch differ in frames: {sorted(frames)}")
                fields[name] = _pad(values, axis=1)
            elif name == "contacts":
                fields[name] = _pad(values, axis=0)
            elif name == "outcome":
                fields[name] = {key: torch.stack([value[key] for value in values]) for key in values[0]}
            elif name == "camera":
                intrinsics, pose = (torch.stack([getattr(v, part) for v in values]) for part in ("intrinsics", "pose"))
                fields[name] = Camera(intrinsics, pose, values[0].orthographic)
            else:
                fields[name] = values
        if "rgb" in fields:
            fields["rgb"] = as_float(fields["rgb"])
        meta = {"clips": [clip.meta for clip in items]}
        return cls(fps=first.fps, dt=first.dt, meta=meta, batched=True, **fields)

    def __getitem__(self, index: int) -> Self:
        """Clip `index` of a batch, padding removed and rgb back to uint8."""
        if not self.batched:
            raise TypeError("only a batch can be indexed: use frames(start, stop) to cut a single clip in time")
        fields: dict[str, Any] = {}
        for name, value in self.fields.items():
            if name in ("bodies", "contacts"):
                axis = 1 if name == "bodies" else 0
                keep = value["mask"][index]
                keep = keep.any(0) if name == "bodies" else keep
                fields[name] = {k: v[index].index_select(axis, keep.nonzero()[:, 0]) for k, v in value.items() if k != "mask"}
            elif name == "outcome":
                fields[name] = {key: array[index] for key, array in value.items()}
            elif name == "camera":
                fields[name] = Camera(value.intrinsics[index], value.pose[index], value.orthographic)
            else:
                fields[name] = value[index]
        if "rgb" in fields:
            fields["rgb"] = as_uint8(fields["rgb"])
        meta = self.meta.get("clips", [{}] * len(self))[index]
        return type(self)(fps=self.fps, dt=self.dt, meta=meta, **fields)

    def __iter__(self) -> Iterator[Self]:
        return (self[i] for i in range(len(self)))

    # --- files -----------------------------------------------------------------------------------------------------

    def to_tensors(self) -> tuple[dict[str, Tensor], dict[str, str]]:
        """Flat arrays and a string header, as safetensors wants them; `from_tensors` takes them back."""
        arrays: dict[str, Tensor] = {}
        for name, value in self.fields.items():
            if name in AXES:
                arrays[name] = value.contiguous()
            elif name in NAMED:
                arrays.update({f"{name}.{key}": array.contiguous() for key, array in value.items()})
            elif name == "camera":
                arrays |= {"camera.intrinsics": value.intrinsics.contiguous(), "camera.pose": value.pose.contiguous()}
        header = {"fps": self.fps, "dt": self.dt, "meta": self.meta, "batched": self.batched, "text": self.fields.get("text")}
        if "camera" in self.fields:
            header["orthographic"] = self.camera.orthographic
        # safetensors refuses arrays that share memory, such as a still camera's field used twice.
        known: set[int] = set()
        for key, array in arrays.items():
            arrays[key] = array.clone() if array.untyped_storage().data_ptr() in known else array
            known.add(array.untyped_storage().data_ptr())
        return arrays, {"kinema.clip": json.dumps(header, sort_keys=True)}

    @classmethod
    def from_tensors(cls, arrays: Mapping[str, Tensor], header: Mapping[str, str]) -> Self:
        """The Clip that `to_tensors` flattened."""
        head = json.loads(header["kinema.clip"])
        fields: dict[str, Any] = {}
        for key, array in arrays.items():
            name, _, inner = key.partition(".")
            if inner:
                fields.setdefault(name, {})[inner] = array
            else:
                fields[name] = array
        if "camera" in fields:
            fields["camera"] = Camera(fields["camera"]["intrinsics"], fields["camera"]["pose"], head["orthographic"])
        return cls(fps=head["fps"], dt=head["dt"], meta=head["meta"], batched=head["batched"], text=head["text"], **fields)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the whole Clip as one safetensors file, whole or not at all."""
        arrays, header = self.to_tensors()
        write_whole(path, save(arrays, header))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a Clip that `save` wrote. Raises UserError naming the file where it is no such file."""
        try:
            with safe_open(Path(path), framework="pt") as file:
                header = file.metadata() or {}
                if "kinema.clip" not in header:
                    raise UserError("this safetensors file holds no clip")
                return cls.from_tensors({key: file.get_tensor(key) for key in file.keys()}, header)  # noqa: SIM118
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        except (OSError, SafetensorError, json.JSONDecodeError) as error:
            raise UserError(f"{path}: cannot be read as a clip ({error})") from None
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UserError(f"{path}: cannot be read as a clip (its header or arrays are not those of one: {error!r})") from None

    def __repr__(self) -> str:
        shapes = ", ".join(f"{n} {list(v.shape)}" if isinstance(v, Tensor) else n for n, v in self.fields.items())
        return f"Clip({'batch, ' if self.batched else ''}{shapes}, fps={self.fps:g}, dt={self.dt:g})"

    def _check(self) -> None:
        lead = int(self.batched)
        sizes: dict[str, int] = {}
        for name, value in self.fields.items():
            if name not in AXES:
                continue
            axes = AXES[name]
            if not isinstance(value, Tensor) or value.ndim != len(axes) + lead:
                shape = tuple(getattr(value, "shape", ()))
                raise UserError(f"{name} must have axes [{', '.join(('b' if lead else '') + axes)}], got shape {shape}")
            for axis, length in zip(axes, value.shape[lead:], strict=True):
                key, want = ("t", length + 1) if axis == "p" else (axis, length)
                if key in "thw" and want == 0:
                    raise UserError(f"{name} holds nothing: it has {'0 frames' if key == 't' else '0 pixels'}, shape {tuple(value.shape)}")
                if axis.isdigit():
                    if length != int(axis):
                        raise UserError(f"{name} must have {axis} channels, got shape {tuple(value.shape)}")
                elif key in "thw" and sizes.setdefault(key, want) != want:
                    raise UserError(f"{name} {tuple(value.shape)} does not fit the other fields: {key} is {sizes[key]} there")
        for key, array in self.fields.get("bodies", {}).items():
            if array.ndim < 2 + lead or array.shape[lead] != sizes.setdefault("t", array.shape[lead]):
                raise UserError(f"bodies[{key!r}] must have axes [t, n, ...] with t = {sizes['t']}, got {tuple(array.shape)}")
        if "time" not in self.fields.get("contacts", {"time": None}):
            raise UserError(f"contacts must hold their time in s, got {', '.join(self.contacts) or 'nothing'}")
        if "camera" in self.fields:
            poses = self.camera.pose.shape[lead] if self.camera.pose.ndim == 3 + lead else None
            if poses != sizes.get("t", poses) or poses is None:
                raise UserError(f"camera must have poses [t, 4, 4] with t = {sizes.get('t')}, got {tuple(self.camera.pose.shape)}")


def as_float(rgb: Tensor) -> Tensor:
    """Pixels as float32 in [0,1]."""
    return rgb.float() / 255.0 if rgb.dtype == torch.uint8 else rgb


def as_uint8(rgb: Tensor) -> Tensor:
    """Pixels as uint8, rounded and clipped."""
    return rgb if rgb.dtype == torch.uint8 else (rgb.float() * 255.0).round().clamp(0, 255).to(torch.uint8)


def _contacts_between(contacts: Mapping[str, Tensor], start: float, stop: float) -> dict[str, Tensor]:
    time = contacts["time"]
    keep = (time >= start) & (time <= stop)
    if "mask" in contacts:  # a batch: its clips keep different numbers, so the others are masked
        return {**contacts, "time": time - start, "mask": contacts["mask"] & keep}
    return {key: array[keep] - start if key == "time" else array[keep] for key, array in contacts.items()}


def _pad(values: list[dict[str, Tensor]], axis: int) -> dict[str, Tensor]:
    """Stack dictionaries of arrays that differ in length along `axis`; `mask` says which entries are real."""
    lengths = [next(iter(value.values())).shape[axis] for value in values]
    longest = max(lengths)

    def grow(array: Tensor) -> Tensor:
        shape = list(array.shape)
        shape[axis] = longest - shape[axis]
        return torch.cat([array, array.new_zeros(shape)], axis)

    padded = {key: torch.stack([grow(value[key]) for value in values]) for key in values[0] if key != "mask"}
    shape = next(iter(padded.values())).shape[1 : axis + 2]
    real = torch.arange(longest) < torch.tensor(lengths)[:, None]
    padded["mask"] = real.reshape(len(values), *([1] * axis), longest).expand(len(values), *shape).clone()
    return padded

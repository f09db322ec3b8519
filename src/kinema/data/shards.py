"""Tar shards that WebDataset reads too: deterministic bytes, and an index of where every member lies.

A clip is `00000007.mp4` (lossless), `00000007.bodies.safetensors` (bodies, contacts, energy, camera), `00000007.json`
(index, seed, parameters, caption, fps, dt) and, where dense truth is stored, `00000007.truth.safetensors`.
"""

from __future__ import annotations

import hashlib
import io
import json
import mmap
import tarfile
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from ..core.clip import AXES, Clip
from ..core.errors import UserError
from ..core.files import whole
from ..core.video import read_video_bytes, video_bytes

VIDEO, BODIES, TRUTH, NOTE = "mp4", "bodies.safetensors", "truth.safetensors", "json"
STATES = ("bodies", "contacts", "energy", "work", "camera", "outcome", "tracks", "track_visible", "track_ids", "vertices", "actions")
SHARED = ("scenario", "versions", "world_width")  # of a clip's meta: the same in every clip, so the card holds them

Members = dict[str, bytes]


@dataclass(frozen=True)
class Shard:
    """What a shard's file holds: its hash, its size, and offset, size and CRC-32 of every member of every clip."""

    sha256: str
    bytes: int
    keys: tuple[str, ...]
    members: tuple[str, ...]
    place: tuple[tuple[tuple[int, int, int], ...], ...]


def key_of(index: int) -> str:
    """The name of a clip in its shard."""
    return f"{index:08d}"


def pack(path: Path, samples: Iterable[tuple[str, Members]]) -> None:
    """Write samples as one tar, whole or not at all; times, owners and modes are fixed, so equal samples give equal bytes."""
    with whole(path) as temporary, tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar:
        for key, members in samples:
            for extension, data in members.items():
                info = tarfile.TarInfo(f"{key}.{extension}")
                info.size, info.mode = len(data), 0o644
                tar.addfile(info, io.BytesIO(data))


def scan(path: Path) -> Shard:
    """What lies where in a shard. Raises UserError naming it where it is missing, cut short or no shard of ours."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data, tarfile.open(fileobj=file) as tar:
            found: dict[str, dict[str, tuple[int, int, int]]] = {}
            with memoryview(data) as view:
                for info in tar:
                    key, _, extension = info.name.partition(".")
                    stop = info.offset_data + info.size
                    if stop > len(view):
                        raise tarfile.ReadError("unexpected end of data")
                    found.setdefault(key, {})[extension] = (info.offset_data, info.size, zlib.crc32(view[info.offset_data : stop]))
                digest, size = hashlib.sha256(view).hexdigest(), len(view)
    except FileNotFoundError:
        raise UserError(f"{path}: this shard is missing") from None
    except (OSError, ValueError, tarfile.TarError) as error:
        raise UserError(f"{path}: this shard is damaged ({error})") from None
    names = {tuple(members) for members in found.values()}
    if len(names) > 1:
        raise UserError(f"{path}: this shard is damaged (its clips do not hold the same members)")
    members = names.pop() if names else ()  # none where every clip of it fails
    return Shard(digest, size, tuple(found), members, tuple(tuple(members.values()) for members in found.values()))


def members_of(clip: Clip, store_truth: bool) -> Members:
    """A clip as the members of a shard."""
    note = {key: value for key, value in clip.meta.items() if key not in SHARED}
    note |= {"text": clip.fields.get("text"), "fps": clip.fps, "dt": clip.dt, "frames": clip.num_frames}
    members = {VIDEO: video_bytes(clip.rgb, clip.fps), BODIES: _to_bytes(clip.only(*STATES))}
    if store_truth:
        members[TRUTH] = _to_bytes(clip.only(*(name for name in AXES if name not in (*STATES, "rgb"))))
    return members | {NOTE: json.dumps(note, sort_keys=True).encode()}


def clip_of(members: Mapping[str, bytes], shared: Mapping[str, Any], where: str) -> Clip:
    """The Clip whose members these are; `shared` is what its meta has in common with its neighbours."""
    note = json.loads(members[NOTE])
    fps, dt, text, frames = (note.pop(key) for key in ("fps", "dt", "text", "frames"))
    fields: dict[str, Any] = {"text": text}
    for name in (BODIES, TRUTH):
        if name in members:
            fields |= _from_bytes(members[name], frames)
    if VIDEO in members:
        fields["rgb"] = read_video_bytes(members[VIDEO], name=f"{where}.{VIDEO}").rgb
    return Clip(fps=fps, dt=dt, meta={**shared, **note}, **fields)


def _to_bytes(clip: Clip) -> bytes:
    arrays, header = clip.replace(meta={}, text=None).to_tensors()
    return save({key: _thin(key, array) for key, array in arrays.items()}, header)


def _from_bytes(data: bytes, frames: int) -> dict[str, Any]:
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])["__metadata__"]
    arrays = {key: _grow(key, array, frames) for key, array in load(data).items()}
    return Clip.from_tensors(arrays, header).fields


_STILL = ("bodies.", "camera.", "track_ids")


def _thin(key: str, array: Tensor) -> Tensor:
    """One frame of what stays the same through time: masses, radii and colours, a camera that stands still, bodies of tracks."""
    if not key.startswith(_STILL) or len(array) < 2:
        return array
    bits = array.clone(memory_format=torch.contiguous_format).view(torch.uint8)  # as bits, because -0 equals 0
    return array[:1].contiguous() if bool((bits == bits[:1]).all()) else array


def _grow(key: str, array: Tensor, frames: int) -> Tensor:
    """The inverse of `_thin`."""
    thin = key.startswith(_STILL) and len(array) == 1 < frames
    return array.expand(frames, *array.shape[1:]).clone() if thin else array

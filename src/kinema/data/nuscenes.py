"""Recordings of cars in the published layout of nuScenes: a camera's frames, the car's motion as actions, words of the scene."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..core.camera import Camera
from ..core.clip import Clip
from ..core.config import part
from ..core.errors import UserError
from ..core.video import Reel
from ..simulators.spatial.actions import driven, heading
from .dataset import Dataset
from .tables import Entry, Tables

Floats = NDArray[np.float64]
LONGEST_GAP = 3  # usual steps between neighbouring frames of a clip: the cameras' clocks waver, but seldom leave a frame out


@dataclass(frozen=True)
class Shot:
    """One frame of the camera: its file, when it was taken, where the car was, and how the camera sits on it."""

    file: str
    time: float  # us: of a date in s, 64 bits keep no better than 0.2 us
    position: Floats  # [3] m
    rotation: Floats  # [4], w x y z
    mount: tuple[Floats, Floats, Floats]  # position [3] m and rotation [4] on the car, intrinsics [3,3] px


@dataclass(frozen=True)
class Drive:
    """One scene: its name, words, and frames in order of time."""

    name: str
    text: str
    shots: tuple[Shot, ...]


@part
class NuScenes(Dataset):
    """Clips of one camera of a folder in nuScenes' layout (v1.0-*/ with its JSON tables, samples/, sweeps/).

    rgb [t,3,h,w] (shrunk to a shorter side of `short_side` px, if given), actions [t,4] in the columns of
    `simulators.spatial.actions` (speed m/s, yaw rate rad/s, left positive; the camera's step forward m/frame, yaw step rad/frame)
    by the true times of the frames, the camera (OpenCV, world to camera), and the scene's description as text. Clips of
    `num_frames` frames, `interval` frames apart, start at every `every`-th frame of a scene; `fps` is the camera's rate. A scene
    of n frames gives (n - (num_frames - 1) interval - 1) // every + 1 clips, less those with a gap of more than three usual steps.

    `scenes` names those that are wanted, all if empty; `version` the folder of tables where there are several. WorldDreamer sec.
    4.1: "frame interval 6", read here as starts every 6 frames; `interval=6` reads it as frames at 2 Hz. Raises UserError naming
    the file and the field that is missing or wrong.
    """

    path: str = field(kw_only=False)
    camera: str = "CAM_FRONT"
    num_frames: int = 24
    every: int = 6
    interval: int = 1
    fps: float = 12.0
    scenes: tuple[str, ...] = ()
    version: str = ""
    short_side: int | None = None

    def __post_init__(self) -> None:
        for name, least in (("num_frames", 2), ("every", 1), ("interval", 1)):
            if getattr(self, name) < least:
                raise UserError(f"NuScenes: {name} must be at least {least}, got {getattr(self, name)}")
        if not 0 < self.fps < float("inf"):
            raise UserError(f"NuScenes: fps must be above 0, got {self.fps}")

    @property
    def length(self) -> int:
        return len(self.windows)

    @cached_property
    def drives(self) -> tuple[Drive, ...]:
        """The scenes, in the order of their table. Raises UserError where the frames come at another rate than `fps`."""
        found = tuple(read_drives(self._tables(), self.camera, self.scenes))
        gaps = [after.time - shot.time for drive in found for shot, after in pairwise(drive.shots)]
        usual = float(np.median(gaps)) / 1e6 if gaps else 1 / self.fps
        if not 0.8 < usual * self.fps < 1.25:
            raise UserError(f"{self.path}: fps is {self.fps:g}, but the frames of {self.camera} come every {usual:.3g} s")
        return found

    @cached_property
    def windows(self) -> tuple[tuple[int, int], ...]:
        """Scene and first frame of every clip."""
        found = []
        for scene, drive in enumerate(self.drives):
            times = np.array([shot.time for shot in drive.shots]) / 1e6
            gap = np.diff(times) * self.fps > LONGEST_GAP
            last = (self.num_frames - 1) * self.interval
            found += [(scene, i) for i in range(0, len(times) - last, self.every) if not gap[i : i + last].any()]
        if not found:
            raise UserError(f"{self.path}: no scene of {self.camera} has {self.num_frames} frames, {self.interval} apart")
        return tuple(found)

    def read(self, index: int) -> Clip:
        scene, start = self.windows[index]
        drive = self.drives[scene]
        shots = drive.shots[start : start + self.num_frames * self.interval + 1 : self.interval]
        pose = _world_to_camera(shots)
        times, place, rotation = (np.array([getattr(s, name) for s in shots]) for name in ("time", "position", "rotation"))
        eye = -np.einsum("tji,tj->ti", pose[:, :3, :3], pose[:, :3, 3])
        # The frame after the last one, where there is one, says how the last one moves on.
        actions = torch.from_numpy(driven((times - times[0]) / 1e6, place, heading(rotation), eye))[: self.num_frames]
        shots = shots[: self.num_frames]
        rgb, scale = self._pixels(shots)
        camera = Camera(scale @ torch.from_numpy(np.stack([s.mount[2] for s in shots])), torch.from_numpy(pose)[: self.num_frames])
        meta = {"scene": drive.name, "frame": start, "camera": self.camera, "file": shots[0].file}
        return Clip(rgb=rgb, actions=actions, camera=camera, text=drive.text, fps=self.fps / self.interval, meta=meta)

    def _pixels(self, shots: tuple[Shot, ...]) -> tuple[Tensor, Tensor]:
        """The frames, and the change of the intrinsics that came with their size."""
        reels = [Reel(Path(self.path) / shot.file) for shot in shots]
        frames = [next(reel.frames(self.short_side)) for reel in reels]
        if len({frame.shape for frame in frames}) > 1:
            raise UserError(f"{self.path}/{shots[0].file}: the frames after it differ in size")
        (height, width), old = frames[0].shape[1:], reels[0].size
        return torch.stack(frames), torch.diag(torch.tensor([width / old[1], height / old[0], 1.0], dtype=torch.float64))

    def _tables(self) -> Tables:
        return Tables(tables_of(Path(self.path), self.version))


def tables_of(folder: Path, version: str = "") -> Path:
    """The folder of tables. Raises UserError where there is none, or several and no `version`."""
    found = sorted(path.parent for path in folder.glob(f"{version or 'v1.0-*'}/scene.json"))
    if not found:
        raise UserError(f"{folder}: no {version or 'v1.0-*'}/scene.json was found in it, as nuScenes has it")
    if len(found) > 1:
        raise UserError(f"{folder}: holds {', '.join(path.name for path in found)}; name one as version")
    return found[0]


def read_drives(tables: Tables, camera: str, names: tuple[str, ...] = ()) -> Iterator[Drive]:
    """The scenes of a folder with the frames of one camera. Raises UserError for a camera or scene that is not there."""
    scenes = tables.by_token("scene", "name", "description")
    known = [scene["name"] for scene in scenes.values()]
    for name in names:
        if name not in known:
            raise UserError(f"scenes: there is no {name!r} in {tables.folder}/scene.json; it has {', '.join(known[:5])}, ...")
    shots = _shots(tables, camera, {token for token, scene in scenes.items() if not names or scene["name"] in names})
    for token, scene in scenes.items():
        if token in shots:
            yield Drive(scene["name"], str(scene["description"]), tuple(sorted(shots[token], key=lambda shot: shot.time)))


def _shots(tables: Tables, camera: str, scenes: set[str]) -> dict[str, list[Shot]]:
    """Frames of the camera by their scene's token."""
    mounts = _mounts(tables, camera)
    samples = {token: row["scene_token"] for token, row in tables.by_token("sample", "scene_token").items()}
    frames: list[tuple[str, Entry]] = []
    for row in tables.rows("sample_data", "sample_token", "ego_pose_token", "calibrated_sensor_token", "timestamp", "filename"):
        if row["calibrated_sensor_token"] in mounts:
            scene = tables.link("sample_data", row, "sample_token", samples)
            if scene in scenes:
                frames.append((scene, row))
    wanted = {row["ego_pose_token"] for _, row in frames}
    poses = tables.by_token("ego_pose", "translation", "rotation", wanted=wanted.__contains__)
    found: dict[str, list[Shot]] = {}
    for scene, row in frames:
        pose = tables.link("sample_data", row, "ego_pose_token", poses)
        position, rotation = (tables.numbers("ego_pose", pose, key, n) for key, n in (("translation", 3), ("rotation", 4)))
        time = float(tables.numbers("sample_data", row, "timestamp"))
        shot = Shot(str(row["filename"]), time, position, rotation, mounts[row["calibrated_sensor_token"]])
        found.setdefault(scene, []).append(shot)
    return found


def _mounts(tables: Tables, camera: str) -> dict[str, tuple[Floats, Floats, Floats]]:
    """How the camera sits on the car, by the token of the calibration."""
    sensors = tables.by_token("sensor", "channel")
    channels = sorted({str(row["channel"]) for row in sensors.values()})
    if camera not in channels:
        raise UserError(f"camera: {tables.folder}/sensor.json has no {camera!r}; it has {', '.join(channels)}")
    shapes = {"translation": (3,), "rotation": (4,), "camera_intrinsic": (3, 3)}
    found = {}
    for token, row in tables.by_token("calibrated_sensor", "sensor_token", *shapes).items():
        if tables.link("calibrated_sensor", row, "sensor_token", sensors)["channel"] == camera:
            place, turn, inner = (tables.numbers("calibrated_sensor", row, name, *shape) for name, shape in shapes.items())
            found[token] = (place, turn, inner)
    return found


def _world_to_camera(shots: tuple[Shot, ...]) -> Floats:
    """Poses [t,4,4] of the camera, which looks along its z axis: from the world's axes to its own."""
    from scipy.spatial.transform import Rotation

    car = Rotation.from_quat(np.stack([s.rotation for s in shots]), scalar_first=True)
    mount = Rotation.from_quat(np.stack([s.mount[1] for s in shots]), scalar_first=True)
    eye = np.stack([s.position for s in shots]) + car.apply(np.stack([s.mount[0] for s in shots]))
    pose = np.tile(np.eye(4), (len(shots), 1, 1))
    pose[:, :3, :3] = (car * mount).inv().as_matrix()
    pose[:, :3, 3] = -np.einsum("tij,tj->ti", pose[:, :3, :3], eye)
    return pose

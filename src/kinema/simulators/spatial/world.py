"""What every spatial scenario has: scenes drawn from a stream, several cameras of one run, all truth rendered from states."""

from __future__ import annotations

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from ...core.camera import Camera
from ...core.clip import Clip
from ...core.config import from_json, part, to_json
from ...core.errors import UserError
from ..world import World
from .actions import actions
from .captions import caption
from .engine import simulate
from .outcomes import outcome
from .run import Run, bodies_of, contacts_of, run_of
from .scene import Scene
from .views import AnyView, FirstPerson, camera

DENSE = ("rgb", "depth", "segmentation", "flow", "backward_flow", "occlusion", "scene_flow", "normals")


@part
class SpatialWorld(World):
    """A 3-D world in m, z up, filmed by perspective cameras; frame k shows time k dt.

    `supersampling` n takes the mean of n x n rays per pixel for rgb; all other truth is that of the pixel's centre. `cameras`
    films every run that often: clips k n .. k n + n - 1 are one run (meta "run"), seen by the scene's views in turn. `tracks`
    points on surfaces that the camera sees at some time are followed through all of it.
    """

    dense: ClassVar[tuple[str, ...]] = DENSE
    default_dense: ClassVar[tuple[str, ...]] = DENSE
    violations: ClassVar[tuple[str, ...]] = ("vanish", "teleport", "swap", "pass_through", "reverse", "gravity")  # twins may show
    why: ClassVar[str] = ""  # there are not all of them

    dt: float = 1 / 16
    fps: float = 16.0
    supersampling: int = 2
    cameras: int = 1
    tracks: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        for key, least in (("supersampling", 1), ("cameras", 1), ("tracks", 0)):
            if getattr(self, key) < least:
                raise UserError(f"{self.name}: {key} must be at least {least}, got {getattr(self, key)}")

    @property
    def alike(self) -> int:
        """Clips of one run: as many as there are cameras."""
        return self.cameras

    @abstractmethod
    def draw(self, rng: np.random.Generator, index: int) -> Scene:
        """The scene of run `index` of the stream."""

    def sample(self, rng: np.random.Generator, index: int = 0) -> dict[str, Any]:
        """Parameters of clip `index`, plain JSON values: the whole scene, and which of its cameras."""
        return {"scene": to_json(self.draw(rng, index // self.cameras)), "camera": index % self.cameras}

    def simulate(self, params: Mapping[str, Any], rng: np.random.Generator, fields: Sequence[str] | None = None) -> Clip:
        """The Clip of these parameters with `fields` of its dense truth (all unless said otherwise).

        Raises UserError where a parameter is missing or wrong or a field unknown, Failed where the scene cannot be simulated.
        """
        del rng  # what is left to chance is in the parameters
        return self.film(self.scene(params), self.run(params), params, fields)

    def scene(self, params: Mapping[str, Any]) -> Scene:
        """The scene of these parameters. Raises UserError where it is missing or wrong."""
        for key in ("scene", "camera"):
            if key not in params:
                raise UserError(f"{self.name}: the parameters lack {key!r}; there are {', '.join(params) or 'none'}")
        return _read(json.dumps(params["scene"], sort_keys=True))

    def run(self, params: Mapping[str, Any]) -> Run:
        """The run of these parameters. Raises Failed where the scene cannot be simulated."""
        self.scene(params)
        return _run(json.dumps(params["scene"], sort_keys=True), self.num_frames, self.dt)

    def film(
        self, scene: Scene, run: Run, params: Mapping[str, Any], fields: Sequence[str] | None = None, seen: Camera | None = None
    ) -> Clip:
        """The Clip of a run as the camera `params["camera"]`, or `seen`, sees it."""
        fields = self.default_dense if fields is None else fields
        self.check_dense(fields)
        seen = self._camera(scene, run, scene.view(params["camera"])) if seen is None else seen
        bodies = bodies_of(scene, run)
        return Clip(
            fps=self.fps,
            dt=self.dt,
            meta={"scenario": json.loads(self.as_json), "params": dict(params), "bodies": [body.name for body in scene.bodies]},
            bodies=bodies,
            vertices=torch.tensor(run.vertices) if run.vertices.shape[1] else None,
            contacts=contacts_of(run),
            energy=torch.from_numpy(run.energy),
            work=None if run.work is None else torch.tensor(run.work),
            camera=seen,
            actions=None if (driven := actions(scene, run)) is None else torch.from_numpy(driven),
            outcome=outcome(scene, run) or None,  # an empty one would not come back from a file
            text=caption(scene, run),
            **self._dense(scene, run, seen, fields),
            **self._tracks(scene, run, seen),
        )

    def again(self, clip: Clip, fields: Sequence[str]) -> dict[str, torch.Tensor]:
        """Dense truth of a clip's states as its camera sees them: no engine is needed."""
        self.check_dense(fields)
        run = run_of(clip.bodies, clip.fields.get("vertices"), self._times(clip.num_frames))
        return self._dense(self.scene(clip.meta["params"]), run, clip.camera, fields)

    def _camera(self, scene: Scene, run: Run, view: AnyView) -> Camera:
        place = run.position if isinstance(view, FirstPerson) else run.center

        def course(name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
            return place[:, scene.index(name)], run.rotation[:, scene.index(name)]

        return camera(view, run.times, course, self.size)

    def _dense(self, scene: Scene, run: Run, seen: Camera, fields: Sequence[str]) -> dict[str, Any]:
        if not fields:
            return {}
        from .cast import cast as cast_rays

        found = cast_rays(scene, run, seen, self.size, fields, self.supersampling)
        return {name: torch.from_numpy(array) for name, array in found.items()}

    def _tracks(self, scene: Scene, run: Run, seen: Camera) -> dict[str, Any]:
        if not self.tracks:
            return {}
        from .cast import follow

        return {name: torch.from_numpy(array) for name, array in follow(scene, run, seen, self.size, self.tracks).items()}

    def _times(self, frames: int) -> NDArray[np.float64]:
        return np.arange(frames, dtype=np.float64) * self.dt


@lru_cache(maxsize=8)
def _read(scene: str) -> Scene:
    found = from_json(json.loads(scene), "scene")
    if not isinstance(found, Scene):
        raise UserError(f"a scene was expected, got {type(found).__name__}")
    return found


@lru_cache(maxsize=2)
def _run(scene: str, frames: int, dt: float) -> Run:
    """A run is simulated once for all its cameras."""
    run = simulate(_read(scene), np.arange(frames, dtype=np.float64) * dt)
    run.check()
    return run

"""The physical state at the first frame, in numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import field
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from ..core.clip import Clip
from ..core.config import part
from ..core.contracts import Codec, Latents, Value
from ..core.errors import UserError

NUMBERS = ("x", "y", "vx", "vy", "r")  # of one body: m, m/s, m
NEEDED = ("position", "velocity", "radius")


@part
class State:
    """Where the bodies are at the first frame, how fast they go and how large they are (PhyWorld's numeric condition).

    Enters as a vector: for each of up to `bodies` bodies x / length, y / length, vx / speed, vy / speed, r / length and a 1;
    six zeros where there is no such body. `length` is in m, `speed` in m/s; bodies keep the order they have in the clip.
    Training drops it for a share `drop` of the clips.
    """

    bodies: int = field(kw_only=False, default=2)
    length: float = 10.0
    speed: float = 4.0
    drop: float = 0.1
    name: ClassVar[str] = "state"
    enters: ClassVar[Literal["vector"]] = "vector"
    initial: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if self.bodies < 1:
            raise UserError(f"State: bodies must be at least 1, got {self.bodies}")
        if not (0 < self.length < math.inf and 0 < self.speed < math.inf):
            raise UserError(f"State: length and speed must be above 0, got {self.length} and {self.speed}")
        if not 0 <= self.drop < 1:
            raise UserError(f"State: drop must lie in [0, 1), got {self.drop}")

    @property
    def width(self) -> int:
        """Numbers of the vector."""
        return self.bodies * (len(NUMBERS) + 1)

    def read(self, clip: Clip, codec: Codec, shape: tuple[int, ...], latents: Latents | None = None) -> Value:
        """The state of every clip of a batch [b, width], where its bodies are. Raises UserError where a clip has no bodies, too
        many, or such as have no radius."""
        numbers, here = self._of_clip(clip)
        return self._value(numbers, here, latents.data.device if latents is not None else numbers.device)

    def take(self, given: Any, count: int, device: torch.device | str) -> Value:
        """The state a user names: rows [x, y, vx, vy, r] in m and m/s, one per body, for all clips; a list of such states, one
        per clip; or a Clip (or batch), whose bodies at the first frame are taken. Raises UserError for anything else."""
        if isinstance(given, Clip):
            numbers, here = self._of_clip(given if given.batched else Clip.stack([given]))
        else:
            numbers, here = self._padded([_rows(state) for state in _states(given)])
        if len(numbers) not in (1, count):
            raise UserError(f"state: {len(numbers)} states were given for {count} clips: one for all, or one for each")
        return self._value(numbers.expand(count, -1, -1), here.expand(count, -1), device)

    def extent(self, given: Any) -> tuple[int, int]:
        """(how many states were given, 0 for one that holds for all; 0: a dream of any length begins with it)."""
        if isinstance(given, Clip):
            return len(given) if given.batched else 0, 0
        return len(given) if depth(given) == 3 else 0, 0

    def window(self, value: Value, start: int, codec: Codec, shape: tuple[int, ...]) -> Value:
        """Nothing but in the first window: the state tells of the first frame alone."""
        return value if start == 0 else value.absent()

    def _of_clip(self, clip: Clip) -> tuple[Tensor, Tensor]:
        """(numbers [b,n,5], whether there is such a body [b,n])."""
        if not clip.has("bodies"):
            raise UserError(f"state: the condition is read from a clip's bodies, and this clip has none; it has {', '.join(clip.fields)}")
        bodies = clip.bodies
        for key in NEEDED:
            if key not in bodies:
                raise UserError(f"state: bodies must have {', '.join(NEEDED)}; these have {', '.join(bodies) or 'nothing'}")
        position, velocity, radius = (bodies[key][:, 0] for key in NEEDED)
        if position.shape[-1] != 2:
            raise UserError(f"state: bodies must move in a plane, these have positions of {position.shape[-1]} numbers")
        numbers = torch.cat([position, velocity, radius[..., None]], -1)
        return numbers, bodies["mask"][:, 0] if "mask" in bodies else torch.ones_like(radius, dtype=torch.bool)

    def _padded(self, states: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        most = max(len(state) for state in states)
        numbers = torch.zeros(len(states), most, len(NUMBERS), dtype=torch.float64)
        here = torch.zeros(len(states), most, dtype=torch.bool)
        for i, state in enumerate(states):
            numbers[i, : len(state)], here[i, : len(state)] = state, True
        return numbers, here

    def _value(self, numbers: Tensor, here: Tensor, device: torch.device | str) -> Value:
        b, n, _ = numbers.shape
        if n > self.bodies and bool(here[:, self.bodies :].any()):
            raise UserError(f"state: the model takes at most {self.bodies} bodies, got {int(here.sum(1).max())}")
        units = numbers.new_tensor([self.length, self.length, self.speed, self.speed, self.length])
        scaled = torch.where(here[..., None], numbers / units, 0.0)[:, : self.bodies]
        if not bool(torch.isfinite(scaled).all()):
            raise UserError("state: the bodies' numbers are not all finite")
        vector = torch.cat([scaled, here[:, : self.bodies, None].to(scaled)], -1)
        padded = torch.cat([vector, vector.new_zeros(b, self.bodies - vector.shape[1], vector.shape[2])], 1)
        return Value(padded.flatten(1).float().to(device), torch.ones(b, dtype=torch.bool, device=device))


def _states(given: Any) -> Sequence[Any]:
    """The states in what was given: itself if it is one."""
    return list(given) if depth(given) == 3 else [given]


def depth(value: Any) -> int:
    """How many axes nested sequences or an array have."""
    if hasattr(value, "ndim"):
        return int(value.ndim)
    if not isinstance(value, Sequence) or isinstance(value, str):
        return 0
    return 1 + (depth(value[0]) if value else 0)


def _rows(state: Any) -> Tensor:
    """One state as [n,5]."""
    try:
        rows = torch.stack([torch.as_tensor(row, dtype=torch.float64, device="cpu") for row in state])
    except (TypeError, ValueError, RuntimeError):
        rows = torch.empty(0)
    if rows.ndim != 2 or not len(rows) or rows.shape[1] != len(NUMBERS):
        raise UserError(f"state: rows of {len(NUMBERS)} numbers [{', '.join(NUMBERS)}] were expected, one per body, got {state!r}")
    if not bool((rows[:, 4] > 0).all()):
        raise UserError(f"state: radii must be above 0 m, got {', '.join(f'{r:g}' for r in rows[:, 4].tolist())}")
    return rows

"""Whether a dreamt camera goes where it is told: measured yaw and speed of dreamt drives against the actions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from ..conditions.manoeuvres import PRESETS, preset
from ..core.clip import Clip
from ..core.errors import UserError
from ..core.rng import stream
from ..metrics.egomotion import EgoMotion, told_motion
from ..simulators import Driving, rebuild
from .kept import Kept, key_of
from .resample import Indices, bootstrapped, rank_correlation
from .table import Column, Figure, Sample, Table

TELLINGS = ("own", *PRESETS)
TURNED = 5.0  # deg: less is no turn whose sign could be judged
COLUMNS = (
    Column("yaw_sign", "share", True), Column("yaw_rank", "rho", True), Column("turn_order", "share", True),
    Column("gain_rank", "rho", True), Column("speed_order", "share", True), Column("yaw_error", "deg", False),
    Column("speed_error", "m/s", False),
)  # fmt: skip


@dataclass(frozen=True)
class Drive:
    """One dreamt or true drive, told and measured: total yaw [deg, left positive], mean speed [m/s], and its gain from the first
    third to the last [m/s]."""

    clip: int
    source: str
    telling: str
    told: tuple[float, float, float]
    measured: tuple[float, float, float]


def retold(clip: Clip, kept: Kept) -> dict[str, Clip]:
    """The drive as it was, and simulated again from the same first frame on as each preset tells, everybody else reacting.

    Raises UserError for a clip that is no simulated drive.
    """
    scenario = clip.meta.get("scenario")
    world = rebuild(scenario, "meta.scenario") if isinstance(scenario, Mapping) else None
    if not isinstance(world, Driving) or "params" not in clip.meta or not clip.has("actions"):
        raise UserError("the action test needs clips of the driving world, whose meta tells scenario and parameters")

    def simulate(name: str) -> Clip:
        params = world.with_actions(clip.meta["params"], preset(name, clip.num_frames, clip.dt).numpy())
        return world.simulate(params, stream("retold", name), ("rgb",))

    done = {"own": clip.only("rgb", "actions", "text")}
    for name in PRESETS:

        def make(name: str = name) -> Mapping[str, torch.Tensor]:
            made = simulate(name)
            return {"rgb": made.rgb, "actions": made.actions}

        done[name] = clip.only().replace(**kept.tensors("retold", [key_of([clip]), name], make))
    return done


def figures_of(step: torch.Tensor, yaw: torch.Tensor, dt: float) -> tuple[float, float, float]:
    """(total yaw deg, mean speed m/s, gain m/s from first to last third) of steps [t-1] m and yaws [t-1] rad."""
    third = max(1, len(step) // 3)
    gain = (step[-third:].mean() - step[:third].mean()) / dt
    return math.degrees(float(yaw.sum())), float(step.mean()) / dt, float(gain)


def measured(clips: Sequence[Clip], kept: Kept, camera: EgoMotion | None = None) -> list[tuple[float, float, float]]:
    """`figures_of` what the clips' pixels show."""
    camera = camera or EgoMotion()
    found = []
    for clip in clips:

        def make(clip: Clip = clip) -> Mapping[str, torch.Tensor]:
            yaw, step = camera(clip)
            return {"yaw": yaw[0], "step": step[0]}

        motion = kept.tensors("motion", [key_of([clip.only("rgb")]), repr(camera)], make)
        found.append(figures_of(motion["step"].double(), motion["yaw"].double(), clip.dt))
    return found


def drives(source: str, told: Sequence[Mapping[str, Clip]], shown: Mapping[str, Sequence[Clip]], kept: Kept) -> list[Drive]:
    """What was told and what is seen of every clip and telling; `shown` are the videos by telling, in the order of the clips."""
    rows = []
    for telling, videos in shown.items():
        for i, (one, seen) in enumerate(zip(told, measured(videos, kept), strict=True)):
            yaw, step = (x[0] for x in told_motion(one[telling]))
            rows.append(Drive(i, source, telling, figures_of(step, yaw, one[telling].dt), seen))
    return rows


def table_of(rows: Sequence[Drive], seed: int = 0) -> Table:
    """A row per source: shares and mean errors over clips, and rank correlations over all drives, resampled by clip."""
    samples, sets = [], {}
    for source in dict.fromkeys(row.source for row in rows):
        by_clip = _by_clip([row for row in rows if row.source == source])
        samples += [Sample("actions", "", i, source, _values(one)) for i, one in by_clip.items()]
        for name, which in (("yaw_rank", 0), ("gain_rank", 2)):
            sets["actions", "", source, name] = _ranked(list(by_clip.values()), which, seed, source, name)
    notes = (
        f"yaw_sign: drives told to turn by more than {TURNED:g} deg that turn to that side. turn_order: clips whose yaw told "
        "left > keep > right; speed_order: whose gain of speed told accelerate > keep > brake. Ranks: Spearman's of told and "
        "measured, over all drives.",
        "truth: the same scenes simulated as told, measured in the same way, is the most that can be reached.",
    )
    return Table(COLUMNS, tuple(samples), seed=seed, notes=notes, sets=sets)


def _by_clip(rows: Sequence[Drive]) -> dict[int, dict[str, Drive]]:
    done: dict[int, dict[str, Drive]] = {}
    for row in rows:
        done.setdefault(row.clip, {})[row.telling] = row
    return done


def _values(one: Mapping[str, Drive]) -> dict[str, float]:
    turning = [row for row in one.values() if abs(row.told[0]) > TURNED]
    agree = [float(row.told[0] * row.measured[0] > 0) for row in turning]
    return {
        "yaw_sign": float(np.mean(agree)) if agree else math.nan,
        "turn_order": _ordered(one, ("left", "keep", "right"), 0),
        "speed_order": _ordered(one, ("accelerate", "keep", "brake"), 2),
        "yaw_error": float(np.mean([abs(row.told[0] - row.measured[0]) for row in one.values()])),
        "speed_error": float(np.mean([abs(row.told[1] - row.measured[1]) for row in one.values()])),
    }


def _ordered(one: Mapping[str, Drive], names: Sequence[str], which: int) -> float:
    if not all(name in one for name in names):
        return math.nan
    first, second, third = (one[name].measured[which] for name in names)
    return float(first > second > third)


def _ranked(clips: Sequence[Mapping[str, Drive]], which: int, seed: int, *key: str) -> Figure:
    told = np.array([[row.told[which] for row in one.values()] for one in clips])
    seen = np.array([[row.measured[which] for row in one.values()] for one in clips])

    def statistic(chosen: Indices) -> float:
        return rank_correlation(told[chosen].ravel(), seen[chosen].ravel())

    return bootstrapped(statistic, len(clips), seed, *key)

"""What Physion's scenarios draw, from where to where, and on whose word."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

import numpy as np

# What follows a source says how a range departs from it: "narrowed" lies inside it, "adapted" does not.
CONFIGS = "physics-benchmarking-neurips2021, stimuli/generation/"
DOMINOES = CONFIGS + "dominoes/pilot_dominoes_*"
TOWERS = CONFIGS + "configs/support/pilot_towers_*"
COLLISION = CONFIGS + "collide/pilot_it2_collision_*"
CONTAINMENT = CONFIGS + "contain/pilot-containment-*"
DROPS = CONFIGS + "drop/pilot_it2_drop_*"
DROP = "tdw_physics, target_controllers/drop.py"
COLLIDE = "tdw_physics, target_controllers/collide.py"
ROLLING = CONFIGS + "configs/roll/pilot_it2_rollingSliding_*"
LINKING = CONFIGS + "link/pilot_linking_*"
SAGGING = CONFIGS + "drape/test*"
OURS = "project default"
ALL = "all"
Choice = TypeVar("Choice")


class Range(NamedTuple):
    """One drawn parameter: from `low` to `high` in `unit` ("": a whole number), `ood` outside of the training distribution (None:
    the same); `source` is whose range it is."""

    scenario: str
    name: str
    low: float
    high: float
    unit: str
    source: str
    ood: tuple[float, float] | None = None


RANGES: tuple[Range, ...] = (
    Range(ALL, "friction", 0.2, 0.8, "1", DROP + ": 0 to 0.9; narrowed"),
    Range(ALL, "restitution", 0.1, 0.6, "1", DROP + ": 0 to 1; narrowed, to come to rest within a clip"),
    Range(ALL, "distractor_size", 0.15, 0.35, "m", OURS),
    Range(ALL, "occluder_size", 0.15, 0.3, "m", OURS),
    Range("dominoes", "middle", 0, 4, "", DOMINOES + " (names 0mid to 4mid)", (5, 7)),
    Range("dominoes", "thickness", 0.1, 0.1, "m", DOMINOES + " --mscale 0.1,0.5,0.25"),
    Range("dominoes", "width", 0.25, 0.25, "m", DOMINOES + " --mscale 0.1,0.5,0.25"),
    Range("dominoes", "height", 0.45, 0.55, "m", DOMINOES + " --mscale 0.1,0.5,0.25; adapted: +-10 %", (0.6, 0.7)),
    Range("dominoes", "mass", 2.0, 2.0, "kg", DOMINOES + " --mmass, --pmass 2.0"),
    Range("dominoes", "spacing", 0.28, 0.4, "m", OURS + " (released: the axis over their number)"),
    Range("dominoes", "spacing_jitter", 0.0, 0.25, "of the spacing", DOMINOES + " --spacing_jitter 0 to 0.25"),
    Range("dominoes", "lateral_jitter", 0.0, 0.25, "of the width", DOMINOES + " --lateral_jitter 0 to 0.25"),
    Range("dominoes", "turn", -45.0, 45.0, "degrees", DOMINOES + "RM1, R45 --mrot [-45,45]"),
    Range("dominoes", "push", 0.5, 1.5, "m/s", OURS + " (released: a force of 0.75 in its own unit)", (1.5, 2.5)),
    Range("dominoes", "mat_gap", 0.15, 0.9, "m", OURS),
    Range("support", "blocks", 2, 4, "", TOWERS + " --num_blocks (names nb2 to nb5); narrowed", (5, 6)),
    Range("support", "block_width", 0.25, 0.5, "m", TOWERS + " --mscale 0.2 to 0.7; narrowed"),
    Range("support", "block_height", 0.2, 0.4, "m", TOWERS + " --mscale 0.3 to 0.7; adapted: lower, so that a fall ends within 2 s"),
    Range("support", "jitter", 0.0, 0.1, "m", TOWERS + " --spacing_jitter (names SJ000 to SJ030); narrowed"),
    Range("support", "turn", -60.0, 60.0, "degrees", TOWERS + " --mrot [-60,60]"),
    Range("support", "gradient", -0.1, 0.1, "1", TOWERS + " --mgrad (names gr-01 to gr015), width gained per block; narrowed"),
    Range("support", "block_mass", 2.0, 2.0, "kg", OURS),
    Range("support", "cap_size", 0.28, 0.4, "m", TOWERS + " --tscale 0.2 to 0.7; narrowed"),
    Range("support", "probe_size", 0.3, 0.4, "m", TOWERS + " --pscale 0.3 to 0.4"),
    Range("support", "probe_mass", 2.0, 4.0, "kg", TOWERS + " --pmass 2 to 4"),
    Range("support", "speed", 3.0, 7.0, "m/s", OURS + " (released: --fscale 0.5 to 6 in its own unit)", (7.0, 8.5)),
    Range("support", "distance", 0.3, 0.6, "m", OURS + " (released: --collision_axis_length 2)"),
    Range("collide", "distance", 1.2, 2.0, "m", COLLIDE + " --collision_axis_length 2.0; adapted: nearer too"),
    Range("collide", "angle", -15.0, 15.0, "degrees", COLLIDE + " --frot [-20,20]; narrowed", (-30.0, 30.0)),
    Range("collide", "speed", 2.0, 4.5, "m/s", OURS + " (released: --fscale 4 to 16 in its own unit)", (4.5, 6.0)),
    Range("collide", "lift", 1.2, 2.5, "m/s", OURS + " (released: yeet_* --fupforce [1.2,1.5] in its own unit; a third of all here)"),
    Range("collide", "probe_size", 0.2, 0.4, "m", COLLIDE + " --pscale [0.2,0.4]"),
    Range("collide", "probe_mass", 2.0, 4.0, "kg", COLLIDE + " --pmass [2.0,4.0]", (5.0, 8.0)),
    Range("collide", "target_size", 0.25, 0.5, "m", COLLISION + " --tscale 0.25 to 0.8; narrowed"),
    Range("collide", "target_mass", 2.0, 7.0, "kg", DROP + ": 2 to 7, of what lies below"),
    Range("contain", "middle", 1, 3, "", CONTAINMENT + " --num_middle_range 1,4 (the end left out)", (4, 5)),
    Range("contain", "middle_size", 0.18, 0.26, "m", CONTAINMENT + "box --mscale 0.2,0.4; adapted: smaller with the vessel"),
    Range("contain", "middle_mass", 1.0, 2.0, "kg", OURS),
    Range("contain", "vessel_size", 0.55, 0.7, "m", CONTAINMENT + "bowl --bscale 0.5,1.1; box --ascale 0.5,0.6; narrowed"),
    Range("contain", "vessel_height", 0.08, 0.13, "m", OURS),
    Range("contain", "vessel_mass", 2.0, 3.0, "kg", CONTAINMENT + " --bmass 2,3"),
    Range("contain", "base_size", 0.18, 0.28, "m", CONTAINMENT + "box --bscale 0.2,0.4; adapted (under five sixths of the vessels)"),
    Range("contain", "base_height", 0.2, 0.4, "m", CONTAINMENT + "box --bscale 0.2,0.4"),
    Range("contain", "base_mass", 2.0, 3.0, "kg", CONTAINMENT + " --bmass 2,3"),
    Range("contain", "probe_size", 0.28, 0.36, "m", OURS),
    Range("contain", "probe_mass", 4.0, 8.0, "kg", OURS, (8.0, 12.0)),
    Range("contain", "speed", 2.5, 5.0, "m/s", OURS + " (released: --fscale 3 to 9 in its own unit)", (7.0, 8.5)),
    Range("contain", "aim", -0.05, 0.1, "m", OURS + ": above the middle of the vessel; three of four balls are thrown at it"),
    Range("contain", "distance", 0.2, 0.4, "m", OURS),
    Range("drop", "height", 0.75, 1.25, "m", DROP + " --ymin 0.75 --ymax 1.25", (1.4, 1.9)),
    Range("drop", "size", 0.2, 0.4, "m", DROPS + " --dscale 0.1 to 1.0; narrowed"),
    Range("drop", "target_size", 0.25, 0.5, "m", DROPS + " --tscale 0.1 to 1.0; narrowed"),
    Range("drop", "offset", 0.0, 0.7, "m", OURS + " (released: --jitter 0.2, 0.3)"),
    Range("drop", "mass", 2.0, 7.0, "kg", DROP + ": 2 to 7", (8.0, 14.0)),
    Range("roll", "ramp_length", 0.7, 0.9, "m", ROLLING + "simple_ramp_* --ramp_scale [0.2,1.,0.5]; adapted: shorter"),
    Range("roll", "ramp_width", 0.5, 0.5, "m", ROLLING + "simple_ramp_* --ramp_scale [0.2,1.,0.5]"),
    Range("roll", "ramp_height", 0.3, 0.5, "m", OURS, (0.55, 0.7)),
    Range("roll", "ledge_length", 0.7, 0.9, "m", OURS),
    Range("roll", "ledge_height", 0.2, 0.4, "m", OURS, (0.45, 0.6)),
    Range("roll", "speed", 1.2, 3.5, "m/s", OURS + " (released: --fscale 2 to 9 in its own unit)"),
    Range("roll", "angle", -3.0, 3.0, "degrees", ROLLING + "simple_collision_* --frot [-3,3]"),
    Range("roll", "size", 0.25, 0.3, "m", ROLLING + "simple_ramp_* --pscale 0.25; adapted: up to 0.3"),
    Range("roll", "mass", 2.0, 2.0, "kg", ROLLING + " --pmass 2.0"),
    Range("roll", "friction", 0.1, 0.9, "1", DROP + ": 0 to 0.9; narrowed"),
    Range("roll", "distance", 0.4, 1.0, "m", ROLLING + "simple_ramp_* --rolling_sliding_axis_length 1.25; adapted: nearer"),
    Range("roll", "target_size", 0.28, 0.4, "m", OURS),
    Range("link", "rings", 1, 4, "", LINKING + "nl1-8 --num_middle_range [1,9]; narrowed", (5, 6)),
    Range("link", "ring_size", 0.38, 0.46, "m", LINKING + "ms03-7 --mscale (name 0.3 to 0.7); narrowed"),
    Range("link", "ring_thickness", 0.08, 0.1, "m", OURS),
    Range("link", "ring_mass", 2.0, 2.0, "kg", LINKING + " --mmass 2.0"),
    Range("link", "post_height", 0.55, 0.75, "m", LINKING + " --ascale 0.15,0.75 to 1.0,0.15; adapted: lower"),
    Range("link", "post_width", 0.08, 0.12, "m", LINKING + " --ascale 0.15,0.75 to 1.0,0.15; adapted: thinner"),
    Range("link", "foot_width", 0.24, 0.3, "m", LINKING + " --bscale 0.3 to 0.6; adapted: smaller"),
    Range("link", "post_mass", 3.0, 5.0, "kg", LINKING + "nl1-8 --amass 4.0 --bmass 4.0; adapted: 3 to 5"),
    Range("link", "probe_size", 0.4, 0.6, "m", LINKING + " --pscale 0.6 to 0.7; adapted: smaller"),
    Range("link", "probe_mass", 10.0, 14.0, "kg", LINKING + " --pmass 12 to 15; adapted: 10 to 14", (15.0, 20.0)),
    Range("link", "speed", 3.0, 7.0, "m/s", OURS + " (released: --fscale 1 to 5 in its own unit)", (7.0, 8.5)),
    Range("link", "lift", 0.5, 2.0, "m/s", OURS),
    Range("link", "distance", 0.3, 0.5, "m", OURS),
    Range("drape", "anchor_height", 0.45, 0.8, "m", SAGGING + " --anchor_height 0.6 --height_jitter 0.2 to 0.4; adapted", (0.85, 1.0)),
    Range("drape", "anchor_gap", 0.45, 0.85, "m", SAGGING + " --min/max_distance_ratio 0.2 to 0.8 of the cloth; adapted"),
    Range("drape", "anchor_tilt", -0.1, 0.1, "m", SAGGING + " --anchor_jitter 0.1 to 0.2; adapted: one anchor's height above the other's"),
    Range("drape", "cloth_size", 1.1, 1.4, "m", OURS),
    Range("drape", "cloth_density", 0.2, 0.5, "kg/m^2", OURS),
    Range("drape", "cloth_offset", -0.1, 0.1, "m", OURS),
    Range("drape", "drop", 0.05, 0.15, "m", OURS),
    Range("drape", "target_size", 0.15, 0.25, "m", SAGGING + " --zscale 0.15 to 0.3; narrowed"),
    Range("drape", "target_height", 0.2, 0.55, "m", SAGGING + " --zscale 0.25 to 0.3; adapted: lower and higher too", (0.55, 0.9)),
    Range("drape", "target_offset", -1.0, 1.0, "of the room", OURS),
)


def table() -> str:
    """Physion's part of the page docs/spatial-ranges.md."""
    lines = [
        "## Physion's scenarios",
        "",
        "Bear et al. (2021). `train`, `readout` and `test` (and `id`) draw inside, each from a stream of its own; `ood` draws every",
        "parameter that has a range outside from there. After a source, `narrowed` says that a range lies inside its, `adapted` that it",
        "does not. Released forces have a unit of their own, so that all speeds are project defaults.",
        "",
        "| parameter | unit | inside | outside | source |",
        "|---|---|---|---|---|",
    ]
    for row in RANGES:
        outside = "as inside" if row.ood is None else f"{row.ood[0]:g} – {row.ood[1]:g}"
        lines.append(f"| `{row.scenario}.{row.name}` | {row.unit or 'count'} | {row.low:g} – {row.high:g} | {outside} | {row.source} |")
    return "\n".join(lines) + "\n"


class Draws:
    """Draws of one scenario's ranges from `rng`, out of distribution where `ood`."""

    def __init__(self, scenario: str, rng: np.random.Generator, ood: bool) -> None:
        self.rng = rng
        self._ood = ood
        self._ranges = {r.name: r for which in (ALL, scenario) for r in RANGES if r.scenario == which}

    def bounds(self, name: str) -> tuple[float, float]:
        """From where to where `name` is drawn."""
        found = self._ranges[name]
        return found.ood if self._ood and found.ood is not None else (found.low, found.high)

    def real(self, name: str) -> float:
        """A number of the range `name`, rounded to 1e-4."""
        return round(float(self.rng.uniform(*self.bounds(name))), 4)

    def count(self, name: str) -> int:
        """A whole number of the range `name`, both ends among them."""
        low, high = self.bounds(name)
        return int(self.rng.integers(int(low), int(high) + 1))

    def among(self, choices: tuple[Choice, ...]) -> Choice:
        """One of `choices`."""
        return choices[int(self.rng.integers(len(choices)))]

    def chance(self, share: float) -> bool:
        """True in a `share` of all cases."""
        return bool(self.rng.random() < share)

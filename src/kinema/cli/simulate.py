"""`kinema simulate`: a scenario into a dataset folder."""

from __future__ import annotations

import sys
from dataclasses import fields as fields_of
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from ..core.errors import UserError
from ..simulators import SCENARIOS, Category, Driving, Own, Physion, World
from ..simulators import scenario as named
from ..simulators import twins as pairs_of
from ..simulators.planar import Planar
from ..simulators.planar.phyre import Scenes
from ..simulators.spatial import overlaps, read_scene
from .progress import Bar


def main(
    scenario: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SCENARIO")],
    *,
    out: str,
    num: int | None = None,
    seed: int = 0,
    split: str | None = None,
    twins: tuple[str, ...] = (),
    size: int | None = None,
    frames: int | None = None,
    fps: float | None = None,
    dt: float | None = None,
    cameras: int | None = None,
    supersampling: int | None = None,
    vary: bool = False,
    store: Literal["bodies", "all"] = "bodies",
    shard_size: int | None = None,
    workers: int | None = None,
    on: str = "local",
    json: bool = False,
) -> None:
    """Simulate a scenario into a dataset folder.

    Interrupted in any way, the same command goes on where it stopped. Workers never change a byte.

    Args:
        scenario: {scenarios}; or a scene of your own, a .json file.
        out: the folder to write; an empty one, a new one, or one that the same command began.
        num: clips; 100 if not given, of a scene of your own that does not vary one for each camera.
        seed: of the random stream; clip i depends on scenario, seed and i alone.
        split: id unless said otherwise, ood, one of the scenario's levels (such as r, v, both), parameters that leave their range, such as
            radius1+speed2, or templates (phyre: 6, 30, 60, or one by its number).
        twins: violations (vanish, teleport, speed, shape, colour, pass_through; in three dimensions vanish, teleport, swap,
            pass_through, reverse, gravity), in turn, for pairs of clips: the even one possible, the odd one the same up to a frame,
            from which on something happens that cannot.
        size: side of the square frames, in px; the scenario's own (128) if not given.
        frames: frames of a clip; the scenario's own (32, PHYRE's 33) if not given.
        fps: rate at which the videos play; the scenario's own (10, PHYRE's 5) if not given.
        dt: physical time between two frames, in s; if not given, 1/fps where fps is, else the scenario's own (0.1, PHYRE's 1/3;
            in three dimensions 1/16, with fps 16).
        cameras: of a world in three dimensions, how many film each run; so many neighbouring clips show one run.
        supersampling: of a world in three dimensions, n for n x n rays per pixel of rgb.
        vary: of a scene of your own, draw colours, light and camera angle anew for every clip, and shift what stands free a little.
        store: bodies keeps video, bodies and seed, and dense truth is rendered when read; all keeps it too.
        shard_size: clips of a shard; chosen from num if not given.
        workers: processes; as many as there are CPU cores if not given.
        on: where to run.
        json: print the dataset's card as JSON.
    """
    from ..data.generate import generate

    if fps is not None and not fps > 0:
        raise UserError(f"--fps must be above 0, got {fps:g}")
    for flag, value in (("--workers", workers), ("--shard-size", shard_size)):
        if value is not None and value < 1:
            raise UserError(f"{flag} must be at least 1, got {value}")
    given = {"size": size, "num_frames": frames, "fps": fps, "dt": 1 / fps if fps is not None and dt is None else dt}
    given |= {"cameras": cameras, "supersampling": supersampling, "vary": vary or None}
    world = _world(scenario, {key: value for key, value in given.items() if value is not None})
    if num is None:
        num = world.cameras if isinstance(world, Own) and not world.vary else 100
    split = split or ("id" if "id" in world.splits else next(iter(world.splits)))
    if twins:
        if num % 2:
            raise UserError(f"--num must be even with --twins, which come in pairs; got {num}")
        world = pairs_of(world, violations=twins)
    there = []
    with Bar("simulate", num) as bar:

        def report(clips: int, _total: int, was_there: bool) -> None:
            there.append(clips * was_there)
            bar.advance(clips)

        sharing: dict[str, Any] = {"shard_size": shard_size or 0, "workers": workers or 0, "on": on}
        card = generate(out, world, num=num, seed=seed, split=split, store=store, report=report, announce=_announce, **sharing)
    _left_out(card)
    if json:
        from json import dumps

        print(dumps(card, indent=2, sort_keys=True))
        return
    counts = card["counts"]
    kept = f" ({sum(there)} were there)" if sum(there) else ""
    clips, shards = (f"{counts[key]} {key[:-1] if counts[key] == 1 else key}" for key in ("clips", "shards"))
    print(f"{out}: {clips}{kept}, {counts['frames']} frames, {shards}, {counts['bytes'] / 1e6:.1f} MB")


def _named() -> str:
    """The scenarios by family."""
    families = {cls: [name for name, world in SCENARIOS.items() if issubclass(world, cls)] for cls in _FAMILIES}
    return "; ".join(f"{_FAMILIES[cls]}: {', '.join(names)}" for cls, names in families.items() if names)


_FAMILIES: dict[type, str] = {
    Planar: "planar, in closed form", Scenes: "planar, rigid bodies", Physion: "in three dimensions (kinema[spatial]), Physion's",
    Category: "Phys4D's kinds of matter", Driving: "from a car",
}  # fmt: skip
main.__doc__ = (main.__doc__ or "").format(scenarios=_named())


def _world(name: str, fields: dict[str, Any]) -> World:
    """The scenario of this name, or the scene in this file, with some fields set."""
    if name not in SCENARIOS and (name.endswith(".json") or Path(name).exists()):
        own = replace(read_scene(name), **fields)
        for said in overlaps(own.given):
            print(f"kinema: {name}: {said}", file=sys.stderr)
        return own
    if "vary" in fields:
        raise UserError(f"--vary is for a scene of your own, a .json file; {name} draws every clip anew")
    known = {field.name for field in fields_of(SCENARIOS[name])} if name in SCENARIOS else set(fields)
    for key in ("cameras", "supersampling"):
        if key in fields and key not in known:
            raise UserError(f"--{key} is for worlds in three dimensions; {name} is planar")
    return named(name, **fields)


def _announce(what: str) -> None:
    print(f"kinema: {what}", file=sys.stderr)


def _left_out(card: dict[str, Any], most: int = 5) -> None:
    """Say which clips could not be simulated."""
    failed, job = card.get("failed", []), card["job"]
    for entry in failed[:most]:
        print(f"kinema: clip {entry['index']} of {card['name']}, seed {job['seed']}, is left out: {entry['reason']}", file=sys.stderr)
    if len(failed) > most:
        print(f"kinema: and {len(failed) - most} more, which card.json names", file=sys.stderr)

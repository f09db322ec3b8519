"""A dataset's card: what it holds and where it came from, as JSON for programs and as a page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.config import name_of, to_json
from ..core.errors import UserError
from ..core.files import read_json
from ..simulators import Twins, rebuild, scenario

_KEYS = ("complete", "job", "name", "shared", "fps", "dt", "size", "frames", "members", "counts", "shards", "versions")


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a complete dataset. Raises UserError where it is no card, or its dataset was never finished."""
    card = read_json(folder / "card.json")
    if not isinstance(card, dict) or card.get("kind") != "kinema dataset":
        raise UserError(f"{folder}/card.json: is no card of a kinema dataset")
    if card.get("format") != 1:
        raise UserError(f"{folder}: has dataset format {card.get('format')}; this kinema reads format 1")
    missing = [key for key in _KEYS if key not in card]
    if not missing and not (isinstance(card["job"], dict) and "scenario" in card["job"]):
        missing = ["its scenario"]
    if missing:
        raise UserError(f"{folder}/card.json: lacks {', '.join(missing)}; it is damaged")
    if not card["complete"]:
        raise UserError(f"{folder}: this dataset is not complete; run its command again to finish it: {command(card)}")
    return card


def command(card: dict[str, Any]) -> str:
    """What makes this dataset again: a command line or, for a scenario with fields that no flag sets, a line of Python."""
    job, world = card["job"], card["job"]["scenario"]
    base, twins = _apart(world)
    shown = {key: base[key] for key in ("size", "num_frames", "fps", "dt")}
    name = rebuild(base, "card.json").name
    if _plain(name, shown, job["split"], twins) != world:
        options = ", ".join(f"{key}={job[key]!r}" for key in ("num", "seed", "split", "store", "shard_size"))
        return f'kinema.data.generate("FOLDER", kinema.core.from_json({world!r}), {options})'
    flags = {
        "num": job["num"], "seed": job["seed"], "split": job["split"], **({"twins": " ".join(twins)} if twins else {}),
        "size": base["size"], "frames": base["num_frames"], "fps": repr(base["fps"]), "dt": repr(base["dt"]),
        "shard-size": job["shard_size"], "store": job["store"],
    }  # fmt: skip
    return " ".join(["kinema simulate", name, *(f"--{key} {value}" for key, value in flags.items()), "--out FOLDER"])


def _apart(world: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A scenario's JSON and, of twins, their violations."""
    return (world["scenario"], world["violations"]) if world["part"] == name_of(Twins) else (world, [])


def _plain(name: str, fields: dict[str, Any], split: str, twins: list[str]) -> Any:
    """The scenario that flags alone would make, as JSON; None where its split needs a field that no flag sets."""
    try:
        world = scenario(name, **fields).split(split)
        return to_json(Twins(world, violations=tuple(twins)) if twins else world)
    except UserError:
        return None


def ranges(card: dict[str, Any]) -> dict[str, str]:
    """The scenario's parameters and ranges, as text."""
    world = card["job"]["scenario"]
    base, twins = _apart(world)
    own = {"scenario": rebuild(base, "card.json").name, **{key: world[key] for key in world if key != "scenario"}} if twins else {}
    return {key: _text(value) for key, value in (own | base).items() if key not in ("part", "size", "num_frames", "dt", "fps")}


def describe(card: dict[str, Any]) -> str:
    """The card as a Markdown page with the front matter that dataset hubs read."""
    counts, job = card["counts"], card["job"]
    lines = [
        "---",
        f"pretty_name: {card['name']} ({job['split']})",
        "tags: [video, physics, kinema, webdataset]",
        "---",
        f"# {card['name']}, split `{job['split']}`, seed {job['seed']}",
        "",
        f"{counts['clips']} clips of {card['frames']} frames, {card['size']} x {card['size']} px, played at {card['fps']:g} fps,"
        f" {card['dt']:g} s of physical time between frames; {counts['shards']} shards, {counts['bytes'] / 1e6:.1f} MB.",
        "",
        "Made by kinema, and made again bit for bit with the same versions, by",
        "",
        f"    {command(card)}",
        "",
        "| parameter | value |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in ranges(card).items()),
        "",
        "| a clip's file | holds |",
        "|---|---|",
        *(f"| `NUMBER.{name}` | {_HOLDS.get(name, '')} |" for name in card["members"]),
        "",
        "Versions: " + ", ".join(f"{name} {value}" for name, value in card["versions"].items()) + ".",
        "",
        "| shard | clips | SHA-256 |",
        "|---|---|---|",
        *(f"| {s['file']} | {s['clips']} | {s['sha256']} |" for s in card["shards"]),
    ]
    return "\n".join(lines) + "\n"


_HOLDS = {
    "mp4": "the video, lossless (H.264, RGB)",
    "bodies.safetensors": "bodies (m, m/s, kg), contacts (s, m, N s), energy (J), camera",
    "truth.safetensors": "segmentation, flow (px/frame), occlusion",
    "json": "index, seed, parameters, caption, fps, dt",
}


def _text(value: Any) -> str:
    if isinstance(value, list):
        nested, interval = bool(value) and isinstance(value[0], list), len(value) == 2
        return (" or " if nested else "-" if interval else ", ").join(map(_text, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)

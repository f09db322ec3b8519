"""A dataset's card: what it holds and where it came from, as JSON for programs and as a page for people."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.config import name_of, to_json
from ..core.errors import UserError
from ..core.files import read_json
from ..simulators import Own, SpatialTwins, Twins, World, rebuild, scenario, twins
from .family import base as base_of
from .family import is_spatial

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
    base, kinds = _apart(world)
    filmed = {key: base[key] for key in _FILMED if key in base}
    shown = {key: base[key] for key in ("size", "num_frames", "fps", "dt")} | filmed
    name = rebuild(base, "card.json").name
    if _plain(name, shown, job["split"], kinds) != world:
        options = ", ".join(f"{key}={job[key]!r}" for key in ("num", "seed", "split", "store", "shard_size"))
        given = f"kinema.core.from_json({world!r})"
        if base["part"] == name_of(Own):  # a whole scene, longer than a page
            given = 'kinema.simulators.rebuild(kinema.core.files.read_json("card.json")["job"]["scenario"], "card.json")'
        return f'kinema.data.generate("FOLDER", {given}, {options})'
    flags = {
        "num": job["num"], "seed": job["seed"], "split": job["split"], **({"twins": " ".join(kinds)} if kinds else {}),
        "size": base["size"], "frames": base["num_frames"], "fps": repr(base["fps"]), "dt": repr(base["dt"]),
        **filmed, "shard-size": job["shard_size"], "store": job["store"],
    }  # fmt: skip
    return " ".join(["kinema simulate", name, *(f"--{key} {value}" for key, value in flags.items()), "--out FOLDER"])


def _apart(world: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """A scenario's JSON and, of twins, their violations."""
    pairs = world["part"] in (name_of(Twins), name_of(SpatialTwins))
    return (world["scenario"], world["violations"]) if pairs else (world, [])


def _plain(name: str, fields: dict[str, Any], split: str, kinds: list[str]) -> Any:
    """The scenario that flags alone would make, as JSON; None where its split needs a field that no flag sets."""
    try:
        world = scenario(name, **fields).split(split)
        return to_json(twins(world, violations=tuple(kinds)) if kinds else world)
    except UserError:
        return None


def ranges(card: dict[str, Any]) -> dict[str, str]:
    """The scenario's parameters and ranges, as text."""
    world = card["job"]["scenario"]
    base, kinds = _apart(world)
    own = {"scenario": rebuild(base, "card.json").name, **{key: world[key] for key in world if key != "scenario"}} if kinds else {}
    return {key: _text(value) for key, value in (own | base).items() if key not in ("part", "size", "num_frames", "dt", "fps")}


def describe(card: dict[str, Any]) -> str:
    """The card as a Markdown page with the front matter that dataset hubs read."""
    counts, job, failed = card["counts"], card["job"], card.get("failed", [])
    holds = _holds(rebuild(job["scenario"], "card.json"))
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
        *(f"| `NUMBER.{name}` | {holds.get(name, '')} |" for name in card["members"]),
        "",
        *_left_out(failed, job["num"]),
        "Versions: " + ", ".join(f"{name} {value}" for name, value in card["versions"].items()) + ".",
        "",
        "| shard | clips | SHA-256 |",
        "|---|---|---|",
        *(f"| {s['file']} | {s['clips']} | {s['sha256']} |" for s in card["shards"]),
    ]
    return "\n".join(lines) + "\n"


def _left_out(failed: list[dict[str, Any]], num: int) -> list[str]:
    if not failed:
        return []
    rows = [f"| {entry['index']} | {entry['reason']} |" for entry in failed]
    why = f"{len(failed)} of {num} clips are left out, because their scenes could not be simulated:"
    return [why, "", "| clip | why |", "|---|---|", *rows, ""]


def _holds(world: World) -> dict[str, str]:
    """What each of a clip's files holds."""
    return _HOLDS | (_HOLDS_SPATIAL if is_spatial(base_of(world)) else {})


_FILMED = ("supersampling", "cameras")  # fields of spatial worlds that flags set
_HOLDS_SPATIAL = {
    "bodies.safetensors": (
        "bodies (m, m/s, kg, J), contacts (s, m, N s), energy (J), camera, outcome, tracks (m), vertices of what bends or flows (m)"
    ),
    "truth.safetensors": "depth (m), segmentation, flow and backward flow (px/frame), occlusion, scene flow (m/frame), normals",
    "json": "index, seed, run, the whole scene, caption, fps, dt",
}
_HOLDS = {
    "mp4": "the video, lossless (H.264, RGB)",
    "bodies.safetensors": "bodies (m, m/s, kg), contacts (s, m, N s), energy (J), camera",
    "truth.safetensors": "segmentation, flow (px/frame), occlusion",
    "json": "index, seed, parameters, caption, fps, dt",
}


def _text(value: Any) -> str:
    if isinstance(value, dict):  # a part, such as a user's scene, is too long for a table
        names = [body["name"] for body in value.get("bodies", ()) if "name" in body]
        return f"{len(names)} bodies: {', '.join(names)}" if names else ", ".join(key for key in value if key != "part") or "none"
    if isinstance(value, list):
        nested, interval = bool(value) and isinstance(value[0], list), len(value) == 2
        return (" or " if nested else "-" if interval else ", ").join(map(_text, value)) or "none"
    return f"{value:g}" if isinstance(value, float) else str(value)

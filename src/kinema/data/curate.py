"""A folder of raw videos becomes clips to train on: cut at shots, without what stands still, with captions of key frames."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..core.config import part, to_json
from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json, write_whole
from ..core.rng import digest
from ..core.video import VIDEO_SUFFIXES, Reel, nearest_frames, write_video
from .captions import KEYS, Span, ask, caption, read_captions
from .folder import Videos
from .shots import motion, scan, shots

Report = Callable[[str, int, int], None]
WRITE_EVERY = 50  # videos, after which the table of what is done is written anew
STATE = ".curation"  # folder of what is known so far, from which an interrupted curation goes on


@part
class Curation:
    """How raw videos become clips (WorldDreamer sec. 4.1: shot cuts, slow clips dropped by optical flow, captions of key frames).

    Shots are cut into clips of `num_frames` at `fps` (the video's own, if None). A frame begins a shot where it differs by `cut`
    (of 255) and `apart` times as much as its neighbours. Clips that move less than `min_flow` px/frame, on frames whose shorter
    side is 64 px, are dropped. Clips are stored with a shorter side of at most `short_side` px, H.264 unless `lossless`.
    """

    num_frames: int = 24
    fps: float | None = None
    short_side: int | None = None
    cut: float = 10.0
    apart: float = 2.0
    min_flow: float = 0.05
    lossless: bool = False
    captioner: str = ""
    timeout: float = 120.0

    def __post_init__(self) -> None:
        for name, least in (("num_frames", 2), ("short_side", 16)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise UserError(f"{name} must be at least {least}, got {value}")
        for name in ("cut", "apart", "min_flow"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise UserError(f"{name} must be 0 or more, got {getattr(self, name)}")
        if not 0 < self.timeout < float("inf") or (self.fps is not None and not 0 < self.fps < float("inf")):
            raise UserError(f"fps and timeout must be above 0, got {self.fps} and {self.timeout}")


def curate(
    folder: str | Path,
    out: str | Path,
    how: Curation,
    captions: str | Path | None = None,
    *,
    overwrite: bool = False,
    report: Report | None = None,
) -> dict[str, Any]:
    """Cut the videos of a folder into a new folder that `open_dataset` reads; gives what is written to its report.json.

    Captions come from `captions` (`read_captions`), else from what lies beside the videos, else from the captioner, which is asked
    where nothing is said. Interrupted in any way, the same call goes on where it stopped; a curation that is done is left as it is.
    A video that cannot be read is left out, and the report says why. `report` is told each video, and how many frames of how many
    are done. Raises UserError where the folder holds no video, no clip is kept, the captioner fails, or `out` holds anything else.
    """
    source, target = Path(folder), Path(out)
    videos = _videos(source)
    said = _said(source, videos, None if captions is None else Path(captions))
    _claim(source, target, how, said, overwrite)
    plans: list[dict[str, Any]] = []
    try:
        for k, (name, place) in enumerate(_folders(videos).items()):
            state = target / STATE / f"{digest(name)}.json"
            plan = _planned(source, name, state, how)
            _forget_lost(plan, target)
            if not plan["done"]:
                _extract(source / name, target, plan, state, how, said.get(name, []), place)
            plans.append(plan)
            if len(plans) % WRITE_EVERY == 0:
                _write_table(target, plans)
            if report is not None:
                report(name, k + 1, len(videos))
    finally:
        _write_table(target, plans)
    result = _summary(how, plans)
    write_json(target / "report.json", result)
    if not result["kept"]:
        dropped = ", ".join(f"{count} {why}" for why, count in result["dropped"].items()) or "there was none"
        raise UserError(f"{source}: no clip was kept ({dropped}); {target}/report.json says more")
    return result


# --- the folders -----------------------------------------------------------------------------------------------------------


def _videos(folder: Path) -> dict[str, str]:
    """Captions ("" where there is none) of the videos in a folder, by their path in it."""
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder")
    rows = [row for row in Videos(str(folder)).rows if row.file.suffix.lower() in VIDEO_SUFFIXES]
    if not rows:
        raise UserError(f"{folder}: holds no video; looked for files ending in {', '.join(VIDEO_SUFFIXES)}")
    return {str(row.file.relative_to(folder)): row.text or "" for row in rows}


def _folders(videos: dict[str, str]) -> dict[str, str]:
    """Where each video's clips go: a folder of its name, with its suffix where two share it."""
    stems = {name: str(Path(name).with_suffix("")) for name in videos}
    count = Counter(stems.values())
    return {name: stem if count[stem] == 1 else name.replace(".", "-") for name, stem in stems.items()}


def _said(source: Path, videos: dict[str, str], captions: Path | None) -> dict[str, list[Span]]:
    if captions is not None:
        return read_captions(captions, list(videos))
    return {name: [Span(-float("inf"), float("inf"), text)] for name, text in videos.items() if text}


def _claim(source: Path, target: Path, how: Curation, said: dict[str, list[Span]], overwrite: bool) -> None:
    """Make sure that the folder is this curation's."""
    if target.resolve() == source.resolve() or source.resolve() in target.resolve().parents:
        raise UserError(f"{target}: lies in {source}, whose videos are read; name a folder elsewhere")
    words = {name: [[str(span.start), str(span.end), span.text] for span in spans] for name, spans in said.items()}
    job = {"folder": str(source.resolve()), "how": to_json(how), "captions": digest(words)}
    path = target / STATE / "job.json"
    if path.exists():
        old = read_json(path)
        if old == job:
            return
        if not overwrite:
            raise UserError(f"{target}: holds a curation made otherwise ({_difference(old, job)}); name another folder, or say --overwrite")
        for place in (target / STATE, target / "clips"):
            shutil.rmtree(place, ignore_errors=True)
        for place in (target / "metadata.jsonl", target / "report.json"):
            place.unlink(missing_ok=True)
    if target.exists() and not target.is_dir():
        raise UserError(f"{target}: is a file; a folder was expected")
    if target.is_dir() and any(target.iterdir()):
        raise UserError(f"{target}: holds other files; name an empty folder or a new one")
    make_folder(target / STATE)
    write_json(path, job)
    write_whole(target / "metadata.jsonl", "")  # a dataset of what is done, from the beginning


def _difference(old: Any, new: dict[str, Any]) -> str:
    old = old if isinstance(old, dict) else {}
    before, now = {**old, **old.get("how", {})}, {**new, **new["how"]}
    names = [name for name in now if name != "how" and before.get(name) != now[name]]
    return "; ".join("other captions" if name == "captions" else f"{name} was {before.get(name)}, now {now[name]}" for name in names)


# --- one video -------------------------------------------------------------------------------------------------------------


def _planned(source: Path, name: str, state: Path, how: Curation) -> dict[str, Any]:
    """What is to be cut out of a video: known from before, or found now."""
    stored = (source / name).stat().st_size
    if state.exists():
        plan: dict[str, Any] = read_json(state)
        if plan.get("bytes") == stored:
            return plan
    plan = {"file": name, "bytes": stored, "done": False, "shots": [], "clips": []}
    try:
        plan |= _found(source / name, how)
    except UserError as error:
        plan |= {"failed": str(error), "done": True}
    write_json(state, plan)
    return plan


def _forget_lost(plan: dict[str, Any], target: Path) -> None:
    """Clips that were taken away are made again."""
    for clip in plan["clips"]:
        if "file" in clip and not (target / clip["file"]).is_file():
            del clip["file"]
            plan["done"] = False


def _found(path: Path, how: Curation) -> dict[str, Any]:
    reel = Reel(path)
    seen = scan(reel)
    parts = shots(seen, how.cut, how.apart)
    clips = []
    for start, stop in parts:
        for places in _windows(start, stop, reel.fps, how):
            speed = motion(seen.gray[places])
            clips.append({"frames": places.tolist(), "flow": round(speed, 4), "why": "slow" if speed < how.min_flow else ""})
    return {"fps": reel.fps, "frames": reel.num_frames, "shots": parts, "clips": clips}


def _windows(start: int, stop: int, fps: float, how: Curation) -> Iterator[Tensor]:
    """The frames [n] of every clip of a shot, one after the other; above the video's rate frames repeat, and neighbours share one."""
    at = start + (torch.arange(stop - start) if how.fps is None else nearest_frames(stop - start, fps, how.fps))
    for k in range(0, len(at) - how.num_frames + 1, how.num_frames):
        yield at[k : k + how.num_frames]


def _extract(path: Path, target: Path, plan: dict[str, Any], state: Path, how: Curation, said: list[Span], place: str) -> None:
    """Write the clips that are to be kept, and note each: a clip that is noted is whole."""
    kept = [clip for clip in plan["clips"] if not clip["why"]]
    todo = [clip for clip in kept if "file" not in clip]
    fps = how.fps or plan["fps"]
    names = _names(kept)
    for clip, rgb in _read(path, todo, how.short_side):
        name = f"clips/{place}/{names[id(clip)]}.mp4"
        make_folder((target / name).parent)
        keys = [round(key * (len(rgb) - 1)) for key in KEYS]
        text = caption(said, [clip["frames"][k] / plan["fps"] for k in keys])
        if not text and how.captioner:
            where = f"{path}, clip at {clip['frames'][0] / plan['fps']:.2f} s"
            text = ask(how.captioner, [rgb[k] for k in keys], how.timeout, where)
        write_video(target / name, rgb, fps, lossless=how.lossless, dt=1 / fps, text=text or None)
        clip |= {"file": name, "text": text}
        write_json(state, plan)
    plan["done"] = True
    write_json(state, plan)


def _names(clips: list[dict[str, Any]]) -> dict[int, str]:
    """Names of clips, by their identity: the first frame of each, numbered where several begin with it."""
    names, count = {}, Counter[int]()
    for clip in clips:
        first = clip["frames"][0]
        names[id(clip)] = f"{first:06d}" + (f"-{count[first]}" if count[first] else "")
        count[first] += 1
    return names


def _read(path: Path, clips: list[dict[str, Any]], short_side: int | None) -> Iterator[tuple[dict[str, Any], Tensor]]:
    """The pixels [t,3,h,w] of clips, each of which begins where the one before it ends or later, in one pass over their video."""
    waiting = iter(clips)
    clip, held = next(waiting, None), dict[int, Tensor]()
    for k, frame in enumerate(Reel(path).frames(short_side) if clip else ()):
        if clip is None:
            return
        if k in clip["frames"]:
            held[k] = frame
        while clip is not None and k == clip["frames"][-1]:
            yield clip, torch.stack([held[at] for at in clip["frames"]])
            clip, held = next(waiting, None), {k: frame}


# --- what is written about it ----------------------------------------------------------------------------------------------


def _write_table(target: Path, plans: list[dict[str, Any]]) -> None:
    rows = [
        {
            "file_name": clip["file"], "text": clip["text"], "source": plan["file"], "flow": clip["flow"],
            "start": round(clip["frames"][0] / plan["fps"], 4), "end": round((clip["frames"][-1] + 1) / plan["fps"], 4),
        }
        for plan in plans for clip in plan["clips"] if "file" in clip
    ]  # fmt: skip
    write_whole(target / "metadata.jsonl", "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows))


def _summary(how: Curation, plans: list[dict[str, Any]]) -> dict[str, Any]:
    kept = [clip for plan in plans for clip in plan["clips"] if "file" in clip]
    dropped = [
        {"source": plan["file"], "start": clip["frames"][0], "stop": clip["frames"][-1] + 1, "flow": clip["flow"], "why": clip["why"]}
        for plan in plans for clip in plan["clips"] if clip["why"]
    ]  # fmt: skip
    short = [
        {"source": plan["file"], "start": start, "stop": stop, "why": "short"}
        for plan in plans for start, stop in plan["shots"] if not any(start <= clip["frames"][0] < stop for clip in plan["clips"])
    ]  # fmt: skip
    failed = {plan["file"]: plan["failed"] for plan in plans if "failed" in plan}
    videos = [{key: plan[key] for key in ("file", "fps", "frames", "shots")} for plan in plans if "failed" not in plan]
    counts = {"slow": len(dropped), "short": len(short), "failed": len(failed)}
    return {
        "settings": to_json(how),
        "kept": len(kept),
        "without caption": sum(not clip["text"] for clip in kept),
        "dropped": {why: count for why, count in counts.items() if count},
        "videos": videos,
        "left out": dropped + short,
        "failed": failed,
    }

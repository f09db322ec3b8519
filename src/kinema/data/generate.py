"""From a scenario to a dataset folder: in parallel, resumable at any moment, the same bytes whoever did the work."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import field
from pathlib import Path
from typing import Any, Literal

import torch
from safetensors.torch import save

from ..core.clip import Clip
from ..core.config import from_json, part, to_json
from ..core.errors import UserError
from ..core.files import make_folder, read_json, write_json, write_whole
from ..core.video import video_bytes
from ..simulators import Failed, World, make
from .card import describe
from .engine import cpus, run
from .family import Announce, clips_per_worker, ready, shard_size, versions
from .shards import SHARED, Members, Shard, key_of, members_of, pack, scan

FORMAT = 1

Report = Callable[[int, int, bool], None]  # clips of a shard, clips in all, whether they were there before
Failures = dict[int, str]  # why clips could not be simulated


@part
class Job:
    """What decides every byte of a dataset. A split has already set the scenario's ranges; its name is kept to be read."""

    scenario: World = field(kw_only=False)
    num: int = 100
    seed: int = 0
    split: str = "id"
    store: Literal["bodies", "all"] = "bodies"
    shard_size: int = 0

    def __post_init__(self) -> None:
        if self.num < 1:
            raise UserError(f"num must be at least 1 clip, got {self.num}")
        if self.shard_size < 0:
            raise UserError(f"shard size must be at least 1 clip, got {self.shard_size}")
        if self.store not in ("bodies", "all"):
            raise UserError(f"store must be 'bodies' or 'all', got {self.store!r}")
        if self.shard_size == 0:
            object.__setattr__(self, "shard_size", shard_size(self.scenario, self.num, self.store))

    @property
    def shards(self) -> int:
        """Number of shards."""
        return -(-self.num // self.shard_size)

    def indices(self, shard: int) -> range:
        """The clips of a shard."""
        return range(shard * self.shard_size, min(self.num, (shard + 1) * self.shard_size))


def generate(
    out: str | os.PathLike[str],
    world: World,
    *,
    num: int,
    seed: int = 0,
    split: str = "id",
    store: Literal["bodies", "all"] = "bodies",
    shard_size: int = 0,
    workers: int = 0,
    on: str = "local",
    report: Report | None = None,
    announce: Announce | None = None,
) -> dict[str, Any]:
    """Simulate clips 0..num-1 of a scenario's split into the folder `out`; gives the dataset's card.

    A folder that the same call began, and that was interrupted in any way, is gone on with: shards that are whole stay.
    `store="all"` keeps dense truth beside video and bodies; `workers` 0 takes the CPU cores there are; neither they nor
    `on` change a byte. `announce` is told what is compiled first, once, where it takes a while. A clip whose scene fails is left
    out, and the card says so ("failed": index and reason). Raises UserError where every clip fails, the folder holds anything
    else, or writing fails.
    """
    job = Job(world.split(split), num=num, seed=seed, split=split, store=store, shard_size=shard_size)
    _refuse_foreign(job)
    video_bytes(torch.zeros(1, 3, 16, 16, dtype=torch.uint8), world.fps)  # a rate that no file can hold, before a folder is made
    workers = workers or max(1, min(cpus(), job.num // clips_per_worker(world)))
    folder = Path(out)
    before = _claim(folder, job, announce)
    with _only_one(folder), _no_leftovers(folder / "shards"):
        shards, failed = _shards(folder, job, before, workers, on, report)
        return _finish(folder, job, shards, failed, before)


def _refuse_foreign(job: Job) -> None:
    """A dataset names its scenario, and whoever reads it must find the class."""
    try:
        from_json(to_json(job))
    except UserError as error:
        raise UserError(f"{error}; a dataset holds kinema's own scenarios: give this one to Simulated, or see docs/extend.md") from None


def _claim(folder: Path, job: Job, announce: Announce | None) -> dict[str, Any]:
    """Make sure that the folder is this job's; its card, which is begun if there is none."""
    if (folder / "card.json").exists():
        card = read_json(folder / "card.json")
        _refuse_another(folder, card, job)
        if not card["complete"]:
            ready(job.scenario, announce)
        return dict(card)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder}: is a file; a folder was expected")
    if folder.is_dir() and any(path.name != "shards" and not path.name.startswith(".") for path in folder.iterdir()):
        raise UserError(f"{folder}: holds other files; name an empty folder or a new one")
    made_by = versions(job.scenario)
    ready(job.scenario, announce)
    card = _card(job, _shared(job), made_by)  # simulates a clip, which may fail: before there is a folder
    make_folder(folder / "shards")
    write_json(folder / "card.json", card)
    return card


def _refuse_another(folder: Path, card: Any, job: Job) -> None:
    if not isinstance(card, dict) or "job" not in card:
        raise UserError(f"{folder}/card.json: is no card of a kinema dataset")
    differences = list(_differences(card["job"], to_json(job)))
    differences += [] if card["complete"] else list(_differences(card["versions"], versions(job.scenario)))
    if differences:
        raise UserError(f"{folder}: holds a dataset made otherwise ({'; '.join(differences[:4])}); name another folder")


def _differences(old: Any, new: Any, where: str = "") -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            yield from _differences(old.get(key), new.get(key), f"{where}.{key}" if where else key)
    elif old != new:
        yield f"{where} is {old} there, {new} here"


@contextlib.contextmanager
def _only_one(folder: Path) -> Iterator[None]:
    """Two writers in one folder would take away each other's temporary files."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    with (folder / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise UserError(f"{folder}: another process is writing this dataset") from None
        yield


@contextlib.contextmanager
def _no_leftovers(folder: Path) -> Iterator[None]:
    """Half-written files of a run that was killed, or of workers that were stopped, are taken away."""
    try:
        for path in folder.glob(".tmp-*"):
            path.unlink(missing_ok=True)
        yield
    finally:
        for path in folder.glob(".tmp-*"):
            path.unlink(missing_ok=True)


def _shards(folder: Path, job: Job, before: dict[str, Any], workers: int, on: str, report: Report | None) -> tuple[list[Shard], Failures]:
    known = {entry["file"]: entry["sha256"] for entry in before["shards"]}
    tasks = [(str(folder), to_json(job), k, known.get(_name(k))) for k in range(job.shards)]
    done: dict[int, Shard] = {}
    failed: Failures = {}
    try:
        for k, shard, kept, why in run(write_shard, tasks, workers=workers, on=on):
            done[k] = shard
            failed |= why
            if report is not None:
                report(len(job.indices(k)), job.num, kept)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"interrupted with {len(done)} of {job.shards} shards in {folder}; the same command goes on from there"
        ) from None
    return [done[k] for k in range(job.shards)], failed


def write_shard(folder: str, job_json: Any, k: int, known: str | None) -> tuple[int, Shard, bool, Failures]:
    """Task k of a job: its shard, written unless it is there and whole (and of the known hash), and why clips are not in it."""
    job = from_json(job_json)
    path = Path(folder) / _name(k)
    with contextlib.suppress(UserError):
        shard = scan(path)
        why = _absent(job, job.indices(k), shard.keys)
        if why is not None and known in (None, shard.sha256):
            return k, shard, True, why
    failed: Failures = {}
    pack(path, _simulated(job, job.indices(k), failed))
    shard = scan(path)
    if known not in (None, shard.sha256):
        raise UserError(f"{path}: was damaged and comes out differently now; the dataset was made by other versions, make it anew")
    return k, shard, False, failed


def _simulated(job: Job, indices: range, failed: Failures) -> Iterator[tuple[str, Members]]:
    fields = job.scenario.default_dense if job.store == "all" else ("rgb",)
    for i in indices:
        try:
            clip = _clip(job, i, fields)
        except Failed as error:
            failed[i] = str(error)
        else:
            yield key_of(i), members_of(clip, job.store == "all")


def _clip(job: Job, index: int, fields: Sequence[str]) -> Clip:
    """A clip of a job. Raises Failed where it cannot be simulated, and UserError, which names it, where it is asked for wrongly."""
    try:
        return make(job.scenario, job.seed, index, fields)
    except Failed:
        raise
    except UserError as error:
        raise UserError(f"clip {index}: {error}") from None


def _absent(job: Job, indices: range, keys: tuple[str, ...]) -> Failures | None:
    """Why the clips of a shard that it does not hold cannot be simulated; None where one can, or it holds others."""
    there = set(keys)
    if keys != tuple(key_of(i) for i in indices if key_of(i) in there):
        return None
    failed: Failures = {}
    for i in (i for i in indices if key_of(i) not in there):
        why = reason(job.scenario, job.seed, i)
        if why is None:
            return None
        failed[i] = why
    return failed


def reason(world: World, seed: int, index: int) -> str | None:
    """Why a clip cannot be simulated; None where it can."""
    try:
        make(world, seed, index, ())
    except Failed as error:
        return str(error)
    return None


def _finish(folder: Path, job: Job, shards: list[Shard], failed: Failures, before: dict[str, Any]) -> dict[str, Any]:
    """Index, card and its readable twin; the card comes last, because it says that the rest is complete."""
    place = torch.tensor([clip for shard in shards for clip in shard.place], dtype=torch.int64)
    arrays = {name: place[..., i].contiguous() for i, name in enumerate(("offset", "size", "crc32"))}
    write_whole(folder / "index.safetensors", save(arrays, {"members": " ".join(_members(shards))}))
    card = _card(job, before["shared"], before["versions"], shards, failed)
    write_whole(folder / "README.md", describe(card))
    write_json(folder / "card.json", card)
    return card


def _shared(job: Job) -> dict[str, Any]:
    """What the meta of all clips has in common, from the first one that does not fail."""
    why = ""
    for i in range(job.num):
        try:
            example = _clip(job, i, ())
        except Failed as error:
            why = why or str(error)
        else:
            return {key: value for key, value in example.meta.items() if key in SHARED}
    raise UserError(f"{job.scenario.name}, seed {job.seed}: each of {job.num} clips fails, the first because {why}")


def _members(shards: list[Shard]) -> tuple[str, ...]:
    return next((shard.members for shard in shards if shard.keys), ())


def _card(
    job: Job, shared: dict[str, Any], made_by: dict[str, str], shards: list[Shard] | None = None, failed: Failures | None = None
) -> dict[str, Any]:
    world, shards, failed = job.scenario, shards or [], failed or {}
    clips = job.num - len(failed)
    card = {
        "kind": "kinema dataset",
        "format": FORMAT,
        "complete": bool(shards),
        "name": world.name,
        "job": to_json(job),
        "shared": shared,
        "fps": world.fps,
        "dt": world.dt,
        "size": world.size,
        "frames": world.num_frames,
        "members": list(_members(shards)),
        "counts": {"clips": clips, "frames": clips * world.num_frames, "shards": job.shards, "bytes": sum(s.bytes for s in shards)},
        "shards": [{"file": _name(k), "clips": len(s.keys), "bytes": s.bytes, "sha256": s.sha256} for k, s in enumerate(shards)],
        "versions": dict(sorted(made_by.items())),
    }
    return card | ({"failed": [{"index": i, "reason": failed[i]} for i in sorted(failed)]} if failed else {})


def _name(k: int) -> str:
    return f"shards/{k:06d}.tar"

"""`kinema data`: look at a dataset, check it, write it for others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from .progress import Bar

if TYPE_CHECKING:
    from ..core import Clip
    from ..data import Dataset, PublishedFile

Folder = Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="FOLDER")]


def inspect(folder: Folder, *, json: bool = False) -> None:
    """What a dataset holds: counts, fields, ranges, sizes, where it came from.

    Args:
        folder: a dataset folder, a folder of videos, one of PhyWorld's .hdf5 files, or a video.
        json: print it as JSON.
    """
    from ..data import open_dataset

    facts = _facts(open_dataset(folder))
    if json:
        _print_json(facts)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(title=folder, show_header=False, title_justify="left")
    for key, value in facts.items():
        if isinstance(value, dict):
            table.add_section()
            for inner, item in value.items():
                table.add_row(inner, str(item))
            table.add_section()
        else:
            table.add_row(key, str(value))
    Console().print(table)


def preview(folder: Folder, *, out: str = "preview.png", clips: int = 3, frames: int = 8, rows: tuple[str, ...] = ()) -> None:
    """A contact sheet: rgb, depth, ids, flow and occlusion of a few clips through time, as PNG.

    Args:
        folder: a dataset folder, a folder of videos, one of PhyWorld's .hdf5 files, or a video.
        out: the picture to write.
        clips: clips to show, evenly spread over the dataset.
        frames: frames to show of each clip.
        rows: what to show of rgb, depth, segmentation, normals, flow, occlusion; all but normals that the clips have, if not given.
    """
    from ..core.errors import UserError
    from ..core.video import write_png
    from ..data import open_dataset
    from ..data.preview import DEFAULT_ROWS, contact_sheet

    if not out.lower().endswith(".png"):
        raise UserError(f"{out}: a preview is written as .png")
    dataset = open_dataset(folder)
    write_png(out, contact_sheet(dataset, clips, frames, rows or DEFAULT_ROWS))
    shown = [name for name in rows or DEFAULT_ROWS if dataset[0].has(name)]
    print(f"{out}: {min(clips, len(dataset))} clips, each with rows of {', '.join(shown)}")


def validate(folder: Folder, *, clips: int = 8, json: bool = False) -> int:
    """Hashes, a second simulation bit for bit, flow, energy and contacts; exit status 1 where a check fails.

    Args:
        folder: a dataset folder, a folder of videos, one of PhyWorld's .hdf5 files, or a video.
        clips: clips to simulate again and to check, evenly spread over the dataset.
        json: print the checks as JSON.
    """
    from dataclasses import asdict

    from rich.console import Console
    from rich.table import Column, Table

    from ..data import open_dataset
    from ..data.validate import validate as checks_of

    checks = list(checks_of(open_dataset(folder), clips))
    passed = all(check.ok for check in checks)
    if json:
        _print_json({"ok": passed, "checks": [asdict(check) for check in checks]})
        return int(not passed)
    table = Table("check", "verdict", Column("found", overflow="fold"), "wanted", title=folder, title_justify="left")
    for check in checks:
        table.add_row(check.name, "[green]pass[/]" if check.ok else "[red]FAIL[/]", check.found, check.wanted)
    Console().print(table)
    return int(not passed)


def convert(
    folder: Folder,
    *,
    out: str,
    to: Literal["phyworld"] = "phyworld",
    size: int = 256,
    frames: int | None = None,
    num: int | None = None,
    lossy: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Write a dataset as one file in PhyWorld's HDF5 layout, so that others' readers and evaluators run on it.

    Args:
        folder: a dataset folder, or one of PhyWorld's .hdf5 files.
        out: the .hdf5 file to write.
        to: the layout.
        size: side of the frames in px, drawn again from the bodies if they have another; 0 writes them as they are.
        frames: frames of a clip, its first ones; 32 as published if not given, of PHYRE's scenes all.
        num: clips, the first ones; all if not given.
        lossy: videos as the published ones (H.264 4:2:0); lossless otherwise.
        overwrite: replace the file if it is there.
        json: print what was written as JSON.
    """
    from ..core.errors import UserError
    from ..data import open_dataset, to_phyworld

    if size < 0:
        raise UserError(f"--size must be 0 or more, got {size}")
    dataset = open_dataset(folder, fields=("rgb",))
    options: dict[str, Any] = {"size": size or None, "frames": frames, "num": num, "lossless": not lossy, "overwrite": overwrite}
    with Bar("convert", num or len(dataset)) as bar:
        counts = to_phyworld(dataset, out, report=lambda _done, _total: bar.advance(), **options)
    if json:
        _print_json({"out": out, "to": to, **counts})
    else:
        print(f"{out}: {counts['clips']} clips in the layout {counts['layout']}, {counts['bytes'] / 1e6:.1f} MB")


def curate(
    folder: Folder,
    *,
    out: str,
    frames: int = 24,
    fps: float | None = None,
    short_side: int | None = None,
    captions: str | None = None,
    captioner: str = "",
    timeout: float = 120.0,
    cut: float = 10.0,
    apart: float = 2.0,
    min_flow: float = 0.05,
    lossless: bool = False,
    overwrite: bool = False,
    json: bool = False,
) -> None:
    """Cut a folder of raw videos into clips to train on: at shots, without slow ones, with captions.

    Interrupted, the same command goes on where it stopped. What was kept, what was dropped and why is in OUT/report.json.

    Args:
        folder: a folder of videos, of any length; captions beside them are taken, unless --captions says more.
        out: the folder to make, which `kinema train --data` reads.
        frames: frames of a clip.
        fps: rate of the clips; the videos' own if not given.
        short_side: px to which the shorter side is shrunk where it is larger.
        captions: a .csv, .jsonl or .txt of captions: file and text, and start and end in s where they speak of parts of a video.
        captioner: a command that is given three PNG files, at 10, 50 and 90 % of a clip, and prints a caption; asked where no other is.
        timeout: s that the captioner may take for a clip.
        cut: how far a frame must differ from the one before to begin a shot, of 255.
        apart: how many times as much as its neighbours do.
        min_flow: px/frame of optical flow, of frames with a shorter side of 64 px, below which a clip is dropped as slow.
        lossless: store clips without loss.
        overwrite: replace a curation that was made otherwise.
        json: print the report as JSON.
    """
    from ..data.curate import Curation
    from ..data.curate import curate as cut_out

    how = Curation(
        num_frames=frames, fps=fps, short_side=short_side, cut=cut, apart=apart, min_flow=min_flow, lossless=lossless,
        captioner=captioner, timeout=timeout,
    )  # fmt: skip
    with Bar("curate", 1, unit="videos") as bar:
        report = cut_out(folder, out, how, captions, overwrite=overwrite, report=lambda _name, _done, total: bar.advance(total=total))
    if json:
        _print_json(report)
        return
    dropped = "".join(f", {count} {why}" for why, count in report["dropped"].items())
    silent = f" ({report['without caption']} without a caption)" if report["without caption"] else ""
    print(f"{out}: {report['kept']} clips of {len(report['videos'])} videos kept{silent}{dropped}; see {out}/report.json")


VERBS: dict[str, Callable[..., Any]] = {
    "inspect": inspect, "preview": preview, "validate": validate, "convert": convert, "curate": curate,
}  # fmt: skip


def _facts(dataset: Dataset) -> dict[str, Any]:
    from ..data import PublishedFile, Shards

    clip = dataset[0]
    fields = {name: _shape(value) for name, value in clip.fields.items()}
    if isinstance(dataset, PublishedFile):
        return _published_facts(dataset, clip, fields)
    if not isinstance(dataset, Shards):
        height, width = clip.size
        return {
            "kind": "videos", "clips": len(dataset), "first clip": f"{clip.num_frames} frames of {width} x {height} px",
            "fps": clip.fps, "dt": f"{clip.dt:g} s", "fields": fields,
        }  # fmt: skip
    from ..data.card import command, ranges

    card = dataset.card
    counts = card["counts"]
    stored = "truth.safetensors" in card["members"]
    rendered = [name for name in dataset.scenario.dense if name != "rgb" and not stored and name in fields]
    return {
        "kind": "kinema dataset",
        "scenario": f"{card['name']}, split {card['job']['split']}, seed {card['job']['seed']}",
        "clips": f"{counts['clips']} of {card['job']['num']}" if dataset.failed else counts["clips"],
        **({"left out": _reasons(dataset.failed)} if dataset.failed else {}),
        "frames": f"{counts['frames']} ({card['frames']} a clip)",
        "size": f"{card['size']} x {card['size']} px",
        "fps": f"{card['fps']:g}",
        "dt": f"{card['dt']:g} s",
        "shards": counts["shards"],
        "bytes": f"{counts['bytes'] / 1e6:.2f} MB ({counts['bytes'] / counts['clips'] / 1e3:.1f} kB a clip)",
        "ranges": ranges(card),
        "fields": {name: f"{shape}{', rendered when read' if name in rendered else ''}" for name, shape in fields.items()},
        "versions": {**card["versions"], **card["shared"].get("versions", {})},
        "made by": command(card),
    }


def _reasons(failed: dict[int, str]) -> str:
    first = next(iter(failed))
    return f"{len(failed)} that could not be simulated; clip {first}: {failed[first]}"


def _published_facts(dataset: PublishedFile, clip: Clip, fields: dict[str, str]) -> dict[str, Any]:
    labels = dataset.labels
    height, width = clip.size
    return {
        "kind": "file in PhyWorld's HDF5 layout",
        "scenario": clip.meta["scenario"],
        "states": ", ".join(clip.meta["params"]),
        "clips": len(dataset),
        "buckets": {name: labels.count(name) for name in dict.fromkeys(sorted(labels))},
        "first clip": f"{clip.num_frames} frames of {width} x {height} px",
        "fps": clip.fps,
        "dt": f"{clip.dt:g} s",
        "first frame": f"{clip.meta['first_frame_time']:g} s",
        "pixels": clip.meta.get("pixel_convention", "centers"),
        "fields": fields,
    }


def _shape(value: Any) -> str:
    from torch import Tensor

    if isinstance(value, Tensor):
        return f"{list(value.shape)} {str(value.dtype).removeprefix('torch.')}"
    if isinstance(value, dict):
        return ", ".join(f"{key} {list(array.shape)}" for key, array in value.items())
    return repr(value) if isinstance(value, str) else type(value).__name__.lower()


def _print_json(value: Any) -> None:
    from json import dumps

    print(dumps(value, indent=2))

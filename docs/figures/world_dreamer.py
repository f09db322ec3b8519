"""Draws docs/figures/world-dreamer.png and world-dreamer-tasks.png: `python docs/figures/world_dreamer.py [MODEL]`. Each row is one clip
over time. First: a held-out drive, the dream of it, the same start told to turn left, right, speed up and brake. Second: a fall and
its dream; a box of the drive filled in; the drive restyled; dreams from words alone."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from torch import Tensor

from kinema import Clip, WorldModel
from kinema.core.video import write_png
from kinema.simulators import make, scenario

SHOWN = (0, 2, 4, 8, 12, 16)  # frames
ENLARGED = 2
HELD_OUT = 1_000_003


def row(clip: Clip) -> Tensor:
    """Some frames side by side [3,h,w]."""
    frames = clip.rgb[list(SHOWN)].float() / 255
    big = frames.repeat_interleave(ENLARGED, -1).repeat_interleave(ENLARGED, -2)
    return torch.cat([torch.nn.functional.pad(frame, (1, 1, 1, 1), value=1.0) for frame in big], -1)


def main(model: WorldModel, folder: Path, drive: int = 5, fall: int = 1) -> None:
    b = model.blueprint
    clock = {"size": b.size, "num_frames": b.num_frames, "dt": b.dt, "fps": b.fps}
    driven = make(scenario("driving", **clock), HELD_OUT, drive, ("rgb",))
    fallen = make(scenario("drop", **clock), HELD_OUT, fall, ("rgb",))
    rows = [row(driven), row(model.dream(driven, text=driven.text, actions=driven))]
    told = {"guidance": {"actions": 1.0}}
    rows += [row(model.dream(driven, actions=name, **told)) for name in ("left", "right", "accelerate", "brake")]
    write_png(folder / "world-dreamer.png", torch.cat(rows, 1))
    rows = [row(fallen), row(model.dream(fallen, text=fallen.text))]
    box = torch.zeros(b.size, b.size, dtype=torch.bool)
    box[b.size * 3 // 8 : b.size * 5 // 8, b.size * 3 // 8 : b.size * 3 // 4] = True
    rows += [row(model.inpaint(driven, box, text=driven.text, actions=driven))]
    rows += [row(model.stylize(driven, text=driven.text, strength=0.5))]
    said = ("The car drives along a two-lane road past tall buildings and goes straight on.", fallen.text)
    rows += [row(model.dream(text=text, seed=1)) for text in said]
    write_png(folder / "world-dreamer-tasks.png", torch.cat(rows, 1))


if __name__ == "__main__":
    main(WorldModel.from_pretrained(*(sys.argv[1:] or ["world-dreamer"])), Path(__file__).parent)

"""Draws the pictures of docs/spatial.md: `python docs/figures/spatial.py`. Of each scenario's first clip rgb, depth, ids and flow over
time, then the rgb of its other base scenes; and one frame of every scenario together."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from kinema.core.video import write_png
from kinema.data import Simulated
from kinema.data.preview import contact_sheet
from kinema.simulators import SCENARIOS, SpatialWorld, make, scenario

SIZE, FRAMES = 96, 7
ROWS = ("rgb", "depth", "segmentation", "flow")


def strip(world: SpatialWorld, rows: tuple[str, ...]) -> Tensor:
    """The strips [3,h,w] of a world's first clip."""
    return contact_sheet(Simulated(world, fields=rows, length=1), clips=1, frames=FRAMES, rows=rows)


def mosaic(names: list[str], columns: int = 6) -> Tensor:
    """A frame of each scenario's first clip, side by side."""
    tiles = [make(scenario(name, size=144, supersampling=4), 0, 0, ("rgb",)).rgb[12].float() / 255 for name in names]
    rows = [torch.cat(tiles[k : k + columns], 2) for k in range(0, len(tiles), columns)]
    return torch.cat([row for row in rows if row.shape[-1] == rows[0].shape[-1]], 1)


def main() -> None:
    spatial = {name: cls for name, cls in SCENARIOS.items() if issubclass(cls, SpatialWorld)}
    write_png(Path(__file__).parent / "spatial.png", mosaic(list(spatial)))
    for name, cls in spatial.items():
        world = scenario(name, size=SIZE, supersampling=3)
        assert isinstance(world, SpatialWorld)
        first, *others = getattr(cls, "bases", {"id": None})
        sheets = [strip(world.split(first), ROWS), *(strip(world.split(base), ("rgb",)) for base in others)]
        width = max(sheet.shape[-1] for sheet in sheets)
        page = [torch.nn.functional.pad(sheet, (0, width - sheet.shape[-1]), value=1.0) for sheet in sheets]
        write_png(Path(__file__).parent / f"spatial-{name}.png", torch.cat(page, 1))
        print(name, flush=True)


if __name__ == "__main__":
    main()

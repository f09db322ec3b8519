"""Whatever states a clip carries, its shard's members hold them to the bit, under any name, of any type."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from kinema.core import Camera, Clip
from kinema.data import Shards, generate, open_dataset
from kinema.data.shards import SHARED, STATES, clip_of, members_of
from kinema.data.validate import difference
from kinema.simulators import make, scenario

from ..worlds import FLAT


def states(frames: int, bodies: int) -> Clip:
    """A clip with every state there is; bodies with keys of all kinds, some of which never change."""
    seed = torch.Generator().manual_seed(frames + bodies)

    def numbers(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
        return torch.rand(*shape, generator=seed, dtype=torch.float64).mul(9).to(dtype)

    still = torch.tensor([0.0, -0.0]).repeat(bodies)[:bodies].double()
    zeros = torch.zeros(frames, bodies, dtype=torch.float64)
    almost = zeros.clone()
    almost[-1] = -0.0  # equal to what was before, in another bit
    camera = Camera.planar(16, 16, 10.0, frames)
    return Clip(
        fps=10,
        rgb=numbers(frames, 3, 16, 16, dtype=torch.uint8),
        bodies={
            "position": numbers(frames, bodies, 2), "angle": numbers(frames, bodies, dtype=torch.float32),
            "still": still.expand(frames, bodies), "almost": almost,
            "shape": torch.ones(frames, bodies, dtype=torch.int64), "there": numbers(frames, bodies) > 4,
            "color": numbers(1, bodies, 3, dtype=torch.uint8).expand(frames, bodies, 3), "wide": numbers(frames, bodies, 2, 3),
            "half": numbers(frames, bodies, dtype=torch.float16),
        },
        contacts={"time": numbers(4), "bodies": numbers(4, 2, dtype=torch.int64), "new": numbers(4, 3)},
        outcome={"touched": torch.tensor(True), "when": torch.tensor(torch.inf), "lost": numbers(frames, dtype=torch.int64)},
        energy=numbers(frames), work=numbers(frames), tracks=numbers(frames, 5, 3), track_visible=numbers(frames, 5) > 4,
        track_ids=numbers(frames, 5, dtype=torch.int64), vertices=numbers(frames, 7, 3, dtype=torch.float32),
        actions=numbers(frames, 3), camera=camera, text="Two words.",
        meta={"params": {"speed": 1.5}, "scenario": {"part": "x"}},
    )  # fmt: skip


@pytest.mark.parametrize("frames", [1, 2, 7])
@pytest.mark.parametrize("bodies", [0, 1, 3])
def test_states_come_back_bit_for_bit(frames: int, bodies: int) -> None:
    clip = states(frames, bodies)
    assert all(clip.has(name) for name in STATES)
    shared = {key: clip.meta[key] for key in SHARED if key in clip.meta}
    for store_truth in (False, True):
        assert difference(clip_of(members_of(clip, store_truth), shared, "x"), clip) == ""


@pytest.mark.parametrize("name", FLAT)
def test_a_folder_gives_back_all_states_of_every_world(tmp_path: Path, name: str) -> None:
    world = scenario(name, size=32)
    generate(tmp_path, world, num=2, workers=1)
    ours = make(world, 0, 1, ("rgb",))
    folder = open_dataset(tmp_path, fields=("rgb",))
    assert isinstance(folder, Shards)
    assert difference(folder[1], ours) == ""
    assert {*ours.fields} == {"rgb", "text", *(state for state in STATES if ours.has(state))}
    # A state may be asked for by its name, as dense truth may.
    assert all(open_dataset(tmp_path, fields=(state,))[0].has(state) for state in STATES if ours.has(state))

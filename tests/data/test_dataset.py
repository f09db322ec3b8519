"""Datasets by index: what is read depends on the index alone, in every process and every order."""

from __future__ import annotations

import pickle

import pytest
import torch

from kinema.core import UserError, from_json, to_json
from kinema.data import Dataset, Fitted, Mixture, Simulated, Subset, split
from kinema.simulators import make, scenario

from ..worlds import FLAT


def world(name: str = "uniform", **fields: object) -> Simulated:
    return Simulated(scenario(name, size=16, num_frames=4), **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", FLAT)
def test_simulated_is_what_the_simulator_makes(name: str) -> None:
    source = scenario(name, size=32, num_frames=5)
    for i in (0, 7, 10**9):
        assert torch.equal(Simulated(source, seed=3)[i].rgb, make(source, 3, i).rgb)
    assert torch.equal(Simulated(source, seed=3, first=100)[5].rgb, make(source, 3, 105).rgb)
    assert Simulated(source, fields=None)[0].has("rgb", "flow", "segmentation", "occlusion")


def test_length_and_ends() -> None:
    assert len(world(length=3)) == 3
    assert len(list(world(length=3))) == 3
    assert torch.equal(world(length=3)[-1].rgb, world()[2].rgb)
    for dataset, index in [(world(length=3), 3), (world(length=3), -4), (world(), -1)]:
        with pytest.raises(IndexError):
            dataset[index]
    with pytest.raises(TypeError, match="no end"):
        len(world())
    assert next(iter(world())).num_frames == 4


def test_a_mixture_keeps_its_weights_and_depends_on_the_index_alone() -> None:
    parts = (world("uniform"), world("collision", length=5), world("parabola"))
    mixture = Mixture(parts, weights=(1.0, 2.0, 1.0), seed=4, length=400)
    names = [mixture[i].meta["scenario"]["part"] for i in range(400)]
    share = names.count("simulators.Collision") / 400
    assert abs(share - 0.5) < 4 * (0.25 / 400) ** 0.5  # four standard deviations
    assert names[123] == mixture[123].meta["scenario"]["part"]
    assert torch.equal(mixture[77].rgb, pickle.loads(pickle.dumps(mixture))[77].rgb)
    other = [Mixture(parts, weights=(1.0, 2.0, 1.0), seed=5)[i].meta["scenario"]["part"] for i in range(50)]
    assert names[:50] != other


def test_bad_mixtures() -> None:
    two = (world(), world())
    for parts, weights in [((), None), (two, (1.0,)), (two, (0.0, 0.0)), (two, (-1.0, 2.0)), ((world(length=0),), None)]:
        with pytest.raises(UserError):
            Mixture(parts, weights=weights)


def test_split_parts_the_clips() -> None:
    train, test = split(world(length=20), 0.25, seed=1)
    assert (len(train), len(test)) == (15, 5)
    assert sorted(train.indices + test.indices) == list(range(20))
    assert split(world(length=20), 5, seed=1)[1].indices == test.indices
    assert torch.equal(test[0].rgb, world()[test.indices[0]].rgb)
    for held_out in (0, 20, 1.0, 0.0):
        with pytest.raises(UserError):
            split(world(length=20), held_out)


def test_fitted_clips_are_as_a_model_takes_them() -> None:
    source = world(length=6)
    assert torch.equal(Fitted(source, size=16, num_frames=4, fps=10.0)[2].rgb, source[2].rgb)
    assert Fitted(source, size=16, num_frames=4, fps=10.0)[2].has("bodies")
    small = Fitted(source, size=8, num_frames=2, fps=5.0)[1]
    assert (small.size, small.num_frames, small.fps, small.dt) == ((8, 8), 2, 5.0, 0.2)
    windows = [Fitted(source, size=16, num_frames=2, fps=10.0)[i] for i in range(6)]
    starts = [next(s for s in range(3) if torch.equal(source[i].rgb[s : s + 2], windows[i].rgb)) for i in range(6)]
    assert len(set(starts)) > 1
    assert torch.equal(Fitted(source, size=16, num_frames=2, fps=10.0, anywhere=False)[5].rgb, source[5].rgb[:2])
    with pytest.raises(UserError, match="4 frames at 10 fps, 9 were expected"):
        Fitted(source, size=16, num_frames=9, fps=10.0)[0]


def test_datasets_are_parts() -> None:
    dataset: Dataset = Mixture((world(seed=2, length=9), Subset(world(), indices=(4, 2))), weights=(1.0, 3.0))
    again = from_json(to_json(dataset))
    assert again == dataset
    assert torch.equal(again[3].rgb, dataset[3].rgb)

"""Relative accuracy: strict, at chance for noise, and what a judge of motion gets on twins."""

from __future__ import annotations

import pytest
import torch

from kinema.core import UserError
from kinema.metrics import relative_accuracy
from kinema.simulators import Twins, make, scenario


def test_ties_and_what_is_no_number_are_wrong() -> None:
    possible = torch.tensor([0.0, 1.0, 2.0, float("nan")])
    assert relative_accuracy(possible, possible) == 0.0
    assert relative_accuracy(possible, possible + 1e-3) == 0.75
    assert relative_accuracy(possible, torch.full((4,), float("nan"))) == 0.0
    assert relative_accuracy(torch.tensor([1, 2]), torch.tensor([2, 1])) == 0.5


def test_noise_is_at_chance_and_scale_does_not_matter() -> None:
    rng = torch.Generator().manual_seed(0)
    a, b = torch.rand(4000, generator=rng), torch.rand(4000, generator=rng)
    assert relative_accuracy(a, b) == pytest.approx(0.5, abs=0.03)
    assert relative_accuracy(a, b) == relative_accuracy(10 * a - 3, 10 * b - 3) == 1 - relative_accuracy(b, a)


@pytest.mark.parametrize(("a", "b"), [([], []), ([1.0], [1.0, 2.0]), ([[1.0]], [[1.0]]), (1.0, 2.0)])
def test_what_does_not_pair_up_is_refused(a: object, b: object) -> None:
    with pytest.raises(UserError, match="same length"):
        relative_accuracy(torch.tensor(a), torch.tensor(b))


def test_a_judge_of_motion_finds_what_moves_wrongly_and_nothing_else() -> None:
    world = Twins(scenario("uniform", size=32), violations=("vanish", "teleport", "speed", "shape"))
    clips = [make(world, 5, i, ()) for i in range(16)]
    jolts = [clip.bodies["position"].diff(dim=0).diff(dim=0).norm(dim=-1).nan_to_num(1e9).max() for clip in clips]
    assert relative_accuracy(torch.stack(jolts[::2]), torch.stack(jolts[1::2])) == 0.75

"""Laws of the path of tokens: how many cells are masked, which, and what is known."""

import math
from itertools import pairwise
from typing import get_args

import pytest
import torch

from kinema.core import MASK, Masked, UserError, Value, from_json, given, to_json
from kinema.core.masked import Schedule

N = 40_000
SCHEDULES = get_args(Schedule)
schedules = pytest.mark.parametrize("schedule", SCHEDULES)
MASKGIT = {  # the share that is masked when a share r of the steps is done: MaskGIT, app. on masking design
    "cosine": lambda r: math.cos(math.pi * r / 2),
    "linear": lambda r: 1 - r,
    "square": lambda r: 1 - r**2,
    "cubic": lambda r: 1 - r**3,
    "root": lambda r: 1 - math.sqrt(r),
}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def tokens(shape, codes=16, seed=1):
    return torch.randint(codes, shape, generator=seeded(seed))


def uniform(n=N):
    return torch.rand(n, generator=seeded(2), dtype=torch.float64)


# --- how many ---


def test_every_schedule_is_checked():
    assert set(MASKGIT) == set(SCHEDULES)


@schedules
def test_the_share_is_maskgit_s_with_time_turned_round(schedule):
    tau = torch.linspace(0, 1, 201, dtype=torch.float64)
    ratio = Masked(schedule=schedule).ratio(tau)
    torch.testing.assert_close(ratio, torch.tensor([MASKGIT[schedule](1 - float(u)) for u in tau], dtype=torch.float64))
    assert (ratio[0], ratio[-1]) == (0, 1)
    assert (ratio.diff() > 0).all()


@schedules
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_time_and_share_are_inverse(schedule, dtype):
    path, tau = Masked(schedule=schedule), torch.linspace(0, 1, 101, dtype=dtype)
    torch.testing.assert_close(path.ratio(path.time(tau)), tau, atol=2e-6, rtol=0)
    assert path.time(torch.ones(1)) == 1
    assert path.time(torch.zeros(1)) == 0


def test_the_share_has_the_density_of_the_paper():
    """Law 13: (2 / pi) (1 - r^2)^(-1/2), whose mean is 2 / pi; Kolmogorov-Smirnov at one in a thousand."""
    ratio = Masked().ratio(uniform()).sort().values
    assert float(ratio.mean()) == pytest.approx(2 / math.pi, abs=4 * math.sqrt(0.5 - 4 / math.pi**2) / math.sqrt(N))
    steps = torch.arange(N + 1, dtype=torch.float64) / N
    below = 2 / math.pi * torch.asin(ratio)  # the integral of the density
    distance = torch.maximum((steps[1:] - below).abs(), (below - steps[:-1]).abs()).max()
    assert float(distance) < 1.95 / math.sqrt(N)


@pytest.mark.parametrize(("cells", "mean"), [(64, 0.644), (1, 1.0)])
def test_rounding_up_raises_the_mean(cells, mean):
    exact = sum(1 - 2 / math.pi * math.asin(k / cells) for k in range(cells)) / cells  # sum of P(ratio > k / cells)
    assert exact == pytest.approx(mean, abs=5e-4)
    drawn = Masked().count(uniform(), cells).double() / cells
    assert float(drawn.mean()) == pytest.approx(exact, abs=4 * float(drawn.std()) / math.sqrt(N) + 1e-9)


@schedules
@pytest.mark.parametrize("cells", [1, 2, 7, 64, 240])
def test_counts_are_whole_and_at_least_one(schedule, cells):
    path, tau = Masked(schedule=schedule), uniform(500).float()
    want = [max(1, math.ceil(MASKGIT[schedule](1 - float(u)) * cells - 1e-4)) for u in tau]
    assert (path.count(tau, cells) - torch.tensor(want)).abs().max() <= 1  # off the whole numbers' edges: the same
    assert (path.count(tau, cells) == torch.tensor(want)).float().mean() > 0.99
    assert path.count(torch.zeros(1), cells) == 1
    assert path.count(torch.ones(1), cells) == cells


def test_counts_do_not_trip_over_single_precision():
    thirds = torch.tensor([1 / 3, 1.0])
    assert Masked().count(thirds, 64).tolist() == [32, 64]  # sin(pi / 6) is a half
    tenths = torch.arange(1, 11) / 10
    assert Masked(schedule="linear").count(tenths, 10).tolist() == list(range(1, 11))


# --- which ---


@pytest.mark.parametrize("shared", [True, False])
@schedules
def test_as_many_cells_of_every_frame_are_masked_as_counted(schedule, shared):
    path, shape = Masked(schedule=schedule, shared=shared), (41, 3, 4, 5)
    tau = torch.linspace(0, 1, shape[0])
    x0, noise = tokens(shape), path.noise(shape, seeded())
    x = path.corrupt(x0, noise, tau)
    masked = x == MASK
    assert torch.equal(masked.sum((2, 3)), path.count(tau, 20)[:, None].expand(-1, 3))
    assert torch.equal(x[~masked], x0[~masked])
    assert x.dtype == x0.dtype
    alike = (masked == masked[:, :1]).flatten(1).all(1)
    about_half = (path.count(tau, 20) - 10).abs() < 4
    assert alike.all() if shared else not alike[about_half].any()


def test_more_time_masks_more_of_the_same():
    path, shape = Masked(), (1, 2, 6, 6)
    noise, x0 = path.noise(shape, seeded()), tokens((1, 2, 6, 6))
    seen = [path.corrupt(x0, noise, torch.tensor([u])) == MASK for u in torch.linspace(0, 1, 30)]
    assert all((after | ~before).all() for before, after in pairwise(seen))
    assert seen[-1].all()


def test_every_cell_is_masked_as_often():
    path, shape = Masked(), (N // 10, 1, 4, 4)
    masked = path.corrupt(tokens(shape), path.noise(shape, seeded()), torch.full((shape[0],), 1 / 3)) == MASK
    often = masked.float().mean((0, 1))  # 8 of 16
    assert float((often - 0.5).abs().max()) < 4 * 0.5 / math.sqrt(shape[0])


def test_equal_scores_do_not_change_the_count():
    x = Masked().corrupt(tokens((3, 2, 4, 4)), torch.zeros(3, 1, 4, 4), torch.tensor([0.0, 1 / 3, 1.0]))
    assert (x == MASK).sum((2, 3)).tolist() == [[1, 1], [8, 8], [16, 16]]


def test_the_noise_depends_on_the_generator_alone():
    noise = [Masked().noise((2, 3, 4, 4), seeded(k)) for k in (0, 0, 1)]
    assert noise[0].shape == (2, 1, 4, 4)
    assert torch.equal(noise[0], noise[1])
    assert not torch.equal(noise[0], noise[2])
    assert Masked(shared=False).noise((2, 3, 4, 4), seeded()).shape == (2, 3, 4, 4)


def test_logits_are_read_with_the_mask():
    x = torch.tensor([[[[MASK, 3]]]])
    logits = torch.randn(1, 1, 1, 2, 8, generator=seeded()).bfloat16()
    read, masked = Masked().read("codes", logits, x, torch.ones(1))
    assert read.dtype == torch.float32
    assert masked.tolist() == [[[[True, False]]]]
    with pytest.raises(ValueError, match="codes, not 'x0'"):
        Masked().read("x0", logits, x, torch.ones(1))


def test_parts_and_their_fields():
    assert from_json(to_json(Masked(schedule="root", shared=False))) == Masked(schedule="root", shared=False)
    with pytest.raises(UserError, match="Masked: schedule must be one of cosine, linear"):
        Masked(schedule="sine")


# --- what is known ---


def test_known_tokens_stand_in_their_places():
    x = torch.full((3, 2, 2, 2), MASK)
    there = torch.tensor([True, False, True])
    first = torch.tensor([1, 0]).reshape(1, 2, 1, 1).expand(3, -1, -1, -1)
    cell = torch.zeros(3, 2, 2, 2, dtype=torch.bool)
    cell[:, 1, 0, 1] = True
    frames = Value(torch.full_like(x, 5), there, first)
    region = Value(torch.full_like(x, 7), torch.tensor([True, True, False]), cell)
    words = Value(torch.randn(3, 4, 8), there, torch.ones(3, 4, 1))
    looks_alike = Value(torch.zeros(3, 2, 2, 2), there)  # numbers: latents, not tokens
    y, known = given(x, {"frames": frames, "region": region, "text": words, "map": looks_alike})
    want = x.clone()
    want[there, 0] = 5
    want[:2, 1, 0, 1] = 7
    assert torch.equal(y, want)
    assert torch.equal(known, want != MASK)
    assert (x == MASK).all()  # what came in is left alone


def test_nothing_is_known_without_conditions():
    x = tokens((2, 2, 3, 3))
    y, known = given(x, {})
    assert torch.equal(x, y)
    assert not known.any()
    whole, known = given(torch.full_like(x, MASK), {"frames": Value(x, torch.ones(2, dtype=torch.bool))})
    assert torch.equal(whole, x)
    assert known.all()

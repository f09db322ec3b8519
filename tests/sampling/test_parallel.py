"""Laws of parallel decoding: what is known, how many stay masked, what is drawn, and in which order."""

import itertools
import math
from typing import get_args

import pytest
import torch

from kinema.core import MASK, Linear, Masked, Prediction, UserError, Value, from_json, to_json
from kinema.core.masked import Schedule
from kinema.sampling import Parallel, Without, guide, reader
from kinema.sampling.parallel import Policy

POLICIES = get_args(Policy)
policies = pytest.mark.parametrize("policy", POLICIES)
SHAPE = (4, 3, 4, 5)  # b, t, h, w
CODES = 11


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def says(logits):
    """A model that says the same whatever it sees."""
    return lambda x, tau, conditions: Prediction(logits.expand(*x.shape, logits.shape[-1]))


def noisy(x, tau, conditions):
    """A model whose logits depend on what it sees, so that no two steps are alike."""
    seen = torch.arange(CODES) * (x[..., None] + 2) * 0.7 + x.flatten(1).sum(1).reshape(-1, 1, 1, 1, 1)
    return Prediction(3 * torch.sin(seen * (1 + torch.arange(x[0].numel()).reshape(*x.shape[1:], 1))))


def frames(data, where):
    """A condition that knows `data` at `where` [b,t,h,w]."""
    return {"frames": Value(data, torch.ones(len(data), dtype=torch.bool), where)}


def known_patterns():
    """What may be known, by name: [b,t,h,w] bool; clips of one batch differ."""
    nothing = torch.zeros(SHAPE, dtype=torch.bool)
    first, box, cell, mixed = (nothing.clone() for _ in range(4))
    first[:, 0] = True
    box[:] = True
    box[:, :, 1:3, 1:4] = False
    cell[:] = True
    cell[:, 1, 2, 3] = False
    mixed[0] = True
    mixed[1] = cell[1]
    mixed[2, 0] = True
    scattered = torch.rand(SHAPE, generator=seeded(3)) < 0.6  # another mask in every frame
    return {"nothing": nothing, "all": ~nothing, "first": first, "box": box, "one": cell, "mixed": mixed, "scattered": scattered}


# --- law 12 ---


@policies
@pytest.mark.parametrize("pattern", known_patterns())
def test_the_masked_count_falls_strictly_to_zero_and_what_is_known_stays(policy, pattern):
    where = known_patterns()[pattern]
    data = torch.randint(CODES, SHAPE, generator=seeded(1))
    units = ((~where).any(1) if policy == "shared" else ~where).flatten(1).sum(1)  # fixed together: a cell in all frames
    for steps, schedule in itertools.product(range(1, 21), get_args(Schedule)):
        if schedule != "cosine" and steps not in (1, 7, 20):
            continue
        seen = [torch.where(where, data, MASK)]
        denoise = reader(noisy, Masked(schedule=schedule), "codes", frames(data, where))
        x = Parallel(steps, policy=policy)(denoise, SHAPE, seeded(steps), watch=lambda k, x, seen=seen: seen.append(x.clone()))
        assert x.dtype == torch.int64
        assert x.min() >= 0
        assert x.max() < CODES
        assert torch.equal(x[where], data[where])
        assert torch.equal(x, seen[-1])
        counts = torch.stack([((s == MASK).any(1) if policy == "shared" else s == MASK).flatten(1).sum(1) for s in seen])
        fell = counts.diff(dim=0) < 0
        assert (fell | (counts[:-1] == 0)).all()
        assert (fell.sum(0) == units.clamp(max=steps)).all()  # all steps, or one per unit
        for before, after in itertools.pairwise(seen):
            assert torch.equal(after[before != MASK], before[before != MASK])


@pytest.mark.parametrize(("policy", "steps"), [("shared", 4), ("shared", 6), ("token", 4), ("token", 12)])
def test_counts_are_floors_of_the_schedule_times_the_start(policy, steps):
    start = 20 if policy == "shared" else 60
    seen = []
    Parallel(steps, policy=policy)(reader(noisy, Masked(), "codes"), SHAPE, seeded(), watch=lambda k, x: seen.append((x == MASK).sum()))
    share = [math.cos(math.pi / 2 * (k + 1) / steps) for k in range(steps)]
    per_unit = 3 if policy == "shared" else 1
    assert [int(s) for s in seen] == [4 * per_unit * math.floor(r * start + 1e-9) for r in share]


def test_shared_decoding_fixes_a_cell_in_all_its_frames():
    where, data = known_patterns()["first"], torch.zeros(SHAPE, dtype=torch.long)
    seen = []
    Parallel(5)(reader(noisy, Masked(), "codes", frames(data, where)), SHAPE, seeded(), watch=lambda k, x: seen.append(x == MASK))
    for masked in seen:
        assert not masked[:, 0].any()
        assert torch.equal(masked[:, 1], masked[:, 2])
    assert not torch.equal(seen[1][0], seen[1][1])  # clips have masks of their own


@policies
def test_the_network_is_told_the_time_of_the_masks_it_knows_from_training(policy):
    path, times = Masked(), []

    def network(x, tau, conditions):
        times.append((tau.clone(), x == MASK))
        return noisy(x, tau, conditions)

    where = known_patterns()["first"]
    where[1] = known_patterns()["box"][1]
    Parallel(6, policy=policy)(reader(network, path, "codes", frames(torch.zeros(SHAPE, dtype=torch.long), where)), SHAPE, seeded())
    for tau, masked in times:
        share = masked.float().mean((2, 3))
        share[[0, 2, 3], 0] = share[[0, 2, 3], 1:].mean(1)  # the known frame does not count
        torch.testing.assert_close(path.ratio(tau), share.mean(1), atol=1e-5, rtol=0)
    assert times[0][0][0] == 1
    torch.testing.assert_close(times[0][0][1], 2 / math.pi * torch.asin(torch.tensor(6 / 20)))


# --- what is drawn ---


def chi_square(counts, p):
    """Pearson's statistic of counts against probabilities."""
    want = p * counts.sum()
    return float(((counts - want) ** 2 / want).sum())


class Joint:
    """The exact conditionals of a joint distribution [C,...,C] over the n tokens of a clip [1,1,n], given those that are not masked."""

    def __init__(self, p):
        self.p = p
        self.states = torch.tensor(list(itertools.product(range(p.shape[0]), repeat=p.ndim)))

    def __call__(self, x, tau, conditions):
        tokens = x.flatten(1)
        fits = ((tokens[:, None] == MASK) | (tokens[:, None] == self.states)).all(2) * self.p.flatten()  # [b, states]
        one_hot = torch.nn.functional.one_hot(self.states).to(fits)  # [states, n, C]
        p = torch.einsum("bs,snc->bnc", fits, one_hot)
        return Prediction(p.clamp_min(1e-30).log().reshape(*x.shape, -1))

    def sample(self, sampler, n, known=None):
        shape = (n, 1, 1, self.p.ndim)
        conditions = {} if known is None else frames(known.expand(shape), known.expand(shape) >= 0)
        x = sampler(reader(self, Masked(), "codes", conditions), shape, seeded(5)).flatten(1)
        index = (x * torch.tensor([self.p.shape[0] ** k for k in reversed(range(self.p.ndim))])).sum(1)
        return torch.bincount(index, minlength=self.p.numel()).double()


def correlated():
    """Three tokens of three codes that lean towards each other."""
    p = torch.rand(3, 3, 3, generator=seeded(9), dtype=torch.float64) + 0.1
    for k in range(3):
        p[k, k, k] += 2
    return p / p.sum()


BOUND = 62.0  # chi-square with 26 degrees of freedom exceeds it once in 10,000 times


@policies
def test_one_token_per_step_in_any_order_gives_the_joint_distribution(policy):
    p = correlated()
    # Where noise alone decides the order, it says nothing of the codes: the chain rule holds.
    counts = Joint(p).sample(Parallel(3, policy=policy, temperature=1e6), 30_000)
    assert chi_square(counts, p.flatten()) < BOUND


@policies
def test_one_step_gives_the_product_of_the_marginals(policy):
    p = correlated()
    a, b, c = p.sum((1, 2)), p.sum((0, 2)), p.sum((0, 1))
    product = torch.einsum("i,j,k->ijk", a, b, c).flatten()
    counts = Joint(p).sample(Parallel(1, policy=policy), 30_000)
    assert chi_square(counts, product) < BOUND
    assert chi_square(counts, p.flatten()) > 1000  # and the two differ


def test_without_noise_the_surest_is_fixed_first():
    """Two tokens: the first step draws both, keeps the one whose drawn code is likelier, and draws the other anew given it."""
    p = correlated().sum(2)
    a, b = p.sum(1), p.sum(0)
    want = torch.zeros(3, 3, dtype=torch.float64)
    for i, j in itertools.product(range(3), repeat=2):
        if a[i] > b[j]:
            want[i] += a[i] * b[j] * p[i] / a[i]
        else:
            want[:, j] += a[i] * b[j] * p[:, j] / b[j]
    counts = Joint(p).sample(Parallel(2, temperature=0.0), 30_000)
    assert chi_square(counts, want.flatten()) < 32  # 8 degrees of freedom
    assert chi_square(counts, p.flatten()) > 32


def test_what_is_drawn_heeds_what_is_known():
    p = correlated()
    counts = Joint(p).sample(Parallel(2, temperature=1e6), 20_000, torch.tensor([MASK, 1, MASK])).reshape(3, 3, 3)
    assert counts[:, 1].sum() == 20_000
    assert chi_square(counts[:, 1], p[:, 1] / p[:, 1].sum()) < 32


@pytest.mark.parametrize("frames", [1, 4])
def test_noise_on_the_confidence_is_gumbel_s_and_falls(frames):
    """The largest of log p + T g comes out with probability proportional to p^(1/T); T = 2 (1 - 1/4) at the first of four steps,
    over sqrt(n) where a cell's confidence is the mean over n frames."""
    sure = torch.tensor([0.9, 0.7, 0.5, 0.35])
    logits = torch.stack([sure, (1 - sure) / 2, (1 - sure) / 2], -1).log()[None, None, None]  # top_k=1 draws the first code
    first = []
    sampler = Parallel(4, temperature=2.0, top_k=1)
    denoise = reader(says(logits), Masked(schedule="linear"), "codes")
    sampler(denoise, (20_000, frames, 1, 4), seeded(), watch=lambda k, x: first.append(x[:, :1] >= 0))
    for k, temperature in enumerate((1.5, 1.0, 0.5)):
        before = torch.zeros_like(first[0]) if k == 0 else first[k - 1]
        rows = torch.ones(len(before), dtype=torch.bool) if k == 0 else (before == before[0]).flatten(1).all(1)
        weight = (sure.double() ** (frames**0.5 / temperature)) * ~before[rows][0].flatten()
        counts = (first[k] & ~before)[rows].sum((0, 1, 2)).double()
        left = weight > 0
        assert chi_square(counts[left], weight[left] / weight.sum()) < 21  # 3 degrees of freedom or fewer
        assert counts[~left].sum() == 0


def drawn(sampler, p, n=40_000):
    """How often each code of p is drawn."""
    x = sampler(reader(says(torch.tensor(p).log()), Masked(), "codes"), (n // 100, 1, 10, 10), seeded())
    return torch.bincount(x.flatten(), minlength=len(p)).double()


P = [0.05, 0.5, 0.15, 0.3]


@pytest.mark.parametrize(
    ("fields", "want"),
    [
        ({}, P),
        ({"top_k": 1}, [0, 1, 0, 0]),
        ({"top_k": 2}, [0, 5 / 8, 0, 3 / 8]),
        ({"top_k": 4}, P),
        ({"top_k": 9}, P),
        ({"top_p": 0.4}, [0, 1, 0, 0]),
        ({"top_p": 0.7}, [0, 5 / 8, 0, 3 / 8]),
        ({"top_p": 0.9}, [0, 0.5 / 0.95, 0.15 / 0.95, 0.3 / 0.95]),
        ({"top_p": 1e-6}, [0, 1, 0, 0]),
        ({"top_k": 3, "top_p": 0.6}, [0, 5 / 8, 0, 3 / 8]),  # 0.6 of the 0.95 that three hold
        ({"sampling_temperature": 0.5}, [p**2 / 0.365 for p in P]),
        ({"sampling_temperature": 1e-3}, [0, 1, 0, 0]),
    ],
    ids=str,
)
@pytest.mark.parametrize("steps", [1, 6])
def test_codes_are_drawn_as_often_as_the_model_says(fields, want, steps):
    counts, want = drawn(Parallel(steps, **fields, temperature=0.0 if steps == 1 else 1e6), P), torch.tensor(want).double()
    assert (counts[want == 0] == 0).all()
    assert chi_square(counts[want > 0], want[want > 0]) < 21


@policies
@pytest.mark.parametrize("codes", [1, 2, 8192])
@pytest.mark.parametrize("scale", [0.0, 1.0, 1e4])
def test_what_comes_out_is_always_a_code(policy, codes, scale):
    logits = scale * torch.randn(1, 1, 4, 4, codes, generator=seeded())
    x = Parallel(3, policy=policy)(reader(says(logits), Masked(), "codes"), (2, 3, 4, 4), seeded())
    assert x.min() >= 0
    assert x.max() < codes


def test_no_code_is_drawn_that_was_cut_off():
    """However near the drawn number comes to 1."""
    logits = torch.zeros(50)
    x = Parallel(1, top_k=7)(reader(says(logits), Masked(), "codes"), (50, 2, 32, 32), seeded())
    assert len(x.unique()) == 7


@pytest.mark.parametrize("number", [0.0, 1 - 2**-24], ids=["least", "greatest"])
def test_no_code_without_probability_is_drawn_at_the_ends(number, monkeypatch):
    monkeypatch.setattr(torch, "rand", lambda shape, **kwargs: torch.full(tuple(shape), number))
    p = torch.tensor([0.0, 0.1, 0.3, 0.15, 0.35, 0.1, 0.0, 0.0])
    for fields in ({}, {"top_k": 3}, {"top_p": 0.7}, {"sampling_temperature": 1.7}):
        x = Parallel(1, **fields)(reader(says(p.log()), Masked(), "codes"), (1, 1, 2, 2), seeded())
        assert (p[x] > (0.1 if "top_k" in fields or "top_p" in fields else 0)).all()


def test_the_fewest_that_hold_top_p_are_kept():
    x = Parallel(1, top_p=0.5)(reader(says(torch.zeros(4)), Masked(), "codes"), (10, 1, 10, 10), seeded())
    assert torch.bincount(x.flatten(), minlength=4).count_nonzero() == 2  # of four that are alike


@policies
def test_equal_confidences_do_not_change_the_count(policy):
    seen = []
    sampler = Parallel(4, policy=policy, temperature=0.0, top_k=1)
    sampler(reader(says(torch.zeros(CODES)), Masked(schedule="linear"), "codes"), SHAPE, seeded(), watch=lambda k, x: seen.append(x))
    assert [int((x == MASK).sum()) for x in seen] == [180, 120, 60, 0]


@policies
@pytest.mark.parametrize("fields", [{"top_k": 1}, {"sampling_temperature": 1e-3}], ids=str)  # the confidence is the model's own
def test_the_surest_go_first_and_the_mean_over_frames_decides_of_a_cell(policy, fields):
    sure = torch.tensor([[[0.9, 0.6, 0.8]], [[0.5, 0.7, 0.75]]])  # [t,h,w]: as means of log p the cells rank 2, 0, 1
    logits = torch.stack([sure, *[(1 - sure) / 4] * 4], -1).log()[None]
    seen = []
    sampler = Parallel(3 if policy == "shared" else 6, policy=policy, temperature=0.0, **fields)
    sampler(reader(says(logits), Masked(schedule="linear"), "codes"), (1, 2, 1, 3), seeded(), watch=lambda k, x: seen.append(x[0, :, 0]))
    order = torch.stack([x == MASK for x in seen]).sum(0)
    assert order.tolist() == ([[1, 2, 0], [1, 2, 0]] if policy == "shared" else [[0, 4, 1], [5, 3, 2]])


def test_a_mean_over_fewer_frames_is_the_noisier():
    """Of four cells with one masked frame and four with four, all alike, one of the former is fixed first as often as the largest of
    four 2 g exceeds the largest of four g, which is the integral of exp(-4 exp(-2 y)) over the density of the largest of four, y."""
    y = torch.linspace(-6, 40, 100_001, dtype=torch.float64)
    want = torch.trapezoid(torch.exp(-4 * torch.exp(-2 * y)) * 4 * torch.exp(-y - 4 * torch.exp(-y)), y)
    where = torch.zeros(20_000, 4, 1, 8, dtype=torch.bool)
    where[:, 1:, :, 4:] = True
    seen = []
    denoise = reader(says(torch.zeros(3)), Masked(schedule="linear"), "codes", frames(torch.zeros(where.shape, dtype=torch.long), where))
    Parallel(8, temperature=2.0, top_k=1)(denoise, where.shape, seeded(), watch=lambda k, x: seen.append(x[:, 0, 0] != MASK))
    assert (seen[0].sum(1) == 1).all()
    share = seen[0][:, 4:].double().sum(1).mean()
    assert abs(share - want) < 4 * 0.5 / 20_000**0.5


def test_logits_that_are_no_numbers_are_refused():
    for bad in (float("nan"), float("inf")):
        logits = torch.zeros(CODES)
        logits[3] = bad
        for sampler in (Parallel(3), Parallel(3, top_k=2, top_p=0.5, policy="token")):
            with pytest.raises(UserError, match="Parallel: the model's logits are not finite"):
                sampler(reader(says(logits), Masked(), "codes"), SHAPE, seeded())


def test_known_frames_do_not_count_in_the_confidence_of_a_cell():
    sure = torch.tensor([0.9, 0.85])  # log p adds up to less in the first cell, its mean is more
    logits = torch.stack([sure, 1 - sure], -1).log()[None, None, None]
    where = torch.tensor([[[[False, True]], [[False, False]]]])
    seen = []
    denoise = reader(says(logits), Masked(), "codes", frames(torch.zeros(1, 2, 1, 2, dtype=torch.long), where))
    Parallel(2, temperature=0.0, top_k=1)(denoise, (1, 2, 1, 2), seeded(), watch=lambda k, x: seen.append(x[0, 1, 0] == MASK))
    assert [s.tolist() for s in seen] == [[False, True], [False, False]]


# --- how it is called ---


@policies
def test_decoding_depends_on_the_seed_alone(policy):
    state = torch.get_rng_state()
    denoise = reader(noisy, Masked(), "codes")
    a, b, c = (Parallel(5, policy=policy)(denoise, SHAPE, seeded(seed)) for seed in (0, 0, 1))
    assert torch.equal(a, b)
    assert not torch.equal(a, c)
    assert torch.equal(state, torch.get_rng_state())


def test_clips_that_are_known_whole_cost_no_call():
    asked = []

    def network(x, tau, conditions):
        asked.append(tau)
        return noisy(x, tau, conditions)

    data = torch.randint(CODES, SHAPE, generator=seeded(1))
    x = Parallel(5)(reader(network, Masked(), "codes", frames(data, torch.ones(SHAPE))), SHAPE, seeded())
    assert torch.equal(x, data)
    assert not asked


def test_guidance_reaches_the_logits():
    def network(x, tau, conditions):
        told = conditions["text"].present.float()[:, None, None, None, None]
        return Prediction((told * torch.tensor([0.0, 1.0, 0.0])).expand(*x.shape, 3))

    text = {"text": Value(torch.zeros(100, 1), torch.ones(100, dtype=torch.bool))}
    guided = guide(network, [Without("text")], {"text": 3.0})
    x = Parallel(1)(reader(guided, Masked(), "codes", text), (100, 1, 10, 10), seeded())
    p = torch.tensor([0.0, 4.0, 0.0]).softmax(0).double()
    assert chi_square(torch.bincount(x.flatten(), minlength=3).double(), p) < 21


def test_half_precision_logits_are_read_in_single():
    logits = torch.randn(CODES, generator=seeded()).bfloat16()
    x, y = (Parallel(4)(reader(says(z), Masked(), "codes"), SHAPE, seeded()) for z in (logits, logits.float()))
    assert torch.equal(x, y)


def test_parts_and_their_fields():
    sampler = Parallel(9, policy="token", temperature=1.0, sampling_temperature=0.9, top_k=5, top_p=0.5)
    assert from_json(to_json(sampler)) == sampler


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"steps": 0}, "steps must be at least 1, got 0"),
        ({"policy": "all"}, "policy must be one of shared, token, got 'all'"),
        ({"temperature": -1.0}, "temperature must be 0 or more"),
        ({"temperature": math.nan}, "temperature must be 0 or more"),
        ({"sampling_temperature": 0.0}, "sampling_temperature must be above 0"),
        ({"top_k": -1}, "top_k must be 0"),
        ({"top_p": 0.0}, "top_p must lie in"),
        ({"top_p": 1.1}, "top_p must lie in"),
    ],
    ids=str,
)
def test_impossible_fields_are_refused(fields, says):
    with pytest.raises(UserError, match=f"Parallel: {says}"):
        Parallel(**fields)


def test_a_path_of_numbers_is_refused():
    with pytest.raises(UserError, match="this model's is Linear"):
        Parallel()(reader(noisy, Linear(), "x0"), SHAPE, seeded())

"""Tokens: what quantisers owe, a codebook that finds the means of clusters, and the network around them."""

import math

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from kinema.codecs import FSQ, VQ, EMACodebook
from kinema.core import Clip
from kinema.core.errors import UserError
from kinema.core.rng import torch_stream

PARTS = {
    "codebook": (EMACodebook(), 30, 4),
    "directions": (EMACodebook(normalise=True), 30, 4),
    "grid-odd": (FSQ((3, 5)), 15, 2),
    "grid-even": (FSQ((2, 4, 8)), 64, 3),
    "grid-mixed": (FSQ((8, 8, 5, 3)), 960, 4),
}


def rng(*key):
    return torch_stream("vq test", *key)


@pytest.fixture(params=PARTS, ids=str)
def quantiser(request):
    torch.manual_seed(2)
    part, codes, dim = PARTS[request.param]
    return part.build(codes, dim)


def vectors(quantiser, n=500):
    dim = quantiser.lookup(torch.zeros(1, dtype=torch.long)).shape[-1]
    return 2 * torch.randn(n, dim, generator=rng("vectors"))


# --- every quantiser ---


def test_vectors_are_those_of_their_tokens(quantiser):
    z = vectors(quantiser)
    made = quantiser(z)
    torch.testing.assert_close(made.vectors, quantiser.lookup(made.tokens), rtol=0, atol=1e-6)
    assert made.tokens.shape == (500,)
    assert made.tokens.dtype == torch.int64


def test_a_single_vector_is_treated_as_in_a_batch(quantiser):
    z = vectors(quantiser, 20)
    assert torch.equal(quantiser(z).tokens, torch.cat([quantiser(one[None]).tokens for one in z]))


def test_half_precision_around_it_changes_no_token(quantiser):
    z = vectors(quantiser)
    with torch.autocast("cpu", torch.bfloat16):
        made = quantiser(z)
    assert torch.equal(made.tokens, quantiser(z).tokens)
    assert made.vectors.dtype == torch.float32


def test_nothing_is_learnt_unless_asked(quantiser):
    before = {key: value.clone() for key, value in quantiser.state_dict().items()}
    quantiser.train()(vectors(quantiser))
    assert all(torch.equal(value, before[key]) for key, value in quantiser.state_dict().items())


def test_building_holds_the_codes_that_were_asked_for(quantiser):
    codes = {id(part): number for part, number, _ in PARTS.values()}[id(quantiser.config)]
    every = quantiser.lookup(torch.arange(codes))
    assert len(torch.unique(every, dim=0)) == codes


# --- straight through ---


def test_the_gradient_of_a_codebook_passes_straight_through():
    quantiser = EMACodebook(commitment=0.0).build(8, 3)
    z = torch.randn(20, 3, generator=rng("grad")).requires_grad_()
    weight = torch.randn(20, 3, generator=rng("weight"))
    (quantiser(z).vectors * weight).sum().backward()
    torch.testing.assert_close(z.grad, weight)


def test_the_gradient_of_a_grid_is_that_of_the_bounded_numbers():
    quantiser = FSQ((5, 4)).build(20, 2)
    z = torch.randn(20, 2, generator=rng("grad"), dtype=torch.float64).float().requires_grad_()
    quantiser(z).vectors.sum().backward()
    # d/dz of half * tanh(z + shift) / (levels // 2), written out
    for i, (levels, offset) in enumerate(((5, 0.0), (4, 0.5))):
        half = (levels - 1) * 1.001 / 2
        slope = half * (1 - torch.tanh(z[:, i] + math.atanh(offset / half)) ** 2) / (levels // 2)
        torch.testing.assert_close(z.grad[:, i], slope.detach(), rtol=1e-4, atol=1e-6)


def test_commitment_is_the_weighted_squared_distance_and_pulls_towards_the_code():
    quantiser = EMACodebook(commitment=0.5).build(2, 2)
    quantiser.codebook.copy_(torch.tensor([[0.0, 0.0], [4.0, 0.0]]))
    z = torch.tensor([[1.0, 1.0], [4.0, -2.0]], requires_grad=True)
    made = quantiser(z)
    assert made.tokens.tolist() == [0, 1]
    assert made.loss.item() == pytest.approx(0.5 * (1 + 1 + 0 + 4) / 4)
    made.loss.backward()
    torch.testing.assert_close(z.grad, 0.5 * 2 * torch.tensor([[1.0, 1.0], [0.0, -2.0]]) / 4)


# --- the codebook ---


@pytest.mark.parametrize("normalise", [False, True])
def test_a_codes_own_vector_is_that_code(normalise):
    quantiser = EMACodebook(normalise=normalise).build(50, 6)
    assert torch.equal(quantiser(quantiser.codebook.clone()).tokens, torch.arange(50))


def test_of_equal_codes_the_first_is_taken():
    quantiser = EMACodebook().build(4, 2)
    quantiser.codebook.copy_(torch.tensor([[9.0, 9.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]]))
    assert quantiser(torch.tensor([[1.1, 0.0]])).tokens.tolist() == [1]


def test_many_vectors_are_compared_piece_by_piece(monkeypatch):
    quantiser = EMACodebook().build(30, 4)
    z = vectors(quantiser)
    whole = quantiser(z).tokens
    exact = (z[:, None].double() - quantiser.codebook.double()).square().sum(-1).argmin(1)
    assert torch.equal(whole, exact)
    monkeypatch.setattr("kinema.codecs.quantise.ROWS", 7)
    assert torch.equal(quantiser(z).tokens, whole)


def test_a_codebook_finds_the_means_of_clusters():
    """Of well separated clusters, k-means' optimum are their means, which are known; it starts with a code nearest to each."""
    means = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0], [-10.0, 5.0]])
    quantiser = EMACodebook(decay=0.9, revive=0.2).build(5, 2)
    draw = rng("clusters")
    quantiser.codebook.copy_(means + 2 * torch.randn(5, 2, generator=draw).clamp(-1, 1))
    quantiser.share.fill_(0.2)
    for _ in range(100):
        which = torch.randint(5, (400,), generator=draw)
        quantiser(means[which] + 0.3 * torch.randn(400, 2, generator=draw), draw)
    nearest = torch.cdist(means, quantiser.codebook).min(1)
    assert sorted(nearest.indices.tolist()) == [0, 1, 2, 3, 4]
    assert float(nearest.values.max()) < 0.03  # 0.3 / sqrt(80 vectors x 19 steps), three times over
    torch.testing.assert_close(quantiser.share, torch.full((5,), 0.2), rtol=0, atol=0.03)
    assert float(quantiser.share.sum()) == pytest.approx(1, abs=1e-4)


def test_the_running_mean_is_that_of_the_paper():
    """N <- d N + (1-d) n and m <- d m + (1-d) sum z, e = m / N (van den Oord et al. 2017, A.1), written out in shares."""
    quantiser = EMACodebook(decay=0.8, revive=0.0).build(2, 1)
    quantiser.codebook.copy_(torch.tensor([[0.0], [10.0]]))
    quantiser.share.copy_(torch.tensor([0.5, 0.5]))
    quantiser(torch.tensor([[1.0], [2.0], [3.0], [12.0]]), rng("paper"))
    share = [0.8 * 0.5 + 0.2 * 3 / 4, 0.8 * 0.5 + 0.2 * 1 / 4]
    mean = [(0.8 * 0.5 * 0 + 0.2 * 6 / 4) / share[0], (0.8 * 0.5 * 10 + 0.2 * 12 / 4) / share[1]]
    assert quantiser.share.tolist() == pytest.approx(share)
    assert quantiser.codebook[:, 0].tolist() == pytest.approx(mean, rel=2e-3)  # the prior's weight is 1e-3


def test_the_first_step_takes_all_codes_from_the_data():
    quantiser = EMACodebook().build(16, 3)
    z = torch.randn(100, 3, generator=rng("first")) + 50
    made = quantiser(z, rng("draw"))
    assert float(made.revived) == 16
    assert (quantiser.codebook - 50).abs().max() < 5


def test_dead_codes_are_revived_and_live_ones_are_not():
    quantiser = EMACodebook(revive=0.1).build(4, 2)
    quantiser.codebook.copy_(torch.tensor([[0.0, 0.0], [5.0, 5.0], [100.0, 100.0], [-100.0, 0.0]]))
    quantiser.share.copy_(torch.tensor([0.6, 0.3, 0.02, 0.1 / 4 - 1e-3]))  # dead is below 0.1 x 1/4
    z = torch.cat([torch.zeros(50, 2), torch.full((50, 2), 5.0)])
    made = quantiser(z, rng("dead"))
    assert float(made.revived) == 2
    assert torch.cdist(quantiser.codebook, z).min(1).values.max() < 1e-3  # all stand where there is data


def test_an_unused_code_stays_where_it_is():
    quantiser = EMACodebook(decay=0.9, revive=0.0).build(2, 1)
    quantiser.codebook.copy_(torch.tensor([[0.0], [10.0]]))
    quantiser.share.fill_(0.5)
    for step in range(250):
        quantiser(torch.zeros(8, 1), rng(step))
    assert float(quantiser.codebook[1]) == pytest.approx(10, abs=1e-3)


@pytest.mark.parametrize("dim", [1, 3])
def test_none_is_revived_after_the_first_step_unless_asked(dim):
    """However small the share of an unused code: 0.5^400 is 0 in 32 bits."""
    quantiser = EMACodebook(decay=0.5, revive=0.0).build(3, dim)
    first = torch.tensor([[0.0], [10.0], [20.0]]).expand(3, dim)
    quantiser(first, rng("first"))
    quantiser.codebook.copy_(first)
    assert sum(float(quantiser(torch.zeros(8, dim), rng(step)).revived) for step in range(400)) == 0
    assert float(quantiser.share[1]) == 0
    torch.testing.assert_close(quantiser.codebook[1:], first[1:], rtol=0, atol=1e-2)


def test_directions_stay_of_length_one():
    quantiser = EMACodebook(normalise=True).build(12, 5)
    for step in range(5):
        made = quantiser(3 * torch.randn(200, 5, generator=rng(step)), rng("n", step))
    ones = torch.ones(12)
    torch.testing.assert_close(quantiser.codebook.norm(dim=1), ones)
    torch.testing.assert_close(made.vectors.norm(dim=1), torch.ones(200))


def test_learning_is_a_function_of_the_generator():
    def learnt(key):
        torch.manual_seed(0)
        quantiser = EMACodebook().build(10, 3)
        quantiser(torch.randn(50, 3, generator=rng("z")), rng(key))
        return quantiser.codebook

    assert torch.equal(learnt(0), learnt(0))
    assert not torch.equal(learnt(0), learnt(1))


@pytest.mark.parametrize("fields", [{"decay": 1.0}, {"decay": 0.0}, {"commitment": -1.0}, {"revive": 1.0}, {"revive": float("nan")}])
def test_impossible_codebooks_are_refused(fields):
    with pytest.raises(UserError, match="EMACodebook: "):
        EMACodebook(**fields)


# --- the grid ---


@pytest.mark.parametrize("levels", [(3,), (2, 2), (8, 5, 5, 5), (4, 3, 7, 2)])
def test_tokens_and_vectors_of_a_grid_are_one_to_one(levels):
    codes = math.prod(levels)
    grid = FSQ(levels).build(codes, 0)
    every = torch.arange(codes)
    assert torch.equal(grid.index(grid.lookup(every)), every)
    assert grid.lookup(every).abs().max() <= 1


@pytest.mark.parametrize("levels", [2, 3, 4, 5, 8])
def test_every_level_is_reached_and_none_beyond(levels):
    grid = FSQ((levels,)).build(levels, 1)
    tokens = grid(torch.linspace(-9, 9, 4001)[:, None]).tokens
    assert torch.equal(tokens.unique(), torch.arange(levels))
    assert (tokens.diff() >= 0).all()  # more is more
    at_zero = grid(torch.zeros(1, 1)).vectors.abs()
    assert float(at_zero) == 0  # half-way: the middle of an odd number, the upper of an even number's two


def test_a_grid_of_other_codes_is_refused():
    with pytest.raises(UserError, match=r"levels \(8, 5\) make 40 codes, and the codec has codes=41"):
        VQ(codes=41, widths=(8,), quantiser=FSQ((8, 5))).build()
    for levels in ((), (1, 3)):
        with pytest.raises(UserError, match="at least 2 values"):
            FSQ(levels)


# --- the codec ---


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
@pytest.mark.parametrize("stride", [8, 16, 32])
def test_every_named_size_takes_frames(name, stride):
    with torch.device("meta"):
        codec = VQ.size(name, stride=stride, codes=64).build()
        z = codec.embed(torch.empty(2, 3, 3, 64, 32))
        assert z.shape == (2, 3, 64 // stride, 32 // stride, 32)
        assert codec.pixels(z).shape == (2, 3, 3, 64, 32)


def test_sizes_grow_and_unknown_ones_are_refused():
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in VQ.size(name).build().parameters()) for name in ("tiny", "small", "base")]
    assert sizes == sorted(sizes)
    assert sizes[0] < 2e6
    with pytest.raises(UserError, match="there is no size 'huge'; there are tiny, small, base"):
        VQ.size("huge")


@pytest.mark.parametrize("stride", [0, -8, 6])
def test_sizes_of_impossible_strides_are_refused(stride):
    with pytest.raises(UserError, match=f"VQ: stride must be one of 4, 8, 16, 32, got {stride}"):
        VQ.size("base", stride=stride)


@pytest.mark.parametrize(
    "fields",
    [{"stride": 6}, {"stride": 4, "widths": (8,) * 4}, {"widths": ()}, {"widths": (8, 0)}, {"dim": 0}, {"blocks": 0}, {"codes": 1}],
)
def test_impossible_tokenisers_are_refused(fields):
    with pytest.raises(UserError, match="VQ: "):
        VQ(**fields)


def test_many_frames_are_encoded_piece_by_piece(monkeypatch):
    torch.manual_seed(0)
    codec = VQ(stride=4, codes=30, dim=4, widths=(8,)).build().eval().requires_grad_(False)
    batch = Clip(rgb=torch.rand(2, 5, 3, 8, 12, generator=rng("clip")), fps=8.0, batched=True)
    tokens = codec.encode(batch)
    rgb = codec.decode(tokens, fps=8.0, dt=0.1).rgb
    monkeypatch.setattr("kinema.codecs.vq.FRAMES", 3)
    assert torch.equal(codec.encode(batch).data, tokens.data)
    torch.testing.assert_close(codec.decode(tokens, fps=8.0, dt=0.1).rgb, rgb, rtol=0, atol=1e-5)


def test_half_precision_around_a_codec_changes_no_token():
    torch.manual_seed(0)
    codec = VQ(stride=4, codes=512, dim=4, widths=(16, 16)).build().eval().requires_grad_(False)
    batch = Clip(rgb=torch.rand(2, 4, 3, 32, 32, generator=rng("half")), fps=8.0, batched=True)
    others = torch.rand(2, 4, 3, 32, 32, generator=rng("others"))
    codec.quantiser.codebook.copy_(codec.embed(others).flatten(0, -2))  # so that many codes are in use
    tokens = codec.encode(batch).data
    assert len(tokens.unique()) > 100
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(codec.encode(batch).data, tokens)
        assert not torch.equal(codec.quantise(codec.embed(batch.rgb)).tokens, tokens)  # those of an encoder in half precision


def test_a_small_codec_learns_to_tell_pictures_apart():
    """Eight pictures of one colour each, 16 codes: reconstruction ends near the pictures, and the gradient got to the encoder."""
    torch.manual_seed(0)
    codec = VQ(stride=4, codes=16, dim=4, widths=(16,)).build().train()
    colours = torch.tensor([[r, g, b] for r in (0.1, 0.9) for g in (0.1, 0.9) for b in (0.1, 0.9)])
    rgb = colours[:, None, :, None, None].expand(8, 1, 3, 8, 8).contiguous()
    optimizer = torch.optim.Adam(codec.parameters(), lr=5e-3)
    draw = rng("learn")
    for _ in range(80):
        made = codec.quantise(codec.embed(rgb), update=draw)
        loss = (codec.pixels(made.vectors) - rgb).square().mean() + made.loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        assert float((codec.eval().reconstruct(rgb) - rgb).abs().mean()) < 0.05
    assert float(codec.usage.sum()) == pytest.approx(1 - 0.99**80, abs=1e-3)


def test_it_learns_without_data_too():
    with FakeTensorMode(allow_non_fake_inputs=True):
        codec = VQ(stride=4, codes=16, dim=4, widths=(8,)).build()
        made = codec.quantise(codec.embed(torch.empty(2, 3, 3, 8, 8)), update=torch.Generator())
        codec.pixels(made.vectors).sum().backward()
    assert made.tokens.shape == (2, 3, 2, 2)

"""Laws of the diffusion transformer."""

import pytest
import torch

from kinema.conditions import Frames
from kinema.core.config import from_json, to_json
from kinema.core.contracts import Space, Value
from kinema.core.errors import UserError
from kinema.models import SIZES, DiT
from kinema.models.attention import SHORT, attention
from kinema.models.rope import rotary_3d, rotate, sinusoids, sinusoids_3d, split_head

C, T, H, W = 4, 3, 4, 6
TINY = DiT(layers=2, hidden=24, heads=2)


ONE = (Frames(1),)


def network(conditions=ONE, seed=0, **fields):
    """A tiny network whose every weight counts: at the start the gates and the head are 0."""
    torch.manual_seed(seed)
    made = DiT(**{"layers": 2, "hidden": 24, "heads": 2, **fields}).build(Space((1, C, 8, 8)), conditions)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return made


def x(batch=2, t=T, seed=1):
    return torch.randn(batch, t, C, H, W, generator=torch.Generator().manual_seed(seed))


def known(batch=2, t=T, latents=1, seed=2):
    data, mask = torch.zeros(batch, t, C, H, W), torch.zeros(batch, t, 1, 1, 1)
    data[:, :latents] = torch.randn(batch, latents, C, H, W, generator=torch.Generator().manual_seed(seed))
    mask[:, :latents] = 1
    return Value(data, torch.ones(batch, dtype=torch.bool), mask)


@pytest.mark.parametrize(("name", "millions"), [("S", 22.48), ("B", 89.50), ("L", 310.02), ("XL", 456.02)])
def test_sizes_are_the_papers(name, millions):
    """PhyWorld table 1's layout; the counts are those of 16 latent channels and one frames condition."""
    with torch.device("meta"):
        made = DiT.size(name).build(Space((1, 16, 8, 8)), (Frames(1),))
    assert sum(p.numel() for p in made.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)


@pytest.mark.parametrize("name", SIZES)
def test_options_add_no_parameters(name):
    with torch.device("meta"):
        plain = DiT.size(name).build(Space((1, 16, 8, 8)))
        rich = DiT.size(name, positions="rotary+absolute", qk_norm=True, checkpoint=True).build(Space((1, 16, 8, 8)))
    assert plain.state_dict().keys() == rich.state_dict().keys()
    assert from_json(to_json(DiT.size(name))) == DiT.size(name)


@pytest.mark.parametrize(
    "fields", [{"hidden": 25}, {"heads": 0}, {"hidden": 6, "heads": 2}, {"hidden": 8, "heads": 2}, {"patch": 0}, {"positions": "learnt"}]
)
def test_impossible_networks_are_refused(fields):
    with pytest.raises(UserError, match="DiT: "):
        DiT(**{"layers": 2, "hidden": 24, "heads": 2, **fields})
    with pytest.raises(UserError, match="there is no size 'M'; there are pico, nano, S"):
        DiT.size("M")


@pytest.mark.parametrize("shape", [(1, T, C + 1, H, W), (1, T, C, H + 1, W), (1, T, C, H, W - 1)])
def test_latents_of_another_shape_are_refused(shape):
    with pytest.raises(UserError, match=r"takes latents \[b, t, 4, h, w\] with h and w multiples of 2"):
        network()(torch.zeros(shape), torch.ones(1), {})


def test_it_starts_as_nothing():
    torch.manual_seed(0)
    assert not TINY.build(Space((1, C, 8, 8)), (Frames(1),))(x(), torch.rand(2), {"frames": known()}).output.any()


def test_any_number_of_frames_and_any_side():
    made = network()
    for t, h, w in ((1, 2, 2), (5, 4, 2), (2, 8, 6)):
        assert made(torch.zeros(1, t, C, h, w), torch.ones(1), {}).output.shape == (1, t, C, h, w)


def test_one_time_per_clip_is_the_same_time_in_every_frame():
    made, tau = network(), torch.tensor([0.2, 0.9])
    whole = made(x(), tau, {"frames": known()}).output
    framewise = made(x(), tau[:, None].expand(2, T), {"frames": known()}).output
    torch.testing.assert_close(framewise, whole, rtol=1e-5, atol=1e-5)
    other = made(x(), torch.tensor([[0.2, 0.2, 0.5], [0.9, 0.9, 0.9]]), {"frames": known()}).output
    assert not torch.allclose(other[0], whole[0], atol=1e-3)
    torch.testing.assert_close(other[1], whole[1], rtol=1e-5, atol=1e-5)


def test_the_time_matters_and_so_does_the_condition():
    made = network()
    first = made(x(), torch.tensor([0.2, 0.2]), {"frames": known()}).output
    assert not torch.allclose(first, made(x(), torch.tensor([0.3, 0.3]), {"frames": known()}).output, atol=1e-3)
    assert not torch.allclose(first, made(x(), torch.tensor([0.2, 0.2]), {"frames": known(seed=9)}).output, atol=1e-3)


def test_an_absent_condition_is_no_condition():
    made, tau = network(), torch.tensor([0.4, 0.6])
    without = made(x(), tau, {}).output
    assert torch.equal(made(x(), tau, {"frames": known().absent()}).output, without)
    half = Value(known().data, torch.tensor([True, False]), known().mask)
    mixed = made(x(), tau, {"frames": half}).output
    torch.testing.assert_close(mixed[1], without[1], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(mixed[0], made(x(), tau, {"frames": known()}).output[0], rtol=1e-5, atol=1e-5)


def test_what_a_mask_hides_is_not_seen():
    made, value = network(), known()
    noisy = Value(value.data + torch.randn(value.data.shape) * (1 - value.mask), value.present, value.mask)
    tau = torch.tensor([0.4, 0.6])
    assert torch.equal(made(x(), tau, {"frames": value}).output, made(x(), tau, {"frames": noisy}).output)


def test_unknown_conditions_are_refused():
    with pytest.raises(UserError, match="takes the conditions frames; 'text' is not one"):
        network()(x(), torch.ones(2), {"text": known()})

    class Pyramid:
        name, enters = "action", "pyramid"

    with pytest.raises(UserError, match="'action' enters as pyramid"):
        TINY.build(Space((1, C, 8, 8)), (Pyramid(),))


def test_clips_of_a_batch_do_not_meet():
    made, tau = network(), torch.tensor([0.2, 0.9])
    together = made(x(), tau, {"frames": known()}).output
    alone = torch.cat([made(x()[i : i + 1], tau[i : i + 1], {"frames": Value(known().data[i : i + 1], torch.ones(1, dtype=torch.bool),
                                                                         known().mask[i : i + 1])}).output for i in range(2)])  # fmt: skip
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_patches_are_put_back_where_they_were():
    made = network()
    tokens = made._patchify(x())
    assert tokens.shape == (2, T * H // 2 * W // 2, 4 * C)
    assert torch.equal(made._unpatchify(tokens, made._grid(x())), x())
    single = network(patch=1)
    assert torch.equal(single._patchify(x()).reshape(2, T, H, W, C).permute(0, 1, 4, 2, 3), x())


def test_recomputed_activations_change_neither_output_nor_gradients():
    def run(checkpoint):
        made = network(checkpoint=checkpoint).train()
        made(x(), torch.tensor([0.2, 0.9]), {"frames": known()}).output.square().mean().backward()
        return made

    plain, lean = run(False), run(True)
    with torch.no_grad():
        assert torch.equal(plain(x(), torch.ones(2), {}).output, lean(x(), torch.ones(2), {}).output)
    for a, b in zip(plain.parameters(), lean.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None)
        if a.grad is not None:
            assert torch.equal(a.grad, b.grad)


@pytest.mark.parametrize("options", [{}, {"positions": "rotary+absolute", "qk_norm": True}])
def test_bf16_is_close(options):
    made = network(**options)
    plain = made(x(), torch.tensor([0.2, 0.9]), {"frames": known()}).output
    with torch.autocast("cpu", torch.bfloat16):
        half = made(x(), torch.tensor([0.2, 0.9]), {"frames": known()}).output.float()
    assert torch.isfinite(half).all()
    assert (half - plain).square().mean() < 1e-3 * plain.square().mean()


# --- positions ---


def test_rotary_attention_feels_relative_places_alone():
    torch.manual_seed(0)
    dim, grid = 12, (4, 5, 6)
    rotary = rotary_3d(*grid, dim).reshape(2, *grid, dim // 2)
    q, k = torch.randn(1, 1, 1, dim), torch.randn(1, 1, 1, dim)

    def product(a, b):
        turned = [rotate(v, rotary[:, p[0], p[1], p[2]][:, None]) for v, p in ((q, a), (k, b))]
        return (turned[0] * turned[1]).sum()

    here = product((0, 0, 0), (1, 2, 3))
    for shift in ((2, 0, 0), (0, 2, 0), (0, 0, 2), (1, 2, 1)):
        there = product(shift, tuple(a + b for a, b in zip((1, 2, 3), shift, strict=True)))
        torch.testing.assert_close(there, here, rtol=1e-5, atol=1e-5)
    for other in ((2, 2, 3), (1, 3, 3), (1, 2, 4)):
        assert abs(float(product((0, 0, 0), other) - here)) > 1e-3


def test_rotation_keeps_lengths_and_starts_at_nothing():
    rotary = rotary_3d(3, 2, 2, 12)
    v = torch.randn(2, 4, 12, 12)
    torch.testing.assert_close(rotate(v, rotary).norm(dim=-1), v.norm(dim=-1))
    torch.testing.assert_close(rotate(v, rotary)[:, :, 0], v[:, :, 0])


@pytest.mark.parametrize("dim", range(6, 130, 2))
def test_a_head_is_split_evenly(dim):
    parts = split_head(dim)
    assert sum(parts) == dim
    assert all(part % 2 == 0 and part >= 2 for part in parts)
    assert rotary_3d(1, 1, 1, dim).shape == (2, 1, dim // 2)


def test_a_head_of_128_is_split_as_in_wan():
    assert split_head(128) == (44, 42, 42)


def test_a_network_with_rotary_positions_does_not_know_where_its_window_lies():
    made, tau = network(), torch.tensor([0.2, 0.9])
    here = made(x(), tau, {"frames": known()}).output
    grid = (T, H // 2, W // 2)
    table, absolute = made._tables[grid]
    far = rotary_3d(*(n + 3 for n in grid), 12).reshape(2, *(n + 3 for n in grid), 6)
    moved = far[:, 3:, 1 : 1 + grid[1], 2 : 2 + grid[2]].reshape(2, -1, 6)
    assert not torch.allclose(moved, table, atol=0.1)
    made._tables[grid] = (moved, absolute)
    torch.testing.assert_close(made(x(), tau, {"frames": known()}).output, here, rtol=1e-4, atol=1e-4)


def test_absolute_positions_are_felt():
    still = torch.randn(1, 1, C, H, W).expand(1, 5, C, H, W)
    rotary, absolute = (network(conditions=(), positions=p)(still, torch.ones(1), {}).output for p in ("rotary", "rotary+absolute"))
    assert (absolute[:, 0] - absolute[:, 4]).abs().max() > 2 * (rotary[:, 0] - rotary[:, 4]).abs().max()


@pytest.mark.parametrize("dim", [24, 192, 256])
def test_fixed_places_are_all_different(dim):
    places = sinusoids_3d(9, 4, 4, dim)
    assert places.shape == (9 * 16, dim)
    assert torch.cdist(places, places).add(torch.eye(len(places)) * 9).min() > 0.1
    assert places.abs().max() <= 1


def test_times_are_told_apart():
    tau = torch.linspace(0, 1, 101) * 1000
    embedded = sinusoids(tau, 256)
    assert torch.cdist(embedded, embedded).add(torch.eye(101) * 99).min() > 0.5


# --- attention ---


@pytest.mark.parametrize("tokens", [5, SHORT + 1])
@pytest.mark.parametrize("grad", [False, True])
def test_attention_is_attention(tokens, grad):
    torch.manual_seed(0)
    q, k, v = (torch.randn(1, 2, tokens, 8, dtype=torch.float64, requires_grad=grad) for _ in range(3))
    plain = torch.softmax(q @ k.mT / 8**0.5, -1) @ v
    torch.testing.assert_close(attention(q, k, v), plain)
    if grad:
        ours = torch.autograd.grad(attention(q, k, v).square().sum(), (q, k, v))
        for a, b in zip(ours, torch.autograd.grad(plain.square().sum(), (q, k, v)), strict=True):
            torch.testing.assert_close(a, b)


@pytest.mark.parametrize("grad", [False, True])
def test_a_mask_leaves_keys_out(grad):
    torch.manual_seed(0)
    q = torch.randn(2, 2, 9, 8, dtype=torch.float64, requires_grad=grad)
    k, v = torch.randn(2, 2, 2, 4, 8, dtype=torch.float64)
    mask = torch.tensor([[True, True, False, False], [False, True, True, True]])[:, None, None]
    ours = attention(q, k, v, mask)
    for i, kept in enumerate((slice(0, 2), slice(1, 4))):
        torch.testing.assert_close(ours[i], attention(q[i : i + 1], k[i : i + 1, :, kept], v[i : i + 1, :, kept])[0])

"""Laws of STPT: who hears of what, through windows, prompts and pictures."""

from types import SimpleNamespace

import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn import functional as F

from kinema.conditions import Frames, State
from kinema.core.config import from_json, to_json
from kinema.core.contracts import Space, Value
from kinema.core.errors import UserError
from kinema.core.masked import MASK
from kinema.models import STPT
from kinema.models.stpt import SIZES

T, H, W, B, S, CODES = 3, 4, 6, 3, 5, 11
GRID = (T, H, W)


def kind(name, enters, width=0):
    return SimpleNamespace(name=name, enters=enters, width=width, drop=0.1)


TEXT, ACTIONS, STATE, IMAGES = kind("text", "tokens", 7), kind("actions", "frames", 2), State(1), kind("images", "images")
ALL = (Frames(1), TEXT, ACTIONS, STATE, IMAGES)
PRESENT = torch.ones(B, dtype=torch.bool)
TAU = torch.tensor([0.2, 0.5, 0.9])


def network(conditions=(), seed=0, stir=0.15, shape=GRID, **fields):
    """A tiny network whose every weight counts, for `stir` above 0."""
    torch.manual_seed(seed)
    made = STPT(**{"layers": 2, "hidden": 24, "heads": 2, **fields}).build(Space(shape, CODES), conditions)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(stir * torch.randn_like(parameter))
    return made


def still(made):
    """The same network without its convolutions."""
    with torch.no_grad():
        for layer in made.layers:
            layer.convolution.point.weight.zero_()
            layer.convolution.point.bias.zero_()
    return made


def drawn(*shape, seed=3):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def tokens(b=B, grid=GRID, seed=1):
    return torch.randint(MASK, CODES, (b, *grid), generator=torch.Generator().manual_seed(seed))


def text(lengths=(5, 2, 3), seed=3, width=TEXT.width):
    mask = torch.arange(S)[None] < torch.tensor(lengths)[:, None]
    return Value(drawn(B, S, width, seed=seed), PRESENT, mask[..., None])


def actions(seed=4):
    return Value(drawn(B, T, ACTIONS.width, seed=seed), PRESENT)


def images(*which):
    return Value(torch.tensor(which), torch.tensor(which))


def everything():
    return {"text": text(), "actions": actions(), "state": Value(drawn(B, STATE.width), PRESENT), "images": images(False, True, False)}


def said(made, x, conditions=None):
    return made(x, TAU[: len(x)], conditions or {}).output


def close(a, b):
    torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)


def changed(a, b):
    """Which cells [b,t,h,w] have other logits."""
    return (a - b).abs().amax(-1) > 1e-6


def prodded(x, clip, frame, row, column):
    other = x.clone()
    other[clip, frame, row, column] = (other[clip, frame, row, column] + 1) % CODES
    return other


# --- windows ---------------------------------------------------------------------------------------------------------


def window(row, column, partition):
    """The cells [H,W] of a token's window, for a stride of 2."""
    rows, columns = torch.arange(H)[:, None], torch.arange(W)[None]
    if partition == "strided":
        return (rows % 2 == row % 2) & (columns % 2 == column % 2)
    return (rows // (H // 2) == row // (H // 2)) & (columns // (W // 2) == column // (W // 2))


@pytest.mark.parametrize("partition", ["quadrants", "strided"])
@pytest.mark.parametrize("layers", [1, 2])
def test_without_convolution_nothing_leaves_its_window(partition, layers):
    made, x = still(network(layers=layers, partition=partition)), tokens()
    told = changed(said(made, x), said(made, prodded(x, 1, 2, 1, 4)))
    assert torch.equal(told[1], window(1, 4, partition).expand(T, H, W))  # all frames of it
    assert not told[[0, 2]].any()


def test_full_attention_alternation_and_convolution_tell_the_others():
    x = tokens()
    for made in (still(network(layers=1, stride=1)), still(network(layers=2, partition="alternating"))):
        assert changed(said(made, x), said(made, prodded(x, 1, 2, 1, 4)))[1].all()
    one = still(network(layers=1, partition="alternating"))
    assert torch.equal(changed(said(one, x), said(one, prodded(x, 1, 2, 1, 4)))[1], window(1, 4, "quadrants").expand(T, H, W))
    convolved = network(layers=1)
    told = changed(said(convolved, x), said(convolved, prodded(x, 1, 2, 1, 3)))[1]
    assert told[1, 1, 2]  # across the border, but no further: convolution, then windows
    assert torch.equal(told.all(0), torch.ones(H, W, dtype=torch.bool))


@pytest.mark.parametrize("grid", [(2, 3, 5), (3, 1, 1), (1, 5, 4)])
@pytest.mark.parametrize("partition", ["quadrants", "strided"])
@pytest.mark.parametrize("pictures", ["frames", "diagonal"])
def test_awkward_sizes(grid, partition, pictures):
    """Padding changes nothing: one window per token of a padded grid is one per token."""
    made = network((IMAGES,), shape=grid, partition=partition, pictures=pictures, stride=2)
    x = tokens(2, grid)
    out = said(made, x, {"images": images(True, False)})
    assert out.shape == (2, *grid, CODES)
    out.sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


def test_a_window_is_attention_by_hand():
    """One head of eq. 3 on the second quadrant, in double precision."""
    made = still(network(layers=1, heads=1, qk_norm=False)).double()
    layer, x = made.layers[0], drawn(1, T, H, W, 24).double()
    inside = F.layer_norm(x, (24,))[:, :, : H // 2, W // 2 :].reshape(-1, 24)
    q, k, v = (inside @ layer.qkv.weight.T + layer.qkv.bias).chunk(3, -1)
    expected = torch.softmax(q @ k.T / 24**0.5, -1) @ v @ layer.proj.weight.T + layer.proj.bias
    ours = layer._attend(F.layer_norm(x, (24,)), None)[:, :, : H // 2, W // 2 :]
    torch.testing.assert_close(ours.reshape(-1, 24), expected, rtol=1e-9, atol=1e-9)


def test_skips_join_the_first_half_with_the_second():
    made, x = network(layers=3), tokens()
    plain = said(made, x)
    with torch.no_grad():
        made.skips[0].weight.copy_(torch.cat([torch.zeros(24, 24), torch.eye(24)], 1))
        made.skips[0].bias.zero_()
    past = said(made, x)
    assert changed(plain, past).all()
    with torch.no_grad():  # only what left the first layer reaches the last: nobody hears the middle
        made.layers[1].proj.weight.normal_()
    assert torch.equal(said(made, x), past)
    assert len(network(layers=5, skips=False).skips) == 0
    fresh, without = network(layers=4, stir=0), network(layers=4, stir=0, skips=False)
    without.load_state_dict(fresh.state_dict(), strict=False)
    close(said(fresh, x), said(without, x))  # it starts as if it had none


# --- tokens ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_a_mask_has_an_embedding_and_no_logit(tied):
    made, x = network(tied=tied), tokens()
    assert said(made, x).shape == (B, T, H, W, CODES)
    with torch.no_grad():
        made.table.weight[CODES].add_(drawn(24))
    other = network(tied=tied)
    assert changed(said(made, x), said(other, x)).any()
    unmasked = x.clamp_min(0)
    assert torch.equal(said(made, unmasked), said(other, unmasked))
    assert not torch.equal(said(made, torch.full_like(x, MASK)), said(other, torch.full_like(x, MASK)))


def test_the_noise_level_is_read_off_the_masks():
    made, x = network(), tokens()
    assert torch.equal(made(x, TAU, {}).output, made(x, 1 - TAU, {}).output)


def test_known_tokens_already_stand_in_x():
    made, x = network((Frames(1),)), tokens()
    known = Value(tokens(seed=9).clamp_min(0), PRESENT, torch.ones(B, T, 1, 1))
    assert torch.equal(said(made, x, {"frames": known}), said(made, x))


def test_a_shorter_clip_takes_the_first_positions():
    made, short = network(), network(shape=(2, H - 1, W))
    with torch.no_grad():
        short.load_state_dict({k: v[:n] if (n := dict(short.named_parameters())[k].shape[0]) else v for k, v in made.state_dict().items()})
    x = tokens(grid=(2, H - 1, W))
    close(said(made, x), said(short, x))
    close(made(x, TAU, {}).features["tokens"], short(x, TAU, {}).features["tokens"])
    with pytest.raises(UserError, match=r"positions of at most \[3, 4, 6\] tokens \(t, h, w\), got \[4, 4, 6\]"):
        said(made, tokens(grid=(4, H, W)))


def test_positions_may_be_kept_for_longer_clips():
    made, longer = network(frames=T + 2), network(shape=(T + 2, H, W), frames=T + 2)
    longer.load_state_dict(made.state_dict())  # one that goes on with longer clips
    assert torch.equal(said(made, tokens()), said(longer, tokens()))
    assert torch.equal(said(made, tokens(grid=(T + 2, H, W))), said(longer, tokens(grid=(T + 2, H, W))))
    assert {k: v.shape for k, v in network(frames=1).state_dict().items()} == {k: v.shape for k, v in network().state_dict().items()}
    with pytest.raises(UserError, match=r"positions of at most \[5, 4, 6\]"):
        said(made, tokens(grid=(T + 3, H, W)))


# --- prompts ---------------------------------------------------------------------------------------------------------


def test_the_action_of_a_frame_is_told_to_that_frame():
    """Cross-attention with the frames as batch (eq. 4): after one layer no other frame has heard of it, after two all have."""
    for layers, heard in ((1, [1]), (2, [0, 1, 2])):
        made, x, value = network((TEXT, ACTIONS), layers=layers), tokens(), actions()
        other = value.data.clone()
        other[2, 1] += 1
        a, b = (said(made, x, {"text": text(), "actions": Value(data, PRESENT)}) for data in (value.data, other))
        told = changed(a, b)
        assert not told[:2].any()
        assert told[2].flatten(1).all(1).nonzero()[:, 0].tolist() == heard
        assert told[2].flatten(1).any(1).nonzero()[:, 0].tolist() == heard


def test_one_set_of_keys_is_what_every_frame_would_have():
    """Words for the whole clip are the same words said to each frame, with actions and a state beside them."""
    made, x, value = network(ALL), tokens(), text()
    each = Value(value.data[:, None].expand(B, T, S, -1).clone(), PRESENT, value.mask[:, None].expand(B, T, S, 1))
    close(said(made, x, everything()), said(made, x, everything() | {"text": each}))
    other = each.data.clone()
    other[1, 2] += 1
    one = network((TEXT, ACTIONS), layers=1)
    told = changed(*(said(one, x, {"text": Value(data, PRESENT, each.mask)}) for data in (each.data, other)))
    assert told[1, 2].all()
    assert not told[[0, 2]].any()
    assert not told[1, :2].any()


@pytest.mark.parametrize("name", ["text", "actions", "state"])
def test_absent_is_not_given_whatever_stands_there(name):
    made, x, value = network((TEXT, ACTIONS, STATE)), tokens(), everything()[name]
    full, without = said(made, x, {name: value}), said(made, x)
    assert changed(full, without).all()
    nothing = Value(value.data * torch.nan, value.present, value.mask).absent()
    close(said(made, x, {name: nothing}), without)
    kept = torch.tensor([True, False, True])
    data = torch.where(kept.reshape(B, *[1] * (value.data.ndim - 1)), value.data, torch.nan)
    mixed = said(made, x, {name: Value(data, kept, value.mask)})
    close(mixed[kept], full[kept])
    close(mixed[~kept], without[~kept])
    made.zero_grad()
    mixed = said(made, x, {name: Value(data, kept, value.mask)})
    mixed.square().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in made.parameters())


def test_padding_is_not_seen():
    made, x, value = network((TEXT, ACTIONS)), tokens(), text()
    full = said(made, x, {"text": value})
    hidden = Value(torch.where(value.mask, value.data, torch.nan), PRESENT, value.mask)
    assert torch.equal(said(made, x, {"text": hidden}), full)
    longer = Value(torch.cat([value.data, drawn(B, 11, 7)], 1), PRESENT, torch.cat([value.mask, torch.zeros(B, 11, 1).bool()], 1))
    close(said(made, x, {"text": longer}), full)
    empty = Value(value.data, PRESENT, torch.zeros_like(value.mask))
    close(said(made, x, {"text": empty}), said(made, x))


def test_frames_without_an_action_of_their_own():
    x, here = tokens(), torch.tensor([True, False, True])[None, :, None].expand(B, T, 1)
    made = network((ACTIONS,), layers=1)
    some = said(made, x, {"actions": Value(torch.where(here, actions().data, torch.nan), PRESENT, here)})
    close(some[:, 1], said(made, x)[:, 1])
    close(some[:, 0], said(made, x, {"actions": actions()})[:, 0])


def test_clips_of_a_batch_do_not_meet():
    made, x, values = network(ALL), tokens(), everything()
    alone = [said(made, x[i : i + 1], {k: v.clips(i, i + 1) for k, v in values.items()}) for i in range(B)]
    close(said(made, x, values), torch.cat(alone))


# --- pictures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dense", [False, True])
@pytest.mark.parametrize("pictures", ["frames", "diagonal"])
def test_pictures_do_not_meet(dense, pictures):
    made, x = network((TEXT, ACTIONS, IMAGES), dense=dense, pictures=pictures, layers=3), tokens()
    values = {"text": text(), "actions": actions(), "images": images(False, True, False)}
    together = said(made, x, values)
    for clip in (0, 1):
        other = x.clone()
        other[clip, 1] = (other[clip, 1] + 1) % CODES
        told = (said(made, other, values) != together).any(-1).flatten(2).any(-1)
        expected = torch.zeros(B, T, dtype=torch.bool)
        expected[clip] = True if clip == 0 else torch.tensor([False, True, False])
        assert torch.equal(told, expected)
    videos = {name: values[name] for name in ("text", "actions")}
    close(together[[0, 2]], said(made, x, videos)[[0, 2]])
    close(said(made, x, {**values, "images": values["images"].absent()}), said(made, x, videos))


def test_a_picture_is_a_clip_of_one_frame():
    """By the other way through the code: the first picture of a sample, alone and taken for a video."""
    made, x = network((IMAGES,), layers=3), tokens()
    together = said(made, x, {"images": images(True, True, True)})
    close(together[:, :1], said(made, x[:, :1]))


def test_diagonal_pictures_hear_of_their_neighbours_by_convolution_alone():
    made, x = still(network((IMAGES,), pictures="diagonal")), tokens()
    value = {"images": images(True, True, True)}
    told = changed(said(made, x, value), said(made, prodded(x, 1, 2, 1, 4), value))
    assert told.nonzero().tolist() == [[1, 2, 1, 4]]


# --- the part --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_counted_by_hand(name):
    shape, codes = (24, 12, 20), 8192
    conditions = (kind("text", "tokens", 1024), kind("actions", "frames", 2))
    for dense in (False, True):
        part = STPT.size(name, dense=dense)
        with torch.device("meta"):
            made = part.build(Space(shape, codes), conditions)
        d, n = part.hidden, part.layers
        convolution = 27 * d * d + d if dense else 27 * d + d * d + d
        layer = convolution + (16 * d * d + 13 * d)  # 4 d^2 of attention, 4 d^2 of cross-attention, 8 d^2 of MLP, and biases
        table = (codes + 1) * d + codes + (0 if part.tied else codes * d)
        prompt = (1024 * d + d) + (2 * d + d + d * d + d) + 2 * d + 2 * d
        whole = n * layer + n // 2 * (2 * d * d + d) + table + sum(shape) * d + 4 * d + prompt
        assert sum(p.numel() for p in made.parameters()) == whole
        if name == "1B":
            assert whole / 1e9 == pytest.approx(2.52 if dense else 1.05, abs=0.01)
    assert from_json(to_json(STPT.size(name))) == STPT.size(name)


def test_every_weight_learns():
    made = network(ALL, layers=4, tied=False)
    values = {name: value.keep(torch.tensor([True, True, False])) for name, value in everything().items()}
    F.cross_entropy(said(made, tokens(), values).flatten(0, 3), tokens(seed=5).clamp_min(0).flatten()).backward()
    assert [name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_a_fresh_network_learns_everywhere_soon():
    """What starts at zero leaves it."""
    made = network((TEXT, ACTIONS), stir=0)
    optimizer = torch.optim.SGD(made.parameters(), lr=0.5)
    for _ in range(3):
        optimizer.zero_grad()
        F.cross_entropy(said(made, tokens(), {"text": text()}).flatten(0, 3), tokens(seed=5).clamp_min(0).flatten()).backward()
        optimizer.step()
    silent = {name for name, p in made.named_parameters() if p.grad is None or not p.grad.any()}
    assert silent <= {"prompt.embed.actions.0.weight", "prompt.embed.actions.0.bias", "prompt.embed.actions.2.weight",
                      "prompt.embed.actions.2.bias", "prompt.nulls.text"}  # fmt: skip


def test_recomputed_activations_change_nothing():
    def run(checkpoint):
        made = network(ALL, checkpoint=checkpoint).train()
        said(made, tokens(), everything()).square().mean().backward()
        return made

    for (key, a), b in zip(run(False).named_parameters(), run(True).parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), key
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-6)


def test_shapes_alone():
    """Nothing depends on what the tensors hold, so that a run can be estimated without data."""
    with FakeTensorMode(allow_non_fake_inputs=True):
        made = STPT(layers=2, hidden=24, heads=2, partition="alternating").build(Space(GRID, CODES), ALL)
        out = said(made, torch.zeros(B, *GRID, dtype=torch.long), everything())
        assert out.shape == (B, *GRID, CODES)
        out.sum().backward()


def test_bf16_is_close():
    made = network(ALL)
    plain = said(made, tokens(), everything())
    for training in (False, True):
        made.requires_grad_(training)
        with torch.autocast("cpu", torch.bfloat16):
            half = said(made, tokens(), everything()).float()
        assert (half - plain).square().mean() < 3e-3 * plain.square().mean()


def test_what_does_not_fit_is_refused():
    made, x = network((TEXT, ACTIONS, STATE)), tokens()
    refused = {
        r"'text' must be tokens \[3, s, 7\] or \[3, 3, s, 7\], got \[3, 5, 4\]": {"text": Value(drawn(B, S, 4), PRESENT)},
        r"'text' must be tokens \[3, s, 7\] or \[3, 3, s, 7\], got \[3, 2, 5, 7\]": {"text": Value(drawn(B, 2, S, 7), PRESENT)},
        r"'actions' must be one vector per frame, \[3, 3, 2\], got \[3, 4, 2\]": {"actions": Value(drawn(B, 4, 2), PRESENT)},
        r"'state' must be vectors \[3, 6\], got \[3, 5\]": {"state": Value(drawn(B, 5), PRESENT)},
        r"takes the conditions text, actions, state; 'images' is not one": {"images": images(True, True, True)},
    }
    for sentence, conditions in refused.items():
        with pytest.raises(UserError, match=sentence):
            said(made, x, conditions)
    for bad in (drawn(B, *GRID), x[:, 0], x[:, :, None]):
        with pytest.raises(UserError, match=r"takes tokens \[b, t, h, w\]"):
            said(made, bad)
    for bad in (x.clamp_min(0) + CODES, x - 2):
        with pytest.raises(UserError, match="codebook has 11 codes"):
            said(made, bad)
    with pytest.raises(UserError, match="needs a codec of tokens"):
        STPT().build(Space((3, 4, 8, 8)))
    with pytest.raises(UserError, match="two conditions named 'text'"):
        network((TEXT, TEXT))
    with pytest.raises(UserError, match="'flow' enters as pyramid"):
        network((kind("flow", "pyramid"),))
    for fields in ({"hidden": 25}, {"stride": 0}, {"partition": "hexagons"}, {"pictures": "none"}, {"heads": 0}, {"frames": -1}):
        with pytest.raises(UserError, match="STPT: "):
            STPT(**fields)
    with pytest.raises(UserError, match=f"no size 'huge'; there are {', '.join(SIZES)}"):
        STPT.size("huge")


def test_it_learns_to_listen():
    """All masked: the text says which of two codes the clip is made of, the actions which frames are inverted."""

    def batch(step, b=16):
        rng = torch.Generator().manual_seed(step)
        word, turned = torch.randint(0, 2, (b,), generator=rng), torch.randint(0, 2, (b, T), generator=rng)
        data = (word[:, None] ^ turned)[..., None, None].expand(b, T, 2, 2)
        here = torch.ones(b, dtype=torch.bool)
        words = Value(F.one_hot(word, 7)[:, None].float(), here)
        return data, {"text": words, "actions": Value(F.one_hot(turned, 2).float(), here)}

    torch.manual_seed(0)
    made = STPT(layers=2, hidden=24, heads=2).build(Space((T, 2, 2), 2), (TEXT, ACTIONS))
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-2)
    for step in range(60):
        data, values = batch(step)
        logits = made(torch.full_like(data, MASK), torch.ones(len(data)), values).output
        F.cross_entropy(logits.flatten(0, 3), data.flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()
    data, values = batch(10**6, b=64)
    with torch.no_grad():
        right = made(torch.full_like(data, MASK), torch.ones(64), values).output.argmax(-1) == data
    assert right.float().mean() > 0.99

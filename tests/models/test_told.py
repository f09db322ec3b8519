"""Laws of what a transformer is told beside the frames: vectors in every layer, of clips or of frames, and tokens by cross-attention."""

from itertools import pairwise

import pytest
import torch

from kinema.conditions import Actions, Frames, Images, State, Text
from kinema.core import Linear
from kinema.core.config import part
from kinema.core.contracts import Context, Latents, Space, Value
from kinema.core.errors import UserError
from kinema.core.rng import torch_stream
from kinema.models import SIZES, DiT
from kinema.objectives import Denoise, Encoded, HighNoise

C, T, H, W, B, S = 4, 3, 4, 6, 3, 5


@part
class Letters:
    """An encoder without a network: a text's letters as one-hot vectors."""

    weights = "none"
    pretrained = False
    width = 26

    def encode(self, text, device="cpu"):
        codes = torch.tensor([ord(c) - 97 for c in text.lower() if c.isalpha()])
        return torch.nn.functional.one_hot(codes, 26).float().to(device)


STATE, TEXT, ACTIONS = State(2), Text(Letters()), Actions()
ALL = (Frames(1), STATE, TEXT, ACTIONS)
KINDS = pytest.mark.parametrize("condition", [STATE, TEXT, ACTIONS], ids=lambda c: c.name)
NEW = ("vectors", "frames", "tokens")  # what a network has for them


def network(conditions=ALL, seed=0, stir=0.2, **fields):
    """A tiny network whose every weight counts, for `stir` above 0."""
    torch.manual_seed(seed)
    made = DiT(**{"layers": 3, "hidden": 24, "heads": 2, **fields}).build(Space((1, C, 8, 8)), conditions)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(stir * torch.randn_like(parameter))
    return made


def drawn(*shape, seed):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def x(b=B):
    return drawn(b, T, C, H, W, seed=1)


TAU = torch.tensor([0.2, 0.5, 0.9])


def told(name, seed=3, b=B, lengths=(5, 2, 3)):
    present = torch.ones(b, dtype=torch.bool)
    if name == "state":
        return Value(drawn(b, STATE.width, seed=seed), present)
    if name == "actions":
        return Value(drawn(b, T, ACTIONS.width, seed=seed), present)
    mask = torch.arange(S)[None] < torch.tensor(lengths[:b])[:, None]
    return Value(drawn(b, S, TEXT.width, seed=seed), present, mask[..., None])


def everything():
    return {name: told(name) for name in ("state", "text", "actions")}


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("qk_norm", [False, True])
def test_what_the_new_layers_cost(name, qk_norm):
    """Counted by hand: an MLP and a map per layer; a projection, an empty token and q, k, v, out per layer."""
    layers, d, _ = SIZES[name]
    with torch.device("meta"):
        told = ((Frames(1),), (Frames(1), STATE), (Frames(1), TEXT), (Frames(1), ACTIONS))
        plain, state, text, actions = (DiT.size(name, qk_norm=qk_norm).build(Space((1, 16, 8, 8)), c) for c in told)
    count = lambda made: sum(p.numel() for p in made.parameters())  # noqa: E731
    assert count(state) - count(plain) == (12 + 1) * d + (layers + 1) * (d * d + d)
    assert count(actions) - count(plain) == (2 + 1) * d + (layers + 1) * (d * d + d)
    assert count(text) - count(plain) == (26 + 1) * d + d + layers * 4 * (d * d + d)


def test_a_network_of_frames_alone_is_what_it_was():
    """Names and first weights of the plain network do not depend on what else there is to be told."""
    plain, rich = network((Frames(1),), stir=0), network(stir=0)
    known = rich.state_dict()
    assert all(torch.equal(value, known[key]) for key, value in plain.state_dict().items())
    assert {key.split(".")[0] for key in known.keys() - plain.state_dict().keys()} == set(NEW)
    assert {key.split(".")[0] for key in plain.state_dict()} == {"embed", "time", "modulation", "blocks", "head"}


@KINDS
def test_it_starts_as_if_there_were_no_condition(condition):
    """With every old weight stirred and every new one as it starts, no value of the condition changes a bit."""
    plain, rich = network((Frames(1),)), network((Frames(1), condition), stir=0)
    rich.load_state_dict(plain.state_dict(), strict=False)
    without = plain(x(), TAU, {}).output
    assert without.abs().mean() > 0.01
    for value in (told(condition.name), told(condition.name, seed=9), told(condition.name).absent()):
        assert torch.equal(rich(x(), TAU, {condition.name: value}).output, without)
    # And it can leave that start: the layers that begin at zero have gradients.
    rich(x(), TAU, {condition.name: told(condition.name)}).output.square().mean().backward()
    last = [p.grad for key, p in rich.named_parameters() if key.startswith(NEW) and p.ndim == 2 and not p.any()]
    assert len(last) == 3  # one per layer
    assert all(gradient.any() for gradient in last)


@KINDS
def test_every_layer_is_told(condition):
    made, value = network((condition,), layers=4), told(condition.name)
    kind = {"vector": made.vectors, "frames": made.frames, "tokens": made.tokens}[condition.enters]
    outputs = [made(x(), TAU, {condition.name: value}).output]
    for layer in kind[condition.name].layers:
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.zero_()
        outputs.append(made(x(), TAU, {condition.name: value}).output)
    assert all(not torch.allclose(a, b, atol=1e-3) for a, b in pairwise(outputs))
    other = told(condition.name, seed=8)
    torch.testing.assert_close(made(x(), TAU, {condition.name: other}).output, outputs[-1])  # no layer listens any more


def test_the_action_of_a_frame_is_added_to_its_tokens():
    """With a map of the last layer that is no zero, and no attention: nothing but that frame changes."""
    made, value = network((ACTIONS,), layers=1), told("actions")
    with torch.no_grad():
        made.blocks[0].proj.weight.zero_()
    other = value.data.clone()
    other[1, 2] += 1
    a, b = (made(x(), TAU, {"actions": Value(data, value.present)}).output for data in (value.data, other))
    changed = (a - b).abs().flatten(2).amax(-1) > 1e-6
    assert changed.nonzero().tolist() == [[1, 2]]
    # A frame without an action of its own is as if there were none, whatever stands there.
    here = torch.tensor([True, False, True])[None, :, None].expand(B, T, 1)
    some = made(x(), TAU, {"actions": Value(torch.where(here, value.data, torch.nan), value.present, here)}).output
    torch.testing.assert_close(some[:, 1], made(x(), TAU, {}).output[:, 1])
    torch.testing.assert_close(some[:, [0, 2]], a[:, [0, 2]])


@KINDS
def test_dropped_is_absent_is_not_given(condition):
    made, value, name = network(), told(condition.name), condition.name
    without = made(x(), TAU, {}).output
    full = made(x(), TAU, {name: value}).output
    assert not torch.allclose(full, without, atol=1e-2)
    torch.testing.assert_close(made(x(), TAU, {name: value.absent()}).output, without, rtol=1e-5, atol=1e-5)
    kept = torch.tensor([True, False, True])
    mixed = made(x(), TAU, {name: value.keep(kept)}).output
    torch.testing.assert_close(mixed[kept], full[kept], rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(mixed[~kept], without[~kept], rtol=1e-5, atol=1e-5)
    noise = Value(value.data * torch.inf, value.present, value.mask).absent()
    if name != "state":  # what stands under an absent text or action does not matter, whatever it is
        torch.testing.assert_close(made(x(), TAU, {name: noise}).output, without, rtol=1e-5, atol=1e-5)


def test_padding_is_not_seen():
    made, value = network(), told("text")
    full = made(x(), TAU, {"text": value}).output
    hidden = Value(torch.where(value.mask, value.data, torch.nan), value.present, value.mask)
    assert torch.equal(made(x(), TAU, {"text": hidden}).output, full)
    more, none = drawn(B, 11, 26, seed=7), torch.zeros(B, 11, 1, dtype=torch.bool)
    longer = Value(torch.cat([value.data, more], 1), value.present, torch.cat([value.mask, none], 1))
    torch.testing.assert_close(made(x(), TAU, {"text": longer}).output, full, rtol=1e-5, atol=1e-5)
    alone = made(x()[1:2], TAU[1:2], {"text": Value(value.data[1:2, :2], value.present[1:2])}).output
    torch.testing.assert_close(alone, full[1:2], rtol=1e-4, atol=1e-5)
    seen = Value(value.data + 0.5, value.present, value.mask)
    assert not torch.allclose(made(x(), TAU, {"text": seen}).output, full, atol=1e-3)


def test_a_text_whose_mask_hides_all_is_absent():
    made, value = network(), told("text")
    empty = Value(value.data, value.present, torch.zeros_like(value.mask))
    assert torch.isfinite(made(x(), TAU, {"text": empty}).output).all()
    torch.testing.assert_close(made(x(), TAU, {"text": empty}).output, made(x(), TAU, {}).output, rtol=1e-5, atol=1e-5)


def test_the_order_of_words_is_the_encoders_business():
    made, value = network(), told("text", lengths=(5, 5, 5))
    order = torch.tensor([3, 1, 4, 0, 2])
    shuffled = Value(value.data[:, order], value.present, value.mask)
    torch.testing.assert_close(made(x(), TAU, {"text": shuffled}).output, made(x(), TAU, {"text": value}).output, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("qk_norm", [False, True])
def test_cross_attention_is_attention(qk_norm):
    """One head per row, by hand, in double precision."""
    made = network((TEXT,), qk_norm=qk_norm).double()
    value = told("text")
    layer, memory, mask = made.tokens["text"](Value(value.data.double(), value.present, value.mask), x().double())[1]
    tokens, d = drawn(B, 7, 24, seed=5).double(), 12
    ours = layer(tokens, memory, mask)
    normal = torch.nn.functional.layer_norm(tokens, (24,))
    for i, length in enumerate((5, 2, 3)):
        words = value.data[i, :length].double() @ made.tokens["text"].embed.weight.T + made.tokens["text"].embed.bias
        mixed = []
        for head in range(2):
            rows = slice(head * d, head * d + d)
            q = normal[i] @ layer.q.weight[rows].T + layer.q.bias[rows]
            places = [slice(start + head * d, start + head * d + d) for start in (0, 24)]
            k, v = (words @ layer.kv.weight[place].T + layer.kv.bias[place] for place in places)
            if qk_norm:
                q, k = (m / m.square().mean(-1, keepdim=True).add(torch.finfo(torch.float64).eps).sqrt() for m in (q, k))
            mixed.append(torch.softmax(q @ k.T / d**0.5, -1) @ v)
        expected = torch.cat(mixed, -1) @ layer.proj.weight.T + layer.proj.bias
        torch.testing.assert_close(ours[i], expected, rtol=1e-8, atol=1e-8)


def test_recomputed_activations_change_nothing():
    def run(checkpoint):
        made = network(checkpoint=checkpoint).train()
        made(x(), TAU, everything()).output.square().mean().backward()
        return made

    plain, lean = run(False), run(True)
    for (key, a), b in zip(plain.named_parameters(), lean.parameters(), strict=True):
        assert (a.grad is None) == (b.grad is None), key
        if a.grad is not None:
            torch.testing.assert_close(a.grad, b.grad, rtol=1e-5, atol=1e-6)
    assert sum(p.grad is not None for key, p in lean.named_parameters() if key.startswith(NEW)) > 20


def test_clips_of_a_batch_do_not_meet():
    made, values = network(), everything()
    together = made(x(), TAU, values).output
    alone = [made(x()[i : i + 1], TAU[i : i + 1], {k: v.clips(i, i + 1) for k, v in values.items()}).output for i in range(B)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_bf16_is_close():
    made = network(qk_norm=True)
    plain = made(x(), TAU, everything()).output
    for training in (False, True):
        made.requires_grad_(training)
        with torch.autocast("cpu", torch.bfloat16):
            half = made(x(), TAU, everything()).output.float()
        assert (half - plain).square().mean() < 2e-3 * plain.square().mean()


def test_what_does_not_fit_is_refused():
    made = network()
    refused = {
        r"'state' must be vectors \[b, 12\], got \[3, 11\]": {"state": Value(torch.zeros(3, 11), told("state").present)},
        r"'text' must be tokens \[b, s, 26\], got \[3, 5, 20\]": {"text": Value(torch.zeros(3, 5, 20), told("state").present)},
        r"takes the conditions frames, state, text, actions; 'words' is not one": {"words": told("state")},
    }
    for sentence, conditions in refused.items():
        with pytest.raises(UserError, match=sentence):
            made(x(), TAU, conditions)
    sentence = r"'actions' must be one vector per frame of the latents, \[3, 3, 2\], got \[3, 4, 2\]"
    with pytest.raises(UserError, match=sentence):
        made(x(), TAU, {"actions": Value(torch.zeros(3, 4, 2), told("state").present)})
    with pytest.raises(UserError, match="'images' enters as images"):
        network((Images(),))
    with pytest.raises(UserError, match="two conditions named 'state'"):
        network((STATE, State(1)))

    class Pyramid:
        name, enters = "flow", "pyramid"

    with pytest.raises(UserError, match="as channels, vector, frames or tokens; 'flow' enters as pyramid"):
        network((Pyramid(),))


@KINDS
def test_it_learns_to_listen(condition):
    """From pure noise, where only the condition knows the sign of the data: told, it is right; wrongly told, wrong; untold, it
    says the mean."""

    def batch(step, b=16):
        sign = torch.randint(0, 2, (b,), generator=torch_stream("signs", step)) * 2 - 1
        if condition.enters == "vector":
            value = condition.take([[[5.0 + 2 * int(s), 5, 0, 0, 1]] for s in sign], b, "cpu")
        elif condition.enters == "frames":
            value = Value(sign.float()[:, None, None].expand(b, 1, 2), torch.ones(b, dtype=torch.bool))
        else:
            value = condition.take(["it is left" if s < 0 else "it is right" for s in sign], b, "cpu")
        return sign.float().reshape(-1, 1, 1, 1, 1).expand(-1, 1, C, 2, 2), value

    torch.manual_seed(0)
    made = DiT(layers=2, hidden=24, heads=2).build(Space((1, C, 8, 8)), (condition,))
    optimizer = torch.optim.AdamW(made.parameters(), lr=1e-2)
    objective = Denoise(path=Linear(), predict="x0", times=HighNoise(terminal=1.0))
    for step in range(90):
        data, value = batch(step)
        given = Encoded(Latents(data), {condition.name: value}, {condition.name: 0.2})
        next(objective.losses(made, given, Context(torch_stream("learn", step), step, 90))).value.backward()
        optimizer.step()
        optimizer.zero_grad()
    data, value = batch("held out", b=64)
    noise = torch.randn(data.shape, generator=torch_stream("noise"))
    swapped = Value(value.data.flip(0), value.present, None if value.mask is None else value.mask.flip(0))
    with torch.no_grad():
        told, wrong, untold = (made(noise, torch.ones(64), {condition.name: v}).output for v in (value, swapped, value.absent()))
    assert float((told - data).square().mean()) < 0.05
    torch.testing.assert_close(wrong.sign(), data.flip(0).sign())
    assert float((untold - data).square().mean()) == pytest.approx(1, abs=0.3)
    assert float(untold.abs().mean()) < 0.6

"""Worlds of tokens edit videos and dream from nothing; the codec a world was trained on is its own."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from kinema import Clip, WorldModel, recipes
from kinema.conditions import Frames
from kinema.core.errors import UserError
from kinema.core.files import make_folder

from .dreamers import SIDE, STRIDE, WINDOW, dreamer, noise


@pytest.fixture(scope="module")
def world():
    return dreamer()


@pytest.fixture
def folder(world, tmp_path):
    world.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def box(*, top=5, left=10, height=9, width=13):
    masked = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    masked[top : top + height, left : left + width] = True
    return masked


FULL = torch.ones(SIDE, SIDE, dtype=torch.bool)


def tokens(world, clip):
    return world.codec.encode(clip if clip.batched else Clip.stack([clip])).data


def same_outside(dream, video, masked):
    outside = (~masked).expand(video.num_frames, SIDE, SIDE)
    return torch.equal(dream.rgb.movedim(1, -1)[outside], video.rgb.movedim(1, -1)[outside])


# --- inpainting ---


@pytest.mark.parametrize("num_frames", [1, 3, 5, 6, 9, 12])
@pytest.mark.parametrize("feather", [0, 3])
def test_what_is_not_masked_comes_back_bit_for_bit(world, num_frames, feather):
    video = noise(num_frames)
    moving = torch.stack([box(top=(3 * k) % 20, left=(5 * k) % 18) for k in range(num_frames)])
    for masked in (box(), moving):
        dream = world.inpaint(video, masked, feather=feather, seed=2)
        assert (dream.rgb.shape, dream.rgb.dtype, dream.fps, dream.dt) == (video.rgb.shape, torch.uint8, video.fps, video.dt)
        assert same_outside(dream, video, masked)
        assert not torch.equal(dream.rgb, video.rgb)
    assert dream.meta["edit"]["task"] == "inpaint"
    assert dream.meta["edit"]["masked"] == pytest.approx(9 * 13 / SIDE**2)


def test_what_is_masked_is_what_the_known_tokens_and_the_network_say(world):
    """Without feather the masked pixels are those of decoded tokens, of which those without a masked pixel are the video's own."""
    video, masked = noise(WINDOW), box(top=8, left=8, height=8, width=16)  # two whole tokens of every frame
    dream = world.inpaint(video, masked, seed=1)
    decoded = []
    codec, decode = world.codec, world.codec.decode
    codec.decode = lambda latents, **rate: decoded.append(latents.data) or decode(latents, **rate)
    try:
        world.inpaint(video, masked, seed=1)
    finally:
        del codec.decode
    (data,) = decoded
    own = tokens(world, video)
    new = torch.zeros(own.shape[1:], dtype=torch.bool)
    new[:, 1, 1:3] = True
    assert torch.equal(data[0][~new], own[0][~new])
    assert not torch.equal(data[0][new], own[0][new])
    rgb = decode(type(codec.encode(Clip.stack([video])))(data), fps=8, dt=1 / 8)[0].rgb
    assert torch.equal(dream.rgb.movedim(1, -1)[:, masked], rgb.movedim(1, -1)[:, masked])


@pytest.mark.parametrize("conditions", [(), (Frames(1, drop=0.5),)])
@pytest.mark.parametrize("num_frames", [2, WINDOW, WINDOW + 4])
def test_a_full_mask_is_a_dream_from_nothing(conditions, num_frames):
    world = dreamer(conditions)
    video = noise(num_frames)
    edited = world.inpaint(video, FULL, seed=4, feather=3)
    first = world.dream(num_frames=min(num_frames, WINDOW), seed=4)
    assert torch.equal(edited.rgb[:WINDOW], first.rgb)
    assert not torch.equal(edited.rgb, world.inpaint(video, FULL, seed=5).rgb)


def test_windows_join(world):
    """Frames of a window that is done do not change when the next goes on from them, and the next sees them."""
    video, masked = noise(9), box()
    long = world.inpaint(video, masked, seed=3)
    short = world.inpaint(video.frames(0, WINDOW), masked, seed=3)
    assert torch.equal(long.rgb[:WINDOW], short.rgb)
    late = torch.zeros(9, SIDE, SIDE, dtype=torch.bool)
    late[6:] = box()
    assert torch.equal(world.inpaint(video, late, seed=3).rgb[:6], video.rgb[:6])


def test_frames_that_are_not_masked_are_given(world):
    """First frames kept and the rest masked is what a dream that continues them is."""
    video = noise(WINDOW)
    masked = torch.ones(WINDOW, SIDE, SIDE, dtype=torch.bool)
    masked[0] = False
    assert torch.equal(world.inpaint(video, masked, seed=6).rgb, world.dream(video, seed=6).rgb)


def test_the_same_seed_gives_the_same_bytes(world, folder):
    video, again = noise(7), WorldModel.from_pretrained(folder)
    for model in (world, again):
        torch.manual_seed(99)
        assert torch.equal(model.inpaint(video, box(), seed=7).rgb, world.inpaint(video, box(), seed=7).rgb)
        assert torch.equal(model.stylize(video, strength=0.5, seed=7).rgb, world.stylize(video, strength=0.5, seed=7).rgb)
    assert not torch.equal(world.inpaint(video, box(), seed=8).rgb, world.inpaint(video, box(), seed=7).rgb)
    assert not torch.equal(world.stylize(video, strength=0.5, seed=8).rgb, world.stylize(video, strength=0.5, seed=7).rgb)


def test_a_batch_is_edited_as_its_clips(world):
    clips = [noise(WINDOW, seed=i) for i in range(3)]
    batch = Clip.stack(clips)
    masks = torch.stack([box(top=3 * i).expand(WINDOW, -1, -1) for i in range(3)])
    dream = world.inpaint(batch, masks, text=["a", "b", "c"], seed=1)
    assert (dream.batched, dream.rgb.shape) == (True, batch.rgb.shape)
    for i in range(3):
        assert same_outside(dream[i], clips[i], masks[i])
    assert torch.equal(dream[0].rgb, world.inpaint(Clip.stack(clips), masks[0], text=["a", "b", "c"], seed=1)[0].rgb)
    assert world.stylize(batch, strength=0.3).rgb.shape == batch.rgb.shape


def test_edits_listen(world):
    video = noise(WINDOW)
    plain = world.inpaint(video, box())
    for told in ({"text": "A red ball."}, {"actions": "left"}, {"text": "A red ball.", "actions": [[3.0, 0.1]] * WINDOW}):
        dream = world.inpaint(video, box(), **told)
        assert not torch.equal(dream.rgb, plain.rgb)
        assert dream.meta["edit"]["told"] == sorted(told)
    assert not torch.equal(world.inpaint(video, box(), text="a", guidance={"text": 3.0}).rgb, world.inpaint(video, box(), text="a").rgb)
    assert not torch.equal(world.stylize(video, text="a").rgb, world.stylize(video, text="b").rgb)


# --- stylisation ---


@pytest.mark.parametrize("strength", [0.1, 0.5, 1.0])
def test_strength_is_the_share_of_the_tokens_that_are_dreamt(world, strength):
    video, drawn = noise(WINDOW), []
    network, forward = world.network, world.network.forward
    network.forward = lambda x, tau, told: drawn.append(x == -1) or forward(x, tau, told)
    try:
        world.stylize(video, strength=strength, seed=1)
    finally:
        del network.forward
    first = drawn[0][0]
    cells = (SIDE // STRIDE) ** 2
    assert (first.sum((1, 2)) == -(-int(strength * cells * 10) // 10)).all()
    assert (first == first[:1]).all()  # the same in all frames


def test_little_strength_changes_little(world):
    video = noise(WINDOW)
    through = (world.codec.reconstruct(Clip.stack([video]).rgb)[0] * 255).round().to(torch.uint8)
    changed = [(world.stylize(video, strength=s, seed=1).rgb != through).float().mean() for s in (0.1, 0.4, 1.0)]
    assert changed[0] < changed[1] < changed[2]


# --- dreams from nothing ---


def test_a_dream_from_words_or_actions_alone(world):
    nothing = world.dream(seed=1)
    assert (nothing.num_frames, nothing.meta["condition_frames"], nothing.meta["dream"]["told"]) == (WINDOW, 0, [])
    for told in ({"text": "A road."}, {"actions": "brake"}, {"actions": [[1.0, 0.2]] * WINDOW}):
        dream = world.dream(seed=1, **told)
        assert not torch.equal(dream.rgb, nothing.rgb)
        assert dream.meta["dream"]["told"] == list(told)
    two = world.dream(seed=1, text=["A road.", "A ball."])
    assert (two.batched, len(two)) == (True, 2)


def test_given_frames_come_back_as_they_were(world):
    video = noise(WINDOW)
    assert torch.equal(world.dream(video, text="a", num_frames=12).rgb[:1], video.rgb[:1])


# --- what is refused ---


def test_an_absurd_edit_is_a_sentence(world):
    video = noise(WINDOW)
    nan = Clip.stack([video])
    nan.rgb[0, 3, 0, 0, 0] = float("nan")
    refused = {
        r"the mask is empty: there is nothing to dream": lambda: world.inpaint(video, ~FULL),
        r"size and the frames of the video, \[32, 32\] or \[5, 32, 32\], got \[3, 32, 32\]": lambda: world.inpaint(
            video, box().expand(3, -1, -1)
        ),
        r"got \[16, 16\]": lambda: world.inpaint(video, box()[:16, :16]),
        r"a mask must be of bool, true where it is to be dreamt, got torch.uint8": lambda: world.inpaint(video, box().byte()),
        r"feather must be 0 px or more, got -1": lambda: world.inpaint(video, box(), feather=-1),
        r"wants frames of 32 x 32 px, got 40 x 32": lambda: world.inpaint(noise(5, width=40), box()),
        r"time step of 0.125 s, the video has 0.2 s": lambda: world.inpaint(video.replace(dt=0.2), box()),
        r"pixels that are not finite": lambda: world.inpaint(nan, box()),
        r"takes the conditions frames, text, actions, not state": lambda: world.inpaint(video, box(), state=[[1.0]]),
        r"no guidance named 'actions'; it has text": lambda: world.inpaint(video, box(), guidance={"actions": 1.0}),
        r"at least 1, got 0": lambda: world.inpaint(video, box(), steps=0),
        r"strength must lie in \(0, 1\], got 0": lambda: world.stylize(video, strength=0.0),
        r"strength must lie in \(0, 1\], got nan": lambda: world.stylize(video, strength=float("nan")),
        r"there is no preset 'fly'; there are keep, left": lambda: world.stylize(video, actions="fly"),
        r"2 texts were given for 1 clips": lambda: world.stylize(video, text=["a", "b"]),
    }
    for sentence, edit in refused.items():
        with pytest.raises(UserError, match=sentence):
            edit()
    world.inpaint(video, np.asarray(box()))  # other arrays will do


def test_models_that_need_frames_refuse_to_do_without():
    world = dreamer((Frames(1),))
    video = noise(WINDOW)
    with pytest.raises(UserError, match="the mask leaves nothing of the video, and this model was never trained without first frames"):
        world.inpaint(video, FULL)
    with pytest.raises(UserError, match="strength 1 leaves nothing of the video"):
        world.stylize(video, strength=1.0)
    with pytest.raises(UserError, match="continues a video: it needs its first 1 frames"):
        world.dream()
    assert same_outside(world.inpaint(video, box()), video, box())


def test_models_of_numbers_cannot_edit():
    blueprint = recipes.planar.tiny().blueprint
    world = WorldModel(blueprint, *blueprint.build())
    clip = Clip(rgb=torch.zeros(8, 3, 16, 16, dtype=torch.uint8), fps=10)
    for edit in (lambda: world.inpaint(clip, torch.ones(16, 16, dtype=torch.bool)), lambda: world.stylize(clip)):
        with pytest.raises(UserError, match="only models of tokens can edit a video"):
            edit()


# --- the codec a world stands on ---


def test_a_tokeniser_that_the_world_was_not_trained_on_is_refused(folder):
    path = folder / "codec.safetensors"
    weights = load_file(path)
    aside = [key for key in weights if key.startswith("decoder.") or key in ("usage", "quantiser.share")]
    assert {"usage", "quantiser.share"} < set(aside)
    save_file({key: value + 0.01 if key in aside else value for key, value in weights.items()}, path)
    WorldModel.from_pretrained(folder)  # its latents are the same
    save_file({key: value + 0.01 if key.startswith("encoder.") else value for key, value in weights.items()}, path)
    with pytest.raises(UserError, match=r"model: this world was trained with another tokeniser than the one in codec\.safetensors"):
        WorldModel.from_pretrained(folder)


def test_the_same_tokeniser_may_be_kept_in_16_bits(world, folder, tmp_path):
    half = make_folder(tmp_path / "half")
    world.save_pretrained(half, half=True)
    small = WorldModel.from_pretrained(half)
    small.save_pretrained(tmp_path / "again")
    WorldModel.from_pretrained(tmp_path / "again")
    (folder / "codec.safetensors").write_bytes((half / "codec.safetensors").read_bytes())
    WorldModel.from_pretrained(folder)


def test_folders_that_do_not_say_are_read_as_before(world, folder):
    path = folder / "model.safetensors"
    save_file(load_file(path), path)
    assert torch.equal(WorldModel.from_pretrained(folder).dream(seed=1).rgb, world.dream(seed=1).rgb)

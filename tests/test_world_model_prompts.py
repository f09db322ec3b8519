"""Dreams from words and actions, in one window and in many; what is refused."""

import numpy as np
import pytest
import torch

from kinema import WorldModel
from kinema.codecs import VAE, Pixels
from kinema.conditions import PRESETS, Actions, Frames, Images, Text
from kinema.core import Clip
from kinema.core.errors import UserError
from kinema.experts import Words
from kinema.models import DiT
from kinema.objectives import Denoise
from kinema.sampling import Euler, Without

from .dreamers import SIDE, TOLD, WINDOW, dreamer, noise

ROWS = [[8.0, 0.02 * k] for k in range(2 * WINDOW - 1)]


@pytest.fixture(scope="module")
def world():
    return dreamer()


def continuous(codec=None, conditions=TOLD):
    """The same told a network of numbers."""
    parts = {"codec": codec or Pixels(patch=8), "model": DiT(layers=2, hidden=32, heads=2), "objective": Denoise(), "sampler": Euler(2)}
    return dreamer(conditions, **parts)


class heard(list):
    """What a model's network is told, call by call."""

    def __init__(self, model):
        forward = model.network.forward

        def noted(x, tau, conditions):
            self.append(dict(conditions))
            return forward(x, tau, conditions)

        model.network.forward = noted


# --- from prompts alone ---


@pytest.mark.parametrize("make", [dreamer, continuous])
@pytest.mark.parametrize("given", [{"text": "a red ball falls"}, {"actions": ROWS[:WINDOW]}, {"text": "a car", "actions": "left"}])
def test_a_dream_from_prompts_alone(make, given):
    world = make()
    dream = world.dream(**given, seed=1)
    assert (dream.rgb.shape, dream.rgb.dtype, dream.batched) == ((WINDOW, 3, SIDE, SIDE), torch.uint8, False)
    assert (dream.meta["condition_frames"], dream.meta["dream"]["told"]) == (0, sorted(given))
    assert torch.equal(world.dream(**given, seed=1).rgb, dream.rgb)
    assert not torch.equal(world.dream(**given, seed=2).rgb, dream.rgb)


def test_what_is_said_makes_a_difference():
    """To the first logits; few of an untrained network's codes hang on them."""
    said = ({}, {"text": "a"}, {"text": "b"}, {"actions": "keep"}, {"actions": "left"}, {"actions": "right"})
    world, first = dreamer(), noise(1)
    logits, forward = [], world.network.forward

    def noted(x, tau, conditions):
        logits.append(forward(x, tau, conditions))
        return logits[-1]

    world.network.forward = noted
    for told in said:
        assert torch.equal(world.dream(first, steps=1, seed=1, **told).rgb[0], first.rgb[0])
    for i, one in enumerate(logits):
        assert all((one.output - other.output).abs().max() > 1e-3 for other in logits[i + 1 :])


def test_lists_give_batches(world):
    texts = ["a red ball", "a car turns left", "a car turns left"]
    batch = world.dream(text=texts, seed=1)
    assert (batch.batched, batch.rgb.shape) == (True, (3, WINDOW, 3, SIDE, SIDE))
    assert len({one.rgb.numpy().tobytes() for one in batch}) == 3  # each has noise of its own
    both = world.dream(text=texts[:2], actions=["left", "right"], seed=1)
    assert len(both) == 2
    assert torch.equal(world.dream(text=texts[0], actions=["left"] * 2).rgb, world.dream(text=[texts[0]] * 2, actions="left").rgb)
    with pytest.raises(UserError, match="2 tables were given for 3 clips"):
        world.dream(text=texts, actions=["left", "right"])


def test_clips_that_are_read_say_the_same_as_their_rows(world):
    table = torch.tensor([[*row, 1.0, 0.0] for row in ROWS[:WINDOW]], dtype=torch.float64)
    clip = noise(WINDOW).replace(actions=table, text="a car")
    said = world.dream(clip, text="a car", actions=table[:, :2], seed=3).rgb
    assert torch.equal(world.dream(clip, text=clip, actions=clip, seed=3).rgb, said)
    assert torch.equal(world.dream(clip, text="a car", actions=table.numpy().astype(np.float32), seed=3).rgb, said)


def test_guidance_by_actions():
    world = dreamer(sources=(Without("actions"),))
    told = heard(world)
    world.dream(actions="left", guidance={"actions": 2.0})
    assert {call["actions"].present.item() for call in told} == {True, False}


# --- longer than a window ---


@pytest.mark.parametrize("make", [dreamer, continuous])
def test_every_window_is_told_its_own_actions(make):
    """A table beside the model's: the motions into the frames that each window dreams."""
    world = make()
    told = heard(world)
    total = len(ROWS)
    dream = world.dream(noise(1), actions=ROWS, text="a car", num_frames=total)
    assert dream.num_frames == total
    steps = len(told) // 2
    first, second = (told[i * steps]["actions"].data[0, :, 1] for i in (0, 1))
    table = torch.tensor(ROWS)[:, 1]
    torch.testing.assert_close(first, torch.stack([table[0], *table[: WINDOW - 1]]))
    torch.testing.assert_close(second, torch.stack([table[WINDOW - 1], *table[WINDOW - 1 : total - 1]]))
    for call in told[1:]:
        assert torch.equal(call["text"].data, told[0]["text"].data)
        assert call["text"].present.all()


def test_the_motion_after_the_last_frame_does_not_matter(world):
    other = [*ROWS[:-1], [0.0, -5.0]]
    first = noise(1)
    assert torch.equal(*(world.dream(first, actions=rows, num_frames=len(ROWS)).rgb for rows in (ROWS, other)))


@pytest.mark.parametrize("name", PRESETS)
def test_presets_go_on_for_as_long_as_the_dream(world, name):
    assert world.dream(noise(1), actions=name, num_frames=3 * WINDOW).num_frames == 3 * WINDOW


def test_latents_of_several_frames_are_told_means():
    world = continuous(VAE(time_stride=4, widths=(8, 8)))
    told = heard(world)
    world.dream(noise(1), actions=ROWS[:WINDOW])
    torch.testing.assert_close(told[0]["actions"].data[0, :, 1], torch.tensor([0.0, 0.03]))  # rows 0, and 0 to 3


@pytest.mark.parametrize("make", [dreamer, continuous])
@pytest.mark.parametrize("given", [{"text": "a red ball falls"}, {"actions": "left"}])
def test_a_dream_from_prompts_alone_goes_on_from_its_own_frames(make, given):
    world = make()
    told = heard(world)
    dream = world.dream(**given, num_frames=WINDOW + 4, seed=1)
    assert (dream.num_frames, dream.meta["condition_frames"]) == (WINDOW + 4, 0)
    steps = len(told) // 2  # two windows, which share one frame
    assert ["frames" in call and bool(call["frames"].present.all()) for call in told] == [False] * steps + [True] * steps
    assert torch.equal(dream.rgb[:WINDOW], world.dream(**given, seed=1).rgb)
    with pytest.raises(UserError, match="cannot go on from 0 given frames"):
        make(conditions=(Text(Words(16), describe="caption", drop=0.5),)).dream(text="a", num_frames=WINDOW + 1)


# --- what is refused ---


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"text": ""}, "text: an empty text was given: leave it out, or say what happens"),
        ({"actions": "fly"}, "actions: there is no preset 'fly'; there are keep, left, right, accelerate, brake"),
        ({"actions": ROWS}, f"actions: {2 * WINDOW - 1} rows were given for a dream of {WINDOW} frames: one for each frame was expected"),
        ({"actions": ROWS[:3]}, f"actions: 3 rows were given for a dream of {WINDOW} frames"),
        ({"actions": ROWS[:WINDOW], "num_frames": WINDOW + 1}, f"actions: {WINDOW} rows were given for a dream of {WINDOW + 1} frames"),
        ({"actions": [[1.0, 2.0, 3.0]] * WINDOW}, r"actions: rows of 2 numbers"),
        ({"actions": [[float("nan"), 2.0]] * WINDOW}, "actions: row 0 holds a number that is not finite"),
        ({"images": True}, "this model takes the conditions frames, text, actions, not images"),
    ],
)
def test_what_is_refused(world, given, sentence):
    with pytest.raises(UserError, match=sentence):
        world.dream(noise(1), **given)


def test_a_model_that_never_lacked_its_actions_asks_for_them():
    strict = dreamer((Frames(1, drop=0.5), Actions(drop=0.0)))
    with pytest.raises(UserError, match="never trained without actions: give it, as actions="):
        strict.dream(noise(1))
    assert strict.dream(actions="brake", num_frames=WINDOW).num_frames == WINDOW


def test_a_condition_of_another_time_step_is_refused():
    with pytest.raises(UserError, match=r"the condition actions has a time step of 0.1 s, the clips one of 0.125 s \(dt\)"):
        dreamer((Frames(1), Actions(dt=0.1)))


# --- saved, and fed with pictures ---


def test_a_model_is_saved_with_the_statistics_of_its_actions(tmp_path):
    conditions = (Frames(1, drop=0.5), Text(Words(32), describe="caption"), Actions(mean=(6.6, -0.02), std=(1.8, 0.24)), Images())
    world = dreamer(conditions)
    world.save_pretrained(tmp_path / "model")
    again = WorldModel.from_pretrained(tmp_path / "model", device="cpu")
    assert again.blueprint.conditions == conditions
    assert again.takes == ("text", "actions")
    assert torch.equal(again.dream(text="a car", actions="left").rgb, world.dream(text="a car", actions="left").rgb)


@pytest.mark.parametrize("make", [dreamer])
def test_videos_and_pictures_in_one_batch(make):
    world = make((*TOLD, Images()))
    nan = torch.full((WINDOW, 4), float("nan"), dtype=torch.float64)
    captions = ("a house", "", "a tree", "a car", "a cat")
    pictures = noise(WINDOW, 1).replace(text="", actions=nan, meta={"images": True, "captions": captions})
    video = noise(WINDOW, 2).replace(text="a car turns", actions=torch.ones(WINDOW, 4, dtype=torch.float64))
    batch = world.blueprint.encode(world.codec, Clip.stack([pictures, video]))
    here = {name: value.present.tolist() for name, value in batch.conditions.items()}
    assert here == {"frames": [True, True], "text": [True, True], "actions": [False, True], "images": [True, False]}
    assert batch.conditions["text"].data.shape[:2] == (2, WINDOW)
    with torch.no_grad():
        logits = world.network(batch.latents.data, torch.full((2,), 0.5), batch.conditions).output
    assert torch.isfinite(logits).all()

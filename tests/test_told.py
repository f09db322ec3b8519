"""Worlds that are told a state and a text: trained, saved, dreaming; what they refuse."""

from dataclasses import replace

import pytest
import torch

from kinema import WorldModel, recipes
from kinema.benchmarks import PhyWorld
from kinema.benchmarks.systems import Model
from kinema.conditions import Frames, State, Text
from kinema.core import Clip
from kinema.core.errors import UserError
from kinema.data import Simulated
from kinema.experts import T5
from kinema.sampling import Without
from kinema.simulators import scenario
from kinema.training import run
from kinema.training.estimate import estimate

ROWS = [[2.0, 5.0, 3.0, 0.0, 1.0], [7.0, 5.0, -2.0, 0.0, 0.8]]


def changed(stage, **fields):
    return replace(stage, blueprint=replace(stage.blueprint, **fields))


def conditions(t5, *, drop=0.1):
    return (Frames(3), State(2, drop=drop), Text(T5(str(t5)), drop=drop))


@pytest.fixture(scope="module")
def stage(tiny_t5):
    data = {name: Simulated(scenario("collision", size=16, num_frames=8), seed=seed) for name, seed in (("data", 0), ("held_out", 9))}
    return changed(replace(recipes.planar.tiny(), **data), conditions=conditions(tiny_t5), sources=(Without("text"), Without("state")))


def stirred(stage):
    """A world model whose every weight counts."""
    torch.manual_seed(0)
    codec, network = stage.blueprint.build()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return WorldModel(stage.blueprint, codec, network, "stirred")


class watched(list):
    """Which conditions were present at every call of a model's network."""

    def __init__(self, model):
        self.model, forward = model, model.network.forward

        def noted(x, tau, conditions):
            self.append({name: value.present.tolist() for name, value in conditions.items()})
            return forward(x, tau, conditions)

        model.network.forward = noted


@pytest.fixture(scope="module")
def world(stage):
    return stirred(stage)


@pytest.fixture(scope="module")
def strict(stage, tiny_t5):
    """A model that was never trained without its state."""
    return stirred(changed(stage, conditions=(Frames(3), State(2, drop=0.0))))


@pytest.fixture(scope="module")
def batch(stage):
    return Clip.stack([stage.held_out[i] for i in range(3)])


# --- training ---


@pytest.mark.parametrize("cache", [False, True])
@pytest.mark.parametrize("precision", ["no", "bf16"])
def test_what_is_told_is_learnt(stage, tmp_path, cache, precision):
    """Every weight that hears of the state or the text has moved, kept latents or not, and the model dreams once it is read back."""
    train = replace(stage.train, steps=3, batch=4, precision=precision, ema=0.0, warmup=0)
    made = replace(stage, cache=cache, train=train, data=replace(stage.data, length=5), metrics=())
    model = WorldModel.from_pretrained(run(made, tmp_path / "run"))
    torch.manual_seed(made.train.seed)
    first = made.blueprint.build()[1].state_dict()
    told = {key: value for key, value in model.network.state_dict().items() if key.startswith(("vectors", "tokens"))}
    still = [key for key, value in told.items() if torch.equal(value, first[key])]
    assert still == []
    assert model.blueprint == made.blueprint
    clip = stage.held_out[0]
    assert torch.equal(model.dream(clip, state=clip, text=clip).rgb[:3], clip.rgb[:3])


def test_kept_latents_do_not_change_what_is_told(stage, tmp_path):
    """In pixels, whose latents 16 bits hold to the last of 8, the same steps end close by."""
    train = replace(stage.train, steps=3, batch=4, ema=0.0)
    both = [replace(stage, cache=cache, train=train, data=replace(stage.data, length=5), metrics=()) for cache in (False, True)]
    ends = [WorldModel.from_pretrained(run(s, tmp_path / str(s.cache))).network.state_dict() for s in both]
    for key, value in ends[0].items():
        torch.testing.assert_close(ends[1][key], value, rtol=1e-2, atol=1e-3)


def test_probes_are_told_too_and_a_run_is_resumed_to_the_same_bytes(stage, tmp_path):
    whole = run(stage, tmp_path / "whole")
    run(stage, tmp_path / "cut")
    for path in (tmp_path / "cut" / "checkpoints").glob("step-000000004/*"):
        path.unlink()
    (tmp_path / "cut" / "checkpoints" / "step-000000004").rmdir()
    for path in (tmp_path / "cut" / "model").iterdir():
        path.unlink()
    (tmp_path / "cut" / "model").rmdir()
    again = run(stage, tmp_path / "cut", resume=True)
    assert (again / "model.safetensors").read_bytes() == (whole / "model.safetensors").read_bytes()
    assert list((tmp_path / "whole" / "dreams").iterdir())


def test_an_estimate_counts_what_is_told(stage):
    plain = changed(stage, conditions=(Frames(3),), sources=())
    rich, poor = estimate(stage), estimate(plain)
    d, layers = 32, 2
    state = (12 + 1) * d + (layers + 1) * (d * d + d)
    text = (16 + 1) * d + d + layers * 4 * (d * d + d)
    assert rich.parameters - poor.parameters == state + text
    assert rich.flops > poor.flops
    assert rich.activations > poor.activations


def test_clips_that_cannot_be_read_are_refused_before_a_folder_is_made(stage, tmp_path):
    for sentence, condition in (
        ("data: state: the model takes at most 1 bodies, got 2", State(1)),
        ("there is no folder '/nowhere', in which a text encoder was expected", Text(T5("/nowhere"))),
    ):
        with pytest.raises(UserError, match=sentence):
            run(changed(stage, conditions=(Frames(3), condition)), tmp_path / "run")
        assert not (tmp_path / "run").exists()


# --- dreaming ---


def test_it_says_what_it_takes(world, strict):
    assert world.takes == ("state", "text")
    assert strict.takes == ("state",)


def test_a_dream_listens(world, batch):
    frames = batch.only("rgb")
    plain = world.dream(frames)
    assert plain.meta["clips"][0]["dream"]["told"] == []
    for told in ({"state": ROWS}, {"text": "A red ball."}, {"state": batch}, {"text": batch}):
        dream = world.dream(frames, **told)
        assert not torch.equal(dream.rgb, plain.rgb)
        assert torch.equal(dream.rgb[:, :3], batch.rgb[:, :3])
        assert dream.meta["clips"][0]["dream"]["told"] == list(told)
    assert not torch.equal(world.dream(frames, state=ROWS).rgb, world.dream(frames, state=ROWS[::-1]).rgb)
    with pytest.raises(UserError, match="empty text was given: leave it out"):
        world.dream(frames, text="")


def test_a_clip_says_what_its_rows_say(world, stage):
    clip = stage.held_out[0]
    first = {key: clip.bodies[key][0] for key in ("position", "velocity", "radius")}
    rows = torch.cat([first["position"], first["velocity"], first["radius"][:, None]], 1)
    assert torch.equal(world.dream(clip, state=clip).rgb, world.dream(clip, state=rows.tolist()).rgb)


def test_clips_of_a_batch_are_told_apart_also_in_pieces(world, stage):
    many = Clip.stack([stage.held_out[i] for i in range(18)])
    together = world.dream(many, state=many, text=many)
    first = {name: Clip.stack([stage.held_out[i] for i in range(16)]) for name in ("frames", "state", "text")}
    assert torch.equal(together.rgb[:16], world.dream(**first).rgb)
    swapped = Clip.stack([stage.held_out[i] for i in [*range(17), 3]])
    other = world.dream(many, state=swapped, text=many).rgb
    torch.testing.assert_close(other[:17], together.rgb[:17], rtol=0, atol=1e-4)
    assert not torch.allclose(other[17], together.rgb[17], atol=1e-3)


def test_guidance_by_what_is_told(world, stage):
    clip = stage.held_out[0]
    plain = world.dream(clip, text=clip).rgb
    assert torch.equal(world.dream(clip, text=clip, guidance={"text": 0.0}).rgb, plain)
    assert not torch.equal(world.dream(clip, text=clip, guidance={"text": 2.0}).rgb, plain)
    with pytest.raises(UserError, match="guidance by 'state' needs that condition; given: frames, text"):
        world.dream(clip, text=clip, guidance={"state": 1.0})


def test_later_windows_go_without_what_tells_of_the_first_frame(world, stage):
    clip = stage.held_out[0]
    long = world.dream(clip, num_frames=13, state=clip, guidance={"state": 1.0})
    assert torch.equal(long.rgb[:8], world.dream(clip, state=clip, guidance={"state": 1.0}).rgb)
    seen = watched(stirred(stage))
    seen.model.dream(clip, num_frames=13, state=clip, text="A red ball.")  # two steps each window
    assert [given["state"] for given in seen] == [[True], [True], [False], [False]]
    assert [given["text"] for given in seen] == [[True], [True], [False], [False]]  # a description of the state is of the first frame too


def test_a_caption_speaks_of_every_window(stage, tiny_t5):
    made = stirred(changed(stage, conditions=(Frames(3), Text(T5(str(tiny_t5)), describe="caption", drop=0.0)), sources=()))
    seen = watched(made)
    made.dream(stage.held_out[0], num_frames=13, text="A collision.")
    assert [given["text"] for given in seen] == [[True]] * 4


def test_what_was_never_lacking_must_be_given(strict, world, batch, stage):
    clip = stage.held_out[0]
    refused = {
        r"was never trained without state: give it, as state=...": (strict, {}),
        r"without state, which tells of the first frame alone: it dreams 8 frames, not 9": (strict, {"state": clip, "num_frames": 9}),
        r"takes the conditions frames, state, not text": (strict, {"state": clip, "text": "a"}),
        r"takes the conditions frames, state, text, not arrows": (world, {"arrows": None}),
        r"takes the conditions frames, state, text, not frame, actions": (world, {"frame": 1, "actions": 2}),
        r"at most 2 bodies, got 3": (world, {"state": [*ROWS, ROWS[0]]}),
        r"text: a text, or a list of one per clip, was expected, got 5": (world, {"text": 5}),
        r"3 states were given for 1 clips": (world, {"state": batch}),
        r"this clip has none; it has rgb": (world, {"text": clip.only("rgb")}),
    }
    for sentence, (model, told) in refused.items():
        with pytest.raises(UserError, match=sentence):
            model.dream(clip, **told)
    assert strict.dream(clip, state=clip).num_frames == 8


def test_benchmarks_tell_a_model_the_truths_state_and_text(strict, world, stage):
    bench = PhyWorld(num=2, laws=("collision",))
    for model, named in ((strict, {"state"}), (world, {"state", "text"})):
        truths = bench.truths("collision", "id", size=16, num_frames=8)
        dreams = Model(model, batch=1).dreams(truths, bench.names("collision", "id"))
        for i, (dream, truth) in enumerate(zip(dreams, truths, strict=True)):
            assert torch.equal(dream.rgb, model.dream(truth, seed=i, **dict.fromkeys(named, truth)).rgb)

"""WorldModel: saved, loaded, dreaming; what it refuses."""

from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from kinema import WorldModel, recipes
from kinema.core import Clip
from kinema.core.errors import UserError
from kinema.core.files import read_json, write_json
from kinema.sampling import Without
from kinema.training import run
from kinema.world_model import find, shipped


@pytest.fixture(scope="module")
def stage():
    stage = recipes.planar.tiny()
    blueprint = replace(stage.blueprint, sources=(Without("frames"),))
    return replace(stage, blueprint=blueprint, train=replace(stage.train, steps=20, lr=1e-2, save_every=20), metrics=())


@pytest.fixture(scope="module")
def trained(stage, tmp_path_factory):
    return run(stage, tmp_path_factory.mktemp("world") / "run")


@pytest.fixture
def folder(trained, tmp_path):
    """A copy that may be damaged."""
    model = WorldModel.from_pretrained(trained)
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture(scope="module")
def world(trained):
    return WorldModel.from_pretrained(trained)


@pytest.fixture(scope="module")
def clip(stage):
    return stage.held_out[0]


@pytest.fixture(scope="module")
def batch(stage):
    return Clip.stack([stage.held_out[i] for i in range(3)])


# --- dreaming ---


def test_it_says_what_it_wants(world):
    assert (world.condition_frames, world.num_frames, world.size, str(world.device)) == (3, 8, 16, "cpu")
    assert not any(p.requires_grad for p in world.codec.parameters())
    assert not world.network.training


def test_a_dream_begins_with_the_given_frames(world, clip, batch):
    dream = world.dream(clip)
    assert (dream.rgb.shape, dream.rgb.dtype, dream.batched) == (clip.rgb.shape, torch.uint8, False)
    assert torch.equal(dream.rgb[:3], clip.rgb[:3])
    assert not torch.equal(dream.rgb[3:], clip.rgb[3:])
    assert dream.meta["condition_frames"] == 3
    many = world.dream(batch)
    assert (many.rgb.shape, many.rgb.dtype, many.batched, len(many)) == (batch.rgb.shape, torch.float32, True, 3)
    assert torch.equal(many.rgb[:, :3], batch.rgb[:, :3])
    assert torch.equal(many[1].rgb[:3], batch[1].rgb[:3])
    assert many[2].meta["condition_frames"] == 3
    assert 0 <= float(many.rgb.min()) <= float(many.rgb.max()) <= 1


def test_the_same_seed_gives_the_same_bytes(world, trained, clip):
    first = world.dream(clip, seed=7).rgb
    torch.manual_seed(99)
    assert torch.equal(world.dream(clip, seed=7).rgb, first)
    assert torch.equal(WorldModel.from_pretrained(trained).dream(clip, seed=7).rgb, first)
    assert not torch.equal(world.dream(clip, seed=8).rgb, first)
    before = torch.get_rng_state()
    world.dream(clip)
    assert torch.equal(torch.get_rng_state(), before)


def test_only_the_condition_frames_are_looked_at(world, clip):
    dream = world.dream(clip).rgb
    dark = clip.rgb.clone()
    dark[3:] = 0
    assert torch.equal(world.dream(clip.replace(rgb=dark)).rgb, dream)
    assert torch.equal(world.dream(clip.frames(0, 3)).rgb, dream)
    dark[:3] = 0
    assert not torch.equal(world.dream(clip.replace(rgb=dark)).rgb[3:], dream[3:])


def test_a_batch_of_one_is_a_single_clip(world, clip):
    single = world.dream(clip, seed=3).rgb
    alone = world.dream(Clip.stack([clip]), seed=3)
    assert torch.equal(alone[0].rgb, single)


def test_clips_of_a_batch_do_not_meet(world, batch):
    """The noise of a clip depends on its place in the batch; what stands in the other places does not matter."""
    together = world.dream(batch, seed=3).rgb
    others = batch.rgb.clone()
    others[1:] = 1.0
    torch.testing.assert_close(world.dream(batch.replace(rgb=others), seed=3).rgb[0], together[0], rtol=0, atol=1e-4)


def test_many_clips_are_dreamt_in_pieces(world, stage):
    many = Clip.stack([stage.held_out[i] for i in range(19)])
    dream = world.dream(many)
    assert len(dream) == 19
    assert torch.equal(dream.rgb[:, :3], many.rgb[:, :3])
    assert torch.equal(dream.rgb[:16], world.dream(many.replace(rgb=many.rgb[:16], meta={})).rgb)


@pytest.mark.parametrize("num_frames", [3, 4, 8, 9, 13, 14, 30])
def test_any_number_of_frames(world, clip, num_frames):
    dream = world.dream(clip, num_frames=num_frames)
    assert dream.num_frames == num_frames
    window = world.dream(clip).rgb
    shared = min(num_frames, 8)
    assert torch.equal(dream.rgb[:shared], window[:shared])  # a longer dream goes on from the shorter one


def test_steps_and_guidance_change_the_dream(world, clip):
    plain = world.dream(clip).rgb
    assert not torch.equal(world.dream(clip, steps=1).rgb, plain)
    assert torch.equal(world.dream(clip, steps=2).rgb, plain)
    assert torch.equal(world.dream(clip, guidance={"frames": 0.0}).rgb, plain)
    guided = world.dream(clip, guidance={"frames": 3.0})
    assert not torch.equal(guided.rgb, plain)
    assert guided.meta["dream"]["guidance"] == {"frames": 3.0}


def test_an_absurd_input_is_a_sentence(world, clip, batch):
    nan = batch.rgb.clone()
    nan[0, 0, 0, 0, 0] = float("nan")
    refused = {
        r"wants the first 3 frames \(0.3 s\) of a video, got an image": (clip.frames(0, 1), {}),
        r"wants the first 3 frames \(0.3 s\) of a video, got 2 frames": (clip.frames(0, 2), {}),
        r"wants frames of 16 x 16 px, got 12 x 16": (clip.replace(rgb=clip.rgb[..., :12]).only("rgb"), {}),
        r"trained on a time step of 0.1 s, the video has 0.2 s": (clip.replace(dt=0.2), {}),
        r"pixels that are not finite": (batch.replace(rgb=nan), {}),
        r"has no rgb": (clip.replace(rgb=None), {}),
        r"needs its first 3 frames": (None, {}),
        r"takes the conditions frames, not text": (clip, {"text": "a ball"}),
        r"no guidance named 'text'; it has frames": (clip, {"guidance": {"text": 1.0}}),
        r"guidance 'frames' must have a finite weight": (clip, {"guidance": {"frames": float("nan")}}),
        r"at least 1 step, got 0": (clip, {"steps": 0}),
        r"a dream of 0 frames cannot begin with 3": (clip, {"num_frames": 0}),
        r"a dream of 2 frames cannot begin with 3": (clip, {"num_frames": 2}),
    }
    for sentence, (frames, options) in refused.items():
        with pytest.raises(UserError, match=sentence):
            world.dream(frames, **options)


# --- folders ---


def test_saved_and_loaded_it_dreams_the_same(world, folder, clip):
    again = WorldModel.from_pretrained(folder)
    assert again.blueprint == world.blueprint
    assert torch.equal(again.dream(clip).rgb, world.dream(clip).rgb)
    assert sorted(path.name for path in folder.iterdir()) == ["blueprint.json", "codec.safetensors", "model.safetensors"]


def test_half_the_bytes_still_dream(world, clip, folder, tmp_path):
    world.save_pretrained(tmp_path / "half", half=True)
    small, large = ((path / "model.safetensors").stat().st_size for path in (tmp_path / "half", folder))
    assert small < 0.6 * large
    assert all(value.dtype == torch.float16 for value in load_file(tmp_path / "half" / "model.safetensors").values())
    loaded = WorldModel.from_pretrained(tmp_path / "half")
    assert all(p.dtype == torch.float32 for p in loaded.network.parameters())
    difference = loaded.dream(clip).rgb.float() - world.dream(clip).rgb.float()
    assert difference.abs().mean() < 2.0


def test_where_there_is_no_model(tmp_path):
    with pytest.raises(UserError, match="there is no model 'nowhere': give a model folder or one that ships"):
        WorldModel.from_pretrained("nowhere")
    with pytest.raises(UserError, match=r"is no model folder: it has no blueprint.json"):
        WorldModel.from_pretrained(tmp_path)


def test_a_codec_alone_cannot_dream(tmp_path):
    codec = run(recipes.codec.tiny(), tmp_path / "run")
    with pytest.raises(UserError, match="holds a codec alone: it cannot dream"):
        WorldModel.from_pretrained(codec)


@pytest.mark.parametrize("file", ["model.safetensors", "blueprint.json"])
@pytest.mark.parametrize("damage", ["cut", "garbage", "gone", "empty"])
def test_a_damaged_file_is_named(folder, file, damage):
    path = folder / file
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"cut": path.read_bytes()[:-100], "garbage": b"\x80\x04" * 100, "empty": b""}[damage])
    with pytest.raises(UserError, match=file.replace(".", r"\.")):
        WorldModel.from_pretrained(folder)


def test_weights_of_another_network_are_refused(folder):
    path = folder / "model.safetensors"
    tensors = load_file(path)
    first = sorted(tensors)[0]
    for wrong in (
        {key: value for key, value in tensors.items() if key != first},
        {**tensors, "more": torch.zeros(1)},
        {**tensors, first: torch.zeros(3, 5, 7)},
    ):
        save_file(wrong, path)
        with pytest.raises(UserError, match=r"model.safetensors: these are the weights of another network \(at '"):
            WorldModel.from_pretrained(folder)


@pytest.mark.parametrize(
    ("place", "value", "sentence"),
    [
        (("model",), {"part": "os.system"}, "kinema has no part named 'os.system'"),
        (("model",), {"part": "training.run"}, "kinema has no part named 'training.run'"),
        (("model",), {"part": "models.DiTNetwork"}, "kinema has no part named 'models.DiTNetwork'"),
        (("codec",), 5, "codec must be a part that has build, got 5"),
        (("objective",), None, "objective must be a part that has build"),
        (("objective",), {"part": "objectives.Reconstruct"}, "objective must be a part that has build, path, predict, got Reconstruct"),
        (("sampler",), {"part": "core.Linear"}, "sampler must be a part that has steps"),
        (("conditions",), [{"part": "sampling.Euler"}], "conditions must be a part that has name, enters, drop, read"),
        (("conditions",), ["frames"], "conditions must be a part that has name, enters, drop, read, got 'frames'"),
        (("sources",), [1], "sources must be a part that has name, without, got 1"),
        (("num_frames",), 0, "num_frames and size must be at least 1"),
        (("dt",), 0, "fps and dt must be above 0"),
        (("conditions", 0, "count"), 8, r"Frames\(8\) leaves nothing to dream in a window of 8 frames"),
        (("model", "layers"), "two", r"model.layers: expected int, got 'two'"),
        (("model", "hidden"), 31, "hidden 31 must split into 2 heads"),
        (("model", "colour"), 1, "has no field 'colour'"),
        (("size",), None, "size: expected int, got None"),
        (("part",), "training.Train", "has no field"),
    ],
)
def test_an_edited_blueprint_is_refused_naming_file_and_field(folder, place, value, sentence):
    data = read_json(folder / "blueprint.json")
    inner = data
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value
    write_json(folder / "blueprint.json", data)
    with pytest.raises(UserError, match=sentence if place[-1] == "count" else rf"blueprint.json.*{sentence}"):
        WorldModel.from_pretrained(folder)


def test_another_part_than_a_blueprint_is_refused(folder):
    write_json(folder / "blueprint.json", {"part": "sampling.Euler"})
    with pytest.raises(UserError, match=r"blueprint.json holds no blueprint"):
        WorldModel.from_pretrained(folder)


@pytest.mark.parametrize("name", shipped())
def test_what_ships_is_whole(name):
    """Every folder that ships has weights that fit, a blueprint, and a card."""
    from kinema.world_model import load_blueprint, load_weights

    where = find(name)
    assert (where / "README.md").read_text().startswith(f"# {name}\n")
    blueprint = load_blueprint(where)
    codec, network = blueprint.build()
    load_weights(codec, where / "codec.safetensors")
    tensors = list(codec.state_dict().values())
    if network is not None:
        load_weights(network, where / "model.safetensors")
        tensors += list(network.state_dict().values())
    assert all(torch.isfinite(value).all() for value in tensors)

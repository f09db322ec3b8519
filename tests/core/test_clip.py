import json
import math

import pytest
import torch
from safetensors.torch import save_file

from kinema.core import AbsentField, Camera, Clip, UserError, as_float, as_uint8
from kinema.core.clip import AXES

SIZES = {"h": 4, "w": 6, "n": 2, "a": 3}


def clip(t=5, n=2, seed=0, fps=10.0, dt=None, times=(0.05, 0.2, 0.31), **fields):
    """A clip with every field; arrays hold random numbers."""
    rng = torch.Generator().manual_seed(seed)
    sizes = {**SIZES, "t": t, "p": t - 1, "n": n}
    arrays = {name: torch.rand([int(a) if a.isdigit() else sizes[a] for a in axes], generator=rng) for name, axes in AXES.items()}
    arrays["rgb"] = as_uint8(arrays["rgb"])
    arrays["segmentation"] = (arrays["segmentation"] * 3).int()
    arrays["occlusion"] = arrays["occlusion"] > 0.5
    made = {
        **arrays,
        "bodies": {"position": torch.rand(t, n, 2, generator=rng, dtype=torch.float64), "mass": torch.rand(t, n, generator=rng)},
        "contacts": {"time": torch.tensor(times, dtype=torch.float64), "bodies": torch.zeros(len(times), 2, dtype=torch.int64)},
        "outcome": {"touched": torch.tensor(True)},
        "camera": Camera.planar(6, 4, 10.0, t),
        "text": "a ball",
        **fields,
    }
    return Clip(fps=fps, dt=dt, meta={"seed": seed, "nested": {"a": [1, 2.5, None]}}, **made)


def same(a, b):
    """Two clips, bit for bit."""
    (x, head), (y, other) = a.to_tensors(), b.to_tensors()
    assert x.keys() == y.keys()
    for name in x:
        assert x[name].dtype == y[name].dtype, name
        assert torch.equal(x[name], y[name]), name
    assert json.loads(head["kinema.clip"]) == json.loads(other["kinema.clip"])


# --- fields ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [*AXES, "bodies", "contacts", "outcome", "camera", "text"])
def test_an_absent_field_is_a_clear_error(name):
    full = clip()
    assert full.has(name)
    without = full.replace(**{name: None})
    assert not without.has(name)
    assert not hasattr(without, name)
    with pytest.raises(AbsentField, match=f"this clip has no {name}; it has "):
        getattr(without, name)


def test_unknown_fields_are_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"'colour'; it may have rgb, depth"):
        Clip(fps=10, colour=torch.zeros(1))
    with pytest.raises(AttributeError):
        _ = clip().colour


@pytest.mark.parametrize("name", AXES)
def test_wrong_axes_are_refused_by_name(name):
    with pytest.raises(UserError, match=name):
        clip(**{name: torch.zeros(2, 2, 2, 2, 2, 2)})
    with pytest.raises(UserError, match=name):
        clip(**{name: "nothing"})


@pytest.mark.parametrize("name", [name for name, axes in AXES.items() if axes[0] in "tp"])
def test_fields_that_disagree_on_time_are_refused(name):
    value = clip().fields[name]
    with pytest.raises(UserError, match=r"t is|t = "):
        clip(**{name: torch.cat([value, value[:1]])})


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"rgb": torch.zeros(5, 1, 4, 6)}, "rgb must have 3 channels"),
        ({"depth": torch.zeros(5, 1, 4, 7)}, "depth .* does not fit"),
        ({"bodies": {"mass": torch.zeros(4, 2)}}, r"bodies\['mass'\]"),
        ({"bodies": {"mass": torch.zeros(5)}}, r"bodies\['mass'\]"),
        ({"contacts": {"point": torch.zeros(2, 2)}}, "contacts must hold their time"),
        ({"camera": Camera.planar(6, 4, 10.0, 4)}, "camera must have poses"),
        ({"rgb": torch.zeros(0, 3, 4, 6)}, "rgb holds nothing: it has 0 frames"),
        ({"rgb": torch.zeros(5, 3, 0, 6)}, "rgb holds nothing: it has 0 pixels"),
    ],
)
def test_wrong_shapes_are_refused(fields, says):
    with pytest.raises(UserError, match=says):
        clip(**fields)


@pytest.mark.parametrize("wrong", [0, -1, math.nan, math.inf])
def test_rates_must_be_positive(wrong):
    with pytest.raises(UserError, match="fps"):
        Clip(fps=wrong)
    with pytest.raises(UserError, match="dt"):
        Clip(fps=1, dt=wrong)


def test_time_step_is_one_over_fps_unless_said():
    assert Clip(fps=5).dt == 0.2
    assert Clip(fps=5, dt=0.1).dt == 0.1


@pytest.mark.parametrize("name", [name for name, axes in AXES.items() if axes[0] in "tp"])
def test_any_field_knows_the_frames(name):
    assert clip(t=7).only(name).num_frames == 7
    assert clip(t=7).only("bodies").num_frames == 7


def test_what_a_clip_does_not_know_is_absent():
    with pytest.raises(UserError, match="aligned with time"):
        _ = Clip(fps=1, text="a").num_frames
    with pytest.raises(UserError, match="pixels"):
        _ = clip().only("bodies").size
    assert clip().size == (4, 6)


# --- time --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("start", "stop"), [(0, 5), (1, 4), (0, 1), (4, 5), (2, None)])
def test_slicing_keeps_every_field_aligned(start, stop):
    full = clip()
    end = 5 if stop is None else stop
    part = full.frames(start, stop)
    assert part.num_frames == end - start
    for name, axes in AXES.items():
        if axes[0] == "t" and name != "tracks":
            assert torch.equal(part.fields[name], full.fields[name][start:end]), name
        if axes[0] == "p":  # what lies between frames k and k+1 stays between them
            assert torch.equal(part.fields[name], full.fields[name][start : end - 1]), name
    assert torch.equal(part.tracks, full.tracks[start:end])
    assert torch.equal(part.bodies["position"], full.bodies["position"][start:end])
    assert torch.equal(part.camera.pose, full.camera.pose[start:end])
    assert part.text == full.text


def test_slicing_keeps_the_contacts_inside_at_their_new_times():
    part = clip(times=(0.05, 0.2, 0.31, 0.4)).frames(1, 4)  # 0.1 s to 0.3 s
    torch.testing.assert_close(part.contacts["time"], torch.tensor([0.1], dtype=torch.float64))
    assert len(part.contacts["bodies"]) == 1


def test_slices_of_slices_add_up():
    same(clip().frames(1).frames(1, 3), clip().frames(2, 4))


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (3, 3), (4, 2), (0, 6), (5, None)])
def test_frames_outside_are_refused(start, stop):
    with pytest.raises(UserError, match="a clip of 5 frames"):
        clip().frames(start, stop)


# --- batches -----------------------------------------------------------------------------------------------------------


def crowd():
    """Three clips that differ in bodies and contacts."""
    made = [clip(n=2, seed=0), clip(n=4, seed=1, times=(0.1,)), clip(n=1, seed=2, times=())]
    return [one.replace(tracks=None, track_visible=None, track_ids=None, vertices=None) for one in made]


def test_a_batch_gives_its_clips_back_bit_for_bit():
    clips = crowd()
    batch = Clip.stack(clips)
    assert len(batch) == 3
    for one, other in zip(clips, batch, strict=True):
        same(one, other)


def test_a_batch_pads_and_says_so():
    batch = Clip.stack(crowd())
    assert batch.rgb.dtype == torch.float32
    assert 0 <= batch.rgb.min() <= batch.rgb.max() <= 1
    assert batch.bodies["position"].shape == (3, 5, 4, 2)
    assert batch.bodies["mask"].sum((1, 2)).tolist() == [2 * 5, 4 * 5, 1 * 5]
    assert batch.contacts["mask"].sum(1).tolist() == [3, 1, 0]
    assert batch.text == ["a ball"] * 3
    assert batch.num_frames == 5
    assert batch.size == (4, 6)


def test_a_batch_is_sliced_as_its_clips_are():
    for one, other in zip(crowd(), Clip.stack(crowd()).frames(1, 4), strict=True):
        same(one.frames(1, 4), other)


@pytest.mark.parametrize(
    ("other", "says"),
    [
        (clip(fps=5), "share fps and dt"),
        (clip(dt=0.3), "share fps and dt"),
        (clip(t=4), "differ in the shape of rgb"),
        (clip(depth=None), "same fields"),
        (clip(bodies={"mass": torch.zeros(5, 2)}), "what bodies holds"),
    ],
)
def test_clips_that_do_not_go_together_are_refused(other, says):
    with pytest.raises(UserError, match=says):
        Clip.stack([clip(), other])
    with pytest.raises(UserError, match=r"differ in frames: \[4, 5\]"):
        Clip.stack([clip().only("bodies"), clip(t=4).only("bodies")])
    with pytest.raises(UserError, match="at least one clip"):
        Clip.stack([])


def test_single_and_batch_are_not_confused():
    with pytest.raises(TypeError, match="num_frames"):
        len(clip())
    with pytest.raises(TypeError, match="frames"):
        clip()[0]
    with pytest.raises(UserError, match="rgb"):
        Clip.stack([Clip.stack([clip()])])


def test_pixels_survive_float():
    rgb = torch.arange(256, dtype=torch.uint8)
    assert torch.equal(as_uint8(as_float(rgb)), rgb)
    assert as_uint8(torch.tensor([-0.1, 1.2])).tolist() == [0, 255]


def test_map_reaches_every_array():
    moved = clip().map(torch.Tensor.double)
    assert {array.dtype for array in moved.to_tensors()[0].values()} == {torch.float64}


# --- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [clip(), clip(dt=0.1, fps=5.0), clip(t=1), Clip.stack(crowd()), Clip(fps=3, text="words alone")], ids=str)
def test_files_round_trip_bit_for_bit(made, tmp_path):
    made.save(tmp_path / "clip.safetensors")
    back = Clip.load(tmp_path / "clip.safetensors")
    same(made, back)
    assert (back.fps, back.dt, back.batched, back.meta) == (made.fps, made.dt, made.batched, made.meta)


def test_the_same_clip_gives_the_same_bytes(tmp_path):
    for name in "ab":
        clip().save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_fields_that_share_memory_are_saved(tmp_path):
    flow = torch.rand(4, 2, 4, 6)
    made = Clip(fps=1, flow=flow, backward_flow=flow, scene_flow=torch.zeros(1).expand(4, 3, 4, 6))
    made.save(tmp_path / "clip")
    same(made, Clip.load(tmp_path / "clip"))


def test_bad_files_end_in_a_sentence_that_names_them(tmp_path):
    path = tmp_path / "clip.safetensors"
    with pytest.raises(UserError, match=r"clip\.safetensors: cannot be read as a clip"):
        Clip.load(path)
    clip().save(path)
    whole = path.read_bytes()
    for damaged in (b"", b"nothing", whole[: len(whole) // 2], whole[:-1]):
        path.write_bytes(damaged)
        with pytest.raises(UserError, match=r"clip\.safetensors: cannot be read as a clip"):
            Clip.load(path)
    save_file({"rgb": torch.zeros(1, 3, 2, 2)}, path)
    with pytest.raises(UserError, match=r"clip\.safetensors: .*holds no clip"):
        Clip.load(path)
    good = {"fps": 1, "dt": 1, "meta": {}, "batched": False, "text": None}
    wrong = [json.dumps({**good, **change}) for change in ({"fps": "fast"}, {"fps": 0}, {"meta": "abc"}, {})]
    for header in ("{", "{}", "3", *wrong):
        save_file({"rgb": torch.zeros(1, 2, 2, 2)}, path, {"kinema.clip": header})
        with pytest.raises(UserError, match=r"clip\.safetensors: "):
            Clip.load(path)

"""Actions: two numbers per frame, standardised, of the motions into a latent's frames; presets and tables."""

import math

import pytest
import torch

from kinema.codecs import VAE, Pixels
from kinema.conditions import PRESETS, Actions, preset, read_actions
from kinema.core import Clip
from kinema.core.config import from_json, to_json
from kinema.core.errors import UserError

PIXELS = Pixels(patch=8).build()
FITTED = Actions(mean=(7.0, -0.1), std=(2.0, 0.25))
NAN = math.nan


def rows(frames, seed=0):
    """Actions of a clip [frames,4]."""
    return torch.rand(frames, 4, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 4 - 1


def clip(actions, dt=0.125):
    t = len(actions)
    return Clip(fps=8.0, dt=dt, rgb=torch.zeros(t, 3, 8, 8, dtype=torch.uint8), actions=torch.as_tensor(actions, dtype=torch.float64))


def shape(codec, frames):
    return codec.latent_shape(frames, 8, 8)


# --- what is read ---


@pytest.mark.parametrize(("kind", "first"), [("drive", 0), ("camera", 2)])
def test_standardised_rows_read_back_are_the_clips(kind, first):
    condition = Actions(kind=kind, mean=(0.7, -0.1), std=(2.0, 0.25))
    table = rows(6)
    value = condition.read(Clip.stack([clip(table)]), PIXELS, shape(PIXELS, 6))
    assert (value.data.dtype, value.data.shape, value.present.tolist()) == (torch.float32, (1, 6, condition.width), [True])
    back = value.data[0].double() * torch.tensor(condition.std) + torch.tensor(condition.mean)
    torch.testing.assert_close(back[1:], table[:-1, first : first + 2], rtol=0, atol=1e-6)  # frame k is told of the motion into it
    assert torch.equal(back[0], back[1])


def test_fitted_statistics_make_numbers_of_mean_0_and_spread_1():
    clips = [clip(rows(9, seed)) for seed in range(20)]
    for kind in ("drive", "camera"):
        condition = Actions.fitted(clips, kind=kind, drop=0.3)
        assert (condition.kind, condition.drop, condition.dt) == (kind, 0.3, 0.125)
        data = torch.cat([condition.take(one, 1, "cpu").data[0] for one in clips])
        torch.testing.assert_close(data.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
        torch.testing.assert_close(data.std(0, correction=0), torch.ones(2), atol=1e-5, rtol=0)
        assert from_json(to_json(condition)) == condition


def test_fitted_takes_clips_from_the_whole_of_a_dataset_and_passes_over_those_without_actions():
    asked = []

    class Data:
        length = 100

        def __getitem__(self, i):
            asked.append(i)
            return clip(rows(3, i) if i % 20 else torch.full((3, 4), NAN))

    condition = Actions.fitted(Data(), count=10)
    assert asked == list(range(0, 100, 10))
    kept = torch.cat([rows(3, i)[:, :2] for i in range(10, 100, 20)])
    torch.testing.assert_close(torch.tensor(condition.mean, dtype=torch.float64), kept.mean(0))
    Data.length = None
    asked.clear()
    Actions.fitted(Data(), count=4)
    assert asked == [0, 1, 2, 3]


def test_what_statistics_cannot_be_taken_from():
    with pytest.raises(UserError, match="none of the clips has actions"):
        Actions.fitted([clip(torch.full((3, 4), NAN)), clip(rows(3)).only("rgb")])
    with pytest.raises(UserError, match="yaw_rate never changes"):
        Actions.fitted([clip(rows(3) * torch.tensor([1.0, 0, 0, 0]))])
    with pytest.raises(UserError, match=r"differ in their time step: 0.1 s, 0.125 s"):
        Actions.fitted([clip(rows(3)), clip(rows(3), dt=0.1)])


def test_refitted_changes_the_statistics_alone():
    mine = Actions(kind="camera", dt=0.125, drop=0.3)
    clips = [clip(rows(50, seed)) for seed in range(4)]
    made, fitted = mine.refitted(clips), Actions.fitted(clips, kind="camera")
    assert (made.kind, made.dt, made.drop) == ("camera", 0.125, 0.3)
    assert (*made.mean, *made.std) == pytest.approx((*fitted.mean, *fitted.std), rel=1e-5)
    assert made == mine.refitted(clips)
    for others in ([clip(rows(3)).only("rgb")], [clip(torch.full((3, 4), NAN))], [clip(rows(3) * torch.tensor([1.0, 1, 1, 0]))]):
        assert mine.refitted(others) is mine


def test_another_time_step_is_refused():
    other = clip(rows(4), dt=0.1)
    for reading in (lambda: FITTED.take(other, 1, "cpu"), lambda: FITTED.read(Clip.stack([other]), PIXELS, shape(PIXELS, 4))):
        with pytest.raises(UserError, match=r"made for a time step of 0.125 s, the clip has 0.1 s"):
            reading()


@pytest.mark.parametrize("hole", ["all", "a row", "a number"])
def test_missing_actions_are_absent_and_no_nan_leaks(hole):
    broken = rows(4)
    broken[{"all": slice(None), "a row": 2, "a number": (1, 1)}[hole]] = NAN
    value = FITTED.read(Clip.stack([clip(rows(4)), clip(broken)]), PIXELS, shape(PIXELS, 4))
    assert value.present.tolist() == [True, False]
    assert torch.isfinite(value.data).all()
    assert not value.data[1].any()
    assert value.data[0].any()


def test_only_the_columns_of_its_kind_count():
    table = rows(4)
    table[:, 2:] = NAN
    batch = Clip.stack([clip(table)])
    assert FITTED.read(batch, PIXELS, shape(PIXELS, 4)).present.all()
    assert not Actions(kind="camera").read(batch, PIXELS, shape(PIXELS, 4)).present.any()
    with pytest.raises(UserError, match="camera actions are columns 2 and 3 of a clip's, and this clip has 2"):
        Actions(kind="camera").take(clip(rows(4)[:, :2]), 1, "cpu")
    with pytest.raises(UserError, match="read from a clip's actions, and this clip has none; it has rgb"):
        FITTED.take(clip(rows(4)).only("rgb"), 1, "cpu")


# --- latents of several frames, windows ---


def test_latents_of_four_frames_are_told_the_mean_of_the_motions_into_them():
    codec = VAE(time_stride=4, widths=(16, 16)).build()
    table = torch.stack([torch.arange(9.0), torch.zeros(9)], 1)
    value = Actions().window(Actions().take(table, 1, "cpu"), 0, codec, (3,))
    assert value.data[0, :, 0].tolist() == [0.0, 1.5, 5.5]  # into frame 0 none, so row 0; into frames 1-4 rows 0-3; into 5-8 rows 4-7
    later = Actions().window(Actions().take(table, 1, "cpu"), 4, codec, (2,))
    assert later.data[0, :, 0].tolist() == [4.0, 5.5]


@pytest.mark.parametrize(("window", "given", "count"), [(5, 1, 4), (8, 3, 3), (17, 1, 2)])
def test_windows_tile_the_actions_of_a_long_dream(window, given, count):
    """Every motion into a frame that is dreamt is told once, in its place."""
    total = given + count * (window - given)
    table = rows(total)[:, :2]
    value = Actions().take(table, 1, "cpu")
    told = [Actions().window(value, i * (window - given), PIXELS, shape(PIXELS, window)).data[0] for i in range(count)]
    torch.testing.assert_close(torch.cat([one[given:] for one in told]), table[given - 1 : -1].float())
    assert all(torch.equal(one[0], value.data[0, i * (window - given)]) for i, one in enumerate(told))


def test_past_its_end_the_last_row_holds_on():
    value = Actions().window(Actions().take([[1.0, 0.0], [2.0, 0.5]], 2, "cpu"), 1, PIXELS, shape(PIXELS, 4))
    assert value.data.tolist() == [[[2.0, 0.5]] * 4] * 2


# --- presets ---

GOES = {"keep": (0, 0), "left": (-1, 1), "right": (-1, -1), "accelerate": (1, 0), "brake": (-1, 0)}  # signs of gain and yaw rate


@pytest.mark.parametrize("name", PRESETS)
@pytest.mark.parametrize("frames", [1, 2, 17, 100])
def test_presets_go_where_their_name_says(name, frames):
    table = preset(name, frames)
    assert (table.shape, table.dtype) == ((frames, 2), torch.float64)
    assert torch.isfinite(table).all()
    assert (table[:, 0] >= 0).all()
    assert (table[:, 0] <= 10.5).all()  # m/s, the fastest that Driving goes
    assert (table[:, 1].abs() <= 0.67).all()  # rad/s, the sharpest that it turns
    if frames < 17:
        return
    gain, turned = table[-1, 0] - table[0, 0], table[:-1, 1].sum()
    assert (float(gain.sign()), float(turned.sign())) == GOES[name]
    if frames == 17 and name in ("left", "right"):
        assert 22 < math.degrees(abs(turned) * 0.125) < 46  # as its turns do in 2 s, of which 5 % to 95 % are in there


def test_presets_are_of_time_and_not_of_frames():
    for name in PRESETS:
        torch.testing.assert_close(preset(name, 9, dt=0.25), preset(name, 17, dt=0.125)[::2])
        fine, coarse = (Actions(dt=dt).take(name, 1, "cpu").data[0] for dt in (0.125, 0.5))
        assert torch.equal(fine[-1], coarse[-1])  # what holds on
        torch.testing.assert_close(fine[-1], preset(name, 1000)[-1].float())


def test_a_preset_for_a_camera_is_in_steps():
    data = Actions(kind="camera", dt=0.25).take("left", 1, "cpu").data[0]
    torch.testing.assert_close(data, 0.25 * preset("left", len(data), 0.25).float())


# --- what a user gives ---


def test_one_for_all_or_one_for_each():
    table = rows(6)
    for given in (table, table.numpy(), table.tolist(), table[:, :2]):
        value = FITTED.take(given, 3, "cpu")
        assert (value.data.shape, value.present.tolist()) == ((3, 6, 2), [True] * 3)
        back = value.data[2].double() * torch.tensor(FITTED.std) + torch.tensor(FITTED.mean)
        torch.testing.assert_close(back, table[:, :2], rtol=0, atol=1e-6)
        assert FITTED.extent(given) == (0, 6)
    for given in (torch.stack([table, 2 * table]), [table, 2 * table], [table.tolist(), (2 * table).tolist()]):
        value = FITTED.take(given, 2, "cpu")
        torch.testing.assert_close(value.data[1], FITTED.take(2 * table, 1, "cpu").data[0])
        assert FITTED.extent(given) == (2, 6)
    batch = Clip.stack([clip(table), clip(2 * table)])
    assert torch.equal(FITTED.take(batch, 2, "cpu").data, value.data)
    assert (FITTED.take(clip(table), 2, "cpu").data.shape, FITTED.extent(batch)) == ((2, 6, 2), (2, 6))
    assert (FITTED.extent("left"), FITTED.extent(["left", "right"])) == ((0, 0), (2, 0))
    assert FITTED.extent(["left", table]) == (2, 6)
    mixed = FITTED.take([table, "right"], 2, "cpu").data
    torch.testing.assert_close(mixed[0, 5:], FITTED.take(table, 1, "cpu").data[0, 5:].expand(len(mixed[0]) - 5, -1))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("fly", "there is no preset 'fly'; there are keep, left, right, accelerate, brake"),
        (["left", "fly"], "there is no preset 'fly'"),
        (torch.zeros(5, 3), r"rows of 2 numbers \(speed m/s, yaw rate rad/s\), or of 4 .* got a table \[5, 3\]"),
        ([5.0, 0.1], r"rows of 2 numbers"),
        ([], "or a preset .* were expected, got"),
        (7, "got 7"),
        ([[1.0, 2.0], [3.0]], "rows of 2 numbers"),
        ([[8.0, 0.0], [NAN, 0.0]], "row 1 holds a number that is not finite"),
        ([[[8.0, 0.0]], [[8.0, 0.0]]], "2 tables were given for 3 clips: one for all, or one for each"),
    ],
)
def test_what_cannot_be_taken(given, sentence):
    with pytest.raises(UserError, match=f"actions: .*{sentence}"):
        FITTED.take(given, 3, "cpu")


def test_tables_of_different_lengths_are_refused():
    with pytest.raises(UserError, match="differ in length: 4, 6 rows"):
        FITTED.extent([rows(6), rows(4)])


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "fly"}, "kind must be one of drive, camera"),
        ({"mean": (0.0, NAN)}, "mean must be two numbers"),
        ({"std": (1.0, 0.0)}, "std must be two numbers, both above 0"),
        ({"dt": 0.0}, "dt must be above 0 s"),
        ({"drop": 1.0}, r"drop must lie in \[0, 1\)"),
    ],
)
def test_fields_are_checked(fields, sentence):
    with pytest.raises(UserError, match=f"Actions: {sentence}"):
        Actions(**fields)


# --- tables in files ---


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("speed,yaw_rate\n8,0.1\n7.5,-0.2\n", "drive"),
        ("\ufefftime, yaw_rate, speed\r\n0.0, 0.1, 8\r\n\r\n0.1, -0.2, 7.5\r\n", "drive"),
        ("8,0.1\n7.5,-2e-1", "drive"),
        ('yaw,forward\n0.1,"8"\n-0.2,7.5\n', "camera"),
    ],
)
def test_tables_are_read(tmp_path, text, kind):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    table = read_actions(tmp_path / "a.csv", kind)
    assert (table.tolist(), table.dtype) == ([[8.0, 0.1], [7.5, -0.2]], torch.float64)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "it holds no actions; rows of speed and yaw_rate were expected, one per frame"),
        ("speed,yaw_rate\n", "it holds no actions"),
        ("speed,turn\n8,0\n", r"line 1: a column yaw_rate was expected \(speed m/s, yaw rate rad/s\), got speed, turn"),
        ("speed,yaw_rate\n8,0\n\n8,fast\n", "line 4: yaw_rate must be a number, got 'fast'"),
        ("speed,yaw_rate\n8,0\n8,\n", "line 3: yaw_rate must be a number, got ''"),
        ("8,0\nnan,0\n", "line 2: speed must be a number, got 'nan'"),
        ("8,0\n8,0,1\n", "line 2: 2 columns were expected, got 3"),
        ("8,0,1\n", "line 1: 2 columns were expected, got 3"),
    ],
)
def test_what_is_wrong_in_a_file_is_told_with_its_line(tmp_path, text, sentence):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=f"{path}[:,] {sentence}"):
        read_actions(path)
    for absent in (tmp_path / "b.csv", tmp_path):
        with pytest.raises(UserError, match=f"{absent}: cannot be read as a table of actions"):
            read_actions(absent)
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(UserError, match="cannot be read as a table of actions"):
        read_actions(path)

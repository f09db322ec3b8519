"""Judging files: how videos and truths pair up, and what is refused."""

import pytest
import torch

from kinema.benchmarks.score import match, score
from kinema.core import Clip, UserError
from kinema.core.video import write_video
from kinema.data import Simulated, generate, open_dataset
from kinema.simulators import make, scenario

WORLD = scenario("uniform", size=48, num_frames=16)


@pytest.fixture
def truths():
    return [make(WORLD, 4, i, ("rgb",)) for i in range(3)]


@pytest.fixture
def folder(tmp_path, truths):
    for i, truth in enumerate(truths):
        write_video(tmp_path / f"clip{i}.mp4", truth.rgb, truth.fps)
    return tmp_path


def test_a_perfect_dream_scores_as_the_floor(folder):
    table = score([folder], Simulated(WORLD, seed=4, length=3)).table
    assert table.sources() == ["dream", "textbook", "repeat", "floor"]
    for column in ("velocity", "position", "ssim"):
        dream, floor = (table.figure("uniform", "id", s, column) for s in ("dream", "floor"))
        assert dream.mean == floor.mean
    assert table.figure("uniform", "id", "dream", "psnr").mean == 100.0


def test_videos_pair_by_name_wherever_all_names_are_known(folder):
    truth = open_dataset(folder)
    pairs = match([folder / "clip2.mp4", folder / "clip0.mp4"], truth)
    assert [truth[p.index].meta["file"].endswith(p.file.name) for p in pairs] == [True, True]
    table = score([folder / "clip2.mp4"], truth).table
    assert table.figure("videos", "", "dream", "psnr").mean == 100.0
    assert "1 of 3" in table.notes[0]


def test_a_truth_of_plain_videos_is_parsed_and_has_no_textbook(folder):
    table = score([folder], open_dataset(folder)).table
    assert table.sources() == ["dream", "repeat", "floor"]
    assert table.figure("videos", "", "dream", "velocity").mean == 0.0
    assert table.figure("videos", "", "repeat", "velocity").mean > 1.0


def test_clips_of_a_dataset_go_by_the_names_of_its_shards(tmp_path):
    generate(tmp_path / "d", WORLD, num=3)
    truth = open_dataset(tmp_path / "d", ("rgb",))
    (tmp_path / "dreams").mkdir()
    for name in ("00000002", "000001"):
        write_video(tmp_path / "dreams" / f"{name}.mp4", truth[int(name)].rgb, 10)
    result = score([tmp_path / "dreams"], truth, metrics=["psnr"])
    assert [s.values["psnr"] for s in result.table.samples if s.source == "dream"] == [100.0, 100.0]
    assert (result.protocol["fps"], result.protocol["dt_s"]) == ([10.0], [0.1])


def test_a_column_called_scenario_is_no_law(folder):
    (folder / "metadata.csv").write_text("file_name,scenario,world_width\nclip0.mp4,kitchen,10\n")
    assert score([folder / "clip0.mp4"], open_dataset(folder)).table.sources() == ["dream", "repeat", "floor"]
    (folder / "metadata.csv").write_text("file_name,world_width\nclip0.mp4,wide\n")
    with pytest.raises(UserError, match=r"clip0\.mp4: meta world_width must be"):
        score([folder / "clip0.mp4"], open_dataset(folder))


def test_a_dream_without_its_ball_is_judged_by_a_plain_truth_too(folder, tmp_path, truths):
    blank = truths[1].rgb.clone()
    blank[3:] = 255
    for name, rgb in (("lost", blank), ("never", torch.full_like(blank, 255))):
        (tmp_path / name).mkdir()
        write_video(tmp_path / name / "clip1.mp4", rgb, 10)
        samples = score([tmp_path / name], open_dataset(folder / "clip1.mp4"), metrics=["vanished"]).table.samples
        assert {s.source: s.values["vanished"] for s in samples} == {"dream": 1.0, "repeat": 0.0, "floor": 0.0}
    with pytest.raises(UserError, match=r"never/clip1\.mp4: no ball of a known colour"):
        score([folder / "clip1.mp4"], open_dataset(tmp_path / "never"))


def test_without_a_truth_a_video_is_judged_by_itself(folder, truths):
    half = truths[0].rgb.clone()
    half[8:] = 255
    write_video(folder / "gone.mp4", half, 10)
    result = score([folder])
    by_name = {s.name: s.figures["lost"][1] for s in result.scenes}
    assert result.scenes[0].name == "gone"
    assert by_name["gone"] == 0.5
    assert by_name["clip1"] == 0.0
    assert {c.name for c in result.table.columns} == {"lost", "new", "radius_drift", "momentum_drift", "energy_drift"}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.frames(0, 12), "clip1.mp4: has 12 frames, its truth 16"),
        (lambda c: c.replace(rgb=c.rgb[..., :40], camera=None), "clip1.mp4: has 40 x 48 px, its truth 48 x 48"),
        (lambda c: c.replace(fps=5.0, dt=0.2), "clip1.mp4: its time step is 0.2 s"),
    ],
)
def test_what_does_not_fit_is_named(folder, truths, change, message):
    changed = change(truths[1].only("rgb"))
    write_video(folder / "clip1.mp4", changed.rgb, changed.fps)
    with pytest.raises(UserError, match=message):
        score([folder], Simulated(WORLD, seed=4, length=3))


def test_counts_and_names_that_do_not_pair_up_are_refused(folder):
    with pytest.raises(UserError, match="3 videos, 5 true clips"):
        score([folder], Simulated(WORLD, seed=4, length=5))
    with pytest.raises(UserError, match="named twice"):
        score([folder, folder / "clip0.mp4"])


def test_questions_without_an_answer_are_refused(folder, tmp_path, truths):
    with pytest.raises(UserError, match="velocity need a truth"):
        score([folder], metrics=["velocity"])
    with pytest.raises(UserError, match="no such file"):
        score([folder / "nothing.mp4"])
    with pytest.raises(UserError, match="16 frames, but --given says that 16"):
        score([folder], given=16)
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(UserError, match=r"text\.mp4"):
        score([tmp_path / "text.mp4"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no video"):
        score([tmp_path / "empty"])
    grey = tmp_path / "grey.mp4"
    write_video(grey, torch.full((5, 3, 32, 32), 90, dtype=torch.uint8), 10)
    with pytest.raises(UserError, match=r"grey\.mp4: .*white ground"):
        score([grey])


def test_pictures_alone_need_no_balls(tmp_path):
    grey = Clip(rgb=torch.randint(0, 255, (5, 3, 32, 32), dtype=torch.uint8), fps=10)
    write_video(tmp_path / "grey.mp4", grey.rgb, 10)
    table = score([tmp_path / "grey.mp4"], open_dataset(tmp_path), metrics=["psnr", "ssim"]).table
    assert table.figure("videos", "", "dream", "psnr").mean == 100.0


def test_a_video_says_how_many_frames_were_given(tmp_path):
    rgb = make(scenario("uniform", size=32, num_frames=12), 5, 0, ("rgb",)).rgb
    for name, given in (("a", 5), ("b", 5), ("c", None)):
        write_video(tmp_path / f"{name}.mp4", rgb, 10, given=given)
    assert score([tmp_path / "a.mp4", tmp_path / "b.mp4"]).protocol["condition_frames"] == 5
    assert score([tmp_path / "a.mp4"], given=2).protocol["condition_frames"] == 2
    assert score([tmp_path / "c.mp4"]).protocol["condition_frames"] == 3
    with pytest.raises(UserError, match="different numbers of frames"):
        score([tmp_path])

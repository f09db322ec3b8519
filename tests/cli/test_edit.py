"""`kinema edit` and `kinema dream` with words, actions and pictures: what they write, and the sentence for every mistake."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from kinema import Clip, WorldModel, cli
from kinema.conditions import Frames
from kinema.core.video import fit, read_video, write_png, write_video
from kinema.simulators import make, scenario

from ..dreamers import SIDE, TOLD, WINDOW, dreamer, noise

Run = Any


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A model that may be told anything or nothing, one that needs its first frame, and one that is told words alone."""
    root = tmp_path_factory.mktemp("models")
    for name, conditions in (("free", TOLD), ("strict", (Frames(1),)), ("words", TOLD[1:2])):
        dreamer(conditions).save_pretrained(root / name)
    return {name: str(root / name) for name in ("free", "strict", "words")}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """A video, a wide one that is too large and too fast, masks for both, and actions."""
    write_video(tmp_path / "video.mp4", noise(7).rgb, 8)
    write_video(tmp_path / "wide.mp4", noise(22, height=48, width=64).rgb, 24)
    masks = {"mask": (SIDE, SIDE), "wide-mask": (48, 64), "empty": (SIDE, SIDE)}
    for name, (height, width) in masks.items():
        picture = torch.zeros(3, height, width)
        if name != "empty":
            picture[:, 10:20, 20:30] = 1
        write_png(tmp_path / f"{name}.png", picture)
    for name, frames in (("moving", 7), ("short", 3)):
        moving = torch.zeros(frames, 3, SIDE, SIDE, dtype=torch.uint8)
        for k in range(frames):
            moving[k, :, k : k + 6, 8:16] = 255
        write_video(tmp_path / f"{name}.mp4", moving, 8)
    write_png(tmp_path / "picture.png", noise(1, height=40, width=50).rgb[0].float() / 255)
    (tmp_path / "drive.csv").write_text("speed,yaw_rate\n" + "5.0,0.2\n" * WINDOW)
    (tmp_path / "nonsense.png").write_text("no picture")
    return {path.stem if path.suffix != ".csv" else "drive": str(path) for path in tmp_path.iterdir()} | {"out": str(tmp_path / "out.mp4")}


@pytest.fixture
def kinema(capsys: pytest.CaptureFixture[str]) -> Run:
    """A command that is to work: what it says as JSON, and the video it wrote."""

    def run(*arguments: str, out: str) -> tuple[dict[str, Any], Clip]:
        status = cli.main([*arguments, "--out", out, "--json"])
        said = capsys.readouterr()
        assert status == 0, said.err
        return json.loads(said.out), read_video(out)

    return run


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str]) -> Run:
    """A command that is to end in exit status 2 and one sentence that holds these words, and to write nothing."""

    def run(words: str, *arguments: str, out: str) -> None:
        assert cli.main([*arguments, "--out", out]) == 2
        said = capsys.readouterr().err.strip()
        assert said.startswith("kinema: ")
        assert "\n" not in said
        assert words in said
        assert not Path(out).exists()

    return run


def differs(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Pixels [t,h,w] that are not the same."""
    return (a != b).any(1)


# --- edit inpaint ---


def test_masks_of_every_kind(folders: dict[str, str], files: dict[str, str], kinema: Run) -> None:
    video = read_video(files["video"])
    square = torch.zeros(7, SIDE, SIDE, dtype=torch.bool)
    square[:, 10:20, 20:30] = True
    moving = read_video(files["moving"]).rgb[:, 0] > 127
    for kind, masked in ((files["mask"], square), ("20,10,10,10", square), (files["moving"], moving)):
        out = files["out"].replace("out", f"out-{len(kind)}")
        said, made = kinema("edit", "inpaint", folders["free"], "--video", files["video"], "--mask", kind, "--feather", "2", out=out)
        assert not differs(made.rgb, video.rgb)[~masked].any()
        assert differs(made.rgb, video.rgb)[masked].float().mean() > 0.5
        assert (said["fitted"], said["edit"]["masked"]) == ("", pytest.approx(float(masked.float().mean())))
        world = WorldModel.from_pretrained(folders["free"])
        assert torch.equal(world.inpaint(video.only("rgb"), masked, feather=2).rgb, made.rgb)


def test_a_video_is_made_to_fit_and_the_command_says_so(folders: dict[str, str], files: dict[str, str], kinema: Run) -> None:
    asked = ("edit", "inpaint", folders["free"], "--video", files["wide"], "--mask", files["wide-mask"])
    said, made = kinema(*asked, out=files["out"])
    assert said["fitted"] == "the central square of 64 x 48 px, resized to 32 px, 7 of its 22 frames"
    video = fit(read_video(files["wide"]), SIDE, fps=8)
    masked = torch.zeros(SIDE, SIDE, dtype=torch.bool)
    masked[6:14, 8:15] = True  # rows 10-20 of 48 px, columns 12-22 of the square's 48 px, at 2 / 3, with all that they touch
    changed = differs(made.rgb, video.rgb)
    assert not changed[:, ~masked].any()
    assert changed[:, masked].float().mean() > 0.5


def test_parts_of_a_video_and_pictures(folders: dict[str, str], files: dict[str, str], kinema: Run) -> None:
    asked = ("edit", "inpaint", folders["free"], "--video", files["video"], "--mask", files["moving"], "--start", "2", "--frames", "3")
    _, made = kinema(*asked, out=files["out"])
    video, masked = read_video(files["video"]).rgb[2:5], read_video(files["moving"]).rgb[2:5, 0] > 127
    assert not differs(made.rgb, video)[~masked].any()
    assert differs(made.rgb, video)[masked].any()
    out = files["out"].replace("out", "out-2")
    _, made = kinema("edit", "inpaint", folders["free"], "--video", files["picture"], "--mask", "10,10,9,9", out=out)
    assert made.num_frames == 1


def test_words_and_actions_are_told(folders: dict[str, str], files: dict[str, str], kinema: Run) -> None:
    asked = ("edit", "inpaint", folders["free"], "--video", files["video"], "--mask", files["mask"], "--frames", str(WINDOW))
    told = ("--text", "a ball", "--actions", files["drive"], "--guidance", "text=2", "--steps", "2", "--seed", "5")
    said, _ = kinema(*asked, *told, out=files["out"])
    edit = said["edit"]
    assert (edit["told"], edit["guidance"], edit["steps"], edit["seed"]) == (["actions", "text"], {"text": 2.0}, 2, 5)


def test_a_sentence_is_said(folders: dict[str, str], files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["edit", "inpaint", folders["free"], "--video", files["wide"], "--mask", "20,10,20,20", "--out", files["out"]]
    assert cli.main(arguments) == 0
    assert "7 frames, " in (said := capsys.readouterr().out)
    assert "the others as they were (of the video: the central square of 64 x 48 px" in said


# --- edit stylize ---


def test_stylize(folders: dict[str, str], files: dict[str, str], kinema: Run) -> None:
    asked = ("edit", "stylize", folders["free"], "--video", files["video"], "--text", "a night")
    said, made = kinema(*asked, "--strength", ".3", out=files["out"])
    assert (said["edit"]["strength"], said["edit"]["told"], made.num_frames) == (0.3, ["text"], 7)
    world = WorldModel.from_pretrained(folders["free"])
    assert torch.equal(world.stylize(read_video(files["video"]), text="a night", strength=0.3).rgb, made.rgb)


# --- dream ---


def test_a_dream_from_nothing_words_and_actions(folders: dict[str, str], files: dict[str, str], kinema: Run) -> None:
    out = iter(files["out"].replace("out", f"out-{i}") for i in range(9))
    said, nothing = kinema("dream", folders["free"], "--seed", "3", out=next(out))
    assert (said["condition_frames"], said["dream"]["told"], nothing.num_frames) == (0, [], WINDOW)
    for told, names in (
        (("--text", "a road"), ["text"]),
        (("--actions", "left"), ["actions"]),
        (("--actions", files["drive"], "--text", "a road"), ["actions", "text"]),
    ):
        said, dream = kinema("dream", folders["free"], "--seed", "3", *told, out=next(out))
        assert said["dream"]["told"] == names
        assert not torch.equal(dream.rgb, nothing.rgb)
    said, _ = kinema("dream", folders["words"], "--text", "a road", out=next(out))
    assert said["condition_frames"] == 0


def test_a_dream_from_a_picture_goes_on_as_long_as_is_asked(folders: dict[str, str], files: dict[str, str], kinema: Run) -> None:
    asked = ("dream", folders["strict"], "--from", files["picture"], "--frames", "12")
    said, dream = kinema(*asked, out=files["out"])
    assert (said["condition_frames"], dream.num_frames) == (1, 12)
    assert torch.equal(dream.rgb[:1], fit(read_video(files["picture"]), SIDE).rgb)


@pytest.mark.parametrize(("name", "told"), [("driving", ["actions", "text"]), ("collision", ["text"])])
def test_of_a_scenario_a_dream_is_told_what_its_clip_says(
    folders: dict[str, str], files: dict[str, str], kinema: Run, name: str, told: list[str]
) -> None:
    """Clips of planar worlds have no actions, and those of the road have; they are simulated for as long as the dream."""
    frames = 7 if name == "driving" else WINDOW
    said, dream = kinema("dream", folders["free"], "--from", name, "--frames", str(frames), out=files["out"])
    assert said["dream"]["told"] == told
    clip = make(scenario(name, size=SIDE, num_frames=frames, dt=1 / 8, fps=8), 0, 0, ("rgb",))
    world = WorldModel.from_pretrained(folders["free"])
    same = world.dream(clip, num_frames=frames, **dict.fromkeys(told, clip))
    assert torch.equal(same.rgb, dream.rgb)
    other = files["out"].replace("out", "out-2")
    said, _ = kinema("dream", folders["words"], "--from", name, out=other)  # which takes no frames: it is told of the clip
    assert (said["condition_frames"], said["dream"]["told"]) == (0, ["text"])


@pytest.mark.parametrize(("flags", "told"), [(("--actions", "left"), {"actions": "left"}), (("--text", "Rain."), {"text": "Rain."})])
def test_a_scenario_says_nothing_beside_what_the_user_says(
    folders: dict[str, str], files: dict[str, str], kinema: Run, flags: tuple[str, ...], told: dict[str, str]
) -> None:
    """Its words and actions are those of its own clip, and may deny what is asked for."""
    said, dream = kinema("dream", folders["free"], "--from", "driving", "--frames", str(WINDOW), *flags, out=files["out"])
    assert said["dream"]["told"] == list(told)
    clip = make(scenario("driving", size=SIDE, num_frames=WINDOW, dt=1 / 8, fps=8), 0, 0, ("rgb",))
    world = WorldModel.from_pretrained(folders["free"])
    assert torch.equal(world.dream(clip, **told).rgb, dream.rgb)


# --- mistakes ---


def test_mistakes_of_dreams_end_in_a_sentence(folders: dict[str, str], files: dict[str, str], refused: Run) -> None:
    free, strict, words, out = folders["free"], folders["strict"], folders["words"], files["out"]
    table = {
        "--actions 'fly' is neither a CSV file nor a preset (keep, left, right, accelerate, brake)": (free, "--actions", "fly"),
        "nowhere.csv: cannot be read as a table of actions": (free, "--actions", "nowhere.csv"),
        "--text is empty": (free, "--text", " "),
        "this model takes the conditions frames, not text": (strict, "--from", files["picture"], "--text", "a"),
        "this model takes the conditions text, not actions": (words, "--actions", "left"),
        "continues a video: give it the first 1 frames, with --from": (strict,),
        "was trained without first frames: it cannot go on with a video": (words, "--from", files["video"]),
        "is neither a file nor a scenario": (free, "--from", "nowhere.png"),
        "nonsense.png: cannot be read as a video": (free, "--from", files["nonsense"]),
        "--state takes x,y,vx,vy,r": (free, "--state", "1,a"),
        "no guidance named 'frames'; it has text": (free, "--guidance", "frames=1"),
    }
    for sentence, arguments in table.items():
        refused(sentence, "dream", *arguments, out=out)
    refused("actions", "dream", free, "--actions", files["drive"], "--frames", "9", out=out)  # of the wrong length


def test_mistakes_of_edits_end_in_a_sentence(folders: dict[str, str], files: dict[str, str], refused: Run) -> None:
    free, video, out = folders["free"], files["video"], files["out"]
    masks = {
        "nowhere.png' is neither a file nor a box": "nowhere.png",
        "nonsense.png: cannot be read as a video": files["nonsense"],
        "wide-mask.png: is 64 x 48 px, and": files["wide-mask"],
        "short.mp4: has 3 frames, and": files["short"],
        "there is nothing to dream": files["empty"],
        "takes a picture, a video or a box x,y,w,h in whole px, got '1,2,3'": "1,2,3",
        "in whole px, got '1,2,3.5,4'": "1,2,3.5,4",
        "the box must hold pixels and lie in the video, which has 32 x 32 px": "20,20,13,5",
        "the box must hold pixels": "2,2,0,4",
        "in whole px, got '0,-1,2,2'": "0,-1,2,2",
    }
    for sentence, mask in masks.items():
        refused(sentence, "edit", "inpaint", free, "--video", video, "--mask", mask, out=out)
    wide = ("edit", "inpaint", free, "--video", files["wide"], "--mask")
    refused("nothing of", *wide, "0,0,5,40", out=out)  # left of the central square
    inpaint = ("edit", "inpaint", free, "--mask", "1,1,9,9", "--video")
    refused("nowhere.mp4: there is no such file", *inpaint, "nowhere.mp4", out=out)
    refused("--dt must be above 0 s", *inpaint, video, "--dt", "0", out=out)
    refused("the model wants one every 0.125 s", *inpaint, video, "--dt", "0.5", out=out)
    refused("frames 9 to", *inpaint, video, "--start", "9", out=out)
    moving = ("edit", "inpaint", free, "--mask", files["moving"], "--video", video)
    refused("frames 5 to 9 were asked of a video of 7 frames", *moving, "--start", "5", "--frames", "4", out=out)
    refused("--start must be 0 or more", *inpaint, video, "--start", "-1", out=out)
    refused("feather must be 0 px or more", *inpaint, video, "--feather", "-1", out=out)
    refused("--text is empty", *inpaint, video, "--text", "", out=out)
    refused("neither a CSV file nor a preset", *inpaint, video, "--actions", "up", out=out)
    refused("actions", *inpaint, video, "--actions", files["drive"], out=out)  # of the wrong length
    refused("only models of tokens can edit", "edit", "inpaint", "planar", "--mask", "1,1,9,9", "--video", video, "--dt", "0.1", out=out)
    stylize = ("edit", "stylize", free, "--video", video)
    refused("strength must lie in (0, 1]", *stylize, "--text", "a", "--strength", "0", out=out)
    refused("--text is empty", *stylize, "--text", "", out=out)
    refused("takes the conditions frames, not text", "edit", "stylize", folders["strict"], "--video", video, "--text", "a", out=out)
    refused("there is no model 'nobody'", "edit", "stylize", "nobody", "--video", video, "--text", "a", out=out)


def test_nothing_is_overwritten(folders: dict[str, str], files: dict[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    out = Path(files["out"])
    out.write_text("mine")
    for arguments in (("inpaint", "--mask", "1,1,9,9"), ("stylize", "--text", "a")):
        verb, *rest = arguments
        asked = ["edit", verb, folders["free"], "--video", files["video"], *rest, "--out", str(out)]
        assert cli.main(asked) == 2
        assert "is already there; use --overwrite" in capsys.readouterr().err
        assert out.read_text() == "mine"
    assert cli.main([*asked, "--overwrite"]) == 0

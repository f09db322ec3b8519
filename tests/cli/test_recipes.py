"""train, show, cite and dream on the command line: what they make is what Python makes."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from kinema import WorldModel, cli
from kinema.conditions import Frames, State, Text
from kinema.core.config import from_json, to_json
from kinema.core.video import read_video, video_bytes, write_png, write_video
from kinema.experts import T5
from kinema.recipes import RECIPES, planar
from kinema.sampling import Without
from kinema.simulators import make, scenario
from kinema.training import Stage


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the toy recipe, untrained: these tests are about what is asked of it."""
    torch.manual_seed(0)
    blueprint = planar.tiny().blueprint
    codec, network = blueprint.build()
    assert network is not None
    torch.nn.init.normal_(network.head.weight, std=0.1)
    folder = tmp_path_factory.mktemp("model")
    WorldModel(blueprint, codec, network).save_pretrained(folder)
    return folder


@pytest.mark.parametrize("name", RECIPES)
def test_show_is_the_stage_and_cite_its_sources(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    stage = getattr(RECIPES[name], name)()
    assert cli.main(["show", name, "--json"]) == 0
    assert from_json(json.loads(capsys.readouterr().out)) == stage
    assert cli.main(["show", name]) == 0
    outline = capsys.readouterr().out
    assert type(stage.blueprint.objective).__name__ in outline
    assert cli.main(["cite", name, "--json"]) == 0
    assert tuple(json.loads(capsys.readouterr().out)) == RECIPES[name].SOURCES


def _planned(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> Stage:
    assert cli.main(["train", *arguments, "--dry-run", "--json"]) == 0
    stage: Stage = from_json(json.loads(capsys.readouterr().out)["stage"])
    return stage


def test_a_variant_is_the_recipe_with_that_parameter(capsys: pytest.CaptureFixture[str]) -> None:
    small = ["--train.steps", "7", "--train.batch", "1"]
    stage = _planned(["planar", "--videos", "64", "--num_frames", "17", "--laws", "uniform", *small], capsys)
    recipe = planar.planar(videos=64, num_frames=17, laws=("uniform",))
    assert to_json(stage.data) == to_json(recipe.data)
    assert (stage.train.steps, stage.train.lr) == (7, recipe.train.lr)


def test_a_dry_run_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "run"
    assert cli.main(["train", "codec", "--size", "16", "--num-frames", "17", "--train.batch", "1", "--dry-run", "--out", str(out)]) == 0
    assert "parameters" in capsys.readouterr().out
    assert not out.exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["planar", "--network", "Q"], "no size 'Q'"),
        (["codec", "--size", "60"], "multiples of 8 px"),
        (["codec", "--time-stride", "3"], "1, 2 or 4"),
        (["planar", "--train.lr", "-1"], "train.lr"),
        (["planar", "--videos", "0"], "data: there is no clip"),
        (["planar", "--videos", "-1"], "data: there is no clip"),
        (["codec", "--cache"], "cache keeps latents for a network"),
        (["planar", "--codec", ""], "has to be trained first"),
        (["planar", "--codec", "nowhere"], "no model 'nowhere'"),
        (["planar", "--data", "nowhere"], "nowhere"),
        (["codec", "--resume"], "no run to resume"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(
    arguments: list[str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "run"
    assert cli.main(["train", *arguments, "--out", str(out)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said
    assert not out.exists()


def test_python_and_the_command_line_give_the_same_bytes(model: Path, tmp_path: Path) -> None:
    out = tmp_path / "dream.mp4"
    assert cli.main(["dream", str(model), "--from", "collision", "--split", "ood", "--seed", "3", "--index", "2", "--out", str(out)]) == 0
    world = WorldModel.from_pretrained(model)
    b = world.blueprint
    clip = make(scenario("collision", size=b.size, num_frames=b.num_frames, dt=b.dt, fps=b.fps).split("ood"), 3, 2, ("rgb",))
    dream = world.dream(frames=clip, seed=3)
    assert out.read_bytes() == video_bytes(dream.rgb, dream.fps, dt=dream.dt, given=3)
    assert read_video(out).meta["condition_frames"] == 3


def test_a_video_of_any_size_and_rate_is_dreamt_on(model: Path, tmp_path: Path) -> None:
    video, out = tmp_path / "in.mp4", tmp_path / "out.mp4"
    write_video(video, torch.randint(0, 255, (24, 3, 24, 40), dtype=torch.uint8), 30)
    assert cli.main(["dream", str(model), "--from", str(video), "--frames", "13", "--out", str(out)]) == 0
    dream = read_video(out)
    assert (dream.num_frames, dream.size, dream.fps) == (13, (16, 16), 10.0)


def test_what_cannot_be_dreamt_on_is_refused(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    picture, out = tmp_path / "in.png", tmp_path / "out.mp4"
    write_png(picture, torch.zeros(3, 16, 16, dtype=torch.uint8))
    slow = tmp_path / "slow.mp4"
    write_video(slow, torch.zeros(9, 3, 16, 16, dtype=torch.uint8), 5)
    for source, words, *more in (
        (str(picture), "first 3 frames (0.3 s) of a video, got an image"),
        (str(slow), "--dt"),
        (str(slow), "--dt must be above 0 s, got 0", "--dt", "0"),
        ("gravity", "neither a file nor a scenario (uniform, parabola, collision, bounce"),
    ):
        assert cli.main(["dream", str(model), "--from", source, "--out", str(out), *more]) == 2
        assert words in capsys.readouterr().err
        assert not out.exists()


@pytest.fixture(scope="module")
def told(tiny_t5: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that takes a state and a text, whose every weight counts."""
    stage = planar.tiny()
    conditions = (Frames(3), State(2), Text(T5(str(tiny_t5))))
    blueprint = replace(stage.blueprint, conditions=conditions, sources=(Without("text"),))
    torch.manual_seed(0)
    codec, network = blueprint.build()
    assert network is not None
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    folder = tmp_path_factory.mktemp("told") / "model"
    WorldModel(blueprint, codec, network).save_pretrained(folder)
    return folder


def test_a_dream_is_told_in_words_and_numbers(told: Path, tmp_path: Path) -> None:
    """By flags, from a file, or by the scenario it begins as: the same bytes as in Python."""
    rows = [[2.0, 5.0, 3.0, 0.0, 1.0], [7.5, 5.0, -2.0, 0.0, 0.8]]
    (tmp_path / "state.json").write_text(json.dumps(rows))
    world = WorldModel.from_pretrained(told)
    b = world.blueprint
    clip = make(scenario("collision", size=b.size, num_frames=b.num_frames, dt=b.dt, fps=b.fps), 0, 0, ("rgb",))
    video = tmp_path / "in.mp4"
    write_video(video, clip.rgb, clip.fps, dt=clip.dt)
    shown = clip.only("rgb")
    cases: dict[str, tuple[list[str], dict[str, Any]]] = {
        "nothing": (["--from", str(video)], {}),
        "text": (["--from", str(video), "--text", "A ball.", "--guidance", "text=1"], {"text": "A ball.", "guidance": {"text": 1.0}}),
        "state": (["--from", str(video), "--state", "2,5,3,0,1; 7.5,5,-2,0,0.8"], {"state": rows}),
        "file": (["--from", str(video), "--state", str(tmp_path / "state.json")], {"state": rows}),
        "scenario": (["--from", "collision"], {"state": clip, "text": clip}),
        "scenario-told": (["--from", "collision", "--text", "A red ball."], {"state": clip, "text": "A red ball."}),
    }
    films = {}
    for name, (flags, given) in cases.items():
        out = tmp_path / f"{name}.mp4"
        assert cli.main(["dream", str(told), *flags, "--out", str(out)]) == 0
        dream = world.dream(shown, **given)
        films[name] = out.read_bytes()
        assert films[name] == video_bytes(dream.rgb, dream.fps, dt=dream.dt, given=3), name
    assert len(set(films.values())) == 5
    assert films["state"] == films["file"]


def test_what_cannot_be_told_is_refused(told: Path, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "bad.json").write_text("[[1, 2")
    (tmp_path / "odd.json").write_text('{"x": 1}')
    out = tmp_path / "out.mp4"
    for which, flags, words in (
        (told, ["--state", "1,2,x"], "--state takes x,y,vx,vy,r;... in m and m/s or a JSON file, got '1,2,x'"),
        (told, ["--state", "1,2,3"], "rows of 5 numbers [x, y, vx, vy, r] were expected"),
        (told, ["--state", str(tmp_path / "bad.json")], "bad.json: cannot be read as JSON"),
        (told, ["--state", str(tmp_path / "gone.json")], "gone.json: cannot be read as JSON"),
        (told, ["--state", str(tmp_path / "odd.json")], "rows of 5 numbers [x, y, vx, vy, r] were expected"),
        (model, ["--text", "a ball"], "this model takes the conditions frames, not text"),
        (model, ["--state", "1,2,3,4,5"], "this model takes the conditions frames, not state"),
    ):
        assert cli.main(["dream", str(which), "--from", "collision", *flags, "--out", str(out)]) == 2
        assert words in capsys.readouterr().err
        assert not out.exists()


def test_a_dream_is_not_overwritten_unasked(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.mp4"
    out.write_bytes(b"mine")
    command = ["dream", str(model), "--from", "uniform", "--out", str(out)]
    assert cli.main(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert out.read_bytes() == b"mine"
    assert cli.main([*command, "--overwrite"]) == 0
    assert out.read_bytes() != b"mine"

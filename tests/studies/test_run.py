"""Every study's plan; a study that is killed, resumed, shared, run twice, or asked wrongly."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

from kinema.benchmarks import RESERVED_SEEDS
from kinema.cli import main
from kinema.cli.studies import Asked
from kinema.core import UserError, to_json
from kinema.core.files import make_folder, write_json
from kinema.studies import STUDIES, Budget, Store, choose, found, plan, run
from kinema.studies.budget import scale
from kinema.studies.page import facts
from kinema.studies.rows import Row, Rows, difference, dump, load, wilson
from kinema.studies.study import digest, slug

SESSIONS = Path(__file__).parent / "sessions.py"
TOY = Budget(size=("toy",), num=16)
each_study = pytest.mark.parametrize("study", STUDIES.values(), ids=STUDIES)


def files(folder: Path) -> dict[str, bytes]:
    """All files but locks and the log, which holds times."""
    paths = (p for p in folder.rglob("*") if p.is_file() and ".locks" not in p.parts and p.name != "log.jsonl")
    return {str(p.relative_to(folder)): p.read_bytes() for p in paths}


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of all sessions, and what they said."""
    folder = tmp_path_factory.mktemp("sessions")
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, SESSIONS, folder], capture_output=True, text=True, timeout=300, env=environment)
    assert ended.returncode == 0, ended.stderr[-4000:]
    return folder, ended.stderr


# --- plans ----------------------------------------------------------------------------------------------------------------


def seeds(part: object) -> list[int]:
    if isinstance(part, dict):
        return [v for k, v in part.items() if k == "seed"] + [s for v in part.values() for s in seeds(v)]
    return [s for v in part for s in seeds(v)] if isinstance(part, list) else []


@each_study
def test_a_plan_is_finite_and_its_points_apart(study):
    points = study.plan(TOY)
    names, keys = [p.name for p in points], [p.key for p in points]
    assert 1 <= len(points) < 100
    assert len(set(names)) == len(names)
    assert len(set(keys)) == len(keys), "two points of a study are one model"
    assert all(slug(name) for name in names)
    by_name: dict[str, set[str]] = {}
    for p in points:
        assert p.stage.data.length
        assert all(seed < RESERVED_SEEDS for seed in seeds(to_json(p.stage)))
        assert p.tests
        for t in p.tests:
            assert len(t.data) >= 2
            assert all(seed >= RESERVED_SEEDS for seed in seeds(to_json(t.data)))
            by_name.setdefault(t.name, set()).add(t.key)
    assert all(len(k) == 1 for k in by_name.values()), "tests of one name are of different clips"


@each_study
def test_keys_depend_on_what_is_trained_alone(study):
    again = {p.name: p.key for p in study.plan(replace(TOY, num=24))}
    for p in study.plan(TOY):
        assert again[p.name] == p.key
        assert replace(p, name="other", about="words", labels={"a": 1.0}).key == p.key
        longer = replace(p.stage, train=replace(p.stage.train, steps=p.stage.train.steps + 1))
        assert replace(p, stage=longer).key != p.key
    other = {p.key for p in study.plan(replace(TOY, seed=1))}
    assert not other & {p.key for p in study.plan(TOY)}


def test_studies_share_models():
    keys = {name: {p.name: p.key for p in study.plan(TOY)} for name, study in STUDIES.items()}
    assert keys["scaling"]["uniform toy 8"] == keys["gaps"]["whole"]
    assert keys["scaling"]["collision toy 8"] == keys["holes"]["whole"]


def test_a_key_does_not_see_fields_at_their_default():
    train = STUDIES["memory"].plan(TOY)[0].stage.train
    assert digest(train) == digest(replace(train, compile=False))
    assert digest(train) != digest(replace(train, compile=True))
    assert digest((1, 2)) != digest((2, 1))


def test_every_grid_is_the_papers_where_clips_are_enough():
    large = replace(TOY, num=100_000)
    assert [len(t.data) for t in STUDIES["gaps"].plan(large)[0].tests] == [121 * 36, 41 * 36, 81 * 36]
    speeds = next(t for t in STUDIES["holes"].plan(large)[0].tests if t.name == "speeds")
    assert len(speeds.data) == 21 * 13 * 5**2
    few = next(t for t in STUDIES["holes"].plan(replace(TOY, num=300))[0].tests if t.name == "speeds")
    assert len(few.data) == 21 * 13  # all speeds, radii drawn


# --- running --------------------------------------------------------------------------------------------------------------


def test_a_study_killed_at_any_moment_ends_in_the_same_files(sessions):
    whole = files(sessions[0] / "whole")
    killed = sorted(sessions[0].glob("killed-*"))
    assert len(killed) == 11
    assert any(name.endswith("model/model.safetensors") for name in whole)
    assert not any("part-" in name or "checkpoints" in name or ".tmp" in name for name in whole)
    for out in killed:
        made = files(out)
        if out.name == "killed-00":  # a file that a process left in a folder of no study yet is not ours to judge
            made = {name: data for name, data in made.items() if ".tmp-" not in name}
        assert made == {name: data for name, data in whole.items() if not name.startswith("page/") or "page/report.md" in made}, out.name
    assert "page/report.md" in made
    assert "1 of 2 points are not there yet (both directions)" in whole["page/report.md"].decode()


def test_an_interrupted_study_says_so_and_goes_on(sessions):
    folder, said = sessions
    assert said.count("interrupted with 0 of 1 points done; the same command goes on from there") == 2
    training, judging = (files(path) for path in sorted(folder.glob("interrupted-*")))
    assert training == judging


def test_two_processes_train_a_point_once(sessions):
    folder, said = sessions
    after = said.partition("=== together")[2]
    assert after.count("step 3/3") == 1, said
    assert len(list((folder / "together" / "points").iterdir())) == 1
    assert files(folder / "together") == {k: v for k, v in files(folder / "whole").items() if not k.startswith("page/")}


@pytest.fixture(scope="module")
def ran(tmp_path_factory):
    torch.set_num_threads(1)
    out = tmp_path_factory.mktemp("studies") / "out"
    assert main(["bench", "phyworld", "--study", "memory", "--size", "toy", "--num", "4", "--out", str(out)]) == 0
    return out


def test_what_is_done_is_not_done_again(ran, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("a finished point is trained or asked again")

    for name in ("train", "ask", "yardsticks"):
        monkeypatch.setattr(sys.modules["kinema.studies.run"], name, refuse)
    before = {p: p.stat().st_mtime_ns for part in ("points", "yardsticks") for p in (ran / part).rglob("*")}
    assert main(["bench", "phyworld", "--study", "memory", "--size", "toy", "--num", "4", "--out", str(ran)]) == 0
    assert {p: p.stat().st_mtime_ns for part in ("points", "yardsticks") for p in (ran / part).rglob("*")} == before


def test_more_clips_ask_the_trained_models(ran, monkeypatch):
    monkeypatch.setattr(sys.modules["kinema.studies.run"], "train", lambda *a, **k: pytest.fail("a trained point is trained again"))
    store = Store.open(ran)
    points = STUDIES["memory"].plan(replace(TOY, num=6))
    assert {p.state for p in plan(points, store)} == {"trained"}
    run(points, store)
    assert {p.state for p in plan(points, store)} == {"done"}


@pytest.mark.parametrize("what", ["trained", "begun"])
def test_a_default_that_has_changed_since_is_seen(ran, tmp_path, capsys, what):
    """A run whose file says another value than the code's default of today, under a key that does not see defaults."""
    out = shutil.copytree(ran, tmp_path / "out")
    (point,) = (p for p in (out / "points").iterdir() if p.name.startswith("one-direction"))
    said = json.loads((point / "stage.json").read_text())
    said["blueprint"]["model"]["checkpoint"] = not said["blueprint"]["model"]["checkpoint"]
    (point / "stage.json").write_text(json.dumps(said))
    if what == "begun":
        shutil.rmtree(point / "model")
    arguments = ["bench", "phyworld", "--study", "memory", "--size", "toy", "--num", "4", "--out", str(out)]
    for more in ([], ["--dry-run"], ["--report-only"]):
        assert main([*arguments, *more]) == 2
        told = capsys.readouterr().err
        assert f"{point}: was trained with other settings (stage.blueprint.model.checkpoint: True there, False now)" in told
        assert "another folder with --out, or remove that one" in told
        assert "Traceback" not in told


def test_a_field_newer_than_the_run_has_its_default(ran, tmp_path):
    out = shutil.copytree(ran, tmp_path / "out")
    for path in (out / "points").glob("*/stage.json"):
        said = json.loads(path.read_text())
        del said["train"]["compile"], said["blueprint"]["model"]["checkpoint"], said["blueprint"]["conditions"][0]["drop"]
        path.write_text(json.dumps(said))
    points = STUDIES["memory"].plan(replace(TOY, num=4))
    assert {p.state for p in plan(points, Store.open(out))} == {"done"}
    assert {p.state for p in plan(points, Store.open(ran))} == {"done"}


def test_a_named_codec_may_have_any_shape(tmp_path):
    """What is written holds the shape of the codec that the stage names, the plan that of the recipe."""
    point = STUDIES["gaps"].plan(Budget(size=("nano",), num=16))[0]
    store = Store.open(tmp_path / "out")
    written = to_json(point.stage)
    written["blueprint"]["codec"]["channels"] += 1
    write_json(make_folder(store.folder(point) / "model") / "blueprint.json", written["blueprint"])
    write_json(store.folder(point) / "stage.json", written)
    assert point.stage.codec
    assert store.trained(point)
    write_json(store.folder(point) / "stage.json", {**written, "codec": "another"})
    with pytest.raises(UserError, match=r"stage\.codec: 'another' there, 'planar-codec' now"):
        store.trained(point)


def test_rows_and_pages(ran):
    seen = found(STUDIES["memory"], replace(TOY, num=4), Store.open(ran))
    assert not seen.missing
    slow = seen.dreams("one direction", test="slow")
    assert len(slow) == 4
    assert all(1.0 <= r.number("speed") <= 2.5 for r in slow)
    assert all(r.number("true_v1") == pytest.approx(r.number("speed"), abs=1e-6) for r in slow)
    assert {r.source for r in seen.rows} == {"dream", "floor", "codec", "repeat"}
    assert len(seen.source("floor", test="slow")) == 4  # once, though two points were asked
    page = next(ran.glob("memory-*"))
    assert {p.name for p in page.iterdir()} == {"report.html", "report.md", "rows.csv", "reversals.csv", "velocities.svg"}
    text = (page / "report.html").read_text()
    assert text.count("<svg") == 1
    for word in ("steps", "4 (paper: 100,000)", "16 × 16 px", "of which 3 given", "Intervals: 95 %"):
        assert word in text
    for word in ("http://", "https://", "src=", "@import", "<script"):  # nothing is fetched
        assert word not in text.replace("http://www.w3.org", "")
    lines = (page / "rows.csv").read_text().splitlines()
    assert len(lines) == 1 + len(seen.rows)


def test_report_only_and_dry_run_train_nothing(tmp_path, capsys):
    arguments = ["bench", "phyworld", "--study", "gaps", "--size", "toy", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--dry-run", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert {p["state"] for p in said["points"]} == {"to do"}
    assert not (tmp_path / "out").exists()
    assert main([*arguments, "--report-only", "--json"]) == 0
    (said,) = json.loads(capsys.readouterr().out)
    assert len(said["missing"]) == 7
    assert {f["verdict"] for f in said["findings"]} == {"undecided"}
    assert "Missing: 7 of 7 points" in Path(said["page"]).read_text()


def test_all_studies_have_an_index(tmp_path, capsys):
    arguments = ["--study", "all", "--size", "toy", "--num", "4", "--report-only", "--out", str(tmp_path / "out")]
    assert main(["bench", "phyworld", *arguments]) == 0
    index = (tmp_path / "out" / "index.html").read_text()
    for study in STUDIES.values():
        assert study.title in index
    assert len(list((tmp_path / "out").glob("*/report.html"))) == len(STUDIES)


def folder_of(name: str, budget: Budget) -> str:
    return Asked(STUDIES[name], budget, ()).folder


@pytest.mark.parametrize("name", ["gaps", "templates"])
def test_pages_of_different_budgets_do_not_meet(name):
    plain = Budget(size=("nano",))
    said = {"num": 300, "num_frames": 17, "codec": "runs/codec", "text_encoder": "t5", "per_template": 7, "fvd": True,
            "paper_compatible": True, "steps": 7, "videos": (7,), "resolution": 32, "seed": 7, "size": ("pico",)}  # fmt: skip
    assert said.keys() == {f.name for f in fields(Budget)}
    others = [replace(plain, **{key: value}) for key, value in said.items()]
    folders = [folder_of(name, b) for b in (plain, *others, replace(plain, num=301))]
    assert len(set(folders)) == len(folders)
    assert all(folder == slug(folder) for folder in folders)


def test_a_plain_budget_has_a_page_of_a_plain_name():
    assert folder_of("gaps", Budget(size=("nano",), steps=1000)) == "gaps-nano-3000-videos-1000-steps-64px-seed-0"
    assert folder_of("gaps", Budget(size=("nano",), num_frames=33)) == folder_of("gaps", Budget(size=("nano",)))


def test_the_page_says_how_many_videos_were_trained():
    def said(budget: Budget) -> str:
        return dict(facts(found(STUDIES["templates"], budget, Store(Path("nowhere")))))["training videos"]

    assert said(TOY) == "8 per model"
    assert said(replace(TOY, per_template=20)) == "120, 600, 1,200 per model"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--study", "gap"], "there is no study 'gap'; there are scaling, gaps"),
        (["--study", "gaps", "--size", "M"], "there is no size 'M'; there are toy, pico, nano, S"),
        (["--study", "gaps", "--steps", "0"], "--steps must be at least 1, got 0"),
        (["--study", "gaps", "--videos", "0"], "--videos must be at least 1, got 0"),
        (["--study", "gaps", "--num", "1"], "--num must be at least 4"),
        (["--study", "gaps", "--videos", "10", "20"], "several were given with --size or --videos"),
        (["--study", "gaps", "--size", "nano", "S"], "run them apart"),
        (["--study", "gaps", "--size", "S"], "--codec: size S stands on a trained codec"),
        (["--study", "gaps", "--points", "gap-9"], "there is no point 'gap-9'; there are whole; gap 2-3"),
        (["--study", "all", "--points", "whole"], "--points names models of one study"),
        (["--study", "gaps", "--size", "toy", "toy"], "--size names one value twice"),
    ],
)
def test_wrong_questions_end_in_one_sentence(arguments, sentence, tmp_path, capsys):
    assert main(["bench", "phyworld", *arguments, "--out", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_folder_that_holds_something_else_is_refused(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("x")
    arguments = ["bench", "phyworld", "--study", "memory", "--size", "toy", "--num", "4", "--out"]
    assert main([*arguments, str(tmp_path)]) == 2
    assert "holds something else" in capsys.readouterr().err
    assert main([*arguments, str(tmp_path / "thesis.tex")]) == 2
    assert "is a file; a folder was expected" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "x"


def test_points_are_chosen_by_name_or_pattern():
    points = STUDIES["gaps"].plan(TOY)
    assert [p.name for p in choose(points, ["gap *", "whole"])] == [p.name for p in points if "gap" in p.name or p.name == "whole"]
    assert choose(points, []) == points
    with pytest.raises(UserError, match="no point 'islands'"):
        choose(points, ["islands"])


# --- rows -----------------------------------------------------------------------------------------------------------------


def test_rows_come_back_from_their_file(tmp_path):
    rows = [
        Row("dream", 0, {"speed": 1.5, "kind": "a, \"b\""}, {"velocity": float("nan"), "shape": "ball"}),
        Row("floor", -1, {}, {"fvd": 12.25}),
    ]
    (tmp_path / "rows.csv").write_text(dump(rows))
    back = load(tmp_path / "rows.csv", {"point": "p"})
    assert [(r.source, r.index) for r in back] == [("dream", 0), ("floor", -1)]
    assert (back[0]["speed"], back[0]["kind"], back[0]["shape"], back[0]["point"]) == (1.5, 'a, "b"', "ball", "p")
    assert back[0].number("velocity") != back[0].number("velocity")
    assert back[1]["fvd"] == 12.25
    (tmp_path / "rows.csv").write_text("nonsense\n1,2\n")
    with pytest.raises(UserError, match="remove it, and it is made anew"):
        load(tmp_path / "rows.csv", {})


def test_differences_are_of_the_same_clips():
    def rows(point, values):
        return Rows(tuple(Row("dream", i, {}, {"e": v}, {"point": point, "test": "t"}) for i, v in values.items()))

    gap = difference(rows("a", {0: 1.0, 1: 5.0, 2: 9.0}), rows("b", {1: 4.0, 0: 0.0, 3: 100.0}), "e")
    assert (gap.mean, gap.low, gap.high, gap.count) == (1.0, 1.0, 1.0, 2)


def test_the_interval_of_a_share_is_wilsons():
    # Newcombe 1998, Statistics in Medicine 17, table I: 81 of 263, 15 of 148, 0 of 20, 1 of 29
    for hits, count, low, high in ((81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)):
        figure = wilson(hits, count)
        assert (figure.low, figure.high) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))


def test_the_page_on_the_study_says_what_sizes_cost():
    text = (Path(__file__).parents[2] / "docs" / "study.md").read_text()
    for size in ("toy", "pico", "nano", "S", "B", "L", "XL"):
        own = scale(size)
        line = next(line for line in text.splitlines() if line.startswith("| `") and f"`{size}`" in line)
        frames = f"{own.num_frames} of {own.resolution} px, {own.given} given"
        assert f"| {own.steps:,} | {own.videos:,} | {frames} |" in line
    for name in STUDIES:
        assert f"| `{name}` |" in text

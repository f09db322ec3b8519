"""Yardsticks, PhyWorld's study and the demo, on a test double that knows the law."""

import json

import pytest
import torch

from kinema.benchmarks.baselines import given, repeat_last, textbook
from kinema.benchmarks.demo import Demo
from kinema.benchmarks.output import headline, write_result, write_scenes
from kinema.benchmarks.phyworld import PAPER, RESERVED_SEEDS, PhyWorld
from kinema.benchmarks.systems import Folder, Model
from kinema.core import UserError, from_json, to_json
from kinema.core.video import fit, read_video, write_video
from kinema.metrics import compare, metric
from kinema.simulators import make, scenario

from .fake import Lawful

LAWS = ("uniform", "parabola", "collision")


@pytest.mark.parametrize("law", [*LAWS, "bounce", "attributes", "spatial", "temporal"])
@pytest.mark.parametrize("split", ["id", "ood"])
def test_the_textbook_is_almost_true(law, split):
    world = scenario(law, size=64).split(split)
    for i in range(3):
        truth = make(world, 7, i, ("rgb",))
        book = textbook(truth, 3)
        assert torch.equal(book.rgb[:3], truth.rgb[:3])
        assert book.rgb.shape == truth.rgb.shape
        error = float(metric("position")(book, truth))
        assert not error > 0.1, (i, error)


@pytest.mark.parametrize("law", ["uniform", "parabola", "bounce", "attributes"])
def test_the_textbook_knows_published_pixels(law):
    """Their rims are hard: velocities are known less well from three frames."""
    for i in range(3):
        truth = make(scenario(law, size=64, box2d_compatible=True), 7, i, ("rgb",))
        book = textbook(truth, 3)
        assert not float(metric("position")(book, truth)) > 0.4


def test_the_textbook_sees_the_given_frames_only():
    truth = make(scenario("collision", size=64), 7, 0, ("rgb",))
    blind = truth.replace(rgb=torch.cat([truth.rgb[:3], torch.zeros_like(truth.rgb[3:])]))
    assert torch.equal(textbook(blind, 3).rgb, textbook(truth, 3).rgb)


def test_the_textbook_of_one_frame_stands_still_but_falls():
    truth = make(scenario("parabola", size=64), 7, 0, ("rgb",))
    book = textbook(truth, 1)
    fall = compare(book, truth, first_frame=1).dream[:, 0]
    assert abs(fall[10, 0] - fall[0, 0]) < 0.02
    assert fall[10, 1] - fall[0, 1] == pytest.approx(-0.5 * 2.5 * 1.0**2, abs=0.03)


def test_the_textbook_of_a_resized_clip_has_its_size():
    truth = make(scenario("uniform", size=64), 7, 0, ("rgb",))
    assert textbook(fit(truth, 32), 3).rgb.shape == (32, 3, 32, 32)


def test_a_model_that_dreams_no_numbers_is_refused():
    class Broken(Lawful):
        def dream(self, **given):
            dream = super().dream(**given)
            return dream.replace(rgb=torch.full_like(dream.rgb, torch.nan))

    with pytest.raises(UserError, match="dreams NaN"):
        PhyWorld(num=1, laws=("uniform",), splits=("id",)).run(Model(Broken()))


def test_the_textbook_needs_a_known_law():
    truth = make(scenario("uniform", size=64), 7, 0, ("rgb",))
    with pytest.raises(UserError, match="world in closed form"):
        textbook(truth.replace(meta={}), 3)


def test_repeating_and_giving():
    truth = make(scenario("uniform", size=32), 7, 0, ("rgb",))
    held = repeat_last(truth, 3)
    assert torch.equal(held.rgb[:3], truth.rgb[:3])
    assert (held.rgb[3:] == truth.rgb[2]).all()
    shown = given(truth, 3)
    assert shown.num_frames == 3
    assert not shown.has("bodies")


@pytest.fixture(scope="module")
def result():
    return PhyWorld(num=3, keep=2).run(Model(Lawful(speed=0.8)))


def test_yardsticks_stand_in_order(result):
    table = result.table
    assert table.groups() == [(law, split) for law in LAWS for split in ("id", "ood")]
    for case, split in table.groups():
        floor, book, dream, repeat = (table.figure(case, split, s, "velocity").mean for s in ("floor", "textbook", "dream", "repeat"))
        assert floor < 0.05
        assert floor < book * 1.5
        assert book < dream < repeat


def test_the_slow_dreamer_errs_by_a_fifth_of_the_speed(result):
    dream, repeat = (result.table.figure("uniform", "id", s, "velocity").mean for s in ("dream", "repeat"))
    # One pair of frames holds the jump from the given speed to the dreamt one.
    assert dream / repeat == pytest.approx(0.2, abs=0.04)


def test_worst_cases_come_first(result):
    for law in LAWS:
        values = [s.figures["velocity"][1] for s in result.scenes if (s.case, s.split) == (law, "id")]
        assert len(values) == 2
        assert values == sorted(values, reverse=True)


def test_files_and_report(result, tmp_path):
    report = write_result(result, tmp_path / "out", model="a <b> model", lede=["One & only."], notes=[]).read_text()
    data = json.loads((tmp_path / "out" / "results.json").read_text())
    assert data["protocol"]["paper"]["rows"]["uniform"]["ground truth"] == [0.0099, 0.0114]
    assert (tmp_path / "out" / "samples.csv").read_text().count("\n") == 1 + 6 * 4 * 3
    embedded = report.split('type="application/json" id="data">')[1].split("</script>")[0]
    page = json.loads(embedded)
    assert len(page["scenes"]) == 12
    assert [len(r["values"]) for r in page["paper"]["rows"]] == [6] * len(PAPER["uniform"])
    for word in ("http://", "https://", "src=", "@import", "url("):  # nothing is fetched
        assert word not in report.replace("http://www.w3.org/2000/svg", "").replace("url(#", "")
    assert len(report) < 6_000_000
    scene = page["scenes"][0]
    assert {"x", "y", "speed"} == set(scene["bodies"][0]["dream"])
    assert len(scene["bodies"][0]["truth"]["x"]) == scene["frames"] == 24


def test_the_strip_holds_every_frame(result):
    import base64

    from kinema.benchmarks.report import strips_of
    from kinema.core.video import read_video_bytes

    rgb = result.scenes[0].dream.rgb
    height, width, rows, strips = strips_of(rgb, rgb)
    picture = read_video_bytes(base64.b64decode(strips["dream"])).rgb[0]
    for t in range(len(rgb)):
        top, left = t % rows * height, t // rows * width
        assert torch.equal(picture[:, top : top + height, left : left + width], rgb[t])


def test_a_codec_s_own_loss_stands_beside():
    from kinema.codecs import Pixels

    fake = Lawful()
    fake.codec = Pixels(patch=4).build()
    table = PhyWorld(num=2, laws=("uniform",), splits=("id",), metrics=("velocity",)).run(Model(fake)).table
    assert table.sources() == ["dream", "textbook", "repeat", "codec", "floor"]
    codec, floor = (table.figure("uniform", "id", s, "velocity").mean for s in ("codec", "floor"))
    assert codec == pytest.approx(floor)  # pixels lose nothing


def test_a_folder_of_videos_is_judged_as_the_model_was(result, tmp_path):
    benchmark = PhyWorld(num=2, laws=("uniform",), metrics=("velocity",))
    fake = Lawful(speed=0.8)
    for split in ("id", "ood"):
        truths = benchmark.truths("uniform", split, size=64, num_frames=24)
        for dream, name in zip(Model(fake).dreams(truths, []), benchmark.names("uniform", split), strict=True):
            write_video(tmp_path / f"{name}.mp4", dream.rgb, dream.fps)
    by_model = benchmark.run(Model(fake)).table
    by_folder = benchmark.run(Folder.open(tmp_path, 3)).table
    assert by_folder.to_json() == by_model.to_json()
    write_video(tmp_path / "uniform-ood-0001.mkv", dream.rgb, dream.fps)
    with pytest.raises(UserError, match=r"both uniform-ood-0001\.mkv and uniform-ood-0001\.mp4"):
        benchmark.run(Folder.open(tmp_path, 3))
    (tmp_path / "uniform-ood-0001.mkv").unlink()
    (tmp_path / "uniform-ood-0001.mp4").unlink()
    with pytest.raises(UserError, match="uniform-ood-0001"):
        benchmark.run(Folder.open(tmp_path, 3))


def test_inputs_for_other_systems(tmp_path):
    benchmark = PhyWorld(num=1, laws=("collision",), splits=("id",))
    benchmark.write_inputs(tmp_path, size=48, num_frames=20, condition_frames=3)
    shown = read_video(tmp_path / "collision-id-0000.mp4")
    assert torch.equal(shown.rgb, benchmark.truths("collision", "id", size=48, num_frames=20)[0].rgb[:3])
    with pytest.raises(UserError, match=r"collision-id-0000\.mp4 is already there"):  # perhaps a dream of days
        benchmark.write_inputs(tmp_path, size=48, num_frames=20, condition_frames=4)
    assert read_video(tmp_path / "collision-id-0000.mp4").num_frames == 3


def test_wrong_questions_are_refused():
    with pytest.raises(UserError, match="num 0"):
        PhyWorld(num=0)
    with pytest.raises(UserError, match="no split"):
        PhyWorld(splits=("oood",))
    with pytest.raises(UserError, match="no scenario"):
        PhyWorld(laws=("unifrom",))
    with pytest.raises(UserError, match="no metric"):
        PhyWorld(num=1, metrics=("velo",)).run(Model(Lawful()))
    with pytest.raises(UserError, match="belong to training"):
        Demo(seed=0)


def test_benchmarks_are_parts():
    for part in (PhyWorld(num=3), Demo(num=1)):
        assert from_json(json.loads(json.dumps(to_json(part)))) == part


def test_paper_compatible_numbers_are_those_of_the_released_evaluator():
    result = PhyWorld(num=4, laws=("uniform",), splits=("id",), paper_compatible=True, metrics=("velocity_of_means",)).run(Model(Lawful()))
    assert 0.0005 < result.table.figure("uniform", "id", "floor", "velocity_of_means").mean < 0.02


def test_the_demo_judges_seen_and_unseen_speeds(tmp_path):
    steps = []
    result = Demo(num=1).run(Model(Lawful(speed=0.9)), lambda what, done, total: steps.append((done, total)))
    assert steps[-1] == (8, 8)
    assert [done for done, _ in steps] == sorted(done for done, _ in steps)
    assert result.table.groups() == [("collision", "id"), ("collision", "ood"), ("parabola", "id"), ("parabola", "ood")]
    assert all(s.truth.meta["seed"] >= RESERVED_SEEDS for s in result.scenes)
    assert {tuple(s.truth.meta["params"]["outside"]) for s in result.scenes if s.split == "ood"} == {("speed1", "speed2"), ("speed",)}
    assert len(headline(result.table)) == 4
    write_scenes(result.scenes, tmp_path)
    for scene in result.scenes:
        assert torch.equal(read_video(tmp_path / f"{scene.name}-dream.mp4").rgb, scene.dream.rgb)


def test_training_never_draws_from_the_reserved_seeds():
    from kinema.recipes import codec, phyworld, planar

    def seeds(part):
        if isinstance(part, dict):
            return [v for k, v in part.items() if k == "seed"] + [s for v in part.values() for s in seeds(v)]
        return [s for v in part for s in seeds(v)] if isinstance(part, list) else []

    for recipe in (planar.planar(), phyworld.phyworld(), codec.codec()):
        assert all(seed < RESERVED_SEEDS for seed in seeds(to_json(recipe)))

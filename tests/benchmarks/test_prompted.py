"""Prompted models: rows of every test with yardsticks, a model that obeys told from one that does not, kept work, honest gaps."""

import json
import math

import numpy as np
import pytest
import torch

from kinema import Clip
from kinema.benchmarks import Prompted, filling, obedience, tradeoff, worded
from kinema.benchmarks.findings import markdown, to_json, write
from kinema.benchmarks.kept import Kept
from kinema.benchmarks.obedience import Drive
from kinema.benchmarks.prompted import held_in, held_out
from kinema.benchmarks.resample import bootstrapped, jackknifed, rank_correlation
from kinema.codecs import Pixels
from kinema.conditions import Frames
from kinema.core import UserError
from kinema.core.video import write_video
from kinema.metrics import FVD
from kinema.models import DiT
from kinema.objectives import Denoise
from kinema.sampling import Euler, Without

from ..dreamers import dreamer

CHOSEN = ("driving", "drop")


@pytest.fixture(scope="module")
def models():
    continuous = dreamer(codec=Pixels(patch=4), model=DiT(layers=1, hidden=16, heads=2), objective=Denoise(), sampler=Euler(2), sources=())
    return {"tokens": dreamer(), "continuous": continuous}


@pytest.fixture(scope="module")
def truths(models):
    return {name: list(clips) for name, clips in held_out(models["tokens"], 2).items() if name in CHOSEN}


@pytest.fixture(scope="module")
def without_weights(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KINEMA_WEIGHTS", str(tmp_path_factory.mktemp("none")))
        yield


@pytest.fixture(scope="module")
def ran(models, truths, tmp_path_factory, without_weights):
    folder = tmp_path_factory.mktemp("prompted")
    return folder, Prompted(clips=2, steps=(1, 2), timed=1, batch=2, folder=folder).run(models, truths)


def test_every_test_has_a_table_with_its_yardsticks(ran):
    _, findings = ran
    assert list(findings.tables) == ["actions", "words", "inpainting", "quality"]
    assert {"tokens", "continuous", "repeat", "truth", "tokens: codec"} <= set(findings.tables["actions"].sources())
    assert {"tokens", "truth", "chance"} <= set(findings.tables["words"].sources())
    assert {"tokens", "mean colour", "border spread"} <= set(findings.tables["inpainting"].sources())
    quality = set(findings.tables["quality"].sources())
    assert {"tokens, 1 steps", "tokens, 2 steps", "tokens, 3 steps", "continuous, 2 steps", "repeat", "tokens: codec"} <= quality
    assert {drive.telling for drive in findings.drives} == set(obedience.TELLINGS)
    assert findings.protocol["clips"] == {"driving": 2, "drop": 2}


def test_what_is_left_out_is_said(ran):
    said = "\n".join(ran[1].skipped)
    assert "inpainting: continuous is of continuous latents" in said
    assert "fvd needs the weights of I3D" in said
    assert "lpips needs its weights" in said


def test_inpainting_touches_nothing_else(ran):
    table = ran[1].tables["inpainting"]
    assert all(s.values["outside"] == 0 for s in table.samples)


def test_the_same_again_costs_no_dream(ran, models, truths, monkeypatch):
    folder, findings = ran
    for model in models.values():
        monkeypatch.setattr(model, "dream", None)
        monkeypatch.setattr(model, "inpaint", None)
    again = Prompted(clips=2, steps=(1, 2), timed=1, batch=2, folder=folder).run(models, truths)
    assert json.dumps(to_json(again)) == json.dumps(to_json(findings))
    assert again.drives == findings.drives


def test_guidance_goes_with_what_is_told(truths, monkeypatch, without_weights):
    model, heard = dreamer(sources=(Without("text"), Without("actions"))), []

    def spy(name):
        real = getattr(model, name)

        def call(*args, guidance, **told):
            heard.append((name, told.keys() & {"text", "actions"}, guidance))
            return real(*args, guidance=guidance, **told)

        monkeypatch.setattr(model, name, call)

    spy("dream")
    spy("inpaint")
    weights = {"actions": 1.0, "text": 2.0}
    Prompted(clips=2, tests=("inpainting", "quality"), steps=(1,), timed=1, batch=4, guidance=weights).run({"tokens": model}, truths)
    assert all(set(guidance) == told for _, told, guidance in heard)
    for name in ("dream", "inpaint"):  # drives are told their actions beside clips that have none
        assert {frozenset(told) for other, told, _ in heard if other == name} == {frozenset({"text"}), frozenset({"text", "actions"})}


@pytest.mark.parametrize("change", [("MADE", -1), ("__version__", "0")])
def test_what_another_version_made_is_made_again(tmp_path, monkeypatch, change):
    store, made = Kept(tmp_path), []

    def make():
        made.append(0)
        return {"x": torch.ones(1)}

    store.tensors("x", ["key"], make)
    store.tensors("x", ["key"], make)
    assert len(made) == 1
    monkeypatch.setattr(f"kinema.benchmarks.kept.{change[0]}", change[1])
    store.tensors("x", ["key"], make)
    assert len(made) == 2


def test_files(ran, tmp_path):
    report = write(ran[1], tmp_path)
    assert report.read_text() == markdown(ran[1])
    assert json.loads((tmp_path / "results.json").read_text())["tables"].keys() == ran[1].tables.keys()
    assert len((tmp_path / "drives.csv").read_text().splitlines()) == 1 + len(ran[1].drives)
    assert (tmp_path / "quality.csv").exists()


# --- the measures ---


def drives_of(obeys):
    told = {"left": 30.0, "right": -30.0, "keep": 0.0, "accelerate": 0.0, "brake": 0.0, "own": 12.0}
    gains = {"accelerate": 3.0, "brake": -3.0}
    rng = np.random.default_rng(0)
    rows = []
    for clip in range(12):
        for name, yaw in told.items():
            gain = gains.get(name, 0.0)
            seen = (yaw + 0.1, 6.0, gain) if obeys else tuple(rng.normal(size=3) * (20, 1, 2))
            rows.append(Drive(clip, "model", name, (yaw, 6.0, gain), seen))
    return rows


def test_who_obeys_has_full_marks_and_who_does_not_those_of_chance():
    good, bad = (obedience.table_of(drives_of(obeys)) for obeys in (True, False))
    for name in ("yaw_sign", "turn_order", "speed_order"):
        assert good.figure("actions", "", "model", name).mean == 1
        assert bad.figure("actions", "", "model", name).mean < 0.75
    assert good.figure("actions", "", "model", "yaw_rank").mean > 0.99
    chance = bad.figure("actions", "", "model", "yaw_rank")
    assert chance.low < 0 < chance.high
    assert good.figure("actions", "", "model", "yaw_error").mean == pytest.approx(0.1)


def test_retold_drives_begin_with_the_same_frame_and_are_driven_as_told(truths):
    told = obedience.retold(truths["driving"][0], Kept())
    for name, clip in told.items():
        assert torch.equal(clip.rgb[0], truths["driving"][0].rgb[0]), name
    gain = {name: float(clip.actions[-1, 0] - clip.actions[0, 0]) for name, clip in told.items()}
    assert gain["accelerate"] > 0 > gain["brake"]
    assert gain["keep"] == pytest.approx(0, abs=1e-9)


def test_only_simulated_drives_can_be_retold(truths):
    with pytest.raises(UserError, match="clips of the driving world"):
        obedience.retold(truths["drop"][0], Kept())


def test_a_classifier_knows_clusters_and_guesses_noise():
    rng = torch.Generator().manual_seed(0)
    labels = np.repeat(np.arange(3), 20)
    noise = torch.randn(60, 10, generator=rng, dtype=torch.float64)
    clusters = noise + 4 * torch.nn.functional.one_hot(torch.from_numpy(labels), 10)
    seen = worded.judged(clusters, labels, {"noise": noise.roll(7, 0)})
    assert (seen["truth"] == labels).mean() > 0.95
    assert (seen["noise"] == labels).mean() < 0.7
    counts = np.array(worded.confusion(["a", "b", "c"], labels, seen["truth"])["counts"])
    assert counts.sum(1).tolist() == [20, 20, 20]


def test_ranks_share_ties():
    scipy_value = 0.8944271909999159  # spearmanr([1, 2, 2, 3], [1, 2, 3, 4]) is 0.948...; ties on both sides below
    assert rank_correlation(np.array([1.0, 2, 2, 3]), np.array([1.0, 2, 3, 4])) == pytest.approx(0.9486832980505138)
    assert rank_correlation(np.array([1.0, 1, 2, 2]), np.array([1.0, 2, 3, 4])) == pytest.approx(scipy_value)
    assert math.isnan(rank_correlation(np.ones(3), np.arange(3.0)))


def test_intervals_cover_and_narrow():
    values = np.random.default_rng(0).normal(5, 1, 400)
    for few, many in ((20, 400),):
        wide, narrow = (bootstrapped(lambda i: float(values[i].mean()), n, "x") for n in (few, many))
        assert narrow.low < 5 < narrow.high
        assert narrow.high - narrow.low < wide.high - wide.low
    cut = jackknifed(lambda i: float(values[i].mean()), 400)
    assert cut.high - cut.low == pytest.approx(4 * 1 / 20, rel=0.6)


def test_time_at_equal_worth():
    curve = [(1.0, 3.0), (4.0, 1.0)]
    assert tradeoff.time_at(curve, 3.0) == 1
    assert tradeoff.time_at(curve, 1.0) == 4
    assert tradeoff.time_at(curve, 2.0) == pytest.approx(2)
    assert tradeoff.time_at(curve, 0.5) == math.inf


def test_a_model_of_the_same_curve_at_ten_times_the_cost_is_ten_times_as_slow():
    def points(cost):
        rng = np.random.default_rng(1)
        return [tradeoff.Point(k, (cost * k,), 1 / k + rng.normal(0, 0.01, 40), np.zeros(40), None) for k in (1, 2, 4, 8)]

    found = tradeoff.equal_quality("lpips", points(0.1), points(1.0), None, 0.3, 40)
    assert found["ratio"] == pytest.approx(10)
    assert found["interval"][0] <= 10.0001
    assert found["interval"][1] >= 9.9999
    never = tradeoff.equal_quality("lpips", points(0.1), points(1.0), None, 0.01, 40)
    assert never["ratio"] is None
    assert never["seconds"] == [None, None]


def test_the_distance_is_fvd_s():
    class Flat:
        """An encoder whose features are the mean colours of eight places."""

        weights, pretrained, width, size, shortest = "flat", False, 24, 8, 1

        def __call__(self, clip):
            return torch.nn.functional.adaptive_avg_pool2d(clip.rgb.mean(1), (2, 4)).flatten(1)

    rng = torch.Generator().manual_seed(0)
    sets = [
        [Clip(rgb=torch.randint(0, 256, (2, 3, 8, 8), generator=rng, dtype=torch.uint8), fps=8, dt=1 / 8) for _ in range(30)] for _ in "ab"
    ]
    fvd = FVD(Flat(), device="cpu")
    fvd.update(*sets)
    a, b = (tradeoff.as_floats(torch.cat([Flat()(Clip(fps=1, rgb=c.rgb[None] / 255, batched=True)) for c in one])) for one in sets)
    figure = tradeoff.fvd_figure(a, b)
    assert figure.mean == pytest.approx(fvd.compute(), rel=1e-5)
    assert (figure.low, figure.high) == pytest.approx(fvd.interval(), rel=1e-4)


def test_fills_know_the_border_only():
    truth = torch.linspace(0, 1, 32).expand(2, 3, 32, 32)
    mask = filling.box(32)
    clip = Clip(rgb=(255 * truth).round().to(torch.uint8), fps=8, dt=1 / 8)
    spread = filling.border(clip, mask)
    assert (spread - truth).abs().max() < 0.01  # a plane is the solution of Laplace's equation
    assert filling.mean_colour(clip, mask)[..., mask].std(-1).max() < 1e-5


# --- what is refused ---


@pytest.mark.parametrize(("fields", "word"), [
    ({"clips": 1}, "clips must be at least 2"),
    ({"tests": ("smell",)}, "no test named 'smell'; there are actions"),
    ({"steps": (0,)}, "steps must be numbers of at least 1"),
])  # fmt: skip
def test_wrong_settings_are_refused(fields, word):
    with pytest.raises(UserError, match=word):
        Prompted(**fields)


def test_models_must_agree(models, truths):
    other = dreamer(conditions=(Frames(2),))
    with pytest.raises(UserError, match="must agree in size"):
        Prompted(clips=2).run({**models, "other": other}, truths)
    with pytest.raises(UserError, match="drop, clip 0: frames, px and time step are"):
        Prompted(clips=2).run(models, {"drop": [clip.frames(0, 4) for clip in truths["drop"]]})


def folder_of(place, scenario):
    place.mkdir()
    for k, shade in enumerate((0, 80, 160)):
        write_video(place / f"{k}.mp4", torch.full((2, 3, 16, 16), shade, dtype=torch.uint8), 8)
    row = {} if scenario is None else {"scenario": scenario}
    (place / "metadata.jsonl").write_text("".join(json.dumps({"file_name": f"{k}.mp4", **row}) + "\n" for k in range(3)))
    return place


@pytest.mark.parametrize("said", ["Drop", {"part": "kinema.simulators.Drop"}])
def test_folders_are_told_apart_by_their_scenario(tmp_path, said):
    folders = [folder_of(tmp_path / "a", said), folder_of(tmp_path / "b", "roll"), folder_of(tmp_path / "Slide", None)]
    groups = held_in(folders)
    assert list(groups) == ["drop", "roll", "slide"]
    assert [int(clip.rgb.max()) for clip in groups["drop"]] == [0, 80, 160]
    with pytest.raises(UserError, match="there are clips of drop already; give one folder per scenario"):
        held_in([*folders, folder_of(tmp_path / "again", "drop")])


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(UserError, match="there is no such folder"):
        held_in([tmp_path / "none"])


def test_the_first_clips_are_taken(models, truths):
    first, second = truths["drop"]
    taken = Prompted(clips=2)._fitting({"drop": [first, second, first]}, models["tokens"])["drop"]
    assert [torch.equal(clip.rgb, other.rgb) for clip, other in zip(taken, (first, second), strict=True)] == [True, True]

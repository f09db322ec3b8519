"""Rating sheets: blind, shuffled, whole; filled ones read back into a ratio, and refused where they are not whole."""

import csv
import json
from functools import partial

import numpy as np
import pytest
import torch

from kinema.benchmarks import Item, items_of, read_ratings, write_sheet
from kinema.benchmarks.ratings import KEY, SHEET, TEMPLATE, Ratings
from kinema.cli import main
from kinema.core import Clip, UserError
from kinema.core.video import read_video_bytes, write_video
from kinema.data import Simulated
from kinema.simulators import scenario

WORLD = scenario("uniform", size=32, num_frames=6)
TRUTH = Simulated(WORLD, seed=4, length=4)


def video(seed):
    return Clip(rgb=torch.from_numpy(np.random.default_rng(seed).integers(0, 255, (4, 3, 16, 20), dtype=np.uint8)), fps=5)


def items(count=6):
    return [Item(f"clip{i}", "dream" if i % 2 else "floor", partial(video, i)) for i in range(count)]


@pytest.fixture
def folder(tmp_path):
    write_sheet(tmp_path, items(), seed=3)
    return tmp_path


def page(folder):
    text = (folder / SHEET).read_text()
    return text, json.loads(text.split('type="application/json" id="data">')[1].split("</script>")[0])


def fill(folder, rater, says, name=None):
    """A sheet filled in by a rule of the video's key."""
    key, path = json.loads((folder / KEY).read_text()), folder / (name or f"{rater}.csv")
    rows = list(csv.reader((folder / TEMPLATE).read_text().splitlines()))
    filled = [[sheet, rater, code, says(key["videos"][code])] for sheet, _, code, _ in rows[1:]]
    path.write_text("\n".join(",".join(row) for row in [rows[0], *filled]) + "\n")
    return path


def test_the_sheet_is_blind_and_needs_no_network(folder):
    text, shown = page(folder)
    for word in ("http://", "https://", "@import", "url("):
        assert word not in text
    assert {"id", "width", "height", "rows", "frames", "fps", "strip"} == {name for v in shown["videos"] for name in v}
    assert set(shown) == {"sheet", "question", "videos"}
    assert not any(item.name in text for item in items())
    assert [v["id"] for v in shown["videos"]] == [f"v{i:03d}" for i in range(1, 7)]


def test_every_video_is_there_once_in_an_order_of_its_own(folder, tmp_path):
    import base64

    _, shown = page(folder)
    key = json.loads((folder / KEY).read_text())["videos"]
    order = [key[v["id"]]["index"] for v in shown["videos"]]
    assert sorted(order) == list(range(6)) != order
    for v in shown["videos"]:
        picture = read_video_bytes(base64.b64decode(v["strip"])).rgb[0]
        for t in range(4):
            frame = picture[:, t % v["rows"] * 16 :, t // v["rows"] * 20 :][:, :16, :20]
            assert torch.equal(frame, video(key[v["id"]]["index"]).rgb[t])
    write_sheet(tmp_path / "again", items(), seed=3)
    assert (tmp_path / "again" / SHEET).read_bytes() == (folder / SHEET).read_bytes()
    write_sheet(tmp_path / "other", items(), seed=4)
    assert (tmp_path / "other" / KEY).read_text() != (folder / KEY).read_text()


def test_rates_are_meant_over_raters(folder):
    ann = fill(folder, "ann", lambda v: "yes" if v["source"] == "dream" else "no")
    bob = fill(folder, "bob", lambda v: "No" if v["name"] != "clip1" else "Yes")
    ratings = read_ratings(folder, [ann, bob])
    table = ratings.table()
    dream = table.figure("videos", "", "dream", "abnormal")
    assert dream.mean == pytest.approx((1 + 0.5 + 0.5) / 3)
    assert dream.low <= dream.mean <= dream.high
    assert table.figure("videos", "", "floor", "abnormal").mean == 0.0
    assert ratings.agreement() == pytest.approx(4 / 6)
    assert "2 raters, 6 videos" in table.notes[0]
    data = ratings.to_json()
    assert json.loads(json.dumps(data))["raters"] == ["ann", "bob"]


def kappa_of(table):
    """Ratings with so many yes of so many raters."""
    raters = tuple(f"r{i}" for i in range(sum(table[0])))
    known = {"name": "", "source": "dream", "case": "", "split": "", "index": 0}
    key = {"videos": {f"v{i}": known for i in range(len(table))}, "seed": 0, "question": ""}
    return Ratings(raters, {(r, f"v{i}"): k < yes for i, (yes, _) in enumerate(table) for k, r in enumerate(raters)}, key)


def test_kappa_by_hand():
    """Four raters, three videos, 4, 2 and 1 yes: P = (1 + 1/3 + 1/2)/3, p = 7/12."""
    chance = (7 / 12) ** 2 + (5 / 12) ** 2
    assert kappa_of([(4, 0), (2, 2), (1, 3)]).kappa() == pytest.approx(((1 + 1 / 3 + 1 / 2) / 3 - chance) / (1 - chance))
    assert kappa_of([(3, 0), (0, 3)]).kappa() == 1.0
    assert np.isnan(kappa_of([(3, 0), (3, 0)]).kappa())
    assert np.isnan(kappa_of([(1, 0), (0, 1)]).kappa())
    assert "undefined" in kappa_of([(3, 0), (3, 0)]).table().notes[0]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda t: t.replace("v003,no", "v003,"), r"row 4: ann has no answer to v003"),
        (lambda t: t.replace("v003,no", "v003,maybe"), r"row 4: yes or no was expected, got 'maybe'"),
        (lambda t: t.replace("v003", "v009"), r"row 4: the sheet has no video 'v009'"),
        (lambda t: t.replace(",ann,v003", ",,v003"), r"row 4 names no rater"),
        (lambda t: "\n".join(line for line in t.splitlines() if "v003" not in line), r"^ann has no answer to v003; every rater"),
        (lambda t: t + t.splitlines()[3].replace(",no", ",yes") + "\n", r"row 8: ann says both yes and no of v003"),
        (lambda t: t.replace(t.splitlines()[1].split(",")[0], "abc"), r"row 2 belongs to sheet abc, not to"),
        (lambda t: t.replace("answer", "verdict"), r"columns sheet, rater, video, answer were expected"),
        (lambda t: "", r"columns sheet, rater, video, answer were expected"),
    ],
)
def test_sheets_that_are_not_whole_are_refused(folder, damage, message):
    path = fill(folder, "ann", lambda v: "no")
    path.write_text(damage(path.read_text()))
    with pytest.raises(UserError, match=message):
        read_ratings(folder, [path])


def test_other_mistakes_are_named(folder, tmp_path):
    with pytest.raises(UserError, match="no filled sheet"):
        read_ratings(folder, [])
    with pytest.raises(UserError, match="nowhere"):
        read_ratings(folder, [tmp_path / "nowhere.csv"])
    with pytest.raises(UserError, match=r"key\.json"):
        read_ratings(tmp_path / "other", [])
    with pytest.raises(UserError, match="got none"):
        write_sheet(tmp_path / "x", [])
    with pytest.raises(UserError, match="clip0 twice"):
        write_sheet(tmp_path / "x", [*items(2), *items(2)])
    (folder / KEY).write_text("{}")
    with pytest.raises(UserError, match="is no key"):
        read_ratings(folder, [])


@pytest.mark.parametrize(
    "damage",
    [
        lambda k: {**k, "videos": []},
        lambda k: {**k, "videos": {}},
        lambda k: {**k, "videos": None},
        lambda k: {**k, "videos": dict.fromkeys(k["videos"], 3)},
        lambda k: {**k, "videos": dict.fromkeys(k["videos"])},
        lambda k: {**k, "videos": {v: ["name", "source", "case", "split", "index"] for v in k["videos"]}},
        lambda k: {**k, "videos": {v: {**known, "index": "first"} for v, known in k["videos"].items()}},
        lambda k: {**k, "videos": {v: {**known, "case": None} for v, known in k["videos"].items()}},
        lambda k: {**k, "seed": [1]},
        lambda k: {**k, "sheet": None},
        lambda k: [k],
    ],
)
def test_a_key_that_is_none_is_refused_by_its_file(folder, damage):
    path = fill(folder, "ann", lambda v: "no")
    (folder / KEY).write_text(json.dumps(damage(json.loads((folder / KEY).read_text()))))
    with pytest.raises(UserError, match=r"key\.json: is no key of a rating sheet"):
        read_ratings(folder, [path]).to_json()


def test_from_the_command_line(tmp_path, capsys):
    videos = tmp_path / "videos"
    videos.mkdir()
    for i in range(4):
        write_video(videos / f"clip{i}.mp4", TRUTH[i].rgb, 10)
        write_video(tmp_path / f"clip{i}.mp4", TRUTH[i].rgb, 10)
    out = str(tmp_path / "sheet")
    assert main(["rate", "sheet", str(videos), "--truth", str(tmp_path / "videos"), "--num", "3", "--out", out]) == 0
    assert len(json.loads((tmp_path / "sheet" / KEY).read_text())["videos"]) == 6
    fill(tmp_path / "sheet", "ann", lambda v: "no")
    capsys.readouterr()
    assert main(["rate", "read", out, str(tmp_path / "sheet" / "ann.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["figures"]["abnormal"]["mean"] == 0.0
    assert main(["rate", "read", out, str(tmp_path / "sheet" / "ann.csv")]) == 0
    assert "1 rater, 6 videos" in capsys.readouterr().out
    assert main(["rate", "sheet", str(videos), "--num", "9", "--out", out]) == 2
    assert "all 4 videos" in capsys.readouterr().err


def test_true_clips_keep_their_law_and_split(tmp_path):
    for i in range(2):
        write_video(tmp_path / f"clip{i}.mp4", TRUTH[i].rgb, 10)
    found = items_of([tmp_path], Simulated(WORLD, seed=4, length=2))
    assert [(i.source, i.case, i.split) for i in found] == [("dream", "uniform", "id"), ("floor", "uniform", "id")] * 2
    assert torch.equal(found[0].read().rgb, found[1].read().rgb)

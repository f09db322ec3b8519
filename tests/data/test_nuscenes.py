"""nuScenes' layout and recordings with poses, on synthetic drives whose speed, yaw rate and cameras are known exactly."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from kinema.cli.train import _fed
from kinema.core import UserError, from_json, to_json
from kinema.core.video import write_png, write_video
from kinema.data import Fitted, NuScenes, Recorded, open_dataset
from kinema.data.nuscenes import read_drives
from kinema.data.tables import Tables
from kinema.recipes import codec

SPEED, RATE = 6.0, 0.4  # of the car on its circle: m/s, rad/s to the left
MOUNT = (1.5, 0.2, 1.6)  # of the camera on the car, m: forward, left, up
FORWARD = (0.5, -0.5, 0.5, -0.5)  # the camera's z axis points ahead, its x axis to the right


def times(count: int, *, even: bool = True) -> list[float]:
    """Every 1/12 s in whole us; or, as real clocks go, up to 10 ms off."""
    return [round(k / 12 + (0.0 if even else 0.01 * math.sin(7 * k)), 6) for k in range(count)]


def folder(path: Path, drives: dict[str, list[float]], size: tuple[int, int] = (8, 16)) -> Path:
    """A nuScenes folder: every scene a car on a circle; another camera's frames lie between those of the front one."""
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in ("scene", "sample", "sample_data", "ego_pose")}
    sensors = [{"token": "s0", "channel": "CAM_FRONT"}, {"token": "s1", "channel": "CAM_BACK"}]
    inner = [[10.0, 0, 8], [0, 10.0, 4], [0, 0, 1]]
    mount = {"translation": MOUNT, "rotation": FORWARD, "camera_intrinsic": inner}
    mounts = [{"token": f"c{i}", "sensor_token": f"s{i}", **mount} for i in (0, 1)]
    for s, (name, stamps) in enumerate(drives.items()):
        tables["scene"].append({"token": f"scene{s}", "name": name, "description": f"Drive {s}, turn left"})
        for k, t in enumerate(stamps):
            token, angle = f"{s}-{k}", 0.3 + RATE * t
            radius = SPEED / RATE
            place = [100 + radius * math.sin(angle), 50 - radius * math.cos(angle), 0.0]
            rotation = [math.cos(angle / 2), 0, 0, math.sin(angle / 2)]
            tables["sample"].append({"token": token, "scene_token": f"scene{s}"})
            tables["ego_pose"].append({"token": token, "translation": place, "rotation": rotation})
            file = f"{'samples' if k % 6 == 0 else 'sweeps'}/CAM_FRONT/{token}.png"
            common = {"sample_token": token, "ego_pose_token": token, "timestamp": 10**15 + round(t * 1e6)}
            tables["sample_data"].append({"token": token, "calibrated_sensor_token": "c0", "filename": file, **common})
            tables["sample_data"].append({"token": f"back{token}", "calibrated_sensor_token": "c1", "filename": "none.png", **common})
            if size[0]:
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                write_png(path / file, torch.full((3, *size), k % 256, dtype=torch.uint8))
    tables["sample_data"].reverse()  # the order of the table says nothing
    (path / "v1.0-test").mkdir(parents=True)
    for name, rows in {**tables, "sensor": sensors, "calibrated_sensor": mounts}.items():
        (path / f"v1.0-test/{name}.json").write_text(json.dumps(rows, indent=0))
    return path


def test_clips_of_a_drive(tmp_path: Path) -> None:
    data = open_dataset(folder(tmp_path, {"scene-0001": times(36)}))
    assert isinstance(data, NuScenes)
    assert (len(data), data.windows) == (3, ((0, 0), (0, 6), (0, 12)))
    clip = data[1]
    assert (clip.num_frames, clip.fps, clip.dt, clip.size, clip.text) == (24, 12.0, 1 / 12, (8, 16), "Drive 0, turn left")
    assert [int(frame[0, 0, 0]) for frame in clip.rgb] == list(range(6, 30))
    assert torch.equal(from_json(to_json(data))[1].rgb, clip.rgb)


@pytest.mark.parametrize("even", [True, False])
def test_actions_are_exact(tmp_path: Path, even: bool) -> None:
    stamps = times(30, even=even)
    clip = NuScenes(str(folder(tmp_path, {"a": stamps})), every=3)[1]
    gaps = torch.tensor(stamps[4:28], dtype=torch.float64) - torch.tensor(stamps[3:27], dtype=torch.float64)
    turn = RATE * gaps
    chord = 2 * SPEED / RATE * (turn / 2).sin()
    # The camera, ahead of and beside the centre, swings with the car.
    swing = MOUNT[0] * (turn.cos() - 1) - MOUNT[1] * turn.sin()
    wanted = torch.stack([torch.full_like(gaps, SPEED), torch.full_like(gaps, RATE), chord * (turn / 2).cos() + swing, turn], 1)
    torch.testing.assert_close(clip.actions, wanted, atol=1e-9, rtol=0)


def test_camera_is_opencv_from_the_world(tmp_path: Path) -> None:
    clip = NuScenes(str(folder(tmp_path, {"a": times(24)})))[0]
    ahead, left = (torch.tensor([math.cos(0.3), math.sin(0.3), 0.0]), torch.tensor([-math.sin(0.3), math.cos(0.3), 0.0]))
    car = torch.tensor([100 + SPEED / RATE * math.sin(0.3), 50 - SPEED / RATE * math.cos(0.3), 0.0])
    point = car + (MOUNT[0] + 10) * ahead + (MOUNT[1] + 2) * left + torch.tensor([0.0, 0.0, MOUNT[2] - 1])
    seen = clip.camera.frames(0, 1).project(point.double()[None, None])[0, 0]
    torch.testing.assert_close(seen, torch.tensor([8 - 10 * 2 / 10, 4 + 10 * 1 / 10], dtype=torch.float64), atol=1e-4, rtol=0)
    small = NuScenes(str(tmp_path), short_side=4)[0]
    assert small.size == (4, 8)
    torch.testing.assert_close(small.camera.frames(0, 1).project(point.double()[None, None])[0, 0], seen / 2)


def test_counting_rule(tmp_path: Path) -> None:
    """Starts every 6 frames of 240: 40 a scene, 28,000 of 700, as the paper counts; 37 of them have 24 frames."""
    stamps = {f"scene-{k:04d}": times(240) for k in range(2)}
    data = NuScenes(str(folder(tmp_path, stamps, size=(0, 0))))
    assert len(data) == 2 * 37
    assert len(NuScenes(str(tmp_path), num_frames=2)) == 2 * 40
    assert 700 * len(NuScenes(str(tmp_path), num_frames=2)) // 2 == 28_000
    slow = NuScenes(str(tmp_path), interval=6, every=144)
    assert (len(slow), len(NuScenes(str(tmp_path), scenes=("scene-0001",)))) == (4 - 2, 37)


def test_frames_at_two_hertz(tmp_path: Path) -> None:
    clip = NuScenes(str(folder(tmp_path, {"a": times(40)})), num_frames=5, interval=6)[1]
    assert (clip.fps, clip.dt) == (2.0, 0.5)
    assert [int(frame[0, 0, 0]) for frame in clip.rgb] == [6, 12, 18, 24, 30]
    torch.testing.assert_close(clip.actions[:, 0], torch.full((5,), SPEED, dtype=torch.float64), atol=1e-6, rtol=0)
    torch.testing.assert_close(clip.actions[:, 3], torch.full((5,), RATE / 2, dtype=torch.float64), atol=1e-6, rtol=0)


def test_a_gap_parts_a_scene(tmp_path: Path) -> None:
    stamps = times(60)
    data = NuScenes(str(folder(tmp_path, {"a": [t + (1.0 if k > 29 else 0.0) for k, t in enumerate(stamps)]}, size=(0, 0))))
    assert data.windows == ((0, 0), (0, 6), (0, 30), (0, 36))


def test_a_model_is_fed_from_it(tmp_path: Path) -> None:
    folder(tmp_path, {"a": times(60), "b": times(60)}, size=(32, 40))
    stage = codec.tiny()
    b = stage.blueprint
    clip = _fed(stage, str(tmp_path)).data[0]
    assert (clip.num_frames, clip.size, clip.fps, clip.dt) == (b.num_frames, (b.size, b.size), b.fps, b.dt)
    clip = Fitted(NuScenes(str(tmp_path)), size=16, num_frames=9, fps=6.0)[0]
    torch.testing.assert_close(clip.actions[:, :2], torch.tensor([[SPEED, RATE]], dtype=torch.float64).expand(9, 2), atol=1e-5, rtol=0)


def broken(path: Path, table: str, change: Any) -> None:
    file = path / f"v1.0-test/{table}.json"
    rows = json.loads(file.read_text())
    change(rows)
    file.write_text(json.dumps(rows))


@pytest.mark.parametrize(
    ("table", "change", "words"),
    [
        ("ego_pose", lambda rows: rows[3].pop("rotation"), r"ego_pose\.json: entry 3 has no field 'rotation'; it has"),
        ("ego_pose", lambda rows: rows.pop(), r"sample_data\.json: ego_pose_token '0-29' is not in ego_pose\.json"),
        ("ego_pose", lambda rows: rows[2].update(translation=[1, None, 3]), r"ego_pose\.json: translation must hold 3 numbers"),
        ("sample_data", lambda rows: rows[5].pop("timestamp"), r"sample_data\.json: entry 5 has no field 'timestamp'"),
        ("calibrated_sensor", lambda rows: rows[0].update(camera_intrinsic=[]), r"camera_intrinsic must hold 3 x 3 numbers"),
        ("sample", lambda rows: rows.clear(), r"sample_token '0-29' is not in sample\.json"),
        ("scene", lambda rows: rows.append(7), r"scene\.json: entry 1 is no JSON object"),
        ("sensor", lambda rows: rows.pop(0), r"sensor\.json has no 'CAM_FRONT'; it has CAM_BACK"),
    ],
)
def test_bad_tables_are_named(tmp_path: Path, table: str, change: Any, words: str) -> None:
    folder(tmp_path, {"a": times(30)}, size=(0, 0))
    broken(tmp_path, table, change)
    with pytest.raises(UserError, match=words):
        len(NuScenes(str(tmp_path)))


def test_other_mistakes(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no v1\.0-\*/scene\.json"):
        len(NuScenes(str(tmp_path)))
    folder(tmp_path, {"a": times(30)}, size=(0, 0))
    for fields, words in [
        ({"camera": "CAM_UP"}, "no 'CAM_UP'; it has CAM_BACK, CAM_FRONT"),
        ({"scenes": ("z",)}, "no 'z' in"),
        ({"num_frames": 99}, "no scene of CAM_FRONT has 99 frames"),
        ({"fps": 30.0}, r"fps is 30, but the frames of CAM_FRONT come every 0\.0833 s"),
    ]:
        with pytest.raises(UserError, match=words):
            len(NuScenes(str(tmp_path), **fields))  # type: ignore[arg-type]
    for fields in ({"every": 0}, {"interval": 0}, {"num_frames": 1}, {"fps": 0.0}):
        with pytest.raises(UserError, match=next(iter(fields))):
            NuScenes(str(tmp_path), **fields)  # type: ignore[arg-type]
    with pytest.raises(UserError, match=r"CAM_FRONT/0-0\.png: there is no such file"):
        NuScenes(str(tmp_path))[0]
    (tmp_path / "v1.0-mini").mkdir()
    (tmp_path / "v1.0-mini/scene.json").write_text("[]")
    with pytest.raises(UserError, match=r"holds v1\.0-mini, v1\.0-test; name one"):
        len(NuScenes(str(tmp_path)))
    assert len(NuScenes(str(tmp_path), version="v1.0-test")) == 2
    file = tmp_path / "v1.0-test/sample_data.json"
    file.write_text(file.read_text()[:-40])
    with pytest.raises(UserError, match=r"sample_data\.json: cannot be read as JSON"):
        len(NuScenes(str(tmp_path), version="v1.0-test"))


def test_tables_longer_than_a_chunk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder(tmp_path, {"a": times(30)}, size=(0, 0))
    tables = Tables(tmp_path / "v1.0-test")
    whole = list(read_drives(tables, "CAM_FRONT"))
    monkeypatch.setattr("kinema.data.tables.CHUNK", 17)
    assert [shot.file for shot in next(read_drives(tables, "CAM_FRONT")).shots] == [shot.file for shot in whole[0].shots]


# --- recordings with poses -----------------------------------------------------------------------------------------------


def poses(path: Path, stamps: list[float], extra: str = "") -> None:
    rows = [(t, SPEED / RATE * math.sin(RATE * t), -SPEED / RATE * math.cos(RATE * t), RATE * t) for t in stamps]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("t, x, y, yaw, z\n" + "".join(f"{t!r},{x!r},{y!r},{a!r},0\n" for t, x, y, a in rows) + extra)


def test_recordings(tmp_path: Path) -> None:
    stamps = times(10, even=False)
    poses(tmp_path / "frames/poses.csv", stamps)
    for k in range(10):
        write_png(tmp_path / f"frames/{k:03d}.png", torch.full((3, 8, 8), k, dtype=torch.uint8))
    (tmp_path / "frames/caption.txt").write_text("a drive\n")
    write_video(tmp_path / "night.mp4", torch.zeros(9, 3, 8, 8, dtype=torch.uint8), 8)
    poses(tmp_path / "night.poses.csv", [k / 100 - 0.01 for k in range(120)])  # denser than the video
    data = open_dataset(tmp_path)
    assert isinstance(data, Recorded)
    frames, video = data
    assert [int(frame[0, 0, 0]) for frame in frames.rgb] == list(range(10))
    assert frames.text == "a drive"
    assert frames.dt == pytest.approx((stamps[9] - stamps[0]) / 9)
    motion = torch.tensor([[SPEED, RATE]], dtype=torch.float64)
    torch.testing.assert_close(frames.actions[:, :2], motion.expand(10, 2), atol=1e-9, rtol=0)
    torch.testing.assert_close(video.actions[:, :2], motion.expand(9, 2), atol=1e-4, rtol=0)  # interpolated
    assert (video.fps, video.num_frames, video.has("text")) == (8.0, 9, False)


def test_bad_recordings(tmp_path: Path) -> None:
    table = tmp_path / "poses.csv"
    poses(table, times(9))
    with pytest.raises(UserError, match="neither a video nor pictures"):
        len(Recorded(str(tmp_path)))
    write_video(tmp_path / "a.mp4", torch.zeros(30, 3, 8, 8, dtype=torch.uint8), 12)
    with pytest.raises(UserError, match=r"poses from 0 to 0\.666667 s, the frames are from 0 to 2\.41667 s"):
        Recorded(str(tmp_path))[0]
    for text, words in [
        ("t,x,y\n0,0,0\n", "no column 'yaw'"),
        ("t,x,y,yaw\n0,0,0,0\n", "has 1 rows"),
        ("t,x,y,yaw\n0,0,0,0\n1,a,0,0\n", "row 2 has x 'a'"),
        ("t,x,y,yaw\n0,0,0,0\n1,0,0,0\n1,0,0,0\n", "t does not rise from row 2 to row 3"),
        ("t,x,y,yaw\n0,0,0,0\n1,0,0\n", "row 2 has yaw None"),
    ]:
        table.write_text(text)
        with pytest.raises(UserError, match=words):
            Recorded(str(tmp_path))[0]
    write_video(tmp_path / "b.mp4", torch.zeros(3, 3, 8, 8, dtype=torch.uint8), 12)
    with pytest.raises(UserError, match="2 videos lie beside it"):
        len(Recorded(str(tmp_path)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"holds no poses\.csv"):
        len(Recorded(str(tmp_path / "empty")))
    poses(tmp_path / "p/poses.csv", times(4))
    for k in range(3):
        write_png(tmp_path / f"p/{k}.png", torch.zeros(3, 8, 8))
    with pytest.raises(UserError, match="has 4 rows for 3 pictures"):
        Recorded(str(tmp_path / "p"))[0]
    with pytest.raises(UserError, match="state their own times"):
        open_dataset(tmp_path / "p", fps=3)

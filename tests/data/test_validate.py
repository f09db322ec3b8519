"""The checks pass what the simulators make, and catch each law that is broken."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from kinema.core import Clip, UserError
from kinema.core.video import write_video
from kinema.data import generate, open_dataset
from kinema.data.preview import contact_sheet, flow_colors
from kinema.data.validate import (
    CONTACT,
    DRIFT,
    REPROJECTION,
    contact_error,
    difference,
    energy_drift,
    overlap,
    reprojection_error,
    validate,
)
from kinema.simulators import SCENARIOS, Twins, make, scenario
from kinema.simulators.planar import Planar

from ..worlds import FLAT

WORLDS: list[tuple[str, dict[str, bool]]] = [(name, {}) for name in FLAT]
WORLDS += [(name, {"box2d_compatible": True}) for name, cls in SCENARIOS.items() if issubclass(cls, Planar)]


def clip_of(name: str = "collision", index: int = 0, **fields: object) -> Clip:
    return make(scenario(name, size=48, **fields), 0, index)


@pytest.mark.parametrize("name", [name for name, cls in SCENARIOS.items() if issubclass(cls, Planar)])
@pytest.mark.parametrize("split", ["id", "ood"])
def test_what_the_simulators_make_is_lawful(name: str, split: str) -> None:
    world = scenario(name, size=48, flip=True).split(split)
    for i in range(10):
        clip = make(world, 0, i)
        assert reprojection_error(clip) < REPROJECTION
        assert energy_drift(clip) < DRIFT
        assert contact_error(clip, world.gravity) < CONTACT
        assert overlap(clip) < CONTACT


def test_a_broken_law_is_caught() -> None:
    clip = clip_of()
    still = (0.0, 0.0)
    assert len(clip.contacts["time"]) == 1
    wrong_flow = clip.flow.clone()
    wrong_flow[4, 0, 24] += 0.01
    assert reprojection_error(clip.replace(flow=wrong_flow)) > REPROJECTION
    energy = clip.energy.clone()
    energy[-1] *= 1 + 1e-6
    assert energy_drift(clip.replace(energy=energy)) > DRIFT
    for key, value in [
        ("impulse", clip.contacts["impulse"] * 1.001), ("impulse", -clip.contacts["impulse"]), ("point", clip.contacts["point"] + 0.01),
        ("time", clip.contacts["time"] + 0.01), ("bodies", torch.tensor([[0, -1]])),
    ]:  # fmt: skip
        assert contact_error(clip.replace(contacts={**clip.contacts, key: value}), still) > CONTACT, key
    silent = {key: array[:0] for key, array in clip.contacts.items()}
    assert contact_error(clip.replace(contacts=silent), still) > CONTACT
    assert contact_error(clip_of("parabola"), still) > CONTACT  # gravity is not to be explained away
    larger = clip.replace(bodies={**clip.bodies, "radius": clip.bodies["radius"] * 2})
    assert overlap(larger) > CONTACT
    assert overlap(larger, 0.01) > CONTACT  # far more than they sink into each other in a step


def test_difference_sees_a_single_bit() -> None:
    clip = clip_of()
    assert difference(clip, clip_of()) == ""
    rgb = clip.rgb.clone()
    rgb[3, 1, 2, 5] ^= 1
    position = clip.bodies["position"].clone()
    position[0, 0, 0] = torch.nextafter(position[0, 0, 0], torch.tensor(99.0, dtype=torch.float64))
    changes: dict[str, Callable[[], Clip]] = {
        "rgb": lambda: clip.replace(rgb=rgb),
        "bodies.position": lambda: clip.replace(bodies={**clip.bodies, "position": position}),
        "text": lambda: clip.replace(text="else"),
        "dt": lambda: clip.replace(dt=0.2),
        "fields": lambda: clip.replace(flow=None),
        "meta": lambda: clip.replace(meta={}),
    }
    for name, change in changes.items():
        assert difference(clip, change()) == name


def test_validate_a_folder(tmp_path: Path) -> None:
    generate(tmp_path / "d", scenario("collision", size=32), num=4, shard_size=2)
    assert all(check.ok for check in validate(open_dataset(tmp_path / "d")))
    path = tmp_path / "d/shards/000001.tar"
    data = bytearray(path.read_bytes())
    data[1000] ^= 1
    path.write_bytes(data)
    failed = {check.name: check.found for check in validate(open_dataset(tmp_path / "d")) if not check.ok}
    assert set(failed) == {"shards (SHA-256, index)", "clips read"}
    assert all("000001.tar" in found for found in failed.values())
    with pytest.raises(UserError, match="at least 1"):
        list(validate(open_dataset(tmp_path / "d"), clips=0))


@pytest.mark.parametrize(("name", "options"), WORLDS)
def test_a_folder_of_every_world_passes_its_laws(tmp_path: Path, name: str, options: dict[str, bool]) -> None:
    generate(tmp_path / "d", scenario(name, size=32, **options), num=3)
    checks = list(validate(open_dataset(tmp_path / "d")))
    assert [check for check in checks if not check.ok] == []
    assert len(checks) >= 8  # four of the files, and at least four laws


@pytest.mark.parametrize("name", ["collision", "phyre"])
def test_possible_twins_are_held_to_the_laws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    generate(tmp_path / "d", Twins(scenario(name, size=64), violations=("vanish",)), num=4)
    plain = [check.name for check in validate(open_dataset(generated(tmp_path / "plain", name)))]
    checks = list(validate(open_dataset(tmp_path / "d")))
    assert [check for check in checks if not check.ok] == []
    assert [check.name.removesuffix(" (possible clips)") for check in checks] == plain
    seen: list[bool] = []
    monkeypatch.setattr("kinema.data.validate.overlap", lambda clip, step: seen.append(clip.meta["possible"]) or 1e9)
    monkeypatch.setattr("kinema.data.validate.depth.overlap", lambda bodies: 1e9)
    assert [check.name for check in validate(open_dataset(tmp_path / "d")) if not check.ok] == ["bodies overlap (possible clips)"]
    assert seen == ([True, True] if name == "collision" else [])


def generated(path: Path, name: str) -> Path:
    generate(path, scenario(name, size=32), num=1)
    return path


def test_truth_that_is_not_a_number_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generate(tmp_path / "d", scenario("uniform", size=32, num_frames=4), num=3)
    errors = iter([0.0, float("nan"), 0.0])
    monkeypatch.setattr("kinema.data.validate.reprojection_error", lambda clip: next(errors))
    assert [check.name for check in validate(open_dataset(tmp_path / "d")) if not check.ok] == ["flow against re-projection"]


def test_validate_plain_videos(tmp_path: Path) -> None:
    write_video(tmp_path / "a.mp4", torch.zeros(2, 3, 16, 16, dtype=torch.uint8), 10)
    assert all(check.ok for check in validate(open_dataset(tmp_path)))
    (tmp_path / "b.mp4").write_bytes(b"nothing")
    (check,) = validate(open_dataset(tmp_path))
    assert not check.ok
    assert "b.mp4" in check.found


def test_flow_colors_turn_with_the_flow() -> None:
    right, left = (flow_colors(torch.tensor([u, 0.0])[:, None, None], 1.0)[:, 0, 0] for u in (1.0, -1.0))
    assert right.tolist() == [1.0, 0.0, 0.0]
    assert torch.allclose(left, 1 - right, atol=1e-5)  # opposite directions, opposite colours
    half = flow_colors(torch.tensor([0.5, 0.0])[:, None, None], 1.0)[:, 0, 0]
    assert torch.allclose(half, (1 + right) / 2)


def test_a_contact_sheet_has_a_row_for_what_is_there(tmp_path: Path) -> None:
    generate(tmp_path / "d", scenario("collision", size=32), num=3)
    full = contact_sheet(open_dataset(tmp_path / "d"), clips=1, frames=4)
    plain = contact_sheet(open_dataset(tmp_path / "d", ("rgb",)), clips=1, frames=4)
    assert full.shape[0] == 3
    assert full.shape[1] == 4 * plain.shape[1]
    assert contact_sheet(open_dataset(tmp_path / "d"), clips=3, frames=4).shape[1] > 3 * full.shape[1] - 1
    assert 0 <= float(full.min()) <= float(full.max()) <= 1
    make(scenario("collision", size=32), 0, 0).frames(0, 1).save(tmp_path / "one.safetensors")
    one = contact_sheet(open_dataset(tmp_path / "one.safetensors"))  # a single frame has no flow to show
    assert one.shape[1] == full.shape[1] / 2
    with pytest.raises(UserError):
        contact_sheet(open_dataset(tmp_path / "d"), clips=0)

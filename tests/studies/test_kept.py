"""What is read off one body, and what a dream of it kept: on true clips of known bodies, and on clips of what a body could turn into."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import ndimage

from kinema.core import Clip, UserError
from kinema.core.rng import stream
from kinema.simulators import make, scenario
from kinema.simulators.planar import Attributes
from kinema.studies.kept import Kept
from kinema.studies.looks import look

ALL = ((0, 0), (0, 1), (1, 0), (1, 1))
GIVEN = 5


def clip(px: int = 64, **own: object) -> Clip:
    """A clip of the body with these parameters."""
    params = {"radius": 1.0, "speed": 2.0, "x": 2.0, "y": 5.0, "color": "red", "shape": "ball", "mirrored": False, **own}
    shape = ("ball", "ring") if params["shape"] == "ring" else ("ball", "square")
    world = Attributes(size=px, num_frames=20, shape=shape)
    return world.simulate(params, stream("test"), ("rgb",))


@pytest.mark.parametrize("shape", ["ball", "square", "ring"])
@pytest.mark.parametrize("color", ["red", "blue"])
def test_true_bodies_of_all_radii_are_read_without_error_at_64_px(shape: str, color: str) -> None:
    for i, radius in enumerate(np.linspace(0.7, 1.4, 15)):
        seen = look(clip(shape=shape, color=color, radius=float(radius), x=2.0 + 0.017 * i, y=5.0 + 0.023 * i))
        assert seen.whole.all()
        kinds = {seen.shape(slice(t, t + 1)) for t in range(20)}
        assert kinds == {shape}
        assert np.abs(seen.radius - radius).max() < 0.01  # m; a pixel is 0.156 m
        assert (seen.blue == (color == "blue")).all()
        assert np.abs(np.diff(seen.position[:, 0]) / 0.1 - 2.0).max() < 0.12
        assert np.abs(seen.position[:, 1] - 5.0 - 0.023 * i).max() < 0.02


def test_blur_does_not_hide_a_shape() -> None:
    for shape, blur in (("ball", 1.0), ("square", 1.0), ("ring", 0.5)):  # px
        for radius in (0.7, 1.4):
            true = clip(shape=shape, radius=radius)
            soft = ndimage.gaussian_filter(true.rgb.numpy().astype(float), (0, 0, blur, blur))
            seen = look(true.replace(rgb=torch.from_numpy(soft.round().astype(np.uint8))))
            assert {seen.shape(slice(t, t + 1)) for t in range(20)} == {shape}


def test_the_codec_that_ships_hides_no_attribute() -> None:
    from kinema.benchmarks.systems import reconstructions
    from kinema.world_model import find, load_blueprint, load_weights

    folder = find("scenes-codec")
    codec = load_blueprint(folder).codec.build()
    load_weights(codec, folder / "codec.safetensors")
    truths = [make(Attributes(combinations=ALL, size=64, num_frames=33, shape=("ball", "ring" if i % 2 else "square")), 8, i, ("rgb",))
              for i in range(12)]  # fmt: skip
    for truth, seen in zip(truths, reconstructions(codec.eval(), truths), strict=True):
        kept = Kept()(seen, truth, GIVEN)
        assert [kept[f"kept_{name}"] for name in ("color", "shape", "radius", "speed")] == [1.0] * 4
        assert all(abs(float(kept[f"drift_{name}"])) < 0.3 for name in ("color", "shape", "radius", "speed"))


def test_where_there_is_no_body_nothing_is_read() -> None:
    true = clip()
    empty = look(true.replace(rgb=torch.full_like(true.rgb, 255)))
    assert np.isnan(empty.radius).all()
    assert not empty.whole.any()
    assert empty.shape() == ""


def test_a_body_at_the_border_is_not_whole() -> None:
    assert not look(clip(x=0.5)).whole[0]
    assert look(clip(x=1.2)).whole[0]


def test_a_true_clip_keeps_everything() -> None:
    for i in range(12):
        truth = make(Attributes(combinations=ALL, size=64, num_frames=33, flip=True, shape=("ball", "ring" if i % 2 else "square")), 3, i)
        kept = Kept()(truth.only("rgb"), truth, GIVEN)
        for name in ("color", "shape", "radius", "speed"):
            assert kept[f"kept_{name}"] == 1.0
            assert abs(float(kept[f"drift_{name}"])) < 0.1
        assert kept["vanished"] == 0.0


CHANGES = {  # what a dream shows instead -> (what drifts, how far)
    "color": ({"color": "blue"}, 1.0),
    "shape": ({"shape": "square"}, 1.0),
    "radius": ({"radius": 1.225}, (0.9 - 1.225) / (0.9 - 1.225)),
    "speed": ({"speed": 3.25}, 1.0),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_body_that_turns_into_the_other_kind_has_drifted_by_one_in_that_alone(name: str) -> None:
    own = {"radius": 0.9, "speed": 1.6}
    change, drift = CHANGES[name]
    kept = Kept()(clip(**{**own, **change}), clip(**own), GIVEN)
    assert kept[f"drift_{name}"] == pytest.approx(drift, abs=0.05)
    assert kept[f"kept_{name}"] == 0.0
    for other in set(CHANGES) - {name}:
        assert kept[f"kept_{other}"] == 1.0
        assert abs(float(kept[f"drift_{other}"])) < 0.08


def test_half_way_is_half_a_drift() -> None:
    own = {"radius": 0.9, "speed": 1.6}
    true, blue = clip(**own), clip(**own, color="blue")
    mixed = ((true.rgb.float() + blue.rgb.float()) / 2).round().to(torch.uint8)
    assert Kept()(true.replace(rgb=mixed), true, GIVEN)["drift_color"] == pytest.approx(0.5, abs=0.01)
    assert Kept()(clip(**{**own, "speed": (1.6 + 3.25) / 2}), true, GIVEN)["drift_speed"] == pytest.approx(0.5, abs=0.03)


def test_a_ring_is_told_by_its_hole_in_both_directions() -> None:
    ball, ring = clip(), clip(shape="ring")
    world = ring.meta["scenario"]
    assert Kept()(ball, ring, GIVEN)["drift_shape"] == pytest.approx(1.0, abs=0.01)
    of_a_ring_world = ball.replace(meta={**ball.meta, "scenario": world})
    assert Kept()(ring, of_a_ring_world, GIVEN)["drift_shape"] == pytest.approx(1.0, abs=0.01)
    assert Kept()(ring, of_a_ring_world, GIVEN)["kept_shape"] == 0.0


def test_mirrored_bodies_have_their_speed_along_the_way_they_go() -> None:
    assert Kept()(clip(mirrored=True), clip(mirrored=True), GIVEN)["seen_speed"] == pytest.approx(2.0, abs=0.02)
    assert Kept()(clip(x=8.0, speed=-2.0), clip(mirrored=True), GIVEN)["seen_speed"] == pytest.approx(2.0, abs=0.02)
    assert float(Kept()(clip(), clip(mirrored=True), GIVEN)["seen_speed"]) < 0  # it came back


def test_a_vanished_body_has_kept_nothing_and_lost_nothing() -> None:
    truth = clip()
    rgb = truth.rgb.clone()
    rgb[GIVEN:] = 255
    kept = Kept()(truth.replace(rgb=rgb), truth, GIVEN)
    assert kept["vanished"] == 1.0
    assert all(math.isnan(float(kept[f"{what}_color"])) for what in ("seen", "drift", "kept"))


def test_one_kind_of_red_alone_still_has_sizes_to_drift_between() -> None:
    world = replace(Attributes(pair=("color", "radius"), color=("red", "red")), size=64, num_frames=20)
    truth = make(world, 0, 1)
    assert abs(float(Kept()(truth, truth, GIVEN)["drift_radius"])) < 0.1


def test_other_worlds_are_refused() -> None:
    truth = make(scenario("uniform", size=32, num_frames=8), 0, 0, ("rgb",))
    with pytest.raises(UserError, match="attributes can be compared"):
        Kept()(truth, truth, 3)

"""Rigid outlines, turned and drawn: against geometry worked out here, by samples and by brute force."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from kinema.core import UserError
from kinema.simulators.planar.render import DENSE, render, render_bodies
from kinema.simulators.planar.shapes import SHAPES, Disc, Outline, Polygon, Ring, Union, outline

SIZE = 64
JAR = Union((Polygon.box(2.4, 0.4, (0, -1)), Polygon.box(0.4, 2.4, (-1.2, 0.3)), Polygon.box(0.4, 2.4, (1.2, 0.3))))
OUTLINES: dict[str, Outline] = {
    "disc": Disc(1.3),
    "disc aside": Disc(0.8, (0.7, -0.3)),
    "ring": Ring(1.5, 0.9),
    "square": Polygon.box(2.4, 2.4),
    "bar": Polygon.box(3.6, 0.5),
    "triangle": Polygon(((-1.2, -0.9), (1.5, -0.7), (-0.2, 1.6))),
    "jar": JAR,
}  # fmt: skip
SYMMETRY = {"disc": 0.37, "ring": 1.1, "square": math.pi / 2, "bar": math.pi, "jar": 2 * math.pi}
each = pytest.mark.parametrize("name", OUTLINES)

INK = np.zeros((1, 3), np.uint8)


def parts(shape: Outline) -> tuple[Outline, ...]:
    return shape.pieces if isinstance(shape, Union) else (shape,)


def within(shape: Outline, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Whether points of the body's frame lie inside, from the definition of each shape."""
    if isinstance(shape, Disc):
        return np.hypot(x - shape.at[0], y - shape.at[1]) < shape.radius
    if isinstance(shape, Ring):
        return (np.hypot(x, y) < shape.radius) & (np.hypot(x, y) > shape.inner)
    if isinstance(shape, Polygon):
        sides = zip(shape.vertices, shape.vertices[1:] + shape.vertices[:1], strict=True)
        return np.all([(bx - ax) * (y - ay) - (by - ay) * (x - ax) > 0 for (ax, ay), (bx, by) in sides], 0)
    return np.any([within(piece, x, y) for piece in parts(shape)], 0)


def rim(shape: Outline) -> np.ndarray:
    """Many points [k,2] on the rim of one piece."""
    turn = np.linspace(0, 2 * math.pi, 4001)
    circle = np.stack([np.cos(turn), np.sin(turn)], 1)
    if isinstance(shape, Disc):
        return circle * shape.radius + shape.at
    if isinstance(shape, Ring):
        return np.concatenate([circle * shape.radius, circle * shape.inner])
    assert isinstance(shape, Polygon)
    corners = np.array(shape.vertices)
    along = np.linspace(0, 1, 2001)[:, None]
    return np.concatenate([a + along * (b - a) for a, b in zip(corners, np.roll(corners, -1, 0), strict=True)])


def body_frame(x: np.ndarray, y: np.ndarray, center: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    """Image points in px, y down, as points of the body's frame, y up; `center` in px."""
    dx, dy = x - center[0], center[1] - y
    return math.cos(angle) * dx + math.sin(angle) * dy, -math.sin(angle) * dx + math.cos(angle) * dy


def draw(shapes: list[Outline], position: object, angle: object, **more: object) -> dict[str, np.ndarray]:
    """On a world of one metre to the pixel."""
    place, turn = np.array(position, float), np.array(angle, float)
    settings = {"color": np.zeros((len(shapes), 3), np.uint8), "size": SIZE, "world_width": float(SIZE), "fields": DENSE}
    return render_bodies(shapes, place, turn, **{**settings, **more})


def cover(image: dict[str, np.ndarray]) -> np.ndarray:
    share: np.ndarray = 1 - image["rgb"][:, 0] / 255
    return share


# --- outlines ----------------------------------------------------------------------------------------------------------


@each
def test_the_distance_is_that_to_the_nearest_point_of_the_rim(name: str) -> None:
    rng = np.random.default_rng(len(name))
    x, y = rng.uniform(-3, 3, (2, 400))
    angle = 0.7
    for piece in parts(OUTLINES[name]):
        at = rim(piece)
        nearest = np.hypot(x[:, None] - at[:, 0], y[:, None] - at[:, 1]).min(1)
        signed = np.where(within(piece, x, y), -nearest, nearest)
        # The same points and the same body, both turned.
        cos, sin = math.cos(angle), math.sin(angle)
        distance = piece.distance(cos * x - sin * y, sin * x + cos * y, (cos, sin))
        np.testing.assert_allclose(distance, signed, atol=2e-3)
    whole = OUTLINES[name].distance(x, y)
    assert ((whole < 0) == within(OUTLINES[name], x, y)).all()


@each
def test_area_and_bound_are_those_of_samples(name: str) -> None:
    shape = OUTLINES[name]
    axis = (np.arange(1600) + 0.5) / 200 - 4
    x, y = np.meshgrid(axis, axis)
    if not isinstance(shape, Union):  # which counts overlaps twice
        assert within(shape, x, y).sum() / 200**2 == pytest.approx(shape.area, rel=2e-3)
    held = within(shape, x, y)
    assert np.hypot(x[held], y[held]).max() == pytest.approx(shape.bound, abs=0.02)
    assert shape.scaled(3.0).bound == pytest.approx(3 * shape.bound)
    assert shape.scaled(3.0).area == pytest.approx(9 * shape.area)


@pytest.mark.parametrize(
    "vertices",
    [
        ((0, 0), (1, 0)), ((0,), (1,), (2,)), ((0, 0), (0, 1), (1, 0)), ((0, 0), (2, 0), (0.5, 0.5), (0, 2)),
        ((0, 0), (1, 0), (2, 0), (0, 1)),
    ],
)  # fmt: skip
def test_a_polygon_that_is_not_convex_and_counter_clockwise_is_refused(vertices: tuple[tuple[float, float], ...]) -> None:
    with pytest.raises(UserError, match="polygon"):
        Polygon(vertices)


def test_shapes_have_codes() -> None:
    assert {code: type(outline(code, 1.0)) for code in SHAPES.values()} == {0: Disc, 1: Polygon, 2: Ring}
    assert outline(1, 0.5).area == 1.0
    with pytest.raises(UserError, match="0 \\(ball\\), 1 \\(square\\), 2 \\(ring\\)"):
        outline(7, 1.0)


# --- pictures ----------------------------------------------------------------------------------------------------------


@each
def test_a_body_covers_its_area_in_any_pose(name: str) -> None:
    rng = np.random.default_rng(1)
    shape = OUTLINES[name].scaled(6.0)
    area = within(shape, *np.meshgrid(*2 * ((np.arange(1200) + 0.5) / 20 - 30,))).sum() / 20**2
    image = draw([shape], rng.uniform(28, 36, (8, 1, 2)), rng.uniform(-9, 9, (8, 1)), fields=("rgb",))
    corners = sum(len(piece.vertices) for piece in parts(shape) if isinstance(piece, Polygon))
    np.testing.assert_allclose(cover(image).sum((1, 2)), area, rtol=0.01, atol=0.2 * corners)  # a corner is drawn a little round


@each
def test_pixels_show_the_share_that_is_covered(name: str) -> None:
    """Against sixteen by sixteen samples per pixel."""
    shape, center, angle = OUTLINES[name].scaled(5.0), np.array([33.3, 29.6]), 0.4
    image = draw([shape], [[[center[0], SIZE - center[1]]]], [[angle]])
    fine = (np.arange(SIZE * 16) + 0.5) / 16
    share = within(shape, *body_frame(*np.meshgrid(fine, fine), center, angle)).reshape(SIZE, 16, SIZE, 16).mean((1, 3))
    error = np.abs(cover(image)[0] - share)
    assert error.max() < 0.3  # at a corner
    assert error[error > 0.004].mean() < 0.06
    at = within(shape, *body_frame(*np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5), center, angle))
    assert (image["segmentation"][0] == at).all()


@pytest.mark.parametrize("width", [0.2, 0.5, 0.9, 1.4])
@pytest.mark.parametrize("angle", [0.0, 0.3, math.pi / 2])
def test_a_stick_thinner_than_a_pixel_keeps_its_weight(width: float, angle: float) -> None:
    places = np.random.default_rng(2).uniform(30, 34, (40, 1, 2))
    image = draw([Polygon.box(40.0, width)], places, np.full((40, 1), angle), fields=("rgb",))
    assert cover(image).sum((1, 2)).mean() == pytest.approx(40 * width, rel=0.15)


@pytest.mark.parametrize("name", SYMMETRY)
def test_turned_by_its_symmetry_a_body_looks_the_same(name: str) -> None:
    shape = OUTLINES[name].scaled(5.0)
    one, other = (draw([shape], [[[31.7, 33.2]]], [[0.3 + k * SYMMETRY[name]]]) for k in (0, 1))
    assert np.abs(one["rgb"].astype(int) - other["rgb"]).max() <= 1
    assert (one["segmentation"] == other["segmentation"]).mean() > 0.999


@each
def test_turning_the_world_turns_the_picture(name: str) -> None:
    shape, x, y, angle = OUTLINES[name].scaled(5.0), 35.3, 28.1, 0.3
    image = draw([shape], [[[x, y]]], [[angle]])
    turned = draw([shape], [[[SIZE - y, x]]], [[angle + math.pi / 2]])  # counter-clockwise about the middle
    assert np.abs(np.rot90(image["rgb"][0], axes=(1, 2)).astype(int) - turned["rgb"][0]).max() <= 1
    assert (np.rot90(image["segmentation"][0]) == turned["segmentation"][0]).mean() > 0.999


def test_a_polygon_of_many_corners_becomes_a_disc() -> None:
    place, angle = [[[32.4, 31.8]]], [[0.1]]
    disc = cover(draw([Disc(15.0)], place, angle))
    errors = []
    for m in (6, 12, 24, 48, 96):
        ring = tuple((15 * math.cos(2 * math.pi * k / m), 15 * math.sin(2 * math.pi * k / m)) for k in range(m))
        errors.append(np.abs(cover(draw([Polygon(ring)], place, angle)) - disc).sum())
    assert all(b < a / 3 for a, b in pairwise(errors[:4]))  # a quarter, as the area that is cut off
    assert errors[-1] < 1.0


@pytest.mark.parametrize("angle", [0.0, 0.3, 1.2])
def test_pieces_that_touch_leave_no_seam(angle: float) -> None:
    place = [[[32.0, 32.0]]]
    halves = Union((Polygon.box(9.0, 14.0, (-4.5, 0)), Polygon.box(9.0, 14.0, (4.5, 0))))
    one, other = (draw([shape], place, [[angle]]) for shape in (halves, Polygon.box(18.0, 14.0)))
    assert (one["segmentation"] == other["segmentation"]).all()
    difference = np.abs(cover(one) - cover(other))
    assert difference.max() < 0.5  # where the seam meets the rim two corners come together
    assert (difference > 0.01).sum() <= 8


def test_a_union_looks_like_its_pieces_in_one_colour() -> None:
    shape = JAR.scaled(7.0)
    place, angle = np.full((1, 1, 2), 31.3), np.full((1, 1), 0.5)
    whole = draw([shape], place, angle)
    pieces = draw(list(shape.pieces), np.repeat(place, 3, 1), np.repeat(angle, 3, 1))
    assert ((whole["segmentation"] > 0) == (pieces["segmentation"] > 0)).all()
    difference = np.abs(whole["rgb"].astype(int) - pieces["rgb"])[0, 0]
    assert (difference > 1).sum() < 20  # where the rims of two pieces cross
    assert difference.max() < 70


# --- scenes: bodies that move, turn, rest, and lie over each other -----------------------------------------------------


def scene(seed: int, frames: int = 12) -> tuple[list[Outline], np.ndarray, np.ndarray, np.ndarray]:
    """Ten bodies, some at rest all along, some that come to rest, in random order."""
    rng = np.random.default_rng(seed)
    shapes = [shape.scaled(rng.uniform(3, 6)) for shape in (*OUTLINES.values(), Disc(1.0), Polygon.box(5, 0.4), Polygon.box(6, 0.6))]
    rng.shuffle(shapes)
    clock = np.minimum(np.arange(frames)[:, None], rng.integers(0, 2 * frames, len(shapes)) * rng.integers(0, 2, len(shapes)))
    position = rng.uniform(0, SIZE, (len(shapes), 2)) + clock[..., None] * rng.normal(0, 2.5, (len(shapes), 2))
    angle = rng.uniform(-3, 3, len(shapes)) + clock * rng.normal(0, 0.3, len(shapes))
    color = rng.integers(0, 230, (len(shapes), 3)).astype(np.uint8)
    return shapes, position, angle, color


def centers(position: np.ndarray) -> np.ndarray:
    image: np.ndarray = position * [1, -1] + [0, SIZE]
    return image


def owners(shapes: list[Outline], center: np.ndarray, angle: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """The uppermost body at points of the image, -1 for the ground."""
    owner = np.full(x.shape, -1)
    for n, shape in enumerate(shapes):
        owner[within(shape, *body_frame(x, y, center[n], float(angle[n])))] = n
    return owner


PIXELS = np.meshgrid(np.arange(SIZE) + 0.5, np.arange(SIZE) + 0.5)
seeds = pytest.mark.parametrize("seed", range(4))


@seeds
def test_every_frame_is_drawn_as_if_it_were_alone(seed: int) -> None:
    """What rests is drawn once for many frames, and what never moves below all else: neither can be seen."""
    shapes, position, angle, color = scene(seed)
    clip = draw(shapes, position, angle, color=color)
    for t in range(len(position)):
        alone = draw(shapes, position[t : t + 1], angle[t : t + 1], color=color, fields=("rgb", "segmentation"))
        assert np.abs(clip["rgb"][t].astype(int) - alone["rgb"][0]).max() <= 1
        assert (clip["segmentation"][t] == alone["segmentation"][0]).all()


@seeds
def test_ids_are_those_of_the_uppermost_body(seed: int) -> None:
    shapes, position, angle, color = scene(seed)
    ids = draw(shapes, position, angle, color=color)["segmentation"]
    truth = np.stack([owners(shapes, c, a, *PIXELS) for c, a in zip(centers(position), angle, strict=True)])
    assert (ids == truth + 1).mean() > 0.9999  # single precision at the very rim
    assert len(np.unique(ids)) > 5


@seeds
def test_flow_is_where_the_bodys_point_goes(seed: int) -> None:
    shapes, position, angle, color = scene(seed)
    clip, center = draw(shapes, position, angle, color=color), centers(position)
    for t in range(len(position) - 1):
        for field, at, to in (("flow", t, t + 1), ("backward_flow", t + 1, t)):
            for n in range(len(shapes)):
                mine = clip["segmentation"][at] == n + 1
                x, y = PIXELS[0][mine], PIXELS[1][mine]
                u, v = body_frame(x, y, center[at, n], angle[at, n])
                cos, sin = math.cos(angle[to, n]), math.sin(angle[to, n])
                there = np.stack([center[to, n, 0] + cos * u - sin * v, center[to, n, 1] - sin * u - cos * v])
                assert np.abs(clip[field][t][:, mine] - (there - np.stack([x, y]))).max(initial=0) < 1e-4
            assert not clip[field][t][:, clip["segmentation"][at] == 0].any()


@seeds
def test_a_point_is_hidden_exactly_if_something_lies_over_it(seed: int) -> None:
    shapes, position, angle, color = scene(seed)
    clip, center = draw(shapes, position, angle, color=color), centers(position)
    wrong = hidden = 0
    for t in range(len(position) - 1):
        owner = clip["segmentation"][t].astype(int) - 1
        x, y = np.stack(PIXELS) + clip["flow"][t].astype(float)
        gone = (x < 0) | (x >= SIZE) | (y < 0) | (y >= SIZE)
        gone |= owners(shapes, center[t + 1], angle[t + 1], x, y) > owner
        wrong += int((clip["occlusion"][t] != gone).sum())
        hidden += int(gone.sum())
    assert wrong < 1e-3 * hidden  # points on a rim to within rounding
    assert hidden > 100


@seeds
def test_there_and_back_again(seed: int) -> None:
    shapes, position, angle, color = scene(seed)
    clip, compared = draw(shapes, position, angle, color=color), 0
    for t in range(len(position) - 1):
        x, y = np.stack(PIXELS) + clip["flow"][t]
        i, j = np.floor(x).astype(int), np.floor(y).astype(int)
        seen = ~clip["occlusion"][t] & (i > 0) & (i < SIZE - 1) & (j > 0) & (j < SIZE - 1)
        i, j = np.clip(i, 1, SIZE - 2), np.clip(j, 1, SIZE - 2)
        ids = clip["segmentation"][t + 1]
        seen &= np.all([ids[j + b, i + a] == clip["segmentation"][t] for a in (-1, 0, 1) for b in (-1, 0, 1)], 0)
        back = clip["backward_flow"][t][:, j, i]
        slope = np.abs(np.diff(angle[t : t + 2], axis=0)).max() + 1e-4  # the pixel's centre is up to .71 px from the point
        assert np.abs(back + clip["flow"][t])[:, seen].max() < slope
        compared += int(seen.sum())
    assert compared > 0.4 * SIZE**2 * (len(position) - 1)


@seeds
def test_a_body_without_a_place_is_not_there(seed: int) -> None:
    shapes, position, angle, color = scene(seed)
    n, moment = len(shapes) // 2, 5
    position[moment:, n] = np.nan
    clip = draw(shapes, position, angle, color=color)
    rest = [i for i in range(len(shapes)) if i != n]
    without = draw([shapes[i] for i in rest], position[:, rest], angle[:, rest], color=color[rest])
    assert (clip["rgb"][moment:] == without["rgb"][moment:]).all()
    assert not (clip["segmentation"][moment:] == n + 1).any()
    last = clip["segmentation"][moment - 1] == n + 1
    assert clip["occlusion"][moment - 1][last].all()
    assert not clip["flow"][moment - 1][:, last].any()
    assert np.isfinite(clip["flow"]).all()


def test_a_body_that_is_cut_is_not_followed() -> None:
    position = np.array([[[20.0, 30.0]], [[22.0, 30.0]], [[40.0, 30.0]], [[42.0, 30.0]]])
    cut = np.array([[False], [True], [False]])
    clip = draw([Disc(6.0)], position, np.zeros((4, 1)), cut=cut)
    for t, step in enumerate((2, 0, 2)):
        before, after = clip["segmentation"][t] == 1, clip["segmentation"][t + 1] == 1
        assert (clip["flow"][t][0, before] == step).all()
        assert (clip["backward_flow"][t][0, after] == -step).all()
        assert clip["occlusion"][t][before].all() == bool(cut[t, 0])
    assert clip["occlusion"][1][clip["segmentation"][2] == 1].all()  # and where it turns up it hides the ground


# --- worlds of balls, squares and rings --------------------------------------------------------------------------------


def test_shape_and_size_may_change_on_the_way() -> None:
    codes = np.array([[0], [1], [1], [2]])
    radius = np.array([[1.0], [1.0], [1.5], [1.5]])
    color, place = np.zeros((4, 1, 3), np.uint8), np.full((4, 1, 2), 5.0)
    image = render(place, radius, color, size=128, world_width=10.0, fields=("rgb",), shape=codes)
    looks = [outline(int(code), float(r)) for code, r in zip(codes[:, 0], radius[:, 0], strict=True)]
    for t in range(4):
        alone = render_bodies([looks[t]], place[:1], None, INK, size=128, world_width=10.0, fields=("rgb",))
        assert (image["rgb"][t] == alone["rgb"][0]).all()
    bodies = render_bodies([looks], place, None, INK, size=128, world_width=10.0, fields=("rgb",))
    assert (image["rgb"] == bodies["rgb"]).all()


def test_points_that_a_change_of_shape_cuts_off_are_hidden() -> None:
    codes, place = np.array([[1], [1], [0]]), np.array([[[5.0, 5.0]], [[5.5, 5.0]], [[6.0, 5.0]]])
    color = np.zeros((3, 1, 3), np.uint8)
    image = render(place, np.full((3, 1), 2.0), color, size=SIZE, world_width=10.0, fields=DENSE, shape=codes)
    square = image["segmentation"][1] == 1
    x, y = PIXELS[0] + 3.2, PIXELS[1]
    outside = np.hypot(x - 38.4, y - 32.0) >= 12.8
    assert (image["occlusion"][1][square] == outside[square]).all()
    assert not image["occlusion"][0][image["segmentation"][0] == 1].any()
    np.testing.assert_allclose(image["flow"][1][0][square], 3.2, atol=1e-5)  # it moves as one all the same


def test_a_colour_may_change_on_the_way() -> None:
    color = np.array([[[255, 0, 0]], [[255, 0, 0]], [[0, 0, 255]]], np.uint8)
    image = render(np.full((3, 1, 2), 5.0), np.ones((3, 1)), color, size=32, world_width=10.0, fields=("rgb",))["rgb"]
    assert image[:, :, 16, 16].tolist() == color[:, 0].tolist()


@pytest.mark.parametrize("code", [0, 1])
def test_the_published_look_is_that_of_the_released_generator(code: int) -> None:
    """PhyWorld: a grid of W points from 0 to 1, its rows turned upside down; a ball's rim fades as (r^2 - d^2) / .03 r^2, a
    square has none; colours are cut off to whole numbers."""
    rng, width = np.random.default_rng(code), 96
    position, radius = rng.uniform(1, 9, (6, 1, 2)), np.full((6, 1), 0.93)
    color = np.full((6, 1, 3), (255, 0, 40), np.uint8)
    options = {"size": width, "world_width": 10.0, "fields": DENSE, "style": "published", "shape": np.full((6, 1), code)}
    image = render(position, radius, color, **options)
    axis, r = np.linspace(0, 1, width), 0.093
    for t, (x, y) in enumerate(position[:, 0] / 10):
        dx, dy = np.meshgrid(axis - x, axis - y)
        share = np.clip((r**2 - dx**2 - dy**2) / (0.03 * r**2), 0, 1) if code == 0 else np.maximum(np.abs(dx), np.abs(dy)) <= r
        wanted = ((1 - share[..., None]) * 255 + share[..., None] * color[t, 0]).astype(np.uint8)[::-1]
        difference = np.abs(image["rgb"][t].transpose(1, 2, 0).astype(int) - wanted)
        assert difference.max() <= 1
        assert (difference > 0).mean() < 1e-3  # a product that lies on a whole number may be cut off to either side
        assert (image["segmentation"][t] == (share > 0)[::-1]).all()
    step = np.diff(position[:, 0], axis=0) * [1, -1] * (width - 1) / 10
    for t in range(5):
        mine = image["segmentation"][t] == 1
        np.testing.assert_allclose(image["flow"][t][:, mine].T, np.broadcast_to(step[t], (mine.sum(), 2)), atol=1e-4)


def test_what_cannot_be_drawn_is_refused() -> None:
    place, color = np.full((1, 1, 2), 5.0), np.zeros((1, 1, 3), np.uint8)
    with pytest.raises(UserError, match="smooth, published"):
        render(place, np.ones((1, 1)), color, size=32, world_width=10.0, fields=("rgb",), style="pretty")
    with pytest.raises(UserError, match="balls and squares"):
        render(place, np.ones((1, 1)), color, size=32, world_width=10.0, fields=("rgb",), style="published", shape=np.full((1, 1), 2))
    with pytest.raises(UserError, match="no dense field 'depth'"):
        render(place, np.ones((1, 1)), color, size=32, world_width=10.0, fields=("depth",))

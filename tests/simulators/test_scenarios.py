"""Every planar scenario in every split: reproducible, lawful, exact. Spatial ones have tests of their own."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from kinema.core import Clip, UserError, from_json, stream
from kinema.simulators import SCENARIOS, SpatialWorld, make, remake, scenario
from kinema.simulators.planar import DENSE, WORLD, Planar

FLAT = [name for name, cls in SCENARIOS.items() if not issubclass(cls, SpatialWorld)]  # of the others this would take minutes
CASES = [(name, split) for name in FLAT for split in SCENARIOS[name].splits]
PLANAR = [name for name, cls in SCENARIOS.items() if issubclass(cls, Planar)]  # in closed form; others have tests of their own laws
COUNT = 3

every = pytest.mark.parametrize(("name", "split"), CASES)
each = pytest.mark.parametrize("name", FLAT)
every_planar = pytest.mark.parametrize(("name", "split"), [case for case in CASES if case[0] in PLANAR])
each_planar = pytest.mark.parametrize("name", PLANAR)
every_ranged = pytest.mark.parametrize(("name", "split"), [case for case in CASES if hasattr(SCENARIOS[case[0]], "radius_outside")])


def clips(name: str, split: str, count: int = COUNT, seed: int = 5, fields: tuple[str, ...] | None = None, **options: object) -> list[Clip]:
    world = scenario(name, **{"size": 64, "flip": True, **options}).split(split)
    return [make(world, seed, i, fields) for i in range(count)]


def digest(clip: Clip) -> str:
    arrays, header = clip.to_tensors()
    parts = [f"{name} {array.dtype} {tuple(array.shape)}".encode() + array.numpy().tobytes() for name, array in sorted(arrays.items())]
    return hashlib.sha256(b"".join(parts) + json.dumps(header).encode()).hexdigest()


# --- the same clip everywhere ------------------------------------------------------------------------------------------

_ELSEWHERE = """
import importlib.util, json, sys
spec = importlib.util.spec_from_file_location("here", sys.argv[1])
here = importlib.util.module_from_spec(spec)
spec.loader.exec_module(here)
out = {}
for name, split in reversed(here.CASES):  # another order: nothing may depend on what was made before
    out[f"{name} {split}"] = [here.digest(here.make(here.scenario(name, size=64, flip=True).split(split), 5, i)) for i in (2, 1, 0)][::-1]
print(json.dumps(out))
"""


def test_a_seed_gives_the_same_bytes_in_another_process() -> None:
    run = subprocess.run([sys.executable, "-c", _ELSEWHERE, __file__], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    elsewhere = json.loads(run.stdout)
    for name, split in CASES:
        assert elsewhere[f"{name} {split}"] == [digest(clip) for clip in clips(name, split)]


@every
def test_clips_of_a_stream_differ(name: str, split: str) -> None:
    digests = {digest(clip) for seed in (0, 1) for clip in clips(name, split, seed=seed)}
    assert len(digests) == 2 * COUNT


@every
def test_a_clip_is_made_again_from_its_meta(name: str, split: str, tmp_path: Path) -> None:
    clip = clips(name, split, 1)[0]
    clip.save(tmp_path / "clip.safetensors")
    read = Clip.load(tmp_path / "clip.safetensors")
    assert digest(remake(read)) == digest(clip)
    assert json.loads(json.dumps(clip.meta)) == clip.meta
    assert from_json(clip.meta["scenario"]) == scenario(name, size=64, flip=True).split(split)
    again = from_json(clip.meta["scenario"]).simulate(clip.meta["params"], stream("unused"))
    assert torch.equal(again.rgb, clip.rgb)


@every
def test_fields_are_the_same_alone(name: str, split: str) -> None:
    (whole,) = clips(name, split, 1, fields=DENSE)
    assert whole.has(*DENSE, "bodies", "contacts", "energy", "camera", "text")
    for field in DENSE:
        (alone,) = clips(name, split, 1, fields=(field,))
        assert torch.equal(alone.fields[field], whole.fields[field])
        assert not alone.has(*(other for other in DENSE if other != field))
        assert alone.has("bodies", "contacts", "energy", "camera", "text")


@each
def test_shapes_and_types(name: str) -> None:
    clip = make(scenario(name, size=48, num_frames=7, fps=20.0, dt=0.05), 0, 0, DENSE)
    n = clip.bodies["position"].shape[1]
    wanted = {
        "rgb": ((7, 3, 48, 48), torch.uint8), "segmentation": ((7, 48, 48), torch.uint8), "flow": ((6, 2, 48, 48), torch.float32),
        "backward_flow": ((6, 2, 48, 48), torch.float32), "occlusion": ((6, 48, 48), torch.bool), "energy": ((7,), torch.float64),
    }  # fmt: skip
    assert {field: (tuple(clip.fields[field].shape), clip.fields[field].dtype) for field in wanted} == wanted
    shapes = {key: tuple(value.shape) for key, value in clip.bodies.items()}
    assert shapes.items() >= {"position": (7, n, 2), "velocity": (7, n, 2), "radius": (7, n), "mass": (7, n), "color": (7, n, 3)}.items()
    assert (clip.fps, clip.dt) == (20.0, 0.05)
    assert float(clip.camera.intrinsics[0, 0, 0]) * clip.meta["world_width"] == pytest.approx(48)
    if name in PLANAR:
        assert clip.meta["world_width"] == WORLD
    if name in ("uniform", "parabola", "collision", "bounce"):
        assert clip.bodies["color"][0, 0].tolist() == [255, 0, 0]
    assert clip.text.endswith(".")


# --- the law -------------------------------------------------------------------------------------------------------------


AREA = {0: torch.pi, 1: 4.0, 2: torch.pi * (1 - 0.6**2)}  # of a ball, a square (half side 1) and a ring of radius 1


@every_planar
@pytest.mark.parametrize("box2d", [False, True])
def test_energy_and_momentum(name: str, split: str, box2d: bool) -> None:
    gravity = torch.tensor(scenario(name).gravity, dtype=torch.float64)
    for clip in clips(name, split, 8, fields=(), num_frames=64, box2d_compatible=box2d):
        body = {key: value.double() for key, value in clip.bodies.items()}
        shape = clip.bodies.get("shape", torch.zeros_like(body["radius"]).long())
        area = torch.tensor([AREA[code] for code in shape.flatten().tolist()], dtype=torch.float64).view(shape.shape)
        assert torch.allclose(body["mass"], area * body["radius"] ** 2, rtol=1e-12)
        kinetic = (body["mass"] * body["velocity"].square().sum(-1)).sum(-1) / 2
        potential = -(body["mass"][..., None] * body["position"] * gravity).sum((-1, -2))
        assert torch.allclose(clip.energy, kinetic + potential, rtol=1e-12)
        if box2d:  # inelastic impacts lose energy; that they do so rightly is tested on its own
            assert (clip.energy.diff() <= 1e-10 * clip.energy.max()).all()
        else:
            assert torch.allclose(clip.energy, clip.energy[:1], rtol=1e-10)
        momentum = (body["mass"][..., None] * body["velocity"]).sum(1)
        time = torch.arange(64, dtype=torch.float64)[:, None] * clip.dt
        free = momentum[:1] + time * gravity * body["mass"][:1].sum()
        late = (clip.contacts["time"] <= time).double()  # [t,k]
        pushed = late @ (clip.contacts["impulse"][:, None] * wall_normals(clip))
        assert torch.allclose(momentum, free + pushed, atol=1e-9)


def wall_normals(clip: Clip) -> torch.Tensor:
    """The inward normal [k,2] of the wall that each contact is with, 0 where it is between bodies."""
    point = clip.contacts["point"]
    to_walls = torch.cat([point, WORLD - point], -1)  # left, bottom, right, top
    assert (to_walls.min(-1).values[clip.contacts["bodies"][:, 1] < 0].abs() < 1e-9).all()
    normals = torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]], dtype=torch.float64)
    return normals[to_walls.argmin(-1)] * (clip.contacts["bodies"][:, 1:] < 0)


@pytest.mark.parametrize("split", SCENARIOS["parabola"].splits)
def test_the_parabola_falls(split: str) -> None:
    for clip in clips("parabola", split, fields=()):
        t = torch.arange(clip.num_frames, dtype=torch.float64) * clip.dt
        y = clip.bodies["position"][:, 0, 1]
        assert torch.allclose(y, y[0] - 2.5 * t**2 / 2, atol=1e-10)
        assert torch.allclose(clip.bodies["position"][:, 0, 0].diff() / clip.dt, clip.bodies["velocity"][:-1, 0, 0], atol=1e-10)


@pytest.mark.parametrize("split", SCENARIOS["collision"].splits)
def test_the_collision_happens_when_and_as_it_must(split: str) -> None:
    for clip in clips("collision", split, 8, fields=(), num_frames=64):
        body, params = clip.bodies, clip.meta["params"]
        r, v, m = body["radius"][0], body["velocity"][:, :, 0], body["mass"][0]
        closing = sum(params["speed"])
        assert torch.allclose(v[0].abs(), torch.tensor(params["speed"], dtype=torch.float64))
        gap = (body["position"][0, 0] - body["position"][0, 1]).norm() - r.sum()
        when = float(gap) / closing
        assert len(clip.contacts["time"]) == (when < 63 * clip.dt)
        if not len(clip.contacts["time"]):
            continue
        assert float(clip.contacts["time"][0]) == pytest.approx(when, abs=1e-9)
        first = ((m[0] - m[1]) * v[0, 0] + 2 * m[1] * v[0, 1]) / m.sum()
        second = ((m[1] - m[0]) * v[0, 1] + 2 * m[0] * v[0, 0]) / m.sum()
        assert torch.allclose(v[-1], torch.stack([first, second]), atol=1e-10)
        assert clip.contacts["bodies"].tolist() == [[0, 1]]


@pytest.mark.parametrize("split", SCENARIOS["bounce"].splits)
def test_the_bounce_comes_back(split: str) -> None:
    for clip in clips("bounce", split, 8, fields=(), num_frames=24):
        x, v, r = clip.bodies["position"][:, 0, 0], clip.bodies["velocity"][:, 0, 0], float(clip.bodies["radius"][0, 0])
        if clip.meta["params"]["mirrored"]:
            x, v = WORLD - x, -v
        free = x[0] + v[0] * torch.arange(24, dtype=torch.float64) * clip.dt
        room = WORLD - 2 * r
        assert torch.allclose(x, r + room - (((free - r) % (2 * room)) - room).abs(), atol=1e-9)
        if len(clip.contacts["time"]):
            assert float(clip.contacts["time"][0]) == pytest.approx((WORLD - r - float(x[0])) / float(v[0]), abs=1e-9)
            assert float(clip.contacts["impulse"][0]) == pytest.approx(2 * float(clip.bodies["mass"][0, 0] * v[0]), abs=1e-9)


# --- PhyWorld's ranges -------------------------------------------------------------------------------------------------


def inside(value: float, ranges: tuple[tuple[float, float], ...]) -> bool:
    return any(low <= value <= high for low, high in ranges)


@every_ranged
def test_parameters_leave_their_ranges_where_the_split_says(name: str, split: str) -> None:
    world = scenario(name).split(split)
    seen = set()
    for i in range(300):
        params = world.sample(stream("ranges", name, split, i))
        level = tuple(params["outside"])
        seen.add(level)
        assert level in SCENARIOS[name].splits[split]
        for family in ("radius", "speed"):
            values = params[family] if isinstance(params[family], list) else [params[family]]
            for k, value in enumerate(values, 1):
                out = family in level or f"{family}{k}" in level
                assert inside(value, getattr(world, f"{family}_outside" if out else family)), (family, value, level)
                assert inside(value, getattr(world, family)) != out
    assert seen == set(SCENARIOS[name].splits[split])


def test_the_ranges_are_those_of_the_released_code() -> None:
    for name in ("uniform", "parabola", "collision", "bounce"):
        world = SCENARIOS[name]()
        assert world.speed == ((1.0, 4.0),)
        assert world.speed_outside == ((0.0, 0.8), (4.5, 6.0))
        assert world.radius == (((0.5, 1.5),) if name == "collision" else ((0.7, 1.4),))
        assert world.radius_outside == (((0.3, 0.4), (1.7, 2.0)) if name == "collision" else ((0.3, 0.6), (1.5, 2.0)))
    assert set(SCENARIOS["uniform"].splits) >= {"id", "ood", "r", "v", "both"}
    assert set(SCENARIOS["collision"].splits) >= {"id", "ood", "r1", "v1", "r1r2", "v1v2", "r1v1", "all"}


@pytest.mark.parametrize("name", ["uniform", "parabola"])
@pytest.mark.parametrize("split", ["id", "ood"])
def test_a_single_ball_is_visible_for_24_frames(name: str, split: str) -> None:
    fitted = 0
    for clip in clips(name, split, 100, fields=()):
        x, r = clip.bodies["position"][:24, 0], float(clip.bodies["radius"][0, 0])
        speed = clip.meta["params"]["speed"]
        assert (x[0] >= r).all()
        assert (x[0] <= WORLD - r).all()
        if name == "uniform":
            assert (x[:, 1] >= r + 0.5 - 1e-9).all()
            assert (x[:, 1] <= WORLD - 0.5 - r + 1e-9).all()
        else:
            assert WORLD - 1.5 - r <= float(x[0, 1]) <= WORLD - 0.5 - r
        if 24 * 0.1 * speed + 2 * r <= WORLD:
            fitted += 1
            assert (x[:, 0] >= r - 1e-9).all()
            assert (x[:, 0] <= WORLD - r + 1e-9).all()
    assert fitted > 30


def test_balls_have_time_before_and_after_they_collide() -> None:
    widest = 0
    for clip in clips("collision", "id", 200, fields=()):
        x, r = clip.bodies["position"][0], clip.bodies["radius"][0]
        assert (x >= r[:, None] - 1e-9).all()
        assert (x <= WORLD - r[:, None] + 1e-9).all()
        time = float(clip.contacts["time"][0])
        assert time > 0.4  # the paper: the impact comes after the fourth frame
        assert time <= (32 - 1 - 8) * 0.1 + 1e-9
        room = WORLD - 2 * float(r.sum())
        if time < 0.8 - 1e-9:  # faster than the room allows: the widest gap that fits
            widest += 1
            assert time == pytest.approx(room / sum(clip.meta["params"]["speed"]), abs=1e-9)
    assert widest < 100


# --- mirroring ---------------------------------------------------------------------------------------------------------


@each_planar
def test_flip_mirrors_every_other_clip_exactly(name: str) -> None:
    plain = clips(name, "id", 40, flip=False, fields=DENSE)
    flipped = clips(name, "id", 40, flip=True, fields=DENSE)
    mirrored = [clip.meta["params"]["mirrored"] for clip in flipped]
    assert not any(clip.meta["params"]["mirrored"] for clip in plain)
    assert 8 <= sum(mirrored) <= 32
    for a, b in zip(plain, flipped, strict=True):
        if not b.meta["params"]["mirrored"]:
            assert torch.equal(a.rgb, b.rgb)
            continue
        assert torch.allclose(b.bodies["position"][..., 0], WORLD - a.bodies["position"][..., 0], atol=1e-9)
        assert torch.allclose(b.bodies["velocity"][..., 0], -a.bodies["velocity"][..., 0], atol=1e-9)
        assert torch.allclose(b.bodies["position"][..., 1], a.bodies["position"][..., 1], atol=1e-9)
        assert torch.allclose(b.energy, a.energy)
        assert (b.rgb.flip(-1).int() - a.rgb.int()).abs().max() <= 1  # the last bit of a pixel may round the other way
        sign = torch.tensor([-1.0, 1.0])[:, None, None]
        same = b.segmentation.flip(-1) == a.segmentation
        assert same.double().mean() > 0.9999
        assert ((b.flow.flip(-1) * sign - a.flow).abs() * same[:-1, None]).max() < 1e-3


# --- mistakes ----------------------------------------------------------------------------------------------------------


def test_an_unknown_scenario_is_answered_with_the_names() -> None:
    with pytest.raises(UserError, match="uniform, parabola, collision, bounce"):
        scenario("gravity")


@each
def test_an_unknown_split_is_answered_with_the_names(name: str) -> None:
    with pytest.raises(UserError, match=", ".join(SCENARIOS[name].splits)):
        scenario(name).split("test")


@each_planar
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"size": 4}, "size"),
        ({"size": 64.5}, "size"),
        ({"size": "big"}, "size"),
        ({"num_frames": 1}, "frames"),
        ({"num_frames": 2.5}, "frames"),
        ({"dt": 0.0}, "dt"),
        ({"dt": float("nan")}, "dt"),
        ({"dt": "fast"}, "dt"),
        ({"fps": -1.0}, "fps"),
        ({"radius": ()}, "radius"),
        ({"radius": ((1.4, 0.7),)}, "radius"),
        ({"radius": ((0.7,),)}, "radius"),
        ({"radius": 1.0}, "radius"),
        ({"radius": ((0.0, 1.0),)}, "radius"),
        ({"radius": ((1.0, 9.0),)}, "radius"),
        ({"speed": ((-1.0, 1.0),)}, "speed"),
        ({"speed_outside": ((0.0, float("inf")),)}, "speed_outside"),
        ({"outside": (("mass",),)}, "mass"),
        ({"outside": ()}, "outside"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_a_wrong_field_is_refused_in_a_sentence(name: str, fields: dict[str, object], said: str) -> None:
    with pytest.raises(UserError, match=said) as error:
        scenario(name, **fields)
    assert name in str(error.value)


@each
def test_unknown_dense_truth_is_refused(name: str) -> None:
    with pytest.raises(UserError, match="depth"):
        make(scenario(name), 0, 0, ("depth",))


@each
def test_parameters_that_lack_one_are_refused(name: str) -> None:
    world = scenario(name, size=16)
    params = world.sample(stream("lacking"))
    for key in (key for key in params if key != "outside"):
        with pytest.raises(UserError, match=f"{name}: the parameters lack '{key}'"):
            world.simulate({k: v for k, v in params.items() if k != key}, stream("unused"))


def test_a_clip_of_no_scenario_cannot_be_made_again() -> None:
    clip = Clip(rgb=torch.zeros(2, 3, 8, 8, dtype=torch.uint8), fps=10.0, dt=0.1)
    with pytest.raises(UserError, match="scenario, seed, index"):
        remake(clip)
    with pytest.raises(UserError, match="is no scenario of kinema, got 'kitchen'"):
        remake(clip.replace(meta={"scenario": "kitchen", "seed": 0, "index": 0}))


def test_a_stream_is_not_the_generator_of_numpy() -> None:
    assert stream("uniform", 0, 0).random() != np.random.default_rng(0).random()

"""The abnormal rule: lawful clips pass, also such as took another course; every kind of impossible change is seen."""

import numpy as np
import pytest
import torch

from kinema.core import Clip, UserError
from kinema.core.config import from_json, to_json
from kinema.metrics import Abnormal
from kinema.metrics.layers import WHITE, palette_of, pieces, shares
from kinema.metrics.scene import _cover, _sums
from kinema.simulators import make, scenario

RULE = Abnormal(first_frame=1)
PHYRE = scenario("phyre", size=128, num_frames=20)
RED, GREY, BLACK = (243, 79, 70), (185, 202, 210), (0, 0, 0)


def phyre(index, world=PHYRE):
    return make(world, 6, index, ("rgb",))


def reasons(rgb, truth):
    return RULE.reasons(truth.only().replace(rgb=rgb), truth)


@pytest.mark.parametrize("index", range(6))
def test_a_true_clip_and_another_course_of_it_are_normal(index):
    truth = phyre(index)
    assert reasons(truth.rgb, truth) == []
    x, y, r = truth.meta["params"]["action"]
    for shift in (-0.004, 0.004):  # less than a pixel at the start, another pile in the end
        other = PHYRE.simulate({**truth.meta["params"], "action": [x + shift, y, r]}, np.random.default_rng(0), ("rgb",))
        assert reasons(other.rgb, truth) == []


@pytest.mark.parametrize(("law", "split"), [("uniform", "both"), ("parabola", "v"), ("collision", "v1v2"), ("bounce", "id")])
def test_balls_may_leave_over_the_border(law, split):
    world = scenario(law, size=64)
    for index in range(4):
        truth = make(world.split(split), 5, index, ("rgb",))
        assert reasons(truth.rgb, truth) == []


def edited(truth, **changes):
    """The clip rendered with some of its bodies' arrays changed, by functions of the array."""
    bodies = {name: array.clone() for name, array in truth.bodies.items()}
    for name, change in changes.items():
        change(bodies[name])
    return PHYRE.render(bodies, ("rgb",))["rgb"]


def put(frames, body, value):
    def change(array):
        array[frames, body] = torch.as_tensor(value, dtype=array.dtype)

    return change


FAR = -1000.0
TRUTH = phyre(1)  # a grey ball, a grey bar, a fixed black bar, crossed sticks; the red ball comes last
BALL, BAR, FIXED, RED_BALL = 0, 1, 2, 4
LATER = slice(8, None)


def test_the_scene_is_the_one_that_is_edited():
    color = [tuple(c) for c in TRUTH.bodies["color"][0].tolist()]
    assert (color[BALL], color[BAR], color[FIXED], color[RED_BALL]) == (GREY, GREY, BLACK, RED)
    assert TRUTH.bodies["static"][0].tolist() == [False, False, True, False, False]


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"position": put(LATER, BALL, FAR)}, "vanishes"),
        ({"position": put(slice(8, 10), RED_BALL, FAR)}, "vanishes"),
        ({"color": put(LATER, RED_BALL, GREY)}, "vanishes"),
        ({"color": put(LATER, BALL, RED)}, "appears"),
        ({"color": put(LATER, BALL, (0, 160, 0))}, "does not have"),
        ({"length": lambda a: a[:, BALL].mul_(1.5)}, "appears or grows|change size|changes shape"),
        ({"length": lambda a: a[:, BAR].mul_(0.6)}, "vanishes|change size|changes shape"),
        ({"position": put(LATER, FIXED, FAR)}, "stands fast is gone"),
        ({"position": lambda a: a[LATER, FIXED].add_(5.0)}, "where it was not"),
        ({"position": lambda a: a[LATER, RED_BALL].copy_(a[LATER, FIXED])}, "gone or covered"),
        ({"position": lambda a: a[8:12, RED_BALL].copy_(torch.tensor([80.0, 80.0]))}, "jumps"),
    ],
)
def test_impossible_changes_are_seen(changes, word):
    rgb = TRUTH.rgb if "length" not in changes else None
    video = edited(TRUTH, **changes)
    if rgb is not None:
        assert torch.equal(video[1:8], rgb[1:8])
    found = reasons(video, TRUTH)
    assert any(any(w in reason for w in word.split("|")) for reason in found), found


def test_a_body_that_takes_another_s_shape_is_seen():
    """A bar of the area of a ball: no pixel is gained or lost."""
    ball = TRUTH.bodies["length"][0, BALL].item()
    bar = edited(TRUTH, shape=put(LATER, BALL, TRUTH.bodies["shape"][0, BAR]), length=lambda a: a.select(1, BALL).fill_(ball))
    areas = [sum(p.area for p in pieces(shares(v[9].numpy(), [GREY])[0][0], 1)) for v in (TRUTH.rgb, bar)]
    assert any("shape" in r or "size" in r or "vanishes" in r for r in reasons(bar, TRUTH)), areas


def test_a_dream_that_freezes_is_seen():
    held = torch.cat([TRUTH.rgb[:1], TRUTH.rgb[:1].expand(len(TRUTH.rgb) - 1, -1, -1, -1)])
    assert reasons(held, TRUTH) == [f"everything stands still (frame {len(held) - 1})"]


def test_what_is_given_is_not_judged():
    video = TRUTH.rgb.clone()
    video[:3] = 255
    assert reasons(video, TRUTH) != []
    assert Abnormal(first_frame=3)(TRUTH.only().replace(rgb=video), TRUTH).tolist() == [0.0]
    assert Abnormal()(TRUTH.only().replace(rgb=video, meta={"condition_frames": 3}), TRUTH).tolist() == [0.0]


def test_a_plain_video_and_a_truth_with_masks_give_the_same_verdicts():
    truth = make(PHYRE, 6, 1, ("rgb", "segmentation"))
    plain = Clip(rgb=truth.rgb, fps=truth.fps, dt=truth.dt)
    gone = edited(TRUTH, position=put(LATER, BALL, FAR))
    for known in (truth, plain):
        assert reasons(truth.rgb, known) == []
        assert any("vanishes" in r for r in reasons(gone, known))


def test_bodies_that_touch_at_first_may_part():
    """Two grey squares side by side, told apart by masks or by a later frame."""
    frame = np.full((3, 40, 40), 255, np.uint8)
    video = np.stack([frame] * 6)
    for t in range(6):
        for x in (10, 18 + 2 * t):
            video[t, :, 10:18, x : x + 8] = np.array(GREY, np.uint8)[:, None, None]
    truth = Clip(rgb=torch.from_numpy(video), fps=5)
    assert reasons(truth.rgb, truth) == []
    masks = torch.zeros(6, 40, 40, dtype=torch.int64)
    for t in range(6):
        masks[t, 10:18, 10:18], masks[t, 10:18, 18 + 2 * t : 26 + 2 * t] = 1, 2
    still = truth.replace(rgb=truth.rgb[:1].expand(6, -1, -1, -1), segmentation=masks[:1].expand(6, -1, -1))
    assert not any("bodies" in r or "body" in r for r in reasons(truth.rgb, still))
    assert any("split" in r for r in reasons(truth.rgb, still.replace(segmentation=None)))  # nobody said that there are two


def test_rims_are_mixtures_and_no_bodies():
    """A black disc on white has a grey rim: no pixel of it is the grey body's."""
    y, x = np.mgrid[:48, :48]
    cover = np.clip(10.5 - np.hypot(x - 24, y - 24), 0, 1)
    picture = np.broadcast_to(np.round(255 * (1 - cover)), (3, 48, 48)).astype(np.uint8).copy()
    picture[:, 2:8, 2:8] = np.array(GREY, np.uint8)[:, None, None]
    share, foreign = shares(picture, [GREY, BLACK])
    assert share[0][10:].sum() == 0
    assert share[1].sum() == pytest.approx(cover.sum(), abs=1.0)
    assert share[0].sum() == pytest.approx(36)
    assert not foreign.any()
    assert set(palette_of(picture)) == {GREY, BLACK}
    assert palette_of(np.full((3, 9, 9), 255, np.uint8)) == [] != [WHITE]


def test_pieces_are_measured():
    share = np.zeros((30, 40), np.float32)
    share[5:9, 10:22] = 1.0
    share[20:23, 0:3] = 1.0
    bar, corner = pieces(share, 1.0)
    assert (bar.area, bar.center, bar.cut, corner.cut) == (48.0, (15.5, 6.5), False, True)
    assert bar.spread == pytest.approx(((12**2 - 1) / 12, (4**2 - 1) / 12))  # moments of a lattice of 12 x 4 points


def test_covers_are_exact():
    """Against all assignments, one by one."""
    import itertools

    rng = np.random.default_rng(0)
    for _ in range(60):
        bodies, count = int(rng.integers(1, 5)), int(rng.integers(0, 4))
        choices = [sorted({int(m) for m in rng.integers(1, 1 << bodies, size=3)}) for _ in range(count)]
        for left in (False, True):
            fits = [p for p in itertools.product(*choices) if all(not a & b for a, b in itertools.combinations(p, 2))]
            want = any(left or sum(p) == (1 << bodies) - 1 for p in fits)
            assert _cover(choices, (1 << bodies) - 1, left) == want
    assert _sums([1, 2, 4]).tolist() == list(range(8))


def test_wrong_questions_are_refused():
    blank = Clip(rgb=torch.full((5, 3, 32, 32), 255, dtype=torch.uint8), fps=10)
    with pytest.raises(UserError, match="no moving body"):
        RULE(blank, blank)
    with pytest.raises(UserError, match="agree in frames"):
        RULE(TRUTH.only("rgb").frames(0, 5), TRUTH)
    with pytest.raises(UserError, match="said to be 20"):
        Abnormal(first_frame=20)(TRUTH.only("rgb"), TRUTH)
    assert from_json(to_json(RULE)) == RULE

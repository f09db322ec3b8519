"""FVD: the distance against its closed form, published anchors with the real weights, and what streaming must not change."""

import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from kinema.core import Clip, UserError
from kinema.core.registry import MissingWeights
from kinema.experts import I3D
from kinema.experts.i3d import _built
from kinema.metrics import CONVENTIONS, FVD, SET_METRICS, frechet
from kinema.metrics.frechet import Convention, Moments, resize

WEIGHTS = Path(os.environ.get("KINEMA_WEIGHTS", Path(__file__).parents[3] / "shared" / "weights"))
with_weights = pytest.mark.skipif(not (WEIGHTS / "i3d-kinetics400.safetensors").exists(), reason="the weights i3d-kinetics400 are not here")
ROOTS = ("eigen", "svd", "sqrtm")


@dataclass(frozen=True)
class Means:
    """Mean and spread of each third of the frames and channel: features that can be computed by hand."""

    weights: str = "means"
    pretrained: bool = False
    width: int = 18
    size: int = 8
    shortest: int = 3

    def __call__(self, clip):
        thirds = torch.tensor_split(clip.rgb, 3, 1)
        return torch.cat([f(third) for third in thirds for f in (lambda x: x.mean((1, 3, 4)), lambda x: x.std((1, 3, 4)))], 1)


def clips(count, seed, frames=6, size=8):
    rng = np.random.default_rng(seed)
    level = rng.uniform(60, 200, size=(count, 1, 3, 1, 1))
    noise = rng.normal(0, 20, size=(count, frames, 3, size, size)) + 10 * rng.normal(size=(count, frames, 1, 1, 1))
    return [Clip(fps=10, rgb=torch.from_numpy(v.clip(0, 255).astype(np.uint8))) for v in level + noise]


def moments(x):
    found = Moments(x.shape[1])
    found.add(x)
    return found


def gaussian(mean, covariance, count=1000):
    """A sample with exactly this mean and (unbiased) covariance."""
    x = np.random.default_rng(0).normal(size=(count, len(mean)))
    x -= x.mean(0)
    x = np.linalg.solve(np.linalg.cholesky(np.cov(x, rowvar=False)), x.T).T
    return moments(x @ np.linalg.cholesky(covariance).T + mean)


@pytest.mark.parametrize("root", ROOTS)
def test_gaussians_in_closed_form(root):
    """Commuting covariances: |dm|^2 + sum (s_i - t_i)^2 of the standard deviations."""
    turn = np.linalg.qr(np.random.default_rng(3).normal(size=(5, 5)))[0]
    s, t = np.array([0.5, 1, 2, 3, 4.0]), np.array([1, 1, 0.2, 5, 4.5])
    a, b = (gaussian(m * np.ones(5), (turn * d**2) @ turn.T) for m, d in ((0.0, s), (0.7, t)))
    assert frechet(a, b, root=root) == pytest.approx(5 * 0.7**2 + ((s - t) ** 2).sum(), rel=1e-9)


@pytest.mark.parametrize("root", ROOTS)
def test_two_dimensions_in_closed_form(root):
    """tr (AB)^1/2 of 2 x 2 covariances is sqrt(tr AB + 2 sqrt(det AB))."""
    a, b = np.array([[2.0, 0.8], [0.8, 1.0]]), np.array([[1.0, -0.3], [-0.3, 3.0]])
    expected = np.trace(a + b) - 2 * math.sqrt(np.trace(a @ b) + 2 * math.sqrt(np.linalg.det(a @ b)))
    assert frechet(gaussian(np.zeros(2), a), gaussian(np.zeros(2), b), root=root) == pytest.approx(expected, rel=1e-9)


def test_a_set_is_no_distance_from_itself_even_of_fewer_clips_than_features():
    x = moments(np.random.default_rng(0).normal(size=(7, 40)))
    assert abs(frechet(x, x)) < 1e-9
    assert all(abs(frechet(x, x, root=root)) < 1e-4 for root in ROOTS)  # theirs have half the digits where matrices are singular


def test_biased_is_unbiased_times_n_minus_1_over_n():
    x = np.random.default_rng(1).normal(size=(9, 4))
    found = moments(x)
    (_, biased), (mean, unbiased) = found.mean_and_covariance(False), found.mean_and_covariance(True)
    assert np.allclose(biased, unbiased * 8 / 9)
    assert np.allclose(unbiased, np.cov(x, rowvar=False))
    assert np.allclose(mean, x.mean(0))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_streaming_is_one_shot_in_any_order_and_portions(convention):
    dreams, truths = clips(11, 1), clips(7, 2)
    whole = FVD(Means(), convention=convention)
    whole.update(dreams, truths)
    parts = FVD(Means(), convention=convention, batch=3)
    for i in range(11):
        parts.update([dreams[10 - i]], truths[i : i + 1])
        if i == 5:
            assert math.isfinite(parts.compute())  # asking in between changes nothing
    batched = FVD(Means(), convention=convention)
    batched.update(Clip.stack(dreams), [Clip.stack(truths[:3]), *truths[3:]])
    assert whole.compute() > 1e-4
    assert parts.compute() == pytest.approx(whole.compute(), rel=1e-5)
    assert batched.compute() == pytest.approx(whole.compute(), rel=1e-5)


def test_the_biased_distance_is_smaller_by_its_factor():
    """Of N clips on both sides every trace shrinks by (N-1)/N, the shift of the means stays."""
    dreams, truths = clips(6, 1), clips(6, 2)
    values = {}
    for name in ("videogpt", "stylegan-v"):  # square clips of the network's size: nothing but the covariance differs
        metric = FVD(Means(), convention=name)
        metric.update(dreams, truths)
        values[name] = metric.compute()
    encoded = [Means()(Clip.stack(c)).double().mean(0) for c in (dreams, truths)]
    shift = float((encoded[0] - encoded[1]).square().sum())
    assert values["stylegan-v"] - shift == pytest.approx((values["videogpt"] - shift) * 5 / 6, rel=1e-4)


def test_memory_does_not_grow_with_the_clips():
    metric = FVD(Means(), batch=2)
    metric.update((c for c in clips(9, 1)), (c for c in clips(9, 2)))
    assert len(metric.dreams.waiting) < 2
    held = sum(m.outer.size + m.sum.size for m in (metric.dreams.features.total, *metric.dreams.features.parts))
    assert held == 11 * (18 * 18 + 18)


def test_truths_can_be_shared():
    dreams, others, truths = clips(6, 1), clips(6, 3), clips(6, 2)
    first = FVD(Means())
    second = first.beside()
    first.update(dreams, truths)
    second.update(others, ())
    alone = FVD(Means())
    alone.update(others, truths)
    assert second.compute() == alone.compute() != first.compute()
    with pytest.raises(UserError, match="one length and size"):
        first.beside().update([truths[0].frames(0, 4)], ())


def test_the_interval_covers_the_mean_of_estimates():
    """Of 40 studies with 60 clips each, the intervals must cover the studies' mean nearly always, and be of their spread's size."""
    rng = np.random.default_rng(0)
    values, covered, widths = [], [], []

    @dataclass(frozen=True)
    class Given(Means):
        width: int = 3

        def __call__(self, clip):
            return clip.rgb[:, 0, :, 0, 0]

    def study():
        metric = FVD(Given())
        for side, shift in ((metric.dreams, 0.5), (metric.truths, 0.0)):
            side.features.add(rng.normal(size=(60, 3)) + shift)
        return metric

    for _ in range(40):
        metric = study()
        values.append(metric.compute())
        covered.append(metric.interval())
        widths.append(covered[-1][1] - covered[-1][0])
    mean = np.mean(values)
    assert np.mean([low <= mean <= high for low, high in covered]) > 0.85
    assert 0.7 < np.mean(widths) / (2 * 2.262 * np.std(values)) < 1.5


def test_few_clips_have_no_interval():
    metric = FVD(Means())
    metric.update(clips(5, 1), clips(5, 2))
    assert all(math.isnan(v) for v in metric.interval())


def test_corner_resizing_is_tensorflow_1s():
    """align_corners and half_pixel_centers off: output i reads at i n / size."""
    ramp = torch.arange(4.0).expand(1, 3, 4, 4)
    assert resize(ramp, 8, "corner")[0, 0, 0].tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3, 3]
    assert resize(ramp, 2, "corner")[0, 0, 0].tolist() == [0, 2]
    assert resize(ramp, 8, "stretch")[0, 0, 0].tolist() == [0, 0.25, 0.75, 1.25, 1.75, 2.25, 2.75, 3]
    tall = torch.rand(2, 3, 10, 7)
    assert torch.allclose(resize(tall, 10, "corner")[..., 0], tall[..., 0], atol=1e-6)


def test_cropping_keeps_the_shape_of_things():
    wide = torch.rand(1, 3, 6, 12)
    assert torch.allclose(resize(wide, 12, "crop"), F.interpolate(wide, (12, 24), mode="bilinear")[..., 6:18])
    assert torch.equal(resize(wide[..., :6], 12, "crop"), resize(wide[..., :6], 12, "stretch"))


def test_features_of_other_networks_are_not_called_fvd():
    assert FVD(Means()).name == "frechet_distance[means]"
    assert FVD(I3D()).name == "fvd"
    assert FVD(I3D(), convention="stylegan-v").name == "fvd-stylegan-v"
    assert {name: make(I3D()).name for name, make in SET_METRICS.items()} == {name: name for name in SET_METRICS}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.frames(0, 2), "at least 3 frames, got 2"),
        (lambda c: c.frames(0, 5), "6 frames of 8 x 8 px before, now 5 frames"),
        (lambda c: c.replace(rgb=c.rgb[..., :4]), "now 6 frames of 4 x 8 px"),
        (lambda c: c.replace(rgb=torch.full(c.rgb.shape, torch.nan), meta={"file": "a.mp4"}), r"a\.mp4: has NaN"),
        (lambda c: c.replace(rgb=None, text="no pixels"), "no rgb"),
    ],
)
def test_what_cannot_be_compared_is_refused(change, message):
    metric, (good, bad) = FVD(Means()), clips(2, 1)
    metric.update([], [good])
    with pytest.raises(UserError, match=message):
        metric.update([change(bad)], [])


def test_questions_without_an_answer_are_refused():
    metric = FVD(Means())
    metric.update(clips(2, 1), clips(1, 2))
    with pytest.raises(UserError, match="at least 2 true clips, got 1"):
        metric.compute()
    with pytest.raises(UserError, match="no FVD convention named 'stylegan'"):
        FVD(Means(), convention="stylegan")
    with pytest.raises(UserError, match="single clip"):
        metric.update(clips(1, 1)[0], ())
    with pytest.raises(UserError, match="batch 0"):
        FVD(Means(), batch=0)


def test_the_number_says_how_it_was_made():
    metric = FVD(Means(), convention="videogpt")
    metric.update(clips(3, 1), clips(4, 2))
    said = metric.about()
    assert (said["frames"], said["size_px"], said["dreams"], said["truths"]) == (6, [8, 8], 3, 4)
    for word in ("videogpt", "6 frames", "8 x 8 px", "3 dreams", "4 true clips", "upwards"):
        assert word in metric.note()


def test_without_weights_there_is_no_fvd(monkeypatch, tmp_path):
    for name in ("KINEMA_WEIGHTS", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    _built.cache_clear()
    metric = FVD(I3D())
    with pytest.raises(MissingWeights, match="i3d-kinetics400"):
        metric.update(clips(4, 1, frames=10), ())


@with_weights
@pytest.mark.parametrize(("frames", "published"), [(30, 151.39244), (10, 569.2296)])
def test_black_against_white_is_as_published(monkeypatch, frames, published):
    """30 frames: the original's own figure; 10: a port's on a GPU, which rounds convolutions (JunyaoHu/common_metrics)."""
    monkeypatch.setenv("KINEMA_WEIGHTS", str(WEIGHTS))
    black = Clip(fps=10, rgb=torch.zeros(frames, 3, 64, 64, dtype=torch.uint8))
    metric = FVD(I3D(), batch=2)
    metric.update([black] * 2, [black.replace(rgb=torch.full_like(black.rgb, 255))] * 2)
    assert metric.compute() == pytest.approx(published, rel=1e-5 if frames == 30 else 5e-3)


@with_weights
def test_the_ports_epsilon_is_told_with_what_it_changes(monkeypatch):
    """VideoGPT's and cd-fvd's I3D have batch norms of epsilon 1e-5: the docs say by how much that moves FVD."""
    monkeypatch.setenv("KINEMA_WEIGHTS", str(WEIGHTS))
    black = Clip(fps=10, rgb=torch.zeros(10, 3, 64, 64, dtype=torch.uint8))
    values = []
    for eps in (1e-3, 1e-5):
        monkeypatch.setattr("kinema.experts.i3d._EPS", eps)
        _built.cache_clear()
        metric = FVD(I3D(), convention="videogpt", batch=2)
        metric.update([black] * 2, [black.replace(rgb=torch.full_like(black.rgb, 255))] * 2)
        values.append(metric.compute())
    _built.cache_clear()
    assert 0.0020 <= values[1] / values[0] - 1 <= 0.0025
    for text in (Convention.__doc__, (Path(__file__).parents[2] / "docs" / "score.md").read_text()):
        assert "VideoGPT and cd-fvd take" in text
        assert "0.2 to 0.25 %" in text

"""PSNR and SSIM against somebody else's implementation, LPIPS against published values, with the real weights."""

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from kinema.core import Clip, UserError
from kinema.metrics import LPIPS, metric, psnr, ssim

SAMPLES = Path(__file__).parents[3] / "shared" / "samples"
WEIGHTS = Path(os.environ.get("KINEMA_WEIGHTS", Path(__file__).parents[3] / "shared" / "weights"))

with_weights = pytest.mark.skipif(not (WEIGHTS / "lpips-alex.safetensors").exists(), reason="the weights lpips-alex are not here")
with_samples = pytest.mark.skipif(not (SAMPLES / "ex_ref.png").exists(), reason="the sample pictures ex_ref, ex_p0, ex_p1 are not here")


def noisy(seed=0, size=48):
    rng = np.random.default_rng(seed)
    x = np.cumsum(np.cumsum(rng.normal(size=(3, size, size)), 1), 2)
    x = (x - x.min()) / np.ptp(x)
    return x, np.clip(x + 0.1 * rng.normal(size=x.shape), 0, 1)


def test_ssim_is_skimage_s():
    from skimage.metrics import structural_similarity

    for seed in range(3):
        x, y = noisy(seed)
        _, full = structural_similarity(
            x, y, data_range=1.0, channel_axis=0, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, full=True
        )
        theirs = full[:, 5:-5, 5:-5].mean()
        assert float(ssim(torch.tensor(x), torch.tensor(y))) == pytest.approx(theirs, abs=1e-9)


def test_psnr_is_skimage_s():
    from skimage.metrics import peak_signal_noise_ratio

    x, y = noisy()
    assert float(psnr(torch.tensor(x), torch.tensor(y))) == pytest.approx(peak_signal_noise_ratio(x, y, data_range=1.0), abs=1e-9)


def test_published_anchors():
    black, white = torch.zeros(8, 30, 3, 64, 64), torch.ones(8, 30, 3, 64, 64)
    assert float(ssim(black, white).mean()) == pytest.approx(9.999e-05, rel=1e-4)
    assert float(psnr(black, white).mean()) == 0.0


def test_equal_frames():
    x = torch.tensor(noisy()[0])
    assert float(psnr(x, x)) == 100.0
    assert float(ssim(x, x)) == pytest.approx(1.0)
    assert psnr(x, torch.full_like(x, torch.nan)).isnan()


def test_given_frames_are_left_out():
    truth = Clip(fps=10, rgb=torch.randint(0, 255, (6, 3, 16, 16), dtype=torch.uint8))
    dream = truth.replace(rgb=torch.cat([truth.rgb[:3], 255 - truth.rgb[3:]]), meta={"condition_frames": 3})
    assert float(metric("psnr")(dream, truth)) < 20
    assert float(metric("psnr", first_frame=3)(truth.replace(rgb=torch.cat([255 - truth.rgb[:3], truth.rgb[3:]])), truth)) == 100.0


def test_shapes_must_agree():
    one = Clip(fps=10, rgb=torch.zeros(4, 3, 16, 16, dtype=torch.uint8))
    with pytest.raises(UserError, match="differ in shape"):
        metric("ssim")(one, one.frames(0, 3))
    with pytest.raises(UserError, match="11 x 11"):
        metric("ssim")(one.replace(rgb=one.rgb[..., :8]), one.replace(rgb=one.rgb[..., :8]))


@pytest.fixture
def weights(monkeypatch):
    monkeypatch.setenv("KINEMA_WEIGHTS", str(WEIGHTS))


@with_weights
def test_lpips_of_black_and_white(weights):
    # The anchor was published from a GPU, whose convolutions round to TF32.
    black = Clip(fps=10, rgb=torch.zeros(2, 3, 64, 64, dtype=torch.uint8))
    white = black.replace(rgb=torch.full_like(black.rgb, 255))
    assert float(LPIPS(spatial=True)(black, white)) == pytest.approx(0.81401, abs=1e-4)
    assert float(LPIPS()(black, black)) == 0.0


@with_weights
@with_samples
def test_lpips_agrees_with_people_on_the_authors_example(weights):
    import av

    def picture(name):
        with av.open(str(SAMPLES / f"ex_{name}.png")) as file:
            return torch.from_numpy(next(file.decode(video=0)).to_ndarray(format="rgb24")).permute(2, 0, 1)[None] / 255

    network = LPIPS().build()
    far, near = (float(network(picture("ref"), picture(name))) for name in ("p0", "p1"))
    assert (far, near) == pytest.approx((0.722, 0.138), abs=5e-4)  # as printed in the authors' README


@with_weights
def test_lpips_is_a_loss(weights):
    x = torch.rand(2, 3, 64, 64, requires_grad=True)
    network = LPIPS().build()
    network(x, torch.rand(2, 3, 64, 64)).sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0
    assert all(p.grad is None for p in network.parameters())


def test_lpips_without_weights_is_refused_by_name(monkeypatch, tmp_path):
    monkeypatch.setenv("KINEMA_WEIGHTS", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(UserError, match="lpips-alex"):
        LPIPS().build()

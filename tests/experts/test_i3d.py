"""I3D against what DeepMind's own module printed, with the real weights; its padding against TensorFlow's rule."""

import math
import os
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from kinema.core import Clip, UserError
from kinema.core.config import from_json, to_json
from kinema.core.registry import MissingWeights
from kinema.experts import I3D, InceptionI3D
from kinema.experts.i3d import _pool, _same

WEIGHTS = Path(os.environ.get("KINEMA_WEIGHTS", Path(__file__).parents[3] / "shared" / "weights"))
with_weights = pytest.mark.skipif(not (WEIGHTS / "i3d-kinetics400.safetensors").exists(), reason="the weights i3d-kinetics400 are not here")


@pytest.fixture
def weights(monkeypatch):
    monkeypatch.setenv("KINEMA_WEIGHTS", str(WEIGHTS))


@with_weights
def test_features_of_black_are_those_of_deepminds_module(weights):
    # Printed by tfhub.dev/deepmind/i3d-kinetics-400/1 for 15 black frames (zhanganny/cal_FVD, my_suc.py).
    features = I3D()(Clip(fps=1, rgb=torch.zeros(1, 15, 3, 224, 224), batched=True))[0]
    published = (0.7422105, 2.829727, 0.39993525, -0.38092658, 0.65539014, -1.4021297)
    assert (*features[:3].tolist(), *features[-3:].tolist()) == pytest.approx(published, abs=3e-5)


@with_weights
def test_folding_the_batch_norms_changes_nothing(weights):
    from kinema.core.registry import load

    published, network = load("i3d-kinetics400"), I3D().build()
    x = torch.rand(1, 3, 4, 16, 16)
    conv = F.conv3d(F.pad(x, _same((4, 16, 16), (7, 7, 7), (2, 2, 2))), published["Conv3d_1a_7x7.conv3d.weight"], stride=2)
    norm = [published[f"Conv3d_1a_7x7.bn.{key}"] for key in ("running_mean", "running_var", "weight", "bias")]
    found = network.Conv3d_1a_7x7(x.permute(0, 2, 3, 4, 1)).permute(0, 4, 1, 2, 3)
    assert torch.allclose(found, F.relu(F.batch_norm(conv, *norm, eps=1e-3)), atol=1e-5)


def test_logits_are_those_of_the_released_pooling():
    """Averaged over windows of 2 x 7 x 7, read, and averaged over time; and gradients reach the video."""
    network = InceptionI3D()
    x = torch.rand(1, 17, 3, 224, 224, requires_grad=True)
    seen = []
    network.mixed["Mixed_5c"].register_forward_hook(lambda module, given, output: seen.append(output))
    logits = network(x)
    pooled = F.avg_pool3d(seen[0].permute(0, 4, 1, 2, 3), (2, 7, 7), 1)[..., 0, 0]
    assert pooled.shape == (1, 1024, 2)
    assert torch.allclose(logits, network.logits(pooled.transpose(1, 2)).mean(1), atol=1e-5)
    logits.sum().backward()
    assert x.grad.abs().sum() > 0
    with torch.no_grad():
        assert torch.allclose(network(x.detach()), logits, atol=1e-5)  # the way without gradients pools by slices


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 15, 16, 33])
@pytest.mark.parametrize(("kernel", "stride"), [(1, 1), (2, 2), (3, 1), (3, 2), (7, 2)])
def test_same_padding_keeps_tensorflows_rule(size, kernel, stride):
    front, back = _same((size,), (kernel,), (stride,))
    assert (size + front + back - kernel) // stride + 1 == math.ceil(size / stride)
    assert back - front in (0, 1)
    if kernel == 7:
        return
    x = torch.rand(1, size, size, size, 2)
    want = F.max_pool3d(F.pad(x.permute(0, 4, 1, 2, 3), (front, back) * 3), kernel, stride).permute(0, 2, 3, 4, 1)
    for given in (x, x.clone().requires_grad_()):
        assert torch.equal(_pool(given, (kernel,) * 3, (stride,) * 3), want)


def test_what_it_cannot_take_is_refused():
    network = InceptionI3D()
    with pytest.raises(UserError, match="at least 9 frames, got 8"):
        network(torch.zeros(1, 8, 3, 224, 224))
    with pytest.raises(UserError, match="224 x 224 px, got 64 x 48"):
        network(torch.zeros(1, 9, 3, 48, 64))


def test_without_weights_it_is_refused_by_name(monkeypatch, tmp_path):
    for name in ("KINEMA_WEIGHTS", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    with pytest.raises(MissingWeights, match="i3d-kinetics400"):
        I3D().build()


def test_it_is_a_part():
    assert from_json(to_json(I3D())) == I3D()

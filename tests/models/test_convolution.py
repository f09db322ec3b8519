"""The convolution of STPT against PyTorch's own."""

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from kinema.models.convolution import Convolution, depthwise

D = 6
SHAPES = [(2, 5, 4, 3), (1, 1, 4, 4), (3, 2, 1, 5), (1, 3, 2, 2)]


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def stirred(dense, seed=0):
    torch.manual_seed(seed)
    made = Convolution(D, dense)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return made


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("frames", [1, 3])
def test_it_is_pytorchs_depthwise_convolution(shape, frames):
    """Values and gradients of Conv3d(groups=channels), in single and in double precision."""
    for dtype, tolerance in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        theirs = nn.Conv3d(D, D, (frames, 3, 3), padding=(frames // 2, 1, 1), groups=D, bias=False).to(dtype)
        x = drawn(*shape, D).to(dtype).requires_grad_()
        weight = theirs.weight.detach().clone().requires_grad_()
        other = x.detach().clone().requires_grad_()
        ours, expected = depthwise(x, weight), theirs(other.movedim(-1, 1)).movedim(1, -1)
        torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance)
        pull = drawn(*shape, D, seed=1).to(dtype)
        ours.backward(pull)
        expected.backward(pull)
        torch.testing.assert_close(x.grad, other.grad, rtol=tolerance, atol=tolerance)
        torch.testing.assert_close(weight.grad, theirs.weight.grad, rtol=10 * tolerance, atol=10 * tolerance)
        with torch.no_grad():
            torch.testing.assert_close(depthwise(x, weight), ours, rtol=tolerance, atol=tolerance)


def test_its_gradient_is_the_slope():
    x, weight = drawn(1, 3, 2, 3, 2).double().requires_grad_(), drawn(2, 1, 3, 3, 3, seed=1).double().requires_grad_()
    assert torch.autograd.gradcheck(depthwise, (x, weight))


def test_in_half_precision():
    x, weight = drawn(2, 5, 4, 4, 16).requires_grad_(), drawn(16, 1, 3, 3, 3, seed=1).requires_grad_()
    plain = depthwise(x, weight)
    plain.square().mean().backward()
    expected = [x.grad.clone(), weight.grad.clone()]
    x.grad = weight.grad = None
    with torch.autocast("cpu", torch.bfloat16):
        half = depthwise(x, weight)
        assert half.dtype == torch.bfloat16
    half.float().square().mean().backward()
    for ours, theirs in ((half.float(), plain), (x.grad, expected[0]), (weight.grad, expected[1])):
        assert (ours - theirs).square().mean() < 1e-3 * theirs.square().mean()


@pytest.mark.parametrize("dense", [False, True])
def test_pictures_do_not_mix(dense):
    """Frames of pictures are convolved as clips of one frame each; the videos beside them as ever."""
    made, x = stirred(dense), drawn(3, 4, 3, 5, D)
    images = torch.tensor([True, False, True])
    together = made(x, images)
    torch.testing.assert_close(together[1], made(x)[1], rtol=0, atol=0)
    alone = made(x.reshape(12, 1, 3, 5, D)).reshape(x.shape)
    torch.testing.assert_close(together[images], alone[images], rtol=1e-5, atol=1e-5)
    assert not torch.allclose(made(x), alone, atol=1e-2)


@pytest.mark.parametrize("dense", [False, True])
def test_it_starts_at_zero_and_leaves(dense):
    made = Convolution(D, dense)
    out = made(drawn(2, 3, 4, 4, D))
    assert not out.any()
    out.sum().backward()
    assert (made.weight if dense else made.point.weight).grad.any()


def test_shapes_alone():
    made = stirred(False)
    with FakeTensorMode(allow_non_fake_inputs=True):
        out = made(torch.empty(2, 3, 4, 4, D), torch.empty(2, dtype=torch.bool))
        assert out.shape == (2, 3, 4, 4, D)

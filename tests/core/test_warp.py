import pytest
import torch

from kinema.core.warp import backward_warp, softmax_splat, targets


@pytest.fixture
def image():
    return torch.randn(2, 3, 7, 9, generator=torch.Generator().manual_seed(0))


def constant(x, y, b=2, h=7, w=9):
    return torch.tensor([x, y], dtype=torch.float32).view(1, 2, 1, 1).expand(b, 2, h, w).clone()


def metrics():
    rng = torch.Generator().manual_seed(1)
    return [None, *(scale * torch.randn(2, 1, 7, 9, generator=rng) for scale in (1, 1e3, 1e30))]


def test_centres_are_half():
    assert targets(constant(0, 0))[0, :, 2, 5].tolist() == [5.5, 2.5]
    assert targets(constant(1, -2))[0, :, 2, 5].tolist() == [6.5, 0.5]


@pytest.mark.parametrize("mode", ["bilinear", "nearest"])
def test_backward_zero_flow_is_identity(image, mode):
    warped, inside = backward_warp(image, constant(0, 0), mode)
    torch.testing.assert_close(warped, image, rtol=1e-5, atol=1e-5)
    assert inside.all()


def test_backward_integer_flow_is_a_shift(image):
    warped, inside = backward_warp(image, constant(2, -1))  # the frame before: out(x, y) = image(x + 2, y - 1)
    torch.testing.assert_close(warped[..., 1:, :7], image[..., :6, 2:], rtol=1e-5, atol=1e-5)
    assert inside[:, 1:, :7].all()
    assert not inside[:, 0].any()
    assert not inside[:, :, 7:].any()
    torch.testing.assert_close(warped[..., 1:, 8], image[..., :6, 8], rtol=1e-5, atol=1e-5)  # the border is repeated


def test_backward_half_flow_is_a_mean(image):
    warped, _ = backward_warp(image, constant(0.5, 0))
    torch.testing.assert_close(warped[..., :8], (image[..., :8] + image[..., 1:]) / 2, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("metric", metrics(), ids=["none", "1", "1e3", "1e30"])
def test_splat_of_zero_flow_is_identity_for_any_metric(image, metric):
    splat, landed = softmax_splat(image, constant(0, 0), metric)
    assert torch.equal(splat, image)
    assert torch.equal(landed, torch.ones(2, 7, 9))


@pytest.mark.parametrize("metric", metrics(), ids=["none", "1", "1e3", "1e30"])
def test_splat_of_integer_flow_is_a_shift(image, metric):
    splat, landed = softmax_splat(image, constant(2, -1), metric)
    assert torch.equal(splat[..., :6, 2:], image[..., 1:, :7])
    assert (splat[..., 6, :] == 0).all()
    assert (landed[:, :, :2] == 0).all()


def test_splat_of_equal_metrics_is_the_average():
    image = torch.tensor([1.0, 5.0, 9.0]).view(1, 1, 1, 3)
    flow = torch.zeros(1, 2, 1, 3)
    flow[0, 0, 0, 0], flow[0, 0, 0, 2] = 1, -1  # all three meet in the middle
    for metric in (None, torch.full((1, 1, 1, 3), 700.0), torch.full((1, 1, 1, 3), -700.0)):
        splat, landed = softmax_splat(image, flow, metric)
        torch.testing.assert_close(splat.flatten(), torch.tensor([0.0, 5.0, 0.0]))
        assert landed.flatten().tolist() == [0, 3, 0]


def test_splat_is_weighted_by_overlap():
    image, flow = torch.tensor([1.0, 5.0]).view(1, 1, 1, 2), torch.tensor([0.25, 0.0]).view(1, 1, 1, 2)
    splat, landed = softmax_splat(image, torch.cat([flow, 0 * flow], 1))
    torch.testing.assert_close(landed.flatten(), torch.tensor([0.75, 1.25]))
    torch.testing.assert_close(splat.flatten(), torch.tensor([1.0, (0.25 * 1 + 5) / 1.25]))


@pytest.mark.parametrize("scale", [50.0, 1e4])
def test_a_large_metric_wins(scale):
    image = torch.tensor([1.0, 5.0, 9.0]).view(1, 1, 1, 3)
    flow = torch.zeros(1, 2, 1, 3)
    flow[0, 0, 0, 0] = 1
    metric = torch.tensor([scale, 0.0, -scale]).view(1, 1, 1, 3)
    assert softmax_splat(image, flow, metric)[0].flatten().tolist() == pytest.approx([0, 1, 9])


def test_what_is_splat_is_conserved(image):
    flow = torch.rand(2, 2, 7, 9, generator=torch.Generator().manual_seed(2)) * 0.9
    flow[:, 0, :, -1], flow[:, 1, -1, :] = 0, 0  # nothing leaves
    splat, landed = softmax_splat(image, flow)
    torch.testing.assert_close((splat * landed[:, None]).sum((2, 3)), image.sum((2, 3)), rtol=1e-4, atol=1e-4)


def test_flow_that_leaves_or_is_not_finite_lands_nowhere(image):
    for value in (1e9, -1e9, torch.nan, torch.inf):
        splat, landed = softmax_splat(image, constant(value, 0))
        assert not splat.any()
        assert not landed.any()


def test_forward_undoes_backward_inside(image):
    moved = softmax_splat(image, constant(3, 2))[0]
    torch.testing.assert_close(backward_warp(moved, constant(3, 2))[0][..., :5, :6], image[..., :5, :6], rtol=1e-5, atol=1e-5)


def test_gradients():
    rng = torch.Generator().manual_seed(3)
    image, flow, metric = (torch.rand(1, c, 4, 5, generator=rng, dtype=torch.float64, requires_grad=True) for c in (2, 2, 1))
    assert torch.autograd.gradcheck(lambda *a: softmax_splat(*a)[0], (image, 0.3 + 0.4 * flow, metric))
    assert torch.autograd.gradcheck(lambda *a: backward_warp(*a)[0], (image, 0.3 + 0.4 * flow))

"""Laws of STPT's windows: they partition the tokens, G has an inverse, and nobody sees the padding."""

import pytest
import torch

from kinema.models.windows import Windows

GRIDS = [(3, 4, 6), (2, 5, 4), (1, 1, 1), (2, 3, 7), (4, 2, 3)]
KINDS = [Windows(s, strided) for s in (1, 2, 3, 4) for strided in (False, True)]

every = pytest.mark.parametrize("windows", KINDS, ids=lambda kind: f"{kind.stride}{'strided' if kind.strided else ''}")
everywhere = pytest.mark.parametrize("grid", GRIDS, ids=str)


def places(grid, b=1, k=1, heads=1):
    """Every token's number + 1, so that padding is 0."""
    return torch.arange(1, 1 + grid[0] * grid[1] * grid[2]).reshape(1, *grid, 1, 1, 1).expand(b, *grid, k, heads, 1)


def owner(windows, grid):
    """The window of every token [t,h,w], by the definition."""
    t, h, w = grid
    s = windows.stride
    high, wide = -(-h // s), -(-w // s)
    row, column = torch.meshgrid(torch.arange(h), torch.arange(w), indexing="ij")
    index = (row % s * s + column % s) if windows.strided else (row // high * s + column // wide)
    return index.expand(t, h, w)


@every
@everywhere
def test_windows_partition_the_tokens(windows, grid):
    parts = windows.split(places(grid))[0, 0, ..., 0]
    assert parts.shape[0] == windows.stride**2
    tokens = parts[parts > 0]
    assert torch.equal(tokens.sort().values, torch.arange(1, 1 + tokens.numel()))
    of = owner(windows, grid).flatten()
    for number, window in enumerate(parts):
        inside = window[window > 0]
        assert set((inside - 1).tolist()) == set((of == number).nonzero()[:, 0].tolist())
        assert torch.equal(inside, inside.sort().values)  # in (t, h, w) order


@every
@everywhere
def test_the_way_back(windows, grid):
    x = torch.randn(2, *grid, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    parts = windows.split(x)
    assert parts.shape[:3] == (3, 2, 4 * windows.stride**2)
    for k in range(3):
        assert torch.equal(windows.join(parts[k], grid), x[..., k, :, :].flatten(-2))


@every
@everywhere
@pytest.mark.parametrize("diagonal", [False, True])
@pytest.mark.parametrize("images", [None, torch.tensor([True, False])])
def test_who_sees_whom(windows, grid, images, diagonal):
    """The mask, spelt out: real tokens see the real ones of their window, in pictures those of their frame, or themselves."""
    heads, (_, h, w) = 2, grid
    number = windows.split(places(grid, b=2, heads=heads))[0, ..., 0]  # [2, heads s^2, n]
    mask = windows.mask(grid, heads, images, diagonal, torch.device("cpu"))
    if mask is None:
        assert images is None
        assert (number > 0).all()
        return
    b, n_windows, n = number.shape
    mask = mask.expand(b, n_windows, n, n)
    assert mask.any(-1).all()  # also of the padding: a softmax over nothing is NaN
    real = number > 0
    frame = (number - 1) // (h * w)
    expected = (real[..., None] & real[..., None, :]).clone()
    if images is not None:
        same = number if diagonal else frame
        expected &= (same[..., None] == same[..., None, :]) | ~images[:, None, None, None]
    assert torch.equal(mask & real[..., None], expected)

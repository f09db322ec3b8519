"""Masks of pixels and tokens, feathers, windows: laws of editing."""

from itertools import pairwise

import pytest
import torch

from kinema.core.errors import UserError
from kinema.sampling.edit import cells, feathered, filled, fit_mask, paste, scattered, starts, windowed


def randomly(*shape, share=0.3, seed=0):
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) < share


# --- masks of tokens ---


def test_a_token_is_masked_where_any_of_its_pixels_is():
    masked = randomly(2, 7, 8, 12, share=0.02)
    found = cells(masked, [1, 4, 7], 2, 3)  # latent frames of 1, 3 and 3 frames, tokens of 4 x 4 px
    assert found.shape == (2, 3, 2, 3)
    for b in range(2):
        for k, span in enumerate((slice(0, 1), slice(1, 4), slice(4, 7))):
            for i in range(2):
                for j in range(3):
                    assert found[b, k, i, j] == masked[b, span, 4 * i : 4 * i + 4, 4 * j : 4 * j + 4].any()


def test_a_share_of_the_cells_is_drawn_the_same_number_in_every_frame():
    noise = torch.rand(3, 4, 5, 5, generator=torch.Generator().manual_seed(0))
    for share, count in ((0.01, 1), (0.2, 5), (0.21, 6), (0.5, 13), (1.0, 25)):
        assert (scattered(share, noise).sum((2, 3)) == count).all()
    assert (scattered(0.4, noise) <= scattered(0.8, noise)).all()  # more takes nothing back
    for share in (0.0, -1.0, 1.1, float("nan")):
        with pytest.raises(UserError, match="strength must lie in"):
            scattered(share, noise)


# --- feathers and pasting ---


def test_feathers_lie_inside_the_mask_and_rise_from_its_edge():
    masked = torch.zeros(1, 1, 21, 21, dtype=torch.bool)
    masked[..., 4:17, 4:17] = True
    for feather in (0, 1, 3):
        weight = feathered(masked, feather)[0, 0]
        y, x = torch.meshgrid(torch.arange(21), torch.arange(21), indexing="ij")
        inside = torch.minimum(torch.minimum(y - 3, 17 - y), torch.minimum(x - 3, 17 - x)).clamp_min(0)  # px from the edge
        assert torch.allclose(weight, (inside / (feather + 1)).clamp(max=1).float(), atol=1e-6)
    with pytest.raises(UserError, match="feather must be 0 px or more, got -1"):
        feathered(masked, -1)


def test_the_edge_of_the_image_is_none_of_the_mask():
    assert (feathered(torch.ones(1, 2, 6, 6, dtype=torch.bool), 3) == 1).all()


def test_what_is_pasted_is_the_one_or_the_other_bit_for_bit():
    video, dreamt = torch.rand(2, 3, 3, 9, 9), torch.rand(2, 3, 3, 9, 9)
    masked = randomly(2, 3, 9, 9, share=0.7)
    plain = paste(dreamt, video, feathered(masked, 0))
    assert torch.equal(plain, torch.where(masked[:, :, None], dreamt, video))
    weight = feathered(masked, 2)
    soft = paste(dreamt, video, weight)
    outside, whole = (~masked)[:, :, None].expand_as(video), (weight == 1)[:, :, None].expand_as(video)
    assert torch.equal(soft[outside], video[outside])
    assert torch.equal(soft[whole], dreamt[whole])
    low, high = torch.minimum(video, dreamt), torch.maximum(video, dreamt)
    assert ((low - 1e-6 <= soft) & (soft <= high + 1e-6)).all()


def test_a_mask_is_fitted_as_its_video():
    """The central square, and a pixel that holds any of the mask, whatever the size."""
    wide = torch.zeros(2, 10, 16, dtype=torch.bool)
    wide[0, 3, 4] = wide[1, :, :3] = True  # the second lies outside the square
    small = fit_mask(wide, 5)
    assert small[0].nonzero().tolist() == [[1, 0]]
    assert not small[1].any()
    tall = randomly(1, 9, 4)
    assert torch.equal(fit_mask(tall, 4), tall[:, 2:6])
    assert torch.equal(fit_mask(tall, 8), tall[:, 2:6].repeat_interleave(2, 1).repeat_interleave(2, 2))


# --- windows ---


@pytest.mark.parametrize("num_frames", range(1, 30))
@pytest.mark.parametrize("overlap", [1, 3, 4])
def test_windows_cover_a_video_and_overlap(num_frames, overlap):
    begins = starts(num_frames, 5, overlap)
    assert begins[0] == 0
    if num_frames <= 5:
        assert begins == [0]
        return
    assert begins[-1] + 5 == num_frames
    gaps = [b - a for a, b in pairwise(begins)]
    assert all(0 < gap <= 5 - overlap for gap in gaps)
    assert len(begins) == 1 + -(-(num_frames - 5) // (5 - overlap))  # no more than are needed


@pytest.mark.parametrize("num_frames", [1, 4, 5, 6, 9, 13])
def test_every_frame_is_edited_once_and_windows_go_on_from_what_is_done(num_frames):
    video = torch.arange(num_frames, dtype=torch.float32)[None, :, None, None, None].expand(2, -1, 3, 2, 2)
    done = {}

    def edit(frames, known, index, start):
        assert frames.shape == (2, 5, 3, 2, 2)
        for k, value in enumerate(frames[0, :, 0, 0, 0].tolist()):
            assert value == done.get(start + k, min(start + k, num_frames - 1))
            assert (start + k in done) == (k < known)
        if index:
            assert known >= 2
        done.update({start + k: 100.0 + start + k for k in range(known, 5) if start + k < num_frames})
        return frames + 100 if not known else torch.cat([frames[:, :known] * 0, frames[:, known:] + 100], 1)

    edited = windowed(edit, video, 5, 2)
    assert torch.equal(edited, video + 100)


def test_short_videos_are_filled_up_with_their_last_frame():
    frames = torch.rand(1, 2, 3, 4, 4)
    assert torch.equal(filled(frames, 4), frames[:, [0, 1, 1, 1]])
    assert torch.equal(filled(frames, 2), frames)

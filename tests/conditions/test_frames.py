import pytest
import torch

from kinema.codecs import VAE, Pixels
from kinema.conditions import Frames
from kinema.core import Clip
from kinema.core.config import from_json, to_json
from kinema.core.errors import UserError


def clip(frames=9, b=2):
    return Clip(rgb=torch.rand(b, frames, 3, 16, 16, generator=torch.Generator().manual_seed(0)), fps=10.0, batched=True)


@pytest.mark.parametrize(
    ("codec", "count", "known"), [(Pixels(patch=4), 3, 3), (VAE(channels=4, widths=(8,)), 5, 2), (VAE(channels=4, widths=(8,)), 1, 1)]
)
def test_the_first_latents_are_known_and_nothing_else(codec, count, known):
    torch.manual_seed(0)
    made = codec.build().eval().requires_grad_(False)
    shape = made.latent_shape(9, 16, 16)
    value = Frames(count).read(clip(), made, shape)
    alone = made.encode(clip().frames(0, count)).data
    assert value.data.shape == (2, *shape)
    assert torch.equal(value.data[:, :known], alone)
    assert not value.data[:, known:].any()
    assert value.mask.shape == (2, shape[0], 1, 1, 1)
    assert value.mask[:, :known].all()
    assert not value.mask[:, known:].any()
    assert value.present.all()
    # With the latents of the whole clip at hand the condition is cut from them, and is the same.
    cut = Frames(count).read(clip(), made, shape, made.encode(clip()))
    torch.testing.assert_close(cut.data, value.data, rtol=0, atol=1e-6)
    changed = clip().rgb.clone()
    changed[:, count:] = 0
    assert torch.equal(Frames(count).read(clip().replace(rgb=changed), made, shape).data, value.data)


def test_a_codec_that_looks_ahead_encodes_the_known_frames_alone():
    made = Pixels(patch=4).build()
    made.causal = False
    shape = made.latent_shape(9, 16, 16)
    wrong = made.encode(clip().replace(rgb=clip().rgb * 0))
    assert torch.equal(Frames(2).read(clip(), made, shape, wrong).data, Frames(2).read(clip(), made, shape).data)


def test_what_cannot_be_is_refused():
    with pytest.raises(UserError, match="count must be at least 1, got 0"):
        Frames(0)
    codec = VAE(channels=4, widths=(8,)).build()
    with pytest.raises(UserError, match=r"takes 1 \+ k x 4 frames"):
        Frames(3).read(clip(), codec, codec.latent_shape(9, 16, 16))
    with pytest.raises(UserError, match="needs the first 5 frames, got 4"):
        Frames(5).read(clip(4), codec, codec.latent_shape(9, 16, 16))
    assert from_json(to_json(Frames(5))) == Frames(5)

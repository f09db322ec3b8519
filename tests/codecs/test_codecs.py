"""Laws of every codec: what it takes, what it gives, that it never looks ahead."""

import pytest
import torch

from kinema.codecs import CODECS, FSQ, VAE, VQ, EMACodebook, Mosaic, Pixels
from kinema.codecs.blocks import Chain, DoubleTime, HalveTime, Shuffle, Unshuffle
from kinema.core import Clip
from kinema.core.config import from_json, to_json
from kinema.core.contracts import Latents
from kinema.core.errors import UserError
from kinema.core.rng import torch_stream

STRIDES = (1, 2, 4)
SMALL = {
    **{f"vae-{stride}": VAE(time_stride=stride, channels=4, widths=(8, 12)) for stride in STRIDES},
    **{f"vae-{len(widths)}-levels": VAE(time_stride=2, channels=3, widths=widths, blocks=2) for widths in ((8,), (8, 8, 8), (8, 8, 8, 8))},
    "pixels-1": Pixels(),
    "pixels-4": Pixels(patch=4),
    "mosaic": Mosaic(patch=4, levels=3),
    **{f"vq-{stride}": VQ(stride=stride, codes=20, dim=6, widths=(8, 12)) for stride in (4, 8, 16)},
    "vq-1-level": VQ(stride=4, codes=2, dim=3, widths=(8,), blocks=2),
    "vq-all-levels": VQ(stride=8, codes=9, dim=3, widths=(4, 4, 8, 8)),
    "vq-directions": VQ(stride=4, codes=20, dim=6, widths=(8,), quantiser=EMACodebook(normalise=True)),
    "vq-grid": VQ(stride=8, codes=60, widths=(8, 12), quantiser=FSQ((4, 3, 5))),
}


def drawn(codec, shape):
    """Latents of the codec's kind, without a clip behind them."""
    rng = torch_stream("codec test", "latents")
    return torch.randint(codec.codes, shape, generator=rng) if codec.codes else torch.randn(shape, generator=rng)


def clip(frames, size=16, batch=2, seed=0):
    rgb = torch.rand(batch, frames, 3, size, size, generator=torch_stream("codec test", seed))
    return Clip(rgb=rgb, fps=10.0, dt=0.1, batched=True)


@pytest.fixture(params=SMALL, ids=str)
def codec(request):
    torch.manual_seed(1)
    return SMALL[request.param].build().eval().requires_grad_(False)


def test_every_codec_is_under_test():
    assert {type(config) for config in SMALL.values()} == set(CODECS.values())


def test_shapes(codec):
    frames = codec.frames_of(3)
    latents = codec.encode(clip(frames))
    assert latents.data.shape == (2, *codec.latent_shape(frames, 16, 16))
    assert codec.latent_frames(frames) == 3
    assert latents.kind == ("tokens" if codec.codes else "continuous")
    if codec.codes:
        assert latents.data.dtype == torch.int64
        assert 0 <= latents.data.min() <= latents.data.max() < codec.codes
    else:
        assert torch.equal(latents.group("rgb"), latents.data)
    dream = codec.decode(latents, fps=8.0, dt=0.25)
    assert dream.rgb.shape == (2, frames, 3, 16, 16)
    assert (dream.fps, dream.dt, dream.batched) == (8.0, 0.25, True)
    assert dream.rgb.min() >= 0
    assert dream.rgb.max() <= 1


def test_frames_and_latent_frames_are_inverse(codec):
    assert [codec.latent_frames(codec.frames_of(k)) for k in range(1, 9)] == list(range(1, 9))


def test_a_prefix_is_encoded_as_the_prefix_of_the_whole(codec):
    """Latents of known frames do not depend on what follows them: they can be given as a condition."""
    assert codec.causal
    whole = clip(codec.frames_of(4))
    latents = codec.encode(whole).data
    for known in (1, 2, 3):
        prefix = codec.encode(whole.frames(0, codec.frames_of(known))).data
        torch.testing.assert_close(prefix, latents[:, :known], rtol=0, atol=1e-6)
        changed = whole.rgb.clone()
        changed[:, codec.frames_of(known) :] = 0.3
        assert torch.equal(codec.encode(whole.replace(rgb=changed)).data[:, :known], latents[:, :known])


def test_no_frame_is_decoded_from_a_later_latent(codec):
    latents = drawn(codec, (1, *codec.latent_shape(codec.frames_of(4), 16, 16)))
    whole = codec.decode(Latents(latents), fps=10.0, dt=0.1).rgb
    for known in (1, 2, 3):
        changed = latents.clone()
        changed[:, known:] += 1
        changed = changed % codec.codes if codec.codes else changed
        frames = codec.frames_of(known)
        again = codec.decode(Latents(changed), fps=10.0, dt=0.1).rgb
        assert torch.equal(again[:, :frames], whole[:, :frames])


def test_clips_of_a_batch_do_not_meet(codec):
    batch = clip(codec.frames_of(2), batch=3)
    together = codec.encode(batch).data
    alone = torch.cat([codec.encode(batch.replace(rgb=batch.rgb[i : i + 1])).data for i in range(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_a_reconstruction_is_what_decoding_gives_back(codec):
    batch = clip(codec.frames_of(2))
    back = codec.decode(codec.encode(batch), fps=10.0, dt=0.1).rgb
    torch.testing.assert_close(codec.reconstruct(batch.rgb), back, rtol=0, atol=1e-5)


@pytest.mark.parametrize("wrong", [-1, "codes", 0.5])
def test_what_is_no_token_is_not_decoded(codec, wrong):
    if not codec.codes:
        return
    tokens = drawn(codec, (1, *codec.latent_shape(2, 16, 16)))
    if wrong == 0.5:
        tokens = tokens + 0.5
    else:
        tokens[:, 1] = codec.codes if wrong == "codes" else wrong
    said = {-1: rf"tokens 0 to {codec.codes - 1}, got -1 \(a masked one\)", "codes": rf"got {codec.codes}$", 0.5: "decodes tokens"}[wrong]
    with pytest.raises(UserError, match=said):
        codec.decode(Latents(tokens), fps=10.0, dt=0.1)


def test_a_wrong_side_is_refused(codec):
    if getattr(codec.config, "patch", 8) == 1:
        return
    with pytest.raises(UserError, match=r"multiples of \d+ px, got 17 x 16"):
        codec.encode(Clip(rgb=torch.zeros(1, 1, 3, 16, 17), fps=10.0, batched=True))


def test_it_comes_back_from_json():
    for config in SMALL.values():
        assert from_json(to_json(config)) == config


# --- pixels ---


@pytest.mark.parametrize("patch", [1, 2, 4, 8])
def test_pixels_are_exact(patch):
    codec = Pixels(patch=patch).build()
    numbers = torch.arange(256).repeat(3 * 3 * 16 * 16 // 256 + 1)[: 3 * 3 * 256].reshape(1, 3, 3, 16, 16)
    batch = Clip(rgb=numbers / 255, fps=10.0, batched=True)
    back = codec.decode(codec.encode(batch), fps=10.0, dt=0.1).rgb
    assert torch.equal((back * 255).round().long(), numbers)
    torch.testing.assert_close(back, batch.rgb, rtol=0, atol=1e-6)
    data = codec.encode(batch).data
    assert data.min() == -1
    assert data.max() == 1


def test_pixels_refuse_no_patch():
    with pytest.raises(UserError, match="patch must be at least 1"):
        Pixels(patch=0)


# --- the VAE ---


@pytest.mark.parametrize("name", ["tiny", "small", "base"])
@pytest.mark.parametrize("stride", STRIDES)
def test_every_named_size_takes_f_frames(name, stride):
    with torch.device("meta"):
        codec = VAE.size(name, time_stride=stride).build()
        for k in (0, 1, 3):
            mean, log_variance = codec.moments(torch.empty(1, 1 + k * stride, 3, 64, 32))
            assert mean.shape == log_variance.shape == (1, 16, 1 + k, 8, 4)
            assert codec.pixels(mean).shape == (1, 1 + k * stride, 3, 64, 32)


def test_sizes_grow_and_unknown_ones_are_refused():
    with torch.device("meta"):
        sizes = [sum(p.numel() for p in VAE.size(name).build().parameters()) for name in ("tiny", "small", "base")]
    assert sizes == sorted(sizes)
    with pytest.raises(UserError, match="there is no size 'huge'; there are tiny, small, base"):
        VAE.size("huge")


@pytest.mark.parametrize(("stride", "frames"), [(2, 2), (2, 0), (4, 4), (4, 32)])
def test_a_wrong_number_of_frames_is_refused(stride, frames):
    codec = VAE(time_stride=stride, channels=4, widths=(8,)).build()
    with pytest.raises(UserError, match=rf"takes 1 \+ k x {stride} frames \(1, {1 + stride}, {1 + 2 * stride}, ...\), got {frames}"):
        codec.latent_frames(frames)


@pytest.mark.parametrize(
    "fields", [{"time_stride": 3}, {"widths": ()}, {"widths": (8,) * 5}, {"widths": (8, 0)}, {"channels": 0}, {"blocks": 0}]
)
def test_impossible_vaes_are_refused(fields):
    with pytest.raises(UserError, match="VAE: "):
        VAE(**fields)


def test_standardised_latents_are_centred_and_of_unit_variance_on_average():
    torch.manual_seed(0)
    codec = VAE(channels=4, widths=(8, 12)).build().requires_grad_(False)
    clips = [clip(5, seed=i)[0] for i in range(20)]  # no multiple of the batch
    raw = torch.cat([codec.encode(Clip.stack([c])).data for c in clips]).double()
    codec.settle(clips)
    data = torch.cat([codec.encode(Clip.stack([c])).data for c in clips]).double()
    torch.testing.assert_close(data.mean((0, 1, 3, 4)), torch.zeros(4).double(), rtol=0, atol=1e-4)
    assert float(data.var((0, 1, 3, 4)).mean()) == pytest.approx(1, rel=1e-4)
    ratio = data.std((0, 1, 3, 4)) / raw.std((0, 1, 3, 4))  # one scale for all channels
    torch.testing.assert_close(ratio, ratio.mean().expand(4), rtol=1e-4, atol=0)
    codec.settle(clips)  # the same again from where it stands
    again = torch.cat([codec.encode(Clip.stack([c])).data for c in clips]).double()
    torch.testing.assert_close(again, data)


def test_mean_and_scale_live_with_the_weights_and_are_undone_in_decoding():
    torch.manual_seed(0)
    codec = VAE(channels=4, widths=(8,)).build().eval()
    assert {"mean", "std"} <= codec.state_dict().keys()
    batch = clip(5)
    with torch.no_grad():
        plain = codec.decode(codec.encode(batch), fps=10.0, dt=0.1).rgb
        codec.mean.copy_(torch.randn(4))
        codec.std.copy_(torch.rand(4) + 0.5)
        torch.testing.assert_close(codec.decode(codec.encode(batch), fps=10.0, dt=0.1).rgb, plain, rtol=0, atol=1e-5)


def test_building_is_a_function_of_the_seed():
    def built(seed):
        torch.manual_seed(seed)
        return VAE(channels=4, widths=(8,)).build().state_dict()

    assert all(torch.equal(a, b) for a, b in zip(built(0).values(), built(0).values(), strict=True))
    assert not torch.equal(built(0)["encoder.1.conv.weight"], built(1)["encoder.1.conv.weight"])


# --- blocks ---


@pytest.mark.parametrize("factor", [1, 2, 4])
def test_shuffle_undoes_unshuffle(factor):
    x = torch.randn(2, 3, 5, 8, 8)
    folded = Unshuffle(factor)(x)
    assert folded.shape == (2, 3 * factor**2, 5, 8 // factor, 8 // factor)
    assert torch.equal(Shuffle(factor)(folded), x)


@pytest.mark.parametrize("k", [0, 1, 4])
def test_time_is_halved_and_doubled(k):
    x = torch.randn(1, 6, 1 + 2 * k, 2, 2)
    half = HalveTime(6)(x)
    assert half.shape[2] == 1 + k
    assert DoubleTime(6)(half).shape == x.shape


def test_a_chain_is_a_sequence():
    layers = [torch.nn.Linear(3, 4), torch.nn.ReLU(), torch.nn.Linear(4, 2)]
    x = torch.randn(5, 3)
    chain, sequence = Chain(*layers), torch.nn.Sequential(*layers)
    assert torch.equal(chain(x), sequence(x))
    assert chain.state_dict().keys() == sequence.state_dict().keys()

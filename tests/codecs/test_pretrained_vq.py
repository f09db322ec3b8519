"""A VQModel of diffusers as a codec: against diffusers' own forward pass, on small random networks in a folder."""

import json
import shutil

import pytest
import torch

diffusers = pytest.importorskip("diffusers")

from kinema import WorldModel  # noqa: E402
from kinema.codecs import PretrainedVQ  # noqa: E402
from kinema.core import Clip  # noqa: E402
from kinema.core.config import from_json, to_json  # noqa: E402
from kinema.core.contracts import Latents  # noqa: E402
from kinema.core.errors import UserError  # noqa: E402
from kinema.core.rng import torch_stream  # noqa: E402
from kinema.models import STPT  # noqa: E402
from kinema.objectives import MaskedTokens  # noqa: E402
from kinema.recipes import tokeniser  # noqa: E402
from kinema.sampling import Parallel  # noqa: E402
from kinema.training import Stage  # noqa: E402
from kinema.training.stage import assemble, with_codec  # noqa: E402
from kinema.world_model import Blueprint, save_weights  # noqa: E402
from kinema.world_model.folder import fingerprint  # noqa: E402

KINDS = {  # aMUSEd's looks codes up and takes pixels in [0, 1]; taming's has attention; a spatial norm is MoVQ's
    "taming": {},
    "amused": {"lookup_from_codebook": True, "mid_block_add_attention": False},
    "movq": {"norm_type": "spatial"},
}


def network(**fields):
    torch.manual_seed(0)
    levels = 3
    made = diffusers.VQModel(
        block_out_channels=(32, 32, 32) if "norm_type" in fields else (8, 8, 16), down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=(("AttnUpDecoderBlock2D" if "norm_type" in fields else "UpDecoderBlock2D"),) * levels,
        norm_num_groups=4, latent_channels=4 if "norm_type" in fields else 6, vq_embed_dim=4, num_vq_embeddings=32, **fields,
    )  # fmt: skip
    with torch.no_grad():
        images = torch.rand(2, 3, 16, 16) * torch.tensor([1.0, 2.0])[:, None, None, None] - torch.tensor([0.0, 1.0])[:, None, None, None]
        made.quantize.embedding.weight.copy_(made.encode(images).latents.movedim(1, -1).flatten(0, 2))  # so that many codes are in use
    return made.eval().requires_grad_(False)


@pytest.fixture(params=KINDS)
def both(request, tmp_path):
    theirs = network(**KINDS[request.param])
    theirs.save_pretrained(tmp_path / "vq")
    return theirs, PretrainedVQ(str(tmp_path / "vq"))


def clip(b=2, t=3):
    return Clip(rgb=torch.rand(b, t, 3, 16, 24, generator=torch_stream("vq clip")), fps=8.0, dt=0.125, batched=True)


def test_shape_and_codes_are_those_of_the_folder(both):
    _, config = both
    assert (config.stride, config.codes) == (4, 32)
    codec = config.build()
    assert codec.codes == 32
    assert codec.causal
    assert codec.latent_shape(3, 16, 24) == (3, 4, 6)
    assert (codec.latent_frames(5), codec.frames_of(5)) == (5, 5)
    with pytest.raises(UserError, match="multiples of 4 px, got 17 x 16"):
        codec.latent_shape(1, 16, 17)


def test_tokens_and_pictures_are_those_of_diffusers(both):
    theirs, config = both
    codec, batch = config.build(), clip()
    images = batch.rgb.flatten(0, 1)
    tokens = codec.encode(batch)
    assert tokens.data.shape == (2, 3, 4, 6)
    assert len(tokens.data.unique()) > 3
    if theirs.config.lookup_from_codebook:  # as its pipeline does, diffusers.AmusedPipeline
        z = theirs.encode(images).latents
        expected = theirs.decode(theirs.quantize(z)[2][2], force_not_quantize=True, shape=(6, 4, 6, 4)).sample
    else:
        z = theirs.encode(images * 2 - 1).latents
        expected = theirs(images * 2 - 1).sample / 2 + 0.5
    nearest = (z.movedim(1, -1)[..., None, :] - theirs.quantize.embedding.weight).square().sum(-1).argmin(-1)
    assert torch.equal(tokens.data.flatten(0, 1), nearest)
    back = codec.decode(tokens, fps=8.0, dt=0.125)
    torch.testing.assert_close(back.rgb.flatten(0, 1), expected.clamp(0, 1), rtol=0, atol=1e-4)
    torch.testing.assert_close(codec.reconstruct(batch.rgb), back.rgb)
    assert (back.fps, back.dt) == (8.0, 0.125)


def test_frames_are_alone_and_precision_around_it_changes_nothing(both, monkeypatch):
    codec, batch = both[1].build(), clip()
    whole = codec.encode(batch).data
    assert torch.equal(codec.encode(batch.frames(1, 2)).data, whole[:, 1:2])
    monkeypatch.setattr("kinema.codecs.pretrained.FRAMES", 4)
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(codec.encode(batch).data, whole)


def test_a_masked_token_is_not_decoded(both):
    tokens = torch.zeros(1, 1, 4, 6, dtype=torch.long)
    tokens[0, 0, 2, 3] = -1
    with pytest.raises(UserError, match=r"tokens 0 to 31, got -1 \(a masked one\)"):
        both[1].build().decode(Latents(tokens), fps=8.0, dt=0.1)


def test_pixels_may_be_named(both):
    theirs, config = both
    amused = theirs.config.lookup_from_codebook
    assert config.signed is not amused
    assert PretrainedVQ(config.weights, pixels="signed").signed
    assert not PretrainedVQ(config.weights, pixels="unit").signed
    with pytest.raises(UserError, match="pixels must be one of auto, signed, unit"):
        PretrainedVQ(config.weights, pixels="[0,1]")


def test_it_is_found_in_a_pipeline_and_where_weights_are_kept(tmp_path, monkeypatch):
    network().save_pretrained(tmp_path / "kept" / "some" / "vqvae")
    monkeypatch.setenv("KINEMA_WEIGHTS", str(tmp_path / "kept"))
    codec = PretrainedVQ("some", subfolder="vqvae").build()
    assert torch.isfinite(codec.reconstruct(clip().rgb)).all()


# --- a model that stands on it ---


def blueprint(config):
    return Blueprint(
        codec=config, objective=MaskedTokens(), model=STPT(layers=1, hidden=16, heads=2), sampler=Parallel(2), num_frames=3, size=16,
    )  # fmt: skip


def test_what_is_saved_with_a_model_needs_the_folder_no_more(both, tmp_path):
    _, config = both
    plan = blueprint(config)
    codec, net = plan.build()
    world = WorldModel(plan, codec, net)  # never used: what is saved are the weights all the same
    world.save_pretrained(tmp_path / "world")
    rgb = clip().rgb
    expected = config.build().reconstruct(rgb)
    shutil.rmtree(config.weights)
    again = WorldModel.from_pretrained(tmp_path / "world", device="cpu")
    assert again.blueprint == plan
    assert torch.equal(again.codec.reconstruct(rgb), expected)
    assert from_json(json.loads(json.dumps(to_json(config)))) == config
    with pytest.raises(UserError, match=r"the weights cannot be had|there is no folder"):
        config.build().reconstruct(rgb)  # no weights are made up


def test_weights_that_are_not_at_hand_are_not_saved(both, tmp_path):
    codec = both[1].build()
    shutil.rmtree(both[1].weights)
    with pytest.raises(UserError, match=r"codec\.safetensors: 'network\..*' is NaN: .* the weights of a pretrained part are not at hand"):
        save_weights(codec, tmp_path / "codec.safetensors")
    assert not list(tmp_path.iterdir())


def test_its_fingerprint_is_that_of_what_makes_tokens(both):
    codec, batch = both[1].build(), clip(1, 1)
    before, tokens, rgb = fingerprint(codec), codec.encode(batch).data, codec.reconstruct(batch.rgb)
    weights = dict(codec.network.named_parameters())
    alike = []
    for key in ("decoder.conv_out.bias", "post_quant_conv.bias", "encoder.conv_out.bias", "quant_conv.bias", "quantize.embedding.weight"):
        kept = weights[key].clone()
        weights[key].add_(torch.randn(kept.shape, generator=torch_stream("moved", key)))
        assert not torch.equal(codec.reconstruct(batch.rgb), rgb)
        alike.append(torch.equal(codec.encode(batch).data, tokens))
        assert (fingerprint(codec) == before) is alike[-1]
        weights[key].copy_(kept)
    assert alike == [True, True, False, False, False]


def test_its_weights_are_not_trained_and_a_network_may_stand_on_it(both, tmp_path):
    _, config = both
    tiny = tokeniser.tiny()
    alone = Stage(
        blueprint=Blueprint(codec=config, objective=tiny.blueprint.objective, num_frames=5, size=16), data=tiny.data, held_out=tiny.data
    )
    with pytest.raises(UserError, match="nothing to train: its codec holds no weights, or frozen ones"):
        assemble(with_codec(alone), tmp_path)
    assert with_codec(Stage(blueprint=blueprint(config), data=tiny.data, held_out=tiny.data))


# --- what is refused ---


def test_absent_and_wrong_folders_are_named(tmp_path):
    with pytest.raises(UserError, match="there is no folder '/nowhere/vq', in which a tokeniser"):
        PretrainedVQ("/nowhere/vq")
    with pytest.raises(UserError, match=r"this folder holds no tokeniser: it has no config\.json"):
        PretrainedVQ(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "AutoencoderKL"}))
    with pytest.raises(UserError, match="not that of a VQModel"):
        PretrainedVQ(str(tmp_path))
    (tmp_path / "config.json").write_text(json.dumps({"_class_name": "VQModel"}))
    with pytest.raises(UserError, match="which has block_out_channels and num_vq_embeddings"):
        PretrainedVQ(str(tmp_path))


def test_only_whole_safetensors_are_read(tmp_path):
    place = tmp_path / "vq"
    network().save_pretrained(place, safe_serialization=False)  # a pickle
    with pytest.raises(UserError, match="the weights cannot be had"):
        PretrainedVQ(str(place)).build().reconstruct(clip().rgb)
    shutil.rmtree(place)
    made = network()
    made.save_pretrained(place)
    from safetensors.torch import load_file, save_file

    file = place / "diffusion_pytorch_model.safetensors"
    save_file({key: value for key, value in load_file(file).items() if key != "quant_conv.weight"}, file)
    with pytest.raises(UserError, match=r"lack 'quant_conv\.weight'|the weights cannot be had"):
        PretrainedVQ(str(place)).build().reconstruct(clip().rgb)


def test_without_diffusers_it_says_what_to_install(both, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "diffusers", None)
    with pytest.raises(UserError, match=r"needs diffusers: pip install 'kinema\[pretrained\]'"):
        both[1].build()

"""Images: which clips of a batch are independent pictures."""

import torch

from kinema.codecs import Mosaic
from kinema.conditions import Frames, Images
from kinema.core import Clip
from kinema.core.config import from_json, to_json
from kinema.core.contracts import Latents
from kinema.models import STPT
from kinema.objectives import MaskedTokens
from kinema.world_model import Blueprint


def clip(**meta):
    return Clip(fps=8.0, rgb=torch.zeros(2, 3, 8, 8, dtype=torch.uint8), meta=meta)


def test_clips_say_whether_they_are_pictures():
    batch = Clip.stack([clip(images=True), clip(), clip(images=False)])
    value = Images().read(batch, None, (2, 1, 1), Latents(torch.zeros(3, 2, 1, 1, dtype=torch.long)))
    assert value.present.tolist() == [True, False, False]
    assert (value.data.tolist(), value.mask) == ([0.0, 0.0, 0.0], None)
    assert torch.equal(Images().read(batch, None, (2, 1, 1)).present, value.present)


def test_a_batch_of_videos_alone_is_not_told():
    for batch in (Clip(fps=8.0, rgb=torch.zeros(3, 1, 3, 8, 8), batched=True), Clip.stack([clip(images=False), clip()])):
        assert Images().read(batch, None, (1, 1, 1)) is None


def test_a_blueprint_leaves_out_what_is_not_told():
    blueprint = Blueprint(
        codec=Mosaic(patch=4), objective=MaskedTokens(), model=STPT(layers=1, hidden=8, heads=2),
        conditions=(Frames(1), Images()), num_frames=2, size=8,
    )  # fmt: skip
    codec, _ = blueprint.build()
    videos, mixed = Clip.stack([clip(), clip()]), Clip.stack([clip(), clip(images=True)])
    assert set(blueprint.encode(codec, videos).conditions) == {"frames"}
    assert set(blueprint.encode(codec, mixed).conditions) == {"frames", "images"}


def test_it_is_not_told_and_enters_as_images():
    assert not hasattr(Images(), "take")
    assert (Images().name, Images().enters, Images().width, Images().drop) == ("images", "images", 0, 0.0)
    assert from_json(to_json(Images())) == Images()

"""Images: which clips of a batch are independent pictures."""

import torch

from kinema.conditions import Images
from kinema.core import Clip
from kinema.core.config import from_json, to_json
from kinema.core.contracts import Latents


def clip(**meta):
    return Clip(fps=8.0, rgb=torch.zeros(2, 3, 8, 8, dtype=torch.uint8), meta=meta)


def test_clips_say_whether_they_are_pictures():
    batch = Clip.stack([clip(images=True), clip(), clip(images=False)])
    value = Images().read(batch, None, (2, 1, 1), Latents(torch.zeros(3, 2, 1, 1, dtype=torch.long)))
    assert value.present.tolist() == [True, False, False]
    assert (value.data.tolist(), value.mask) == ([0.0, 0.0, 0.0], None)
    assert torch.equal(Images().read(batch, None, (2, 1, 1)).present, value.present)


def test_a_batch_that_says_nothing_is_of_videos():
    assert Images().read(Clip(fps=8.0, rgb=torch.zeros(3, 1, 3, 8, 8), batched=True), None, (1, 1, 1)).present.tolist() == [False] * 3


def test_it_is_not_told_and_enters_as_images():
    assert not hasattr(Images(), "take")
    assert (Images().name, Images().enters, Images().width, Images().drop) == ("images", "images", 0, 0.0)
    assert from_json(to_json(Images())) == Images()

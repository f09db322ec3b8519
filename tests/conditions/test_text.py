"""Text: captions, or descriptions written from the bodies, as padded tokens."""

import pytest
import torch

from kinema.conditions import Text, describe
from kinema.conditions import text as module
from kinema.core import Clip
from kinema.core.config import part
from kinema.core.errors import UserError
from kinema.simulators import make, scenario


@part
class Letters:
    """An encoder without a network: every letter is its place in the alphabet, in three numbers."""

    weights = "none"
    pretrained = False
    width = 3
    said = []  # noqa: RUF012

    def encode(self, text, device="cpu"):
        self.said.append(text)
        return torch.tensor([[ord(c), 1.0, -1.0] for c in text] or [[0.0, 1.0, 0.0]], device=device)


@pytest.fixture
def condition(monkeypatch):
    monkeypatch.setattr(module, "_kept", module._Kept())
    Letters.said.clear()
    return Text(Letters(), describe="caption")


def batch(*texts):
    return Clip.stack([Clip(fps=10.0, rgb=torch.zeros(2, 3, 8, 8, dtype=torch.uint8), text=text) for text in texts])


def words(value, i):
    return "".join(chr(int(code)) for code in value.data[i, value.mask[i, :, 0], 0])


def test_captions_are_padded_and_masked(condition):
    value = condition.read(batch("a ball", "two balls that collide", "x"), None, (1, 1, 1, 1))
    assert [words(value, i) for i in range(3)] == ["a ball", "two balls that collide", "x"]
    assert value.data.shape == (3, 32, condition.width)
    assert not value.data[~value.mask.expand(-1, -1, 3)].any()
    assert value.present.all()


def test_an_empty_text_is_absent(condition):
    value = condition.take(["a ball", "", "  "], 3, "cpu")
    assert value.present.tolist() == [True, False, False]


def test_one_for_all_or_one_for_each(condition):
    same = condition.take("a ball", 3, "cpu")
    assert [words(same, i) for i in range(3)] == ["a ball"] * 3
    assert [words(condition.take(["a", "b"], 2, "cpu"), i) for i in range(2)] == ["a", "b"]
    assert [words(condition.take(batch("a", "b"), 2, "cpu"), i) for i in range(2)] == ["a", "b"]
    assert words(condition.take(batch("a", "b")[1], 1, "cpu"), 0) == "b"
    for given, sentence in ((7, "a text, or a list of one per clip"), (["a", 1], "got .'a', 1"), (["a", "b"], "2 texts were given for 3")):
        with pytest.raises(UserError, match=sentence):
            condition.take(given, 3, "cpu")


def test_every_text_is_encoded_once_and_alone(condition, monkeypatch):
    for _ in range(3):
        condition.read(batch("a", "b", "a"), None, (1, 1, 1, 1))
    assert Letters.said == ["a", "b"]
    monkeypatch.setattr(module, "KEPT", 3 * 12)  # bytes: three letters
    condition.take(["cc"], 1, "cpu")  # "b", asked for before "a", is forgotten
    condition.take(["a"], 1, "cpu")
    assert Letters.said == ["a", "b", "cc"]
    condition.take(["b"], 1, "cpu")
    assert Letters.said == ["a", "b", "cc", "b"]
    assert module._kept.bytes <= 36
    condition.take(["a text that is larger than all there is room for"], 1, "cpu")
    assert len(module._kept.tokens) == 1


# --- descriptions ---


def bodies(*rows, color=((255, 0, 0), (0, 0, 255))):
    data = torch.tensor(rows, dtype=torch.float64)[None]
    return {"position": data[..., :2], "velocity": data[..., 2:4], "radius": data[..., 4], "color": torch.tensor(color[: len(rows)])[None]}


@pytest.mark.parametrize(
    ("velocity", "said"),
    [
        ((3.1, 0.0), "moves at 3.10 m/s to the right"),
        ((-3.1, 0.0), "moves at 3.10 m/s to the left"),
        ((0.0, 2.0), "moves at 2.00 m/s up"),
        ((0.0, -2.0), "moves at 2.00 m/s down"),
        ((3.0, -4.0), "moves at 5.00 m/s to the right and down, with velocity (3.00, -4.00) m/s"),
        ((0.0, 0.0), "is at rest"),
        ((0.004, -0.001), "is at rest"),
        ((3.0, 0.004), "moves at 3.00 m/s to the right"),
    ],
)
def test_motion_in_words(velocity, said):
    assert describe(bodies((2.31, 5.0, *velocity, 1.2))) == f"A red ball of radius 1.20 m at (2.31, 5.00) m {said}."


def test_a_sentence_for_every_body_in_its_colour():
    said = describe(bodies((1, 2, 1, 0, 0.5), (3, 4, 0, 0, 1), color=((250, 10, 10), (250, 160, 5))))
    first, second = "A red ball of radius 0.50 m at (1.00, 2.00) m moves at 1.00 m/s to the right.", "An orange ball of radius 1.00 m at "
    assert said == f"{first} {second}(3.00, 4.00) m is at rest."
    plain = bodies((1, 2, 1, 0, 0.5))
    del plain["color"]
    assert describe(plain).startswith("A ball of radius")


@pytest.mark.parametrize(("shape", "said"), [(0, "A red ball of radius"), (1, "A red square of half side"), (2, "A red ring of radius")])
def test_shapes_have_names(shape, said):
    one = {**bodies((1, 2, 1, 0, 0.5)), "shape": torch.tensor([[shape]])}
    assert describe(one).startswith(f"{said} 0.50 m at (1.00, 2.00) m")


def test_bodies_without_a_name_are_refused():
    one = bodies((1, 2, 1, 0, 0.5))
    for more in ({"shape": torch.tensor([[3]])}, {"length": torch.tensor([[0.4]])}):
        with pytest.raises(UserError, match="only balls, squares and rings can be described"):
            describe({**one, **more})


def test_the_numbers_of_a_description_are_the_clips(condition):
    """Read back off the words, they are the state at the first frame to the digits printed."""
    import re

    truths = [make(scenario("collision", size=16, num_frames=3), 1, i, ("rgb",)) for i in range(5)]
    value = Text(Letters()).read(Clip.stack(truths), None, (1, 1, 1, 1))
    pattern = r"A (red|blue) ball of radius ([\d.]+) m at \(([\d.]+), ([\d.]+)\) m moves at ([\d.]+) m/s to the (right|left)\."
    for i, truth in enumerate(truths):
        found = re.findall(pattern, words(value, i))
        assert [(color, way) for color, *_, way in found] == [("red", "right"), ("blue", "left")]
        for n, (_, r, x, y, speed, _) in enumerate(found):
            truly = [truth.bodies["radius"][0, n], *truth.bodies["position"][0, n], truth.bodies["velocity"][0, n].norm()]
            assert [float(number) for number in (r, x, y, speed)] == pytest.approx([float(t) for t in truly], abs=0.00501)


def test_clips_of_several_bodies_and_of_one_meet_in_a_batch():
    clips = [make(scenario(name, size=16, num_frames=3), 1, 0, ("rgb",)) for name in ("collision", "uniform")]
    value = Text(Letters()).read(Clip.stack(clips), None, (1, 1, 1, 1))
    assert [words(value, i).count("ball") for i in range(2)] == [2, 1]
    assert words(value, 1) == describe(clips[1].bodies)


def test_what_cannot_be_is_refused(condition):
    nothing = Clip(fps=10.0, rgb=torch.zeros(2, 3, 8, 8, dtype=torch.uint8))
    with pytest.raises(UserError, match="read from a clip's text, and this clip has none; it has rgb"):
        condition.take(nothing, 1, "cpu")
    with pytest.raises(UserError, match="read from a clip's bodies, and this clip has none; it has rgb, text"):
        Text(Letters()).take(nothing.replace(text="a ball"), 1, "cpu")
    with pytest.raises(UserError, match="bodies must have position, velocity and radius; these have position"):
        describe({"position": torch.zeros(1, 1, 2)})
    for fields in ({"encoder": 5}, {"describe": "all"}, {"drop": 2.0}):
        with pytest.raises(UserError, match=f"Text: {next(iter(fields))} must"):
            Text(**{"encoder": Letters(), **fields})
    assert (Text(Letters()).initial, condition.initial) == (True, False)


# --- independent pictures ---


def pictures(text, *captions):
    rgb = torch.zeros(len(captions) or 3, 3, 8, 8, dtype=torch.uint8)
    return Clip(fps=10.0, rgb=rgb, text=text, meta={"images": True, "captions": captions} if captions else {})


def at(value, i, frame):
    return "".join(chr(int(code)) for code in value.data[i, frame, value.mask[i, frame, :, 0], 0])


def test_pictures_have_captions_of_their_own(condition):
    mixed = Clip.stack([pictures("", "a", "", "the third one of them all"), pictures("a video"), pictures("", *[""] * 3), pictures("")])
    value = condition.read(mixed, None, (3, 1, 1))
    assert (value.data.shape, value.mask.shape) == ((4, 3, 32, 3), (4, 3, 32, 1))
    said = [[at(value, i, frame) for frame in range(3)] for i in range(4)]
    assert said == [["a", "", "the third one of them all"], ["a video"] * 3, [""] * 3, [""] * 3]
    assert value.present.tolist() == [True, True, False, False]
    assert condition.read(Clip.stack([pictures("a video")]), None, (3, 1, 1)).data.ndim == 3
    assert condition.take(pictures("", "a", "b"), 2, "cpu").data.shape[:2] == (2, 2)


def test_captions_that_do_not_go_with_the_frames_are_refused(condition):
    with pytest.raises(UserError, match="2 captions go with 3 latent frames: one for each picture was expected"):
        condition.read(Clip.stack([pictures("", "a", "b")]), None, (3, 1, 1))


@pytest.mark.parametrize("given", ["", " \n", ["", " "]])
def test_an_empty_text_given_by_name_is_refused(condition, given):
    with pytest.raises(UserError, match="text: an empty text was given: leave it out, or say what happens"):
        condition.take(given, len(given) if isinstance(given, list) else 1, "cpu")
    assert condition.read(batch("", ""), None, (1, 1, 1)).present.tolist() == [False, False]

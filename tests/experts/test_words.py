"""Words: fixed vectors, the same everywhere, of words that a model has to learn."""

import json
import subprocess
import sys

import pytest
import torch

from kinema.conditions import Text
from kinema.core import Clip
from kinema.core.config import from_json, to_json
from kinema.core.errors import UserError
from kinema.experts import Words
from kinema.experts.words import END, LONGEST, split


def vectors(text, size=256):
    """The words' own numbers, without their places and the end."""
    return Words(size).encode(text)[:-1, :size]


def test_a_word_is_the_same_in_another_process():
    code = "import torch; from kinema.experts import Words; print(Words(64).encode('a red ball').double().flatten().tolist())"
    environment = {"PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "1"}
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment).stdout
    torch.testing.assert_close(torch.tensor(json.loads(said)).reshape(4, -1), Words(64).encode("a red ball"), rtol=0, atol=0)


def test_the_first_signs_of_a_word_are_those_of_its_hash():
    import hashlib

    bits = "".join(f"{byte:08b}" for byte in hashlib.blake2b(b"ball", salt=bytes(8)).digest())
    assert [int(sign > 0) for sign in vectors("ball")[0]] == [int(bit) for bit in bits[:256]]


@pytest.mark.parametrize("size", [8, 250, 256, 512, 1000])
def test_every_word_is_a_unit_vector_of_its_size(size):
    data = Words(size).encode("two cars on a road")
    assert (data.shape, data.dtype) == ((6, Words(size).width), torch.float32)
    torch.testing.assert_close(data[:, :size].norm(dim=1), torch.ones(6))
    torch.testing.assert_close(data[:, size:].norm(dim=1), torch.ones(6))


def test_different_words_are_nearly_orthogonal():
    words = torch.cat([vectors(" ".join(f"word{i}" for i in range(start, start + 150))) for start in (0, 150)])
    cosines = words @ words.T
    assert cosines.fill_diagonal_(0).abs().max() < 0.35
    assert vectors("ball", 1024)[0, :512].sub(vectors("ball", 1024)[0, 512:]).norm() > 0.5  # what follows is drawn anew


def test_places_differ_and_words_do_not():
    data = Words().encode("ball " * LONGEST)
    assert torch.equal(data[0, :256], data[-2, :256])
    distance = torch.cdist(data[:, 256:], data[:, 256:]) + 9 * torch.eye(len(data))
    assert distance.min() > 0.05
    assert torch.equal(Words().encode("a b")[1, 256:], Words().encode("c d e")[1, 256:])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("A Red ball.", ["a", "red", "ball", "."]),
        ("two-lane road; 0.4 m", ["two-lane", "road", ";", "0.4", "m"]),
        ("at (-1.50, 2) m/s", ["at", "(", "-1.50", ",", "2", ")", "m", "/", "s"]),
        ("speeds 3-4, it's", ["speeds", "3", "-", "4", ",", "it's"]),
        ("ends at 5.", ["ends", "at", "5", "."]),
        ("Zürich 東京", ["zürich", "東京"]),
        ("  \n ", []),
    ],
)
def test_what_a_word_is(text, words):
    assert split(text) == words
    assert len(Words().encode(text)) == len(words) + 1


def test_an_empty_text_is_its_end():
    alone = Words().encode("")
    assert alone.shape == (1, Words().width)
    assert torch.equal(alone[0, :256], Words().encode("a ball")[-1, :256])
    assert END not in split("any text at all")


def test_what_is_refused():
    with pytest.raises(UserError, match=f"at most {LONGEST} words, got {LONGEST + 1}: 'ball ball"):
        Words().encode("ball " * (LONGEST + 1))
    with pytest.raises(UserError, match="size must be at least 8, got 4"):
        Words(4)


def test_it_says_that_nothing_is_pretrained_and_is_an_encoder_of_text():
    assert (Words().pretrained, Words().weights) == (False, "none: words are learnt by the model")
    condition = Text(Words(64), describe="caption")
    assert from_json(to_json(condition)) == condition
    batch = Clip.stack([Clip(fps=8.0, rgb=torch.zeros(2, 3, 8, 8, dtype=torch.uint8), text=text) for text in ("A red ball falls.", "")])
    value = condition.read(batch, None, (2, 1, 1))
    assert (value.data.shape, value.present.tolist()) == ((2, 16, condition.width), [True, False])
    assert value.mask.sum((1, 2)).tolist() == [6, 1]
    assert torch.equal(value.data[0, :6], Words(64).encode("a RED ball falls ."))

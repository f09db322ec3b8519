import hashlib

import numpy as np
import pytest
import torch

from kinema.core import stream, torch_stream


def test_a_stream_depends_on_its_key_alone():
    alone = stream("uniform", 0, 7).random(5)
    for index in range(20):  # other streams, drawn from before
        stream("uniform", 0, index).random(index)
    assert (stream("uniform", 0, 7).random(5) == alone).all()


def test_different_keys_are_different_streams():
    keys = [("a",), ("b",), ("a", 0), ("a", "0"), ("a", 0, 1), ("a", 1, 0), ("a", 10), ("a", -1), (0,), (2**70,), ("a, 0",)]
    assert len({stream(*key).random() for key in keys}) == len(keys)
    assert len({torch_stream(*key).initial_seed() for key in keys}) == len(keys)


def test_streams_never_change():
    # blake2b of the key's repr, as RFC 7693 has it; a published dataset depends on these very numbers
    digest = hashlib.blake2b(b"('uniform', 0, 7)", digest_size=16).digest()
    assert digest.hex() == "f0ac7ea8e286b2d764c3b1871b8e8d14"
    assert stream("uniform", 0, 7).random() == np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little"))).random()
    assert stream("uniform", 0, 7).random() == 0.7052883007604601
    assert torch_stream("uniform", 0, 7).initial_seed() == int.from_bytes(digest[:8], "little") // 2


def test_numpy_integers_are_integers():
    assert stream("a", np.int64(3)).random() == stream("a", 3).random()
    assert stream(np.str_("a"), 3).random() == stream("a", 3).random()


def test_what_is_no_key_is_refused():
    with pytest.raises(ValueError, match="needs a key"):
        stream()
    with pytest.raises(TypeError):
        stream("a", 0.5)


def test_torch_streams_draw_the_same():
    draws = [torch.rand(3, generator=torch_stream("noise", 1)) for _ in range(2)]
    assert torch.equal(*draws)

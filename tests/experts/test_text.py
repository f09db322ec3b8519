"""Text encoders, on tiny networks with random weights that are built here: what is tested is the way from text to tokens."""

import json
import sys
from pathlib import Path

import pytest
import torch

from kinema.conditions import Text
from kinema.core.config import from_json, to_json
from kinema.core.errors import UserError
from kinema.core.files import read_json
from kinema.experts import T5, TextEncoder
from kinema.experts import text as module

transformers = pytest.importorskip("transformers")


@pytest.fixture
def t5(tiny_t5) -> Path:
    return tiny_t5


@pytest.fixture(scope="module")
def bert(tiny_t5, tmp_path_factory) -> Path:
    """An encoder with the same tokenizer."""
    folder = tmp_path_factory.mktemp("encoders") / "bert"
    torch.manual_seed(0)
    size = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 32, "max_position_embeddings": 32}
    transformers.BertModel(transformers.BertConfig(vocab_size=len(alphabet(tiny_t5)), **size)).save_pretrained(folder)
    for path in tiny_t5.glob("tokenizer*"):
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


def alphabet(folder: Path) -> list[str]:
    return [token for token, _ in read_json(folder / "tokenizer.json")["model"]["vocab"]]


@pytest.fixture(autouse=True)
def fresh():
    module._loaded.cache_clear()
    module._width.cache_clear()


@pytest.fixture(params=["t5", "bert"])
def encoder(request):
    folder = str(request.getfixturevalue(request.param))
    return T5(folder) if request.param == "t5" else TextEncoder(folder)


def test_a_text_becomes_its_tokens(encoder):
    tokens = encoder.encode("A ball at 3.10 m/s")
    assert tokens.shape == (20, encoder.width)  # 18 characters, the mark before the first word, the end
    assert tokens.dtype == torch.float32
    assert not tokens.requires_grad
    assert torch.equal(encoder.encode("A ball at 3.10 m/s"), tokens)
    assert not torch.allclose(encoder.encode("A ball at 3.20 m/s"), tokens, atol=1e-3)
    assert (encoder.width, encoder.pretrained) == ({"T5": 16, "TextEncoder": 24}[type(encoder).__name__], True)
    assert from_json(to_json(encoder)) == encoder


def test_it_is_the_network_of_the_file(encoder):
    """The same numbers as the published class gives, read by itself."""
    folder, text = encoder.weights, "A red ball"
    auto = transformers.T5EncoderModel if isinstance(encoder, T5) else transformers.BertModel
    letters = alphabet(Path(folder))
    ids = torch.tensor([[letters.index(c) for c in "▁A▁red▁ball"] + [1]])
    theirs = auto.from_pretrained(folder).eval()(input_ids=ids).last_hidden_state[0]
    torch.testing.assert_close(encoder.encode(text), theirs.detach(), rtol=1e-5, atol=1e-6)


def test_words_stay_in_32_bits_where_training_does_not(encoder):
    plain = encoder.encode("A red ball")
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.equal(encoder.encode("A red ball"), plain)


def test_it_is_a_condition(encoder):
    value = Text(encoder, describe="caption").take(["A red ball", "", "no"], 3, "cpu")
    assert value.data.shape == (3, 16, encoder.width)
    assert value.mask.sum((1, 2)).tolist() == [12, 1, 4]
    assert value.present.tolist() == [True, False, True]
    torch.testing.assert_close(value.data[0, :12], encoder.encode("A red ball"))


def test_a_text_that_is_too_long_is_refused(t5, bert):
    for encoder, longest in ((T5(str(t5)), 256), (TextEncoder(str(bert)), 32)):
        assert len(encoder.encode("a" * (longest - 2))) == longest
        with pytest.raises(UserError, match=f"takes texts of at most {longest} tokens, got {longest + 1}: 'aaa"):
            encoder.encode("a" * (longest - 1))


def test_weights_are_found_where_weights_are_kept(t5, monkeypatch):
    monkeypatch.setenv("KINEMA_WEIGHTS", str(t5.parent))
    assert torch.equal(T5("t5").encode("a"), T5(str(t5)).encode("a"))


def copied(folder: Path, target: Path) -> Path:
    target.mkdir()
    for path in folder.iterdir():
        (target / path.name).write_bytes(path.read_bytes())
    return target


def test_what_is_not_there_is_named(t5, bert, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (tmp_path / "empty").mkdir()
    refused = {
        r"there is no folder '/nowhere/t5', in which": T5("/nowhere/t5"),
        r"there is no folder './t5'": T5("./t5"),
        r"empty: this folder holds no text encoder: it has no config.json": T5(str(tmp_path / "empty")),
        r"T5\('.*bert'\): this is a bert network, not a T5": T5(str(bert)),
        r"TextEncoder\('.*t5'\): this t5 network also decodes; a T5 is experts.T5": TextEncoder(str(t5)),
    }
    for sentence, encoder in refused.items():
        with pytest.raises(UserError, match=sentence):
            encoder.encode("a")
        with pytest.raises(UserError, match=sentence):
            encoder.width  # noqa: B018


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json"])
def test_damaged_files_are_refused(t5, tmp_path, file):
    folder = copied(t5, tmp_path / "damaged")
    (folder / file).write_bytes((folder / file).read_bytes()[:40])
    with pytest.raises(UserError, match=r"T5\('.*damaged'\): the weights cannot be had; a folder with config.json, model.safetensors"):
        T5(str(folder)).encode("a")


def test_weights_that_lack_a_tensor_are_refused(t5, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = copied(t5, tmp_path / "lacking")
    tensors = load_file(folder / "model.safetensors")
    name = "encoder.block.1.layer.0.SelfAttention.q.weight"
    save_file({key: value for key, value in tensors.items() if key != name}, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(UserError, match=rf"lacking'\): the weights lack '{name}'"):
        T5(str(folder)).encode("a")


def test_pickles_are_not_opened(t5, tmp_path):
    folder = copied(t5, tmp_path / "pickled")
    (folder / "model.safetensors").unlink()
    torch.save({"boom": _Boom()}, folder / "pytorch_model.bin")
    with pytest.raises(UserError, match=r"pickled'\): the weights cannot be had"):
        T5(str(folder)).encode("a")
    assert not _Boom.went_off


class _Boom:
    went_off = False

    def __reduce__(self):
        return (setattr, (_Boom, "went_off", True))


def test_code_in_a_folder_is_not_run(bert, tmp_path):
    folder = copied(bert, tmp_path / "code")
    (folder / "evil.py").write_text("raise SystemExit('this ran')\nclass Evil: pass\nclass EvilConfig: pass\n")
    config = read_json(folder / "config.json")
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.Evil"}}
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=r"code'\): the weights cannot be had"):
        TextEncoder(str(folder)).encode("a")


def test_without_transformers_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UserError, match=r"T5 needs transformers: pip install 'kinema\[pretrained\]'"):
        T5().encode("a")
    with pytest.raises(UserError, match="TextEncoder needs transformers"):
        TextEncoder("x").width  # noqa: B018

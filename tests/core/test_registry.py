import hashlib
import io
import os
import re
import urllib.error
import zipfile
from email.message import Message
from pathlib import Path

import pytest
import torch
from safetensors.torch import save

from kinema.core import UserError, registry
from kinema.core.registry import WEIGHTS, MissingWeights, Weights

REAL = Path(os.environ.get("KINEMA_WEIGHTS") or Path(__file__).parents[3] / "shared" / "weights")
TENSORS = {"a": torch.arange(3.0)}


def add(monkeypatch, content, file="toy.safetensors", **fields):
    sha256 = hashlib.sha256(content).hexdigest()
    known = {"size": len(content), "licence": "MIT", "use": "a test", "home": "https://example.org", "url": "https://example.org/toy"}
    monkeypatch.setitem(WEIGHTS, "toy", Weights(name="toy", file=file, **{**known, "sha256": sha256, **fields}))
    return content


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.delenv("KINEMA_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "kinema" / "weights"


def answer(monkeypatch, content, length=None):
    """Let every address answer with these bytes, or raise."""
    asked = []

    def urlopen(request, timeout):
        asked.append(request.full_url)
        if isinstance(content, Exception):
            raise content
        response = io.BytesIO(content)
        response.headers = Message()
        response.headers["Content-Length"] = str(len(content) if length is None else length)
        return response

    monkeypatch.setattr(registry, "urlopen", urlopen)
    return asked


@pytest.mark.parametrize("name", WEIGHTS)
def test_entries_are_complete(name):
    weights = WEIGHTS[name]
    assert weights.name == name
    assert re.fullmatch("[0-9a-f]{64}", weights.sha256)
    assert weights.size > 0
    assert weights.home.startswith("https://")
    assert weights.url is None or weights.url.startswith("https://")
    assert weights.licence
    assert weights.use


@pytest.mark.parametrize("name", WEIGHTS)
def test_real_files_load(name, monkeypatch):
    monkeypatch.setenv("KINEMA_WEIGHTS", str(REAL))
    if not (REAL / WEIGHTS[name].file).is_file():
        pytest.skip(f"{WEIGHTS[name].file} is not here")
    assert registry.find(name).stat().st_size == WEIGHTS[name].size
    tensors = registry.load(name)
    assert tensors
    assert all(isinstance(value, torch.Tensor) for value in tensors.values())


def test_the_given_folder_comes_before_the_cache(monkeypatch, tmp_path, home):
    content = add(monkeypatch, save(TENSORS))
    home.mkdir(parents=True)
    (home / "toy.safetensors").write_bytes(content)
    assert registry.find("toy").parent == home
    monkeypatch.setenv("KINEMA_WEIGHTS", str(tmp_path / "given"))
    assert registry.find("toy").parent == home
    (tmp_path / "given").mkdir()
    (tmp_path / "given" / "toy.safetensors").write_bytes(content)
    assert registry.find("toy").parent == tmp_path / "given"
    assert torch.equal(registry.load("toy")["a"], TENSORS["a"])


def test_finding_never_downloads(monkeypatch, home):
    add(monkeypatch, save(TENSORS))
    asked = answer(monkeypatch, save(TENSORS))
    with pytest.raises(MissingWeights, match=r"toy is not on this machine .*kinema weights get toy.*MIT"):
        registry.load("toy")
    assert not asked
    assert not home.exists()


def test_weights_without_an_address_say_where_to_put_them(monkeypatch, home):
    add(monkeypatch, b"", url=None)
    for call in (registry.find, registry.download):
        with pytest.raises(UserError, match=rf"{home} by hand.*https://example\.org"):
            call("toy")


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(UserError, match=r"'rapt'.*raft-small"):
        registry.find("rapt")


def test_a_wrong_hash_is_refused_with_both(monkeypatch, home):
    add(monkeypatch, save(TENSORS), sha256="0" * 64)
    home.mkdir(parents=True)
    (home / "toy.safetensors").write_bytes(save(TENSORS))
    with pytest.raises(UserError, match=rf"{hashlib.sha256(save(TENSORS)).hexdigest()}.*{'0' * 64}"):
        registry.load("toy")


def test_a_file_is_hashed_once_until_it_changes(monkeypatch, home):
    content = add(monkeypatch, save(TENSORS))
    home.mkdir(parents=True)
    path = home / "toy.safetensors"
    path.write_bytes(content)
    hashed = []
    sha256 = registry._sha256
    monkeypatch.setattr(registry, "_sha256", lambda path: hashed.append(path) or sha256(path))
    for _ in range(3):
        registry.find("toy")
    assert len(hashed) == 1
    path.write_bytes(content[:-1] + b"\xff")
    os.utime(path, ns=(1, 1))
    with pytest.raises(UserError, match="SHA-256"):
        registry.find("toy")


def test_published_pickles_load_as_tensors_alone(monkeypatch, home):
    class Evil:
        def __reduce__(self):
            return os.mkdir, (str(home / "ran"),)

    home.mkdir(parents=True)
    for value, says in (
        (TENSORS, None),
        ({"a": Evil()}, "more than named tensors"),
        ([1, 2], "named tensors"),
        ({"a": 1}, "named tensors"),
    ):
        torch.save(value, home / "toy.pth")
        add(monkeypatch, (home / "toy.pth").read_bytes(), file="toy.pth")
        if says is None:
            assert torch.equal(registry.load("toy")["a"], TENSORS["a"])
        else:
            with pytest.raises(UserError, match=says):
                registry.load("toy")
    assert not (home / "ran").exists()


def test_damaged_files_of_the_right_hash_end_in_a_sentence(monkeypatch, home):
    home.mkdir(parents=True)
    for file in ("toy.pth", "toy.safetensors"):
        (home / file).write_bytes(add(monkeypatch, b"not weights", file=file))
        with pytest.raises(UserError, match=rf"{file}: "):
            registry.load("toy")


def test_download(monkeypatch, home):
    content = add(monkeypatch, save(TENSORS))
    asked, seen = answer(monkeypatch, content), []
    path = registry.download("toy", lambda done, total: seen.append((done, total)))
    assert asked == ["https://example.org/toy"]
    assert seen[-1] == (len(content), len(content))
    assert path == registry.find("toy")
    assert [file.name for file in home.iterdir()] == ["toy.safetensors"]


def test_download_from_a_zip(monkeypatch, home):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("models/toy", save(TENSORS))
    add(monkeypatch, save(TENSORS), member="models/toy")
    answer(monkeypatch, archive.getvalue())
    assert torch.equal(registry.load(registry.download("toy") and "toy")["a"], TENSORS["a"])
    assert [file.name for file in home.iterdir()] == ["toy.safetensors"]


def test_a_damaged_zip_is_a_sentence(monkeypatch, home):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("models/toy", bytes(range(256)) * 40)
    broken = bytearray(archive.getvalue())
    broken[40:60] = b"\xff" * 20  # the compressed stream; the directory at the end stays whole
    add(monkeypatch, b"", member="models/toy")
    answer(monkeypatch, bytes(broken))
    with pytest.raises(UserError, match="no sound zip file with models/toy in it"):
        registry.download("toy")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "length", "says"),
    [
        (urllib.error.URLError("no route"), None, r"https://example.org/toy cannot be reached \(no route\).*place toy.safetensors in"),
        (urllib.error.HTTPError("https://example.org/toy", 404, "Not Found", Message(), None), None, r"cannot be reached \(.*Not Found\)"),
        (TimeoutError("timed out"), None, r"timed out"),
        (save(TENSORS)[:20], 1000, r"broke off after 20 of 1000 bytes"),
        (b"something else", None, r"SHA-256 .* not kept"),
    ],
)
@pytest.mark.parametrize("member", [None, "models/toy"])
def test_a_failed_download_is_a_sentence_and_leaves_nothing(monkeypatch, home, content, length, says, member):
    add(monkeypatch, save(TENSORS), member=member)
    answer(monkeypatch, content, length)
    if member and content == b"something else":
        says = "no sound zip file with models/toy in it"
    with pytest.raises(UserError, match=says):
        registry.download("toy")
    assert list(home.iterdir()) == []


def test_only_https(monkeypatch):
    add(monkeypatch, b"", url="file:///etc/passwd")
    with pytest.raises(UserError, match="https alone"):
        registry.download("toy")


def test_a_cache_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    add(monkeypatch, save(TENSORS))
    answer(monkeypatch, save(TENSORS))
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="cannot be made a folder"):
        registry.download("toy")

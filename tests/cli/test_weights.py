import hashlib
import json

import pytest

from kinema.cli import main
from kinema.core import registry
from kinema.core.registry import WEIGHTS, Weights


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path):
    monkeypatch.delenv("KINEMA_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "kinema" / "weights"


def test_list_names_every_file_and_what_to_do(capsys):
    assert main(["weights", "list"]) == 0
    out = capsys.readouterr().out
    for name, weights in WEIGHTS.items():
        assert name in out
        assert f"{name}: {registry.how_to_get(weights)}" in out


def test_list_for_scripts(capsys, home):
    home.mkdir(parents=True)
    (home / "raft-small.pth").write_bytes(b"no")
    assert main(["weights", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert set(rows) == set(WEIGHTS)
    assert rows["lpips-alex"]["state"] == "missing"
    assert rows["raft-small"]["state"] == "refused"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_get_fetches_once(monkeypatch, capsys, home, flags):
    content = b"weights"
    entry = {
        "file": "toy.pth",
        "size": 7,
        "licence": "MIT",
        "use": "a test",
        "home": "https://example.org",
        "url": "https://example.org/toy",
    }
    monkeypatch.setitem(WEIGHTS, "toy", Weights(name="toy", sha256=hashlib.sha256(content).hexdigest(), **entry))
    fetched = []

    def fetch(weights, target, progress):
        fetched.append(weights.name)
        target.write_bytes(content)
        if progress:
            progress(7, 7)

    monkeypatch.setattr(registry, "_fetch", fetch)
    for _ in range(2):
        assert main(["weights", "get", "toy", *flags]) == 0
        out = capsys.readouterr().out
        assert (json.loads(out)["path"] if flags else out.strip()) == str(home / "toy.pth")
    assert fetched == ["toy"]


@pytest.mark.parametrize(("name", "says"), [("rapt", "kinema knows no weights named 'rapt'"), ("lpips-alex", "by hand")])
def test_mistakes_are_one_sentence_and_exit_2(capsys, name, says):
    assert main(["weights", "get", name]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert len(error.strip().splitlines()) == 1

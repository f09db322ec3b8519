import json
import sys

import pytest

from kinema.cli import doctor
from kinema.cli.doctor import Finding


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path):
    monkeypatch.delenv("KINEMA_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_this_machine_is_well(capsys, cache):
    assert doctor.main(json=True) == 0
    findings = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert not [row for row in findings.values() if row["state"] == "fail"]
    for name in ("python", "torch", "av", "cpu", "bf16 on cpu", "video mp4, lossless", "cache", "weights raft-small", "extra test"):
        assert name in findings
    assert all(row["todo"] for row in findings.values() if row["state"] != "ok")
    assert not cache.exists()  # looking changes nothing


def test_lines_for_people(capsys, monkeypatch):
    rows = [Finding("a", "ok", "fine [1]"), Finding("bcd", "warn", "so-so", "mend it"), Finding("e", "fail", "gone", "get it")]
    monkeypatch.setattr(doctor, "CHECKS", (lambda: iter(rows),))
    assert doctor.main() == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["ok", "a", "fine", "[1]"]
    assert lines[2].strip() == "-> mend it"
    assert lines[-1] == "1 ok, 1 to look at, 1 failed"


def test_a_check_that_breaks_is_a_finding(monkeypatch):
    def torch():
        yield Finding("before", "ok", "")
        raise ImportError("libcudart.so")

    monkeypatch.setattr(doctor, "CHECKS", (torch, doctor.python))
    states = [(finding.name, finding.state) for finding in doctor.examine()]
    assert states == [("before", "ok"), ("torch", "fail"), ("python", "ok")]


@pytest.mark.parametrize(("version", "state"), [((3, 10), "fail"), ((3, 11), "ok"), ((3, 13), "ok"), ((3, 14), "warn")])
def test_python(monkeypatch, version, state):
    monkeypatch.setattr(sys, "version_info", version)
    assert [finding.state for finding in doctor.python()] == [state]


def test_missing_and_old_dependencies_fail_with_the_command_that_helps(monkeypatch):
    versions = {"torch": "2.1.0", "av": None}
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: versions[name] if name in versions else real(name))
    found = {finding.name: finding for finding in doctor.dependencies()}
    assert found["torch"].state == "fail"
    assert "2.1.0" in found["torch"].found
    assert "pip install 'torch>=" in (found["torch"].todo or "")
    assert found["av"].state == "fail"
    assert "missing" in found["av"].found
    assert found["numpy"].state == "ok"


def test_a_missing_extra_is_no_failure(monkeypatch):
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name == "scikit-image" else real(name))
    found = {finding.name: finding for finding in doctor.dependencies()}
    assert found["extra test"].state == "ok"
    assert "kinema[test]" in found["extra test"].found
    assert "scikit-image" in found["extra test"].found


def test_damaged_weights_and_wrong_folders_are_told(monkeypatch, tmp_path):
    monkeypatch.setenv("KINEMA_WEIGHTS", str(tmp_path / "absent"))
    assert next(iter(doctor.weights())).name == "KINEMA_WEIGHTS"
    (tmp_path / "raft-small.pth").write_bytes(b"no")
    monkeypatch.setenv("KINEMA_WEIGHTS", str(tmp_path))
    found = {finding.name: finding for finding in doctor.weights()}
    assert "KINEMA_WEIGHTS" not in found
    assert found["weights raft-small"].state == "fail"
    assert "SHA-256" in found["weights raft-small"].found
    assert found["weights lpips-alex"].state == "warn"


def test_a_damaged_model_fails(tmp_path):
    assert doctor._model(tmp_path).state == "fail"
    (tmp_path / "model.json").write_text("{")
    assert "cannot be read as JSON" in doctor._model(tmp_path).found


def test_folders_that_cannot_be_written_are_told(monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    found = {finding.name: finding for finding in doctor.disk()}
    assert found["cache"].state == "warn"
    assert "XDG_CACHE_HOME" in (found["cache"].todo or "")

"""The command line: quick to answer, one sentence and exit 2 for a mistake, never a traceback."""

from __future__ import annotations

import errno
import importlib
import inspect
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from kinema import cli
from kinema.core import UserError
from kinema.simulators import SCENARIOS


def kinema(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "kinema", *arguments], capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_the_commands_are_listed(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(arguments) == 0
    out = capsys.readouterr().out
    for name, line in cli.COMMANDS.items():
        assert name in out
        assert line in out


def test_the_list_comes_without_torch() -> None:
    script = "import sys; from kinema.cli import main; main([]); main(['--version']); main(['data']); sys.exit('torch' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert run.returncode == 0
    assert "validate" in run.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_is_there_and_says_what_it_does(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module = importlib.import_module(f"kinema.cli.{name}")
    for function in getattr(module, "VERBS", {"": getattr(module, "main", None)}).values():
        assert inspect.getdoc(function)
        json_flag = inspect.signature(function).parameters.get("json")
        assert json_flag is None or json_flag.default is False
    assert cli.main([name, "--help"]) == 0
    assert f"kinema {name}" in capsys.readouterr().out


def test_unknown_names_are_answered_with_the_closest(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["simulat"]) == 2
    assert "did you mean 'simulate'" in capsys.readouterr().err
    assert cli.main(["data", "inspekt"]) == 2
    assert "did you mean 'inspect'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status", "words"),
    [
        (UserError("x.mp4: is no video"), 2, "kinema: x.mp4: is no video\n"),
        (KeyboardInterrupt(), 130, "kinema: interrupted\n"),
        (OSError(errno.ENOSPC, "No space left on device", "out.bin"), 2, "kinema: out.bin: the disk is full\n"),
        (PermissionError(errno.EACCES, "Permission denied", "secret"), 2, "kinema: secret: no permission\n"),
        (MemoryError(), 2, "memory is used up"),
        (SystemExit(2), 2, ""),
    ],
)
def test_errors_end_in_a_sentence(
    error: BaseException, status: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("KINEMA_TRACEBACK", raising=False)
    monkeypatch.setattr(cli, "_dispatch", _raising(error))
    assert cli.main(["demo"]) == status
    assert words in capsys.readouterr().err


def test_a_bug_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli, "_dispatch", _raising(ZeroDivisionError()))
    with pytest.raises(ZeroDivisionError):
        cli.main(["demo"])


def _raising(error: BaseException) -> Callable[[list[str]], int]:
    def raiser(_: list[str]) -> int:
        raise error

    return raiser


def test_a_closed_pipe_is_quiet() -> None:
    read, write = os.pipe()
    os.close(read)
    run = subprocess.run([sys.executable, "-m", "kinema"], stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert run.stderr == ""
    assert run.returncode == 141


def test_usage_errors_end_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["simulate"], ["simulate", "uniform", "--num", "x", "--out", "y"], ["data", "inspect"], ["simulate", "--nosuch"]):
        assert cli.main(arguments) == 2
        assert "Traceback" not in capsys.readouterr().err


def test_the_help_of_simulate_names_every_scenario() -> None:
    said = inspect.getdoc(importlib.import_module("kinema.cli.simulate").main) or ""
    assert set(SCENARIOS) <= set(re.findall(r"[\w-]+", said))


def test_a_process_ends_with_one_sentence(tmp_path: Path) -> None:
    run = kinema("simulate", "colision", "--out", str(tmp_path / "d"))
    assert run.returncode == 2
    assert run.stderr == f"kinema: there is no scenario named 'colision' (did you mean 'collision'?); there are {', '.join(SCENARIOS)}\n"
    assert run.stdout == ""

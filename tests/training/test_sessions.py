"""Killed at any moment and resumed, a run ends in the same weights; several processes are as one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from sessions import Next, Noise, small

from kinema.training import train
from kinema.training.checkpoint import checkpoints, load_checkpoint

SESSIONS = Path(__file__).parent / "sessions.py"


def sessions(mode: str, folder: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    ended = subprocess.run([sys.executable, SESSIONS, mode, folder], capture_output=True, text=True, timeout=300, env=environment)
    assert ended.returncode == 0, ended.stderr[-4000:]


def assert_same_run(one: Path, other: Path) -> None:
    """Weights, averages, optimiser state, guard, best and log of two runs agree bit for bit; nothing half-written is left."""
    assert [p.name for p in checkpoints(one / "checkpoints")] == [p.name for p in checkpoints(other / "checkpoints")]
    assert (len(checkpoints(one / "checkpoints")), len(checkpoints(one / "best"))) == (2, len(checkpoints(other / "best")))
    for folder in ("checkpoints", "best"):
        for a, b in zip(checkpoints(one / folder), checkpoints(other / folder), strict=True):
            (tensors, state), (others, other_state) = load_checkpoint(a), load_checkpoint(b)
            assert state == other_state
            assert tensors.keys() == others.keys()
            for name, entries in tensors.items():
                assert entries.keys() == others[name].keys()
                assert all(torch.equal(value, others[name][key]) for key, value in entries.items()), name
    assert losses(one) == losses(other)
    for file in (one / "model").glob("*"):
        assert file.read_bytes() == (other / "model" / file.name).read_bytes()
    assert not list(other.rglob(".*")), "a half-written file is left"


def losses(run: Path) -> list[tuple[int, float]]:
    rows = [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
    return [(row["step"], row["loss"]) for row in rows if "loss" in row]


def test_a_run_killed_at_any_moment_ends_in_the_same_weights(tmp_path):
    sessions("kills", tmp_path)
    killed = sorted(tmp_path.glob("killed-*"))
    assert len(killed) == 8
    for run in killed:
        assert_same_run(tmp_path / "whole", run)
    sessions("hammer", tmp_path)
    assert_same_run(tmp_path / "whole", tmp_path / "hammered")
    sessions("interrupts", tmp_path)
    for run in tmp_path.glob("interrupted-*"):
        assert_same_run(tmp_path / "whole", run)


def test_a_run_with_roll_backs_ends_in_the_same_weights(tmp_path):
    sessions("poison", tmp_path)
    assert len(losses(tmp_path / "poisoned")) == 10  # of twelve steps, two batches are left out
    for run in [*tmp_path.glob("poisoned-[0-9]*"), tmp_path / "poisoned-interrupted"]:
        assert_same_run(tmp_path / "poisoned", run)


def test_two_processes_are_one_with_the_double_batch(tmp_path):
    sessions("ranks", tmp_path)
    one = train(small(tmp_path / "one", Next(), Noise(31), batch=4))
    two = load_file(checkpoints(tmp_path / "ranks" / "checkpoints")[-1] / "average.safetensors")
    for key, value in one.state_dict().items():
        torch.testing.assert_close(value, two[key], rtol=1e-9, atol=1e-12)
    for name in ("network", "recipe"):  # the processes stay in step to the last bit
        assert (tmp_path / f"{name}-0.json").read_text() == (tmp_path / f"{name}-1.json").read_text()
    assert_same_run(tmp_path / "ranks", tmp_path / "heard")


def test_accumulation_is_a_larger_batch(tmp_path):
    once = train(small(tmp_path / "once", Next(), Noise(31), batch=4))
    twice = train(small(tmp_path / "twice", Next(), Noise(31), batch=2, accumulate=2))
    for a, b in zip(once.parameters(), twice.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("workers", [1])
def test_workers_change_nothing(tmp_path, workers):
    none = train(small(tmp_path / "none", Next(), Noise(31), steps=4))
    some = train(small(tmp_path / "some", Next(), Noise(31), steps=4, workers=workers))
    assert all(torch.equal(a, b) for a, b in zip(none.parameters(), some.parameters(), strict=True))

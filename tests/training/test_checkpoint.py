import os
from pathlib import Path

import pytest
import torch
from sessions import Next, small
from torch import nn

from kinema.core.errors import UserError
from kinema.training import train
from kinema.training.checkpoint import checkpoints, load_checkpoint, pack_optimizer, save_checkpoint, tidy, unpack_optimizer


def save(folder, step, value, keep=2):
    return save_checkpoint(folder, step, {"model": {"w": torch.full((3,), float(value))}}, {"figure": value}, keep)


def value(path):
    tensors, state = load_checkpoint(path)
    assert float(tensors["model"]["w"][0]) == state["figure"]
    return state["figure"]


def test_the_newest_are_kept(tmp_path):
    for step in (0, 5, 10, 100):
        save(tmp_path, step, step)
    assert [value(path) for path in checkpoints(tmp_path)] == [10, 100]
    assert len(list(tmp_path.iterdir())) == 2


def test_what_was_written_last_is_kept_even_if_its_step_is_earlier(tmp_path):
    for step in (5, 10, 7):
        save(tmp_path, step, step, keep=1)
    assert [value(path) for path in checkpoints(tmp_path)] == [7]
    save(tmp_path, 3, 3, keep=2)
    assert [value(path) for path in checkpoints(tmp_path)] == [3, 7]


def test_a_checkpoint_is_replaced_without_a_moment_without_one(tmp_path, monkeypatch):
    save(tmp_path, 7, 1, keep=1)
    real, seen = os.rename, []

    def rename(*args):
        seen.append(len([p for p in tmp_path.iterdir() if (p / "state.json").exists() and (p / "model.safetensors").exists()]))
        real(*args)

    monkeypatch.setattr(os, "rename", rename)
    save(tmp_path, 7, 2, keep=1)
    assert min(seen) >= 1
    assert [value(path) for path in checkpoints(tmp_path)] == [2]


@pytest.mark.parametrize("place", [1, 2])
def test_a_replacement_that_fails_leaves_the_old_one(tmp_path, monkeypatch, place):
    save(tmp_path, 7, 1)
    real, calls = os.rename, []

    def rename(*args):
        calls.append(args)
        if len(calls) == place:
            raise OSError(28, "No space left on device")
        real(*args)

    monkeypatch.setattr(os, "rename", rename)
    with pytest.raises(UserError, match=r"step-000000007.*cannot be written.*No space"):
        save(tmp_path, 7, 2)
    assert [value(path) for path in checkpoints(tmp_path)] == [1]
    assert len(list(tmp_path.iterdir())) == 1


def test_what_a_killed_process_leaves_is_tidied(tmp_path):
    save(tmp_path, 3, 3)
    (tmp_path / ".tmp-000000009").mkdir()
    (tmp_path / ".tmp-000000009" / "model.safetensors").write_bytes(b"half")
    save(tmp_path / "aside", 6, 6)
    (tmp_path / "aside" / "step-000000006").rename(tmp_path / ".old-000000006")
    (tmp_path / "aside").rmdir()
    assert [value(path) for path in checkpoints(tmp_path)] == [3]
    tidy(tmp_path)
    assert [value(path) for path in checkpoints(tmp_path)] == [3, 6]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("file", ["model.safetensors", "average.safetensors", "optimizer-model.safetensors", "state.json"])
def test_a_damaged_checkpoint_is_named(tmp_path, file):
    train(small(tmp_path, Next(), steps=4, save_every=2))
    newest = checkpoints(tmp_path / "checkpoints")[-1]
    (newest / file).write_bytes((newest / file).read_bytes()[:-10])
    with pytest.raises(UserError, match=rf"step-000000004/{file}.*remove its folder to resume from an older one"):
        train(small(tmp_path, Next(), steps=6, save_every=2), resume=True)


def test_a_checkpoint_of_another_model_is_refused(tmp_path):
    train(small(tmp_path, Next(), steps=2))
    run = small(tmp_path, Next(), steps=4)
    run.model = nn.Linear(3, 3).double()
    with pytest.raises(UserError, match="step-000000002: this checkpoint is of another model"):
        train(run, resume=True)


def test_an_optimiser_comes_back():
    def made():
        torch.manual_seed(1)
        model = nn.Linear(2, 2)
        return model, torch.optim.AdamW(model.parameters(), lr=0.1, fused=True)

    def step(model, optimizer, seed):
        model(torch.randn(3, 2, generator=torch.Generator().manual_seed(seed))).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()

    (model, optimizer), (twin, second) = made(), made()
    names = [name for name, _ in model.named_parameters()]
    step(model, optimizer, 0)
    twin.load_state_dict(model.state_dict())
    unpack_optimizer(second, names, pack_optimizer(optimizer, names))
    step(model, optimizer, 1)
    step(twin, second, 1)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), twin.parameters(), strict=True))


def test_no_permission_is_said(tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=r"cannot be written \(Permission denied\)"):
        save(tmp_path, 1, 1)

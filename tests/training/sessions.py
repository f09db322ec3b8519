"""Training sessions in processes of their own, to be killed, interrupted and run side by side: `sessions.py MODE FOLDER`.

Every session is a fork of this process, so that torch is imported once; a child that is to die kills itself with the real
signal, at the moment its name says.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # the first optimiser would load it, in every fork anew
from torch import nn

from kinema import recipes
from kinema.core import Clip
from kinema.core.contracts import Context, Loss
from kinema.core.errors import UserError
from kinema.core.rng import torch_stream
from kinema.training import Run, Train, run, train


class Noise:
    """Clip i is four frames of noise of its own."""

    def __init__(self, length: int | None = None) -> None:
        self.length = length

    def __getitem__(self, index: int) -> Clip:
        rgb = torch.randint(256, (4, 3, 4, 4), generator=torch_stream("noise", index), dtype=torch.uint8)
        return Clip(rgb=rgb, fps=10.0)


class Next:
    """Squared error of the next frame's mean colour; the loss of clips in `poison` is NaN, or `factor` times too large."""

    def __init__(self, poison: tuple[int, ...] = (), factor: float = float("nan"), noise: float = 0.0) -> None:
        self.poison, self.factor, self.noise = poison, factor, noise

    def losses(self, model: nn.Module, batch: Clip, context: Context) -> Iterator[Loss]:
        colour = batch.rgb.double().mean((-1, -2))
        given = colour[:, :-1] + self.noise * torch.randn(colour[:, :-1].shape, generator=context.rng, dtype=torch.float64)
        loss = (model(given) - colour[:, 1:]).square().mean()
        if {clip["place"] for clip in batch.meta["clips"]} & set(self.poison):
            loss = loss * self.factor
        yield Loss(loss)


def small(out: Path, objective: Any, clips: Any = None, **settings: Any) -> Run:
    """A run of a two-layer network in double precision."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    config = Train(**{"steps": 12, "batch": 2, "lr": 1e-2, "warmup": 2, "save_every": 3, "log_every": 1, **settings})
    return Run(model=model, objective=objective, clips=clips or Noise(), config=config, out=out, quiet=True)


def whole_recipe(out: Path) -> Any:
    """The tiny recipe over ten steps, with dreams and a best checkpoint on the way."""
    stage = recipes.planar.tiny()
    stage = replace(stage, train=replace(stage.train, steps=10, save_every=3, probe_every=2))
    return run(stage, out, resume=(out / "stage.json").exists())


def poisoned(out: Path) -> Any:
    """A run in which two batches cannot be taken."""
    return train(small(out, Next(poison=(9, 15), noise=0.1), ema=0.9), resume=(out / "checkpoints").exists())


def child(session: Callable[[], Any], before: Callable[[], Any] = lambda: None) -> int:
    """Run a session in a fork; its exit status, negative for the signal that ended it."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 0
    try:
        before()
        session()
    except KeyboardInterrupt:
        status = 130
    except UserError as error:
        print(error, file=sys.stderr)
        status = 2
    finally:
        sys.stderr.flush()
        os._exit(status)


class Moments:
    """Ends the process by `number` before or after the n-th file operation or optimiser step of a kind."""

    def __init__(self, kind: str, n: int, number: int = signal.SIGKILL, *, after: bool = False) -> None:
        self.kind, self.left, self.number, self.after = kind, n, number, after

    def __call__(self) -> None:
        targets = {"rename": (os, "rename"), "fsync": (os, "fsync"), "rmtree": (shutil, "rmtree"), "step": (torch.optim.AdamW, "step")}
        owner, name = targets[self.kind]
        real = getattr(owner, name)

        def patched(*args: Any, **kwargs: Any) -> Any:
            self.left -= 1
            if self.left == 0 and not self.after:
                os.kill(os.getpid(), self.number)
            result = real(*args, **kwargs)
            if self.left == 0 and self.after:
                os.kill(os.getpid(), self.number)
            return result

        setattr(owner, name, patched)


MOMENTS = {
    "first checkpoint half written": ("fsync", 2, False),
    "before a step": ("step", 5, False),
    "after a step": ("step", 6, True),
    "best checkpoint not yet in place": ("rename", 2, False),
    "checkpoint not yet in place": ("rename", 3, False),
    "checkpoint just in place": ("rename", 3, True),
    "old checkpoint being removed": ("rename", 5, True),
    "old checkpoint about to be deleted": ("rmtree", 5, False),
}


def kills(folder: Path) -> None:
    """An uninterrupted recipe, and one killed at every moment of the table and resumed."""
    assert child(lambda: whole_recipe(folder / "whole")) == 0
    for place, (kind, n, after) in enumerate(MOMENTS.values()):
        out = folder / f"killed-{place}"
        assert child(lambda out=out: whole_recipe(out), Moments(kind, n, after=after)) == -signal.SIGKILL, place
        assert child(lambda out=out: whole_recipe(out)) == 0, place


def hammer(folder: Path) -> None:
    """A recipe killed again and again from outside, whatever it is doing, with a little more time at every try."""
    patience, out = 0.05, folder / "hammered"
    for _ in range(40):
        pid = os.fork()
        if not pid:
            try:
                whole_recipe(out)
            except UserError as error:
                print(error, file=sys.stderr)
                os._exit(2)
            os._exit(0)
        time.sleep(patience)
        os.kill(pid, signal.SIGKILL)
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert status in (0, -signal.SIGKILL), status
        if status == 0:
            return
        patience *= 1.25
    raise SystemExit("the run never ended")


def interrupts(folder: Path) -> None:
    """Ctrl-C and SIGTERM in the middle, each followed by a resumed run."""
    for number in (signal.SIGINT, signal.SIGTERM):
        out = folder / f"interrupted-{int(number)}"
        assert child(lambda out=out: whole_recipe(out), Moments("step", 5, number)) == 130
        assert child(lambda out=out: whole_recipe(out)) == 0


def poison(folder: Path) -> None:
    """A run with two roll-backs: uninterrupted, killed at several moments, interrupted."""
    assert child(lambda: poisoned(folder / "poisoned")) == 0
    for n in (4, 6, 8, 10):
        out = folder / f"poisoned-{n}"
        assert child(lambda out=out: poisoned(out), Moments("step", n)) == -signal.SIGKILL
        assert child(lambda out=out: poisoned(out)) == 0
    out = folder / "poisoned-interrupted"
    assert child(lambda: poisoned(out), Moments("step", 6, signal.SIGINT)) == 130
    assert child(lambda: poisoned(out)) == 0


def together(session: Callable[[int], Any], count: int = 2) -> None:
    """The same session in `count` processes that speak through gloo."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    pids = []
    for rank in range(count):
        pid = os.fork()
        if pid:
            pids.append(pid)
            continue
        places = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count, "MASTER_PORT": port}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", **{key: str(value) for key, value in places.items()}}
        status = 1
        try:
            session(rank)
            torch.distributed.destroy_process_group()
            status = 0
        except KeyboardInterrupt:
            status = 130
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)
    codes = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]
    assert codes == [0] * count or codes == [130] * count, codes


def ranks(folder: Path) -> None:
    """Two processes: the small network, the recipe, and an interruption that only one of them hears."""

    def report(rank: int, model: nn.Module, name: str) -> None:
        norms = {key: value.double().sum().item() for key, value in model.state_dict().items()}
        (folder / f"{name}-{rank}.json").write_text(json.dumps(norms))

    def network(rank: int) -> None:
        time.sleep(0.3 * rank)  # the first process must not run ahead
        made = small(folder / "ranks", Next(), Noise(31))
        report(rank, train(made), "network")

    def recipe(rank: int) -> None:
        if rank:
            refuse_writing()
        report(rank, train_model(whole_recipe(folder / "recipe")), "recipe")

    def heard(rank: int) -> None:
        if rank:
            Moments("step", 5, signal.SIGINT)()
        train(small(folder / "heard", Next(), Noise(31)))

    def resumed(rank: int) -> None:
        train(small(folder / "heard", Next(), Noise(31)), resume=True)

    for session in (network, recipe, heard, resumed):
        together(session)


def refuse_writing() -> None:
    """Nothing of this process may be written from now on."""

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("a process that is not the first one writes")

    os.rename = os.replace = os.fsync = refuse  # type: ignore[assignment]


def train_model(folder: Path) -> nn.Module:
    """The network of a model folder."""
    from kinema import WorldModel

    return WorldModel.from_pretrained(folder).network


if __name__ == "__main__":
    torch.set_num_threads(1)
    {"kills": kills, "hammer": hammer, "interrupts": interrupts, "poison": poison, "ranks": ranks}[sys.argv[1]](Path(sys.argv[2]))

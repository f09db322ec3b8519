"""Studies in processes of their own, to be killed and started again: `sessions.py FOLDER`."""

from __future__ import annotations

import importlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch._dynamo  # the first optimiser would load it, in every fork anew

from kinema import studies
from kinema.studies import STUDIES, Budget, Store, evaluate, found, run, write_page
from kinema.studies.run import Clock

BUDGET = Budget(size=("toy",), num=4, steps=3, videos=(4,))
POINT = "one direction"
CLOCK = Clock()


def study(out: Path, page: bool = False) -> None:
    """One point of the study of memory, and its page if asked; rows are written two clips at a time."""
    evaluate.PART = 2
    memory = STUDIES["memory"]
    store = Store.open(out)
    run(studies.choose(memory.plan(BUDGET), [POINT]), store, CLOCK)
    if page:
        write_page(memory, found(memory, BUDGET, store), out / "page")


def load_all() -> None:
    """Import what a study imports when it needs it, once for all forks."""
    with torch.random.fork_rng(devices=[]):
        studies.plan(STUDIES["memory"].plan(BUDGET)[:1], Store(Path("/nowhere")), CLOCK)
    importlib.import_module("matplotlib.backends.backend_svg")
    importlib.import_module("matplotlib.figure")


def child(session: Callable[[], Any], before: Callable[[], Any] = lambda: None) -> int:
    """Run a session in a fork; its exit status, negative for the signal that ended it."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    status = 1
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a suite that runs in the background has it ignored
    try:
        before()
        session()
        status = 0
    except KeyboardInterrupt as stop:
        print(stop, file=sys.stderr)
        status = 130
    finally:
        sys.stderr.flush()
        os._exit(status)


class Moment:
    """Ends the process by `number` before or after a file operation on a path of some name, or an optimiser step (any name)."""

    def __init__(self, kind: str, name: str, number: int = signal.SIGKILL, *, after: bool = False) -> None:
        self.kind, self.name, self.number, self.after = kind, name, number, after

    def __call__(self) -> None:
        owner: Any = {"replace": os, "rename": os, "rmtree": shutil, "step": torch.optim.AdamW}[self.kind]
        real = getattr(owner, self.kind)

        def patched(*args: Any, **kwargs: Any) -> Any:
            named = self.kind == "step" or any(Path(str(a)).name == self.name for a in args)
            if named and not self.after:
                os.kill(os.getpid(), self.number)
            result = real(*args, **kwargs)
            if named and self.after:
                os.kill(os.getpid(), self.number)
            return result

        setattr(owner, self.kind, patched)


MOMENTS = {
    "the folder is not yet a study's": Moment("replace", "study.json"),
    "the stage is not yet written": Moment("replace", "stage.json"),
    "in training": Moment("step", ""),
    "the model is not yet in place": Moment("rename", "model"),
    "the model is just in place": Moment("rename", "model", after=True),
    "checkpoints are about to go": Moment("rmtree", "checkpoints"),
    "first clips are judged": Moment("replace", "part-000000000.csv", after=True),
    "half of the clips are judged": Moment("replace", "part-000000002.csv"),
    "rows are not yet whole": Moment("replace", "rows.csv"),
    "rows are just whole": Moment("replace", "rows.csv", after=True),
    "the page is not yet written": Moment("replace", "report.html"),
}


def kills(folder: Path) -> None:
    """An uninterrupted study, and one killed at every moment and started again."""
    assert child(lambda: study(folder / "whole", page=True)) == 0
    for place, (name, moment) in enumerate(MOMENTS.items()):
        out = folder / f"killed-{place:02d}"
        page = "page" in name
        assert child(lambda out=out, page=page: study(out, page), moment) == -signal.SIGKILL, name
        assert child(lambda out=out, page=page: study(out, page)) == 0, name


def interrupt(folder: Path) -> None:
    """Ctrl-C in training and between two files, then the same again."""
    for name in ("in training", "first clips are judged"):
        moment, out = MOMENTS[name], folder / f"interrupted-{name.split()[0]}"
        assert child(lambda out=out: study(out), Moment(moment.kind, moment.name, signal.SIGINT, after=moment.after)) == 130
        assert child(lambda out=out: study(out)) == 0


def together(folder: Path) -> None:
    """Two processes on one point: the second waits, and both find it done."""
    pid = os.fork()
    if not pid:
        os._exit(child(lambda: study(folder / "together")))
    assert child(lambda: study(folder / "together")) == 0
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    load_all()
    for session in (kills, interrupt, together):
        print(f"=== {session.__name__}", file=sys.stderr, flush=True)
        session(Path(sys.argv[1]))

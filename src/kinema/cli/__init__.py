"""The `kinema` command: a table of commands, each in a module of its own that is imported when it is asked for."""

from __future__ import annotations

import errno
import importlib
import inspect
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

COMMANDS: dict[str, str] = {
    "demo": "the tour: simulate, dream, judge, report",
    "simulate": "simulate a scenario into a dataset folder",
    "data": "look at a dataset, check it, write it for others",
    "train": "train a recipe",
    "dream": "let a world model dream: from a picture, a video, a scenario, words or actions",
    "edit": "let a world model dream a part of a video anew",
    "score": "judge videos against the truth or the law",
    "rate": "ask people whether videos break a physical law",
    "bench": "run a benchmark on a world model or a folder of videos",
    "show": "what a recipe is made of",
    "cite": "the sources of a recipe",
    "weights": "the weights kinema knows, and getting them",
    "doctor": "what works on this machine, and what to do about the rest",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; the exit status: 0 done, 1 a check failed, 2 a user's mistake, 130 interrupted.

    A module `kinema.cli.NAME` holds a function `main`, or a table `VERBS` of functions; tyro turns their typed arguments
    into flags. A mistake ends in one sentence; KINEMA_TRACEBACK=1 shows where it was raised.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        status = _dispatch(arguments)
        sys.stdout.flush()
        return status
    except BaseException as error:  # whatever ends a command must end it in a sentence
        if os.environ.get("KINEMA_TRACEBACK"):
            raise
        return _end(error)


def _dispatch(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_table("kinema COMMAND [--help]", "Video world models that obey physics.", COMMANDS))
        return 0
    name, *rest = arguments
    if name in ("-V", "--version"):
        from .. import __version__

        print(f"kinema {__version__}")
        return 0
    if name not in COMMANDS:
        return _say(f"unknown command {name!r}{_closest(name, COMMANDS)}; the commands are {', '.join(COMMANDS)}", 2)
    module = importlib.import_module(f"{__name__}.{name}")
    verbs: Mapping[str, Callable[..., Any]] | None = getattr(module, "VERBS", None)
    if verbs is None:
        return _call(module.main, rest, f"kinema {name}")
    if not rest or rest[0] in ("-h", "--help", "help"):
        lines = {verb: (inspect.getdoc(function) or "").partition("\n")[0] for verb, function in verbs.items()}
        print(_table(f"kinema {name} VERB [--help]", COMMANDS[name].capitalize() + ".", lines))
        return 0
    verb, *rest = rest
    if verb not in verbs:
        return _say(f"kinema {name} has no verb {verb!r}{_closest(verb, verbs)}; it has {', '.join(verbs)}", 2)
    if hasattr(module, "variant"):
        function, rest = module.variant(verb, rest)
        return _call(function, rest, f"kinema {name} {verb}")
    return _call(verbs[verb], rest, f"kinema {name} {verb}")


def _call(function: Callable[..., Any], arguments: list[str], program: str) -> int:
    import tyro

    status = tyro.cli(function, args=arguments, prog=program, config=(tyro.conf.FlagCreatePairsOff,))
    return status if isinstance(status, int) else 0


def _table(usage: str, about: str, lines: Mapping[str, str]) -> str:
    width = max(map(len, lines)) + 3
    return "\n".join([f"usage: {usage}", "", about, "", *(f"  {name:<{width}}{line}" for name, line in lines.items())])


def _closest(name: str, names: Mapping[str, Any]) -> str:
    import difflib

    close = difflib.get_close_matches(name, names, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def _end(error: BaseException) -> int:
    """Say in a sentence what ended the command; its exit status."""
    from ..core.errors import UserError  # not at the top: it brings torch, which the list of commands does without

    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else int(error.code is not None)
    if isinstance(error, BrokenPipeError):
        # Whoever read the output is gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    if isinstance(error, KeyboardInterrupt):
        return _say(str(error) or "interrupted", 130)
    if isinstance(error, UserError):
        return _say(str(error), 2)
    if isinstance(error, OSError) and error.errno in _REASONS:
        return _say(f"{error.filename or 'a file'}: {_REASONS[error.errno]}", 2)
    # torch raises a plain RuntimeError where a CPU has no memory left.
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or "can't allocate memory" in str(error):
        return _say("the memory is used up: ask for fewer or smaller clips at a time", 2)
    raise error


_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.EROFS: "the file system is read-only",
    errno.ENOENT: "there is no such file or folder",
    errno.EISDIR: "is a folder, a file was expected",
    errno.ENOTDIR: "is a file, a folder was expected",
    errno.EMFILE: "too many files are open",
}


def _say(sentence: str, status: int) -> int:
    print(f"kinema: {sentence}", file=sys.stderr)
    return status

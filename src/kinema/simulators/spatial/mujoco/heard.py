"""What MuJoCo says: its warnings and errors, none of which reaches its log file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..run import Failed


@contextmanager
def heard() -> Iterator[list[str]]:
    """The warnings that MuJoCo gives meanwhile; left to itself it writes them to MUJOCO_LOG.TXT where the user is.

    Raises Failed, in MuJoCo's words, where it stops with an error.
    """
    import mujoco

    words: list[str] = []
    before = mujoco.get_mju_user_warning()
    mujoco.set_mju_user_warning(words.append)
    try:
        yield words
    except mujoco.FatalError as error:
        raise Failed(f"MuJoCo gives up: {plain(str(error))}") from None
    finally:
        mujoco.set_mju_user_warning(before)


def plain(words: str) -> str:
    """MuJoCo's words on one line."""
    return " ".join(words.split()).rstrip(".")

"""What MuJoCo says: its warnings and errors, none of which reaches its log file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..run import Failed

# MuJoCo's solver of cloth and balloons often ends a step at residuals of 1e-5 to 1e-3 and warns of it; the laws hold well at that
# (tests/simulators/spatial/test_flex_laws.py), and what cannot be carried is refused before the run (`stiffness`). It reports it a
# second time as the next.
SHORT, SINGULAR = "Flex stiffness is too ill-conditioned", "Inertia matrix is too close to singular, or the effective-metric"


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


def faults(words: list[str]) -> list[str]:
    """Those warnings that make a run worthless: all but that a flex's solver stopped a little short."""
    short = any(word.startswith(SHORT) for word in words)
    return [word for word in words if not (short and word.startswith((SHORT, SINGULAR)))]


def plain(words: str) -> str:
    """MuJoCo's words on one line."""
    return " ".join(words.split()).rstrip(".")

"""What to say where the engines of spatial worlds are not installed."""

from __future__ import annotations

from ...core.errors import UserError


def missing(error: ModuleNotFoundError) -> Exception:
    """What to say where an engine is not installed."""
    if error.name and error.name.partition(".")[0] in ("mujoco", "newton", "warp"):
        return UserError(f"spatial worlds need {error.name}: pip install 'kinema[spatial]'")
    return error

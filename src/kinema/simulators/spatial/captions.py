"""A caption written from what happens in a run."""

from __future__ import annotations

from .run import Run
from .scene import Scene


def caption(scene: Scene, run: Run) -> str:
    """The scene's opening sentence, then what the agent does to the patient."""
    return scene.text

"""The processes of a run: how many there are, and which one writes."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import PartialState


def processes() -> Any:
    """accelerate's account of the processes that run this program; torchrun starts several."""
    return PartialState(cpu=not torch.cuda.is_available())

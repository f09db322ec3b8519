"""Scores of possible/impossible pairs: does a model find what cannot be more surprising?"""

from __future__ import annotations

import torch
from torch import Tensor

from ..core.errors import UserError


def relative_accuracy(possible: Tensor, impossible: Tensor) -> float:
    """The share of pairs whose possible clip surprises less; ties are wrong, and so is a surprise that is no number.

    `possible` and `impossible` [n] hold the surprise (any scale, more is more surprising) at the two clips of each pair.
    0.5 is chance. IntPhys (Riochet et al. 2021), strict as in Garrido et al. 2025. Raises UserError where the two do not
    pair up.

    >>> relative_accuracy(torch.tensor([0.1, 0.5, 0.3]), torch.tensor([0.2, 0.5, 0.9]))
    0.6666666666666666
    """
    possible, impossible = torch.as_tensor(possible), torch.as_tensor(impossible)
    if possible.ndim != 1 or possible.shape != impossible.shape or not len(possible):
        shapes = f"{list(possible.shape)} and {list(impossible.shape)}"
        raise UserError(f"relative accuracy takes one surprise for each clip of each pair, two lists of the same length; got {shapes}")
    return int((possible < impossible).sum()) / len(possible)

"""PhyWorld's studies: plans of models to train and clips to ask them about, tables and figures beside the paper's, its claims checked."""

from __future__ import annotations

from .ambiguity import AMBIGUITY
from .attributes import ATTRIBUTES
from .budget import Budget
from .composition import COMPOSITION
from .conditioning import CONDITIONING
from .events import Events
from .fates import Fates
from .found import Found
from .gaps import GAPS
from .holes import HOLES
from .judges import Judge, Motion, SetJudge
from .kept import Kept
from .memory import MEMORY_STUDY
from .page import Drawing, Sheet, write_index, write_page
from .pictures import Pictures
from .rows import Row, Rows, difference
from .run import choose, found, plan, run
from .scaling import SCALING
from .store import Store
from .study import Finding, Point, Study, Test
from .templates import TEMPLATES

STUDIES: dict[str, Study] = {
    study.name: study
    for study in (SCALING, GAPS, HOLES, MEMORY_STUDY, ATTRIBUTES, COMPOSITION, CONDITIONING, AMBIGUITY, TEMPLATES)
}

__all__ = [
    "STUDIES", "Budget", "Drawing", "Events", "Fates", "Finding", "Found", "Judge", "Kept", "Motion", "Pictures", "Point", "Row", "Rows",
    "SetJudge", "Sheet", "Store", "Study", "Test", "choose", "difference", "found", "plan", "run", "write_index", "write_page",
]  # fmt: skip

"""Benchmarks: a world model, or a folder of anybody's videos, beside yardsticks; tables with intervals and a report to look at."""

from __future__ import annotations

from .baselines import repeat_last, textbook
from .demo import Demo
from .findings import Findings
from .output import write_result
from .phyre import Phyre
from .phyworld import RESERVED_SEEDS, PhyWorld
from .prompted import Prompted
from .ratings import Item, Ratings, items_of, read_ratings, write_sheet
from .report import write_report
from .result import Result, Scene
from .score import score
from .sets import Sets
from .systems import Folder, Model
from .table import Benchmark, Figure, Sample, Table, bootstrap

__all__ = [
    "RESERVED_SEEDS", "Benchmark", "Demo", "Figure", "Findings", "Folder", "Item", "Model", "PhyWorld", "Phyre", "Prompted",
    "Ratings", "Result", "Sample", "Scene", "Sets", "Table", "bootstrap", "items_of", "read_ratings", "repeat_last", "score",
    "textbook", "write_report", "write_result", "write_sheet",
]  # fmt: skip

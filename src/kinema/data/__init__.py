"""Where Clips come from: simulated on the fly, dataset folders, folders of videos; and how dataset folders are made and checked."""

from .dataset import Dataset, Fitted, Mixture, Only, Prompted, Simulated, Subset, split
from .export import to_phyworld
from .file import PublishedFile
from .folder import Shards, Videos, open_dataset
from .generate import Job, generate
from .phyre import PhyreFile
from .phyworld import PhyWorldFile

__all__ = [
    "Dataset", "Fitted", "Job", "Mixture", "Only", "PhyWorldFile", "PhyreFile", "Prompted", "PublishedFile", "Shards", "Simulated",
    "Subset", "Videos",
    "generate", "open_dataset", "split", "to_phyworld",
]  # fmt: skip

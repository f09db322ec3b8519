"""Where Clips come from: simulated on the fly, dataset folders, folders of videos; and how dataset folders are made and checked."""

from .dataset import Dataset, Fitted, Mixture, Simulated, Subset, split
from .folder import Shards, Videos, open_dataset
from .generate import Job, generate

__all__ = ["Dataset", "Fitted", "Job", "Mixture", "Shards", "Simulated", "Subset", "Videos", "generate", "open_dataset", "split"]

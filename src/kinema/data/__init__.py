"""Where Clips come from: simulated on the fly, dataset folders, folders of videos; and how dataset folders are made and checked."""

from .curate import Curation, curate
from .dataset import Dataset, Mixture, Only, Prompted, Simulated, Subset, split
from .export import to_phyworld
from .file import PublishedFile
from .fitted import Fitted
from .folder import Shards, Videos, open_dataset
from .generate import Job, generate
from .joined import Joined
from .nuscenes import NuScenes
from .phyre import PhyreFile
from .phyworld import PhyWorldFile
from .recorded import Recorded
from .stills import Stills

__all__ = [
    "Curation", "Dataset", "Fitted", "Job", "Joined", "Mixture", "NuScenes", "Only", "PhyWorldFile", "PhyreFile", "Prompted",
    "PublishedFile", "Recorded", "Shards", "Simulated", "Stills", "Subset", "Videos",
    "curate", "generate", "open_dataset", "split", "to_phyworld",
]  # fmt: skip

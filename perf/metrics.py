"""Clips per second through FVD's features and LPIPS, beside the public packages on the same clips in the same run.

FVD: `metrics.FVD(experts.I3D(), convention="cd-fvd")` beside cd-fvd 0.1.1 (resizing, the PyTorch port of I3D, running
sums), LPIPS: `metrics.LPIPS` beside lpips 0.1.4. Both sides hold the same real weights, and must give the same figures:
the epsilon of cd-fvd's batch norms is set to that of the network as trained (1e-3; as released it is 1e-5, which moves
features by about a thousandth). One thread.

The packages are not dependencies. They are read from a folder, which this makes:

    pip install --no-deps --target peers lpips==0.1.4 cd-fvd==0.1.1
    python -m perf.metrics peers

lpips asks torchvision for AlexNet's layers alone; where torchvision is absent, a stand-in gives it these. Targets: at
least as fast.
"""

from __future__ import annotations

import importlib.util
import sys
import tempfile
import time
import types
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn

from kinema.core import Clip
from kinema.core.registry import load
from kinema.experts import I3D
from kinema.metrics import FVD, LPIPS
from kinema.simulators import make, scenario
from perf.record import record

SIZE, FRAMES, CLIPS, ROUNDS = 128, 16, 6, 5


def peer(folder: Path, package: str, file: str) -> Any:
    """One file of a package, without what the rest of it imports."""
    path = folder / file
    if not path.exists():
        sys.exit(f"{path} is not there: pip install --no-deps --target {folder} lpips==0.1.4 cd-fvd==0.1.1")
    spec = importlib.util.spec_from_file_location(package, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[package] = module
    spec.loader.exec_module(module)
    return module


def stand_in(*names: str, **holds: Any) -> None:
    """Modules of these names, a package and what is in it, where the first is not installed; the last one holds what is given."""
    if importlib.util.find_spec(names[0]) is not None:
        return
    for name in names:
        sys.modules[name] = types.ModuleType(name)
        outer, _, inner = name.rpartition(".")
        if outer:
            vars(sys.modules[outer])[inner] = sys.modules[name]
    vars(sys.modules[names[-1]]).update(holds)


def alexnet(pretrained: bool = False, weights: Any = None) -> nn.Module:
    """AlexNet's convolutional layers, as torchvision has them."""
    del pretrained, weights
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(True), nn.MaxPool2d(3, 2), nn.Conv2d(64, 192, 5, 1, 2), nn.ReLU(True)]
    layers += [nn.MaxPool2d(3, 2), nn.Conv2d(192, 384, 3, 1, 1), nn.ReLU(True), nn.Conv2d(384, 256, 3, 1, 1), nn.ReLU(True)]
    layers += [nn.Conv2d(256, 256, 3, 1, 1), nn.ReLU(True), nn.MaxPool2d(3, 2)]
    holder = nn.Module()
    holder.features = nn.Sequential(*layers)
    holder.features.load_state_dict({k.removeprefix("features."): v for k, v in load("lpips-alex").items() if k.startswith("features.")})
    return holder


def their_fvd(folder: Path) -> Callable[[list[Clip], list[Clip]], float]:
    """cd-fvd's I3D distance of two sets of clips, as its `compute_fvd` goes about it."""
    stand_in("requests")
    port = peer(folder, "cdfvd_port", "cdfvd/third_party/i3d/pytorch_i3d.py")
    sys.modules["peers_i3d"] = types.ModuleType("peers_i3d")
    sys.modules["peers_i3d"].__path__ = []  # type: ignore[attr-defined]
    sys.modules["peers_i3d.pytorch_i3d"] = port
    vars(sys.modules["peers_i3d"])["pytorch_i3d"] = port
    utils = peer(folder, "peers_i3d.utils", "cdfvd/third_party/i3d/utils.py")
    sums = peer(folder, "cdfvd_sums", "cdfvd/utils/metric_utils.py")
    with tempfile.NamedTemporaryFile(suffix=".pt") as file:
        torch.save(load("i3d-kinetics400"), file.name)
        network = utils.load_i3d_model(torch.device("cpu"), file.name)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.eps = 1e-3

    def stats(clips: list[Clip]) -> Any:
        videos = np.stack([c.rgb.permute(0, 2, 3, 1).numpy() for c in clips])
        found = sums.FeatureStats(capture_mean_cov=True)
        for first in range(0, len(videos), 16):
            with torch.no_grad():
                found.append_torch(network(utils.preprocess_i3d(videos[first : first + 16])), num_gpus=1, rank=0)
        return found

    def distance(dreams: list[Clip], truths: list[Clip]) -> float:
        (m, s), (n, t) = (stats(clips).get_mean_cov() for clips in (truths, dreams))
        return float(np.real(np.square(m - n).sum() + np.trace(s + t - 2 * sqrtm(s @ t))))

    return distance


def our_fvd(dreams: list[Clip], truths: list[Clip]) -> float:
    metric = FVD(I3D(), convention="cd-fvd")
    metric.update(dreams, truths)
    return metric.compute()


def their_lpips(folder: Path) -> Callable[[list[Clip], list[Clip]], Tensor]:
    """Mean over frames of the package's LPIPS, one clip at a time, as its users do."""
    stand_in("torchvision", "torchvision.models", alexnet=alexnet)
    sys.path.append(str(folder))
    import lpips

    network = lpips.LPIPS(net="alex", verbose=False)

    def distance(dreams: list[Clip], truths: list[Clip]) -> Tensor:
        with torch.no_grad():
            pairs = ((2 * c.rgb.float() / 255 - 1 for c in pair) for pair in zip(dreams, truths, strict=True))
            return torch.stack([network(x, y).mean() for x, y in pairs])

    return distance


def our_lpips(dreams: list[Clip], truths: list[Clip]) -> Tensor:
    return torch.cat([LPIPS(first_frame=0)(d, t) for d, t in zip(dreams, truths, strict=True)])


def clips(seed: int) -> list[Clip]:
    world = scenario("phyre", size=SIZE, num_frames=FRAMES)
    return [make(world, seed, i, ("rgb",)) for i in range(CLIPS)]


def timed(run: Callable[..., Any], *given: Any) -> tuple[float, Any]:
    began = time.perf_counter()
    found = run(*given)
    return time.perf_counter() - began, found


def main() -> None:
    if len(sys.argv) != 2:
        sys.exit("usage: python -m perf.metrics FOLDER, where lpips and cd-fvd were installed to")
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    dreams, truths = clips(1), clips(2)
    rows = []
    for name, ours, theirs, count, tolerance in (
        ("FVD (cd-fvd 0.1.1)", our_fvd, their_fvd(folder), 2 * CLIPS, 1e-3),
        ("LPIPS (lpips 0.1.4)", our_lpips, their_lpips(folder), CLIPS, 1e-4),
    ):
        a, b = (torch.as_tensor(f(dreams, truths)) for f in (ours, theirs))  # a round to warm up, and to compare
        assert torch.allclose(a.double(), b.double(), rtol=tolerance), f"{name}: {a} against {b}"
        times = [(timed(ours, dreams, truths)[0], timed(theirs, dreams, truths)[0]) for _ in range(ROUNDS)]
        rows.append({
            "metric": name, "ours, clips/s": count / median(t for t, _ in times), "package, clips/s": count / median(t for _, t in times),
            "ratio": median(t / o for o, t in times), "ours": float(a.double().mean()), "package": float(b.double().mean()),
        })  # fmt: skip
    note = f"clips of {FRAMES} x {SIZE} x {SIZE} px, one core, medians of {ROUNDS} interleaved rounds; target ratio 1"
    record("metrics", rows, note)


if __name__ == "__main__":
    main()

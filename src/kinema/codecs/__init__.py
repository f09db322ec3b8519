"""Codecs: Clip <-> latents."""

from .mosaic import Mosaic, MosaicCodec
from .pixels import PixelCodec, Pixels
from .pretrained import FrozenVQ, PretrainedVQ
from .quantise import FSQ, Codebook, EMACodebook, Grid, Quantised
from .vae import VAE, VideoVAE
from .vq import VQ, FrameVQ

CODECS = {"vae": VAE, "pixels": Pixels, "vq": VQ, "mosaic": Mosaic}

__all__ = [
    "CODECS", "FSQ", "VAE", "VQ", "Codebook", "EMACodebook", "FrameVQ", "FrozenVQ", "Grid", "Mosaic", "MosaicCodec", "PixelCodec",
    "Pixels", "PretrainedVQ", "Quantised", "VideoVAE",
]  # fmt: skip

"""Codecs: Clip <-> latents."""

from .pixels import PixelCodec, Pixels
from .pretrained import FrozenVQ, PretrainedVQ
from .quantise import FSQ, Codebook, EMACodebook, Grid, Quantised
from .vae import VAE, VideoVAE
from .vq import VQ, FrameVQ

CODECS = {"vae": VAE, "pixels": Pixels, "vq": VQ}

__all__ = [
    "CODECS", "FSQ", "VAE", "VQ", "Codebook", "EMACodebook", "FrameVQ", "FrozenVQ", "Grid", "PixelCodec", "Pixels", "PretrainedVQ",
    "Quantised", "VideoVAE",
]  # fmt: skip

"""Codecs: Clip <-> latents."""

from .pixels import PixelCodec, Pixels
from .vae import VAE, VideoVAE

CODECS = {"vae": VAE, "pixels": Pixels}

__all__ = ["CODECS", "VAE", "PixelCodec", "Pixels", "VideoVAE"]

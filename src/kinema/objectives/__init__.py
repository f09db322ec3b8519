"""Objectives: what is learnt."""

from .denoise import Denoise, Encoded
from .reconstruct import Reconstruct, Reconstruction
from .times import HighNoise, LogitNormal, UniformTimes

__all__ = ["Denoise", "Encoded", "HighNoise", "LogitNormal", "Reconstruct", "Reconstruction", "UniformTimes"]

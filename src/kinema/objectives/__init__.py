"""Objectives: what is learnt."""

from .reconstruct import Reconstruct, Reconstruction

__all__ = ["Reconstruct", "Reconstruction"]

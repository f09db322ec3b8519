"""MuJoCo: rigid and articulated bodies, cloth, soft bodies, ropes, balloons, wind."""

from .loop import simulate

__all__ = ["simulate"]

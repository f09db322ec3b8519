"""Physion's eight scenarios: does the agent touch the patient?"""

from .drop import Drop

__all__ = ["Drop"]

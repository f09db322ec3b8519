"""Phys4D's nine categories of matter, each in several base scenes."""

__all__: list[str] = []

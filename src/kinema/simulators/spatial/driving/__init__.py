"""A road seen from a car that is driven."""

__all__: list[str] = []

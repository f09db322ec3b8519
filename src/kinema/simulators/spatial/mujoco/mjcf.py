"""Writing MuJoCo's XML."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement


def child(parent: Element, tag: str, /, **attributes: str) -> Element:
    """A new element in `parent`."""
    return SubElement(parent, tag, dict(attributes))


def text(values: Iterable[float]) -> str:
    """Numbers as an XML attribute."""
    return " ".join(repr(float(value)) for value in values)

"""A scene as MuJoCo's model."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

from ..bodies import Rigid
from ..scene import Scene
from ..shapes import Box, Capsule, Cylinder, Hull, Solid, Sphere, pieces

Element = ElementTree.Element


def model(scene: Scene, step: float) -> Any:
    """The MjModel of a scene with steps of `step` s."""
    import mujoco

    root = Element("mujoco")
    ElementTree.SubElement(root, "compiler", angle="radian", autolimits="true")
    option = ElementTree.SubElement(root, "option", timestep=repr(step), gravity=text(scene.gravity), cone="elliptic", integrator="implicitfast")
    ElementTree.SubElement(option, "flag", energy="enable")
    world = ElementTree.SubElement(root, "worldbody")
    if scene.floor is not None:
        ElementTree.SubElement(world, "geom", name="floor", type="plane", size="0 0 .1", friction=f"{scene.floor.friction} .005 .0001")
    for body in scene.bodies:
        if isinstance(body, Rigid):
            rigid(root, world, body)
    return mujoco.MjModel.from_xml_string(ElementTree.tostring(root, encoding="unicode"))


def rigid(root: Element, world: Element, body: Rigid) -> None:
    """Add a rigid body."""
    element = ElementTree.SubElement(world, "body", name=body.name, pos=text(body.position), quat=text(body.rotation))
    if not body.fixed:
        ElementTree.SubElement(element, "freejoint")
    for k, placed in enumerate(pieces(body.shape)):
        attributes = geom(root, f"{body.name}/{k}", placed.solid)
        ElementTree.SubElement(
            element, "geom", name=f"{body.name}/{k}", pos=text(placed.position), quat=text(placed.rotation),
            friction=f"{body.property_of('friction')} .005 .0001", density=repr(body.property_of("density")), **attributes,
        )  # fmt: skip


def geom(root: Element, name: str, solid: Solid) -> dict[str, str]:
    """A solid as the attributes of a geom; a hull's mesh is added to the assets."""
    if isinstance(solid, Sphere):
        return {"type": "sphere", "size": repr(solid.radius)}
    if isinstance(solid, Box):
        return {"type": "box", "size": text(tuple(x / 2 for x in solid.size))}
    if isinstance(solid, Capsule | Cylinder):
        return {"type": type(solid).__name__.lower(), "size": text((solid.radius, solid.length / 2))}
    assert isinstance(solid, Hull)
    asset = root.find("asset")
    asset = ElementTree.SubElement(root, "asset") if asset is None else asset
    ElementTree.SubElement(asset, "mesh", name=name, vertex=text(tuple(x for point in solid.points for x in point)))
    return {"type": "mesh", "mesh": name}


def text(values: tuple[float, ...]) -> str:
    """Numbers as an XML attribute."""
    return " ".join(repr(float(value)) for value in values)

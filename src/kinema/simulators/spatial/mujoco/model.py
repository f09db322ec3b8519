"""A scene as MuJoCo's model."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from ..run import Failed
from ..scene import Scene
from .heard import heard, plain
from .kinds import kinds
from .mjcf import text as text  # also for those who write MuJoCo's XML in full
from .pairs import add_pairs

FLOOR = "/floor"  # no body's name has a slash
MEMORY = "256M"  # for contacts and their forces


def longest_step(scene: Scene) -> float:
    """The longest step in s that every body of a scene, and the scene itself, allows."""
    steps = [module.settings([scene.bodies[k] for k in places], scene).step for module, places in kinds(scene)]
    return min(steps) if scene.step is None else min(*steps, scene.step)


def model(scene: Scene, step: float) -> Any:
    """The MjModel of a scene with steps of `step` s. Raises Failed where MuJoCo refuses it."""
    import mujoco

    root = Element("mujoco")
    SubElement(root, "compiler", angle="radian", autolimits="true")
    SubElement(root, "size", memory=MEMORY)
    # At MuJoCo's own tolerance the solver now and then stops at forces that do not belong to its accelerations.
    option = SubElement(root, "option", timestep=repr(float(step)), gravity=text(scene.gravity), integrator="Euler")
    option.attrib.update(cone="elliptic", tolerance="1e-14")
    SubElement(option, "flag", autoreset="disable")
    world = SubElement(root, "worldbody")
    if scene.floor is not None:
        SubElement(world, "geom", name=FLOOR, type="plane", size="0 0 .1", friction=f"{scene.floor.friction} .005 .0001", conaffinity="0")
    for module, places in kinds(scene):
        option.attrib.update(module.settings([scene.bodies[k] for k in places], scene).option)
        for k in places:
            module.add(root, world, scene.bodies[k], scene)
    add_pairs(root, scene, step)
    try:
        with heard():  # what it has to say of a model that it takes is no fault of the scene's
            spec = mujoco.MjSpec.from_string(ElementTree.tostring(root, encoding="unicode"))
            for flex in spec.flexes:
                flex.elastic3d = int(flex.dim == 3)  # stable neo-Hookean, which XML cannot say
            return spec.compile()
    except ValueError as error:
        raise Failed(f"MuJoCo refuses the scene: {plain(str(error))}") from None

"""Props: the bodies of one Physion scene as they are put in place, with their roles, looks and pushes."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from .. import styles
from ..bodies import Rigid
from ..looks import Look
from ..scene import Push
from ..shapes import UPRIGHT, Quaternion, Shape, Sphere, Vector
from .forms import FORMS
from .ranges import Draws

Role = Literal["agent", "patient", "other"]
PAINT: dict[Role, tuple[str, ...]] = {
    "agent": ("red",), "patient": ("yellow",), "other": ("blue", "green", "purple", "brown", "white", "grey"),
}  # fmt: skip
PUSH = 1 / 16  # s that a push lasts


class Props:
    """What stands in a scene so far. `painted` makes the agent red and the patient yellow, all in one colour each."""

    def __init__(self, draws: Draws, painted: bool) -> None:
        self.draws = draws
        self.painted = painted
        self.bodies: list[Rigid] = []
        self.pushes: list[Push] = []
        self.roles: dict[Role, str] = {}

    def put(
        self, form: str, size: Vector, spot: tuple[float, float], *, role: Role = "other", bottom: float = 0.0, shape: Shape | None = None,
        rotation: Quaternion = UPRIGHT, center: float | None = None, mass: float | None = None, density: float | None = None,
        friction: float | None = None, fixed: bool = False, look: Look | None = None, restitution: float | None = None,
    ) -> str:  # fmt: skip
        """Put a body called after its `form`, `size` m, over the `spot` (x, y) m of the floor: its lower end at `bottom` m, or its
        origin at `center` m. Returns its name."""
        name = self.name(form)
        height = bottom + size[2] / 2 if center is None else center
        self.bodies.append(
            Rigid(
                name=name, shape=shape or FORMS[form](size), position=(round(spot[0], 4), round(spot[1], 4), round(height, 5)),
                rotation=rotation, mass=mass, density=density, fixed=fixed, look=look or self.look(role),
                friction=self.draws.real("friction") if friction is None else friction,
                restitution=self.draws.real("restitution") if restitution is None else restitution,
                rolling=0.001 if form == "ball" else 0.0,
            )
        )  # fmt: skip
        if role != "other":
            self.roles[role] = name
        return name

    def mat(self, size: tuple[float, float], spot: tuple[float, float]) -> str:
        """Lay a thin mat on the floor, the patient's place."""
        return self.put("mat", (*size, 0.01), spot, role="patient", fixed=True, friction=0.8, restitution=0.2)

    def name(self, form: str) -> str:
        """A name that no body has yet: the form's, numbered from the second on."""
        taken = {body.name for body in self.bodies}
        return next(name for name in (form, *(f"{form} {k}" for k in range(2, 100))) if name not in taken)

    def look(self, role: Role) -> Look:
        """How a body of this role looks."""
        if not self.painted:
            return styles.look(self.draws.rng)
        drawn = styles.look(self.draws.rng, self.draws.among(PAINT[role]))
        return Look(color=drawn.color, gloss=drawn.gloss)

    def body(self, name: str) -> Rigid:
        """The body `name`."""
        return next(body for body in self.bodies if body.name == name)

    def push(self, name: str, velocity: Vector, time: float = 0.0, spin: Vector = (0.0, 0.0, 0.0)) -> None:
        """Push a body of known mass so hard that it leaves at `velocity` m/s; a ball is made to roll. `spin` [kg m^2/s] is added."""
        body = self.body(name)
        assert body.mass is not None, name
        turn = spin
        if isinstance(body.shape, Sphere):
            inertia = 0.4 * body.mass * body.shape.radius
            turn = (spin[0] - inertia * velocity[1], spin[1] + inertia * velocity[0], spin[2])
        force = styles.vector(body.mass / PUSH * np.array(velocity))
        self.pushes.append(Push(body=name, force=force, torque=styles.vector(np.array(turn) / PUSH), time=time, duration=PUSH))


def about(axis: Literal["x", "y", "z"], angle: float) -> Quaternion:
    """A rotation by `angle` rad about one of the world's axes."""
    turn = [0.0, 0.0, 0.0]
    turn["xyz".index(axis)] = round(math.sin(angle / 2), 6)
    return (round(math.cos(angle / 2), 6), turn[0], turn[1], turn[2])

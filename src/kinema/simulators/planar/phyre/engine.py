"""Rigid bodies falling, rolling and toppling between four walls: pymunk (Chipmunk) at PHYRE's constants, in SI units.

Chipmunk is not the Box2D of the published data. Friction and restitution of a pair are products there, so each body gets
the square root of the published value; contacts have restitution at any speed (Box2D's only above 1 m/s); there is no
continuous collision, so a body may enter another by the distance of one step before it is pushed out; bodies that rest
fall asleep after half a second in both. Trajectories differ after the first contacts, as they do between Box2D's versions.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pymunk
from numpy.typing import NDArray

from .objects import Object
from .scene import convex
from .shapes import SIDE

Array = NDArray[np.float64]
Pair = tuple[int, int]

RATE = 60  # steps per s
STEP = 1 / RATE
GRAVITY = -9.8  # m/s^2
DENSITY = 0.25  # kg/m^2
FRICTION, RESTITUTION = 0.5, 0.2  # of every pair
ANGULAR_DAMPING = 0.01  # 1/s
MAX_STEPS = 1000
GOAL_STEPS = 180  # how long two bodies must touch for a task to be solved

_ITERATIONS = 15
_SLOP = 0.02  # m, overlap that is left alone
_BIAS = (1 - 0.2) ** RATE  # of the overlap beyond it, a fifth is taken back at every step
_SLEEP, _REST = 0.5, 0.005  # s, and m/s below which a body is at rest: so slow that one on the brink still falls
_STILL = 0.001  # rad/s
_DAMP_EVERY = 30  # steps: the damping is so weak that half a second of it may be taken at once
_WALL = -1
_THICK = 20.0  # m, of the walls outside the scene
Meddle = tuple[int, "Callable[[Box], None]"]  # a frame, and what is done to the box after it


@dataclass
class Touch:
    """Two bodies (-1: a wall) that begin to touch: `time` s, `point` m, `impulse` N s of that step, friction included."""

    time: float
    bodies: Pair
    point: tuple[float, float] = (0.0, 0.0)
    impulse: float = 0.0


@dataclass
class Run:
    """What happened: `position` [t,n,2] m, `velocity` [t,n,2] m/s, `angle` and `spin` [t,n] in rad and rad/s; who touched
    whom, and for how many steps at a stretch the bodies of the goal did."""

    position: Array
    velocity: Array
    angle: Array
    spin: Array
    touches: list[Touch] = field(default_factory=list)
    held: int = 0


def mass_of(item: Object) -> float:
    """kg."""
    return DENSITY * item.shape.area * SIDE**2


def moment_of(item: Object) -> float:
    """kg m^2, about the centre of mass."""
    return DENSITY * item.shape.moment * SIDE**4


def simulate(objects: Sequence[Object], frames: int, stride: int, goal: Pair | None = None, meddle: Meddle | None = None) -> Run:
    """The motion of objects that are let go at rest, recorded every `stride` steps of 1/60 s; frame 0 is the start. `meddle`
    names a frame and what is done to the box once that frame is recorded. A body that is not there any more is at NaN.

    Positions of Chipmunk's steps follow a parabola exactly once the start gets half a step of gravity; a body that nothing
    touches then has, at the time of its position, the velocity that is half a step (.08 m/s) older than Chipmunk's. A body
    that is touched is said to have Chipmunk's.
    """
    n = len(objects)
    run = Run(np.empty((frames, n, 2)), np.zeros((frames, n, 2)), np.empty((frames, n)), np.zeros((frames, n)))
    box = Box(objects, goal)
    for frame in range(frames):
        for step in range((frame - 1) * stride, frame * stride) if frame else ():
            box.step(step + 1)
        box.record(run, frame)
        if meddle is not None and frame == meddle[0]:
            meddle[1](box)
    run.velocity[0], run.spin[0] = 0.0, 0.0
    run.touches, run.held = box.touches, box.held()
    return run


class Box:
    """A pymunk space with the objects in it, and what its collision handlers saw."""

    def __init__(self, objects: Sequence[Object], goal: Pair | None) -> None:
        self.space = pymunk.Space()
        self.space.gravity = (0.0, GRAVITY)
        self.space.iterations = _ITERATIONS
        self.space.collision_slop, self.space.collision_bias = _SLOP, _BIAS
        self.space.sleep_time_threshold, self.space.idle_speed_threshold = _SLEEP, _REST
        self.space.on_collision(begin=self._begin, separate=self._separate)
        self.owner: dict[pymunk.Shape, int] = {}
        self.bodies = [self._add(i, item) for i, item in enumerate(objects)]
        self.moving = [body for body, item in zip(self.bodies, objects, strict=True) if not item.static]
        self._walls()
        self.gone: set[int] = set()
        self.through: set[Pair] = set()
        self.touching: dict[Pair, int] = {}
        self.touched = [0] * (len(objects) + 1)  # pairs of shapes a body is in; the last counts for the walls
        self.touches: list[Touch] = []
        self.fresh: list[Touch] = []
        self.now = 0
        self.goal, self.since, self.longest = goal, 0, 0

    def step(self, number: int) -> None:
        self.now = number
        self.space.step(STEP)
        if self.fresh:
            for touch in self.fresh:
                self._weigh(touch)
            self.touches += self.fresh
            self.fresh = []
        if number % _DAMP_EVERY == 0:
            for body in self.moving:
                if not body.is_sleeping and abs(body.angular_velocity) > _STILL:  # setting it keeps a body awake
                    body.angular_velocity *= (1 + ANGULAR_DAMPING * STEP) ** -_DAMP_EVERY

    def record(self, run: Run, frame: int) -> None:
        for i, body in enumerate(self.bodies):
            if i in self.gone:
                run.position[frame, i], run.angle[frame, i] = math.nan, body.angle
                continue
            run.position[frame, i] = body.position
            run.angle[frame, i] = body.angle
            if body.body_type == pymunk.Body.DYNAMIC and not body.is_sleeping:
                vx, vy = body.velocity
                run.velocity[frame, i] = vx, vy if self.touched[i] else vy - GRAVITY * STEP / 2
                run.spin[frame, i] = body.angular_velocity

    def held(self) -> int:
        """Steps for which the goal's bodies touched, at the longest."""
        return max(self.longest, self.now - self.since + 1 if self.goal in self.touching else 0)

    def remove(self, index: int) -> None:
        """Take a body away."""
        body = self.bodies[index]
        self._wake()
        self.space.remove(body, *body.shapes)
        self.gone.add(index)
        self.moving = [other for other in self.moving if other is not body]

    def move(self, index: int, x: float, y: float) -> None:
        """Put a body at another place, m; it keeps its velocity."""
        self._wake()
        self.bodies[index].position = (x, y)
        self.space.reindex_shapes_for_body(self.bodies[index])

    def push(self, index: int, factor: float) -> None:
        """Multiply a body's velocity and spin."""
        self._wake()
        body = self.bodies[index]
        body.velocity, body.angular_velocity = body.velocity * factor, body.angular_velocity * factor

    def reshape(self, index: int, item: Object) -> None:
        """Give a body the shape of another object; its mass and moment of inertia stay."""
        self._wake()
        body = self.bodies[index]
        self.space.remove(*body.shapes)
        for shape in list(body.shapes):
            del self.owner[shape]
            shape.body = None
        self._enter(body, convex(body, item, SIDE), index, there=True)

    def let_through(self, first: int, second: int) -> None:
        """From now on two bodies, or a body and the walls (-1), do not stop each other."""
        self._wake()
        low, high = sorted((first, second))
        self.through.add((high, low) if low == _WALL else (low, high))

    def _wake(self) -> None:
        for body in self.moving:
            body.activate()

    def _add(self, index: int, item: Object) -> pymunk.Body:
        body = pymunk.Body(body_type=pymunk.Body.STATIC) if item.static else pymunk.Body(mass_of(item), moment_of(item))
        body.position, body.angle = (item.x * SIDE, item.y * SIDE), item.angle
        if not item.static:
            body.velocity = (0.0, GRAVITY * STEP / 2)
        self._enter(body, convex(body, item, SIDE), index)
        return body

    def _walls(self) -> None:
        low, high, far = -_THICK, SIDE + _THICK, SIDE
        for left, right, bottom, top in ((low, high, low, 0.0), (low, high, far, high), (low, 0.0, low, high), (far, high, low, high)):
            body = pymunk.Body(body_type=pymunk.Body.STATIC)
            self._enter(body, [pymunk.Poly(body, [(left, bottom), (right, bottom), (right, top), (left, top)])], _WALL)

    def _enter(self, body: pymunk.Body, shapes: Sequence[pymunk.Shape], index: int, there: bool = False) -> None:
        for shape in shapes:
            shape.friction, shape.elasticity = math.sqrt(FRICTION), math.sqrt(RESTITUTION)
            self.owner[shape] = index
        self.space.add(*(() if there else (body,)), *shapes)

    def _pair(self, arbiter: pymunk.Arbiter) -> Pair:
        a, b = (self.owner[shape] for shape in arbiter.shapes)
        return (a, b) if b == _WALL or 0 <= a < b else (b, a)

    def _begin(self, arbiter: pymunk.Arbiter, space: pymunk.Space, data: Any) -> None:
        pair = self._pair(arbiter)
        if pair in self.through:
            arbiter.process_collision = False
            return
        self.touched[pair[0]] += 1
        self.touched[pair[1]] += 1
        self.touching[pair] = self.touching.get(pair, 0) + 1
        if self.touching[pair] == 1:
            self.fresh.append(Touch(self.now * STEP, pair))
            if pair == self.goal:
                self.since = self.now

    def _separate(self, arbiter: pymunk.Arbiter, space: pymunk.Space, data: Any) -> None:
        pair = self._pair(arbiter)
        if pair not in self.touching:  # they go through each other
            return
        self.touched[pair[0]] -= 1
        self.touched[pair[1]] -= 1
        self.touching[pair] -= 1
        if not self.touching[pair]:
            del self.touching[pair]
            if pair == self.goal:
                self.longest = max(self.longest, self.now - self.since)

    def _weigh(self, touch: Touch) -> None:
        """Fill in where two bodies touch and the impulse of this step."""
        points: list[tuple[float, float]] = []
        impulse = pymunk.Vec2d(0.0, 0.0)

        def read(arbiter: pymunk.Arbiter) -> None:
            nonlocal impulse
            if self._pair(arbiter) == touch.bodies:
                impulse += arbiter.total_impulse
                points.extend(((p.point_a + p.point_b) / 2) for p in arbiter.contact_point_set.points)

        first, second = touch.bodies
        body = self.bodies[first if second == _WALL or self.bodies[first].body_type == pymunk.Body.DYNAMIC else second]
        body.each_arbiter(read)
        if points:
            touch.point = (sum(x for x, _ in points) / len(points), sum(y for _, y in points) / len(points))
        touch.impulse = impulse.length

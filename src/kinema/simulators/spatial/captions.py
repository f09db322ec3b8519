"""A caption written from what happens in a run."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np

from .bodies import AnyBody, Balloon, Cloth, Particles, Rigid, Rope, Soft
from .run import Run
from .scene import Scene
from .shapes import Box, Capsule, Cylinder, Sphere
from .styles import NAMED

PLAIN = ("", "body", "object", "thing", "agent", "patient", "probe", "target", "item", "solid", "distractor", "occluder")
DRAB = 28  # of 255, between the channels of a colour: less is grey
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
SOON = 0.03  # s: what touches sooner has touched from the start
SLOW = 0.05  # m/s: slower is at rest
FAST = 0.4  # m/s: two bodies that meet faster hit each other
FALL = 0.25  # m: who drops further falls
TILT = np.cos(np.radians(50))
MOST = 60  # words


class Event(NamedTuple):
    """Body `first` (the one that comes) meets body `second` (-1: the floor) at `time` s with a closing speed in m/s."""

    time: float
    first: int
    second: int
    speed: float


def caption(scene: Scene, run: Run) -> str:
    """What happens in a run, in at most 60 words: the scene's opening sentence, who meets whom and when, who falls over, whether the
    agent touches the patient, and what still moves at the end."""
    if scene.ego is not None:
        return scene.text.strip()  # a drive is told by those who planned it
    names = names_of(scene)
    met = events(scene, run)
    told = [event for event in met if event.second >= 0 or scene.agent == scene.bodies[event.first].name][:3] or met[:1]
    opening, answer = scene.text.strip(), _answer(scene, run, names, told)
    while told and _words(opening, _story(told, names, run), answer) > MOST:
        told = told[:-1]
        answer = _answer(scene, run, names, told)
    parts = [opening, _story(told, names, run), "", answer, ""]
    for place, sentence in ((2, _fallen(scene, run, names)), (4, _end(scene, run, names))):
        if _words(*parts, sentence) <= MOST:
            parts[place] = sentence
    return " ".join(part for part in parts if part)


def _words(*texts: str) -> int:
    return sum(len(text.split()) for text in texts)


def color_of(color: tuple[int, int, int]) -> str:
    """The name of the nearest named colour; of what has hardly any colour white, grey or black.

    >>> color_of((200, 60, 50)), color_of((160, 160, 160))
    ('red', 'grey')
    """
    drab = max(color) - min(color) < DRAB
    among = [name for name, known in NAMED.items() if (max(known) - min(known) < DRAB) == drab]
    return min(among, key=lambda name: sum((a - b) ** 2 for a, b in zip(NAMED[name], color, strict=True)))


def word(body: AnyBody) -> str:
    """What a body is called: by its name where that says what it is, otherwise by its shape."""
    own = body.name.replace("_", " ").replace("-", " ").rstrip("0123456789 ").lower()
    if own not in PLAIN and own.replace(" ", "").isalpha() and len(own) > 1:
        return " ".join(part for part in own.split() if part not in NAMED) or own
    if isinstance(body, Rigid):
        return {Sphere: "ball", Box: "box", Capsule: "capsule", Cylinder: "cylinder"}.get(type(body.shape), "object")
    if isinstance(body, Particles):
        return body.substance
    if isinstance(body, Soft):
        return f"soft {body.form}"
    return {Cloth: "cloth", Rope: "rope", Balloon: "balloon"}[type(body)]


def names_of(scene: Scene) -> list[str]:
    """How each body is spoken of: colour and word, with its place among those that look the same."""
    plain = [f"{color_of(body.look.color)} {word(body)}" for body in scene.bodies]
    count, seen = Counter(plain), Counter[str]()
    names = []
    for name in plain:
        seen[name] += 1
        order = ORDINALS[seen[name] - 1] if seen[name] <= len(ORDINALS) else f"no. {seen[name]}"
        names.append(f"the {order} {name}" if count[name] > 1 else f"the {name}")
    return names


def events(scene: Scene, run: Run) -> list[Event]:
    """Who meets whom for the first time, in order; not those who touch from the start, nor two that never move."""
    still = {k for k, body in enumerate(scene.bodies) if isinstance(body, Rigid) and body.static} | {-1}
    ghosts = {k for k, body in enumerate(scene.bodies) if isinstance(body, Rigid) and body.ghost}
    first: dict[tuple[int, int], float] = {}
    for time, (a, b) in zip(run.contacts.time.tolist(), run.contacts.bodies.tolist(), strict=True):
        pair = (min(a, b), max(a, b))
        first[pair] = min(time, first.get(pair, np.inf))
    found = []
    for (a, b), time in first.items():
        if time <= SOON or a == b or {a, b} <= still or {a, b} & ghosts:
            continue
        speeds = {k: _velocity(run, k, time) for k in (a, b)}
        comes, meets = (b, a) if np.linalg.norm(speeds[b]) > np.linalg.norm(speeds[a]) else (a, b)
        speed = float(np.linalg.norm(speeds[a] - speeds[b]))
        if speed > (FAST if a < 0 else SLOW):  # what only quivers meets nobody
            found.append(Event(time, comes, meets, speed))
    return sorted(found)


def _velocity(run: Run, k: int, time: float) -> np.ndarray:
    """A body's velocity in the frame before `time`."""
    if k < 0:
        return np.zeros(3)
    frame = max(int(np.searchsorted(run.times, time, side="left")) - 1, 0)
    return np.asarray(run.velocity[frame, k])


def _story(told: list[Event], names: list[str], run: Run) -> str:
    clauses: list[str] = []
    for event in told:
        patient = "the floor" if event.second < 0 else names[event.second]
        above = event.second >= 0 and run.center[0, event.first, 2] - run.center[0, event.second, 2] > FALL and _velocity_down(run, event)
        verb = "lands on" if above or event.second < 0 else "hits" if event.speed > FAST else "touches"
        when = f"after {event.time:.1f} s" if not clauses else f"at {event.time:.1f} s"
        clauses.append(f"{names[event.first]} {verb} {patient} {when}")
    return _sentence(_list(clauses, ", then "))


def _velocity_down(run: Run, event: Event) -> bool:
    v = _velocity(run, event.first, event.time)
    return bool(-v[2] > 0.5 * np.linalg.norm(v))


def _fallen(scene: Scene, run: Run, names: list[str]) -> str:
    """Who was upright and has tipped over."""
    up = _axes(run.rotation)
    tilt = np.einsum("tni,ni->tn", up, up[0])[-1]
    over = [
        k for k, body in enumerate(scene.bodies)
        if isinstance(body, Rigid) and not body.static and not body.drive and not isinstance(body.shape, Sphere)
        and body.joint is None and abs(up[0, k, 2]) > 0.9 and tilt[k] < TILT
    ]  # fmt: skip
    if len(over) > 3:
        return f"{_number(len(over))} bodies fall over."
    verb = "fall over" if len(over) > 1 else "falls over"
    return _sentence(f"{_list([names[k] for k in over], ' and ')} {verb}") if over else ""


def _axes(rotation: np.ndarray) -> np.ndarray:
    """The bodies' own z axes [t,n,3] in the world."""
    w, x, y, z = np.moveaxis(rotation, -1, 0)
    return np.stack([2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y)], -1)


def _answer(scene: Scene, run: Run, names: list[str], told: list[Event]) -> str:
    """Whether the agent touches the patient, where that has not been said."""
    if scene.agent is None or scene.patient is None:
        return ""
    agent, patient = scene.index(scene.agent), scene.index(scene.patient)
    if any({event.first, event.second} == {agent, patient} for event in told):
        return ""
    pair = (np.sort(run.contacts.bodies, 1) == sorted((agent, patient))).all(1)
    if not pair.any():
        return _sentence(f"{names[agent]} does not touch {names[patient]}")
    return _sentence(f"{names[agent]} touches {names[patient]} at {float(run.contacts.time[pair].min()):.1f} s")


def _end(scene: Scene, run: Run, names: list[str]) -> str:
    """What still moves at the end, or that nothing does."""
    speed = np.linalg.norm(run.velocity, axis=-1)
    ghost = np.array([isinstance(body, Rigid) and (body.ghost or body.static) for body in scene.bodies])
    moved = (speed.max(0) > SLOW) & ~ghost
    moving = [int(k) for k in np.flatnonzero((speed[-1] > SLOW) & ~ghost)]
    if not moved.any():
        return "Nothing moves."
    if not moving:
        return "At the end all is at rest."
    if len(moving) > 2:
        return f"At the end {_number(len(moving)).lower()} bodies are still moving."
    verb = "are" if len(moving) > 1 else "is"
    return _sentence(f"{_list([names[k] for k in moving], ' and ')} {verb} still moving at the end")


def _number(count: int) -> str:
    words = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine", "Ten", "Eleven", "Twelve")
    return words[count] if count < len(words) else str(count)


def _list(parts: list[str], last: str) -> str:
    """Parts joined by commas, the last one by `last`."""
    return last.join([", ".join(parts[:-1]), parts[-1]]) if len(parts) > 1 else "".join(parts)


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}." if text else ""

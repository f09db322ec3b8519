"""Captions of drives, from what happens in them."""

from __future__ import annotations

import math

import numpy as np

from ..bodies import Rigid
from .plan import Plan

WHEN = {"noon": "at noon", "afternoon": "on a sunny afternoon", "dusk": "at dusk", "overcast": "under an overcast sky"}


def told(plan: Plan, around: list[Rigid], time: str, dt: float) -> str:
    """What the ego car does where, what others do, and when."""
    lanes = {1: "two-lane", 2: "four-lane"}[plan.street.main.lanes]
    houses = [body for body in around if body.name.startswith("building")]
    high = float(np.mean([2 * body.position[2] for body in houses])) if houses else 0.0
    past = f" past {'tall' if high > 11 else 'low'} buildings" if houses else ""
    trees = " and trees" if past and any(body.name.startswith("tree") for body in around) else ""
    first = f"The car drives along a {lanes} road{past}{trees} and {did(plan, dt)}"
    return "; ".join([first, *others(plan)]) + f", {when(time)}."


def when(time: str) -> str:
    """The time of day, and haze, in words."""
    day, _, hazy = time.partition(" ")
    return WHEN[day] + (" in haze" if hazy else "")


def did(plan: Plan, dt: float) -> str:
    """The ego car's manoeuvre as it was driven."""
    track, speeds = plan.town.tracks[:, 0], plan.town.speeds[:, 0]
    turn = math.degrees(track[-1, 2] - track[0, 2])
    where = "at the junction" if plan.place == "junction" else "round the bend" if plan.place == "curve" else ""
    gentle = plan.place == "curve" and plan.manoeuvre == "straight"
    if abs(turn) > (30 if gentle else 16):
        return f"turns {'left' if turn > 0 else 'right'} {where}".rstrip()
    side = -(track[-1, 0] - track[0, 0]) * math.sin(track[0, 2]) + (track[-1, 1] - track[0, 1]) * math.cos(track[0, 2])
    if plan.place != "curve" and abs(turn) < 16 and abs(side) > 1.2:
        return f"changes to the {'left' if side > 0 else 'right'} lane"
    if speeds[-1] < 0.5 < speeds[0]:
        return "stops" + why(plan)
    if speeds[-1] < speeds[0] - 2.5:
        return "brakes" + why(plan)
    if speeds[-1] > speeds[0] + 2.5:
        return "accelerates"
    if plan.place == "curve" and abs(turn) > 8:
        return f"follows a gentle bend to the {'left' if turn > 0 else 'right'}"
    return "goes straight on across the junction" if plan.place == "junction" and track[-1, 0] > plan.street.at else "goes straight on"


def why(plan: Plan) -> str:
    """What the ego car brakes for."""
    return {"light": " at the red light", "lead": " behind the car ahead", "walker": " for a person who crosses", "": ""}[plan.cause]


def others(plan: Plan) -> list[str]:
    """What the most telling others do: at most two of them."""
    town, found = plan.town, []
    for n, car in enumerate(town.cars):
        v = town.speeds[:, n]
        kind = f"{'an' if car.color[0] in 'aeiou' else 'a'} {car.color} {car.style}"
        if car.role == "lead":
            if v[-1] < v[0] - 2.5:
                found.append(f"{kind} ahead brakes")
            elif v[-1] > v[0] + 2.5:
                found.append(f"{kind} ahead speeds up")
            else:
                found.append(f"{kind} drives ahead")
        elif car.role == "cutter":
            found.append(f"{kind} moves in ahead")
        elif car.role == "crossing" and v[0] > 1:
            found.append(f"{kind} crosses")
        elif car.role == "oncoming" and v[0] > 1:
            found.append(f"{kind} comes the other way")
        elif car.role == "oncoming":
            found.append(f"{kind} waits on the other side")
    for m, walker in enumerate(town.walkers):
        if walker.kerb is not None:
            gone = np.ptp(town.steps[:, m, 1])
            found.insert(0, "a person crosses the road" if gone > 1.5 else "a person waits to cross")
    return list(dict.fromkeys(found))[:2]

"""Elastic energy of flexes, from the very coefficients that MuJoCo takes its forces from."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..bodies import Soft
from .kinds import Floats


def sheet(model: Any, flex: int) -> Callable[[Floats], float]:
    """The energy [J] of a sheet or skin whose vertices [m,3] are given: of stretching, a quadratic form of the changes of its
    edges' squared lengths per triangle, and of bending, one of the four vertices about each edge."""
    edges = slice(model.flex_edgeadr[flex], model.flex_edgeadr[flex] + model.flex_edgenum[flex])
    pairs, rest = model.flex_edge[edges], model.flexedge_length0[edges] ** 2
    first = model.flex_elemedgeadr[flex]
    sides = model.flex_elemedge[first : first + 3 * model.flex_elemnum[flex]].reshape(-1, 3)
    first = model.flex_stiffnessadr[flex]
    upper = model.flex_stiffness[first : first + 21 * len(sides)].reshape(-1, 21)[:, :6]
    metric = upper[:, [0, 1, 2, 1, 3, 4, 2, 4, 5]].reshape(-1, 3, 3)
    hinges = np.concatenate([pairs, model.flex_edgeflap[edges]], 1)
    inner = (hinges >= 0).all(1)
    first = model.flex_bendingadr[flex]
    form = np.zeros((0, 4, 4))
    if first >= 0:
        form = model.flex_bending[first : first + 17 * len(pairs)].reshape(-1, 17)[inner, :16].reshape(-1, 4, 4).copy()
    hinges = hinges[inner][: len(form)]

    def energy(points: Floats) -> float:
        ends = points[pairs]
        longer = (((ends[:, 0] - ends[:, 1]) ** 2).sum(1) - rest)[sides]
        corners = points[hinges]
        bent = np.einsum("eij,eik,ejk->", form, corners, corners, optimize=True)
        return float(0.25 * np.einsum("ei,eij,ej->", longer, metric, longer, optimize=True) + 0.5 * bent)

    return energy


def solid(body: Soft, points: Floats, elements: Any) -> Callable[[Floats], float]:
    """The energy [J] of a stable neo-Hookean solid of these points [m,3] at rest and tetrahedra [e,4], whose vertices are
    given: W = mu/2 (I - 3) - mu (J - 1) + (lambda + mu)/2 (J - 1)^2 (Smith, de Goes, Kim 2018)."""
    mu = body.young / (2 * (1 + body.poisson))
    first = body.young * body.poisson / ((1 + body.poisson) * (1 - 2 * body.poisson))

    def frame(at: Floats) -> Floats:
        return np.asarray((at[elements[:, 1:]] - at[elements[:, :1]]).transpose(0, 2, 1))

    rest = frame(points)
    back, volume = np.linalg.inv(rest), np.abs(np.linalg.det(rest)) / 6

    def energy(at: Floats) -> float:
        gradient = frame(at) @ back
        swell = np.linalg.det(gradient) - 1
        density = mu / 2 * ((gradient**2).sum((1, 2)) - 3) - mu * swell + (first + mu) / 2 * swell**2
        return float(volume @ density)

    return energy

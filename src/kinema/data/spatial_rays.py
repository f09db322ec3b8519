"""A scene's rigid bodies at their recorded poses in MuJoCo, whose rays and distances know nothing of our ray-caster."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..core.clip import Clip
from ..core.errors import UserError
from ..simulators import Box, Capsule, Cylinder, Rigid, Scene, Sphere
from ..simulators.spatial.shapes import Solid, pieces

Floats = NDArray[np.float64]


class Rays:
    """Rays into, and distances between, the rigid bodies of a scene. Raises UserError where MuJoCo is not installed."""

    def __init__(self, scene: Scene) -> None:
        try:
            import mujoco
        except ModuleNotFoundError:
            raise UserError("checks of spatial worlds need mujoco: pip install 'kinema[spatial]'") from None
        self._mj = mujoco
        self.is_rigid = [isinstance(body, Rigid) for body in scene.bodies]
        self.is_hit = [isinstance(body, Rigid) and not body.ghost for body in scene.bodies]
        spec = mujoco.MjSpec()
        if scene.floor is not None:
            spec.worldbody.add_geom(type=mujoco.mjtGeom.mjGEOM_PLANE, size=[0, 0, 0.1])
        self._mocap: list[tuple[int, int]] = []  # places in the scene and in the model
        for n, body in enumerate(scene.bodies):
            if isinstance(body, Rigid) and not body.ghost:
                frame = spec.worldbody.add_body(name=f"body{n}", mocap=True)
                for k, placed in enumerate(pieces(body.shape)):
                    shape = _geom(mujoco, spec, f"{n}/{k}", placed.solid)
                    frame.add_geom(pos=placed.position, quat=placed.rotation, **shape)
                self._mocap.append((n, len(self._mocap)))
        self._model = spec.compile()
        self._data = mujoco.MjData(self._model)
        self._of_body = {n: self._model.body(f"body{n}").id for n, _ in self._mocap}
        self._ids = {0: 0} | {place: n + 1 for n, place in self._of_body.items()}

    def depth(self, clip: Clip, t: int, pixels: Floats) -> Floats:
        """z-depth in m of what MuJoCo's rays through image points [k,2] hit at frame t, infinite where nothing."""
        return self.hits(clip, t, pixels)[0]

    def hits(self, clip: Clip, t: int, pixels: Floats) -> tuple[Floats, NDArray[np.int64]]:
        """That depth [k], and the ids [k] of the bodies that are hit as in the segmentation, 0 for floor and sky."""
        self._pose(clip, t)
        pose, k = clip.camera.pose[t].double().numpy(), clip.camera.intrinsics[t].double().numpy()
        local = np.linalg.solve(k, np.concatenate([pixels, np.ones((len(pixels), 1))], 1).T).T
        length = np.linalg.norm(local, axis=1)
        direction = (local / length[:, None]) @ pose[:3, :3]
        eye, geom = -pose[:3, :3].T @ pose[:3, 3], np.zeros(1, np.int32)
        apart, ids = np.full(len(pixels), -1.0), np.zeros(len(pixels), np.int64)
        # One by one: mj_multiRay (3.17) passes by some bodies that its rays graze, and that mj_ray hits.
        for n, ray in enumerate(direction):
            apart[n] = self._mj.mj_ray(self._model, self._data, eye, ray, None, 1, -1, geom)
            ids[n] = self._ids[self._model.geom_bodyid[geom[0]]] if geom[0] >= 0 else 0
        return np.where(apart >= 0, apart / length, np.inf), ids

    def distance(self, clip: Clip, t: int, a: int, b: int) -> float:
        """Smallest distance in m between two bodies at frame t, below 0 where they are in each other."""
        self._pose(clip, t)
        m = self._model
        geoms = [[g for g in range(m.ngeom) if m.geom_bodyid[g] == self._of_body[n]] for n in (a, b)]
        return min(float(self._mj.mj_geomDistance(m, self._data, i, j, 100.0, None)) for i in geoms[0] for j in geoms[1])

    def overlap(self, clip: Clip, t: int, free: NDArray[np.bool_]) -> float:
        """How deep in m the bodies that are `free` [n] are in each other, in other rigid bodies or in the floor at frame t."""
        self._pose(clip, t)
        m, place = self._model, self._data.geom_xpos
        loose = np.zeros(m.nbody, bool)
        loose[[self._of_body[n] for n, _ in self._mocap if free[n]]] = True
        first, second = np.triu_indices(m.ngeom, 1)
        owner, floor = m.geom_bodyid, m.geom_rbound == 0
        pairs = (owner[first] != owner[second]) & (loose[owner[first]] | loose[owner[second]]) & ~floor[first] & ~floor[second]
        near = np.linalg.norm(place[first] - place[second], axis=1) < m.geom_rbound[first] + m.geom_rbound[second]
        chosen = zip(first[pairs & near], second[pairs & near], strict=True)
        below = [-self._lowest(int(g)) for g in np.flatnonzero(loose[owner])] if floor.any() else []
        return float(np.max([0.0, *below, *(-self._mj.mj_geomDistance(m, self._data, i, j, 1e-3, None) for i, j in chosen)]))

    def _lowest(self, g: int) -> float:
        """Height in m of a geom's lowest point. mj_geomDistance (3.17) puts upright cylinders a radius under a plane."""
        m, up, size = self._model, self._data.geom_xmat[g].reshape(3, 3)[2], self._model.geom_size[g]
        kind, types = m.geom_type[g], self._mj.mjtGeom
        if kind == types.mjGEOM_BOX:
            reach = float(np.abs(up) @ size)
        elif kind == types.mjGEOM_CYLINDER:
            reach = float(np.hypot(up[0], up[1]) * size[0] + abs(up[2]) * size[1])
        elif kind == types.mjGEOM_MESH:
            start = m.mesh_vertadr[m.geom_dataid[g]]
            reach = float(-(m.mesh_vert[start : start + m.mesh_vertnum[m.geom_dataid[g]]] @ up).min())
        else:
            reach = float(size[0] + abs(up[2]) * size[1] * (kind == types.mjGEOM_CAPSULE))
        return float(self._data.geom_xpos[g][2]) - reach

    def _pose(self, clip: Clip, t: int) -> None:
        for n, k in self._mocap:
            self._data.mocap_pos[k] = clip.bodies["position"][t, n].numpy()
            self._data.mocap_quat[k] = clip.bodies["rotation"][t, n].numpy()
        self._mj.mj_kinematics(self._model, self._data)


def _geom(mujoco: Any, spec: Any, name: str, solid: Solid) -> dict[str, Any]:
    kind = mujoco.mjtGeom
    if isinstance(solid, Sphere):
        return {"type": kind.mjGEOM_SPHERE, "size": [solid.radius, 0, 0]}
    if isinstance(solid, Box):
        return {"type": kind.mjGEOM_BOX, "size": [side / 2 for side in solid.size]}
    if isinstance(solid, Capsule | Cylinder):
        shape = kind.mjGEOM_CAPSULE if isinstance(solid, Capsule) else kind.mjGEOM_CYLINDER
        return {"type": shape, "size": [solid.radius, solid.length / 2, 0]}
    spec.add_mesh(name=name, uservert=[x for point in solid.points for x in point])
    return {"type": kind.mjGEOM_MESH, "meshname": name}

"""Truth of every pixel's centre, and points followed through all frames."""
# mypy: ignore-errors

import warp as wp

from .rays import (
    ALL,
    BALL_BIT,
    FAR,
    MESH_BIT,
    NOTHING,
    TILE,
    Hit,
    Views,
    Worlds,
    carry,
    margin,
    owner,
    ray,
    sees,
    there,
    tile_mask,
    torn,
    trace,
)


@wp.func
def meets(axis: wp.vec3, cosine: float, sine: float, eye: wp.vec3, around: wp.vec4):
    """Whether a cone from the eye meets a sphere."""
    center = wp.vec3(around[0], around[1], around[2]) - eye
    reach = around[3]
    far = wp.length(center)
    if far <= reach:
        return reach > 0.0
    s = reach / far
    c = wp.sqrt(wp.max(0.0, 1.0 - s * s))
    return reach > 0.0 and wp.dot(axis, center) / far >= cosine * c - sine * s - 1.0e-5


@wp.func
def darkens(p: wp.vec3, wide: float, sun: wp.vec3, across: float, around: wp.vec4):
    """Whether a sphere is close to, or between the sun and, any point within `wide` of p."""
    away = wp.vec3(around[0], around[1], around[2]) - p
    far = wp.length(away)
    along = wp.dot(away, sun)
    off = wp.length(away - sun * along)
    reach = around[3]
    return reach > 0.0 and (far <= 2.0 * reach + wide or (along > -reach - wide and off <= reach + wide + across * (far + wide)))


@wp.kernel
def tiles(
    w: Worlds, views: Views, focal: float, cx: float, cy: float, sun: wp.vec3, across: float
):  # fmt: skip
    """Fill the world's masks for these views and this sun, whose angular radius has the tangent `across`."""
    f, i, j = wp.tid()
    view = views[f]
    eye = wp.transform_get_translation(view)
    side = float(TILE)
    axis = ray(view, focal, cx, cy, (float(j) + 0.5) * side, (float(i) + 0.5) * side)
    cosine = float(1.0)
    grounded = axis[2] < -1.0e-3
    middle = eye + axis * ((w[0].floor_z - eye[2]) / axis[2])
    wide = float(0.0)
    for k in range(4):
        corner = ray(view, focal, cx, cy, float(j + k % 2) * side, float(i + k / 2) * side)
        cosine = wp.min(cosine, wp.dot(axis, corner))
        grounded = grounded and corner[2] < -1.0e-3
        if grounded:
            wide = wp.max(wide, wp.length(eye + corner * ((w[0].floor_z - eye[2]) / corner[2]) - middle))
    wide = wide * 1.001 + 1.0e-3
    sine = wp.sqrt(wp.max(0.0, 1.0 - cosine * cosine))
    mask = wp.uint32(0)
    shadow = wp.uint32(0)
    mirror = wp.uint32(0)
    under = wp.vec3(eye[0], eye[1], 2.0 * w[0].floor_z - eye[2])
    up = wp.vec3(axis[0], axis[1], -axis[2])
    if w[0].few == 1:
        for k in range(w[0].prims):
            bit = wp.uint32(1) << wp.uint32(k)
            if meets(axis, cosine, sine, eye, w[0].around[f, k]):
                mask = mask | bit
            if darkens(middle, wide, sun, across, w[0].around[f, k]):
                shadow = shadow | bit
            if meets(up, cosine, sine, under, w[0].around[f, k]):
                mirror = mirror | bit
    else:
        mask = ALL & ~(MESH_BIT | BALL_BIT)
        shadow = mask
        mirror = mask
    if w[0].faces > 0:
        if meets(axis, cosine, sine, eye, w[0].around_mesh[f]):
            mask = mask | MESH_BIT
        if darkens(middle, wide, sun, across, w[0].around_mesh[f]):
            shadow = shadow | MESH_BIT
        if meets(up, cosine, sine, under, w[0].around_mesh[f]):
            mirror = mirror | MESH_BIT
    if w[0].balls > 0:
        if meets(axis, cosine, sine, eye, w[0].around_balls[f]):
            mask = mask | BALL_BIT
        if darkens(middle, wide, sun, across, w[0].around_balls[f]):
            shadow = shadow | BALL_BIT
        if meets(up, cosine, sine, under, w[0].around_balls[f]):
            mirror = mirror | BALL_BIT
    w[0].masks[f, i, j] = mask
    if not grounded:
        shadow = ALL
    w[0].shadows[f, i, j] = shadow
    w[0].mirrors[f, i, j] = mirror


@wp.kernel
def primary(
    w: Worlds, views: Views, focal: float, cx: float, cy: float, first: int, last: int,
    strip: int, hits: wp.array3d(dtype=Hit), depth: wp.array3d(dtype=float), ids: wp.array3d(dtype=wp.uint8), many: wp.array3d(dtype=int),
    normal: wp.array4d(dtype=float),
):  # fmt: skip
    """What is seen through every pixel's centre. Arrays without elements are not asked for; frames above `last` only hit.
    A thread does `strip` pixels of a row."""
    k, y, part = wp.tid()
    f = first + k
    view = views[f]
    o = wp.transform_get_translation(view)
    v = float(y) + 0.5
    for i in range(strip):
        x = part * strip + i
        u = float(x) + 0.5
        d = ray(view, focal, cx, cy, u, v)
        h = trace(w, f, o, d, FAR, tile_mask(w, f, u, v), -1)
        hits[k, y, x] = h
        if f > last:
            continue
        if ids.shape[0] > 0:
            ids[f, y, x] = wp.uint8(owner(w, h))
        if many.shape[0] > 0:
            many[f, y, x] = owner(w, h)
        if depth.shape[0] > 0:
            if h.kind == NOTHING:
                depth[f, y, x] = wp.inf
            else:
                depth[f, y, x] = h.t * wp.quat_rotate_inv(wp.transform_get_rotation(view), d)[2]
        if normal.shape[0] > 0 and h.kind != NOTHING:
            n = wp.normalize(wp.quat_rotate_inv(wp.transform_get_rotation(view), h.n))
            normal[f, 0, y, x] = n[0]
            normal[f, 1, y, x] = n[1]
            normal[f, 2, y, x] = n[2]


@wp.func
def onto(view: wp.transform, focal: float, cx: float, cy: float, p: wp.vec3, far: int):
    """Image point and depth of a point, or, where `far`, of a direction."""
    a = p
    if far == 0:
        a = p - wp.transform_get_translation(view)
    a = wp.quat_rotate_inv(wp.transform_get_rotation(view), a)
    return wp.vec3(focal * a[0] / a[2] + cx, focal * a[1] / a[2] + cy, a[2])


@wp.kernel
def motion(
    w: Worlds, views: Views, same: wp.array(dtype=int), focal: float, cx: float, cy: float, first: int, last: int,
    strip: int, hits: wp.array3d(dtype=Hit), flow: wp.array4d(dtype=float), backward: wp.array4d(dtype=float),
    scene_flow: wp.array4d(dtype=float), hidden: wp.array3d(dtype=wp.uint8), width: float, height: float,
):  # fmt: skip
    """Where what is seen goes to and comes from. `same[f]`: the camera stands where it stood at f - 1. The outputs begin as zeros."""
    k, y, part = wp.tid()
    f = first + k
    view = views[f]
    o = wp.transform_get_translation(view)
    v = float(y) + 0.5
    for i in range(strip):
        x = part * strip + i
        h = hits[k, y, x]
        u = float(x) + 0.5
        d = ray(view, focal, cx, cy, u, v)
        p = d
        far = int(1)
        if h.kind != NOTHING:
            p = o + d * h.t
            far = 0
        if backward.shape[0] > 0 and f > 0:
            was = p
            if far == 0 and not torn(w, h, f, f - 1):
                was = carry(w, h, p, f, f - 1)
            if same[f] == 0 or not (was == p):
                at = onto(views[f - 1], focal, cx, cy, was, far)
                backward[f - 1, 0, y, x] = at[0] - u
                backward[f - 1, 1, y, x] = at[1] - v
        if f == last:
            continue
        lost = far == 0 and torn(w, h, f, f + 1)
        moved = p
        if far == 0 and not lost:
            moved = carry(w, h, p, f, f + 1)
        if same[f + 1] == 1 and moved == p:
            if hidden.shape[0] > 0:
                then = hits[k + 1, y, x]
                gone = lost or then.kind != NOTHING
                if far == 0 and not lost:
                    gone = then.kind != NOTHING and then.t < h.t - margin(h.t)
                if gone:
                    hidden[f, y, x] = wp.uint8(1)
            continue
        at = onto(views[f + 1], focal, cx, cy, moved, far)
        if flow.shape[0] > 0:
            flow[f, 0, y, x] = at[0] - u
            flow[f, 1, y, x] = at[1] - v
        if scene_flow.shape[0] > 0 and far == 0:
            step = wp.quat_rotate_inv(wp.transform_get_rotation(view), moved - p)
            scene_flow[f, 0, y, x] = step[0]
            scene_flow[f, 1, y, x] = step[1]
            scene_flow[f, 2, y, x] = step[2]
        if hidden.shape[0] > 0:
            gone = lost or at[2] <= 0.0 or at[0] < 0.0 or at[1] < 0.0 or at[0] >= width or at[1] >= height
            if not gone:
                eye = wp.transform_get_translation(views[f + 1])
                mask = tile_mask(w, f + 1, at[0], at[1])
                if far == 1:
                    gone = trace(w, f + 1, eye, d, FAR, mask, -1).kind != NOTHING
                else:
                    gone = not sees(w, f + 1, eye, moved, mask)
            if gone:
                hidden[f, y, x] = wp.uint8(1)


@wp.kernel
def pick(
    w: Worlds, frame: wp.array(dtype=int), origin: wp.array(dtype=wp.vec3), direction: wp.array(dtype=wp.vec3), hit: wp.array(dtype=Hit),
    point: wp.array(dtype=wp.vec3), ids: wp.array(dtype=int),
):  # fmt: skip
    """What rays hit, each at its own frame; the id -1 is nothing."""
    i = wp.tid()
    h = trace(w, frame[i], origin[i], direction[i], FAR, ALL, -1)
    hit[i] = h
    point[i] = origin[i] + direction[i] * h.t
    ids[i] = owner(w, h)
    if h.kind == NOTHING:
        ids[i] = -1


@wp.kernel
def pursue(
    w: Worlds, views: Views, focal: float, cx: float, cy: float, width: float, height: float,
    frame: wp.array(dtype=int), hit: wp.array(dtype=Hit), point: wp.array(dtype=wp.vec3),
    track: wp.array2d(dtype=wp.vec3), seen: wp.array2d(dtype=wp.uint8),
):  # fmt: skip
    """Points of surfaces at every frame, and whether the camera sees them there."""
    g, i = wp.tid()
    moved = carry(w, hit[i], point[i], frame[i], g)
    track[g, i] = moved
    at = onto(views[g], focal, cx, cy, moved, 0)
    if at[2] > 0.0 and at[0] >= 0.0 and at[1] >= 0.0 and at[0] < width and at[1] < height and there(w, hit[i], g):
        if sees(w, g, wp.transform_get_translation(views[g]), moved, ALL):
            seen[g, i] = wp.uint8(1)

"""Warp kernels: rays against primitives, triangles and balls, what they hit carried to other times, and light.

The same kernels run on CPU and CUDA. This module imports Warp; nothing else does at import.
"""
# mypy: disable-error-code="no-untyped-def, valid-type, misc, no-any-return, attr-defined, type-arg"

import warp as wp

NOTHING, PRIMITIVE, TRIANGLE, BALL, FLOOR = 0, 1, 2, 3, 4
NEAR = wp.constant(1.0e-4)
FAR = wp.constant(1.0e4)
LIFT = wp.constant(1.0e-3)


@wp.struct
class World:
    floor: int
    prims: int
    kind: wp.array(dtype=int)
    size: wp.array(dtype=wp.vec3)
    body: wp.array(dtype=int)
    look: wp.array(dtype=int)
    pose: wp.array2d(dtype=wp.transform)
    tree: wp.array(dtype=wp.uint64)
    faces: int
    meshes: wp.array(dtype=wp.uint64)
    corners: wp.array(dtype=int)
    mesh: wp.array2d(dtype=wp.vec3)
    normal: wp.array2d(dtype=wp.vec3)
    rest: wp.array(dtype=wp.vec3)
    face_body: wp.array(dtype=int)
    face_look: wp.array(dtype=int)
    face_smooth: wp.array(dtype=int)
    balls: int
    place: wp.array2d(dtype=wp.vec3)
    radius: wp.array(dtype=float)
    ball_body: wp.array(dtype=int)
    ball_look: wp.array(dtype=int)
    ball_rest: wp.array(dtype=wp.vec3)
    ball_tree: wp.array(dtype=wp.uint64)
    visible: wp.array2d(dtype=wp.uint8)
    cut: wp.array2d(dtype=wp.uint8)


@wp.struct
class Shading:
    color: wp.array(dtype=wp.vec3)
    second: wp.array(dtype=wp.vec3)
    texture: wp.array(dtype=int)
    scale: wp.array(dtype=float)
    gloss: wp.array(dtype=float)
    shift: wp.array(dtype=wp.vec3)
    sun: wp.vec3
    sun_color: wp.vec3
    ambient: float
    zenith: wp.vec3
    horizon: wp.vec3


@wp.struct
class Hit:
    t: float
    n: wp.vec3
    kind: int
    idx: int
    u: float
    v: float


@wp.func
def solid(kind: int, size: wp.vec3, o: wp.vec3, d: wp.vec3, tmax: float):
    """Nearest hit of a primitive in its own axes: distance (tmax: none) and normal."""
    best = tmax
    n = wp.vec3(0.0, 0.0, 0.0)
    if kind == 1:
        b = wp.dot(o, d)
        p = o - d * b  # the foot, which keeps precision far away
        h = size[0] * size[0] - wp.dot(p, p)
        if h > 0.0:
            t = -b - wp.sqrt(h)
            if t > NEAR and t < best:
                best = t
                n = (o + d * t) / size[0]
    elif kind == 2:
        m = wp.vec3(1.0 / d[0], 1.0 / d[1], 1.0 / d[2])
        nn = wp.cw_mul(m, o)
        k = wp.vec3(wp.abs(m[0]) * size[0], wp.abs(m[1]) * size[1], wp.abs(m[2]) * size[2])
        t1 = -nn - k
        t2 = -nn + k
        tn = wp.max(wp.max(t1[0], t1[1]), t1[2])
        tf = wp.min(wp.min(t2[0], t2[1]), t2[2])
        if tn < tf and tn > NEAR and tn < best:
            best = tn
            if tn == t1[0]:
                n = wp.vec3(-wp.sign(d[0]), 0.0, 0.0)
            elif tn == t1[1]:
                n = wp.vec3(0.0, -wp.sign(d[1]), 0.0)
            else:
                n = wp.vec3(0.0, 0.0, -wp.sign(d[2]))
    else:
        r = size[0]
        h = size[1]
        a = d[0] * d[0] + d[1] * d[1]
        b = o[0] * d[0] + o[1] * d[1]
        c = o[0] * o[0] + o[1] * o[1] - r * r
        q = b * b - a * c
        if q > 0.0 and a > 1.0e-9:
            t = (-b - wp.sqrt(q)) / a
            z = o[2] + t * d[2]
            if t > NEAR and t < best and wp.abs(z) < h:
                best = t
                p = o + d * t
                n = wp.vec3(p[0], p[1], 0.0) / r
        if kind == 3:
            for s in range(2):
                e = h
                if s == 1:
                    e = -h
                oo = o - wp.vec3(0.0, 0.0, e)
                b2 = wp.dot(oo, d)
                q2 = r * r - wp.dot(oo - d * b2, oo - d * b2)
                if q2 > 0.0:
                    t = -b2 - wp.sqrt(q2)
                    z = o[2] + t * d[2]
                    if t > NEAR and t < best and ((s == 0 and z >= h) or (s == 1 and z <= -h)):
                        best = t
                        n = (oo + d * t) / r
        elif wp.abs(d[2]) > 1.0e-6:
            side = -wp.sign(d[2])
            t = (side * h - o[2]) / d[2]
            if t > NEAR and t < best:
                p = o + d * t
                if p[0] * p[0] + p[1] * p[1] < r * r:
                    best = t
                    n = wp.vec3(0.0, 0.0, side)
    return best, n


@wp.func
def trace(w: World, f: int, o: wp.vec3, d: wp.vec3, tmax: float):
    """The nearest thing along a ray at frame f."""
    h = Hit()
    h.t = tmax
    h.kind = NOTHING
    h.idx = -1
    if w.floor == 1 and d[2] < -1.0e-9 and o[2] > 0.0:
        t = -o[2] / d[2]
        if t > NEAR and t < h.t:
            h.t = t
            h.kind = FLOOR
            h.n = wp.vec3(0.0, 0.0, 1.0)
    if w.prims > 0:
        query = wp.bvh_query_ray(w.tree[f], o, d)
        i = int(0)
        while wp.bvh_query_next(query, i, h.t):
            if w.visible[f, w.body[i]] == wp.uint8(0):
                continue
            back = wp.transform_inverse(w.pose[f, i])
            t, n = solid(w.kind[i], w.size[i], wp.transform_point(back, o), wp.transform_vector(back, d), h.t)
            if t < h.t:
                h.t = t
                h.kind = PRIMITIVE
                h.idx = i
                h.n = wp.transform_vector(w.pose[f, i], n)
    if w.faces > 0:
        found = wp.mesh_query_ray(w.meshes[f], o, d, h.t)
        if found.result and found.t < h.t and found.t > NEAR:
            h.t = found.t
            h.kind = TRIANGLE
            h.idx = found.face
            h.u = found.u
            h.v = found.v
            h.n = found.normal
            if w.face_smooth[found.face] == 1:
                a = w.corners[found.face * 3]
                b = w.corners[found.face * 3 + 1]
                c = w.corners[found.face * 3 + 2]
                h.n = wp.normalize(w.normal[f, a] * found.u + w.normal[f, b] * found.v + w.normal[f, c] * (1.0 - found.u - found.v))
            if wp.dot(h.n, d) > 0.0:
                h.n = -h.n
    if w.balls > 0:
        near = wp.bvh_query_ray(w.ball_tree[f], o, d)
        j = int(0)
        while wp.bvh_query_next(near, j, h.t):
            if w.visible[f, w.ball_body[j]] == wp.uint8(0):
                continue
            oo = o - w.place[f, j]
            r = w.radius[j]
            along = wp.dot(oo, d)
            q = r * r - wp.dot(oo - d * along, oo - d * along)
            if q > 0.0:
                t = -along - wp.sqrt(q)
                if t > NEAR and t < h.t:
                    h.t = t
                    h.kind = BALL
                    h.idx = j
                    h.n = (oo + d * t) / r
    return h


@wp.func
def owner(w: World, h: Hit):
    """Number of the body that was hit, from 1; 0 for the floor and nothing."""
    if h.kind == PRIMITIVE:
        return w.body[h.idx] + 1
    if h.kind == TRIANGLE:
        return w.face_body[h.idx] + 1
    if h.kind == BALL:
        return w.ball_body[h.idx] + 1
    return 0


@wp.func
def torn(w: World, h: Hit, f: int, g: int):
    """Whether the body at frame g is not the one it was at f, its neighbour, or not there: then nothing of it goes over."""
    body = owner(w, h)
    if body == 0 or wp.abs(f - g) != 1:
        return False
    return w.cut[wp.max(f, g), body - 1] != wp.uint8(0) or w.visible[g, body - 1] == wp.uint8(0)


@wp.func
def carry(w: World, h: Hit, p: wp.vec3, f: int, g: int):
    """Where the surface point p that was hit at frame f is at frame g."""
    if h.kind == PRIMITIVE:
        return wp.transform_point(w.pose[g, h.idx], wp.transform_point(wp.transform_inverse(w.pose[f, h.idx]), p))
    if h.kind == TRIANGLE:
        a = w.corners[h.idx * 3]
        b = w.corners[h.idx * 3 + 1]
        c = w.corners[h.idx * 3 + 2]
        # The difference of the two frames, not the point at g: what rounding does to p is then the same at both.
        return p + (w.mesh[g, a] - w.mesh[f, a]) * h.u + (w.mesh[g, b] - w.mesh[f, b]) * h.v + (w.mesh[g, c] - w.mesh[f, c]) * (1.0 - h.u - h.v)
    if h.kind == BALL:
        return p + w.place[g, h.idx] - w.place[f, h.idx]
    return p


@wp.func
def there(w: World, h: Hit, g: int):
    """Whether the body that was hit is there at frame g."""
    body = owner(w, h)
    return body == 0 or w.visible[g, body - 1] != wp.uint8(0)


@wp.func
def sees(w: World, g: int, eye: wp.vec3, p: wp.vec3):
    """Whether nothing is between the eye and a point of a surface at frame g."""
    sight = p - eye
    far = wp.length(sight)
    return trace(w, g, eye, sight / far, far - (1.0e-3 + 1.0e-4 * far)).kind == NOTHING


@wp.func
def dress(w: World, h: Hit, p: wp.vec3, f: int):
    """Which look the hit has, and where in it, in its own axes."""
    if h.kind == PRIMITIVE:
        return w.look[h.idx] + 1, wp.transform_point(wp.transform_inverse(w.pose[f, h.idx]), p)
    if h.kind == TRIANGLE:
        a = w.corners[h.idx * 3]
        b = w.corners[h.idx * 3 + 1]
        c = w.corners[h.idx * 3 + 2]
        return w.face_look[h.idx] + 1, w.rest[a] * h.u + w.rest[b] * h.v + w.rest[c] * (1.0 - h.u - h.v)
    if h.kind == BALL:
        return w.ball_look[h.idx] + 1, w.ball_rest[h.idx]
    return 0, p  # the floor's look comes first


@wp.func
def albedo(s: Shading, look: int, p: wp.vec3):
    """Colour of a surface at a point of its own axes."""
    q = p / s.scale[look] + s.shift[look]
    kind = s.texture[look]
    mix = float(0.0)
    if kind == 1:
        mix = float((int(wp.floor(q[0] + 1.0e-3)) + int(wp.floor(q[1] + 1.0e-3)) + int(wp.floor(q[2] + 1.0e-3))) & 1)
    elif kind == 2:
        mix = float(int(wp.floor(q[0] + q[2])) & 1)
    elif kind >= 3:
        noise = wp.noise(wp.uint32(7), q)
        mix = wp.clamp(0.5 + noise, 0.0, 1.0)
    return s.color[look] * (1.0 - mix) + s.second[look] * mix


@wp.func
def backdrop(s: Shading, d: wp.vec3):
    """Light from infinitely far."""
    k = wp.clamp(d[2], 0.0, 1.0)
    return s.horizon * (1.0 - wp.sqrt(k)) + s.zenith * wp.sqrt(k)


@wp.func
def shade(w: World, s: Shading, f: int, h: Hit, o: wp.vec3, d: wp.vec3):
    """Light that comes along a ray."""
    if h.kind == NOTHING:
        return backdrop(s, d)
    p = o + d * h.t
    look, q = dress(w, h, p, f)
    base = albedo(s, look, q)
    lit = wp.max(0.0, wp.dot(h.n, s.sun))
    if lit > 0.0:
        if trace(w, f, p + h.n * LIFT, s.sun, FAR).kind != NOTHING:
            lit = 0.0
    light = wp.cw_mul(base, s.sun_color * lit + wp.vec3(1.0, 1.0, 1.0) * s.ambient * (0.75 + 0.25 * h.n[2]))
    if lit > 0.0:
        mirror = d - h.n * (2.0 * wp.dot(d, h.n))
        light += s.sun_color * s.gloss[look] * wp.pow(wp.max(0.0, wp.dot(mirror, s.sun)), 40.0)
    if h.kind == FLOOR:  # far ground fades into the horizon, where its pattern would alias
        haze = 1.0 - wp.exp(-h.t * 0.012)
        light = light * (1.0 - haze) + s.horizon * haze
    return light


@wp.func
def ray(view: wp.transform, focal: float, cx: float, cy: float, u: float, v: float):
    """Unit direction in the world of image point (u, v)."""
    return wp.transform_vector(view, wp.normalize(wp.vec3((u - cx) / focal, (v - cy) / focal, 1.0)))


@wp.func
def step(w: World, views: wp.array(dtype=wp.transform), focal: float, cx: float, cy: float, f: int, g: int, h: Hit, p: wp.vec3, d: wp.vec3):
    """Where on the image of frame g what was hit at frame f is, its depth there, and its place."""
    back = wp.transform_inverse(views[g])
    if h.kind == NOTHING:
        far = wp.transform_vector(back, d)
        return wp.vec3(focal * far[0] / far[2] + cx, focal * far[1] / far[2] + cy, far[2]), p
    moved = p
    if not torn(w, h, f, g):
        moved = carry(w, h, p, f, g)
    at = wp.transform_point(back, moved)
    return wp.vec3(focal * at[0] / at[2] + cx, focal * at[1] / at[2] + cy, at[2]), moved


@wp.kernel
def truth(
    w: World, views: wp.array(dtype=wp.transform), focal: float, cx: float, cy: float, first: int, last: int,
    depth: wp.array3d(dtype=float), ids: wp.array3d(dtype=int), normal: wp.array3d(dtype=wp.vec3),
    flow: wp.array3d(dtype=wp.vec2), backward: wp.array3d(dtype=wp.vec2), scene_flow: wp.array3d(dtype=wp.vec3),
    hidden: wp.array3d(dtype=wp.uint8), width: float, height: float,
):  # fmt: skip
    k, y, x = wp.tid()
    f = first + k
    view = views[f]
    o = wp.transform_get_translation(view)
    u = float(x) + 0.5
    v = float(y) + 0.5
    d = ray(view, focal, cx, cy, u, v)
    h = trace(w, f, o, d, FAR)
    p = o + d * h.t
    ids[k, y, x] = owner(w, h)
    back = wp.transform_inverse(view)
    if h.kind == NOTHING:
        depth[k, y, x] = wp.inf
    else:
        depth[k, y, x] = h.t * wp.transform_vector(back, d)[2]
        normal[k, y, x] = wp.transform_vector(back, h.n)
    if f > 0:
        at, was = step(w, views, focal, cx, cy, f, f - 1, h, p, d)
        backward[k, y, x] = wp.vec2(at[0] - u, at[1] - v)
    if f < last:
        at, moved = step(w, views, focal, cx, cy, f, f + 1, h, p, d)
        flow[k, y, x] = wp.vec2(at[0] - u, at[1] - v)
        gone = at[2] <= 0.0 or at[0] < 0.0 or at[1] < 0.0 or at[0] >= width or at[1] >= height
        eye = wp.transform_get_translation(views[f + 1])
        if h.kind == NOTHING:
            gone = gone or trace(w, f + 1, eye, d, FAR).kind != NOTHING
        else:
            scene_flow[k, y, x] = wp.transform_vector(back, moved - p)
            if not gone:
                gone = not there(w, h, f + 1) or torn(w, h, f, f + 1) or not sees(w, f + 1, eye, moved)
        if gone:
            hidden[k, y, x] = wp.uint8(1)


@wp.kernel
def picture(
    w: World, s: Shading, views: wp.array(dtype=wp.transform), focal: float, cx: float, cy: float, first: int, samples: int,
    rgb: wp.array3d(dtype=wp.vec3ub),
):  # fmt: skip
    k, y, x = wp.tid()
    f = first + k
    view = views[f]
    o = wp.transform_get_translation(view)
    light = wp.vec3(0.0, 0.0, 0.0)
    for i in range(samples):
        for j in range(samples):
            u = float(x) + (float(i) + 0.5) / float(samples)
            v = float(y) + (float(j) + 0.5) / float(samples)
            d = ray(view, focal, cx, cy, u, v)
            h = trace(w, f, o, d, FAR)
            c = shade(w, s, f, h, o, d)
            light += wp.vec3(wp.min(c[0], 1.0), wp.min(c[1], 1.0), wp.min(c[2], 1.0))
    light = light / float(samples * samples)
    e = 1.0 / 2.2
    rgb[k, y, x] = wp.vec3ub(
        wp.uint8(wp.pow(light[0], e) * 255.0 + 0.5), wp.uint8(wp.pow(light[1], e) * 255.0 + 0.5), wp.uint8(wp.pow(light[2], e) * 255.0 + 0.5)
    )


@wp.kernel
def pick(
    w: World, frame: wp.array(dtype=int), origin: wp.array(dtype=wp.vec3), direction: wp.array(dtype=wp.vec3), hit: wp.array(dtype=Hit),
    point: wp.array(dtype=wp.vec3), ids: wp.array(dtype=int),
):  # fmt: skip
    """What rays hit, each at its own frame; the id -1 is nothing."""
    i = wp.tid()
    h = trace(w, frame[i], origin[i], direction[i], FAR)
    hit[i] = h
    point[i] = origin[i] + direction[i] * h.t
    ids[i] = owner(w, h)
    if h.kind == NOTHING:
        ids[i] = -1


@wp.kernel
def pursue(
    w: World, views: wp.array(dtype=wp.transform), focal: float, cx: float, cy: float, width: float, height: float,
    frame: wp.array(dtype=int), hit: wp.array(dtype=Hit), point: wp.array(dtype=wp.vec3),
    track: wp.array2d(dtype=wp.vec3), seen: wp.array2d(dtype=wp.uint8),
):  # fmt: skip
    """Points of surfaces at every frame, and whether the camera sees them there."""
    g, i = wp.tid()
    moved = carry(w, hit[i], point[i], frame[i], g)
    track[g, i] = moved
    at = wp.transform_point(wp.transform_inverse(views[g]), moved)
    if at[2] > 0.0 and there(w, hit[i], g):
        u = focal * at[0] / at[2] + cx
        v = focal * at[1] / at[2] + cy
        if u >= 0.0 and v >= 0.0 and u < width and v < height:
            eye = wp.transform_get_translation(views[g])
            if sees(w, g, eye, moved):
                seen[g, i] = wp.uint8(1)

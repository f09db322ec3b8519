"""What rays hit, and where the surface that was hit is at other times."""
# mypy: ignore-errors

import warp as wp

NOTHING, PRIMITIVE, TRIANGLE, BALL, FLOOR = 0, 1, 2, 3, 4
NEAR = wp.constant(1.0e-4)
FAR = wp.constant(1.0e4)
TILE = wp.constant(8)
FEW = 30  # primitives that masks have bits for
MESH_BIT, BALL_BIT = wp.constant(wp.uint32(1 << 30)), wp.constant(wp.uint32(1 << 31))
ALL = wp.constant(wp.uint32(0xFFFFFFFF))


@wp.struct
class World:
    """Geometry at every frame. `floor_z` is where the ground is (coordinates are about a point near the camera). Where `few`,
    primitives are gone through one by one, the spheres `around` them first; else by `tree`. `masks` [t,h/8,w/8] say which of them,
    the mesh and the balls a ray through a tile of the image may meet; `shadows` which may shade, or be close to, the floor
    there, `mirrors` which it may reflect."""

    floor: int
    floor_z: float
    few: int
    prims: int
    kind: wp.array(dtype=int)
    size: wp.array(dtype=wp.vec3)
    body: wp.array(dtype=int)
    look: wp.array(dtype=int)
    pose: wp.array2d(dtype=wp.transform)
    back: wp.array2d(dtype=wp.transform)
    around: wp.array2d(dtype=wp.vec4)
    tree: wp.array(dtype=wp.uint64)
    masks: wp.array3d(dtype=wp.uint32)
    shadows: wp.array3d(dtype=wp.uint32)
    mirrors: wp.array3d(dtype=wp.uint32)
    faces: int
    meshes: wp.array(dtype=wp.uint64)
    around_mesh: wp.array(dtype=wp.vec4)
    corners: wp.array(dtype=int)
    mesh: wp.array2d(dtype=wp.vec3)
    normal: wp.array2d(dtype=wp.vec3)
    rest: wp.array(dtype=wp.vec3)
    face_body: wp.array(dtype=int)
    face_look: wp.array(dtype=int)
    face_smooth: wp.array(dtype=int)
    balls: int
    around_balls: wp.array(dtype=wp.vec4)
    place: wp.array2d(dtype=wp.vec3)
    radius: wp.array(dtype=float)
    ball_body: wp.array(dtype=int)
    ball_look: wp.array(dtype=int)
    ball_rest: wp.array(dtype=wp.vec3)
    ball_tree: wp.array(dtype=wp.uint64)
    visible: wp.array2d(dtype=wp.uint8)
    cut: wp.array2d(dtype=wp.uint8)


# Arrays of one element: Warp hands structs to functions by value, and a World is a kilobyte of array headers.
Worlds = wp.array(dtype=World)
Views = wp.array(dtype=wp.transform)


@wp.struct
class Hit:
    """Distance, unit normal towards where the ray comes from, and which primitive, triangle (at u, v) or ball."""

    t: float
    n: wp.vec3
    kind: int
    idx: int
    u: float
    v: float


@wp.func
def slope(x: float):
    """One over a direction's component, finite where the ray runs along a face."""
    if wp.abs(x) < 1.0e-12:
        return 1.0e12
    return 1.0 / x


@wp.func
def solid(kind: int, size: wp.vec3, o: wp.vec3, d: wp.vec3, tmax: float):
    """Nearest hit of a primitive in its own axes: distance (tmax: none) and normal. Margins of 1e-6 close the seams between parts."""
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
        m = wp.vec3(slope(d[0]), slope(d[1]), slope(d[2]))
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
        if a > 1.0e-9:
            middle = -(o[0] * d[0] + o[1] * d[1]) / a
            x = o[0] + d[0] * middle
            y = o[1] + d[1] * middle
            q = r * r - x * x - y * y
            if q > 0.0:
                t = middle - wp.sqrt(q / a)
                z = o[2] + t * d[2]
                if t > NEAR and t < best and wp.abs(z) <= h + 1.0e-6:
                    best = t
                    p = o + d * t
                    n = wp.normalize(wp.vec3(p[0], p[1], 0.0))
        if kind == 3:
            for s in range(2):
                e = h
                if s == 1:
                    e = -h
                oo = o - wp.vec3(0.0, 0.0, e)
                b2 = wp.dot(oo, d)
                foot = oo - d * b2
                q2 = r * r - wp.dot(foot, foot)
                if q2 > 0.0:
                    t = -b2 - wp.sqrt(q2)
                    z = o[2] + t * d[2]
                    if t > NEAR and t < best and ((s == 0 and z >= h - 1.0e-6) or (s == 1 and z <= -h + 1.0e-6)):
                        best = t
                        n = (oo + d * t) / r
        elif wp.abs(d[2]) > 1.0e-9:
            side = -wp.sign(d[2])
            t = (side * h - o[2]) / d[2]
            if t > NEAR and t < best:
                p = o + d * t
                if p[0] * p[0] + p[1] * p[1] <= r * r * 1.000002:
                    best = t
                    n = wp.vec3(0.0, 0.0, side)
    return best, n


@wp.func
def near(o: wp.vec3, d: wp.vec3, around: wp.vec4):
    """Whether a ray may meet the sphere."""
    oo = o - wp.vec3(around[0], around[1], around[2])
    b = wp.dot(oo, d)
    foot = oo - d * b
    return wp.dot(foot, foot) <= around[3] * around[3] and b <= around[3]


@wp.func
def against(w: Worlds, f: int, i: int, o: wp.vec3, d: wp.vec3, tmax: float):
    """Distance and normal, in the world, of primitive i."""
    back = w[0].back[f, i]
    t, n = solid(w[0].kind[i], w[0].size[i], wp.transform_point(back, o), wp.transform_vector(back, d), tmax)
    return t, n


@wp.func
def ball(w: Worlds, f: int, j: int, o: wp.vec3, d: wp.vec3, tmax: float):
    """Distance of ball j (tmax: none)."""
    oo = o - w[0].place[f, j]
    along = wp.dot(oo, d)
    foot = oo - d * along
    q = w[0].radius[j] * w[0].radius[j] - wp.dot(foot, foot)
    if q > 0.0:
        t = -along - wp.sqrt(q)
        if t > NEAR and t < tmax:
            return t
    return tmax


@wp.func
def trace(w: Worlds, f: int, o: wp.vec3, d: wp.vec3, tmax: float, mask: wp.uint32, skip: int):
    """The nearest thing along a ray at frame f, among what the mask admits and without the body numbered `skip` (-1: none)."""
    h = Hit()
    h.t = tmax
    h.kind = NOTHING
    h.idx = -1
    if w[0].floor == 1 and d[2] < -1.0e-9 and o[2] > w[0].floor_z:
        t = (w[0].floor_z - o[2]) / d[2]
        if t > NEAR and t < h.t:
            h.t = t
            h.kind = FLOOR
            h.n = wp.vec3(0.0, 0.0, 1.0)
    if w[0].prims > 0 and mask != wp.uint32(0):
        if w[0].few == 1:
            for i in range(w[0].prims):
                if ((mask >> wp.uint32(i)) & wp.uint32(1)) != wp.uint32(0) and w[0].body[i] != skip:
                    if near(o, d, w[0].around[f, i]):
                        t, n = against(w, f, i, o, d, h.t)
                        if t < h.t:
                            h.t = t
                            h.kind = PRIMITIVE
                            h.idx = i
                            h.n = n
        else:
            query = wp.bvh_query_ray(w[0].tree[f], o, d)
            i = int(0)
            while wp.bvh_query_next(query, i, h.t):
                if w[0].around[f, i][3] > 0.0 and w[0].body[i] != skip:
                    t, n = against(w, f, i, o, d, h.t)
                    if t < h.t:
                        h.t = t
                        h.kind = PRIMITIVE
                        h.idx = i
                        h.n = n
        if h.kind == PRIMITIVE:
            h.n = wp.transform_vector(w[0].pose[f, h.idx], h.n)
    if w[0].faces > 0 and (mask & MESH_BIT) != wp.uint32(0) and near(o, d, w[0].around_mesh[f]):
        past = float(0.0)
        while past < h.t:  # on through the triangles of the body that is skipped
            found = wp.mesh_query_ray(w[0].meshes[f], o + d * past, d, h.t - past)
            if not found.result:
                past = h.t
            elif w[0].face_body[found.face] == skip or found.t + past <= NEAR:
                past += found.t + NEAR
            else:
                h.t = found.t + past
                h.kind = TRIANGLE
                h.idx = found.face
                h.u = found.u
                h.v = found.v
                h.n = found.normal
                if wp.dot(h.n, d) > 0.0:
                    h.n = -h.n
                past = h.t
    if w[0].balls > 0 and (mask & BALL_BIT) != wp.uint32(0) and near(o, d, w[0].around_balls[f]):
        query_balls = wp.bvh_query_ray(w[0].ball_tree[f], o, d)
        j = int(0)
        while wp.bvh_query_next(query_balls, j, h.t):
            if w[0].ball_body[j] != skip and w[0].visible[f, w[0].ball_body[j]] != wp.uint8(0):
                t = ball(w, f, j, o, d, h.t)
                if t < h.t:
                    h.t = t
                    h.kind = BALL
                    h.idx = j
        if h.kind == BALL:
            h.n = wp.normalize(o + d * h.t - w[0].place[f, h.idx])
    return h


@wp.func
def blocked(w: Worlds, f: int, o: wp.vec3, d: wp.vec3, tmax: float, mask: wp.uint32):
    """Whether a body that the mask admits is in a ray's way; the floor is not asked."""
    hit = bool(False)
    if w[0].prims > 0 and mask != wp.uint32(0):
        if w[0].few == 1:
            for i in range(w[0].prims):
                if ((mask >> wp.uint32(i)) & wp.uint32(1)) != wp.uint32(0) and near(o, d, w[0].around[f, i]):
                    t, _n = against(w, f, i, o, d, tmax)
                    if t < tmax:
                        hit = True
                        break
        else:
            query = wp.bvh_query_ray(w[0].tree[f], o, d)
            i = int(0)
            while wp.bvh_query_next(query, i, tmax):
                if w[0].around[f, i][3] > 0.0:
                    t, _n = against(w, f, i, o, d, tmax)
                    if t < tmax:
                        hit = True
                        break
    if not hit and w[0].faces > 0 and (mask & MESH_BIT) != wp.uint32(0) and near(o, d, w[0].around_mesh[f]):
        hit = wp.mesh_query_ray_anyhit(w[0].meshes[f], o, d, tmax)
    if not hit and w[0].balls > 0 and (mask & BALL_BIT) != wp.uint32(0) and near(o, d, w[0].around_balls[f]):
        query_balls = wp.bvh_query_ray(w[0].ball_tree[f], o, d)
        j = int(0)
        while wp.bvh_query_next(query_balls, j, tmax):
            if w[0].visible[f, w[0].ball_body[j]] != wp.uint8(0):
                if ball(w, f, j, o, d, tmax) < tmax:
                    hit = True
                    break
    return hit


@wp.func
def owner(w: Worlds, h: Hit):
    """Number of the body that was hit, from 1; 0 for the floor and nothing."""
    if h.kind == PRIMITIVE:
        return w[0].body[h.idx] + 1
    if h.kind == TRIANGLE:
        return w[0].face_body[h.idx] + 1
    if h.kind == BALL:
        return w[0].ball_body[h.idx] + 1
    return 0


@wp.func
def torn(w: Worlds, h: Hit, f: int, g: int):
    """Whether the body at frame g is not the one it was at f, its neighbour, or not there: then nothing of it goes over."""
    body = owner(w, h)
    if body == 0:
        return False
    return w[0].cut[wp.max(f, g), body - 1] != wp.uint8(0) or w[0].visible[g, body - 1] == wp.uint8(0)


@wp.func
def there(w: Worlds, h: Hit, g: int):
    """Whether the body that was hit is there at frame g."""
    body = owner(w, h)
    return body == 0 or w[0].visible[g, body - 1] != wp.uint8(0)


@wp.func
def carry(w: Worlds, h: Hit, p: wp.vec3, f: int, g: int):
    """Where the surface point p that was hit at frame f is at frame g: p moved by the difference of the two frames, so that what
    is at rest stays where it is to the last bit."""
    if h.kind == PRIMITIVE:
        inside = wp.transform_point(w[0].back[f, h.idx], p)
        return p + (wp.transform_point(w[0].pose[g, h.idx], inside) - wp.transform_point(w[0].pose[f, h.idx], inside))
    if h.kind == TRIANGLE:
        a = w[0].corners[h.idx * 3]
        b = w[0].corners[h.idx * 3 + 1]
        c = w[0].corners[h.idx * 3 + 2]
        first = (w[0].mesh[g, a] - w[0].mesh[f, a]) * h.u
        return p + first + (w[0].mesh[g, b] - w[0].mesh[f, b]) * h.v + (w[0].mesh[g, c] - w[0].mesh[f, c]) * (1.0 - h.u - h.v)
    if h.kind == BALL:
        return p + (w[0].place[g, h.idx] - w[0].place[f, h.idx])
    return p


@wp.func
def margin(far: float):
    """How much nearer than a point of a surface something must be to hide it."""
    return 1.0e-3 + 1.0e-4 * far


@wp.func
def tile_mask(w: Worlds, f: int, u: float, v: float):
    """What a ray through image point (u, v) at frame f may meet."""
    return w[0].masks[f, int(v) / TILE, int(u) / TILE]


@wp.func
def sees(w: Worlds, g: int, eye: wp.vec3, p: wp.vec3, mask: wp.uint32):
    """Whether nothing is between the eye and a point of a surface at frame g."""
    sight = p - eye
    far = wp.length(sight)
    return trace(w, g, eye, sight / far, far - margin(far), mask, -1).kind == NOTHING


@wp.func
def ray(view: wp.transform, focal: float, cx: float, cy: float, u: float, v: float):
    """Unit direction in the world of image point (u, v)."""
    return wp.transform_vector(view, wp.normalize(wp.vec3((u - cx) / focal, (v - cy) / focal, 1.0)))

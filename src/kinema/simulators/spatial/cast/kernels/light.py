"""Light: surfaces under a sun and a sky, shadows, reflections, and what is infinitely far."""
# mypy: ignore-errors

import warp as wp

from .patterns import fbm, frac, lattice, pattern
from .rays import (
    ALL,
    BALL,
    FAR,
    FLOOR,
    NOTHING,
    PRIMITIVE,
    TILE,
    TRIANGLE,
    Hit,
    Views,
    Worlds,
    blocked,
    ray,
    tile_mask,
    trace,
)

LIFT = wp.constant(1.0e-3)


@wp.struct
class Shading:
    """Looks (that of the floor is 0), the light and the surroundings. `origin` is the world's place of the coordinates' zero;
    `across` of the sun is the tangent of its angular radius; `tones` turns the root of linear light into bytes."""

    color: wp.array(dtype=wp.vec3)
    second: wp.array(dtype=wp.vec3)
    texture: wp.array(dtype=int)
    mean: wp.array(dtype=float)
    bump: wp.array(dtype=float)
    scale: wp.array(dtype=float)
    gloss: wp.array(dtype=float)
    mirror: wp.array(dtype=float)
    clear: wp.array(dtype=float)
    shift: wp.array(dtype=wp.vec3)
    table: wp.array(dtype=float)
    tones: wp.array(dtype=wp.uint8)
    origin: wp.vec3
    sun: wp.vec3
    sun_x: wp.vec3
    sun_y: wp.vec3
    sun_color: wp.vec3
    above: wp.vec3
    below: wp.vec3
    zenith: wp.vec3
    horizon: wp.vec3
    ground: wp.vec3
    fog: wp.vec3
    clouds: float
    haze: float
    around: int
    turn: float


Shadings = wp.array(dtype=Shading)


@wp.struct
class Surface:
    """Colour and shading normal; of the sky its light."""

    base: wp.vec3
    n: wp.vec3
    look: int


@wp.func
def silhouette(s: Shadings, x: float, y: float, coarse: float, layer: float):
    """Height of far hills in direction (x, y), unit."""
    q = wp.vec3(x * coarse + s[0].turn, y * coarse + 0.5 * s[0].turn, layer)
    return 0.5 + fbm(s[0].table, q, 4)


@wp.func
def far_away(s: Shadings, d: wp.vec3):
    """Light from infinitely far."""
    flat = wp.max(1.0e-4, wp.sqrt(d[0] * d[0] + d[1] * d[1]))
    x = d[0] / flat
    y = d[1] / flat
    rise = d[2] / flat
    if s[0].around == 3:  # a room: four walls with a skirting board, and a ceiling
        side = wp.max(wp.abs(x), wp.abs(y))
        high = rise / side
        face = wp.abs(y) > wp.abs(x)
        shadow = 0.86
        if face:
            shadow = 1.0
        if high > 0.75:
            return s[0].zenith * (0.8 + 0.2 * wp.min(1.0, 1.0 / high))
        along = wp.min(wp.abs(x), wp.abs(y)) / side
        wall = s[0].horizon * (shadow * (1.0 - 0.22 * along * along * along * along))
        if high < 0.03:
            wall = s[0].ground * shadow
        return wall * (0.94 + 0.06 * wp.min(1.0, wp.max(0.0, high) * 2.0))
    if s[0].around == 4:  # a studio's curved paper
        k = wp.clamp(d[2] * 1.3, 0.0, 1.0)
        k = k * k * (3.0 - 2.0 * k)
        return s[0].horizon * (1.0 - k) + s[0].zenith * k
    k = wp.sqrt(wp.clamp(d[2], 0.0, 1.0))
    light = s[0].horizon * (1.0 - k) + s[0].zenith * k
    m = wp.max(0.0, wp.dot(d, s[0].sun))
    m4 = m * m * m * m
    glow = m4 * m4
    light = light + s[0].sun_color * (0.12 * glow + 0.35 * glow * glow * glow * glow)
    if s[0].clouds > 0.0 and d[2] > 0.01:
        at = wp.vec3(d[0] / (d[2] + 0.15) * 1.6 + s[0].turn, d[1] / (d[2] + 0.15) * 1.6, 2.5)
        cover = fbm(s[0].table, at, 4) + 0.6 * (s[0].clouds - 0.5)
        thick = wp.smoothstep(0.0, 0.35, cover) * wp.smoothstep(0.01, 0.12, d[2])
        bright = 1.05 - 0.35 * wp.smoothstep(0.1, 0.6, cover)
        cloud = wp.cw_mul(wp.vec3(0.9, 0.9, 0.92), s[0].horizon * 0.35 + s[0].sun_color * 0.75) * bright
        light = light * (1.0 - 0.9 * thick) + cloud * (0.9 * thick)
    if s[0].around == 1:  # hills, two ranges
        tall = 0.10 * silhouette(s, x, y, 2.3, 7.5) + 0.03
        if rise < tall:
            light = s[0].horizon * 0.55 + s[0].ground * 0.3
        short = 0.075 * silhouette(s, x, y, 3.7, 1.5)
        if rise < short:
            light = s[0].ground * (0.8 + 0.5 * fbm(s[0].table, wp.vec3(x * 40.0, y * 40.0, rise * 90.0), 2)) + s[0].horizon * 0.15
    elif s[0].around == 2:  # a skyline
        angle = wp.atan2(y, x) * 9.0 + s[0].turn
        for layer in range(2):
            dense = 1.0 + 0.7 * float(layer)
            cell = wp.floor(angle * dense)
            size = lattice(s[0].table, int(cell), 5 + layer, 3)
            high = (0.13 - 0.045 * float(layer)) * (0.9 + 0.8 * size)
            if rise < high:
                tone = 0.5 - 0.16 * float(layer) + 0.1 * lattice(s[0].table, int(cell), 9, layer)
                wall = s[0].ground * tone + s[0].horizon * (0.5 - 0.2 * float(layer))
                window = frac(angle * dense * 8.0) > 0.45 and frac(rise * 120.0) > 0.5 and rise < high - 0.006
                if window:
                    lamp = lattice(s[0].table, int(angle * dense * 8.0), int(rise * 120.0), 7)
                    wall = wall * 0.72
                    if lamp > 0.8:
                        wall = wall + wp.vec3(0.16, 0.13, 0.07)
                light = wall
    if rise < 0.0:
        light = s[0].fog
    return light


@wp.func
def matter_normal(w: Worlds, f: int, h: Hit, p: wp.vec3):
    """The normal of matter made of balls: away from the neighbours that p lies among."""
    r = 4.5 * w[0].radius[h.idx]
    reach = wp.vec3(r, r, r)
    total = h.n * 0.3
    query = wp.bvh_query_aabb(w[0].ball_tree[f], p - reach, p + reach)
    j = int(0)
    while wp.bvh_query_next(query, j):
        away = p - w[0].place[f, j]
        far = wp.length(away)
        if far < r and far > 1.0e-9:
            total += away * ((1.0 - far / r) / far)
    return wp.normalize(total)


@wp.func
def surface(w: Worlds, s: Shadings, f: int, h: Hit, p: wp.vec3, d: wp.vec3, pixel: float):
    """Colour and shading normal of what was hit; `pixel` is the angle of a pixel."""
    out = Surface()
    out.n = h.n
    out.look = 0
    q = p + s[0].origin
    local = h.n
    turn = wp.quat_identity()
    if h.kind == PRIMITIVE:
        out.look = w[0].look[h.idx] + 1
        q = wp.transform_point(w[0].back[f, h.idx], p)
        turn = wp.transform_get_rotation(w[0].pose[f, h.idx])
        local = wp.quat_rotate_inv(turn, h.n)
    elif h.kind == TRIANGLE:
        a = w[0].corners[h.idx * 3]
        b = w[0].corners[h.idx * 3 + 1]
        c = w[0].corners[h.idx * 3 + 2]
        k = 1.0 - h.u - h.v
        out.look = w[0].face_look[h.idx] + 1
        q = w[0].rest[a] * h.u + w[0].rest[b] * h.v + w[0].rest[c] * k
        local = wp.cross(w[0].rest[b] - w[0].rest[a], w[0].rest[c] - w[0].rest[a])
        if w[0].face_smooth[h.idx] == 1:
            out.n = wp.normalize(w[0].normal[f, a] * h.u + w[0].normal[f, b] * h.v + w[0].normal[f, c] * k)
            if wp.dot(out.n, h.n) < 0.0:
                out.n = -out.n
    elif h.kind == BALL:
        out.look = w[0].ball_look[h.idx] + 1
        q = w[0].ball_rest[h.idx]
        out.n = matter_normal(w, f, h, p)
    kind = s[0].texture[out.look]
    out.base = s[0].color[out.look]
    if kind > 0:
        scale = s[0].scale[out.look]
        wide = h.t * pixel / (scale * wp.max(0.08, -wp.dot(h.n, d)))
        at = q / scale + s[0].shift[out.look]
        # What is finer than a pixel is its mean; relief goes first.
        blur = wp.smoothstep(0.25, 0.9, wide)
        mix = s[0].mean[out.look]
        if blur < 1.0:
            sharp = pattern(s[0].table, kind, at, local)
            bump = s[0].bump[out.look] * (1.0 - wp.smoothstep(0.08, 0.3, wide))
            if bump > 0.0 and h.kind != BALL:
                e = 0.02
                rise = wp.vec3(
                    pattern(s[0].table, kind, at + wp.vec3(e, 0.0, 0.0), local) - sharp,
                    pattern(s[0].table, kind, at + wp.vec3(0.0, e, 0.0), local) - sharp,
                    0.0,
                )
                if h.kind != FLOOR:
                    rise[2] = pattern(s[0].table, kind, at + wp.vec3(0.0, 0.0, e), local) - sharp
                rise = wp.quat_rotate(turn, rise) * (bump / e)
                long = wp.length(rise)
                if long > 0.6:
                    rise = rise * (0.6 / long)
                out.n = wp.normalize(out.n + rise - out.n * wp.dot(rise, out.n))
            mix = sharp * (1.0 - blur) + mix * blur
        out.base = s[0].color[out.look] * (1.0 - mix) + s[0].second[out.look] * mix
    return out


@wp.func
def near_dark(w: Worlds, f: int, p: wp.vec3, n: wp.vec3, mask: wp.uint32):
    """How much of the sky is left at a point of the floor: bodies close above take it away."""
    left = float(1.0)
    if w[0].few == 1 and mask != wp.uint32(0):
        for i in range(w[0].prims):
            around = w[0].around[f, i]
            reach = around[3]
            away = p - wp.vec3(around[0], around[1], around[2])
            admitted = ((mask >> wp.uint32(i)) & wp.uint32(1)) != wp.uint32(0)
            if admitted and wp.dot(away, away) < 4.0 * reach * reach:
                q = wp.transform_point(w[0].back[f, i], p + n * (0.25 * reach))
                size = w[0].size[i]
                r = size[0]
                far = wp.length(q) - r
                if w[0].kind[i] == 2:
                    inner = wp.vec3(wp.clamp(q[0], -r, r), wp.clamp(q[1], -size[1], size[1]), wp.clamp(q[2], -size[2], size[2]))
                    far = wp.length(q - inner)
                elif w[0].kind[i] > 2:
                    q = wp.vec3(q[0], q[1], q[2] - wp.clamp(q[2], -size[1], size[1]))
                    far = wp.length(q) - r
                left = left * wp.clamp(0.35 + 0.65 * far / (0.6 * reach), 0.35, 1.0)
    return left


@wp.func
def lit(w: Worlds, s: Shadings, f: int, h: Hit, x: Surface, p: wp.vec3, d: wp.vec3, sun: wp.vec3, mask: wp.uint32):
    """Light that a surface sends back towards the eye, of the sun and from all sides, without reflections."""
    bright = wp.max(0.0, wp.dot(x.n, sun))
    # What faces away from the sun is dark whatever its bumps; the last of it fades, or bumps would end in a line.
    bright = bright * wp.clamp(wp.dot(h.n, sun) * 12.0, 0.0, 1.0)
    if h.kind == BALL:
        bright = wp.max(0.0, wp.dot(x.n, sun))
    if bright > 0.0:
        # Balls shade each other only beyond the neighbours that make one surface with them.
        lift = LIFT
        if h.kind == BALL:
            lift = 3.0 * w[0].radius[h.idx]
        if blocked(w, f, p + x.n * lift, sun, FAR, mask):
            bright = 0.0
    k = 0.5 + 0.5 * x.n[2]
    sky = s[0].above * k + s[0].below * (1.0 - k)
    if h.kind == FLOOR:
        sky = sky * near_dark(w, f, p, h.n, mask)
    light = wp.cw_mul(x.base, s[0].sun_color * bright + sky)
    gloss = s[0].gloss[x.look]
    if bright > 0.0 and gloss > 0.0:
        mirror = d - x.n * (2.0 * wp.dot(d, x.n))
        m = wp.dot(mirror, sun)
        if m > 0.7:
            light += s[0].sun_color * (gloss * wp.pow(m, 12.0 + 90.0 * gloss))
    return light


@wp.func
def hazy(s: Shadings, light: wp.vec3, t: float):
    k = wp.exp(-(t * s[0].haze) * (t * s[0].haze))
    return light * k + s[0].fog * (1.0 - k)


@wp.func
def seen(w: Worlds, s: Shadings, f: int, o: wp.vec3, d: wp.vec3, sun: wp.vec3, pixel: float, mask: wp.uint32, skip: int):
    """Light along a ray that was bent, without further reflections."""
    h = trace(w, f, o, d, FAR, mask, skip)
    if h.kind == NOTHING:
        return far_away(s, d)
    p = o + d * h.t
    x = surface(w, s, f, h, p, d, pixel)
    return hazy(s, lit(w, s, f, h, x, p, d, sun, ALL), h.t)


@wp.func
def shade(
    w: Worlds, s: Shadings, f: int, h: Hit, x: Surface, o: wp.vec3, d: wp.vec3, sun: wp.vec3, pixel: float,
    dark: wp.uint32, mirrored: wp.uint32,
):  # fmt: skip
    """Light that comes along a ray that hit a surface."""
    p = o + d * h.t
    mask = ALL
    if h.kind == FLOOR:
        mask = dark
    light = lit(w, s, f, h, x, p, d, sun, mask)
    facing = wp.clamp(-wp.dot(d, x.n), 0.0, 1.0)
    clear = s[0].clear[x.look]
    mirror = s[0].mirror[x.look]
    rim = 1.0 - facing
    rim = rim * rim * rim * rim * rim
    share = mirror + (0.6 * s[0].gloss[x.look] + 0.4 * mirror) * (1.0 - mirror) * rim
    # One more ray where it is worth it: through what is clear, off what mirrors.
    if clear > 0.0:
        bent = wp.normalize(d * 0.85 - x.n * 0.15)
        body = -1
        if h.kind == PRIMITIVE:
            body = w[0].body[h.idx]
        elif h.kind == TRIANGLE:
            body = w[0].face_body[h.idx]
        elif h.kind == BALL:
            body = w[0].ball_body[h.idx]
        behind = wp.cw_mul(seen(w, s, f, p, bent, sun, pixel, ALL, body), s[0].color[x.look] * 0.7 + wp.vec3(0.3, 0.3, 0.3))
        light = light * (1.0 - clear) + behind * clear
    if share > 0.02:
        away = d - x.n * (2.0 * wp.dot(d, x.n))
        away = wp.normalize(away + h.n * wp.max(0.0, 0.02 - wp.dot(away, h.n)))
        admitted = ALL
        if h.kind == FLOOR:  # flat, as its mask says
            away = wp.vec3(d[0], d[1], -d[2])
            admitted = mirrored
        other = s[0].horizon
        if mirror > 0.0:
            other = seen(w, s, f, p + h.n * LIFT, away, sun, pixel, admitted, -1)
        else:
            k = wp.clamp(0.5 + away[2], 0.0, 1.0)
            other = s[0].below * (1.0 - k) + s[0].zenith * k
        tint = wp.vec3(1.0, 1.0, 1.0) * (1.0 - mirror) + x.base * mirror
        light = light * (1.0 - share) + wp.cw_mul(other, tint) * share
    return hazy(s, light, h.t)


@wp.func
def place(i: int, samples: int):
    return (float(i) + 0.5) / float(samples)


@wp.kernel
def scenery(
    w: Worlds, s: Shadings, views: Views, focal: float, cx: float, cy: float, samples: int,
    back: wp.array2d(dtype=Surface),
):  # fmt: skip
    """What is behind all bodies: the floor or the sky."""
    y, x = wp.tid()
    o = wp.transform_get_translation(views[0])
    d = ray(views[0], focal, cx, cy, place(x, samples), place(y, samples))
    h = trace(w, 0, o, d, FAR, wp.uint32(0), -1)
    if h.kind == NOTHING:
        sky = Surface()
        sky.base = far_away(s, d)
        back[y, x] = sky
    else:
        back[y, x] = surface(w, s, 0, h, o + d * h.t, d, 1.0 / (focal * float(samples)))


@wp.kernel
def picture(
    w: Worlds, s: Shadings, views: Views, focal: float, cx: float, cy: float, first: int, samples: int,
    strip: int, hits: wp.array3d(dtype=Hit), back: wp.array2d(dtype=Surface), rgb: wp.array4d(dtype=wp.uint8),
):  # fmt: skip
    """`samples` x `samples` rays per pixel, each with its own point of the sun; `hits` are those of one ray, where there are any,
    `back` the scenery of a camera that stands still."""
    k, y, part = wp.tid()
    f = first + k
    view = views[f]
    o = wp.transform_get_translation(view)
    pixel = 1.0 / (focal * float(samples))
    for i_strip in range(strip):
        x = part * strip + i_strip
        light = wp.vec3(0.0, 0.0, 0.0)
        mask = tile_mask(w, f, float(x), float(y))
        dark = w[0].shadows[f, y / TILE, x / TILE]
        mirrored = w[0].mirrors[f, y / TILE, x / TILE]
        for i in range(samples):
            for j in range(samples):
                row = y * samples + i
                column = x * samples + j
                d = ray(view, focal, cx, cy, place(column, samples), place(row, samples))
                h = Hit()
                if hits.shape[0] > 0:
                    h = hits[k, y, x]
                else:
                    h = trace(w, f, o, d, FAR, mask, -1)
                sun = s[0].sun
                if samples > 1:
                    # Neighbouring pixels share a grid of the sun's points, which rows take in another order than columns.
                    a = place((2 * (j + i) + (x & 1)) % (2 * samples), 2 * samples) * 2.0 - 1.0
                    b = place((2 * (i + 2 * j) + (y & 1)) % (2 * samples), 2 * samples) * 2.0 - 1.0
                    sun = wp.normalize(s[0].sun + s[0].sun_x * a + s[0].sun_y * b)
                c = wp.vec3(0.0, 0.0, 0.0)
                x_at = Surface()
                if back.shape[0] > 0 and (h.kind == NOTHING or h.kind == FLOOR):
                    x_at = back[row, column]
                    c = x_at.base
                elif h.kind == NOTHING:
                    c = far_away(s, d)
                else:
                    x_at = surface(w, s, f, h, o + d * h.t, d, pixel)
                if h.kind != NOTHING:
                    c = shade(w, s, f, h, x_at, o, d, sun, pixel, dark, mirrored)
                light += wp.vec3(wp.clamp(c[0], 0.0, 2.0), wp.clamp(c[1], 0.0, 2.0), wp.clamp(c[2], 0.0, 2.0))
        light = light / float(samples * samples)
        for channel in range(3):
            rgb[f, channel, y, x] = s[0].tones[int(wp.sqrt(light[channel]) * 1447.0)]

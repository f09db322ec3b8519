"""Procedural solid textures: how much of a look's second colour is at a point, from a table of random numbers."""
# mypy: ignore-errors

import warp as wp


@wp.func
def lattice(table: wp.array(dtype=float), x: int, y: int, z: int):
    return table[(x & 31) + ((y & 31) << 5) + ((z & 31) << 10)]


@wp.func
def noise(table: wp.array(dtype=float), q: wp.vec3):
    """Smooth noise, -1 to 1, of period 32."""
    fx = wp.floor(q[0])
    fy = wp.floor(q[1])
    fz = wp.floor(q[2])
    x = int(fx)
    y = int(fy)
    z = int(fz)
    a = q[0] - fx
    b = q[1] - fy
    c = q[2] - fz
    a = a * a * (3.0 - 2.0 * a)
    b = b * b * (3.0 - 2.0 * b)
    c = c * c * (3.0 - 2.0 * c)
    low = wp.lerp(
        wp.lerp(lattice(table, x, y, z), lattice(table, x + 1, y, z), a),
        wp.lerp(lattice(table, x, y + 1, z), lattice(table, x + 1, y + 1, z), a),
        b,
    )
    high = wp.lerp(
        wp.lerp(lattice(table, x, y, z + 1), lattice(table, x + 1, y, z + 1), a),
        wp.lerp(lattice(table, x, y + 1, z + 1), lattice(table, x + 1, y + 1, z + 1), a),
        b,
    )
    return wp.lerp(low, high, c)


@wp.func
def fbm(table: wp.array(dtype=float), q: wp.vec3, octaves: int):
    total = float(0.0)
    weight = float(0.5)
    at = q
    for _k in range(octaves):
        total += weight * noise(table, at)
        at = wp.vec3(at[1] * 2.03 + 5.1, at[2] * 2.03 + 1.7, at[0] * 2.03 + 3.3)
        weight *= 0.5
    return total


@wp.func
def flat(q: wp.vec3, n: wp.vec3):
    """The two coordinates along the side that faces most where the normal does; upright sides have z second."""
    x = wp.abs(n[0])
    y = wp.abs(n[1])
    z = wp.abs(n[2])
    if z >= x and z >= y:
        return wp.vec2(q[0], q[1])
    if x >= y:
        return wp.vec2(q[1], q[2])
    return wp.vec2(q[0], q[2])


@wp.func
def frac(x: float):
    return x - wp.floor(x)


@wp.func
def seam(x: float, wide: float):
    """1 within `wide` of whole numbers, softly 0 beyond."""
    away = wp.abs(frac(x + 0.5) - 0.5)
    return 1.0 - wp.smoothstep(0.6 * wide, 1.4 * wide, away)


@wp.func
def chips(table: wp.array(dtype=float), a: wp.vec2):
    """Chips of stone in cement: 0 between them, the chip's own tone inside."""
    found = float(0.0)
    x = int(wp.floor(a[0]))
    y = int(wp.floor(a[1]))
    for i in range(3):
        for j in range(3):
            cx = x + i - 1
            cy = y + j - 1
            px = float(cx) + 0.5 + 0.4 * lattice(table, cx, cy, 3)
            py = float(cy) + 0.5 + 0.4 * lattice(table, cx, cy, 7)
            turn = 3.0 * lattice(table, cx, cy, 11)
            dx = a[0] - px
            dy = a[1] - py
            u = wp.abs(dx * wp.cos(turn) + dy * wp.sin(turn))
            v = wp.abs(dy * wp.cos(turn) - dx * wp.sin(turn))
            size = 0.22 + 0.16 * lattice(table, cx, cy, 13)
            if u + 0.6 * v < size and v < size:
                found = 0.65 + 0.35 * lattice(table, cx, cy, 17)
    return found


@wp.func
def pattern(table: wp.array(dtype=float), kind: int, q: wp.vec3, n: wp.vec3):
    """0 (first colour) to 1 (second) of texture `kind`, its place in looks.TEXTURES, at q in units of its scale."""
    a = flat(q, n)
    mix = float(0.0)
    if kind == 1:  # checker
        mix = float((int(wp.floor(q[0] + 1.0e-3)) + int(wp.floor(q[1] + 1.0e-3)) + int(wp.floor(q[2] + 1.0e-3))) & 1)
    elif kind == 2:  # stripes
        mix = float(int(wp.floor(q[0] + q[2])) & 1)
    elif kind == 3:  # dots
        x = frac(a[0]) - 0.5
        y = frac(a[1]) - 0.5
        mix = 1.0 - wp.smoothstep(0.075, 0.095, x * x + y * y)
    elif kind == 4:  # noise
        mix = wp.smoothstep(-0.3, 0.3, fbm(table, q, 3))
    elif kind == 5:  # wood
        ring = q[0] * 0.9 + 0.6 * q[2] + 1.3 * noise(table, wp.vec3(q[0] * 0.4, q[1] * 0.12, q[2] * 0.4))
        grain = noise(table, wp.vec3(q[0] * 11.0, q[1] * 0.7, q[2] * 11.0))
        mix = wp.clamp(0.3 + 0.3 * wp.sin(6.2832 * ring) + 0.28 * grain, 0.0, 1.0)
    elif kind == 6:  # marble
        vein = wp.abs(wp.sin(2.0 * q[0] + 1.1 * q[1] + 0.7 * q[2] + 6.0 * fbm(table, q * 0.8, 4)))
        vein = 1.0 - vein
        mix = wp.clamp(vein * vein * vein * 0.85 + 0.25 * wp.max(0.0, fbm(table, q * 0.5, 2)), 0.0, 1.0)
    elif kind == 7:  # bricks, one wide, half high
        row = wp.floor(2.0 * a[1])
        x = a[0] + 0.5 * float(int(row) & 1)
        joint = wp.max(seam(x, 0.035), seam(2.0 * a[1], 0.07))
        tone = 0.22 + 0.22 * lattice(table, int(wp.floor(x)), int(row), 5) + 0.12 * noise(table, q * 9.0)
        mix = wp.lerp(wp.clamp(tone, 0.0, 0.6), 1.0, joint)
    elif kind == 8:  # metal, brushed
        mix = 0.35 + 0.25 * noise(table, wp.vec3(a[0] * 1.5, a[1] * 28.0, 0.5)) + 0.15 * noise(table, wp.vec3(a[0] * 3.0, a[1] * 61.0, 4.5))
    elif kind == 9:  # fabric, a weave of 8 threads
        x = a[0] * 8.0
        y = a[1] * 8.0
        over = (int(wp.floor(x)) + int(wp.floor(y))) & 1
        thread = wp.sin(3.14159 * frac(x))
        if over == 1:
            thread = wp.sin(3.14159 * frac(y))
        mix = 0.75 - 0.55 * thread + 0.15 * noise(table, q * 3.0)
    elif kind == 10:  # concrete
        mix = wp.clamp(0.45 + 0.7 * fbm(table, q * 0.9, 4) + 0.12 * noise(table, q * 23.0), 0.0, 1.0)
    elif kind == 11:  # grass
        blade = noise(table, wp.vec3(q[0] * 17.0, q[1] * 6.0, 2.5)) + noise(table, wp.vec3(q[0] * 7.0, q[1] * 19.0, 9.5))
        mix = wp.clamp(0.45 + 0.3 * blade + 0.5 * fbm(table, q * 0.7, 2), 0.0, 1.0)
    elif kind == 12:  # asphalt
        grit = noise(table, q * 14.0) + 0.7 * noise(table, q * 31.0)
        mix = wp.clamp(0.4 + 0.38 * grit + 0.35 * fbm(table, q * 0.35, 2), 0.0, 1.0)
    elif kind == 13:  # tiles
        joint = wp.max(seam(a[0], 0.02), seam(a[1], 0.02))
        tone = 0.12 + 0.12 * lattice(table, int(wp.floor(a[0])), int(wp.floor(a[1])), 9) + 0.1 * fbm(table, q * 3.0, 2)
        mix = wp.lerp(wp.clamp(tone, 0.0, 0.5), 1.0, joint)
    elif kind == 14:  # sand, with ripples
        ripple = wp.sin(6.2832 * (a[1] + 0.35 * noise(table, q * 0.7)))
        mix = wp.clamp(0.42 + 0.18 * ripple + 0.22 * noise(table, q * 27.0) + 0.25 * fbm(table, q * 0.5, 2), 0.0, 1.0)
    elif kind == 15:  # terrazzo
        mix = chips(table, a * 5.0)
    elif kind == 16:  # carpet
        loops = wp.sin(37.7 * a[0]) * wp.sin(37.7 * a[1])
        mix = wp.clamp(0.4 + 0.3 * noise(table, q * 21.0) + 0.2 * loops + 0.3 * fbm(table, q, 2), 0.0, 1.0)
    elif kind == 17:  # planks, one long, a quarter wide
        board = wp.floor(a[1] * 4.0)
        shift = lattice(table, int(board), 3, 1)
        x = a[0] + 0.5 * shift
        which = lattice(table, int(board), int(wp.floor(x)), 21)
        grain = noise(table, wp.vec3(x * 3.0 + 9.0 * which, a[1] * 46.0, 5.0 * which))
        slow = noise(table, wp.vec3(x * 1.2, a[1] * 12.0 + 7.0 * which, 3.5))
        joint = wp.max(seam(x, 0.004), seam(a[1] * 4.0, 0.02))
        mix = wp.lerp(wp.clamp(0.3 + 0.22 * which + 0.16 * grain + 0.16 * slow, 0.0, 0.8), 1.0, joint)
    elif kind == 18 and wp.abs(n[2]) < 0.7:  # windows, one to a square, on upright sides alone
        x = wp.abs(frac(a[0]) - 0.5)
        y = wp.abs(frac(a[1]) - 0.53)
        pane = 0.7 + 0.3 * lattice(table, int(wp.floor(a[0])), int(wp.floor(a[1])), 15)
        mix = pane * (1.0 - wp.smoothstep(0.27, 0.3, x)) * (1.0 - wp.smoothstep(0.29, 0.32, y))
        if x < 0.02:
            mix *= 0.4
    return mix

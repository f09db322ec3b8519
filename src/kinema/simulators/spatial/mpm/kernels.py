"""Warp kernels: particles that crowd are moved apart."""
# mypy: ignore-errors

import warp as wp


@wp.kernel
def spread(
    grid: wp.uint64, near: float, share: wp.array(dtype=float), points: wp.array(dtype=wp.vec3), moved: wp.array(dtype=wp.vec3)
) -> None:
    """Each particle is moved away from those nearer than `near` by its `share` of what they lack."""
    i = wp.tid()
    here = points[i]
    step = wp.vec3(0.0, 0.0, 0.0)
    for j in wp.hash_grid_query(grid, here, near):
        if j != i:
            apart = here - points[j]
            length = wp.length(apart)
            if length < near and length > 0.0:
                step += apart * ((near - length) / length)
    moved[i] = here + 0.5 * share[i] * step

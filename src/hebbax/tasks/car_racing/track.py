"""The road: a random closed loop of tiles, as CarRacing draws it.

A pen is steered around twelve random checkpoints, five times; the fourth lap becomes the road, if
it closes. Lengths are in metres, angles in radians.

Source: OpenAI Gym's CarRacing-v0 by Oleg Klimov, MIT licence, as in gymnasium's
`envs/box2d/car_racing.py`.
"""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from hebbax import platforms
from hebbax.types import PRNGKey, Struct

SCALE = 6.0  # The original's pixels per metre.
PLAYFIELD = 2000 / SCALE  # Half the width of the field.
ROAD_WIDTH = 40 / SCALE  # Half the width of the road.
BORDER_WIDTH = 8 / SCALE  # Of the red and white stripes along sharp turns.

NUM_CHECKPOINTS = 12
NUM_LAPS = 5  # That the pen goes, of which the last complete one is kept.
MAX_PATH = 2500  # Strides of the pen.
UNROLL = 4  # Strides in a trip of the loop, whose own work is more than that of a stride.
MOST_PENS = 4  # That draw for one road at first, where there are pens enough.
# Of 1,000 tracks of the original the longest has 389 tiles. A longer one is drawn anew.
MAX_TILES = 416

TRACK_RADIUS = 900 / SCALE
STRIDE = 21 / SCALE  # Length of a tile.
TURN_RATE = 0.31  # The most that the pen turns in a stride.
TURN_GAIN = 0.001  # Radians per pixel that the checkpoint is off the pen's course.
TURN_DEAD_BAND = 0.3  # Pixels.
SECTOR = 2 * jnp.pi / NUM_CHECKPOINTS
START_ANGLE = -0.5 * SECTOR  # Seen from the middle of the field; where laps begin.

BORDER_RUN = 4  # Strides in a row that turn sharply to the same side have borders.
SHARP_TURN = 0.2 * TURN_RATE
FAR_AWAY = 1e6  # Where tiles lie that a track does not have.


class Lap(Struct):
    """The line along the middle of the road, padded to the longest.

    angle: `[tiles]` direction of each point from the middle of the field.
    heading: `[tiles]` direction across the road to the right; the road goes on a quarter turn to
        the left of it.
    point: `[tiles, 2]` the points.
    length: `[]` number of points; what is beyond has no meaning.
    is_closed: `[]` whether head and tail meet within a stride.
    """

    angle: Float[Array, " tiles"]
    heading: Float[Array, " tiles"]
    point: Float[Array, "tiles 2"]
    length: Int[Array, ""]
    is_closed: Bool[Array, ""]


class Track(Struct):
    """A road of tiles, padded to the longest with tiles far away.

    Tile `i` lies between points `i - 1` and `i` of the line along its middle. Corners are in the
    order left and right at point `i`, right and left at point `i - 1`, seen in the direction of the
    road.

    point: `[tiles, 2]` m, line along the middle.
    heading: `[tiles]` rad, direction across the road to the right.
    corners: `[2, tiles, 4, 2]` m, of the tiles and of the striped borders next to them; far away
        where there is none.
    middle: `[2, tiles, 2]` m, mean of the corners.
    has_border: `[tiles]` which tiles have a border.
    length: `[]` number of tiles.
    """

    point: Float[Array, "tiles 2"]
    heading: Float[Array, " tiles"]
    corners: Float[Array, "2 tiles 4 2"]
    middle: Float[Array, "2 tiles 2"]
    has_border: Bool[Array, " tiles"]
    length: Int[Array, ""]


class _Pen(Struct):
    """What draws the line.

    Sums are kept with what rounding cuts off: five laps of float32 would drift by centimetres.

    position: `[3]` x and y in metres and the heading.
    rounding: `[3]` what is missing in them.
    target: `[]` number of the checkpoint that it steers to.
    was_behind: `[]` whether it was on the far half of the field since the last lap.
    num_laps: `[]` laps done.
    is_over: `[]` whether all laps were done before this stride.
    """

    position: Float[Array, "3"]
    rounding: Float[Array, "3"]
    target: Int[Array, ""]
    was_behind: Bool[Array, ""]
    num_laps: Int[Array, ""]
    is_over: Bool[Array, ""]


def draw_track(key: PRNGKey) -> Track:
    """Draws tracks until one closes. The key is consumed."""
    return pave(jax.tree.map(lambda leaf: leaf[0], draw_closed_laps(key[None])))


@jax.custom_batching.custom_vmap
def draw_closed_laps(keys: Key[Array, " batch"]) -> Lap:
    """Draws the first lap that closes, for each of some keys. The keys are consumed.

    Which it is depends on the key alone. Mapped, it draws the laps of all that it is mapped over
    with the same pens, and equal keys share theirs.
    """
    batch_size = keys.shape[0]
    first = _first_equal(jax.random.key_data(keys))
    num_pens = min(platforms.sizes().pens, MOST_PENS * batch_size)
    pens = jnp.arange(num_pens)

    def draw_some(carry: tuple[Array, Array, Lap]) -> tuple[Array, Array, Lap]:
        is_open, num_attempts, laps = carry
        # Pens go round those who have no lap yet.
        waiting = jnp.nonzero(is_open, size=batch_size, fill_value=0)[0]
        num_waiting = jnp.sum(is_open, dtype=jnp.int32)
        index = waiting[pens % num_waiting]
        attempt = num_attempts[index] + pens // num_waiting
        drawn = draw_laps(*jax.vmap(_checkpoints)(keys[index], attempt))
        # Of a key's attempts the first that closes has the lowest pen.
        closed_pens = jnp.where(drawn.is_closed, pens, num_pens)
        pen = jnp.full(batch_size, num_pens).at[index].min(closed_pens)
        is_found = pen < num_pens
        laps = jax.tree.map(
            lambda old, new: jax.vmap(jnp.where)(
                is_found, new[jnp.minimum(pen, num_pens - 1)], old
            ),
            laps,
            drawn,
        )
        return is_open & ~is_found, num_attempts.at[index].max(attempt + 1), laps

    blank = Lap(
        angle=jnp.zeros((batch_size, MAX_TILES)),
        heading=jnp.zeros((batch_size, MAX_TILES)),
        point=jnp.zeros((batch_size, MAX_TILES, 2)),
        length=jnp.zeros(batch_size, jnp.int32),
        is_closed=jnp.zeros(batch_size, bool),
    )
    is_open = first == jnp.arange(batch_size)
    num_attempts = jnp.zeros(batch_size, jnp.int32)
    _, _, laps = jax.lax.while_loop(
        lambda carry: jnp.any(carry[0]), draw_some, (is_open, num_attempts, blank)
    )
    return jax.tree.map(lambda leaf: leaf[first], laps)


@draw_closed_laps.def_vmap
def _draw_mapped(axis_size: int, is_mapped: list[bool], keys: Array) -> tuple[Lap, Lap]:
    """Draws the laps of all keys at once."""
    del axis_size, is_mapped  # Without a mapped argument nobody comes here.
    laps = draw_closed_laps(keys.reshape(-1))
    laps = jax.tree.map(lambda leaf: leaf.reshape(*keys.shape, *leaf.shape[1:]), laps)
    return laps, jax.tree.map(lambda _: True, laps)


def _first_equal(rows: Array) -> Int[Array, " rows"]:
    """The index of the first row that equals each row."""
    order = jnp.lexsort(tuple(rows.T))
    ordered = rows[order]
    is_new = jnp.any(ordered != jnp.roll(ordered, 1, axis=0), axis=1).at[0].set(True)
    start = jax.lax.cummax(jnp.where(is_new, jnp.arange(rows.shape[0]), 0))
    return jnp.zeros_like(order).at[order].set(order[start])


def _checkpoints(key: PRNGKey, attempt: Int[Array, ""]) -> tuple[Array, Array]:
    """Draws what `draw_laps` takes for one of the attempts of a key, which is not consumed."""
    angle_key, radius_key = jax.random.split(jax.random.fold_in(key, attempt))
    noise = jax.random.uniform(angle_key, (NUM_CHECKPOINTS,), maxval=SECTOR)
    radius = jax.random.uniform(
        radius_key, (NUM_CHECKPOINTS,), minval=TRACK_RADIUS / 3, maxval=TRACK_RADIUS
    )
    return noise, radius


def draw_laps(noise: Float[Array, "pens 12"], radius: Float[Array, "pens 12"]) -> Lap:
    """Draws the line along the middle of the road, with some pens side by side.

    Args:
        noise: `[pens, 12]` rad, how far each checkpoint is turned from the start of its sector; the
            first and the last have fixed places.
        radius: `[pens, 12]` m, distance of each checkpoint from the middle of the field.

    Returns:
        The last complete lap of each pen.
    """
    index = jnp.arange(NUM_CHECKPOINTS)
    is_fixed = (index == 0) | (index == NUM_CHECKPOINTS - 1)
    angle = (SECTOR * index.astype(noise.dtype))[None] + jnp.where(is_fixed, 0.0, noise)
    radius = jnp.where(is_fixed, 1.5 * TRACK_RADIUS, radius)
    checkpoint = radius[..., None] * jnp.stack([jnp.cos(angle), jnp.sin(angle)], axis=-1)

    num_pens = noise.shape[0]
    pens = _Pen(
        position=jnp.tile(jnp.array([1.5 * TRACK_RADIUS, 0.0, 0.0]), (num_pens, 1)),
        rounding=jnp.zeros((num_pens, 3)),
        target=jnp.zeros(num_pens, jnp.int32),
        was_behind=jnp.zeros(num_pens, bool),
        num_laps=jnp.zeros(num_pens, jnp.int32),
        is_over=jnp.zeros(num_pens, bool),
    )
    path = (
        jnp.zeros((MAX_PATH, num_pens)),
        jnp.zeros((MAX_PATH, num_pens)),
        jnp.zeros((MAX_PATH, num_pens, 2)),
        jnp.zeros((MAX_PATH, num_pens), bool),
    )

    def draw_strides(carry: tuple[Array, _Pen, tuple]) -> tuple[Array, _Pen, tuple]:
        start, pens, path = carry
        for i in range(UNROLL):
            pens, points = jax.vmap(_stride)(pens, angle, checkpoint)
            path = jax.tree.map(partial(_put, start + i), path, points)
        return start + UNROLL, pens, path

    _, _, path = jax.lax.while_loop(
        lambda carry: (carry[0] < MAX_PATH) & ~jnp.all(carry[1].is_over),
        draw_strides,
        (jnp.int32(0), pens, path),
    )
    return jax.vmap(_last_lap, in_axes=1)(*path)


def pave(lap: Lap) -> Track:
    """Lays tiles and borders along a line."""
    index = jnp.arange(MAX_TILES)
    is_tile = index < lap.length
    heading_before = _shift(lap.heading, lap.length, 1)
    point_before = _shift(lap.point, lap.length, 1)
    across = jnp.stack([jnp.cos(lap.heading), jnp.sin(lap.heading)], axis=1)
    across_before = _shift(across, lap.length, 1)

    def quadrilaterals(
        left: Float[Array, " tiles"], right: Float[Array, " tiles"], is_there: Bool[Array, " tiles"]
    ) -> Array:
        left, right = left[:, None], right[:, None]
        corners = [
            lap.point + left * across,
            lap.point + right * across,
            point_before + right * across_before,
            point_before + left * across_before,
        ]
        return jnp.where(is_there[:, None, None], jnp.stack(corners, axis=1), FAR_AWAY)

    has_border = _find_borders(lap) & is_tile
    side = jnp.sign(heading_before - lap.heading)
    edge = jnp.full(MAX_TILES, ROAD_WIDTH)
    tiles = quadrilaterals(-edge, edge, is_tile)
    borders = quadrilaterals(side * ROAD_WIDTH, side * (ROAD_WIDTH + BORDER_WIDTH), has_border)
    corners = jnp.stack([tiles, borders])
    return Track(
        point=jnp.where(is_tile[:, None], lap.point, FAR_AWAY),
        heading=jnp.where(is_tile, lap.heading, 0.0),
        corners=corners,
        middle=jnp.mean(corners, axis=2),
        has_border=has_border,
        length=lap.length,
    )


def _stride(
    pen: _Pen, angles: Float[Array, "12"], checkpoints: Float[Array, "12 2"]
) -> tuple[_Pen, tuple]:
    """Draws one stride; the second result is the point that it leads to."""
    # A lap is over when the pen comes from behind the start, where its angle is negative.
    x, y, heading = pen.position
    angle = jnp.arctan2(y, x)
    num_laps = pen.num_laps + (pen.was_behind & (angle > 0)).astype(jnp.int32)
    was_behind = (pen.was_behind & (angle <= 0)) | (angle < 0)
    angle = jnp.where(angle < 0, angle + 2 * jnp.pi, angle)

    # The next checkpoint that is not yet passed; after the last of them the first, for which the
    # angle is counted from below zero.
    is_ahead = (jnp.arange(NUM_CHECKPOINTS) >= pen.target) & (angle <= angles)
    target = jnp.argmax(is_ahead).astype(jnp.int32)
    angle = jnp.where(jnp.any(is_ahead), angle, angle - 2 * jnp.pi)

    # The heading stays within three quarters of a turn of the angle, so that both can be compared.
    turns = jnp.where(heading - angle > 1.5 * jnp.pi, -1.0, 0.0) + jnp.where(
        heading - angle < -1.5 * jnp.pi, 1.0, 0.0
    )
    unwound, rounding = _add(pen.position, pen.rounding, jnp.zeros(3).at[2].set(turns * 2 * jnp.pi))
    heading = unwound[2]
    # The pen turns towards the checkpoint in proportion to how far aside it is, but not too fast.
    across = jnp.stack([jnp.cos(heading), jnp.sin(heading)])
    offset = SCALE * jnp.sum(across * (checkpoints[target] - unwound[:2]))
    turn = -jnp.sign(offset) * jnp.minimum(TURN_RATE, TURN_GAIN * jnp.abs(offset))
    turn = jnp.where(jnp.abs(offset) > TURN_DEAD_BAND, turn, 0.0)

    stride = jnp.stack([-STRIDE * across[1], STRIDE * across[0], turn])
    position, rounding = _add(unwound, rounding, stride)
    moved = _Pen(
        position=position,
        rounding=rounding,
        target=target,
        was_behind=was_behind,
        num_laps=num_laps,
        is_over=pen.is_over | (num_laps >= NUM_LAPS),
    )
    return moved, (angle, heading + 0.5 * turn, position[:2], ~pen.is_over)


def _put(index: Int[Array, ""], whole: Array, row: Array) -> Array:
    """Puts a row in its place."""
    return jax.lax.dynamic_update_index_in_dim(whole, row, index, axis=0)


def _last_lap(angles: Array, headings: Array, points: Array, is_drawn: Array) -> Lap:
    """Cuts a path, the length of a scan, between the last two passes of the start."""
    index = jnp.arange(MAX_PATH)
    is_pass = is_drawn & (angles > START_ANGLE) & (jnp.roll(angles, 1) <= START_ANGLE) & (index > 0)
    end = jnp.max(jnp.where(is_pass, index, -1))
    start = jnp.max(jnp.where(is_pass & (index < end), index, -1))
    # The original leaves out the last point before the start.
    length = end - 1 - start
    chosen = jnp.clip(start + jnp.arange(MAX_TILES), 0, MAX_PATH - 1)
    head, tail = jnp.maximum(start, 0), jnp.maximum(end - 2, 0)
    across = jnp.stack([jnp.cos(headings[head]), jnp.sin(headings[head])])
    gap = jnp.linalg.norm(across * (points[head] - points[tail]))
    return Lap(
        angle=angles[chosen],
        heading=headings[chosen],
        point=points[chosen],
        length=length.astype(jnp.int32),
        is_closed=(start > 0) & (length <= MAX_TILES) & (gap <= STRIDE),
    )


def _find_borders(lap: Lap) -> Bool[Array, " tiles"]:
    """Marks the tiles of sharp turns, and the strides that lead into them."""
    turn = lap.heading - _shift(lap.heading, lap.length, 1)
    is_sharp = jnp.abs(turn) > SHARP_TURN

    def in_a_row(is_so: Bool[Array, " tiles"]) -> Bool[Array, " tiles"]:
        return jnp.all(jnp.stack([_shift(is_so, lap.length, i) for i in range(BORDER_RUN)]), axis=0)

    def spread_back(is_so: Bool[Array, " tiles"]) -> Bool[Array, " tiles"]:
        return jnp.any(
            jnp.stack([_shift(is_so, lap.length, -i) for i in range(BORDER_RUN)]), axis=0
        )

    index = jnp.arange(MAX_TILES)
    is_turn = (in_a_row(is_sharp & (turn > 0)) | in_a_row(is_sharp & (turn < 0))) & (
        index < lap.length
    )
    # The original spreads marks tile by tile, in place. A turn at the very start so marks the last
    # tiles before their own turn, and they spread again.
    is_early = is_turn & (index < BORDER_RUN - 1)
    return spread_back(is_turn | (spread_back(is_early) & (index > lap.length - BORDER_RUN)))


def _shift(values: Array, length: Int[Array, ""], distance: int) -> Array:
    """Row `i` of the result is row `i - distance` of the first `length` rows, which form a ring."""
    return values[jnp.mod(jnp.arange(MAX_TILES) - distance, jnp.maximum(length, 1))]


def _add(
    total: Float[Array, "3"], rounding: Float[Array, "3"], term: Float[Array, "3"]
) -> tuple[Array, Array]:
    """Adds with compensation: what rounding cuts off goes into the next addition."""
    term = term + rounding
    exact = total + term
    return exact, term - (exact - total)

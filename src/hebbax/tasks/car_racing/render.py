"""What the driver sees: the field around the car from above, and a panel of instruments.

A frame has 96 x 96 pixels, each the colour of one point, as the original's. Quadrilaterals are
drawn row by row: in every row a convex one covers an interval, and intervals become bits of a few
words, so that tiles cost little and the many pixels only a look at three bits each. On the screen x
goes to the right and y down, in pixels.

Source: OpenAI Gym's CarRacing-v0 by Oleg Klimov, MIT licence.
"""

import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, UInt8

from hebbax import platforms
from hebbax.tasks.car_racing.dynamics import (
    UNIT,
    WHEEL_HALF_WIDTH,
    WHEEL_RADIUS,
    Car,
    hull_position,
    joint_angles,
)
from hebbax.tasks.car_racing.track import MAX_TILES, PLAYFIELD, SCALE, Track
from hebbax.types import Struct

FRAME = 96  # Pixels along a side.
PANEL = 12  # Rows of the instruments, at the bottom.
ROWS = FRAME - PANEL
WORD = 24  # Pixels of a row that one word holds.
ANCHOR = np.array([48.0, 72.0], np.float32)  # Where on the screen the car is.
PIXELS = np.array([0.096, -0.12], np.float32)  # Per pixel of the original's window.
ZOOM = 2.7
TURNING_SPEED = 0.5  # m/s, from here on the view turns with the velocity instead of the hull.

GRASS_SQUARE = PLAYFIELD / 20  # m
# m, from the middle of a tile or border to its farthest corner.
RADII = np.array([9.5, 7.5], np.float32)
CHUNK = 24  # Quadrilaterals that are drawn together.
# Road; the first and the second shade of road, or, off the road, a white and a red border.
NUM_BITS = 3

HULL_POLYGONS = [
    UNIT * np.array(polygon, np.float32)
    for polygon in (
        [(-60, 130), (60, 130), (60, 110), (-60, 110)],
        [(-15, 120), (15, 120), (20, 20), (-20, 20)],
        [(25, 20), (50, -10), (50, -40), (20, -90), (-20, -90), (-50, -40), (-50, -10), (-25, 20)],
        [(-50, -120), (50, -120), (50, -90), (-50, -90)],
    )
]
CAR_ROWS, CAR_COLUMNS = slice(66, 78), slice(43, 53)  # Pixels that the car can cover.
SPOKE = 1.2  # rad, of a wheel's rim are white.


def _colour(red: int, green: int, blue: int) -> int:
    """Packs a colour into one number: a plane of these is a third of the work of three planes."""
    return red | green << 8 | blue << 16


BLACK, WHITE, RED, GREEN = (
    _colour(0, 0, 0),
    _colour(255, 255, 255),
    _colour(255, 0, 0),
    _colour(0, 255, 0),
)
ROADS = [_colour(grey, grey, grey) for grey in (102, 105, 107)]
GRASS, LIGHT_GRASS = _colour(102, 204, 102), _colour(102, 230, 102)
NOTHING = -1
HULL, RIM = _colour(204, 0, 0), _colour(76, 76, 76)
FRONT_WHEELS, REAR_WHEELS = _colour(0, 0, 255), _colour(51, 0, 255)


class Camera(Struct):
    """How the field comes to the screen: `pixel = anchor + to_screen (point - position)`.

    position: `[2]` m, what is at the anchor.
    to_screen: `[2, 2]` pixels per metre.
    """

    position: Float[Array, "2"]
    to_screen: Float[Array, "2 2"]


def draw_frame(
    car: Car, track: Track, is_visited: Bool[Array, " tiles"], time: Float[Array, ""]
) -> UInt8[Array, "96 96 3"]:
    """Draws a frame as the original does, but for the score.

    Args:
        car: the car.
        track: the road.
        is_visited: `[tiles]` which tiles a wheel has touched; they lose their shade.
        time: `[]` s, since the start; the first second zooms in.

    Returns:
        Red, green and blue of every pixel.
    """
    return jnp.moveaxis(_unpack(_draw(car, track, is_visited, time)), 0, -1).astype(jnp.uint8)


def draw_view(
    car: Car, track: Track, is_visited: Bool[Array, " tiles"], time: Float[Array, ""], size: int
) -> Float[Array, "size size 3"]:
    """Draws a frame and resizes it.

    Each pixel of the view is the mean over its area of the frame, from 0 to 1.
    """
    frame = _draw(car, track, is_visited, time)
    # A small view covers so many pixels with each of its own that looking them up one by one would
    # be a long program.
    view = (
        resize_by_slices(frame, size)
        if platforms.is_cpu() or size < FRAME // 4
        else resize_by_indices(frame, size)
    )
    return jnp.moveaxis(view, 0, -1)


def _draw(
    car: Car, track: Track, is_visited: Bool[Array, " tiles"], time: Float[Array, ""]
) -> Int[Array, "96 96"]:
    camera = _place_camera(car, time)
    field = _draw_car(_draw_field(_draw_road(track, is_visited, camera), camera), car, camera)
    return jnp.concatenate([field, _draw_panel(car)])


def _unpack(colours: Int[Array, "rows columns"]) -> Int[Array, "3 rows columns"]:
    return (colours[None] >> np.array([0, 8, 16], np.int32)[:, None, None]) & 255


def _place_camera(car: Car, time: Float[Array, ""]) -> Camera:
    # The original's camera turns with the velocity, or with the hull of a car that hardly moves.
    x, y = car.velocity[0]
    angle = jnp.where(x**2 + y**2 > TURNING_SPEED**2, jnp.arctan2(x, y), -car.angle[0])
    zoom = SCALE * (0.1 * jnp.maximum(1 - time, 0) + ZOOM * jnp.minimum(time, 1))
    turned = jnp.stack(
        [jnp.stack([jnp.cos(angle), -jnp.sin(angle)]), jnp.stack([jnp.sin(angle), jnp.cos(angle)])]
    )
    return Camera(position=hull_position(car), to_screen=zoom * PIXELS[:, None] * turned)


def _to_screen(
    camera: Camera, points: Float[Array, "*batch 2"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    (xx, xy), (yx, yy) = camera.to_screen
    x, y = points[..., 0] - camera.position[0], points[..., 1] - camera.position[1]
    return ANCHOR[0] + xx * x + xy * y, ANCHOR[1] + yx * x + yy * y


def _from_screen(
    camera: Camera, x: Float[Array, "*batch"], y: Float[Array, "*batch"]
) -> tuple[Float[Array, "*batch"], Float[Array, "*batch"]]:
    """Returns places on the field relative to the camera's."""
    (xx, xy), (yx, yy) = camera.to_screen
    scale = 1 / (xx * yy - xy * yx)
    x, y = x - ANCHOR[0], y - ANCHOR[1]
    return scale * (yy * x - xy * y), scale * (xx * y - yx * x)


def _draw_road(
    track: Track, is_visited: Bool[Array, " tiles"], camera: Camera
) -> tuple[Int[Array, "words rows"], ...]:
    """Draws tiles and borders into bits of words; all that are on the screen, a chunk at a time."""
    # Quadrilaterals whose middle is farther from the screen than their farthest corner from it are
    # left out.
    zoom = jnp.sqrt(jnp.sum(camera.to_screen**2, axis=1))
    x, y = _to_screen(camera, track.middle)
    margin = RADII[:, None, None] * zoom[None, None]
    is_on_screen = jnp.ravel(
        (jnp.abs(x - FRAME / 2) < FRAME / 2 + margin[..., 0])
        & (jnp.abs(y - ROWS / 2) < ROWS / 2 + margin[..., 1])
    )
    bits = _paint_of_quadrilaterals(is_visited)
    corners = track.corners.reshape(-1, 4, 2)
    # Their indices in order, with room for a chunk; those of all others are dropped.
    count = jnp.sum(is_on_screen, dtype=jnp.int32)
    order = jnp.zeros(is_on_screen.size + CHUNK, jnp.int32)
    place = jnp.where(is_on_screen, jnp.cumsum(is_on_screen, dtype=jnp.int32) - 1, order.size)
    order = order.at[place].set(np.arange(is_on_screen.size), mode="drop")

    def draw_chunk(drawn: tuple[Array, tuple[Array, ...]]) -> tuple[Array, tuple[Array, ...]]:
        begin, planes = drawn
        chosen = jax.lax.dynamic_slice(order, (begin,), (CHUNK,))
        covered = _cover(*_to_screen(camera, corners[chosen]))
        # Where fewer are left, the rest of the chunk paints nothing.
        paint = jnp.where(begin + np.arange(CHUNK) < count, bits[chosen], 0)
        planes = tuple(
            plane | _any_bits([covered[i] & -((paint[i] >> bit) & 1) for i in range(CHUNK)])
            for bit, plane in enumerate(planes)
        )
        return begin + CHUNK, planes

    blank = tuple(jnp.zeros((FRAME // WORD, ROWS), jnp.int32) for _ in range(NUM_BITS))
    return jax.lax.while_loop(lambda drawn: drawn[0] < count, draw_chunk, (jnp.int32(0), blank))[1]


def _paint_of_quadrilaterals(is_visited: Bool[Array, " tiles"]) -> Int[Array, " quadrilaterals"]:
    """The bits of every tile and every border."""
    index = np.arange(MAX_TILES)
    tiles = jnp.where(is_visited, 0b001, jnp.asarray(np.array([0b001, 0b011, 0b101])[index % 3]))
    borders = jnp.asarray(np.array([0b010, 0b100])[index % 2])
    return jnp.concatenate([tiles, borders]).astype(jnp.int32)


def _cover(
    x: Float[Array, "chunk 4"], y: Float[Array, "chunk 4"]
) -> Int[Array, "chunk words rows"]:
    """Which pixels convex quadrilaterals cover, as bits of words, the leftmost the lowest."""
    next_x, next_y = jnp.roll(x, -1, axis=1), jnp.roll(y, -1, axis=1)
    # Every side bounds a row from the left or from the right, at a place that is linear in y.
    rise = next_y - y
    rise = jnp.where(jnp.abs(rise) < 1e-6, 1e-6, rise)
    slope = (next_x - x) / rise
    offset = x - slope * y
    area = jnp.sum(x * next_y - next_x * y, axis=1, keepdims=True)
    is_left = (rise < 0) == (area > 0)

    # A row is covered between the rightmost of its left bounds and the leftmost of its right ones.
    centers = np.arange(ROWS, dtype=np.float32) + 0.5
    places = slope[..., None] * centers[None, None] + offset[..., None]
    start = jnp.max(jnp.where(is_left[..., None], places, -jnp.inf), axis=1)
    end = jnp.min(jnp.where(is_left[..., None], jnp.inf, places), axis=1)

    # Without the barrier XLA works out the intervals anew for every word.
    start, end = jax.lax.optimization_barrier((_pixels_left_of(start), _pixels_left_of(end)))
    return _lower_bits(end) & ~_lower_bits(start)


def _pixels_left_of(places: Float[Array, "chunk rows"]) -> Int[Array, "chunk rows"]:
    """How many pixels of a row have their centres left of a place."""
    return jnp.ceil(jnp.clip(places, 0.0, FRAME) - 0.5).astype(jnp.int32)


def _lower_bits(count: Int[Array, "chunk rows"]) -> Int[Array, "chunk words rows"]:
    """The bits of so many pixels, the leftmost ones."""
    first = np.arange(0, FRAME, WORD, dtype=np.int32)
    return (jnp.int32(1) << jnp.clip(count[:, None] - first[None, :, None], 0, WORD)) - 1


def _any_bits(words: list[Int[Array, "words rows"]]) -> Int[Array, "words rows"]:
    result = words[0]
    for word in words[1:]:
        result = result | word
    return result


def _draw_field(
    planes: tuple[Int[Array, "words rows"], ...], camera: Camera
) -> Int[Array, "rows 96"]:
    """Colours every pixel by its bits, or by the grass."""
    # Bits back into pixels: one plane for the road, two that choose among shades or borders.
    shifts = np.arange(WORD, dtype=np.int32)
    is_road, first, second = (
        (((plane.T[:, :, None] >> shifts[None, None]) & 1) == 1).reshape(ROWS, FRAME)
        for plane in planes
    )
    centers = np.arange(FRAME, dtype=np.float32) + 0.5
    x, y = _from_screen(
        camera,
        jnp.asarray(np.broadcast_to(centers, (ROWS, FRAME))),
        jnp.asarray(np.broadcast_to(centers[:ROWS, None], (ROWS, FRAME))),
    )
    x, y = x + camera.position[0], y + camera.position[1]
    is_field = (jnp.abs(x) < PLAYFIELD) & (jnp.abs(y) < PLAYFIELD)
    is_square = _is_even(jnp.floor(x / GRASS_SQUARE)) & _is_even(jnp.floor(y / GRASS_SQUARE))

    road = jnp.where(second, ROADS[2], jnp.where(first, ROADS[1], ROADS[0]))
    grass = jnp.where(is_field, jnp.where(is_square, LIGHT_GRASS, GRASS), BLACK)
    beside = jnp.where(second, RED, jnp.where(first, WHITE, grass))
    return jnp.where(is_road, road, beside)


def _is_even(whole: Float[Array, "*batch"]) -> Bool[Array, "*batch"]:
    half = 0.5 * whole
    return half == jnp.floor(half)


def _draw_car(field: Int[Array, "rows 96"], car: Car, camera: Camera) -> Int[Array, "rows 96"]:
    """Draws wheels, and the hull above them, where the car is on the screen."""
    rows = np.arange(CAR_ROWS.start, CAR_ROWS.stop, dtype=np.float32) + 0.5
    columns = np.arange(CAR_COLUMNS.start, CAR_COLUMNS.stop, dtype=np.float32) + 0.5
    screen_x, screen_y = (places.reshape(-1) for places in np.meshgrid(columns, rows))
    x, y = _from_screen(camera, jnp.asarray(screen_x), jnp.asarray(screen_y))

    is_wheel, is_spoke = jnp.zeros(x.shape, bool), jnp.zeros(x.shape, bool)
    # Every pixel's centre in a wheel's coordinates, and then in the hull's.
    for i in range(4):
        offset = camera.position - car.center[1 + i]
        right, ahead = _turned(x + offset[0], y + offset[1], -car.angle[1 + i])
        is_here = (jnp.abs(right) < WHEEL_HALF_WIDTH) & (jnp.abs(ahead) < WHEEL_RADIUS)
        is_wheel = is_wheel | is_here
        is_spoke = is_spoke | (is_here & _is_spoke(ahead, car.phase[i]))
    right, ahead = _turned(x, y, -car.angle[0])
    is_hull = jnp.zeros(x.shape, bool)
    for polygon in HULL_POLYGONS:
        is_hull = is_hull | _is_inside(right, ahead, polygon)

    patch = jnp.where(
        is_hull, HULL, jnp.where(is_spoke, RIM, jnp.where(is_wheel, BLACK, NOTHING))
    ).reshape(len(rows), len(columns))
    margins = [
        (CAR_ROWS.start, ROWS - CAR_ROWS.stop),
        (CAR_COLUMNS.start, FRAME - CAR_COLUMNS.stop),
    ]
    patch = jnp.pad(patch, margins, constant_values=NOTHING)
    return jnp.where(patch == NOTHING, field, patch)


def _turned(
    x: Float[Array, " places"], y: Float[Array, " places"], angle: Float[Array, ""]
) -> tuple[Float[Array, " places"], Float[Array, " places"]]:
    cosine, sine = jnp.cos(angle), jnp.sin(angle)
    return cosine * x - sine * y, sine * x + cosine * y


def _is_spoke(point: Float[Array, " points"], phase: Float[Array, ""]) -> Bool[Array, " points"]:
    """Whether a point along a wheel shows the white part of its rim, unless it is below."""
    sines, cosines = (
        jnp.sin(jnp.stack([phase, phase + SPOKE])),
        jnp.cos(jnp.stack([phase, phase + SPOKE])),
    )
    ends = WHEEL_RADIUS * jnp.where(sines > 0, jnp.sign(cosines), cosines)
    return jnp.any(sines <= 0) & (point > jnp.min(ends)) & (point < jnp.max(ends))


def _is_inside(
    x: Float[Array, " places"], y: Float[Array, " places"], polygon: np.ndarray
) -> Bool[Array, " places"]:
    """Whether places are within a convex polygon whose corners go clockwise."""
    is_inside = jnp.ones(x.shape, bool)
    for (from_x, from_y), (to_x, to_y) in zip(
        polygon.tolist(), np.roll(polygon, -1, axis=0).tolist(), strict=True
    ):
        is_inside = is_inside & (
            (to_x - from_x) * (y - from_y) - (to_y - from_y) * (x - from_x) <= 0
        )
    return is_inside


def _draw_panel(car: Car) -> Int[Array, "panel 96"]:
    """Draws the instruments: speed, rolling of the wheels, steering and spin."""
    panel = jnp.full((PANEL, FRAME), BLACK)
    panel = _draw_bar(panel, (5, 6), (1, 1 + 0.02 * jnp.linalg.norm(car.velocity[0])), WHITE)
    for i, colour in enumerate([FRONT_WHEELS, FRONT_WHEELS, REAR_WHEELS, REAR_WHEELS]):
        panel = _draw_bar(panel, (7 + i, 8 + i), (1, 1 + 0.01 * car.rolling[i]), colour)
    panel = _draw_bar(panel, (20, 20 - 10.0 * joint_angles(car)[0]), (2, 4), GREEN)
    return _draw_bar(panel, (30, 30 - 0.8 * car.spin[0]), (2, 4), RED)


def _draw_bar(
    panel: Int[Array, "panel 96"], across: tuple, upwards: tuple, colour: int
) -> Int[Array, "panel 96"]:
    """Draws a bar between two places in each direction, in fortieths of the screen."""
    columns = jnp.asarray(np.arange(FRAME, dtype=np.float32) + 0.5)
    heights = jnp.asarray(PANEL - 0.5 - np.arange(PANEL, dtype=np.float32))

    def is_between(places: Float[Array, " places"], ends: tuple) -> Bool[Array, " places"]:
        first, second = (FRAME / 40 * end for end in ends)
        return (places > jnp.minimum(first, second)) & (places < jnp.maximum(first, second))

    return jnp.where(
        is_between(heights, upwards)[:, None] & is_between(columns, across)[None], colour, panel
    )


def resize_by_slices(frame: Int[Array, "96 96"], size: int) -> Float[Array, "3 size size"]:
    """Resizes by means over areas, axis by axis.

    The weights repeat with the greatest common divisor of both sizes; each place of the pattern is
    one weighted sum over all repeats.
    """
    image = _unpack(frame).astype(jnp.float32) / 255
    repeats = math.gcd(size, FRAME)
    before, after = FRAME // repeats, size // repeats
    weights = _overlaps(before, after)
    for axis in (1, 2):
        grouped = image.reshape(*image.shape[:axis], repeats, before, *image.shape[axis + 1 :])
        parts = [jax.lax.index_in_dim(grouped, i, axis + 1, keepdims=False) for i in range(before)]
        places = [sum(float(row[i]) * parts[i] for i in np.flatnonzero(row)) for row in weights]
        image = jnp.stack(places, axis=axis + 1).reshape(
            *image.shape[:axis], size, *image.shape[axis + 1 :]
        )
    return image


def resize_by_indices(frame: Int[Array, "96 96"], size: int) -> Float[Array, "3 size size"]:
    """Resizes by means over areas.

    Each pixel of the view looks up the few of the frame that it covers.

    One operation that reads and writes everything once; a CPU, which looks up one number at a time,
    takes longer with it.
    """
    overlaps = _overlaps(FRAME, size)
    is_covered = overlaps > 1e-9
    first, span = np.argmax(is_covered, axis=1), int(np.max(np.sum(is_covered, axis=1)))
    # Beyond the frame there are places of no weight.
    overlaps = np.pad(overlaps, ((0, 0), (0, span)))
    weights = [overlaps[np.arange(size), first + step] for step in range(span)]
    places = [np.minimum(first + step, FRAME - 1) for step in range(span)]

    total = jnp.zeros((3, size, size), jnp.float32)
    for row, row_weight in zip(places, weights, strict=True):
        for column, column_weight in zip(places, weights, strict=True):
            pixels = _unpack(frame[row[:, None], column[None]]).astype(jnp.float32) / 255
            total = (
                total
                + (row_weight[:, None] * column_weight[None]).astype(np.float32)[None] * pixels
            )
    return total


def _overlaps(before: int, after: int) -> np.ndarray:
    """`[after, before]` which share of each pixel after comes from each pixel before."""
    ends = np.arange(after + 1) * before / after
    overlap = np.minimum(ends[1:, None], np.arange(1, before + 1)) - np.maximum(
        ends[:-1, None], np.arange(before)
    )
    return np.maximum(overlap, 0) * after / before

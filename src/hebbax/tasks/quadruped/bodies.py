"""The quadruped's two bodies as MJCF, the XML that MuJoCo and Brax read.

`bullet` is the paper's: the shapes, masses, limits and strength that PyBullet gives to AntBullet.
`brax` is Brax's own ant, far lighter and damped, whose lower legs are cut to the variation's
length.
"""

import math
import pathlib
from typing import Any
from xml.etree import ElementTree

import brax

from hebbax.tasks.quadruped.anatomy import (
    ANKLE_SIGNS,
    NUM_LEGS,
    QUARTERS,
    RADIUS,
    SEGMENT,
    TORSO_RADIUS,
)

LowerLegs = tuple[float, float, float, float]

DENSITY = 1000.0  # kg/m^3, Bullet's own: it does not read the XML's.
# m, added to a capsule's bounding box, whose inertia Bullet takes for the capsule's.
BULLET_MARGIN = 0.04
TORQUE = 250.0  # N m at an action of one.
ANKLE_TORQUE = TORQUE / math.sqrt(2)  # N m; `motion.QUIRKS` tells why.
HIP_LIMIT = 40.0  # degrees
ANKLE_LIMITS = (30.0, 100.0)  # degrees

_BULLET = """
<mujoco model="quadruped">
  <compiler angle="degree"/>
  <option timestep="{timestep}" gravity="0 0 -9.8"/>
  <custom>
    <numeric name="constraint_stiffness" data="4000"/>
    <numeric name="constraint_limit_stiffness" data="1000"/>
    <numeric name="constraint_vel_damping" data="20"/>
    <numeric name="constraint_ang_damping" data="10"/>
    <numeric name="spring_mass_scale" data="1"/>
    <numeric name="spring_inertia_scale" data="1"/>
    <numeric name="solver_maxls" data="15"/>
  </custom>
  <default>
    <joint type="hinge" limited="true" solimplimit="0.99 0.99 0.001" solreflimit="0.0165 1"/>
    <geom contype="0" conaffinity="0" condim="3" friction="1.2 0 0"/>
    <motor ctrllimited="true" ctrlrange="-1 1"/>
  </default>
  <worldbody>
    <geom name="floor" type="plane" size="40 40 40" conaffinity="1"/>
    <body name="torso" pos="0 0 0.75">
      <freejoint name="root"/>
      {torso_inertia}
      <geom name="torso" type="sphere" size="{torso_radius}" contype="1"/>
      {legs}
    </body>
  </worldbody>
  <actuator>{motors}</actuator>
</mujoco>
"""

_BULLET_LEG = """
      <body name="upper_{leg}" pos="{sx} {sy} 0">
        <joint name="hip_{leg}" axis="0 0 1" range="-{hip_limit} {hip_limit}"/>
        {upper_inertia}
        <body name="lower_{leg}" pos="{sx} {sy} 0">
          <joint name="ankle_{leg}" axis="{ax} 1 0" range="{ankle_range}"/>
          {lower_inertia}
          <geom name="knee_{leg}" type="sphere" size="{radius}" contype="1"/>
          <geom name="foot_{leg}" type="sphere" size="{radius}" pos="{fx} {fy} 0" contype="1"/>
        </body>
      </body>
"""


def bullet_xml(lower_legs: LowerLegs, timestep: float) -> str:
    """Describes the paper's body.

    Feet, knees and torso collide with the floor: where a capsule's ends are above it the capsule
    is. The legs do not collide with each other. Without the knees the body is no faster to compute,
    and tilted knees sink 0.3 m into the floor. A friction of 1.2 is the product that Bullet forms
    of the floor's 0.8 and the legs' 1.5.

    Args:
        lower_legs: m along x and along y, the length of each leg's lower part.
        timestep: s, of one substep.
    """
    legs, motors = [], []
    for leg in range(NUM_LEGS):
        x, y = (float(sign) for sign in QUARTERS[leg])
        length = lower_legs[leg]
        limits = sorted(float(ANKLE_SIGNS[leg]) * limit for limit in ANKLE_LIMITS)
        legs.append(
            _BULLET_LEG.format(
                leg=leg,
                sx=SEGMENT * x,
                sy=SEGMENT * y,
                ax=-x * y,
                hip_limit=HIP_LIMIT,
                ankle_range=f"{limits[0]} {limits[1]}",
                upper_inertia=_inertial(SEGMENT * x / 2, SEGMENT * y / 2, *_capsule(SEGMENT)),
                lower_inertia=_inertial(length * x / 2, length * y / 2, *_capsule(length)),
                radius=RADIUS,
                fx=length * x,
                fy=length * y,
            )
        )
        motors.append(
            f'<motor joint="hip_{leg}" gear="{TORQUE}"/>'
            f'<motor joint="ankle_{leg}" gear="{ANKLE_TORQUE}"/>'
        )
    return _BULLET.format(
        timestep=timestep,
        torso_radius=TORSO_RADIUS,
        torso_inertia=_inertial(0.0, 0.0, *_torso()),
        legs="".join(legs),
        motors="".join(motors),
    )


def brax_xml(lower_legs: LowerLegs) -> str:
    """Describes Brax's own ant with its lower legs cut to length."""
    path = pathlib.Path(brax.__file__).parent / "envs" / "assets" / "ant.xml"
    root: Any = ElementTree.fromstring(path.read_text())
    for leg, length in enumerate(lower_legs):
        lower = root.find(f".//joint[@name='ankle_{leg + 1}']/..")
        capsule, foot = lower.findall("geom")
        end = f"{length * QUARTERS[leg, 0]} {length * QUARTERS[leg, 1]} 0"
        capsule.set("fromto", f"0 0 0 {end}")
        foot.set("pos", end)

    # As shipped the motors start with the last leg; here they follow the joints.
    root.find("actuator")[:] = sorted(
        root.find("actuator"),
        key=lambda motor: (motor.get("joint")[-1], motor.get("joint").startswith("ankle")),
    )
    return ElementTree.tostring(root, encoding="unicode")


def _capsule(length: float) -> tuple[float, tuple[float, float, float]]:
    """Returns mass and principal moments of a leg's segment.

    A capsule's mass, the inertia of its bounding box with Bullet's margin.
    """
    mass = DENSITY * math.pi * RADIUS**2 * (math.sqrt(2) * length + 4 / 3 * RADIUS)
    thickness = RADIUS + BULLET_MARGIN
    along, across = (length / 2 + thickness) ** 2, thickness**2
    return mass, (mass / 3 * (along + across), mass / 3 * (along + across), mass / 3 * 2 * along)


def _torso() -> tuple[float, tuple[float, float, float]]:
    """Returns mass and principal moments of the torso.

    A sphere and the four stubs that are fixed to it.
    """
    sphere = DENSITY * 4 / 3 * math.pi * TORSO_RADIUS**3
    mass, moments = _capsule(SEGMENT)
    lever = (SEGMENT / 2) ** 2
    offsets = (lever, lever, 2 * lever)
    x, y, z = (
        0.4 * sphere * TORSO_RADIUS**2 + NUM_LEGS * (m + mass * o)
        for m, o in zip(moments, offsets, strict=True)
    )
    return sphere + NUM_LEGS * mass, (x, y, z)


def _inertial(x: float, y: float, mass: float, moments: tuple[float, float, float]) -> str:
    diagonal = " ".join(str(moment) for moment in moments)
    return f'<inertial pos="{x} {y} 0" mass="{mass}" diaginertia="{diagonal}"/>'

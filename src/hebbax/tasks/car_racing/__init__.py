"""The racer.

A car that learns to drive a random road, in five variations of grip and of what pushes it.
"""

from hebbax.tasks.car_racing.task import CarRacing

__all__ = ["CarRacing"]

"""Environments, whose variations are data."""

from hebbax.tasks.base import Task
from hebbax.tasks.brax_task import BraxTask
from hebbax.tasks.car_racing import CarRacing
from hebbax.tasks.gymnax_task import GymnaxTask
from hebbax.tasks.hidden_goal import HiddenGoal
from hebbax.tasks.playground_task import PlaygroundTask
from hebbax.tasks.point import Point
from hebbax.tasks.quadruped import Quadruped
from hebbax.tasks.shapes import Shapes

__all__ = [
    "BraxTask",
    "CarRacing",
    "GymnaxTask",
    "HiddenGoal",
    "PlaygroundTask",
    "Point",
    "Quadruped",
    "Shapes",
    "Task",
]

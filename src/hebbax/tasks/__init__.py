"""Environments, whose variations are data."""

from hebbax.tasks.base import Task
from hebbax.tasks.car_racing import CarRacing
from hebbax.tasks.gymnax_task import GymnaxTask
from hebbax.tasks.hidden_goal import HiddenGoal
from hebbax.tasks.point import Point
from hebbax.tasks.quadruped import Quadruped

__all__ = ["CarRacing", "GymnaxTask", "HiddenGoal", "Point", "Quadruped", "Task"]

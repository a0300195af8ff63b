"""The quadruped: a body with four legs that learns to walk, in five variations of its body."""

from hebbax.tasks.quadruped.task import Quadruped

__all__ = ["Quadruped"]

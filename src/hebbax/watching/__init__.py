"""What a run has learned, to look at: films, pictures, reports, lesions."""

from typing import TYPE_CHECKING

from hebbax.types.namespaces import lazily

if TYPE_CHECKING:
    from hebbax.watching.films.film import render
    from hebbax.watching.lesion import Lesion
    from hebbax.watching.report import copy_report, write_report
    from hebbax.watching.visualization.rule_use import draw_rule_use
    from hebbax.watching.visualization.rules import Rules, rules_of
    from hebbax.watching.visualization.sweep import draw_sweep
    from hebbax.watching.visualization.weight_changes import draw_weight_changes

__all__ = [
    "Lesion",
    "Rules",
    "copy_report",
    "draw_rule_use",
    "draw_sweep",
    "draw_weight_changes",
    "render",
    "rules_of",
    "write_report",
]

__getattr__ = lazily(
    __name__,
    {
        "Lesion": "lesion",
        "Rules": "visualization.rules",
        "copy_report": "report",
        "draw_rule_use": "visualization.rule_use",
        "draw_sweep": "visualization.sweep",
        "draw_weight_changes": "visualization.weight_changes",
        "render": "films.film",
        "rules_of": "visualization.rules",
        "write_report": "report",
    },
)

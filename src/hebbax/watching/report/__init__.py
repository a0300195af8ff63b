"""One page that says what a run or a sweep has found.

`write_report` makes it, `copy_report` takes along what is worth keeping.
"""

from hebbax.watching.report.keep import copy_report
from hebbax.watching.report.page import write_report

__all__ = ["copy_report", "write_report"]

"""Methods side by side: sweeps, and in `results` what they have found."""

from typing import TYPE_CHECKING

from hebbax.types.namespaces import lazily

if TYPE_CHECKING:
    from hebbax.comparison.sweeps import sweep

__all__ = ["sweep"]

__getattr__ = lazily(__name__, {"sweep": "sweeps"})

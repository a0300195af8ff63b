"""Specifications as plain values, and back.

A folder may come from anybody, so nothing that it says is run.

A specification is written as a dictionary that names its class. Read back are frozen dataclasses
and modules of flax.linen alone, of Python modules that are trusted, from their own fields: hebbax's
modules, those that the program has imported already, and those that `trust` has been told of. Of
classes of flax.nnx, which are no specifications, the name is written.
"""

import dataclasses
import importlib
import math
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

# Files that were trusted: their classes are `__main__`'s in the run of a script.
_scripts: list[ModuleType] = []


def trust(names: Iterable[str]) -> None:
    """Imports modules, so that specifications may be of their classes. Their code runs.

    Args:
        names: of modules, such as `my_package.tasks`, or of files that end in `.py`, such as
            `my_task.py`.

    Raises:
        ValueError: if there is no such module or file.
    """
    for name in names:
        if name.endswith(".py"):
            _scripts.append(_import_file(Path(name).expanduser()))
        else:
            try:
                importlib.import_module(name)
            except ModuleNotFoundError as error:
                file = Path(f"{name}.py")
                hint = f": {file} is here, give that" if file.exists() else ""
                raise ValueError(
                    f"trust names {name}, but {error}; give a module on Python's path, or a file "
                    f"that ends in .py{hint}"
                ) from error


def to_plain(value: Any) -> Any:
    """Writes nested specifications as dictionaries that name their class.

    Raises:
        ValueError: if a value is none that could be read back.
    """
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {
            field.name: to_plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.init
        }
        return {"class": class_name(type(value)), **fields}
    if isinstance(value, type) and _is_network(value):
        return {"type": class_name(value)}
    if isinstance(value, tuple | list):
        return [to_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return {"float": str(value)}  # JSON has no such numbers.
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(
        f"{value!r} cannot be written into a configuration; allowed are frozen dataclasses of "
        "numbers, texts, tuples and dataclasses"
    )


def from_plain(value: Any) -> Any:
    """Rebuilds what `to_plain` has written.

    Raises:
        ValueError: if a class is not trusted, no frozen dataclass, or has other fields.
    """
    if isinstance(value, list):
        return tuple(from_plain(item) for item in value)
    if not isinstance(value, dict):
        return value
    if set(value) == {"float"}:
        return float(value["float"])
    if set(value) == {"type"}:
        return _find_class(value["type"], _is_network, "class of flax.nnx")
    if not isinstance(value.get("class"), str):
        raise ValueError(
            f"a part of the configuration names no class: it has {', '.join(value) or 'nothing'}"
        )
    specification = _find_class(
        value["class"], _is_specification, "frozen dataclass and no module of flax.linen"
    )
    fields = {name: from_plain(item) for name, item in value.items() if name != "class"}
    own = {field.name: field for field in dataclasses.fields(specification) if field.init}
    if strange := sorted(set(fields) - set(own)):
        raise ValueError(
            f"the configuration gives {value['class']} the field {strange[0]!r}, which it does not "
            f"have; it has {', '.join(own)}"
        )
    missing = dataclasses.MISSING
    if lacking := [
        name
        for name, field in own.items()
        if field.default is missing and field.default_factory is missing and name not in fields
    ]:
        raise ValueError(
            f"the configuration gives {value['class']} no field {lacking[0]!r}, which it needs"
        )
    return specification(**fields)


def unreadable_parts(value: Any) -> list[str]:
    """Says which classes of a specification another process could not read back by itself.

    Each with the reason and what to do; nothing if there is none.
    """
    if isinstance(value, tuple | list):
        return [reason for item in value for reason in unreadable_parts(item)]
    if not dataclasses.is_dataclass(value) and not isinstance(value, type):
        return []
    own, name = [], class_name(value if isinstance(value, type) else type(value))
    if "<locals>" in name:
        own = [
            f"{name} is made inside of a function, where no other process finds it; move it to the "
            "top level of a module"
        ]
    elif name.startswith("__main__:"):
        script = getattr(sys.modules["__main__"], "__file__", None)
        how = (
            f"read it back with --trust {script}, which runs what is not below `if __name__ == "
            '"__main__":`, or '
            if script
            else ""
        )
        own = [
            f"{name} belongs to the program that is running; {how}move it to a module that can be "
            "imported"
        ]
    return own + [
        reason
        for field in (() if isinstance(value, type) else dataclasses.fields(value))
        for reason in unreadable_parts(getattr(value, field.name))
    ]


def by_path(plain: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of nested dictionaries by their dotted names, such as `strategy.std.initial`."""
    flat: dict[str, Any] = {}
    for name, value in plain.items():
        flat |= (
            by_path(value, f"{prefix}{name}.")
            if isinstance(value, dict)
            else {prefix + name: value}
        )
    return flat


def class_name(specification: type) -> str:
    """How a class is written: `module:Class`."""
    return f"{specification.__module__}:{specification.__qualname__}"


def _find_class(name: str, is_allowed: Callable[[type], bool], allowed: str) -> Any:
    """Finds a class without running anything of a module that is not trusted."""
    module_name, _, qualified_name = name.partition(":")
    for module in _trusted(module_name):
        found: Any = module
        for part in qualified_name.split("."):
            found = vars(found).get(part) if isinstance(found, ModuleType | type) else None
        home = module.__name__, qualified_name  # Where it was defined, and not just imported.
        if isinstance(found, type) and (found.__module__, found.__qualname__) == home:
            if not is_allowed(found):
                raise ValueError(
                    f"the configuration names {name}, which is no {allowed}, and nothing else is "
                    "built"
                )
            return found
    if module_name in sys.modules or _is_ours(module_name):
        raise ValueError(
            f"the configuration names {name}, but {module_name} has no such class; a script's "
            "class is read with --trust SCRIPT.py"
        )
    raise ValueError(
        f"the configuration names {name}, whose module is not trusted, so nothing of it is "
        "imported; if you trust its code give --trust "
        f"{module_name}, or the file with the class, or import {module_name} first"
    )


def _trusted(module_name: str) -> list[ModuleType]:
    """The modules in which a class may be, none if the module is not trusted."""
    if module_name not in sys.modules and _is_ours(module_name):
        try:
            importlib.import_module(module_name)
        except ImportError as error:
            raise ValueError(
                f"the configuration names {module_name}, which cannot be imported: {error}"
            ) from error
    module = sys.modules.get(module_name)
    return [*([module] if module else []), *(_scripts if module_name == "__main__" else [])]


def _is_ours(module_name: str) -> bool:
    # `hebbax.__main__` is a program, which would run.
    return module_name.split(".")[0] == "hebbax" and not module_name.endswith("__main__")


def _is_specification(found: type) -> bool:
    """Whether a class is a frozen dataclass, or a network of Flax, frozen by other means."""
    parameters = vars(found).get("__dataclass_params__")
    linen = sys.modules.get("flax.linen")
    return (parameters is not None and parameters.frozen) or (
        linen is not None and issubclass(found, linen.Module)
    )


def _is_network(found: type) -> bool:
    """Whether a class is one of nnx's modules, which a policy makes."""
    nnx = sys.modules.get("flax.nnx")
    return nnx is not None and issubclass(found, nnx.Module)


def _import_file(file: Path) -> ModuleType:
    """Imports a file as the module of its name; what lies beside it can be imported, too."""
    if not file.is_file():
        raise ValueError(f"trust names {file}, but there is no such file")
    sys.path.insert(0, str(file.resolve().parent))
    module = importlib.import_module(file.stem)
    if module.__file__ is None or Path(module.__file__).resolve() != file.resolve():
        raise ValueError(
            f"trust names {file}, but another module is called {file.stem}: {module.__file__}; "
            "rename the file"
        )
    return module

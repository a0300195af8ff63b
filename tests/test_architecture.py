"""Who may import whom: the rooms of the design, checked on the syntax trees of the package."""

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "hebbax"

# From the ground up. A room sees the floors below its own, never its neighbours on the same floor,
# never what is above.
FLOORS = [
    ("files", "platforms", "statistics", "types"),
    ("devices", "encodings", "genomes", "rules"),
    ("policies", "strategies", "tasks"),
    ("config",),
    ("evolution", "presets"),
    ("testing",),
    ("comparison",),
    ("watching",),
    ("cli",),
    ("__init__", "__main__"),
]
FLOOR_OF = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}

# The modules that may meet a third party, and with each the modules inside it.
HOMES = {
    "brax": ("tasks.brax_task", "tasks.quadruped"),
    "chex": ("testing",),
    "evosax": ("strategies.evosax",),
    "flax": ("policies",),
    "gymnasium": ("evolution.vector_env",),
    "gymnax": ("tasks.gymnax", "tasks.gymnax_task"),
    "imageio": ("watching.films.encode",),
    "imageio_ffmpeg": ("watching.films.encode",),
    "PIL": ("watching.films",),
    "jinja2": ("watching.report",),
    "markupsafe": ("watching.report",),
    "matplotlib": ("watching.visualization",),
    "mujoco": (
        "tasks.mujoco_models",
        "tasks.mujoco_shapes",
        "tasks.playground_task",
        "tasks.quadruped",
    ),
    "mujoco_playground": ("tasks.playground_task",),
    "orbax": ("evolution.checkpoint",),
    "packaging": ("evolution.doctor",),
    "rich": ("evolution.progress", "cli"),
    "submitit": ("comparison.cluster",),
    "tensorboardX": ("evolution.loggers",),
    "tyro": ("cli",),
    "wandb": ("evolution.loggers",),
}

MOST_ROOMS, MOST_ARROWS = 20, 80


def module_name(path: Path) -> str:
    """The module's dotted name inside the package.

    `tasks.quadruped` for `tasks/quadruped/__init__.py`, `__init__` for the front door.
    """
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def imported_modules(tree: ast.AST) -> list[str]:
    """The dotted names of all that a module imports, wherever in it and for whatever purpose.

    `a.b` for `from a import b`.
    """
    modules = []
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names):
                modules += [alias.name for alias in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                modules += ["." * level + f"{module or ''}.{alias.name}" for alias in names]
            case ast.Call(
                func=ast.Name(id="import_module" | "__import__")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(module)), *_],
            ):
                modules.append(module)
    return modules


def room_of(imported: str) -> str | None:
    """The room that an imported name belongs to.

    None outside the package, `__init__` for names of the front door.
    """
    package, _, rest = imported.partition(".")
    if package != "hebbax":
        return None
    room = rest.partition(".")[0]
    return room if room in FLOOR_OF else "__init__"


def room_violations(module: str, tree: ast.AST) -> list[str]:
    """Imports that do not point down."""
    room = module.partition(".")[0]
    if room not in FLOOR_OF:
        return [f"{module}: {room} has no floor"]
    violations = []
    for imported in imported_modules(tree):
        target = room_of(imported)
        if imported.startswith("."):
            violations.append(f"{module} imports {imported}: write the absolute name")
        elif target not in (None, room) and FLOOR_OF[target] >= FLOOR_OF[room]:
            violations.append(f"{module} imports {imported}: {target} is not below {room}")
    return violations


def home_violations(module: str, tree: ast.AST) -> list[str]:
    """Imports of third parties outside their homes."""
    violations = []
    for imported in imported_modules(tree):
        homes = HOMES.get(imported.partition(".")[0])
        if homes is not None and not any(f"{module}.".startswith(f"{home}.") for home in homes):
            violations.append(f"{module} imports {imported}: only {' and '.join(homes)} may")
    return violations


def outside_violations(module: str, tree: ast.AST) -> list[str]:
    """Paths that lead out of the project; the package stands alone."""
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]
    return [f"{module} mentions {text!r}" for text in texts if "../" in text]


CHECKS = [room_violations, home_violations, outside_violations]


@pytest.mark.parametrize("check", CHECKS)
def test_package_keeps_to_its_rooms(check):
    paths = sorted(SOURCE.rglob("*.py"))
    assert len(paths) > len(FLOORS) // 2, "the package was not found"
    violations = [
        violation
        for path in paths
        for violation in check(
            module_name(path.relative_to(SOURCE)), ast.parse(path.read_text(encoding="utf-8"))
        )
    ]
    assert not violations, "\n".join(violations)


def test_rooms_are_few():
    """At most twenty rooms, and at most eighty arrows from one to another."""
    arrows = {
        (path.relative_to(SOURCE).with_suffix("").parts[0], room_of(imported))
        for path in SOURCE.rglob("*.py")
        for imported in imported_modules(ast.parse(path.read_text(encoding="utf-8")))
    }
    arrows = {(room, target) for room, target in arrows if target not in (None, room)}
    rooms = {room for room, _ in arrows} | {target for _, target in arrows}
    assert len(rooms) <= MOST_ROOMS, sorted(rooms)
    assert len(arrows) <= MOST_ARROWS, sorted(arrows)


def test_modules_import_in_no_circle():
    """No module needs itself to be loaded; what only types need does not count."""
    needed = {
        module_name(path.relative_to(SOURCE)): loaded_modules(path) for path in SOURCE.rglob("*.py")
    }
    while free := [module for module, others in needed.items() if not others & set(needed)]:
        for module in free:
            del needed[module]
    assert not needed, f"in circles: {sorted(needed)}"


def loaded_modules(path: Path) -> set[str]:
    """The package's modules that a module imports at its top level, from inside the package."""
    statements = ast.parse(path.read_text(encoding="utf-8")).body
    imported = [
        name.removeprefix("hebbax.")
        for statement in statements
        if isinstance(statement, ast.Import | ast.ImportFrom)
        for name in imported_modules(statement)
        if name.startswith("hebbax.")
    ]
    here = module_name(path.relative_to(SOURCE))
    # `a.b` may be the module, or a name that `a` has.
    return {
        name
        for whole in imported
        for name in (whole, whole.rpartition(".")[0])
        if name and name != here and (SOURCE / name.replace(".", "/")).with_suffix(".py").exists()
    }


@pytest.mark.parametrize(
    ("check", "module", "code"),
    [
        (room_violations, "types", "import hebbax.cli"),
        (room_violations, "types", "from hebbax import rules"),
        (room_violations, "policies.static", "from hebbax.tasks.base import Task"),
        (room_violations, "genomes.normal", "from hebbax.policies.base import Policy"),
        (room_violations, "genomes.normal", "def f():\n    import hebbax.tasks"),
        (room_violations, "evolution.rollout", "from hebbax import Config"),
        (room_violations, "evolution.rollout", "import hebbax"),
        (room_violations, "evolution.rollout", "from . import cli"),
        (room_violations, "genomes.base", "importlib.import_module('hebbax.evolution.training')"),
        (room_violations, "cellar", "import math"),
        (home_violations, "evolution.rollout", "import brax"),
        (home_violations, "tasks.base", "from brax.mjx import pipeline"),
        (home_violations, "tasks.quadruped_extra", "import mujoco"),
        (home_violations, "evolution.training", "import orbax.checkpoint as ocp"),
        (home_violations, "evolution.training", "def f():\n    from rich import print"),
        (home_violations, "evolution.training", "__import__('matplotlib')"),
        (outside_violations, "tasks.quadruped.body", "PATH = '../elsewhere/golden'"),
    ],
)
def test_planted_violation_is_found(check, module, code):
    assert len(check(module, ast.parse(code))) == 1


@pytest.mark.parametrize(
    ("module", "code"),
    [
        (
            "tasks.quadruped.body",
            "import mujoco\nfrom brax.mjx import pipeline\nfrom hebbax.tasks import base\nfrom "
            "hebbax.types import Struct",
        ),
        ("cli", "import tyro\nimport hebbax.evolution.training\nfrom hebbax import presets"),
        ("__init__", "from hebbax.evolution.training import train"),
        ("evolution.rollout", "import jax\nfrom braxton import mujoco_free"),
    ],
)
def test_allowed_import_passes(module, code):
    assert [violation for check in CHECKS for violation in check(module, ast.parse(code))] == []


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("__init__.py", "__init__"),
        ("config.py", "config"),
        ("tasks/__init__.py", "tasks"),
        ("tasks/quadruped/body.py", "tasks.quadruped.body"),
    ],
)
def test_module_name(path, name):
    assert module_name(Path(path)) == name

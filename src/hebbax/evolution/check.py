"""Whether a run can be made: all questions that can be asked before anything is computed."""

import warnings

import jax

from hebbax import devices, platforms
from hebbax.config import Config
from hebbax.evolution import interfaces, limits
from hebbax.evolution.episode import Setup


def check(config: Config, num_runs: int = 1) -> None:
    """Refuses a configuration that cannot be trained here; `train` asks the same.

    Task, policy, encoding, genome and strategy are traced, which computes nothing: shapes, types,
    and whether they fit one another. Then the memory is counted.

    Args:
        config: what would be trained.
        num_runs: how many such runs would go together.

    Raises:
        ValueError: if something does not fit; it says what, what it is, and what is allowed.

    Warns:
        UserWarning: if the encoding writes more numbers than the network has, or a task squashes
            actions that have been squashed.

    Examples:
        >>> import hebbax
        >>> task, strategy = hebbax.tasks.Point(), hebbax.ScoreFunction(4, is_mirrored=False)
        >>> genome = hebbax.SharedRules(rho=64)
        >>> hebbax.check(hebbax.Config(task, hebbax.Hebbian(), genome, strategy))
        >>> hebbax.check(hebbax.Config(task, hebbax.Static(), genome, strategy))
        Traceback (most recent call last):
            ...
        ValueError: genome shares rules, but the genotype has a part of shape (2, 128) ...
    """
    task, setup = config.task, Setup.of(config)
    interfaces.fit_variations(task)
    # Our own are tested, and their physics take seconds to trace.
    if not type(task).__module__.startswith("hebbax."):
        interfaces.fit_task(task)
    # Tracing the search for its size asks whether its parts fit one another.
    state, population = limits.search_bytes(setup, config.genome, config.strategy)
    written, there = (
        sum(leaf.size for leaf in jax.tree.leaves(tree))
        for tree in (setup.genotype_shape, setup.parameters)
    )
    if written > there:
        warnings.warn(
            f"encoding is {config.encoding}, which writes {written} numbers for the {there} of the "
            "network; Direct() writes no more than these",
            stacklevel=3,
        )
    if getattr(task, "is_squashed", False) and not getattr(config.policy, "is_output_linear", True):
        field = "policy.head" if hasattr(config.policy, "head") else "policy"
        warnings.warn(
            f"task is {task}, which squashes what a network puts out, but {field}.is_output_linear "
            "is False, so that it has been squashed before; set it to True",
            stacklevel=3,
        )
    _check_memory(config, setup, state, population, num_runs)


def _check_memory(config: Config, setup: Setup, state: int, population: int, num_runs: int) -> None:
    """Refuses runs whose search, population and episodes no device here could hold."""
    num_variations, population_size = len(config.training_names), config.strategy.population_size
    mesh = devices.population_mesh(population_size)
    individual = limits.individual_bytes(setup, num_variations)
    # What fits is found when the program is compiled, unless the configuration says it.
    chunk_size = limits.chunk_size(setup, num_variations, num_runs) or 1
    at_a_time = min(devices.share_of(population_size, mesh), chunk_size)
    # A generation's state stays until the next one's is there.
    parts = (2 * state, population, at_a_time * individual)
    # Devices of a CPU share the memory.
    copies = num_runs * (len(mesh.local_devices) if platforms.is_cpu() else 1)
    memory = devices.memory_bytes()
    available = memory / copies
    if sum(parts) <= available:
        return

    def most(unit: int, count: int, least: int) -> int:
        """How many of a dimension's units fit beside the other dimensions; 0 if too few."""
        number = int((available - sum(parts) + unit * count) / unit)
        return number if number >= least else 0

    fitting = {
        "{} of the runs": int(num_runs * available / sum(parts)),
        "a population of {}": most(population // population_size, population_size, 2),
        "a chunk_size of {}": most(individual, at_a_time, 1),
    }
    remedies = [remedy.format(number) for remedy, number in fitting.items() if number]
    remedy = " or ".join(remedies) or "a smaller network or genome, or an algorithm of less state"
    states, populations, episodes = (copies * part / 1e9 for part in parts)
    raise ValueError(
        f"strategy is {config.strategy}: {num_runs} run{'s' if num_runs > 1 else ''} would take "
        f"{copies * sum(parts) / 1e9:.1f} GB, of which two states of the search have "
        f"{states:.1f}, populations {populations:.1f} and episodes {episodes:.1f}, but there are "
        f"{memory / 1e9:.1f} GB here; there is room for {remedy}"
    )

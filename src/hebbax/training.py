"""The one training loop."""

import dataclasses
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, final

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, Key, PyTree

from hebbax import devices, rollout, shaping
from hebbax.checkpoint import Checkpoints
from hebbax.config import Config
from hebbax.genomes.base import Genome
from hebbax.run_dir import MetricsFile, note_start, open_run, read_metrics
from hebbax.types import PRNGKey, Struct, Variation

Metrics = dict[str, Any]
Callback = Callable[[Metrics], None]


@final
class TrainingState(Struct):
    """What the next generation needs, and the best so far.

    search: the strategy's state.
    best_genome: the genome whose population had the highest mean fitness.
    best_fitness: `[]` that mean.
    best_generation: `[]` the generation it was, counted from 0.
    """

    search: Any
    best_genome: Genome
    best_fitness: Float[Array, ""]
    best_generation: Int[Array, ""]


@final
@dataclasses.dataclass(frozen=True)
class Result:
    """What a training leaves behind.

    config: its configuration.
    genome: the genome after the last generation.
    best_genome: the genome whose population had the highest mean fitness.
    best_generation: the generation in which it had it, counted from 0.
    history: the metrics of every generation.
    """

    config: Config
    genome: Genome
    best_genome: Genome
    best_generation: int
    history: list[Metrics]


def train(config: Config, run_dir: str | Path | None = None, callbacks: Sequence[Callback] = ()) -> Result:
    """Evolves a genome; the same call goes on where an interrupted one was.

    The first interrupt (Ctrl-C) ends the training after its generation, with a checkpoint and a result; a second one at once.

    Args:
        config: what to evolve, and how.
        run_dir: the folder for metrics and checkpoints; nothing is written if None.
        callbacks: called with the metrics of each generation.

    Returns:
        The genome, the best so far, and the history from the first generation on.

    Raises:
        ValueError: if the folder holds something else than this run, or a checkpoint is damaged.
    """
    with ExitStack() as stack:
        mesh = devices.population_mesh(config.strategy.population_size)
        state = devices.put_everywhere(initial_state(config), mesh)
        history: list[Metrics] = []
        checkpoints = metrics_file = None
        if run_dir is not None:
            folder = Path(run_dir)
            open_run(folder, config)
            checkpoints = Checkpoints(folder / "checkpoints")
            stack.callback(checkpoints.close)
            done = checkpoints.latest()
            if done is not None:
                state = checkpoints.restore(state)
            metrics_file = MetricsFile(folder, done or 0)
            stack.callback(metrics_file.close)
            note_start(folder, config)
            history = read_metrics(folder)

        run_generation = None
        is_interrupted = stack.enter_context(_interrupts())
        for generation in range(len(history), config.generations):
            number = devices.put_everywhere(jnp.asarray(generation, jnp.int32), mesh)
            run_generation = run_generation or compile_generation(config, mesh, state, number)
            started = time.perf_counter()
            state, metrics = run_generation(state, number)
            metrics = _to_log(config, generation, metrics, started)
            history.append(metrics)
            # Asked once: an interrupt that comes later waits for the next generation, so that none ends a run without a checkpoint.
            is_last = generation + 1 == config.generations or is_interrupted()
            if metrics_file and checkpoints:
                metrics_file.write(metrics)
                if is_last or (generation + 1) % config.checkpoint_every == 0:
                    # The metrics first: a checkpoint must never be ahead of them.
                    metrics_file.sync()
                    checkpoints.save(generation + 1, state)
            for callback in callbacks:
                callback(metrics)
            if is_last:
                break
    return Result(config, state.search.genome, state.best_genome, int(state.best_generation), history)


def load_result(run_dir: str | Path) -> Result:
    """Reads the newest checkpoint of a run.

    Raises:
        ValueError: if the folder holds no run, or one without a readable checkpoint.
    """
    folder = Path(run_dir)
    config = Config.load(folder)
    with closing(Checkpoints(folder / "checkpoints", is_read_only=True)) as checkpoints:
        done = checkpoints.latest()
        if done is None:
            raise ValueError(f"{run_dir} has no checkpoint yet")
        state = checkpoints.restore(initial_state(config))
    return Result(config, state.search.genome, state.best_genome, int(state.best_generation), read_metrics(folder, done))


def random_keys(config: Config) -> tuple[PRNGKey, PRNGKey, PRNGKey]:
    """The keys of a run's three parts: its beginning, its generations, and its evaluation."""
    initial, generations, evaluation = jax.random.split(jax.random.key(config.seed), 3)
    return initial, generations, evaluation


def initial_state(config: Config) -> TrainingState:
    """The state before the first generation."""
    genome_key, strategy_key = jax.random.split(random_keys(config)[0])
    genome = config.genome.init(genome_key, config.policy.genotype_shape(config.task))
    search = config.strategy.init(strategy_key, genome)
    return TrainingState(search, best_genome=search.genome, best_fitness=jnp.asarray(-jnp.inf), best_generation=jnp.zeros((), jnp.int32))


def compile_generation(config: Config, mesh: Mesh, state: TrainingState, number: Array) -> Callable[..., tuple[TrainingState, PyTree]]:
    """Compiles a generation: one program from the genome to the next, for all seeds and held-out variations of a configuration."""
    data = devices.put_everywhere((random_keys(config)[1], rollout.stack(config.training_variations)), mesh)
    function = jax.jit(partial(generation, config, mesh), out_shardings=devices.everywhere(mesh))
    # In a thread, for an interrupt would otherwise not be heard before the compiler is done.
    program = ThreadPoolExecutor(max_workers=1).submit(function.lower(*data, state, number).compile).result()
    return partial(program, *data)


def generation(
    config: Config, mesh: Mesh, key: PRNGKey, variations: Variation, state: TrainingState, number: Int[Array, ""]
) -> tuple[TrainingState, PyTree]:
    """Samples a population, lets it live in every training variation, and learns from its fitness.

    Args:
        config: the run's. Its seed and its held-out variation are not read, so that runs which differ in nothing else share a compiled program.
        mesh: the devices that share the population.
        key: of all generations.
        variations: `[variations, ...]` to live in, stacked.
        state: before the generation.
        number: `[]` of the generation, counted from 0.

    Returns:
        The state after it, and its metrics, of which `returns` is `[variations]`.
    """

    def live(keys: Key[Array, " share"], genotypes: PyTree) -> rollout.Outcome:
        return rollout.live(config.task, config.policy, keys, genotypes, variations, config.individuals_at_a_time)

    ask_key, life_key = jax.random.split(jax.random.fold_in(key, number))
    genotypes = config.strategy.ask(ask_key, state.search)
    life_keys = jax.vmap(lambda life: jax.random.fold_in(life_key, life))(config.strategy.shared_lives())
    outcomes = devices.over_population(live, mesh)(life_keys, genotypes)

    penalties = config.penalty * jax.vmap(shaping.mean_square)(genotypes)
    fitness, num_non_finite = shaping.replace_non_finite(jnp.mean(outcomes.fitness, axis=1) - penalties)
    search, info = config.strategy.tell(state.search, genotypes, fitness)

    mean = jnp.mean(fitness)
    is_best = mean > state.best_fitness
    best_genome = jax.tree.map(lambda new, old: jnp.where(is_best, new, old), state.search.genome, state.best_genome)
    after = TrainingState(
        search,
        best_genome=best_genome,
        best_fitness=jnp.maximum(mean, state.best_fitness),
        best_generation=jnp.where(is_best, number, state.best_generation),
    )
    metrics = {
        "fitness_mean": mean,
        "fitness_best": jnp.max(fitness),
        "fitness_std": jnp.std(fitness),
        "returns": jnp.nanmean(outcomes.fitness, axis=0),
        "ended_early": jnp.mean(outcomes.num_steps < config.task.max_steps),
        "non_finite": num_non_finite,
        "steps": jnp.sum(outcomes.num_steps),
        **info,
        **getattr(state.search.genome, "describe", dict)(),
    }
    return after, metrics


def _to_log(config: Config, generation: int, metrics: PyTree, started: float) -> Metrics:
    """Waits for a generation's metrics, in a way that leaves interrupts their chance, and makes plain numbers of them."""
    while not all(leaf.is_ready() for leaf in jax.tree.leaves(metrics)):
        time.sleep(0.001)
    plain = jax.tree.map(lambda leaf: leaf.tolist(), metrics)
    plain["returns"] = dict(zip(config.training_variations, plain["returns"], strict=True))
    seconds = time.perf_counter() - started
    return {"generation": generation, **plain, "seconds": seconds, "steps_per_second": plain["steps"] / seconds}


@contextmanager
def _interrupts() -> Iterator[Callable[[], bool]]:
    """Takes the first interrupt as a wish to end soon; a second one is raised as always."""
    interrupts: list[int] = []
    try:
        before = signal.getsignal(signal.SIGINT)

        def on_interrupt(number: int, frame: Any) -> None:
            del frame
            interrupts.append(number)
            signal.signal(signal.SIGINT, before)

        signal.signal(signal.SIGINT, on_interrupt)
    except ValueError:  # Only the main thread may handle signals; elsewhere the caller does.
        yield lambda: False
        return
    try:
        yield lambda: bool(interrupts)
    finally:
        signal.signal(signal.SIGINT, before)

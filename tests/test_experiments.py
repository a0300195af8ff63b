"""The experiments: every method can be made, and has a fold to be held out."""

import dataclasses
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import hebbax
from hebbax.comparison import archive
from hebbax.comparison.tuning import with_values
from hebbax.files import to_json
from hebbax.genomes import FixedRules, size_of
from hebbax.watching.films.quadruped import QuadrupedScene
from hebbax.watching.films.scene import Footage

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
BOTTLENECK = EXPERIMENTS / "bottleneck"
SCRIPTS = sorted(path for path in EXPERIMENTS.rglob("*.py") if path.parent != BOTTLENECK)
PARTS = (
    "Hypothesis:",
    "Command:",
    "Hardware:",
    "Time:",
    "Expected:",
    "Last reproduced:",
    "Source:",
)


def test_all_experiments_are_seen():
    """The paper's three, and two small ones; what is beyond the paper has a folder of its own."""
    assert [str(path.relative_to(EXPERIMENTS)) for path in SCRIPTS] == [
        *("genomic_bottleneck_car.py", "genomic_bottleneck_quadruped.py", "najarro_quadruped.py"),
        *("small/genomic_bottleneck_car.py", "small/genomic_bottleneck_quadruped.py"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_experiment_is_described_and_its_methods_can_be_made(script: Path):
    """A reader finds what a file is to show and how.

    All methods share their task, and stand for different things.
    """
    module = runpy.run_path(str(script))
    assert [part for part in PARTS if part not in module["__doc__"]] == []
    configs = {name: make() for name, make in module["METHODS"].items()}
    assert len({config.task for config in configs.values()}) == 1
    assert len({config.generations for config in configs.values()}) == 1
    assert len({config.strategy.population_size for config in configs.values()}) == 1
    assert len(set(configs.values())) == len(configs)


def test_bottleneck_is_what_was_written_down(monkeypatch: pytest.MonkeyPatch):
    """Each method of the page with its numbers; runs and tuning share no seed.

    Mutations: another network; a control with fewer numbers than the page says.
    """
    monkeypatch.syspath_prepend(BOTTLENECK)
    methods = runpy.run_path(str(BOTTLENECK / "methods.py"))
    page = (BOTTLENECK / "README.md").read_text()
    for name, make in methods["METHODS"].items():
        config = make()
        hebbax.check(config)
        shape = config.encoding.genotype_shape(config.policy.parameters(config.task))
        genome = config.genome.init(jax.random.key(0), shape)
        assert f"| `{name}` | {size_of(genome).numbers:,} |" in page


def test_bottleneck_keeps_its_seeds_apart(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Tuning has seeds of its own and one fold; the comparison has 0, 1 and 2 and all folds.

    Mutation: a comparison on the seeds that its numbers were chosen with.
    """
    monkeypatch.syspath_prepend(BOTTLENECK)
    script = runpy.run_path(str(BOTTLENECK / "run.py"))
    names = script["tune"].__globals__
    monkeypatch.setitem(names, "TUNED", tmp_path / "tuned.json")
    monkeypatch.setattr(sys.modules["methods"], "TUNED", tmp_path / "tuned.json")
    tuned, compared = [], []
    options = SimpleNamespace(folder=tmp_path, methods=None, folds=None, together=False)

    def tune(config: hebbax.Config, space: Any, **call: Any) -> Any:
        tuned.append(call["seeds"])
        assert (config.held_out, config.generations) == (names["FOLD"], 15)
        best = tuple(choices[1] for choices in space.values())
        return SimpleNamespace(
            best=SimpleNamespace(values=best),
            config=with_values(config, dict(zip(space, best, strict=True))),
        )

    monkeypatch.setattr(hebbax, "tune", tune)
    monkeypatch.setattr(hebbax, "sweep", lambda *call, **_: compared.append(call))
    for name, part in script["PARTS"].items():
        if name != "look":  # Which reads what the others have made.
            part(options)
    options.methods = ["tied", "fixed"]
    script["PARTS"]["short"](options)
    assert list(compared.pop()[0]) == ["tied", "fixed"]
    script["PARTS"]["curve"](options)  # Which has no such methods.
    sys.modules.pop("methods")
    assert {seed for seeds in tuned for seed in seeds} == {100, 101, 102, 103}
    assert [len(seeds) for seeds in tuned] == [4] * 8 + [2] * 6
    assert [call[3] for call in compared] == [3, 3, 3, 3, 3, 1, 3, 1, 1]
    lengths = [{config.generations for config in call[0].values()} for call in compared]
    assert lengths == [{30}, {30}, {100}, {30}, {100}, {30}, {30}, {30}, {30}]
    assert list(compared[2][0]) == ["direct", "tied", "static"]
    assert [call[2] for call in compared] == ["all"] * 6 + [[names["FOLD"]], "all", "all"]


def test_ablations_can_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Every variant of a tuned method passes all checks; one that is not tuned is refused."""
    monkeypatch.syspath_prepend(BOTTLENECK)
    methods = runpy.run_path(str(BOTTLENECK / "methods.py"))
    found = tmp_path / "tuned.json"
    monkeypatch.setitem(methods["tuned"].__globals__, "TUNED", found)
    with pytest.raises(ValueError, match="tied is not tuned yet; run the part `tuning`"):
        methods["tuned"]("tied")
    found.write_text(json.dumps({"direct": {methods["RATE"]: 0.1}, "tied": {methods["RATE"]: 0.3}}))
    assert methods["tuned"]("tied").strategy.optimizer.learning_rate.initial == 0.3
    variants = methods["make_ablations"]() | methods["make_assignments"]() | methods["make_sizes"]()
    variants |= methods["make_afterthought"]()
    assert len(set(variants.values())) == len(variants) == 6 + 3 + 5 + 2
    for config in variants.values():
        hebbax.check(config)


def test_bottleneck_loses_no_line(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Lines of both folders, each once, in their order; files that are not there are empty.

    Mutation: the longer file alone.
    """
    monkeypatch.syspath_prepend(BOTTLENECK)
    merge_lines = runpy.run_path(str(BOTTLENECK / "run.py"))["merge_lines"]
    sys.modules.pop("methods")
    here, folder = tmp_path / "here", tmp_path / "folder"
    here.mkdir()
    (here / "scores.jsonl").write_text("a\nb\n")
    merge_lines(folder, [here, folder])
    (folder / "scores.jsonl").write_text("a\nb\nc\n")
    (here / "scores.jsonl").write_text("a\nb\nd\n")
    merge_lines(here, [here, folder])
    assert (here / "scores.jsonl").read_text() == "a\nb\nd\nc\n"
    assert (here / "tuning.jsonl").read_text() == ""


def test_what_happens_within_episodes(monkeypatch: pytest.MonkeyPatch):
    """On a point: nothing happens in an evaluation's episodes; a drift is seen as one.

    What breaks or stops changes nothing before it, and something in the part that it begins. Where
    the rule is its constant alone, the constant explains all of the change; where there is none,
    nothing.

    Mutations: other episodes; the change of the last step; an event from the start on; one that
    comes a part later.
    """
    monkeypatch.syspath_prepend(BOTTLENECK)
    look_within = runpy.run_path(str(BOTTLENECK / "within_episodes.py"))["look_within"]
    config = hebbax.Config(
        hebbax.tasks.Point(),
        hebbax.Hebbian(hidden_sizes=(3,)),
        hebbax.Normal(init_scale=0.3),
        hebbax.ScoreFunction(population_size=4),
        generations=2,
    )
    result = hebbax.train(config)
    found = look_within(result, "weak", "mirrored")
    by_name = {score.variation: score for score in hebbax.evaluate(result, episodes=256)}
    returns = found["returns"]
    assert sum(returns["intact"]) == pytest.approx(by_name["weak"].mean, rel=1e-4)
    names = ["broken", "stopped", "broken-stopped", "lost-0", "lost-1"]
    assert list(returns) == [
        "intact",
        *(f"{name} at half" for name in names),
        *(f"{name} at eighth" for name in names),
    ]
    assert len({tuple(parts) for parts in returns.values()}) == len(returns)
    for moment, before in (("half", 4), ("eighth", 1)):
        for name in names:
            parts = returns[f"{name} at {moment}"]
            assert parts[:before] == pytest.approx(returns["intact"][:before], rel=1e-5)
            assert parts[before] != pytest.approx(returns["intact"][before], rel=1e-5)
    assert 0.0 < found["drift_share"] < 1.0

    def only(*kept: int) -> Any:
        """The result, of whose rule some coefficients alone are left."""
        is_kept = jnp.isin(jnp.arange(5), jnp.asarray(kept))[:, None, None]
        mean = jax.tree.map(lambda rules: jnp.where(is_kept, rules, 0.0), result.genome.mean)
        return dataclasses.replace(result, genome=result.genome.replace(mean=mean))

    drift, none = (look_within(only(*kept), "weak", "mirrored") for kept in ((0, 4), (0, 1, 2, 3)))
    assert drift["drift_share"] == pytest.approx(1.0, abs=1e-5)
    assert none["drift_share"] == 0.0
    static = dataclasses.replace(config, policy=hebbax.Static(hidden_sizes=(3,)))
    found = look_within(hebbax.train(static), "weak", "mirrored")
    assert list(found["returns"]) == ["intact", "broken at half", "broken at eighth"]
    assert found["drift_share"] is None


def test_a_run_can_be_made_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The scores that a sweep has put into an archive are those of the run made again.

    Mutations: another seed; the scores of individuals.
    """
    monkeypatch.syspath_prepend(BOTTLENECK)
    make_again = runpy.run_path(str(BOTTLENECK / "again.py"))["make_again"]
    config = hebbax.Config(
        hebbax.tasks.Point(),
        hebbax.Hebbian(hidden_sizes=()),
        hebbax.Normal(init_scale=0.3),
        hebbax.ScoreFunction(population_size=4),
        generations=2,
    )
    file = tmp_path / "scores.jsonl"
    hebbax.sweep({"point": config}, tmp_path / "sweep", ["weak"], 2, episodes=4, archive=file)
    for line in archive.read(file):
        found = make_again(line)
        assert [name for name, _, _ in found] == list(config.task.variations)
        assert len({then for _, then, _ in found}) == len(found)
        for _, then, now in found:
            assert then == now
    sys.modules.pop("methods")


def test_a_mixture_cannot_tell_its_outputs_apart(monkeypatch: pytest.MonkeyPatch):
    """Equal logits: no nats. Rules of one place each: sum |m - m'|^2 / 2 std^2 over the synapses.

    Mutations: inputs permuted; the same genotypes twice.
    """
    monkeypatch.syspath_prepend(BOTTLENECK)
    names = runpy.run_path(str(BOTTLENECK / "permuted_outputs.py"))
    shape = hebbax.Hebbian(hidden_sizes=(3,)).parameters(hebbax.Quadruped())
    key = jax.random.key(0)
    even = hebbax.SharedRules(num_rules=4).init(jax.random.clone(key), shape)
    assert names["told_apart"](even, jax.random.clone(key))[0] == pytest.approx(0.0, abs=1e-3)
    fixed = FixedRules(num_rules=4).init(jax.random.clone(key), shape)
    mode = fixed.mode()
    _, last = jax.tree.leaves(mode)
    _, moved = jax.tree.leaves(names["moved_on"](mode))
    assert (moved[..., 2:] == last[..., :-2]).all()
    assert (moved[..., :2] == last[..., -2:]).all()
    expected = float(jnp.sum(jnp.square(moved - last)) / (2 * fixed.std**2))
    nats, error = names["told_apart"](fixed, jax.random.clone(key))
    assert abs(nats - expected) < 4 * error < expected
    sys.modules.pop("methods")


BODIES = {"default": 0.0, "long_front_legs": -4.0, "long_rear_legs": 6.0}


def made_up(method: str, level: float, generations: int, spread: float, seeds: int = 3) -> Any:
    """Lines of runs whose score is a level, a body's difficulty, 3 if trained on, and a spread."""
    for fold in BODIES:
        for seed in range(seeds):
            own = level + spread * (seed - 1)
            scores = [
                {"variation": body, "mean": own + easy + 3.0 * (body != fold)}
                for body, easy in BODIES.items()
            ]
            yield {
                "method": method,
                "generations": generations,
                "fold": fold,
                "seed": seed,
                "scores": {"mode": scores},
            }


@pytest.fixture
def analyse(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The script's names; the module that other scripts call `methods` goes with it."""
    monkeypatch.syspath_prepend(BOTTLENECK)
    names = runpy.run_path(str(BOTTLENECK / "analyse.py"))
    yield SimpleNamespace(**names)
    for name in ("methods", "figures", "genome_lines", "within_episodes"):
        sys.modules.pop(name, None)


def test_answers_follow_from_the_runs(analyse: Any):
    """What was made up is found: which is better, and what a body is worth that was seen.

    Mutations: the lower end against 0; held out for trained on; a body's difficulty in the gap.
    """
    levels = {"direct": 10.0, "tied": 20.0, "static": 20.0, "static-tied": 40.0, "fixed": 1.0}
    lines = [
        line
        for method, level in levels.items()
        for generations in (30, 100)
        for line in made_up(method, level, generations, spread=2.0)
    ]
    answers = analyse.answer(analyse.Runs(lines))
    found = answers["hypotheses"]
    assert (found["H1"]["answer"], found["H2"]["answer"]) == ("confirmed", "confirmed")
    assert found["H1"]["difference"] == pytest.approx(10.0)
    assert [part["answer"] for part in found["H3"].values()] == ["refuted", "refuted"]
    assert found["H3"]["trained on"]["by_seed"] == pytest.approx([-20.0] * 3)
    gaps = {row["method"]: row for row in answers["gaps"]}
    assert gaps["tied"]["gap"][0] == pytest.approx(3.0)
    assert gaps["direct"]["by_seed"] == pytest.approx([3.0] * 3)
    assert gaps["direct"]["more_than_tied"][0] == pytest.approx(0.0)
    two_folds = analyse.Runs([line for line in lines if line["fold"] != "default"])
    assert analyse.gaps(two_folds) == analyse.answer(two_folds)["sizes"] == []
    assert answers["equal_scores"]["difference"][0] == pytest.approx(0.0, abs=1e-6)
    assert answers["two_by_two"] == {}
    of_long = ["direct", "tied", "static", "static-tied"]
    assert [row["method"] for row in answers["long"]] == list(gaps) == of_long

    equal = [line for line in lines if line["method"] != "tied"]
    equal += [line | {"method": "tied"} for line in lines if line["method"] == "direct"]
    found = analyse.answer(analyse.Runs(equal))["hypotheses"]
    assert found["H1"]["answer"] == "undecided"
    assert found["H2"]["answer"].startswith("not read")


def test_ablations_stand_beside_the_same_seed(analyse: Any):
    """The whole rule's row is of seed 0 alone, as the ablations are.

    Mutation: all seeds.
    """
    lines = [*made_up("direct", 10.0, 30, 2.0), *made_up("direct-no-constant", 5.0, 30, 0.0, 1)]
    whole, without = analyse.answer(analyse.Runs(lines))["ablations"]
    assert (whole["method"], without["method"]) == ("direct", "direct-no-constant")
    assert whole["runs"] == without["runs"] == len(BODIES)
    assert whole["trained on"][0] - without["trained on"][0] == pytest.approx(8.0 - 5.0)


def test_no_worse_is_of_the_whole_interval(analyse: Any):
    """Mutation: one end of the interval for the other."""
    found = [analyse.no_worse(ends, -5.0) for ends in ((-4, 9), (-6, 9), (-9, -4), (-9, -6))]
    assert found == ["confirmed", "undecided", "undecided", "refuted"]


def test_a_hypothesis_waits_for_all_of_its_runs(analyse: Any):
    """One seed of one fold is missing, and nothing is confirmed.

    Mutation: an answer from the runs that happen to be there.
    """
    levels = {"direct": (10.0, 100), "tied": (20.0, 100), "static-tied": (1.0, 30)}
    lines = [line for name, (level, g) in levels.items() for line in made_up(name, level, g, 2.0)]
    lines += made_up("tied", 15.0, 30, 2.0)
    assert list(analyse.answer(analyse.Runs(lines))["hypotheses"]) == ["H1", "H2", "H3"]
    for method, generations, left in (("direct", 100, ["H3"]), ("tied", 30, ["H1", "H2"])):
        of_one = [x for x in lines if (x["method"], x["generations"]) == (method, generations)]
        fewer = [line for line in lines if line is not of_one[4]]
        assert list(analyse.answer(analyse.Runs(fewer))["hypotheses"]) == left


def test_the_median_run_is_filmed(analyse: Any):
    """Of five held-out scores the third, of runs of 100 generations.

    Mutations: the median trained on; runs of 30 generations.
    """
    films = runpy.run_path(str(BOTTLENECK / "films.py"))
    assert films["median_run"]([], "tied") is None

    def line(seed: int, held_out: float, generations: int = 100) -> dict[str, Any]:
        means = {"default": held_out, "long_rear_legs": float(seed)}
        scores = [{"variation": body, "mean": mean} for body, mean in means.items()]
        key = {"method": "tied", "generations": generations, "fold": "default", "seed": seed}
        return key | {"scores": {"mode": scores}}

    lines = [line(seed, held_out) for seed, held_out in enumerate([5.0, 3.0, 4.0, 1.0, 2.0])]
    short = [line(5, 0.0, generations=30), line(6, 0.0, generations=30)]
    assert films["median_run"](short + lines, "tied")["seed"] == 1
    sys.modules.pop("again")
    sys.modules.pop("analyse")


def test_films_can_be_written(analyse: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """What is asked for is checked as it is when a film is made; the file has its name.

    Mutation: a suffix that is not the format's.
    """
    films = runpy.run_path(str(BOTTLENECK / "films.py"))
    for name in ("again", "analyse"):
        sys.modules.pop(name)
    footage = Footage([], np.zeros(5), range(5), "")
    monkeypatch.setattr("hebbax.watching.films.film.film", lambda *_, **__: footage)
    monkeypatch.setattr(QuadrupedScene, "draw", lambda *_: [np.zeros((16, 16, 3), np.uint8)])
    config = analyse.METHODS["tied"]()
    genome = config.genome
    result = hebbax.Result(config, genome, genome, None, (), [])
    films["film"](result, "long_front_legs", tmp_path / "bottleneck-tied.gif")
    assert (tmp_path / "bottleneck-tied.gif").read_bytes()[:3] == b"GIF"


def test_tables_say_what_was_answered(analyse: Any, monkeypatch: pytest.MonkeyPatch):
    """Numbers of made-up runs and genomes in their cells; what has no interval shows none.

    Mutations: the intervals of another column; a table of what has no runs.
    """
    monkeypatch.syspath_prepend(EXPERIMENTS.parent / "benchmarks")
    import bottleneck_tables as tables

    levels = {"direct": 10.0, "tied": 20.0, "static-tied": 40.0, "fixed": 1.0}
    levels |= {"direct-grouped": 12.0}
    lines = [
        line
        for method, level in levels.items()
        for generations in (30, 100)
        for line in made_up(method, level, generations, spread=2.0)
    ]
    lines += made_up("tied-9", 5.0, 30, spread=0.0, seeds=1)
    answers = json.loads(to_json(analyse.answer(analyse.Runs(lines))))
    direct, tied, _ = tables.scores("long", answers)[2:]
    assert direct.startswith("| `direct` | 9 | 13.8 [")
    assert tied.startswith("| `tied` | 9 | 23.8 [")
    assert "| `tied-9` | 45 | 3 | 8.7 | 5.7 | 0.06 |" in tables.scores("sizes", answers)
    h1, h2, *h3 = tables.hypotheses(answers)[2:]
    assert "| H1 | how probably `tied` beats `direct` trained on | 1.00 [1.00, 1.00] |" in h1
    assert h2.endswith("| confirmed |")
    against = tables.against_direct(answers)[2:]
    assert [row.split("|")[1:3] for row in against] == [
        [f" `{method}` ", f" {generations} "]
        for generations in (30, 100)
        for method in ("tied", "static-tied", "direct-grouped", "fixed")
    ]
    assert against[0].startswith("| `tied` | 30 | 1.00 [1.00, 1.00] | 10.0 [")
    assert against[-1].split("|")[4].split()[0] == "-9.0"
    assert [row.split("|")[3].split()[0] for row in h3] == ["-20.0", "-20.0"]
    assert all("| -20.0, -20.0, -20.0 | refuted |" in row for row in h3)
    assert (
        tables.two_by_two(answers)[2] == "| 2,880 numbers | `direct` 13.7 | `direct-grouped` 15.7 |"
    )
    assert tables.gaps(answers)[2].startswith("| `direct` | 3.0 [")
    assert "`tied` is -0.0 [" in tables.equal_scores(answers)[0]

    nothing = json.loads(to_json(analyse.answer(analyse.Runs([]))))
    nothing |= {"bits": [], "within": []}
    assert not any(make(nothing) for make in tables.OF_ANSWERS.values())


def test_sizes_are_drawn(analyse: Any):
    """Two points for each method: over numbers those of all, over bits those whose bits are known.

    Mutations: the scores of 30 generations on the right; a method without bits.
    """
    lines = [*made_up("direct", 10.0, 30, 2.0), *made_up("tied-9", 5.0, 30, 0.0, seeds=1)]
    lines += [*made_up("direct", 50.0, 100, 2.0), *made_up("tied", 50.0, 100, 2.0)]
    answers = analyse.answer(analyse.Runs(lines))
    answers["bits"] = [{"method": "direct", "bits": 1000.0}]
    axes = analyse.sizes_figure(answers).axes
    found = [
        [(float(x), float(y)) for bars in panel.containers for x, y in bars[0].get_xydata()]
        for panel in axes
    ]
    direct, tied = answers["sizes"]
    (long,) = (row for row in answers["long"] if row["method"] == "direct")
    for panel, rows, sizes in zip(
        found, ([direct, tied], [long]), ([2880, 45], [1000.0]), strict=True
    ):
        scores = [row[where][0] for row in rows for where in ("trained on", "held out")]
        assert [y for _, y in panel] == pytest.approx(scores)
        assert [x for x, _ in panel[::2]] == pytest.approx(sizes, rel=0.1)


def test_nothing_is_answered_without_runs(analyse: Any):
    """Mutation: an answer from no runs."""
    answers = analyse.answer(analyse.Runs([]))
    assert not any(answers.values())


def test_answers_follow_from_the_genomes(analyse: Any, monkeypatch: pytest.MonkeyPatch):
    """Of made-up genomes: the median of their bits, and what events change from then on.

    A run whose score no rounding keeps needs the 32 bits a number that it is stored with. Of a
    method that has runs of 100 generations, those of 30 do not count.

    Mutations: the mean of the bits; what was before an event; all runs; one moment for both.
    """
    genome_lines = analyse.genome_lines

    def line(seed: int, bits: float | None, stopped: float, generations: int = 100) -> Any:
        end = [9.0, 9.0, 2.0, 3.0]
        returns = {
            "intact": [5.0, 9.0, *[0.0] * 2, *end],
            "stopped at half": [5.0, 9.0, *[0.0] * 2, 9.0, 9.0, 2.0, stopped],
            "broken at half": [5.0, 9.0, *[0.0] * 2, 9.0, 9.0, 1.0, 2.0],
            "broken-stopped at half": [5.0, 9.0, *[0.0] * 2, 9.0, 9.0, 1.0, 1.0],
        }
        returns |= {
            f"{event} at eighth": [5.0, 7.0, *[0.0] * 2, *end]
            for event in ("stopped", "broken", "broken-stopped")
        }
        return {
            "method": "tied",
            "fold": "default",
            "seed": seed,
            "generations": generations,
            "numbers": 180,
            "bits": {"trained on": 1.0, "held out": bits},
            "within": {"returns": returns, "drift_share": 0.25},
        }

    lines = [line(0, 400.0, 1.0), line(1, 700.0, 2.0), line(2, None, 3.0), line(3, 1.0, 9.0, 30)]
    (row,) = genome_lines.bits(lines)
    assert row == {"method": "tied", "runs": 3, "numbers": 180, "kept": 2, "bits": 700.0}
    (row,) = genome_lines.bits([*lines, line(4, None, 1.0), line(5, None, 1.0)])
    assert (row["kept"], row["bits"]) == (2, 32 * 180)
    row, early = genome_lines.within(lines)
    assert (row["moment"], early["moment"]) == ("half", "eighth")
    assert (row["runs"], row["intact"][0], row["drift_share"][0]) == (3, 23.0, 0.25)
    assert row["changes"]["stopped"][0] == pytest.approx(-1.0)
    assert row["changes"]["broken"] == [-2.0, -2.0, -2.0]
    assert row["adapted"] == [1.0, 1.0, 1.0]
    assert early["intact"][0] == 32.0
    assert early["changes"]["stopped"] == [-2.0, -2.0, -2.0]
    assert genome_lines.bits([]) == genome_lines.within([]) == []

    monkeypatch.syspath_prepend(EXPERIMENTS.parent / "benchmarks")
    import bottleneck_tables as tables

    answers = {"bits": genome_lines.bits(lines), "within": genome_lines.within(lines)}
    assert tables.bits(answers)[2] == "| `tied` | 180 | 700 | 2 of 3 runs |"
    row, early = tables.within(answers)[2:]
    assert row.startswith("| `tied` | half | 23.0 [23.0, 23.0] | -1.0 [")
    assert row.endswith("| -2.0 [-2.0, -2.0] | 1.0 [1.0, 1.0] |")
    assert early.startswith("| `tied` | eighth | 32.0 [32.0, 32.0] | -2.0 [-2.0, -2.0] |")
    (row,) = tables.drift(answers)[2:]
    assert row.startswith("| `tied` | 3 | 5.0, 9.0, 0.0, 0.0, 9.0, 9.0, 2.0, 3.0 | 0.25 [")


def test_signal_is_told_from_noise(analyse: Any, monkeypatch: pytest.MonkeyPatch):
    """Gradients of a known signal and noise; without a signal the ratio is zero within its error.

    Mutations: a population in the mean that it is compared with; an error that is too small.
    """
    split = runpy.run_path(str(BOTTLENECK / "signal_to_noise.py"))["split"]
    random = np.random.default_rng(0)
    for level in (0.0, 0.3):
        found = [split(level + random.normal(size=(10, 1000))) for _ in range(50)]
        off = np.asarray([one["ratio"] - level**2 for one in found])
        errors = np.asarray([one["error"] for one in found])
        assert abs(np.mean(off)) < 0.005
        # The jackknife's error of what is nothing but noise is too large.
        assert 0.6 < np.sqrt(np.mean(np.square(off)) / np.mean(np.square(errors))) < 1.2

    monkeypatch.syspath_prepend(EXPERIMENTS.parent / "benchmarks")
    import bottleneck_tables as tables

    row = {"method": "tied", "state": "first", "predicted": 0.5, "ratio": 0.25, "error": 0.0625}
    assert tables.signal_to_noise([row | {"gains": [1.0, 2.0, 3.0, 2.0]}])[2] == (
        "| `tied` | first | 0.250 +- 0.062 | 0.500 | 2.0 +- 0.4 |"
    )


def test_the_share_of_the_assignment(analyse: Any, monkeypatch: pytest.MonkeyPatch):
    """All of the variance between seeds is within an assignment, or all of it between.

    Mutation: the variance of the means, uncorrected.
    """
    monkeypatch.syspath_prepend(EXPERIMENTS.parent / "benchmarks")
    import bottleneck_tables as tables

    folds = {"long_front_legs": 0.0}
    for levels, spread, expected in (((1.0, 2.0, 3.0), 1e-6, 1.0), ((2.0, 2.0, 2.0), 1.0, 0.0)):
        lines = [
            line
            for seed, level in enumerate(levels)
            for line in made_up(f"tied-assignment-{seed}", level, 30, spread)
            if line["fold"] in folds
        ]
        answers = {"assignment_share": analyse.assignment_share(analyse.Runs(lines))}
        share, low, high = answers["assignment_share"]
        assert share == pytest.approx(expected)
        assert low <= share <= high <= 1.0
        assert f"is {expected:.2f} [" in tables.assignment(answers)[0]


def test_two_by_two(analyse: Any):
    """Numbers, directions and what they do together, by hand."""
    levels = {"direct": 1.0, "direct-grouped": 3.0, "fixed": 2.0, "tied": 9.0}
    lines = [line for name, level in levels.items() for line in made_up(name, level, 30, 1.0)]
    found = analyse.two_by_two(analyse.Runs(lines))
    expected = {"fewer numbers": (2 + 9 - 1 - 3) / 2, "fewer directions": (3 + 9 - 1 - 2) / 2}
    for name, effect in (expected | {"interaction": 9 - 2 - 3 + 1}).items():
        middle, low, high = found[name]
        assert middle == pytest.approx(effect)
        assert low < middle < high
    assert analyse.two_by_two(analyse.Runs(lines[1:])) == {}

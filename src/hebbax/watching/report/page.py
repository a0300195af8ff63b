"""The report: one page that holds all it shows, readable without a network and without scripts."""

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hebbax.comparison.results import (
    KINDS,
    Results,
    collect,
    collect_run,
    describe_methods,
    generalisation_matrix,
    summarise,
    write,
)
from hebbax.files import local_path, write_whole
from hebbax.files.plain import trust as trust_modules
from hebbax.types import checks
from hebbax.watching.report.blocks import Section, count, in_words
from hebbax.watching.report.films import find_films, make_films
from hebbax.watching.report.labels import list_labels
from hebbax.watching.report.machines import environment_table
from hebbax.watching.report.pictures import draw_figures
from hebbax.watching.report.records import Record, read_records
from hebbax.watching.report.scores import (
    improvement_table,
    matrix_table,
    run_table,
    score_table,
    summary_table,
)
from hebbax.watching.report.settings import difference_table, list_settings

TEMPLATES = Path(__file__).parent / "templates"


def write_report(folder: str | Path, films: int = 0, trust: Sequence[str] = ()) -> Path:
    """Writes report.html into the folder of a sweep or of a run.

    Beside it results.csv, results.json and the pictures in figures/.

    The runs need not be complete; the page says what is missing.

    Args:
        folder: of a sweep or of a run.
        films: how many films to make first, of the best method before the others; films that are
            there already are on the page in any case.
        trust: modules, or files that end in `.py`, whose classes the runs may be of; see
            `Config.from_dict`.

    Returns:
        The page.

    Raises:
        ValueError: if the folder is neither, something in it cannot be read, or its task cannot be
            filmed.

    Examples:
        >>> import hebbax
        >>> task, policy = hebbax.tasks.Point(), hebbax.Hebbian(hidden_sizes=())
        >>> strategy = hebbax.ScoreFunction(population_size=4)
        >>> config = hebbax.Config(task, policy, hebbax.Normal(), strategy, generations=2)
        >>> result = hebbax.train(config, "runs/point")
        >>> hebbax.watching.write_report("runs/point").name
        'report.html'
    """
    trust_modules(trust)
    folder = local_path(folder, "folder")
    is_sweep = (folder / "sweep.json").exists()
    if not is_sweep and not (folder / "config.json").exists():
        raise ValueError(
            f"{folder} is neither a sweep nor a run: it has no sweep.json and no config.json"
        )
    results = collect(folder) if is_sweep else collect_run(folder)
    records = read_records(results)
    make_films(results, checks.integer()("films", films))
    write(folder, results)

    sections = [
        _what_sweep(results, records) if is_sweep else _what_run(results, records),
        _where(records),
        *_find(results, records, folder, is_sweep),
        _settings(records),
    ]
    labels = list_labels(results, records)
    page = folder / "report.html"
    write_whole(
        page,
        _render(
            folder.resolve().name,
            is_sweep,
            labels,
            [section for section in sections if section is not None],
        ),
    )
    return page


def _find(
    results: Results, records: Sequence[Record], folder: Path, is_sweep: bool
) -> list[Section | None]:
    """The sections of what was found."""
    figures = draw_figures(results, folder / "figures", is_sweep=is_sweep)
    scores = [_sweep_scores(results), _matrix(results)] if is_sweep else [_run_scores(results)]
    of_rules = {name: name.startswith(("rule-use-", "weight-changes-")) for name in figures}
    pictures = Section(
        "pictures",
        "Pictures",
        [],
        figures=[figures[name] for name in figures if not of_rules[name]],
    )
    rules = [figures[name] for name in figures if of_rules[name]]
    words = (
        ["Of each plastic method the rules of one run, the first that has a checkpoint."]
        if is_sweep
        else []
    )
    films, left_out = find_films(results)
    return [
        *scores,
        pictures,
        Section("rules", "Rules", words, figures=rules) if rules else None,
        Section("films", "Films", left_out, films=films) if films or left_out else None,
        Section("runs", "Runs", [], long_tables=[run_table(results, records)])
        if is_sweep
        else None,
    ]


def _what_run(results: Results, records: Sequence[Record]) -> Section:
    """What was run, where it is one run."""
    [run], size = results.runs, _size(records)
    lines = [
        f"One run with seed {run.seed}, {in_words(run.fold)} held out.",
        f"{size}; {records[0].generations} of the generations are done."
        if records[0].generations < records[0].wanted
        else f"{size}.",
    ]
    return Section("what", "What was run", lines)


def _size(records: Sequence[Record]) -> str:
    """How much was run on what."""
    sizes = sorted(
        {
            f"{count(record.wanted, 'generation')} of {record.population_size:,} individuals"
            for record in records
        }
    )
    tasks = sorted({record.config["task"]["class"].rpartition(":")[2] for record in records})
    return (
        f"{' or '.join(sizes)}, on the task {' and '.join(tasks)}"
        if records
        else "No run has begun"
    )


def _what_sweep(results: Results, records: Sequence[Record]) -> Section:
    """What was run."""
    folds, seeds = (
        list(dict.fromkeys(run.fold for run in results.runs)),
        sorted({run.seed for run in results.runs}),
    )
    episodes = sorted({row.episodes for row in results.rows})
    lines = [
        f"{count(len(results.methods), 'method')}: {', '.join(results.methods)}.",
        f"{count(len(folds), 'variation')} held out{' in turn' if len(folds) > 1 else ''}: "
        f"{', '.join(map(in_words, folds))}.",
        f"{count(len(seeds), 'seed')}: {', '.join(map(str, seeds))}; "
        f"{count(len(results.runs), 'run')} in all.",
        f"{_size(records)}.",
        f"{' or '.join(map(str, episodes))} episodes in each variation score a run."
        if episodes
        else "No run is scored yet.",
    ]
    return Section("what", "What was run", lines)


def _where(records: Sequence[Record]) -> Section | None:
    return Section("where", "On what", [], tables=[environment_table(records)]) if records else None


def _sweep_scores(results: Results) -> Section:
    tables = [summary_table(summarise(results, kind), kind) for kind in KINDS]
    if len(results.methods) > 1:
        tables.append(improvement_table(results, _reference(results)))
    return Section("scores", "Scores", [], tables=tables)


def _reference(results: Results) -> str:
    """What methods are compared with.

    Individual rules, for the question is what sharing them does; without any, the first method.
    """
    individual = (
        method.name for method in describe_methods(results) if method.sharing == "individual"
    )
    return next(individual, results.methods[0])


def _matrix(results: Results) -> Section:
    return Section(
        "matrix", "Generalisation", [], tables=[matrix_table(generalisation_matrix(results))]
    )


def _run_scores(results: Results) -> Section:
    kinds = [kind for kind in KINDS if any(row.kind == kind for row in results.rows)]
    reasons = {"mode": "the genome's mode", "samples": "individuals drawn from the genome"}
    words = [
        f"No scores of {reasons[missing.kind]}: {missing.reason}." for missing in results.missing
    ]
    return Section(
        "scores", "Scores", words, tables=[score_table(results.rows, kind) for kind in kinds]
    )


def _settings(records: Sequence[Record]) -> Section | None:
    if not records:
        return None
    differences = difference_table(records)
    return Section(
        "settings",
        "Settings",
        [],
        tables=[differences] if differences.rows else [],
        listings=list_settings(records),
    )


def _render(name: str, is_sweep: bool, labels: Sequence[str], sections: Sequence[Section]) -> str:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        name=name,
        kind="sweep" if is_sweep else "run",
        labels=labels,
        sections=sections,
        style=Markup((TEMPLATES / "report.css").read_text()),
    )

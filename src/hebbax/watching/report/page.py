"""The report: one page that holds all it shows, readable without a network and without scripts."""

from collections.abc import Mapping, Sequence
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
from hebbax.watching.report.blocks import Figure, Section, Table, count
from hebbax.watching.report.films import find_films, make_films
from hebbax.watching.report.labels import list_labels
from hebbax.watching.report.pictures import draw_figures
from hebbax.watching.report.records import (
    Record,
    difference_table,
    environment_table,
    list_settings,
    read_records,
)
from hebbax.watching.report.scores import (
    KIND_WORDS,
    improvement_table,
    matrix_table,
    run_table,
    score_table,
    summary_table,
)
from hebbax.watching.visualization.style import in_words

TEMPLATES = Path(__file__).parent / "templates"
CURVES = "learning-curves"  # The picture's name.
OF_RULES = ("rule-use-", "weight-changes-")  # How the names of pictures of rules begin.


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

    figures = draw_figures(results, folder / "figures", is_sweep=is_sweep)
    # First what was found, then how, on what machine and with which settings.
    sections = [
        *_list_findings(results, records, figures, is_sweep),
        *_list_circumstances(results, records, is_sweep),
    ]
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    page = folder / "report.html"
    write_whole(
        page,
        environment.get_template("report.html").render(
            name=folder.resolve().name,
            kind="sweep" if is_sweep else "run",
            sections=[section for section in sections if section.is_filled],
            style=Markup((TEMPLATES / "report.css").read_text()),
        ),
    )
    return page


def _list_findings(
    results: Results, records: Sequence[Record], figures: Mapping[str, Figure], is_sweep: bool
) -> list[Section]:
    """What was found, in the order of the page; sections that hold nothing are not shown."""
    curves = [figure for name, figure in figures.items() if name == CURVES]
    rules = [figure for name, figure in figures.items() if name.startswith(OF_RULES)]
    pictures = [
        figure for name, figure in figures.items() if not name.startswith((CURVES, *OF_RULES))
    ]
    films, left_out = find_films(results)
    of_which_run = "Of each plastic method the rules of one run, the first that has a checkpoint."
    return [
        Section("films", "Films", left_out, films=films),
        Section(
            "scores",
            "Scores",
            [] if is_sweep else _unscored(results),
            tables=_compare(results) if is_sweep else _scores(results),
        ),
        Section("curves", "Learning curves", figures=curves),
        Section("labels", "What weakens these numbers", labels=list_labels(results, records)),
        Section(
            "matrix",
            "Generalisation",
            tables=[matrix_table(generalisation_matrix(results))] if is_sweep else [],
        ),
        Section("pictures", "Pictures", figures=pictures),
        Section("rules", "Rules", [of_which_run] if is_sweep and rules else [], figures=rules),
    ]


def _list_circumstances(
    results: Results, records: Sequence[Record], is_sweep: bool
) -> list[Section]:
    """How it was found, in the order of the page; sections that hold nothing are not shown."""
    differences = difference_table(records)
    return [
        Section(
            "what",
            "What was run",
            _what_sweep(results, records) if is_sweep else _what_run(results, records),
        ),
        Section("runs", "Runs", long_tables=[run_table(results, records)] if is_sweep else []),
        Section("where", "On what", tables=[environment_table(records)] if records else []),
        Section(
            "settings",
            "Settings",
            tables=[differences] if differences.rows else [],
            listings=list_settings(records),
        ),
    ]


def _what_run(results: Results, records: Sequence[Record]) -> list[str]:
    """What was run, where it is one run."""
    [run], [record], size = results.runs, records, _size(records)
    is_done = record.generations >= record.wanted
    return [
        f"One run with seed {run.seed}, {in_words(run.fold)} held out.",
        f"{size}." if is_done else f"{size}; {record.generations} of the generations are done.",
    ]


def _what_sweep(results: Results, records: Sequence[Record]) -> list[str]:
    """What was run."""
    folds = list(dict.fromkeys(run.fold for run in results.runs))
    seeds = sorted({run.seed for run in results.runs})
    episodes = sorted({row.episodes for row in results.rows})
    return [
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


def _compare(results: Results) -> list[Table]:
    """The scores of a sweep's methods.

    Beside individual rules, for the question is what sharing them does; without any, beside the
    first method.
    """
    tables = [summary_table(summarise(results, kind), kind) for kind in KINDS]
    methods = describe_methods(results)
    individual = (method.name for method in methods if method.sharing == "individual")
    if len(methods) > 1:
        tables.append(improvement_table(results, next(individual, methods[0].name)))
    return tables


def _scores(results: Results) -> list[Table]:
    """The scores of a run by itself."""
    kinds = [kind for kind in KINDS if any(row.kind == kind for row in results.rows)]
    return [score_table(results.rows, kind) for kind in kinds]


def _unscored(results: Results) -> list[str]:
    return [
        f"No scores of {KIND_WORDS[missing.kind]}: {missing.reason}." for missing in results.missing
    ]

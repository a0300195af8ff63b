"""Tables of the bottleneck's experiment: of its tuning, and of what `analyse.py` answers."""

import functools
import statistics
from collections.abc import Callable, Iterable, Sequence
from types import MappingProxyType
from typing import Any

from pages import table, table_of

Answers = dict[str, Any]
WHERE = ("trained on", "held out")
WIDE = 0.1  # Noise with which bodies move; with less they hardly do.
STEPS = 150  # Of an episode, whose return is the sum of the speeds in them.
EPISODES = 4 * 32  # Of a run in the tuning, in the bodies that it trains on.


def tuning(lines: Sequence[dict[str, Any]]) -> list[str]:
    """What every choice of noise and rate scored on each seed, method by method.

    First by the episodes that decide, while a run evolves; then by others, once it is done.
    """
    runs: dict[tuple[str, float, float], dict[int, tuple[float, float]]] = {}
    for line in lines:
        strategy = line["config"]["strategy"]
        noise, rate = strategy["std"], strategy["optimizer"]["learning_rate"]
        method, _, _ = line["method"].partition("@")
        key = (method, noise["initial"], rate["initial"])
        after = {
            one["variation"]: one["mean"]
            for one in line["scores"]["mode"]
            if not one["is_held_out"]
        }
        within = {name: values[-1] for name, values in line["history"]["scores"].items()}
        means = (statistics.fmean(one[name] for name in after) for one in (within, after))
        runs.setdefault(key, {})[line["seed"]] = tuple(means)
    order = list(dict.fromkeys(method for method, _, _ in runs))
    rows = [
        {
            "method": method,
            "noise": noise,
            "rate": rate,
            "seeds": ", ".join(f"{seed}: {of_seeds[seed][0]:.1f}" for seed in sorted(of_seeds)),
            "mean": statistics.fmean(within for within, _ in of_seeds.values()),
            "again": statistics.fmean(after for _, after in of_seeds.values()),
        }
        for (method, noise, rate), of_seeds in sorted(
            runs.items(), key=lambda run: (order.index(run[0][0]), run[0][1:])
        )
    ]
    columns = {
        "method": "`{method}`",
        "noise and initial scale": "{noise:g}",
        "rate": "{rate:g}",
        "trained on, by seed": "{seeds}",
        "mean": "{mean:.1f}",
        "mean of other episodes": "{again:.1f}",
    }
    return [*table_of(rows, columns), "", _uncertainty(lines)]


def _uncertainty(lines: Sequence[dict[str, Any]]) -> str:
    """How uncertain a score of the tuning is because its episodes differ."""
    deviation = statistics.fmean(
        one["std"]
        for line in lines
        if line["config"]["strategy"]["std"]["initial"] >= WIDE
        for one in line["scores"]["mode"]
    )
    return (
        f"With a noise of {WIDE} or more an episode's return has a standard deviation of "
        f"{deviation:.0f} on average: for its {EPISODES} episodes alone the mean of a run is "
        f"uncertain by {deviation / EPISODES**0.5:.1f}."
    )


def scores(part: str, answers: Answers) -> list[str]:
    """Interquartile means of a part's methods, with their intervals."""
    rows = (
        row
        | {where: _interval(row[where]) for where in WHERE}
        | {"speed": row["trained on"][0] / STEPS}
        for row in answers[part]
    )
    columns = {"method": "`{method}`"}
    columns |= {"numbers": "{numbers:,}"} if part == "sizes" else {}
    columns |= {"runs": "{runs}"} | {where: f"{{{where}}}" for where in WHERE}
    columns |= {"mean speed trained on, m/s": "{speed:.2f}"}
    return _table_of(rows, columns)


def hypotheses(answers: Answers) -> list[str]:
    """The number that decides each hypothesis, and what the runs could tell apart."""
    found = answers["hypotheses"]
    rows = [
        {
            "name": name,
            "compared": f"how probably `tied` beats `direct` {where}",
            "number": _probability(one),
            **one,
        }
        for name, where in zip(("H1", "H2"), WHERE, strict=True)
        if (one := found.get(name))
    ]
    rows += [
        {
            "name": f"H3, {where}",
            "compared": f"`tied` less `static-tied` {where}",
            "number": _difference(one),
            **one,
        }
        for where, one in found.get("H3", {}).items()
    ]
    rows = [row | {"seeds": _by_seed(row)} for row in rows]
    columns = {
        "": "{name}",
        "compared": "{compared}",
        "number": "{number}",
        "smallest difference resolved, points": "{resolution:.1f}",
        "difference by seed, points": "{seeds}",
        "answer": "{answer}",
    }
    return _table_of(rows, columns)


def against_direct(answers: Answers) -> list[str]:
    """How probably each method beats `direct`, and by how much."""
    rows = [
        {
            "method": row["method"],
            "generations": row["generations"],
            **{where: _probability(row[where]) for where in WHERE},
            **{f"{where} by": _difference(row[where]) for where in WHERE},
        }
        for row in answers["against_direct"]
    ]
    columns = {"method": "`{method}`", "generations": "{generations}"}
    for where in WHERE:
        columns |= {f"beats `direct` {where}": f"{{{where}}}", f"by, {where}": f"{{{where} by}}"}
    return _table_of(rows, columns)


def two_by_two(answers: Answers) -> list[str]:
    """Mean scores trained on of the four cells, and what numbers and directions do to them."""
    found = answers["two_by_two"]
    if not found:
        return []
    means = found["means"]
    cells = (("2,880 numbers", "direct", "direct-grouped"), ("180 numbers", "fixed", "tied"))
    effects = (
        f"Fewer numbers: {_interval(found['fewer numbers'])}. Fewer directions: "
        f"{_interval(found['fewer directions'])}. Both together, beyond the sum of the two: "
        f"{_interval(found['interaction'])}."
    )
    return [
        *table(
            "| trained on | noise in many directions | in few |",
            (
                (name, *(f"`{method}` {means[method]:.1f}" for method in methods))
                for name, *methods in cells
            ),
        ),
        "",
        effects,
    ]


def assignment(answers: Answers) -> list[str]:
    """How much of the variance between runs is the assignment's."""
    share = answers["assignment_share"]
    if not share:
        return []
    return [
        "Of the variance between runs of `tied` trained on, the share of the assignment is "
        f"{_interval(share, digits=2)}, as three assignments with three seeds each have it."
    ]


def gaps(answers: Answers) -> list[str]:
    """What it is worth to have trained on a body."""
    rows = [
        {
            "method": row["method"],
            "gap": _interval(row["gap"]),
            "seeds": _by_seed(row),
            "more": _interval(row["more_than_tied"]),
        }
        for row in answers["gaps"]
    ]
    columns = {
        "method": "`{method}`",
        "trained on a body less held out": "{gap}",
        "by seed": "{seeds}",
        "more than `tied`": "{more}",
    }
    return _table_of(rows, columns)


def equal_scores(answers: Answers) -> list[str]:
    """Held-out scores at equal scores trained on."""
    found = answers["equal_scores"]
    if not found:
        return []
    return [
        f"At equal scores trained on, `tied` is {_interval(found['difference'])} above `direct` "
        f"held out; a point trained on is worth {_interval(found['slope'], digits=2)} there."
    ]


def within(answers: Answers) -> list[str]:
    """What events change in the return of an episode from then on."""
    changes = {
        "stopped": "weights stop",
        "lost-0": "first layer lost",
        "lost-1": "second layer lost",
        "broken": "a leg breaks",
    }
    rows = [
        {
            "method": row["method"],
            "moment": row["moment"],
            "intact": _interval(row["intact"]),
            **{event: _interval(row["changes"].get(event)) for event in changes},
            "adapted": _interval(row.get("adapted")),
        }
        for row in answers["within"]
    ]
    columns = {"method": "`{method}`", "at": "{moment}", "return from then on": "{intact}"}
    columns |= {header: f"{{{event}}}" for event, header in changes.items()}
    return _table_of(rows, columns | {"learning adds, with a broken leg": "{adapted}"})


def drift(answers: Answers) -> list[str]:
    """The returns of the parts of an episode, and the share of drift in the weights' change."""
    rows = {
        row["method"]: {
            "method": row["method"],
            "runs": row["runs"],
            "parts": ", ".join(f"{part:.1f}" for part in row["parts"]),
            "drift": _interval(row.get("drift_share"), digits=2),
        }
        for row in answers["within"]
    }
    columns = {"method": "`{method}`", "runs": "{runs}", "return by eighths": "{parts}"}
    return _table_of(rows.values(), columns | {"share of drift": "{drift}"})


def bits(answers: Answers) -> list[str]:
    """With how few bits the score in the held-out body stays within 5%."""
    columns = {
        "method": "`{method}`",
        "numbers": "{numbers:,}",
        "bits, median": "{bits:,.0f}",
        "rounding keeps the score in": "{kept} of {runs} runs",
    }
    return _table_of(answers["bits"], columns)


def signal_to_noise(rows: Sequence[dict[str, Any]]) -> list[str]:
    """How much of a population's gradient is signal, and what a step of the search gains."""
    written = (
        row
        | {
            "gain": statistics.fmean(row["gains"]),
            "gain_error": statistics.stdev(row["gains"]) / len(row["gains"]) ** 0.5,
        }
        for row in rows
    )
    return _table_of(
        written,
        {
            "method": "`{method}`",
            "genome": "{state}",
            "(signal / noise)^2": "{ratio:.3f} +- {error:.3f}",
            "P / 2N": "{predicted:.3f}",
            "a step gains": "{gain:.1f} +- {gain_error:.1f}",
        },
    )


def permuted_outputs(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Whether a genome tells the legs of what it draws apart."""
    columns = {"genome": "`{method}`", "state": "{state}", "nats": "{nats:,.2f} +- {error:.2f}"}
    return _table_of(rows, columns)


def _table_of(rows: Iterable[dict[str, Any]], columns: dict[str, str]) -> list[str]:
    """A table; nothing where there are no rows yet."""
    rows = list(rows)
    return table_of(rows, columns) if rows else []


def _by_seed(found: dict[str, Any]) -> str:
    return ", ".join(f"{one:.1f}" for one in found["by_seed"])


def _probability(found: dict[str, Any]) -> str:
    return _interval([found["probability"], *found["probability_interval"]], digits=2)


def _difference(found: dict[str, Any]) -> str:
    return _interval([found["difference"], *found["difference_interval"]])


def _interval(values: Sequence[float | None] | None, digits: int = 1) -> str:
    """A number and the ends of its interval, which runs of one seed do not have."""
    if values is None:
        return ""
    mean, low, high = values
    text = f"{mean:.{digits}f}"
    return text if low is None or high is None else f"{text} [{low:.{digits}f}, {high:.{digits}f}]"


# By the part of a mark's name that follows "bottleneck-".
OF_ANSWERS: MappingProxyType[str, Callable[[Answers], list[str]]] = MappingProxyType(
    {
        "hypotheses": hypotheses,
        "long": functools.partial(scores, "long"),
        "sizes": functools.partial(scores, "sizes"),
        "against-direct": against_direct,
        "two-by-two": two_by_two,
        "gaps": gaps,
        "equal-scores": equal_scores,
        "assignment": assignment,
        "ablations": functools.partial(scores, "ablations"),
        "afterthought": functools.partial(scores, "afterthought"),
        "drift": drift,
        "within": within,
        "bits": bits,
    }
)

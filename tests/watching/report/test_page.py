"""Reports of made-up sweeps and of a run that has lived.

All is on the page, and what is weak is said.
"""

import dataclasses
import json
import shutil
from pathlib import Path

import pytest

import hebbax
from fake_sweep import change, make_sweep
from hebbax.watching.report import write_report
from report_page import Page, faults_of
from small_run import small_config

CONFIGS = {
    "static": small_config(policy=hebbax.Static(hidden_sizes=(3,))),
    "individual": small_config(),
}
LEVELS = {"static": (10.0, 5.0), "individual": (10.0, 9.0)}
LIVED = Path("runs", "individual", "medium", "seed-0")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep with runs in every state.

    One lived for a generation and has a film, one has not begun, one failed in a variation, and one
    diverged.
    """
    folder = make_sweep(tmp_path_factory.mktemp("reports") / "a <sweep>", CONFIGS, range(2), LEVELS)
    shutil.rmtree(folder / LIVED)
    hebbax.train(
        dataclasses.replace(small_config(), held_out="medium", generations=1), folder / LIVED
    )
    for name in ("mp4", "gif"):
        (folder / LIVED / "films").mkdir(exist_ok=True)
        (folder / LIVED / "films" / f"medium.{name}").write_bytes(b"no film")
    shutil.rmtree(folder / "runs/static/light/seed-1")
    diverged = [
        {"fitness_mean": None, "non_finite": 8},
        {"fitness_mean": -1.0, "non_finite": 1},
        {"fitness_mean": float("nan"), "non_finite": 8},
    ]
    lines = [
        json.dumps(metrics | {"non_finite_genome": 3 * (number == 2)}) + "\n"
        for number, metrics in enumerate(diverged)
    ]
    (folder / "runs/static/medium/seed-0/metrics.jsonl").write_text("".join(lines))
    failed = folder / "runs/static/heavy/seed-0/evaluation.json"
    scores = json.loads(failed.read_text())["scores"]
    change(
        failed,
        scores=[
            score | ({"mean": float("nan"), "non_finite": 20} if score["is_held_out"] else {})
            for score in scores
        ],
    )
    write_report(folder)
    return folder


@pytest.fixture(scope="module")
def html(folder: Path) -> str:
    return (folder / "report.html").read_text()


def test_page_is_whole_offline_and_for_everybody(html: str):
    assert faults_of(html) == []
    tags = [element.tag for element in Page(html).elements]
    assert {"header", "nav", "main", "footer"} <= set(tags)
    assert tags.count("h1") == 1
    assert '<html lang="en">' in html
    assert "prefers-color-scheme: dark" in html
    assert "a &lt;sweep&gt;" in html


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        ('<img src="data:,">', "a picture has no words"),
        (
            '<img src="https://elsewhere.org/a.png" alt="a">',
            "<img> leads to https://elsewhere.org/a.png",
        ),
        ('<a href="#nowhere">there</a>', "<a> leads to #nowhere"),
        ("<p id='a'></p><p id='a'></p>", "the id a is there twice"),
        ("<script>alert()</script>", "the page needs scripts"),
        ("<style>@import 'a.css'</style>", "the style loads something"),
        ("<table><tr><th scope='col'>a</th></tr></table>", "a table has no caption"),
        (
            "<table><caption>a</caption><tr><th>a</th></tr></table>",
            "a heading of a table heads nothing",
        ),
        ("<video src='data:,'></video>", "a film has no words"),
        ("<p><b>a</p></b>", "</p> closes nothing"),
    ],
)
def test_faults_are_found(broken: str, fault: str):
    """Each fault that the page is checked for is seen where it is."""
    assert fault in faults_of(broken)


def test_page_begins_with_what_was_found(html: str):
    """Films, scores and learning curves, then what weakens them; machine and settings come last.

    The contents have the same order. Mutation: the machine before the scores.
    """
    page = Page(html)
    anchors = [element.attributes["id"] for element in page.all("section")]
    assert anchors == [
        *("films", "scores", "curves", "labels", "matrix", "pictures", "rules"),
        *("what", "runs", "where", "settings"),
    ]
    links = [element.attributes["href"] for element in page.all("a")]
    assert [link for link in links if link != "#content"] == [f"#{anchor}" for anchor in anchors]
    [curves] = [one for one in page.all("section") if one.attributes["id"] == "curves"]
    assert "Learning curves: the mean fitness of the population" in curves.words


def test_every_table_is_on_the_page(html: str):
    """Those of the text, and under each picture its numbers."""
    captions = [caption.words for caption in Page(html).all("caption")]
    assert captions == [
        "Returns of the genome's mode by method",
        "Returns of individuals drawn from the genome by method",
        "Probability of improvement over individual",
        "Mean fitness of the population at some generations",
        "Generalisation: mean returns of each method in each variation",
        "Interquartile mean returns over the synapses per rule",
        "Generalisation: mean returns of each method in each variation",
        *["Coefficients of 9 rules, individual: medium, seed-0"] * 2,
        "All 12 runs",
        "Where 11 runs ran, 1 start",
        "Settings that differ between the methods",
    ]


def test_every_picture_and_film_is_on_the_page(folder: Path, html: str):
    """As many as in the folders; nothing plays by itself."""
    page = Page(html)
    pictures = [
        element
        for element in page.all("img")
        if element.attributes["src"].startswith("data:image/svg+xml;base64,")
    ]
    assert (
        len(pictures)
        == len(list((folder / "figures").glob("*.svg")))
        == len(list((folder / "figures").glob("*.png")))
        == 5
    )
    [video] = page.all("video")
    assert video.attributes["src"] == "data:video/mp4;base64,bm8gZmlsbQ=="
    assert {"controls", "muted", "preload"} <= set(video.attributes)
    assert "autoplay" not in video.attributes
    assert (
        video.attributes["aria-label"] == "individual, medium held out, seed 0: medium (held out)"
    )
    assert "data:image/gif;base64,bm8gZmlsbQ==" in html


def test_what_is_weak_is_said(html: str):
    """Mutation: labels that count scores instead of runs say 2 for the run that has not begun."""
    [labels] = [
        element for element in Page(html).all("section") if element.attributes["id"] == "labels"
    ]
    for words in (
        "1 run of 12 has not begun.",
        "2 runs of 12 have no scores",
        "Only 2 seeds in each fold",
        "4 generations of 8 individuals; the paper's quadruped has 500 of 500",
        "20 episodes that scored runs gave a return that is not finite",
        "1 run has a variation without any finite return",
        "17 individuals had a fitness that is not finite in training, and counted as the worst.",
        "In 2 generations nobody's fitness was finite",
        "1 run ended because the genome was no longer finite.",
        "Runs differ in generations or population",
        "10 runs of 11 do not say on what machine",
    ):
        assert words in labels.words, words


def test_scores_are_those_of_the_results(folder: Path, html: str):
    """A run's row says what the file of results says of it; a run without scores says why."""
    rows = json.loads((folder / "results.json").read_text())["rows"]
    assert (folder / "results.csv").read_text().count("\n") == 1 + len(rows)
    [mean] = [
        row["mean"]
        for row in rows
        if (row["method"], row["fold"], row["seed"], row["kind"], row["is_held_out"])
        == ("static", "medium", 1, "mode", True)
    ]
    lines = [row.words for row in Page(html).all("tr")]
    [line] = [line for line in lines if line.startswith("static medium 1 ")]
    assert line.startswith(f"static medium 1 4 of 4 8 {mean:.1f} ")
    assert line.endswith("complete")
    [line] = [line for line in lines if line.startswith("static light 1 ")]
    assert line.endswith("has not begun")


def test_settings_are_all_there(html: str):
    """What differs first; runs with other settings than their method's others are told apart."""
    page = Page(html)
    lines = [row.words for row in page.all("tr")]
    assert "policy Static Hebbian" in lines
    assert not any(line.startswith("genome.init_scale") for line in lines)
    listings = [summary.words for summary in page.all("summary")][-3:]
    assert listings[0] == "static: 5 runs"
    assert listings[1].startswith(
        "individual: 5 runs (held out and seed: light 0, light 1, medium 1,"
    )
    assert listings[2] == "individual: 1 run (held out and seed: medium 0)"
    assert json.loads(page.all("code")[0].words)["class"] == "hebbax.config:Config"


def test_sweep_that_has_not_begun_has_a_page(tmp_path: Path):
    """Nothing but what is wanted is there to be told."""
    folder = make_sweep(tmp_path, CONFIGS, range(2), LEVELS)
    shutil.rmtree(folder / "runs")
    html = write_report(folder).read_text()
    assert faults_of(html) == []
    assert "12 runs of 12 have not begun." in Page(html).all("main")[0].words


def test_run_by_itself_has_a_page(folder: Path, tmp_path: Path):
    """Before it is evaluated and after; with its curve, its rules and its settings."""
    run = tmp_path / "alone"
    shutil.copytree(folder / LIVED, run)
    html = write_report(run).read_text()
    assert faults_of(html) == []
    assert (
        "No scores of the genome's mode: 1 of 1 generations, not evaluated."
        in Page(html).all("main")[0].words
    )

    scored = folder / "runs/individual/medium/seed-1"
    for name in ("evaluation.json", "evaluation-samples.json"):
        shutil.copy(scored / name, run)
    html = write_report(run).read_text()
    page = Page(html)
    assert faults_of(html) == []
    assert [caption.words for caption in page.all("caption")] == [
        "Returns of the genome's mode, 20 episodes in each variation",
        "Returns of individuals drawn from the genome, 20 episodes in each variation",
        "Mean fitness of the population at some generations",
        *["Coefficients of 9 rules, alone: medium, seed-0"] * 2,
        "Where 1 run ran, 1 start",
    ]
    assert sum(row.words.startswith("medium held out") for row in page.all("tr")) == 2
    assert "A single run" in html


def test_bad_folders_are_refused(folder: Path, tmp_path: Path):
    """Before anything is written."""
    with pytest.raises(
        ValueError, match=r"is neither a sweep nor a run: it has no sweep\.json and no config\.json"
    ):
        write_report(tmp_path)
    with pytest.raises(ValueError, match="neither a sweep nor a run"):
        write_report(tmp_path / "nowhere")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"config\.json cannot be read"):
        write_report(tmp_path)
    with pytest.raises(ValueError, match="task is Cart, which hebbax cannot draw"):
        write_report(folder, films=2)  # The first is there.
    with pytest.raises(ValueError, match="films is -1, but must be 0 or more"):
        write_report(folder, films=-1)

"""CITATION.cff, which says how to cite the project."""

import re
import tomllib
from pathlib import Path

import yaml

import hebbax

ROOT = Path(__file__).parents[1]


def test_citation_is_of_this_version():
    """It has what the format needs, and version, licence and keywords of the package.

    Mutation: a version that is raised in one place alone.
    """
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert cited["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= set(cited)
    assert cited["version"] == hebbax.__version__
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert cited["title"] == project["name"]
    assert cited["license"] == project["license"]
    assert cited["keywords"] == project["keywords"]
    assert cited["authors"] == [{"name": "The hebbax authors"}]


def test_paper_is_cited():
    """Under the same address as in the README."""
    [paper] = yaml.safe_load((ROOT / "CITATION.cff").read_text())["references"]
    assert [author["family-names"] for author in paper["authors"]] == ["Palm", "Najarro", "Risi"]
    assert re.search(r"\d{4}\.\d{5}", paper["url"])
    assert paper["url"] in (ROOT / "README.md").read_text()
    assert paper["url"].rpartition("/")[2] in paper["identifiers"][0]["value"]

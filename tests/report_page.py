"""A report read back.

Its parts, and what is wrong with it for a reader without scripts, a network or a picture.
"""

from html.parser import HTMLParser
from typing import NamedTuple

VOID = {"meta", "link", "img", "br"}


class Element(NamedTuple):
    """An element of a page.

    tag, attributes: as they are written.
    text: the pieces of text inside.
    """

    tag: str
    attributes: dict[str, str]
    text: list[str]

    @property
    def words(self) -> str:
        """The text without the white space around it."""
        return " ".join(" ".join(self.text).split())


class Page(HTMLParser):
    """All elements of a page in their order, with faults of nesting."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.faults: list[str] = []
        self._open: list[Element] = []
        self.feed(html)
        self.close()
        self.faults += [f"<{element.tag}> is never closed" for element in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        element = Element(tag, {name: value or "" for name, value in attrs}, [])
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            self.faults.append(f"</{tag}> closes nothing")
        else:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text.append(data)

    def all(self, tag: str) -> list[Element]:
        """The elements with a tag."""
        return [element for element in self.elements if element.tag == tag]


def faults_of(html: str) -> list[str]:
    """What keeps a page from being whole, offline and for everybody."""
    page, faults = Page(html), []
    names = [element.attributes["id"] for element in page.elements if "id" in element.attributes]
    faults += [f"the id {name} is there twice" for name in set(names) if names.count(name) > 1]
    for element in page.elements:
        for name in ("src", "href", "poster", "srcset"):
            address = element.attributes.get(name, "data:")
            if not address.startswith(("data:", "#")) or (
                address.startswith("#") and address[1:] not in names
            ):
                faults.append(f"<{element.tag}> leads to {address[:60]}")
        if element.tag == "img" and not element.attributes.get("alt"):
            faults.append("a picture has no words")
        if element.tag == "video" and not element.attributes.get("aria-label"):
            faults.append("a film has no words")
        if element.tag == "th" and "scope" not in element.attributes:
            faults.append("a heading of a table heads nothing")
        if element.tag == "script" or any(name.startswith("on") for name in element.attributes):
            faults.append("the page needs scripts")
        if element.tag == "style" and ("url(" in element.words or "@import" in element.words):
            faults.append("the style loads something")
    if len(page.all("table")) != len([caption for caption in page.all("caption") if caption.words]):
        faults.append("a table has no caption")
    return page.faults + faults

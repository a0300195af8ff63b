"""The page in a browser, where there is one.

Nothing is said on the console, all is shown, and nothing is wider than the window.
"""

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from fake_sweep import make_sweep
from hebbax.watching.films.encode import write_film
from hebbax.watching.report import write_report
from small_run import small_config

BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = (
    *(
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
    ),
    *(
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        "--enable-logging=stderr",
        "--v=0",
        "--virtual-time-budget=10000",
    ),
)
# Folded parts are opened, so that everything is laid out, and films are asked for their size.
PROBE = """<script>
const videos = [...document.querySelectorAll("video")];
document.querySelectorAll("details").forEach((one) => { one.open = true; });
const sized = videos.map((one) => one.readyState > 0 ? null : new Promise((done) => {
    one.onloadedmetadata = one.onerror = done;
}));
const loaded = [...document.images].map((one) => one.decode().catch(() => null));
const ready = new Promise((done) => { window.onload = done; });
Promise.all([ready, ...sized, ...loaded]).then(() => {
  const found = {
    width: document.documentElement.scrollWidth,
    room: document.documentElement.clientWidth,
    window: innerWidth,
    pictures: [...document.images].map((one) => one.naturalWidth),
    films: videos.map((one) => one.videoWidth),
    background: getComputedStyle(document.body).backgroundColor,
  };
  parent.postMessage(JSON.stringify(found), "*");
});
</script>"""
# A browser's window cannot be as narrow as a telephone, but a frame can.
FRAME = """<!doctype html><meta name="color-scheme" content="light dark"><title></title>
<script>onmessage = (event) => { document.title = event.data; };</script>
<iframe src="report.html" width="WIDTH" height="900" style="border: 0"></iframe>"""

pytestmark = pytest.mark.skipif(BROWSER is None, reason="there is no Chromium to open the page in")


def browse(page: Path, *flags: str) -> tuple[str, list[str]]:
    """The page's elements after all has been loaded, and what it said on the console."""
    flags = (*FLAGS, f"--user-data-dir={page.parent / 'profile'}", "--dump-dom", *flags)
    done = subprocess.run(
        [str(BROWSER), *flags, page.as_uri()],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with long tables and a film, and the probe at its end."""
    names = ("static", "individual", "a-method-with-a-long-name")
    folder = make_sweep(
        tmp_path_factory.mktemp("sweep"),
        {name: small_config() for name in names},
        range(2),
        dict.fromkeys(names, (9.0, 5.0)),
    )
    write_film(
        folder / "runs/static/light/seed-0/films/light.mp4",
        [np.zeros((64, 96, 3), np.uint8)] * 5,
        30.0,
    )
    page = write_report(folder)
    page.write_text(page.read_text().replace("</body>", f"{PROBE}</body>"))
    return page


@pytest.mark.parametrize(
    ("width", "scheme", "background"),
    [(400, 1, "rgb(255, 255, 255)"), (1600, 0, "rgb(20, 24, 29)")],
)
def test_page_in_a_browser(page: Path, width: int, scheme: int, background: str):
    """In a narrow light window and a wide dark one.

    Mutation: tables outside a container that scrolls are wider than the narrow one.
    """
    frame = page.with_name(f"frame-{width}.html")
    frame.write_text(FRAME.replace("WIDTH", str(width)))
    elements, console = browse(frame, f"--blink-settings=preferredColorScheme={scheme}")
    assert console == []
    title = re.search(r"<title>(.*)</title>", elements)
    assert title is not None
    found = json.loads(title[1])
    assert found["window"] == width
    assert found["width"] == found["room"]
    assert len(found["pictures"]) == 3
    assert min(found["pictures"]) > 0
    assert found["films"] == [96]
    assert found["background"] == background


def test_console_is_heard(tmp_path: Path):
    """What the test above listens for can be heard."""
    page = tmp_path / "page.html"
    page.write_text("<script>console.error('it is broken')</script>")
    [line] = browse(page)[1]
    assert "it is broken" in line

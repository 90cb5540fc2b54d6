"""The documentation site builds without a warning, and nothing in it leads nowhere."""

from __future__ import annotations

import importlib
import os
import pkgutil
import re
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import napari_relay

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
WITHOUT_REFERENCE = ("napari_relay.cli", "napari_relay.widgets")
"""Used through a terminal and a window."""

pytestmark = pytest.mark.slow


class Links(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(page.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name == "id" and value:
                self.anchors.add(value)
            if name in ("href", "src") and value:
                self.targets.append(value)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "-d", str(folder)]
    quiet = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=quiet, capture_output=True, text=True)
    assert (built.returncode, built.stdout, built.stderr) == (0, "", "")
    return folder


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[Path, Links]:
    return {page: Links(page) for page in site.rglob("*.html") if page.name != "404.html"}


def test_every_link_and_picture_leads_somewhere(site: Path, pages: dict[Path, Links]) -> None:
    assert len(pages) > 30
    lost = [f"{page.relative_to(site)}: {to}" for page, to in _internal(pages)]
    broken = [
        text
        for text, (page, to) in zip(lost, _internal(pages), strict=True)
        if not _is_there(page, to, pages)
    ]
    assert broken == []


def test_the_site_needs_nothing_from_elsewhere(pages: dict[Path, Links]) -> None:
    loaded = re.compile(
        r"<(?:script|img)[^>]*src=\"https?:|<link[^>]*stylesheet[^>]*href=\"https?:"
    )
    assert not [page for page in pages if loaded.search(page.read_text(encoding="utf-8"))]


def test_every_public_name_is_in_the_reference(pages: dict[Path, Links]) -> None:
    anchors = set().union(*(links.anchors for links in pages.values()))
    missing = [
        f"{package}.{name}"
        for package in _packages()
        for name in importlib.import_module(package).__all__
        if not any(f"{known}.{name}" in anchors for known in _places(package, name))
    ]
    assert missing == []


def test_no_reference_is_left_as_it_is_written_in_a_docstring(pages: dict[Path, Links]) -> None:
    role = re.compile(r":(?:attr|class|data|func|math|meth|mod):")
    assert not [page for page in pages if role.search(page.read_text(encoding="utf-8"))]


def test_every_page_of_the_documentation_is_listed_at_its_start() -> None:
    start = (DOCS / "README.md").read_text(encoding="utf-8")
    pages = [page.relative_to(DOCS).as_posix() for page in DOCS.rglob("*.md")]
    unlisted = [p for p in pages if p != "README.md" and f"({p})" not in start]
    assert [p for p in unlisted if not p.startswith("reference/")] == []


def _internal(pages: dict[Path, Links]) -> Iterator[tuple[Path, str]]:
    for page, links in pages.items():
        for to in links.targets:
            if not urlsplit(to).scheme and not to.startswith("//"):
                yield page, to


def _is_there(page: Path, to: str, pages: dict[Path, Links]) -> bool:
    parts = urlsplit(to)
    path = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    path = path / "index.html" if path.is_dir() else path
    if parts.fragment and path in pages:
        return unquote(parts.fragment) in pages[path].anchors or parts.fragment == "__skip"
    return path.exists()


def _packages() -> Iterator[str]:
    """Every package that says what is public."""
    yield from ("relay_tokens", "relay_tokens.interchange", "napari_relay.api")
    for found in pkgutil.walk_packages(napari_relay.__path__, "napari_relay."):
        is_library = found.ispkg and not found.name.startswith(WITHOUT_REFERENCE)
        if is_library and getattr(importlib.import_module(found.name), "__all__", None):
            yield found.name


def _places(package: str, name: str) -> Iterator[str]:
    """Where a name may be described: here, or in the package that it comes from."""
    yield package
    module = getattr(getattr(importlib.import_module(package), name), "__module__", "")
    while "." in str(module):
        yield module
        module = module.rpartition(".")[0]
    yield str(module)

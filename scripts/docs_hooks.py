"""What the documentation site needs beyond docs/: pages of the repository's root.

The links are written as they are right where the repository is browsed; here they are turned.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = ("CHANGELOG.md", "CONTRIBUTING.md")
"""Pages of the root that are pages of the site too."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages of the root, as if they lay in docs/."""
    for name in PAGES:
        text = (ROOT / name).read_text(encoding="utf-8").replace("](docs/", "](")
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Turn links from a page of docs/ to one of the root."""
    del config, files
    depth = page.file.src_uri.count("/")
    up = "../" * (depth + 1)
    named = "|".join(re.escape(name) for name in PAGES)
    return re.sub(rf"\]\({re.escape(up)}({named})([)#])", rf"]({'../' * depth}\1\2", markdown)

"""A report as HTML and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from napari_relay.training.card import model_card
from napari_relay.training.figures import require_matplotlib
from napari_relay.training.pages import page_environment
from relay_tokens import Checkpoint, UserError

if TYPE_CHECKING:
    from jinja2 import Environment

_DEEPER = "##"
"""Put before the headings of a model card: it is a part of the report."""


def check_packages() -> None:
    """Make sure that a report can be written, before a long count.

    Raises
    ------
    UserError
        When a package that reports need is missing.
    """
    require_matplotlib()
    _environment()


def render(name: str, content: Mapping[str, object]) -> str:
    """The page of a name, ``report.html`` or ``report.md``."""
    return _environment().get_template(name).render(content)


def card_text(checkpoint: Checkpoint) -> str:
    """The card of a model in Markdown, its headings below those of the report."""
    parameters = sum(parameter.numel() for parameter in checkpoint.model.parameters())
    card = model_card(checkpoint.model.config, checkpoint.metadata, parameters)
    return re.sub(r"^#", f"{_DEEPER}#", card, flags=re.MULTILINE)


def card_html(card: str) -> str:
    """A card in Markdown as HTML; what looks like HTML in it is shown as text.

    Raises
    ------
    UserError
        When markdown-it-py is not installed.
    """
    try:
        from markdown_it import MarkdownIt
    except ImportError as error:
        raise UserError(
            "Reports need markdown-it-py; run: pip install 'napari-relay[train]'"
        ) from error
    parser = MarkdownIt("commonmark", {"html": False}).enable("table")
    return str(parser.render(card))


def _environment() -> Environment:
    return page_environment("napari_relay.exporting.reporting", "templates")

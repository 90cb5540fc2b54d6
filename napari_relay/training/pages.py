"""Pages in HTML and Markdown from templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

from relay_tokens import UserError

if TYPE_CHECKING:
    from jinja2 import Environment


def page_environment(package: str, folder: str) -> Environment:
    """The templates of a package; what is put into HTML is escaped.

    Raises
    ------
    UserError
        When jinja2 is not installed.
    """
    try:
        from jinja2 import Environment, PackageLoader, select_autoescape
    except ImportError as error:
        raise UserError("Reports need jinja2; run: pip install 'napari-relay[train]'") from error
    environment = Environment(
        loader=PackageLoader(package, folder),
        autoescape=select_autoescape(["html"]),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["cell"] = _cell
    return environment


def _cell(text: str) -> str:
    """Text that does not end a cell of a Markdown table."""
    return text.replace("|", r"\|")

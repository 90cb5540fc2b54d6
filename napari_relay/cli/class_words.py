"""What a person says of the classes of a file, on the command line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from pathlib import Path

    from napari_relay.training.imported import ClassMapping, ImportSummary
    from relay_tokens import ClassSchema

Map = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="NAME=CLASS",
        help="What a class of the file means: a class by name or number, ignored or leave-out; "
        "elsewhere=CLASS for all outside. May be given several times.",
        show_default=False,
    ),
]
Column = Annotated[
    str | None,
    typer.Option(
        help="Column of a vector file that says the class.", show_default="the one that fits"
    ),
]


class ClassWords(NamedTuple):
    """What is said of the classes of a file."""

    words: tuple[str, ...] = ()
    """``NAME=CLASS`` each."""
    column: str | None = None
    """Which column of a vector file says the class."""


def show_mapping(
    path: Path, summary: ImportSummary, mapping: ClassMapping, schema: ClassSchema
) -> None:
    """A table of a file's classes and what they become, and what a person should know."""
    console = Console(stderr=True, highlight=False)
    console.print(f"{path.name}: {summary.placed}", markup=False, soft_wrap=True)
    table = Table()
    table.add_column("in the file")
    table.add_column(summary.unit, justify="right")
    table.add_column("becomes")
    for one in summary.classes:
        meaning = _meaning(mapping.values[one.key], schema)
        table.add_row(Text(one.title), f"{one.count:,}", Text(meaning))
    console.print(table)
    for sentence in summary.notes:
        console.print(sentence, markup=False, soft_wrap=True)


def _meaning(value: int, schema: ClassSchema) -> str:
    from napari_relay.training.correction_values import UNTOUCHED, value_names

    return "left out" if value == UNTOUCHED else value_names(schema)[value]

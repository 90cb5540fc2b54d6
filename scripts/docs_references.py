"""References between docstrings as links of the site.

The docstrings name things as Sphinx does (``:func:`~napari_relay.images.open_image```), which
editors understand as well; Markdown has no such roles.
"""

from __future__ import annotations

import re

import griffe

DISPLAYED = re.compile(r"^\.\. math::\n", re.MULTILINE)
MATH = re.compile(r":math:(`[^`]+`)")
ROLE = re.compile(r":(?:attr|class|data|exc|func|meth|mod):`(~?)([\w.]+)`")


class References(griffe.Extension):
    """Turns the roles of every docstring of a package into links."""

    def on_package(self, *, pkg: griffe.Module, **_: object) -> None:
        """Rewrite all docstrings of a package that is loaded."""
        _rewrite(pkg)


def _rewrite(thing: griffe.Object) -> None:
    if thing.docstring is not None:
        thing.docstring.value = with_links(thing.docstring.value, thing)
    for member in thing.members.values():
        if not member.is_alias:
            _rewrite(member)


def with_links(text: str, thing: griffe.Object) -> str:
    """The text of a docstring with links in place of roles, and formulas as they are written.

    A name of which the site has no place becomes plain text.
    """
    text = MATH.sub(r"\1", DISPLAYED.sub("", text))
    return ROLE.sub(lambda found: _link(found[1] == "~", found[2], thing), text)


def _link(is_short: bool, name: str, thing: griffe.Object) -> str:
    shown = name.rpartition(".")[2] if is_short else name
    return f'<autoref identifier="{_path(name, thing)}" optional><code>{shown}</code></autoref>'


def _path(name: str, thing: griffe.Object) -> str:
    """The full path of a name as the docstring's module knows it."""
    first, dot, rest = name.partition(".")
    try:
        return thing.resolve(first) + dot + rest
    except griffe.NameResolutionError:
        return name

"""What the classes of a file mean in a class schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from napari_relay.training.correction_values import (
    IGNORED,
    UNTOUCHED,
    allowed_values,
    value_names,
)
from napari_relay.training.imported.found import FoundClass
from relay_tokens import ClassSchema, UserError

LEAVE_OUT = UNTOUCHED
"""What a class means of which nothing is imported."""
ELSEWHERE = "elsewhere"
"""Word for all of which a file says nothing."""
_LEAVE_OUT_WORDS = ("leave-out", "leave out")
_IGNORED_WORDS = ("ignored", "ignore", "unlabelled", "unlabeled")
_SPELLINGS = (("tumour", "tumor"), ("colour", "color"), ("grey", "gray"), ("centre", "center"))
_NAMED = 8


@dataclass(frozen=True)
class ClassMapping:
    """The meaning of each class of a file."""

    values: Mapping[str, int]
    """Value of ``correction_values`` of each ``FoundClass.key``; 255 leaves it out."""
    elsewhere: int = LEAVE_OUT
    """Value of all of which the file says nothing."""

    @classmethod
    def suggested(cls, found: Iterable[FoundClass]) -> ClassMapping:
        """What is known by itself; other classes are missing."""
        return cls({one.key: one.suggested for one in found if one.suggested is not None})

    def missing(self, found: Iterable[FoundClass]) -> tuple[FoundClass, ...]:
        """Classes whose meaning is not known."""
        return tuple(one for one in found if one.key not in self.values)

    def told(
        self, words: Sequence[str], found: Iterable[FoundClass], schema: ClassSchema
    ) -> ClassMapping:
        """With what a person says.

        Parameters
        ----------
        words
            ``FILE'S WORD=CLASS`` each: the value, colour or name in the file, in
            any case, and the class by name or number, ``not`` and a class,
            ``ignored`` or ``leave-out``. The word ``elsewhere`` stands for all of
            which the file says nothing.
        found
            The classes of the file; words that are none of them say nothing.
        schema
            The classes they become.

        Raises
        ------
        UserError
            When one is not of this form, or names no class.
        """
        told = dict(parse_word(word, schema) for word in words)
        values = dict(self.values)
        for one in found:
            for name in (one.key, one.name, one.title):
                if name and _normal(name) in told:
                    values[one.key] = told[_normal(name)]
        return replace(self, values=values, elsewhere=told.get(ELSEWHERE, self.elsewhere))


def parse_word(word: str, schema: ClassSchema) -> tuple[str, int]:
    """Read ``FILE'S WORD=CLASS``; see :meth:`ClassMapping.told`.

    Raises
    ------
    UserError
        When it is not of this form, or names no class.
    """
    source, equals, target = word.rpartition("=")
    value = value_of(target, schema) if equals else None
    if not source.strip() or value is None:
        raise UserError(
            f"{word!r} does not say what a class of the file means; write --map "
            f'"NAME={schema.names[0]}", with one of {", ".join(schema.names)}, ignored or '
            "leave-out after the sign."
        )
    return _normal(source), value


def value_of(word: str, schema: ClassSchema) -> int | None:
    """Value that a word means; None where it means none.

    The name of a class in any case, in the plural, and in British or American
    spelling; its number; ``not`` and a name; ``ignored``; ``leave-out``.
    """
    normal = _normal(word)
    known = {_normal(name): value for value, name in value_names(schema).items()}
    known |= {name: IGNORED for name in _IGNORED_WORDS if name not in known}
    known |= {name: LEAVE_OUT for name in _LEAVE_OUT_WORDS if name not in known}
    if normal in known:
        return known[normal]
    alike = {_singular(name): value for name, value in known.items()}
    if _singular(normal) in alike:
        return alike[_singular(normal)]
    return int(normal) if _is_value(normal, schema) else None


def suggestion(key: str, name: str, color: str | None, schema: ClassSchema) -> int | None:
    """What a class of a file most likely means; None where nobody can say."""
    if name:
        return value_of(name, schema)
    found = value_of(key, schema) if key else None
    if found is None and key.startswith("#") and color is not None:
        return next((i for i, own in enumerate(schema.colors) if own.lower() == color), None)
    return found


def agreed_mapping(
    found: Sequence[FoundClass], words: Sequence[str], schema: ClassSchema
) -> ClassMapping:
    """What is known by itself, with what a person says."""
    return ClassMapping.suggested(found).told(words, found, schema)


def refuse_unknown(
    path: object, mapping: ClassMapping, found: Sequence[FoundClass], schema: ClassSchema
) -> None:
    """Go on only if the meaning of every class is known.

    Raises
    ------
    UserError
        Naming those that are not known, and what to write.
    """
    missing = mapping.missing(found)
    if missing:
        titles = ", ".join(one.title for one in missing[:_NAMED])
        more = " ..." if len(missing) > _NAMED else ""
        words = " ".join(f'--map "{one.title}=..."' for one in missing[:_NAMED])
        raise UserError(
            f"{path} has {titles}{more}, which is no class here; say what it is with {words}, "
            f"each {', '.join(schema.names)}, ignored or leave-out."
        )


def _is_value(text: str, schema: ClassSchema) -> bool:
    return text.isdecimal() and int(text) < UNTOUCHED and bool(allowed_values(schema)[int(text)])


def _normal(text: str) -> str:
    """In lower case, with single spaces."""
    return " ".join(text.casefold().replace("_", " ").rstrip("*").split())


def _singular(text: str) -> str:
    for british, american in _SPELLINGS:
        text = text.replace(british, american)
    return text.removesuffix("s") if len(text) > 3 else text

"""What classes of a file mean by themselves, and what a person says of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from napari_relay.training.correction_values import IGNORED, NOT_CLASS, value_names
from napari_relay.training.imported import (
    LEAVE_OUT,
    ClassMapping,
    FoundClass,
    agreed_mapping,
    refuse_unknown,
)
from napari_relay.training.imported.class_mapping import suggestion, value_of
from relay_tokens import ClassSchema, UserError

SCHEMA = ClassSchema.from_names(["soil", "burial mound", "tumour", "wall"])


@pytest.mark.parametrize(
    ("key", "name", "meaning"),
    [
        ("Soil", "", 0),
        ("BURIAL_MOUNDS", "", 1),
        ("Tumor", "", 2),
        ("3", "", 3),
        ("3", "soil", 0),
        ("3", "road", None),
        ("4", "", None),
        ("130", "", NOT_CLASS + 2),
        ("not wall", "", NOT_CLASS + 3),
        ("Ignore*", "", IGNORED),
        ("", "", None),
        ("moat", "", None),
    ],
)
def test_a_class_is_known_by_its_name_in_any_spelling_or_its_number_and_never_guessed(
    key: str, name: str, meaning: int | None
) -> None:
    assert suggestion(key, name, None, SCHEMA) == meaning


def test_a_colour_is_known_only_if_it_is_a_classs_own() -> None:
    own = SCHEMA.colors[2].lower()
    assert suggestion(own, "", own, SCHEMA) == 2
    assert suggestion("#010203", "", "#010203", SCHEMA) is None


@given(st.sampled_from(sorted(value_names(SCHEMA).items())), st.integers(0, 2))
def test_every_name_means_its_value_in_any_case(entry: tuple[int, str], case: int) -> None:
    value, name = entry
    assert value_of((str.upper, str.lower, str.title)[case](name), SCHEMA) == value


NAMES = st.text("abÄßé 7x", min_size=1, max_size=6).map(str.strip).filter(bool)


@given(st.dictionaries(NAMES, st.integers(0, 3), max_size=5))
def test_what_a_person_says_is_meant_whatever_the_file_calls_it(said: dict[str, int]) -> None:
    folded = {" ".join(name.casefold().split()): value for name, value in said.items()}
    found = [FoundClass(name, 1) for name in folded]
    words = [f"{name}={SCHEMA.names[value]}" for name, value in folded.items()]
    mapping = agreed_mapping(found, words, SCHEMA)
    assert dict(mapping.values) == folded
    assert mapping.missing(found) == ()


def test_a_value_is_told_by_number_name_or_both_and_what_is_left_out_is_known_too() -> None:
    found = [FoundClass("7", 3, "road"), FoundClass("8", 2), FoundClass("", 1)]
    words = ["7 Road=wall", "8=ignored", "(no class)=leave-out", "elsewhere=soil", "moat=0"]
    mapping = ClassMapping({}).told(words, found, SCHEMA)
    assert mapping == ClassMapping({"7": 3, "8": IGNORED, "": LEAVE_OUT}, elsewhere=0)


@pytest.mark.parametrize("word", ["road", "=wall", "road=", "road=moat"])
def test_a_word_that_maps_nothing_says_how_it_is_written(word: str) -> None:
    with pytest.raises(UserError, match=r'--map "NAME=soil", with one of soil, .*leave-out'):
        ClassMapping({}).told([word], [], SCHEMA)


def test_unknown_classes_are_named_with_what_to_write() -> None:
    found = [FoundClass("soil", 3, suggested=0), FoundClass("moat", 2)]
    with pytest.raises(UserError, match=r'x.gpkg has moat, which.*--map "moat=...", each soil'):
        refuse_unknown("x.gpkg", ClassMapping.suggested(found), found, SCHEMA)

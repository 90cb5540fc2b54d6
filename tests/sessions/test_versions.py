"""Versions of a model are deleted only on request, and never what is needed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from napari_relay.images import open_image
from napari_relay.session import Session
from relay_tokens import Checkpoint, UserError
from tests.colors import untrained


def changed(session: Session, factor: float) -> Checkpoint:
    """The version in use with other weights."""
    assert session.checkpoint is not None
    made = untrained()
    made.model.load_state_dict({k: v * factor for k, v in made.model.state_dict().items()})
    return replace(session.checkpoint, model=made.model)


@pytest.fixture
def session(picture: Path) -> Iterator[Session]:
    """0 → 1 → 2, and 0 → 3 in use."""
    made = Session(open_image(picture))
    made.use_model(untrained())
    first = made.accept(changed(made, 1.1))
    made.accept(changed(made, 1.2))
    made.use_version(made.versions()[0])
    made.accept(changed(made, 1.3))
    assert first.number == 1
    yield made
    made.close()


def numbers(session: Session) -> list[int]:
    return [version.number for version in session.versions()]


def predictions(session: Session) -> int:
    return len(list((session.folder / "predictions").iterdir()))


def test_the_lineage_leads_back_to_the_model_as_it_was_loaded(session: Session) -> None:
    assert session.lineage() == (3, 0)
    session.use_version(session.versions()[2])
    assert session.lineage() == (2, 1, 0)


def test_a_version_goes_with_its_predictions_and_its_number_is_not_given_again(
    session: Session,
) -> None:
    assert predictions(session) == 4
    session.delete_version(session.versions()[2])
    assert (numbers(session), predictions(session)) == ([0, 1, 3], 3)
    session.use_version(session.versions()[1])
    session.delete_version(session.versions()[2])
    assert session.accept(changed(session, 1.4)).number == 4


def test_the_version_in_use_and_the_loaded_one_stay(session: Session) -> None:
    with pytest.raises(UserError, match="version 3 is in use"):
        session.delete_version(session.versions()[3])
    with pytest.raises(UserError, match=r"in use|as it was loaded"):
        session.delete_version(session.versions()[0], with_children=True)
    assert numbers(session) == [0, 1, 2, 3]


def test_a_version_with_children_stays_unless_they_go_too(session: Session) -> None:
    first = session.versions()[1]
    with pytest.raises(UserError, match="version 2 was fine-tuned from it; delete both"):
        session.delete_version(first)
    session.use_version(session.versions()[2])
    with pytest.raises(UserError, match="in use"):
        session.delete_version(first, with_children=True)
    session.use_version(session.versions()[3])
    session.delete_version(first, with_children=True)
    assert numbers(session) == [0, 3]


def test_predictions_by_the_same_weights_as_another_version_stay(session: Session) -> None:
    twin = session.accept(changed(session, 1.3))
    session.use_version(session.versions()[0])
    session.delete_version(twin)
    session.use_version(session.versions()[3])
    assert predictions(session) == 4

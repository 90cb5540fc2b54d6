"""The state of an open image, without Qt."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_relay.folders import data_folder
from napari_relay.geometry import Window
from napari_relay.images import open_image
from napari_relay.inference import PredictOptions
from napari_relay.session import Session
from napari_relay.training import FinetuneOptions
from relay_tokens import Checkpoint, UserError, load_checkpoint
from tests.colors import untrained, write_picture

QUICK = FinetuneOptions(steps=6, batch_size=2, evaluate_every=3, replayed=2)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    made = Session(open_image(write_picture(tmp_path / "picture.tif")))
    yield made
    made.close()


def _paint_stripes(session: Session) -> None:
    assert session.corrections is not None
    for index, x0 in enumerate((10, 80, 150)):
        stripe = np.full((120, 30), index, np.uint8)
        session.corrections.write(Window(20, x0, 120, 30), stripe)


def _finetuned(session: Session) -> Checkpoint:
    *_, last = session.finetune(QUICK)
    assert last.result is not None
    return last.result.state


def test_a_session_without_a_model_says_so(session: Session) -> None:
    with pytest.raises(UserError, match="choose one first"):
        session.predict()


def test_choosing_a_model_opens_its_prediction_and_corrections(session: Session) -> None:
    heard: list[bool] = []
    session.events.model_changed.connect(lambda: heard.append(True))
    session.use_model(untrained())
    assert session.store is not None
    assert not session.store.finished.any()
    assert session.corrections is not None
    assert heard == [True]


def test_a_model_for_other_bands_is_refused_and_the_old_one_stays(session: Session) -> None:
    session.use_model(untrained())
    other = untrained()
    with pytest.raises(UserError, match="band"):
        session.use_model(_one_band())
    assert session.checkpoint is not None
    assert session.checkpoint.metadata == other.metadata


def _one_band() -> Checkpoint:
    from dataclasses import replace

    from relay_tokens import RelaySegmenter

    grey = untrained()
    config = replace(grey.model.config, in_channels=1)
    metadata = replace(grey.metadata, bands=("grey",), mean=(0.0,), std=(1.0,))
    return Checkpoint(RelaySegmenter(config), metadata)


def test_predicted_tiles_are_told_and_found_again_in_the_next_session(
    session: Session, tmp_path: Path
) -> None:
    session.use_model(untrained())
    told = []
    session.events.tile_predicted.connect(told.append)
    for result in session.predict():
        session.apply_tile(result)
    assert session.store is not None
    assert len(told) == session.store.finished.size
    session.close()
    again = Session(open_image(tmp_path / "picture.tif"))
    again.use_model(untrained())
    assert again.store is not None
    assert again.store.finished.all()
    again.close()


def test_corrections_survive_the_session(session: Session, tmp_path: Path) -> None:
    session.use_model(untrained())
    _paint_stripes(session)
    session.close()
    again = Session(open_image(tmp_path / "picture.tif"))
    again.use_model(untrained())
    assert again.corrections is not None
    assert (again.corrections.read(Window(20, 80, 120, 30)) == 1).all()
    again.close()


def test_the_session_is_found_again_when_the_image_has_moved(
    session: Session, tmp_path: Path
) -> None:
    session.use_model(untrained())
    _paint_stripes(session)
    session.close()
    (tmp_path / "elsewhere").mkdir()
    moved = (tmp_path / "picture.tif").rename(tmp_path / "elsewhere" / "picture.tif")
    again = Session(open_image(moved))
    again.use_model(untrained())
    assert again.corrections is not None
    assert not again.corrections.is_empty
    again.close()


def test_finetuning_without_corrections_is_one_sentence(session: Session) -> None:
    session.use_model(untrained())
    with pytest.raises(UserError, match="Nothing is corrected yet"):
        session.finetune()


def test_an_accepted_finetuning_is_a_version_and_undo_goes_back(session: Session) -> None:
    base = untrained()
    session.use_model(base)
    _paint_stripes(session)
    first_store = session.store
    session.accept(_finetuned(session))
    assert session.version is not None
    assert session.version.label == "colors · version 1"
    assert session.store is not first_store
    parent = session.parent()
    assert parent is not None
    session.use_version(parent)
    assert session.version.number == 0
    assert session.checkpoint is base
    assert [v.number for v in session.versions()] == [0, 1]


def test_a_version_comes_back_from_disk_as_it_was(session: Session) -> None:
    session.use_model(untrained())
    _paint_stripes(session)
    tuned = _finetuned(session)
    session.accept(tuned)
    session.use_version(session.versions()[0])
    session.use_version(session.versions()[1])
    assert session.checkpoint is not None
    for name, value in session.checkpoint.model.state_dict().items():
        assert torch.equal(value, tuned.model.state_dict()[name]), name


def test_the_parent_of_a_later_version_is_the_one_it_was_tuned_from(session: Session) -> None:
    session.use_model(untrained())
    _paint_stripes(session)
    session.accept(_finetuned(session))
    session.accept(_finetuned(session))
    parent = session.parent()
    assert parent is not None
    assert parent.number == 1


def test_colours_of_a_persons_own_are_told_kept_and_carried_by_later_versions(
    session: Session, tmp_path: Path
) -> None:
    session.use_model(untrained())
    heard: list[bool] = []
    session.events.colors_changed.connect(lambda: heard.append(True))
    session.set_class_color(2, "#00ff7f")
    assert heard == [True]
    assert session.has_own_colors
    _paint_stripes(session)
    session.accept(_finetuned(session))
    assert session.version is not None
    assert session.version.folder is not None
    assert load_checkpoint(session.version.folder).metadata.classes.colors[2] == "#00ff7f"
    session.reset_class_colors()
    assert not session.has_own_colors
    assert session.classes == untrained().metadata.classes


def test_a_damaged_record_of_colours_is_no_obstacle(session: Session) -> None:
    session.use_model(untrained())
    session.set_class_color(0, "#00ff7f")
    (record,) = (data_folder() / "class-colors").iterdir()
    record.write_text("[1, 2")
    session.use_model(untrained("again"))
    assert session.classes == untrained().metadata.classes


def test_what_is_no_colour_is_refused_and_changes_nothing(session: Session) -> None:
    session.use_model(untrained())
    with pytest.raises(UserError, match="#rrggbb"):
        session.set_class_color(0, "green")
    assert not session.has_own_colors


def test_other_settings_have_a_prediction_of_their_own_and_none_is_lost(session: Session) -> None:
    session.use_model(untrained())
    usual, window = session.store, [Window(0, 0, 30, 30)]
    assert usual is not None
    list(session.predict(window))
    every_head = replace(session.options, attention_heads="all")
    session.use_options(every_head)
    assert session.store is not None
    assert session.store.folder != usual.folder
    assert not session.store.finished.any()
    list(session.predict(window))
    kept = session.store.attention_map("local", "relay_to_patch", 0, 0, head=2).values
    session.use_options(replace(every_head, attention_heads="mean"))
    assert session.store.folder == usual.folder
    assert session.store.finished.sum() == 1
    session.use_options(every_head)
    again = session.store.attention_map("local", "relay_to_patch", 0, 0, head=2).values
    np.testing.assert_array_equal(again, kept)


def test_settings_that_do_not_fit_leave_the_old_ones_in_use(session: Session) -> None:
    session.use_model(untrained())
    before, store = session.options, session.store
    with pytest.raises(UserError, match="does not fit crops"):
        session.use_options(replace(before, halo=40))
    assert session.options is before
    assert session.store is store
    list(session.predict([Window(0, 0, 9, 9)]))


def test_a_prediction_of_other_settings_under_the_usual_name_stays_in_use(tmp_path: Path) -> None:
    image = open_image(write_picture(tmp_path / "picture.tif"))
    made = Session(image, options=PredictOptions(halo=0))
    made.use_model(untrained())
    first = made.store
    made.close()
    assert first is not None
    plain = first.folder.with_name(first.folder.name.rpartition("-")[0])
    first.folder.rename(plain)  # as it was named before settings had folders of their own
    again = Session(image, options=PredictOptions(halo=0))
    again.use_model(untrained())
    assert again.store is not None
    assert again.store.folder == plain
    again.use_options(PredictOptions())
    assert again.store.folder != plain
    again.close()

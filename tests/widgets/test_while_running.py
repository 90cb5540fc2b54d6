"""Whatever a person does while something runs: clean, no hang, no lost work."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from napari.utils.notifications import notification_manager
from napari.viewer import Viewer

from napari_relay.annotation import CorrectionStore
from napari_relay.geometry import Window
from napari_relay.session import Session
from napari_relay.training import FinetuneOptions
from napari_relay.widgets.panel import RelayPanel
from napari_relay.widgets.session_layers import SessionLayers
from tests.colors import save_untrained, write_picture

Wait = Callable[[Callable[[], bool]], None]
STROKE = Window(200, 300, 40, 50)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return save_untrained(tmp_path / "colors")


@pytest.fixture
def ready(panel: RelayPanel, tmp_path: Path, model: Path, wait_for: Wait) -> RelayPanel:
    """A panel with an image, a model and a few corrections."""
    panel.controller.open(write_picture(tmp_path / "picture.tif", 900, 900))
    wait_for(lambda: panel.controller.session is not None)
    assert panel.controller.use_model(model)
    corrections = panel.controller.session.corrections
    for index, x0 in enumerate((100, 500, 800)):
        corrections.write(Window(600, x0, 90, 60), np.full((90, 60), index, np.uint8))
    return panel


@pytest.fixture(params=["predicting", "fine-tuning"])
def running(request: pytest.FixtureRequest, ready: RelayPanel, wait_for: Wait) -> RelayPanel:
    """The same with a job at work, and a stroke painted since it began."""
    arrived: list[object] = []
    controller = ready.controller
    controller.predicted.connect(arrived.append)
    controller.finetuner.progressed.connect(arrived.append)
    if request.param == "predicting":
        controller.predict_all()
    else:
        controller.finetuner.start(FinetuneOptions(trains="all", steps=2000))
    wait_for(lambda: len(arrived) > 1)
    assert controller.jobs.running or controller.finetuner.jobs.running
    value = np.full((STROKE.height, STROKE.width), 2, np.uint8)
    controller.session.corrections.write(STROKE, value)
    return ready


@pytest.fixture
def said() -> list[object]:
    """What the person is told; nothing of it may be a traceback."""
    told: list[object] = []
    notification_manager.notification_ready.connect(told.append)
    yield told
    notification_manager.notification_ready.disconnect(told.append)
    assert not [one for one in told if str(one.severity) == "error"]  # type: ignore[attr-defined]


def current(panel: RelayPanel) -> SessionLayers:
    layers = panel.controller.current
    assert layers is not None
    return layers


def kept_stroke(session: Session) -> bool:
    """Whether the stroke is in the files of a session that is closed."""
    assert session.corrections is not None
    folder = next((session.folder / "corrections").iterdir())
    fresh = CorrectionStore.open_or_create(
        folder, session.image.shape, session.corrections.schema, session.files.fingerprint
    )
    return bool((fresh.read(STROKE) == 2).all())


def ends(panel: RelayPanel, wait_for: Wait) -> None:
    controller = panel.controller
    wait_for(lambda: not (controller.jobs.running or controller.finetuner.jobs.running))


def cancel(panel: RelayPanel) -> None:
    panel.controller.cancel()
    panel.controller.finetuner.cancel()


def test_switching_the_model_ends_the_job_and_keeps_the_work(
    running: RelayPanel, wait_for: Wait, said: list[object]
) -> None:
    session = current(running).session
    finished = int(session.store.finished.sum())
    assert running.controller.use_model("tissue-vit-tiny")
    ends(running, wait_for)
    assert running.controller.use_model(session.image.source.with_name("colors"))
    assert int(session.store.finished.sum()) >= finished
    assert (session.corrections.read(STROKE) == 2).all()


def test_another_image_opens_while_the_job_goes_on(
    running: RelayPanel, tmp_path: Path, wait_for: Wait, said: list[object]
) -> None:
    first = current(running)
    running.controller.open(write_picture(tmp_path / "second.tif"))
    wait_for(lambda: len(running.controller.layers) == 2)
    assert running.controller.current is not first
    if running.controller.finetuner.jobs.name == "Fine-tuning":
        cancel(running)
    ends(running, wait_for)
    assert (first.session.corrections.read(STROKE) == 2).all()


def test_deleting_the_image_ends_the_job_and_keeps_the_work(
    running: RelayPanel, viewer: Viewer, wait_for: Wait, said: list[object]
) -> None:
    session = current(running).session
    finished = int(session.store.finished.sum())
    viewer.layers.remove(current(running).base)
    ends(running, wait_for)
    wait_for(lambda: not viewer.layers)
    assert running.controller.session is None
    assert kept_stroke(session)
    assert int(session.store.finished.sum()) >= finished


@pytest.mark.parametrize("image_first", [True, False])
def test_everything_can_be_selected_and_deleted(
    running: RelayPanel, viewer: Viewer, wait_for: Wait, said: list[object], image_first: bool
) -> None:
    session = current(running).session
    current(running).show_score("confidence")
    if not image_first:
        viewer.layers.reverse()
    viewer.layers.select_all()
    viewer.layers.remove_selected()
    ends(running, wait_for)
    wait_for(lambda: not viewer.layers)
    assert running.controller.session is None
    assert kept_stroke(session)


def test_deleting_the_overlays_leaves_the_job_alone(
    running: RelayPanel, viewer: Viewer, wait_for: Wait, said: list[object]
) -> None:
    layers = current(running)
    layers.show_score("confidence")
    for layer in (layers.prediction, layers.corrections, layers.score):
        viewer.layers.remove(layer)
    assert running.controller.jobs.running or running.controller.finetuner.jobs.running
    cancel(running)
    ends(running, wait_for)
    assert (layers.session.corrections.read(STROKE) == 2).all()
    layers.show_prediction()
    assert layers.prediction in viewer.layers


def test_layers_may_be_renamed_hidden_and_put_in_another_order(
    running: RelayPanel, viewer: Viewer, wait_for: Wait, said: list[object]
) -> None:
    layers = current(running)
    for number, layer in enumerate(viewer.layers):
        layer.name = f"mine {number}"
        layer.visible = False
    viewer.layers.reverse()
    order = [layer.name for layer in viewer.layers]
    cancel(running)
    ends(running, wait_for)
    assert [layer.name for layer in viewer.layers] == order
    viewer.layers.selection.active = layers.prediction
    assert running.controller.current is layers
    assert running.controller.use_model("tissue-vit-tiny")
    assert layers.prediction.name.startswith("mine")


def test_closing_the_window_ends_the_job_and_keeps_the_work(
    running: RelayPanel, viewer: Viewer, wait_for: Wait, said: list[object]
) -> None:
    session = current(running).session
    finished = int(session.store.finished.sum())
    controller = running.controller
    runners = (controller.jobs, controller.finetuner.jobs)
    viewer.close()
    wait_for(lambda: not any(jobs.running for jobs in runners))
    assert kept_stroke(session)
    assert int(session.store.finished.sum()) >= finished


def test_weights_of_an_image_that_was_closed_are_offered_to_no_other(
    ready: RelayPanel, tmp_path: Path, model: Path, viewer: Viewer, wait_for: Wait
) -> None:
    controller = ready.controller
    controller.finetuner.start(FinetuneOptions(steps=5))
    wait_for(lambda: controller.finetuner.offer is not None)
    ends(ready, wait_for)
    controller.open(write_picture(tmp_path / "second.tif"))
    wait_for(lambda: len(controller.layers) == 2)
    assert controller.use_model(model)
    second = current(ready).session
    viewer.layers.remove(controller.layers[0].base)
    assert controller.finetuner.offer is None
    controller.finetuner.accept()
    assert second.version.number == 0


def test_the_old_weights_go_on_predicting_while_new_ones_are_trained(
    ready: RelayPanel, wait_for: Wait
) -> None:
    controller = ready.controller
    steps: list[object] = []
    controller.finetuner.progressed.connect(steps.append)
    controller.finetuner.start(FinetuneOptions(trains="all", steps=5000))
    wait_for(lambda: bool(steps))
    controller.predict_view()
    wait_for(lambda: not controller.jobs.running)
    assert controller.finetuner.jobs.running
    assert controller.session.store.finished.any()
    controller.finetuner.stop()
    wait_for(lambda: controller.finetuner.offer is not None)
    assert controller.finetuner.offer.result.steps < 5000
    ends(ready, wait_for)


@pytest.fixture
def building(panel: RelayPanel, tmp_path: Path, wait_for: Wait) -> RelayPanel:
    """A panel that builds the levels of a large image."""
    panel.controller.open(write_picture(tmp_path / "large.tif", 5000, 5000))
    wait_for(lambda: panel.controller.building)
    return panel


def built(panel: RelayPanel, wait_for: Wait) -> None:
    wait_for(lambda: not panel.controller.building and not panel.controller.opener.opening)


def test_another_image_may_be_opened_and_predicted_while_levels_are_built(
    building: RelayPanel, tmp_path: Path, model: Path, wait_for: Wait, said: list[object]
) -> None:
    building.controller.open(write_picture(tmp_path / "second.tif"))
    wait_for(lambda: bool(building.controller.layers))
    wait_for(lambda: len(building.controller.layers) == 2)
    assert building.controller.use_model(model)
    building.controller.predict_view()
    ends(building, wait_for)


def test_everything_can_be_deleted_while_levels_are_built_and_the_rest_is_built_later(
    building: RelayPanel, tmp_path: Path, viewer: Viewer, wait_for: Wait, said: list[object]
) -> None:
    viewer.layers.select_all()
    viewer.layers.remove_selected()
    built(building, wait_for)
    assert not viewer.layers
    assert building.controller.session is None
    building.controller.open(tmp_path / "large.tif")
    wait_for(lambda: building.controller.session is not None)


def test_the_window_can_be_closed_while_levels_are_built(
    building: RelayPanel, viewer: Viewer, wait_for: Wait, said: list[object]
) -> None:
    builds = list(building.controller.images.builds)
    viewer.close()
    wait_for(lambda: not any(build._jobs.running for build in builds))


def test_the_window_can_be_closed_while_a_file_is_opened(
    panel: RelayPanel, viewer: Viewer, tmp_path: Path, wait_for: Wait, said: list[object]
) -> None:
    opener = panel.controller.opener
    for number in range(3):
        panel.controller.open(write_picture(tmp_path / f"{number}.tif", 600, 600))
    viewer.close()
    panel.controller.close()
    wait_for(lambda: not opener.opening)
    assert not viewer.layers

"""Whole images are scored window by window."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
import pytest
import torch

from napari_relay.geometry import Window
from napari_relay.inference import WithReport
from napari_relay.training import ArrayLabels, LabelledImage, Scores, evaluate, labelled_image
from napari_relay.training.context_effect import context_effect, has_relay_tokens
from napari_relay.training.dataset_evaluation import (
    EvaluatedImage,
    Evaluation,
    EvaluationOptions,
    evaluate_images,
)
from napari_relay.training.evaluation import predict_examples
from napari_relay.training.examples import Example, ExampleReader
from napari_relay.training.labelled_image import Opened, for_measuring
from napari_relay.training.splits import SpatialSplit
from relay_tokens import Checkpoint, UserError
from tests.training.scenes import METADATA, blobs, pyramid, tiny_model

CPU = EvaluationOptions(batch_size=3, device="cpu", context_windows=4)


def scene(side: int = 160, seed: int = 0) -> LabelledImage:
    image, labels = blobs(side, seed)
    return for_measuring(lambda: Opened(image, labels), 64)


def finish(
    checkpoint: Checkpoint, *images: LabelledImage, options: EvaluationOptions = CPU
) -> Evaluation:
    named = [EvaluatedImage(f"image {i}", image) for i, image in enumerate(images)]
    run = WithReport(evaluate_images(checkpoint, named, "some blobs", options))
    assert [p.done for p in run if p.stage == "predicting windows"][-1] > 0
    assert run.report is not None
    return run.report


def examples(count: int) -> Iterator[Example]:
    image, labels = blobs()
    reader = ExampleReader(image, labels, tiny_model().config, METADATA)
    for number in range(count):
        yield reader.read(Window(16 * number, 32, 64, 64))


def test_scores_are_those_of_all_pixels_at_once(trained: Checkpoint) -> None:
    image, labels = blobs(160)
    reader = ExampleReader(image, labels, trained.model.config, METADATA)
    confusion, model = np.zeros((3, 3), int), trained.model.eval()
    for y0 in (0, 64, 128):
        for x0 in (0, 64, 128):
            crops, truth = reader.read(Window(y0, x0, 64, 64))
            local, wide = (torch.from_numpy(c)[None] for c in (crops.local, crops.global_))
            with torch.no_grad():
                guess = model(local, wide).local_logits[0].argmax(0).numpy()
            for i, j in zip(truth[truth < 255], guess[truth < 255], strict=True):
                confusion[i, j] += 1
    found = finish(trained, scene())
    np.testing.assert_array_equal(found.scores.confusion, confusion)
    assert found.scores.pixels == 160 * 160
    assert found.windows == found.all_windows == 9


@pytest.mark.parametrize("batch_size", [1, 4, 50])
def test_the_batch_size_changes_no_score(trained: Checkpoint, batch_size: int) -> None:
    found = evaluate(trained.model, examples(6), batch_size)
    expected = evaluate(trained.model, examples(6), 2)
    np.testing.assert_array_equal(found.confusion, expected.confusion)
    assert found.calibration_error == pytest.approx(expected.calibration_error, abs=1e-6)


def test_examples_are_read_no_further_than_a_batch_ahead() -> None:
    read, model = [], tiny_model()
    predicted_when_read: list[int] = []
    calls = []
    model.register_forward_hook(lambda *_: calls.append(1))

    def counted() -> Iterator[Example]:
        for number, example in enumerate(examples(6)):
            read.append(number)
            predicted_when_read.append(len(calls))
            yield example

    evaluate(model, counted(), batch_size=2)
    assert predicted_when_read == [0, 0, 1, 1, 2, 2]


def test_a_model_in_training_stays_so_and_is_evaluated_as_it_is_used() -> None:
    model = tiny_model().train()
    modes = []
    model.register_forward_hook(lambda module, *_: modes.append(module.training))
    evaluate(model, examples(2))
    assert modes == [False]
    assert model.training


def test_confidence_is_the_probability_of_the_predicted_class(trained: Checkpoint) -> None:
    (example,) = islice(examples(1), 1)
    (found,) = predict_examples(trained.model, [example])
    with torch.no_grad():
        local, wide = (
            torch.from_numpy(crop)[None] for crop in (example.crops.local, example.crops.global_)
        )
        probabilities = trained.model(local, wide).local_logits[0].softmax(0).numpy()
    np.testing.assert_allclose(found.confidence, probabilities.max(axis=0), atol=1e-6)
    np.testing.assert_array_equal(found.predicted, probabilities.argmax(axis=0))


def test_images_have_scores_of_their_own_that_add_up(trained: Checkpoint) -> None:
    found = finish(trained, scene(96, seed=1), scene(160, seed=2))
    assert [one.name for one in found.images] == ["image 0", "image 1"]
    assert [one.scores.pixels for one in found.images] == [96 * 96, 160 * 160]
    total: Scores = found.images[0].scores + found.images[1].scores
    np.testing.assert_array_equal(total.confusion, found.scores.confusion)


def test_only_held_out_blocks_are_measured(trained: Checkpoint) -> None:
    image, labels = blobs(160)
    split = SpatialSplit(image.window, (Window(0, 0, 64, 80),), 64)
    assert finish(trained, labelled_image(image, labels, split)).scores.pixels == 64 * 80


def test_a_limit_draws_windows_that_the_seed_decides(trained: Checkpoint) -> None:
    limited = EvaluationOptions(limit=4, device="cpu", context_windows=0)
    found = finish(trained, scene(), options=limited)
    again = finish(trained, scene(), options=limited)
    assert (found.windows, found.all_windows) == (4, 9)
    np.testing.assert_array_equal(found.scores.confusion, again.scores.confusion)
    other = EvaluationOptions(limit=4, seed=7, device="cpu", context_windows=0)
    assert (
        finish(trained, scene(), options=other).scores.confusion != found.scores.confusion
    ).any()


def test_best_median_and_worst_are_in_order_and_none_twice() -> None:
    torch.manual_seed(0)
    untrained = Checkpoint(tiny_model(), METADATA)
    found = finish(untrained, scene(256))
    ratings = [one.rating for one in found.examples]
    assert ratings == ["best", "best", "median", "median", "worst", "worst"]
    rated = [one.miou for one in found.examples]
    assert rated == sorted(rated, reverse=True)
    assert rated[0] > rated[2] > rated[-1]
    assert len({one.window for one in found.examples}) == 6
    for one in found.examples:
        assert one.predicted.scores(3).miou == pytest.approx(one.miou)


def test_an_image_without_any_label_has_no_scores(trained: Checkpoint) -> None:
    image, _ = blobs(96)
    none = ArrayLabels(np.full((96, 96), 255, np.uint8))
    unlabelled = for_measuring(lambda: Opened(image, none), 64)
    assert len(finish(trained, unlabelled, scene()).images) == 1
    run = evaluate_images(trained, [EvaluatedImage("a", unlabelled)], "some blobs", CPU)
    with pytest.raises(UserError, match="no labelled pixel in some blobs"):
        list(run)


def test_an_evaluation_can_be_stopped_between_batches(trained: Checkpoint) -> None:
    run = evaluate_images(trained, [EvaluatedImage("a", scene())], "some blobs", CPU)
    next(run)
    run.close()  # the test's fixture looks for threads that are left


def test_context_is_worth_nothing_to_a_model_that_cannot_see_it() -> None:
    single = tiny_model(context_factor=None)
    assert not has_relay_tokens(single.config)
    assert finish(Checkpoint(single, METADATA), scene()).context is None


def test_the_effect_of_the_context_is_a_change_of_class() -> None:
    torch.manual_seed(0)
    model = tiny_model().eval()
    batch = list(examples(3))
    found = context_effect(model, batch)
    blank = [
        e._replace(crops=type(e.crops)(e.crops.local, np.zeros_like(e.crops.local), e.crops.valid))
        for e in batch
    ]
    seen, unseen = predict_examples(model, batch), predict_examples(model, blank)
    changed = np.mean([s.predicted != u.predicted for s, u in zip(seen, unseen, strict=True)])
    assert found.changed == pytest.approx(changed)
    assert changed > 0
    np.testing.assert_array_equal(found.without.confusion, evaluate(model, blank).confusion)
    both = found + context_effect(model, batch[:1])
    assert both.examples == 4
    assert both.with_context.pixels == 4 * 64 * 64


def test_context_is_measured_on_as_many_windows_as_asked(trained: Checkpoint) -> None:
    effect = finish(trained, scene()).context
    assert effect is not None
    assert effect.examples == 4


def test_windows_beyond_the_image_s_edge_count_only_inside(trained: Checkpoint) -> None:
    pixels = np.random.default_rng(0).integers(0, 255, (70, 65, 3), dtype=np.uint8)
    labels = ArrayLabels(np.zeros((70, 65), np.uint8))
    image = for_measuring(lambda: Opened(pyramid(pixels), labels), 64)
    found = finish(trained, image)
    assert found.windows == 4
    assert found.scores.pixels == 70 * 65

"""Gleason scores against cases worked out by hand from the consensus papers."""

from __future__ import annotations

import pytest

from napari_relay.exporting.reporting.gleason import (
    gleason_patterns,
    gleason_score,
    grade_group,
)
from relay_tokens import ClassSchema


@pytest.mark.parametrize(
    ("areas", "primary", "secondary", "group"),
    [
        ({3: 100}, 3, 3, 1),
        ({3: 60, 4: 40}, 3, 4, 2),
        ({3: 40, 4: 60}, 4, 3, 3),
        ({3: 50, 4: 50}, 4, 3, 3),  # of equal areas the higher grade is the primary
        ({4: 100}, 4, 4, 4),
        ({3: 60, 5: 40}, 3, 5, 4),
        ({3: 40, 5: 60}, 5, 3, 4),
        ({4: 60, 5: 40}, 4, 5, 5),
        ({4: 40, 5: 60}, 5, 4, 5),
        ({5: 7}, 5, 5, 5),
        ({3: 98, 4: 2}, 3, 4, 2),  # however little there is of a higher grade, it counts
        ({3: 95, 4: 5}, 3, 4, 2),
        ({4: 98, 3: 2}, 4, 4, 4),  # under 5 % of a lower grade is ignored
        ({4: 95, 3: 5}, 4, 3, 3),  # 5 % is not under it
        ({3: 50, 4: 40, 5: 10}, 3, 5, 4),  # the most common and the highest
        ({4: 50, 3: 40, 5: 10}, 4, 5, 5),
        ({3: 60, 4: 37, 5: 3}, 3, 5, 4),
        ({5: 60, 3: 30, 4: 10}, 5, 3, 4),  # the most common is the highest: then the next common
    ],
)
def test_a_biopsy_is_the_most_common_pattern_and_the_highest_one(areas, primary, secondary, group):
    found = gleason_score(areas)
    assert (found.primary, found.secondary, found.tertiary) == (primary, secondary, None)
    assert found.score == primary + secondary
    assert found.grade_group == group


@pytest.mark.parametrize(
    ("areas", "primary", "secondary", "tertiary", "group"),
    [
        ({3: 60, 4: 37, 5: 3}, 3, 4, 5, 2),  # minor pattern 5 beside 3 + 4
        ({4: 60, 3: 37, 5: 3}, 4, 3, 5, 3),
        ({3: 60, 4: 35, 5: 5}, 3, 5, None, 4),  # 5 % is no longer minor
        ({3: 60, 4: 30, 5: 10}, 3, 5, None, 4),
        ({3: 60, 5: 37, 4: 3}, 3, 5, None, 4),  # the third is lower than the second
        ({3: 97, 4: 3}, 3, 4, None, 2),  # of two patterns none is tertiary
        ({4: 97, 3: 3}, 4, 4, None, 4),
        ({4: 93, 3: 4, 5: 3}, 4, 5, None, 5),  # once 3 is ignored there are two patterns
        ({5: 90, 4: 10}, 5, 4, None, 5),
    ],
)
def test_a_prostatectomy_reports_a_minor_higher_pattern_beside(
    areas, primary, secondary, tertiary, group
):
    found = gleason_score(areas, "prostatectomy")
    assert (found.primary, found.secondary, found.tertiary) == (primary, secondary, tertiary)
    assert found.grade_group == group


def test_stray_pixels_make_no_grade_and_no_tumour_has_no_score():
    assert gleason_score({3: 995, 5: 5}).secondary == 3
    assert gleason_score({3: 995, 5: 5}, least=0).secondary == 5
    assert gleason_score({3: 0.0, 4: 0.0}) is None
    assert gleason_score({}) is None


def test_the_score_does_not_depend_on_the_unit_of_the_areas():
    areas = {3: 61.0, 4: 37.0, 5: 2.0}
    for factor in (1e-9, 1, 1e9):
        scaled = {grade: area * factor for grade, area in areas.items()}
        assert gleason_score(scaled, "prostatectomy") == gleason_score(areas, "prostatectomy")


def test_a_minor_pattern_is_said_in_words():
    found = gleason_score({3: 60, 4: 37, 5: 3}, "prostatectomy")
    assert found.text == "3 + 4 = 7, with minor pattern 5, grade group 2"


@pytest.mark.parametrize(
    ("pair", "group"),
    [((2, 3), 1), ((3, 3), 1), ((3, 4), 2), ((4, 3), 3), ((4, 4), 4), ((5, 5), 5)],
)
def test_the_grade_group_tells_seven_by_its_order(pair, group):
    assert grade_group(*pair) == group


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["benign", "grade 3", "grade 4", "grade 5"], {3: 1, 4: 2, 5: 3}),
        (["G3", "stroma", "G4"], {3: 0, 4: 2}),
        (["Gleason 3", "Gleason 4", "Gleason 5", "background"], {3: 0, 4: 1, 5: 2}),
        (["Gleason pattern 4", "gleason_grade_5"], {4: 0, 5: 1}),
        (["background", "mound", "moat"], {}),
        (["grade 3", "road"], {}),  # one alone may be anything
        (["grade 3", "Gleason 3", "grade 4"], {}),
        (["grade 1", "grade 2", "upgrade 4"], {}),
    ],
)
def test_schemas_of_patterns_are_known_by_their_names(names, expected):
    assert gleason_patterns(ClassSchema.from_names(names)) == expected

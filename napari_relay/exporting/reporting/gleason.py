"""Gleason score and grade group from the areas of the patterns. Not for diagnosis."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from relay_tokens import ClassSchema

Specimen = Literal["biopsy", "prostatectomy"]

NOT_FOR_DIAGNOSIS = (
    "Not for diagnosis. These figures are computed from the areas that a model predicted; no "
    "pathologist has seen them, and the model has not been validated for clinical use."
)
LIMITED = 0.05
"""Share of the tumour below which a pattern is limited."""
LEAST = 0.01
"""Share of the tumour below which a pattern counts as stray pixels of the model."""

_PATTERN = re.compile(r"(?:gleason|pattern|grade|gp|gg|g)\D{0,10}([345])", re.IGNORECASE)


@dataclass(frozen=True)
class GleasonScore:
    """What is read off the areas of the patterns."""

    primary: int
    """The pattern that covers most of the tumour, 3 to 5."""
    secondary: int
    """The other one that counts; the same where only one does."""
    tertiary: int | None = None
    """Limited pattern of a higher grade that is reported beside; of a prostatectomy alone."""

    @property
    def score(self) -> int:
        """Sum of the two, 6 to 10."""
        return self.primary + self.secondary

    @property
    def grade_group(self) -> int:
        """ISUP grade group, 1 to 5; see :func:`grade_group`."""
        return grade_group(self.primary, self.secondary)

    @property
    def text(self) -> str:
        """E.g. ``"3 + 4 = 7, grade group 2"``."""
        minor = f", with minor pattern {self.tertiary}" if self.tertiary else ""
        score = f"{self.primary} + {self.secondary} = {self.score}"
        return f"{score}{minor}, grade group {self.grade_group}"


def gleason_patterns(classes: ClassSchema) -> dict[int, int]:
    """Label of each Gleason pattern of a schema, by its grade; empty for other schemas.

    A schema is one of patterns when two or more of its names say ``grade``, ``pattern``,
    ``Gleason``, ``GP`` or ``G`` with 3, 4 or 5, each once, as ``tissue`` models and
    Gleason 2019 have them.
    """
    found: dict[int, int] = {}
    for label, name in enumerate(classes.names):
        match = _PATTERN.fullmatch(name.strip())
        if match is None:
            continue
        if int(match[1]) in found:  # e.g. two kinds of a grade: their areas would have to be joined
            return {}
        found[int(match[1])] = label
    return found if len(found) > 1 else {}


def gleason_score(
    areas: Mapping[int, float], specimen: Specimen = "biopsy", least: float = LEAST
) -> GleasonScore | None:
    """Primary and secondary pattern, from how much of the tumour each covers.

    Parameters
    ----------
    areas
        Area of each pattern, 3 to 5, in any unit.
    specimen
        ``"biopsy"``: the pattern that is most common and the one of highest grade
        count, however little there is of the latter; ``"prostatectomy"``: the two most
        common ones count, and of three patterns the one of highest grade is reported
        beside the score as a minor (tertiary) one where it covers less than
        :data:`LIMITED`.
    least
        Share of the tumour below which a pattern is left out; 0 to 1. This is no rule of
        grading but keeps stray pixels of a model from making a grade.

    Returns
    -------
    GleasonScore or None
        None where there is no tumour.

    Notes
    -----
    For both, a second pattern of lower grade that covers less than :data:`LIMITED` is
    ignored (98 % pattern 4 and 2 % pattern 3 are 4 + 4), and one of higher grade is not
    (98 % pattern 3 and 2 % pattern 4 are 3 + 4). Where the most common pattern is the
    highest too, the next common one is the secondary. Of equal areas the higher grade
    comes first.

    Sources: Epstein, Allsbrook, Amin, Egevad, "The 2005 ISUP Consensus Conference on
    Gleason Grading of Prostatic Carcinoma", Am J Surg Pathol 29:1228, 2005 (biopsies, the
    5 % of a lower grade); Epstein et al., "The 2014 ISUP Consensus Conference", Am J Surg
    Pathol 40:244, 2016, doi:10.1097/PAS.0000000000000530; Epstein, Amin, Reuter, Humphrey,
    "Contemporary Gleason Grading", Am J Surg Pathol 41:e1, 2017 (a minor pattern of higher
    grade only in prostatectomies with three patterns; 5 %). Pathologists do not agree on
    the latter: see "Practice Patterns in Reporting Tertiary Grades", Arch Pathol Lab Med
    144:356, 2020.
    """
    shares = _shares(areas, least)
    if not shares:
        return None
    order = sorted(shares, key=lambda grade: (shares[grade], grade), reverse=True)
    primary = order[0]
    others = [g for g in order[1:] if g > primary or shares[g] >= LIMITED]
    if not others:
        return GleasonScore(primary, primary)
    if specimen == "prostatectomy":
        return _of_prostatectomy(primary, others, shares)
    higher = [g for g in others if g > primary]
    return GleasonScore(primary, max(higher) if higher else others[0])


def grade_group(primary: int, secondary: int) -> int:
    """ISUP grade group of two patterns.

    1: score up to 6; 2: 3 + 4; 3: 4 + 3; 4: score 8; 5: score 9 and 10.

    Source: Epstein et al., "The 2014 ISUP Consensus Conference on Gleason Grading of
    Prostatic Carcinoma", Am J Surg Pathol 40:244, 2016, doi:10.1097/PAS.0000000000000530.
    """
    score = primary + secondary
    if score == 7:
        return 2 if primary == 3 else 3
    return {8: 4, 9: 5, 10: 5}.get(score, 1)


def _shares(areas: Mapping[int, float], least: float) -> dict[int, float]:
    """Share of the tumour of each pattern that counts."""
    tumour = sum(areas.values())
    if not tumour:
        return {}
    return {g: area / tumour for g, area in areas.items() if area and area / tumour >= least}


def _of_prostatectomy(
    primary: int, others: Sequence[int], shares: Mapping[int, float]
) -> GleasonScore:
    secondary, *rest = others
    third = rest[0] if rest else None
    if third is None or third < max(primary, secondary):
        return GleasonScore(primary, secondary)
    if shares[third] < LIMITED:
        return GleasonScore(primary, secondary, third)
    return GleasonScore(primary, third)

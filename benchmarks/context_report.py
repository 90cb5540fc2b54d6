"""Tables and sentences of ``docs/context.md``, from the results alone."""

from __future__ import annotations

import json
import re
import statistics
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.context_figure import draw_findings
from benchmarks.context_summary import MOST_PARAMETERS, TARGET, Findings, Summary
from napari_relay.training.figures import save_figure
from relay_tokens import UserError

Document = Mapping[str, Any]


def write_report(results: Path, page: Path) -> None:
    """Bring the page's blocks and its picture up to date with the results.

    A block is what lies between ``<!-- NAME -->`` and ``<!-- end NAME -->``.

    Raises
    ------
    UserError
        When there are no results.
    """
    if not results.exists():
        raise UserError(f"There is no {results}; run python -m benchmarks.context first.")
    document = json.loads(results.read_text())
    save_figure(draw_findings(Findings.of(document)), page.parent / "images" / "context.png")
    page.write_text(with_blocks(page.read_text(), document))


def with_blocks(text: str, document: Document) -> str:
    """The page's text with its blocks made from a document."""
    for name, block in BLOCKS.items():
        pattern = rf"(<!-- {name} -->\n).*?(<!-- end {name} -->)"
        new = block(document)
        text = re.sub(
            pattern, lambda found, new=new: f"{found[1]}{new}\n{found[2]}", text, flags=re.S
        )
    return text


def verdict(document: Document) -> str:
    """What came out, in a few sentences."""
    findings = Findings.of(document)
    return "\n".join(_sentences(findings)) if findings.models else "No run is finished."


def models_table(document: Document) -> str:
    """All models, as Markdown."""
    models = Findings.of(document).models
    classes = list(next(iter(models.values())).iou) if models else []
    head = ["model", "mIoU", "× single", *classes, "calibration error", "parameters", "seeds"]
    single = models.get("single")
    return _table(head, [_model_row(model, single) for model in models.values()])


def ablations_table(document: Document) -> str:
    """The relay model and what changes it, as Markdown."""
    findings = Findings.of(document)
    relay = findings.unchanged
    head = ["change", "mIoU", "− unchanged", "parameters", "seeds"]
    rows = [_change_row("none", relay, None)] if relay else []
    rows += [_change_row(one.label, one, relay) for one in findings.ablations.values()]
    return _table(head, rows)


def setting_text(document: Document) -> str:
    """How it was run, in a few sentences."""
    used = document["setting"]
    machine, versions = used["machine"], used["versions"]
    packages = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"Setting `{used['name']}`: {document['finished']} of {document['planned']} runs finished, "
        f"{used['hours_of_all_runs']} hours of {used['threads']} thread each when added up, on "
        f"{machine['cores']} cores ({machine['processor']}, {machine['system']}), Python "
        f"{machine['python']}, {packages}."
    )


def _sentences(findings: Findings) -> Iterator[str]:
    models = findings.models
    relay, single, fusion = (models.get(k) for k in ("relay", "single", "decision_fusion"))
    if relay and single:
        yield (
            f"Relay tokens reach a test mIoU of {_spread(relay)}, {relay.ratio(single):.2f} times "
            f"the {_spread(single)} of the single-scale model, with "
            f"{relay.more_parameters(single):.2%} more parameters."
        )
    if relay and fusion:
        yield (
            f"Decision fusion, which sees the same two crops, reaches {_spread(fusion)}: "
            f"{abs(relay.difference(fusion)):.3f} {_less(relay.difference(fusion))}."
        )
    if relay and relay.contexts:
        yield _context_sentence(relay)
    if findings.meets_target is not None:
        met = "met" if findings.meets_target else "not met"
        yield (
            f"The target (at least {TARGET:g} times the single-scale mIoU, and more than decision "
            f"fusion, at no more than {MOST_PARAMETERS:.0%} more parameters) is {met}."
        )


def _less(difference: float) -> str:
    return "less" if difference > 0 else "more"


def _context_sentence(relay: Summary) -> str:
    changed, seeing, blank = (
        statistics.mean(context[key] for context in relay.contexts)
        for key in ("changed", "miou", "miou_blank")
    )
    return (
        f"With a blank global crop {changed:.1%} of the pixels change class, and the mIoU of the "
        f"relay model falls from {seeing:.3f} to {blank:.3f}."
    )


def _model_row(model: Summary, single: Summary | None) -> list[str]:
    return [
        model.label,
        _spread(model),
        f"{model.ratio(single):.2f}" if single else "",
        *(f"{value:.3f}" for value in model.iou.values()),
        f"{model.calibration_error:.3f}",
        f"{model.params:,}" + (f" ({model.more_parameters(single):+.1%})" if single else ""),
        str(len(model.miou)),
    ]


def _change_row(label: str, model: Summary, relay: Summary | None) -> list[str]:
    difference = f"{model.difference(relay):+.3f}" if relay else ""
    return [label, _spread(model), difference, f"{model.params:,}", str(len(model.miou))]


def _spread(model: Summary) -> str:
    return f"{model.mean:.3f}" + ("" if model.std is None else f" ± {model.std:.3f}")


def _table(head: list[str], rows: list[list[str]]) -> str:
    marks = ["---", *["--:"] * (len(head) - 1)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *rows))


BLOCKS: Mapping[str, Callable[[Document], str]] = {
    "verdict": verdict,
    "models": models_table,
    "ablations": ablations_table,
    "setting": setting_text,
}
"""What makes each block of the page."""

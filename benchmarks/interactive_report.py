"""Tables and sentences of ``docs/interactive.md``, from the results alone."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.interactive_domain import DOMAINS
from benchmarks.interactive_figure import draw_findings
from benchmarks.interactive_summary import (
    BASE_LOSS,
    HALF,
    SECONDS,
    Summary,
    ends,
    savings,
    summaries,
)
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
        raise UserError(f"There is no {results}; run python -m benchmarks.interactive first.")
    document = json.loads(results.read_text())
    save_figure(draw_findings(document), page.parent / "images" / "interactive.png")
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
    """What came out against the targets, in a few sentences a domain."""
    lines = [line for domain in DOMAINS for line in _sentences(document, domain)]
    return "\n".join(f"- {line}" for line in lines) or "No run is finished."


def methods_table(document: Document) -> str:
    """All methods on both domains, as Markdown."""
    rounds = document["setting"]["rounds"]
    shown = sorted({0, 1, 3, rounds} & {*range(rounds + 1)})
    head = [
        "domain",
        "method",
        *(f"round {number}" for number in shown),
        "gap closed",
        "base mIoU",
        "seconds a round",
        "turned down",
        "images",
    ]
    rows = [
        _row(domain, summary, shown)
        for domain in DOMAINS
        for summary in summaries(document, domain).values()
    ]
    return _table(head, rows)


def places_table(document: Document) -> str:
    """Corrections that the queue and random places need, as Markdown."""
    head = ["domain", "image", "mIoU", "corrections, queue", "corrections, random"]
    rows = [
        [domain, str(one.seed), f"{one.miou:.3f}", _count(one.queue), _count(one.random)]
        for domain in DOMAINS
        for one in savings(summaries(document, domain))
    ]
    return _table(head, rows)


def setting_text(document: Document) -> str:
    """How it was run, in a few sentences."""
    used = document["setting"]
    machine, versions = used["machine"], used["versions"]
    packages = ", ".join(f"{name} {number}" for name, number in versions.items())
    return (
        f"Setting `{used['name']}`: {document['finished']} of {document['planned']} runs finished, "
        f"{used['threads']} thread each, on {machine['cores']} cores ({machine['processor']}, "
        f"{machine['system']}), Python {machine['python']}, {packages}."
    )


def _sentences(document: Document, domain: str) -> Iterator[str]:
    found = summaries(document, domain)
    default, naive = found.get("default"), found.get("naive")
    if default:
        shipped, best = ends(default)
        yield (
            f"{domain}: after {document['setting']['rounds']} rounds the default closes "
            f"{default.closed:.0%} of the gap between {shipped:.3f} (shipped) and {best:.3f} "
            f"(trained on the domain); the target, at least {HALF:.0%}, is "
            f"{_met(default.closed >= HALF)}."
        )
        yield (
            f"{domain}: a round takes {default.seconds:.0f} s of one thread on average, "
            f"{default.longest:.0f} s at most; the target, {SECONDS:.0f} s, is "
            f"{_met(default.longest <= SECONDS)}."
        )
        yield _base_sentence(domain, default, naive)
    saved = savings(found)
    if saved:
        better = sum(one.fewer for one in saved)
        yield (
            f"{domain}: places of the queue need fewer corrections than random ones on {better} "
            f"of {len(saved)} images; the target, on all, is {_met(better == len(saved))}."
        )


def _base_sentence(domain: str, default: Summary, naive: Summary | None) -> str:
    lost = default.base_loss or 0.0
    text = f"{domain}: on the base domain the default loses {100 * lost:.1f} points of mIoU"
    if naive is None or naive.base_loss is None:
        return f"{text}; the target, at most {100 * BASE_LOSS:.0f}, is {_met(lost <= BASE_LOSS)}."
    is_met = lost <= BASE_LOSS and naive.base_loss > lost
    return (
        f"{text}, naive fine-tuning {100 * naive.base_loss:.1f}; the target, at most "
        f"{100 * BASE_LOSS:.0f} and less than naive, is {_met(is_met)}."
    )


def _met(is_met: bool) -> str:
    return "met" if is_met else "not met"


def _row(domain: str, summary: Summary, shown: list[int]) -> list[str]:
    loss = summary.base_loss
    return [
        domain,
        summary.label,
        *(f"{summary.at(number):.3f}" for number in shown),
        f"{summary.closed:.0%}",
        "" if loss is None else f"{-100 * loss:+.1f}",
        f"{summary.seconds:.1f}",
        str(summary.turned_down),
        str(len(summary.courses)),
    ]


def _count(needed: float | None) -> str:
    return "never" if needed is None else f"{needed:.0f}"


def _table(head: list[str], rows: list[list[str]]) -> str:
    marks = ["---", "---", *["--:"] * (len(head) - 2)]
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, marks, *rows))


BLOCKS: Mapping[str, Callable[[Document], str]] = {
    "verdict": verdict,
    "methods": methods_table,
    "places": places_table,
    "setting": setting_text,
}
"""What makes each block of the page."""

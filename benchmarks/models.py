"""Time a forward pass a crop pair: relay and single-scale, precisions, compiled or not.

``python -m benchmarks.models --output benchmarks/results/models.json``

All variants of a backbone are timed in turn, round after round, so that a
machine whose speed drifts treats them alike; the table has medians over the
rounds, and ratios to the single-scale model in float32.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from relay_tokens import RelayConfig, RelaySegmenter

BACKBONES = {
    "vit_tiny_patch16_224": {},
    "vit_small_patch16_224": {},
    "swinv2_tiny_window8_256": {},
}
BATCHES = (1, 8, 32)
ROUNDS = 5


@dataclass(frozen=True)
class Variant:
    """One way to run one backbone."""

    backbone: str
    """A timm name."""
    kind: str
    """``single-scale``, ``relay`` or ``relay, recorded``."""
    precision: str
    """``float32`` or ``bfloat16`` (autocast)."""
    compiled: bool
    """Whether ``torch.compile`` was used."""
    batch: int
    """Crop pairs a forward pass."""


@dataclass(frozen=True)
class Timing:
    """How long a variant takes."""

    variant: Variant
    """What was timed."""
    ms_a_pair: float
    """Median milliseconds a crop pair."""
    ratio: float
    """To the single-scale model in float32, not compiled, at the same batch."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--backbones", nargs="+", default=list(BACKBONES))
    parser.add_argument("--batches", nargs="+", type=int, default=list(BATCHES))
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--output", type=Path, default=Path("benchmarks/results/models.json"))
    arguments = parser.parse_args()
    timings: list[Timing] = []
    for backbone in arguments.backbones:
        for batch in arguments.batches:
            variants = _variants(backbone, batch, not arguments.no_compile)
            timings += _measure(variants, torch.device(arguments.device), arguments.rounds)
    document = {"machine": _machine(arguments.device), "timings": [asdict(t) for t in timings]}
    arguments.output.write_text(json.dumps(document, indent=1) + "\n")
    print(table(timings))


def _variants(backbone: str, batch: int, compiled: bool) -> list[Variant]:
    kinds = ("single-scale", "relay", "relay, recorded")
    eager = [
        Variant(backbone, kind, p, False, batch) for p in ("float32", "bfloat16") for kind in kinds
    ]
    fast = [Variant(backbone, kind, "float32", True, batch) for kind in kinds[:2]]
    return eager + fast if compiled else eager


def _measure(variants: list[Variant], device: torch.device, rounds: int) -> list[Timing]:
    calls = [_call(variant, device) for variant in variants]
    for call in calls:
        call()
    seconds: list[list[float]] = [[] for _ in calls]
    for _ in range(rounds):
        for call, taken in zip(calls, seconds, strict=True):
            taken.append(_time(call, device))
    medians = [
        statistics.median(s) * 1000 / v.batch for s, v in zip(seconds, variants, strict=True)
    ]
    return [
        Timing(v, round(m, 2), round(m / medians[0], 3))
        for v, m in zip(variants, medians, strict=True)
    ]


def _call(variant: Variant, device: torch.device) -> Callable[[], object]:
    single = variant.kind == "single-scale"
    config = RelayConfig(
        variant.backbone,
        num_classes=4,
        context_factor=None if single else 4,
        backbone_options=BACKBONES.get(variant.backbone, {}),
    )
    model = RelaySegmenter(config).eval().to(device)
    run = torch.compile(model) if variant.compiled else model
    crops = torch.randn(2, variant.batch, 3, config.crop_size, config.crop_size, device=device)
    record = variant.kind.endswith("recorded")

    def call() -> object:
        half = torch.autocast(device.type, torch.bfloat16)
        with torch.inference_mode(), half if variant.precision == "bfloat16" else nullcontext():
            return run(crops[0], None if single else crops[1], record)

    return call


def _time(call: Callable[[], object], device: torch.device) -> float:
    start = time.perf_counter()
    call()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


def _machine(device: str) -> dict[str, object]:
    name = torch.cuda.get_device_name() if device.startswith("cuda") else platform.machine()
    return {"device": name, "threads": torch.get_num_threads(), "torch": torch.__version__}


def table(timings: list[Timing]) -> str:
    """The timings as a Markdown table."""
    return "\n".join(_rows(timings))


def _rows(timings: list[Timing]) -> Iterator[str]:
    yield "| backbone | batch | model | precision | compiled | ms a pair | ratio |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for t in timings:
        v = t.variant
        compiled = "yes" if v.compiled else "no"
        yield (
            f"| {v.backbone} | {v.batch} | {v.kind} | {v.precision} | {compiled} "
            f"| {t.ms_a_pair:.1f} | {t.ratio:.2f} |"
        )


if __name__ == "__main__":
    main()

"""Which ways of learning from corrections are compared, and in which order they run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.interactive_domain import DOMAINS, DomainName
from benchmarks.interactive_setting import Setting
from napari_relay.training import FinetuneOptions
from napari_relay.training.finetune_options import Trains

NAIVE_RATE, NAIVE_BATCH = 3e-4, 4
"""Of naive fine-tuning: a common learning rate of AdamW, and a small batch."""

Places = Literal["worst", "queue", "random"]


@dataclass(frozen=True)
class Method:
    """One way of learning from corrections."""

    name: str
    """In the results."""
    label: str
    """In tables and plots."""
    places: Places = "worst"
    """What is corrected: the largest mistakes, or those at the queue's or at random places."""
    trains: Trains | None = None
    """What changes; None: what the engine chooses by itself."""
    rehearses: bool = True
    """Whether it rehearses what the model knew, and its gate may turn it down."""
    forest: bool = False
    """Whether a random forest on the frozen features is trained instead of the model."""

    def options(self, setting: Setting, domain: DomainName, seed: int) -> FinetuneOptions:
        """How a round is trained: the engine's defaults but for what is compared."""
        options = FinetuneOptions(
            trains=self.trains or setting.usual[domain],
            steps=setting.finetune_steps,
            device=setting.device,
            seed=seed,
        )
        if not self.rehearses:
            options = replace(
                options,
                learning_rate=NAIVE_RATE,
                batch_size=NAIVE_BATCH,
                rehearsal=0.0,
                base=0.0,
                replayed=0,
            )
        return options


METHODS = (
    Method("default", "napari-relay's default"),
    Method("naive", "naive fine-tuning, no rehearsal", trains="all", rehearses=False),
    Method("forest", "random forest on frozen features", forest=True),
    Method("queue", "default, the queue's places", places="queue"),
    Method("random", "default, random places", places="random"),
    Method("head", "head and relay tokens only", trains="head"),
    Method("adapters", "adapters too", trains="adapters"),
    Method("all", "everything", trains="all"),
)
"""What is compared, the most telling first."""


@dataclass(frozen=True)
class Run:
    """One method on one image."""

    domain: DomainName
    """Of the image."""
    method: Method
    """What is done."""
    seed: int
    """Of the image, and of all that is drawn."""

    @property
    def key(self) -> str:
        """Its name in the work folder."""
        return f"{self.domain}-{self.method.name}-{self.seed}"


def compared(setting: Setting, domain: DomainName) -> tuple[Method, ...]:
    """The methods that differ: one that does what the default does is left out."""
    usual = METHODS[0].options(setting, domain, 0)
    return tuple(
        method
        for method in METHODS
        if method.trains is None or method.options(setting, domain, 0) != usual
    )


def planned_runs(setting: Setting) -> tuple[Run, ...]:
    """All runs, image by image and method by method, both domains beside each other."""
    most = max(map(len, setting.test_seeds.values()))
    return tuple(
        Run(domain, method, setting.test_seeds[domain][number])
        for number in range(most)
        for method in METHODS
        for domain in DOMAINS
        if number < len(setting.test_seeds[domain]) and method in compared(setting, domain)
    )


def named_run(key: str) -> Run:
    """The run of a key, of whatever seed."""
    domain, name, seed = key.split("-")
    found = next(d for d in DOMAINS if d == domain)
    return Run(found, next(m for m in METHODS if m.name == name), int(seed))

"""One run of a comparison as plain data: what to train, who would be the same run, and the events of doing it.

A job can be pickled: another process or machine can carry it out, and its run is the same there.
"""

import gc
import re
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from labkit.base import machine
from labkit.base.config import TrainConfig
from labkit.base.language import tr
from labkit.base.records import BadInput, Run, RunEnds
from labkit.data.corpus import Corpus
from labkit.models import added
from labkit.models.families import blocks
from labkit.models.loading import load, quiet
from labkit.models.state import moving
from labkit.strategies import Strategy, settings_of
from labkit.strategies.retaining import Retainer
from labkit.training.batches import check
from labkit.training.identity import identity_asked, run_name
from labkit.training.trainer import Trainer


@dataclass(frozen=True)
class Job:
    """One run to do, on a fresh model: strategy, settings (the seed among them), data and the model's name or folder.

    >>> job = Job(HeadOnly(), TrainConfig(epochs=1, seed=3), corpus, "tiny-bert-zh")
    >>> job.file_name()
    'head-s3.json'
    >>> *_, last = job.run()                                 # StepDone, EpochDone, Notice …, then RunEnds
    >>> last.run.identity == job.identity()
    True
    """

    strategy: Strategy
    config: TrainConfig
    corpus: Corpus
    model: str
    retain: Retainer | None = None
    forgetting: bool = False  # whether to measure what the run forgot of its pretraining

    @property
    def name(self) -> str:
        """What tables call the run: the strategy, and what retains the pretrained knowledge."""
        return run_name(self.strategy, self.retain)

    @property
    def title(self) -> str:
        """The run for people: "top-2, seed 0"."""
        return tr(f"{self.name}，种子 {self.config.seed}", f"{self.name}, seed {self.config.seed}")

    def identity(self) -> dict[str, Any]:
        """What makes it this run and no other: two jobs with equal identities give equal runs. Settings that are left open
        are None in it, whatever the strategy makes of them."""
        return identity_asked(self.strategy, self.config, self.corpus, self.model, self.retain)

    def file_name(self) -> str:
        """Such as "top-2-s0.json"; what no file system takes is left out."""
        name = re.sub(r"[^-\w.+=,()]+", "_", self.name)
        return f"{name}-s{self.config.seed}.json"

    def run(self) -> Iterator[Any]:
        """Train, one event at a time, as Trainer does; the last event is RunEnds with the finished run. Leave the loop to stop.

        Where the run fails, that run is a record of why. A model that cannot be loaded, or does not fit the corpus,
        concerns other jobs too: BadInput.
        """
        gc.collect()  # no model of an earlier run is in this one's memory
        model = load(self.model, task=self.corpus.task, seed=self.config.seed)
        check(model, self.corpus, self.config)
        try:
            trainer = Trainer(model, self.corpus, self.strategy, self.config, retain=self.retain)
            yield from trainer.run()
            run = self.finished(trainer)
        except Exception as error:
            why = str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
            run = self.failed(why)
        yield RunEnds(run)

    def finished(self, trainer: Trainer) -> Run:
        """The record of a run that went to its end, with what is measured afterwards."""
        run = trainer.report()
        run = replace(run, identity=self.identity(), saved_bytes=saved_size(trainer.model))
        return with_forgetting(run, trainer.model) if self.forgetting else run

    def failed(self, why: str) -> Run:
        """The record of a run that did not."""
        return bare(
            self.corpus,
            strategy=self.name,
            model=self.model,
            seed=self.config.seed,
            device=self.config.device,
            settings=settings_of(self.strategy),
            config=asdict(self.config),
            identity=self.identity(),
            error=why,
        )


def bare(corpus: Corpus, **known) -> Run:
    """A run on a corpus of which only what is given is known."""
    sizes = {f"n_{split}": len(examples) for split, examples in corpus.splits.items()}
    zeros = dict.fromkeys(("epochs", "seconds", "samples_per_second", "trainable_parameters", "total_parameters"), 0)
    about = {"task": corpus.task.card(), "corpus": corpus.card(), "versions": machine.versions()}
    return Run(**{**sizes, **zeros, **about, "peak_memory_mb": None, **known})


def with_forgetting(run: Run, model) -> Run:
    """What the run forgot of the pretraining; where that cannot be measured, a notice why."""
    from labkit.inspection.forgetting import forgetting_of

    forgetting = forgetting_of(run.model, model)
    notices = (*run.notices, forgetting.reason) if forgetting.change is None else run.notices
    return replace(run, measures={**run.measures, "forgetting": forgetting.change}, notices=notices)


def saved_size(model) -> int:
    """Bytes of weights that must be kept beside the pretrained model: what was added to it and the head, as saved; else
    the tensors that training may change and the head, in float32."""
    if added.carries(model):
        with tempfile.TemporaryDirectory() as folder, quiet():
            added.save_added(model, Path(folder))
            return sum(p.stat().st_size for p in Path(folder).rglob("*.safetensors"))
    head = set(blocks(model)[-1].parameters)
    weights = moving(model) | {n: p for n, p in model.named_parameters() if n in head}
    return 4 * sum(tensor.numel() for tensor in weights.values())

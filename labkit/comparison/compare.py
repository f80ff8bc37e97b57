"""Many runs on the same rows: strategies x seeds, the cheap baselines beside them. Notebook 02 uses it.

Tables (tables.py), verdicts (judging.py) and figures are made from the runs and nothing else.
"""

import gc
import re
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from labkit.base.files import load_run, save_run
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Notice, Run, RunBegins
from labkit.comparison.baselines import BASELINES, bare
from labkit.data.corpus import Corpus
from labkit.models import added
from labkit.models.families import blocks
from labkit.models.loading import load, quiet
from labkit.strategies import Strategy, name_of, settings_of
from labkit.training.engine import Engine
from labkit.training.trainer import TrainConfig, Trainer, check


class Comparison(list):
    """The runs, and the baselines `beside` them; prints and shows as its table."""

    def __init__(self, runs: Sequence[Run] = (), beside: Sequence[Run] = ()):
        super().__init__(runs)
        self.beside = tuple(beside)

    def __str__(self) -> str:
        from labkit.comparison.table import table

        return str(table(self))

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from labkit.comparison.table import table

        return table(self)._repr_html_()


def compare(
    strategies: Sequence[Strategy],
    corpus: Corpus,
    model: str = "tiny-bert-zh",
    seeds: Sequence[int] = (0,),
    config: TrainConfig | Mapping[Strategy, TrainConfig] | None = None,
    *,
    forgetting: bool = False,
    retry: bool = True,
    out=None,
    listen: Callable[[Any], None] | None = None,
) -> Comparison:
    """One run for each strategy and seed, each on a fresh model, over the same batches; TF-IDF and majority beside.

    >>> runs = compare([Full(), HeadOnly(), TopK(2)], reviews(), seeds=(0, 1, 2))
    >>> print(runs); verdicts(runs)

    Learning rate and epochs are each strategy's own where the config leaves them open; a dict gives a strategy another
    config. With `out`, each run is a JSON file there: one that is there already is read instead of repeated, so that an
    interrupted comparison goes on. A run that fails is kept with its error and tried again next time (`retry=False`:
    not again); the others go on. Ctrl-C gives the runs that are finished. With `forgetting`, what each run forgot of its
    pretraining is measured. Raises BadInput for what concerns all runs, and for a file in `out` of another comparison.
    """
    listen = listen or (lambda event: None)
    plan = planned(strategies, seeds, config)
    paths = [Path(out) / file_name(s, c.seed) if out else None for s, c in plan]
    kept = [known(path, s, corpus, model, c, retry) for path, (s, c) in zip(paths, plan, strict=True)]
    if not all(kept):
        refuse_unfit(strategies, load(model, corpus.labels))
    main = Engine(plan[0][1].device, plan[0][1].precision).main  # a device that is not there is said now
    for number, (path, (strategy, chosen)) in enumerate(zip(paths, plan, strict=True)):
        if kept[number]:
            continue
        text = tr(f"{name_of(strategy)}，种子 {chosen.seed}", f"{name_of(strategy)}, seed {chosen.seed}")
        place = tr(f"（{number + 1}/{len(plan)}）", f" ({number + 1} of {len(plan)})")
        listen(RunBegins(text + place, name_of(strategy), chosen.seed, number + 1, len(plan)))
        run = attempt(model, strategy, corpus, chosen, forgetting, listen)
        if run.error:
            listen(Notice(tr(f"{text}，失败：{run.error}", f"{text} failed: {run.error}")))
        if run.stopped == "interrupted":
            return Comparison(filter(None, kept))
        kept[number] = keep(run, path) if main else run
    return Comparison(kept, beside(corpus, out if main else None))


def planned(strategies, seeds, config) -> list[tuple[Strategy, TrainConfig]]:
    """Every run to do, a seed after the other."""
    strategies, seeds = list(strategies), list(seeds)
    names = [name_of(s) for s in strategies]
    for what, given in ((tr("策略", "strategies"), names), (tr("种子", "seeds"), seeds)):
        twice = [x for x in dict.fromkeys(given) if given.count(x) > 1]
        if twice or not given:
            raise BadInput(
                tr(
                    f"{what}：{f'{listing(twice)} 出现了不止一次' if twice else '一个也没有'}。请每个给一次，至少一个。",
                    f"{what}: {f'{listing(twice)} given more than once' if twice else 'none given'}. "
                    "Give each once, and at least one.",
                )
            )
    of = config if isinstance(config, Mapping) else dict.fromkeys(strategies, config)
    return [(s, replace(of.get(s) or TrainConfig(), seed=seed)) for seed in seeds for s in strategies]


def refuse_unfit(strategies, model) -> None:
    """Before the first run: what cannot work on this model concerns the whole comparison."""
    for strategy in strategies:
        strategy.check(model)


def file_name(strategy: Strategy, seed: int) -> str:
    """Such as "top-2-s0.json"; what no file system takes is left out."""
    name = re.sub(r"[^-\w.+=,()]+", "_", name_of(strategy))
    return f"{name}-s{seed}.json"


def attempt(model, strategy: Strategy, corpus: Corpus, config: TrainConfig, forgetting: bool, listen) -> Run:
    """One run on a fresh model; where it fails, a record of why. A model that cannot be loaded concerns all runs."""
    gc.collect()  # no model of an earlier run is in this one's memory
    fresh = load(model, corpus.labels, seed=config.seed)
    check(fresh, corpus)
    own = tuple(name for name in ("lr", "epochs") if getattr(config, name) is None)
    try:
        trainer = Trainer(fresh, corpus, strategy, config)
        run = trainer.fit(listen)
        if run.stopped == "interrupted":
            return run
        run = replace(run, own=own, saved_bytes=saved_size(trainer.model))
        return with_forgetting(run, trainer.model) if forgetting else run
    except Exception as error:
        why = str(error) if isinstance(error, BadInput) else f"{type(error).__name__}: {error}"
        return failed(fresh.source, strategy, corpus, config, why, own)


def with_forgetting(run: Run, model) -> Run:
    """What the run forgot of the pretraining; where that cannot be measured, a notice why."""
    from labkit.inspection.forgetting import forgetting_of

    found = forgetting_of(run.model, model)
    notices = (*run.notices, found.reason) if found.change is None else run.notices
    return replace(run, forgetting=found.change, notices=notices)


def saved_size(model) -> int:
    """Bytes of weights that must be kept beside the pretrained model: what was added to it and the head, as saved; else
    the trained tensors and the head, in float32."""
    if added.carries(model):
        with tempfile.TemporaryDirectory() as folder, quiet():
            added.save_added(model, Path(folder))
            return sum(p.stat().st_size for p in Path(folder).rglob("*.safetensors"))
    head = set(blocks(model)[-1].parameters)
    return 4 * sum(p.numel() for n, p in model.named_parameters() if p.requires_grad or n in head)


def failed(source, strategy: Strategy, corpus: Corpus, config: TrainConfig, why: str, own: tuple) -> Run:
    return bare(
        corpus,
        strategy=name_of(strategy),
        model=str(source),
        seed=config.seed,
        device=config.device,
        settings=settings_of(strategy),
        config=asdict(config),
        error=why,
        own=own,
    )


def keep(run: Run, path: Path | None) -> Run:
    """Write the run file, where runs are kept."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        save_run(run, path)
    return run


def known(path, strategy: Strategy, corpus: Corpus, model: str, config: TrainConfig, retry: bool) -> Run | None:
    """The run in a file, provided that it is the one that would be done; None where there is none, or to try again."""
    if not path or not path.exists():
        return None
    run = load_run(path)
    if run.error and retry:
        return None
    asked = {**run.config, **dict.fromkeys(run.own)}
    same = {
        tr("策略", "strategy"): (run.strategy, run.settings) == (name_of(strategy), settings_of(strategy)),
        tr("数据", "corpus"): run.corpus["fingerprint"] == corpus.fingerprint,
        tr("模型", "model"): run.model == str(model),
        tr("训练设置", "config"): all(asked.get(k) == v for k, v in asdict(config).items()),
    }
    refuse_other(path, [word for word, is_same in same.items() if not is_same])
    return run


def refuse_other(path: Path, differs: list[str]) -> None:
    if differs:
        raise BadInput(
            tr(
                f"{path} 是另一次比较的结果（{listing(differs)}不同）。请换一个 out，或删除这个文件。",
                f"{path} is of another comparison (other {listing(differs)}). Take another out, or delete that file.",
            )
        )


def runs_in(folder) -> Comparison:
    """The comparison whose runs are kept in a folder, finished or not.

    >>> print(runs_in("runs/waimai"))
    """
    runs = sorted((load_run(p) for p in Path(folder).glob("*-s*.json")), key=lambda r: (r.seed, r.strategy))
    if not runs:
        raise BadInput(
            tr(
                f"{folder} 里没有比较的结果。请给 compare(..., out=目录) 用过的目录。",
                f"{folder} holds no runs of a comparison. Give the folder of a compare(..., out=folder).",
            )
        )
    cheap = [r for r in runs if r.strategy in BASELINES]
    return Comparison(
        [r for r in runs if r not in cheap], sorted(cheap, key=lambda r: list(BASELINES).index(r.strategy))
    )


# What stands beside


def beside(corpus: Corpus, out=None) -> list[Run]:
    """The cheap baselines: TF-IDF with logistic regression, where rows are texts, and the majority class."""
    found = []
    for name, make in BASELINES.items():
        if name == "tf-idf" and not hasattr(corpus.train[0], "text"):
            continue
        path = Path(out) / f"{name}-s0.json" if out else None
        run = load_run(path) if path and path.exists() else keep(make(corpus), path)
        refuse_other(path, [tr("数据", "corpus")] * (run.corpus["fingerprint"] != corpus.fingerprint))
        found.append(run)
    return found

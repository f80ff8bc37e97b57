"""The book of a search's trials, kept by Optuna: in memory, in a file, or in a data base that several terminals share.

The only door to optuna. A trial knows its point, whether it is a known default, how long it took and why it failed; one that
nobody works on any more is given back, and asked for again.
"""

import contextlib
import hashlib
import json
import os
import platform
import time
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.comparison.found import Trial
from labkit.comparison.space import Axis, Space
from labkit.strategies import name_of

SAMPLERS = ("tpe", "random")
LEASE = 120  # seconds without a sign of life after which a trial of another machine counts as left
SIGN = 20  # seconds between two signs of life
WARM = 1  # quarters of a run before it can be pruned
ENOUGH = 10  # finished trials for telling what mattered


def optuna() -> Any:
    """The library, or one line on how to get it."""
    try:
        import optuna
    except ImportError:
        raise BadInput(
            tr(
                "搜索需要 optuna，这里没有。请先运行 pip install 'labkit[search]'。",
                "A search needs optuna, which is not here. Run pip install 'labkit[search]' first.",
            )
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class Study:
    """Trials asked for and told of. `alone` says that nobody else can be at work on it."""

    def __init__(self, study, space: Space, sampler: str, seed: int, alone: bool):
        self.study, self.space, self.starts = study, space, space.starts()
        self.sampler, self.seed, self.alone = sampler, seed, alone
        self.asked: dict[int, Any] = {}
        self.signs: dict[int, float] = {}

    # Asking and telling

    def begin(self) -> None:
        """What somebody left in the middle is to be tried again."""
        states = optuna().trial.TrialState
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state is states.RUNNING and trial.number not in self.asked and self.is_left(trial):
                self.give_back(trial.number)

    def ask(self) -> tuple[int, Any, dict[str, Any]]:
        """The next point: a default, one that was given back, or a new one. What is drawn depends on the seed and the
        trials before alone, so that a search that was stopped goes on as if it had not been."""
        frozen = self.frozen()
        seen = [t.user_attrs.get("point") for t in frozen]
        left = [t.user_attrs["point"] for t in self.study.get_trials(deepcopy=False) if "point" in t.user_attrs]
        again = next((point for point in (*self.starts, *left) if point not in seen), None)
        if again:
            self.study.enqueue_trial(again)
        seed = int.from_bytes(hashlib.sha256(f"{self.seed}/{len(frozen)}".encode()).digest()[:4])
        samplers = optuna().samplers
        kind = samplers.TPESampler if self.sampler == "tpe" else samplers.RandomSampler
        self.study.sampler = kind(seed=seed)
        trial = self.study.ask()
        point = self.space.draw(lambda axis: drawn(trial, axis))
        trial.set_user_attr("point", point)
        if not self.alone:
            trial.set_user_attr("owner", [platform.node(), os.getpid()])
        self.asked[trial.number] = trial
        self.alive(trial.number)
        return trial.number, trial, point

    def tell(self, number: int, state: str, value: float | None, seconds: float, why: str) -> None:
        """How a trial ended: "done" with its value, "pruned", or "failed" and why."""
        trial, states = self.asked.pop(number), optuna().trial.TrialState
        trial.set_user_attr("end", {"seconds": seconds, "why": why})
        ends = {"done": states.COMPLETE, "pruned": states.PRUNED, "failed": states.FAIL}
        self.study.tell(number, value, ends[state])

    def give_back(self, number: int) -> None:
        """Nobody works on that trial any more: its point will be asked for again."""
        self.asked.pop(number, None)
        with contextlib.suppress(ValueError):  # somebody else did it
            self.study.tell(number, state=optuna().trial.TrialState.FAIL)

    def alive(self, number: int) -> None:
        """A sign of life of a trial under way."""
        if not self.alone and time.monotonic() - self.signs.get(number, -SIGN) >= SIGN:
            self.signs[number] = time.monotonic()
            self.asked[number].set_user_attr("lease", time.time())

    def is_left(self, trial) -> bool:
        """Whether nobody works on a trial that is under way: its process is gone, or gave no sign of life."""
        import psutil

        node, process = trial.user_attrs.get("owner", ("", -1))
        gone = node == platform.node() and not psutil.pid_exists(process)
        return self.alone or gone or time.time() - trial.user_attrs.get("lease", 0) > LEASE

    # What there is

    def frozen(self) -> list[Any]:
        """The trials that count: begun, and not given back."""
        states = optuna().trial.TrialState
        found = (t for t in self.study.get_trials(deepcopy=False) if t.state is not states.WAITING)
        return [t for t in found if t.state is not states.FAIL or "end" in t.user_attrs]

    def count(self) -> int:
        return len(self.frozen())

    def trials(self) -> list[Trial]:
        return [record(t, self.space, self.starts) for t in self.frozen() if "point" in t.user_attrs]

    def trial(self, number: int) -> Trial:
        return next(t for t in self.trials() if t.number == number + 1)

    def importance(self, names: Sequence[str]) -> dict[str, float]:
        """The share of each of these settings in what decides the score (PED-ANOVA, Watanabe et al. 2023, arXiv
        2304.10255), largest first; empty where there are too few trials to tell."""
        library = optuna()
        done = self.study.get_trials(deepcopy=False, states=(library.trial.TrialState.COMPLETE,))
        names = [name for name in names if len({repr(t.params.get(name)) for t in done}) > 1]
        if len(done) < ENOUGH or len(names) < 2 or len({t.value for t in done}) < 3:
            return {}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return library.importance.get_param_importances(self.study, params=names)


def drawn(trial, axis: Axis) -> Any:
    """Optuna's choice of a value on an axis."""
    if axis.choices:
        return trial.suggest_categorical(axis.name, axis.choices)
    if axis.whole:
        return trial.suggest_int(axis.name, int(axis.low), int(axis.high), log=True)
    return trial.suggest_float(axis.name, axis.low, axis.high, log=True)


def record(trial, space: Space, starts: Sequence[dict]) -> Trial:
    """A trial as Optuna keeps it, as our own record."""
    words = {"COMPLETE": "done", "PRUNED": "pruned", "FAIL": "failed", "RUNNING": "running"}
    point, end = trial.user_attrs["point"], trial.user_attrs.get("end", {})
    strategy, config = space.settings(point)
    return Trial(
        trial.number + 1,
        point,
        name_of(strategy),
        config.lr,
        config.epochs,
        config.batch_size,
        trial.value,
        words[trial.state.name],
        point in starts,
        tuple(sorted(trial.intermediate_values.items())),
        end.get("seconds"),
        end.get("why", ""),
    )


# Opening


def open_study(
    card: dict[str, Any], space: Space, sampler: str, greater: bool, storage: str | None, folder: Path | None
) -> Study:
    """The study of a search that is described by `card`: a new one, or the one that is stored there. BadInput where that is
    of another search, or where it cannot be opened."""
    if sampler not in SAMPLERS:
        raise BadInput(
            tr(
                f"sampler={sampler!r} 不行；可选：{listing(SAMPLERS)}。",
                f"sampler={sampler!r} won't do; choose from: {listing(SAMPLERS)}.",
            )
        )
    library = optuna()
    if storage is None and folder:
        folder.mkdir(parents=True, exist_ok=True)
    where = storage or (folder and f"sqlite:///{(folder / 'search.db').as_posix()}")
    pruner = library.pruners.MedianPruner(n_startup_trials=5, n_warmup_steps=WARM)
    ask = {"direction": "maximize" if greater else "minimize", "pruner": pruner, "load_if_exists": True}
    try:
        kept = storage_of(library, where)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            study = library.create_study(study_name="labkit", storage=kept, **ask)
    except BadInput:
        raise
    except Exception as error:  # of Optuna, SQLAlchemy or a driver that is missing
        raise unusable(where, str(error).strip().splitlines()[0]) from None
    before = study.user_attrs.get("search")
    if before is None:
        study.set_user_attr("search", card)
    elif unequal := [name for name in card if json.loads(json.dumps(card[name])) != before.get(name)]:
        raise BadInput(
            tr(
                f"{where} 里是另一次搜索（{listing(unequal)}不同）。请换一个 out 或 storage，或用同样的设置调用。",
                f"{where} holds another search (other {listing(unequal)}). Take another out or storage, or call it with the same settings.",
            )
        )
    return Study(study, space, sampler, card["seed"], alone=storage is None)


def storage_of(library, where: str | None) -> Any:
    """Optuna's storage for an address; None keeps the trials in memory."""
    if where is None:
        return None
    kind, mark, path = str(where).partition(":///")
    if kind == "journal" and mark and path:
        journal = library.storages.journal  # the lock by links does not work on Windows
        return library.storages.JournalStorage(
            journal.JournalFileBackend(path, lock_obj=journal.JournalFileOpenLock(path))
        )
    if kind == "sqlite" and mark and path:
        if not Path(path).absolute().parent.is_dir():
            raise unusable(where, tr("没有这个目录", "there is no such folder"))
        return library.storages.RDBStorage(where)
    if "://" in str(where) and kind.split(":")[0].split("+")[0] in ("postgresql", "mysql"):
        return library.storages.RDBStorage(where)
    raise unusable(where, tr("不认识这样的地址", "that is no address of a storage"))


def unusable(where, why: str) -> BadInput:
    return BadInput(
        tr(
            f"storage={str(where)!r} 打不开：{why}。可用的有 sqlite:///文件.db、journal:///文件.log（共享目录）、postgresql://…、mysql://…。",
            f"storage={str(where)!r} cannot be opened: {why}. Accepted: sqlite:///FILE.db, journal:///FILE.log (a shared folder), "
            "postgresql://…, mysql://….",
        )
    )

"""The checkpoints of a run: what is written, how it is read back, which runs may go on from it."""

import json
import shutil
from dataclasses import asdict
from pathlib import Path

from labkit.base.files import new_folder, verify, write_text
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.models.state import hash_of, put_back
from labkit.training.identity import differences, identity
from labkit.training.sound import check_moments, check_tensors, refuse_links, state_in, stored, tensors_in


class Checkpoints:
    """The numbered checkpoints of one run, `folder/step-00000120-epoch-0002`: the newest counts, older ones go.

    >>> kept = Checkpoints("out/checkpoint")
    >>> kept.save(120, {"model": {"head.weight": tensor}}, {"seed": 0}, epochs=2)
    >>> tensors, state = kept.load()
    """

    def __init__(self, folder, keep: int = 2):
        self.folder, self.keep = Path(folder), keep

    def all(self) -> list[Path]:
        """Whole checkpoints, oldest first; what a killed process left half-written has another name."""
        return sorted(self.folder.glob("step-*"))

    def save(self, step: int, tensors: dict[str, dict], state: dict, epochs: int = 0) -> Path:
        """Write tensors (one safetensors file a group) and state (JSON) as the checkpoint of this moment.

        The same moment again is the same state, so what is there already stays.
        """
        from safetensors.torch import save_file

        target = self.folder / f"step-{step:08d}-epoch-{epochs:04d}"
        if target.exists():
            return target
        for left in self.folder.glob(".step-*"):
            shutil.rmtree(left, ignore_errors=True)
        with new_folder(target) as fresh:
            for name, group in tensors.items():
                save_file({k: t.detach().contiguous().cpu() for k, t in group.items()}, fresh / f"{name}.safetensors")
            write_text(fresh / "state.json", json.dumps(state, ensure_ascii=False) + "\n")
        for old in self.all()[: -self.keep]:
            shutil.rmtree(old, ignore_errors=True)
        return target

    def load(self) -> tuple[dict[str, dict], dict] | None:
        """Tensors and state of the newest checkpoint, verified; None where there is none."""
        found = self.all()
        if not found:
            return None
        newest = found[-1]
        refuse_links((self.folder, newest, *newest.iterdir()))
        verify(newest)
        tensors = {p.stem: tensors_in(p) for p in newest.glob("*.safetensors")}
        return tensors, state_in(newest / "state.json")


def identity_of(trainer) -> dict:
    """What a checkpoint must share with the run that goes on from it."""
    config = trainer.model.config.to_dict()
    shape = {k: v for k, v in config.items() if k not in ("_name_or_path", "transformers_version")}
    weights = hash_of(repr((shape, sorted(trainer.before.items()))).encode())
    return identity(trainer.strategy, trainer.config, trainer.corpus.fingerprint, weights, trainer.retain)


def pack(trainer) -> tuple[dict[str, dict], dict]:
    """Everything that resuming needs: tensors by group and name, and plain values."""
    tensors, states = trainer.tensors(), trainer.optimizer.state
    moments = {f"{n}|{k}": v for n, p in tensors.items() for k, v in states.get(p, {}).items() if v is not None}
    groups = {"model": tensors, "optimizer": moments, "best": trainer.best_tensors}
    state = {
        "identity": identity_of(trainer),
        "step": trainer.step,
        "history": [asdict(e) for e in trainer.history],
        "trace": [(step, float(loss), lr) for step, loss, lr in trainer.trace],
        "notices": trainer.notices,
        "seconds": trainer.seconds,
        "train_seconds": trainer.train_seconds,
        "pieces": trainer.pieces,
        "stopped": trainer.stopped,
        "loss_sum": float(trainer.loss_sum),
        "scaler": trainer.engine.scaler.state_dict(),
    }
    return {name: group for name, group in groups.items() if group}, state


def go_on(trainer, resume: bool) -> None:
    """With `resume`, stand where the newest checkpoint was written; without, refuse a folder that has one."""
    if trainer.checkpoints is None and resume:
        raise BadInput(
            tr(
                "resume=True 需要 out=：要继续哪个目录里的训练？",
                "resume=True needs out=: which folder's run goes on?",
            )
        )
    if trainer.checkpoints is None or not trainer.checkpoints.all():
        return
    if not resume:
        raise BadInput(
            tr(
                f"{trainer.checkpoints.folder} 里有以前训练的存档。用 resume=True 继续它，或换一个 out。",
                f"{trainer.checkpoints.folder} holds checkpoints of an earlier run. Go on with resume=True, or take another out.",
            )
        )
    unpack(trainer, *trainer.checkpoints.load())


def unpack(trainer, tensors: dict[str, dict], state: dict) -> None:
    """Put a fresh Trainer where the stored one was; refuse a stored one of another run by what differs."""
    refuse_foreign(trainer, state)
    newest = trainer.checkpoints.all()[-1]
    found = stored(newest / "state.json", state, trainer.batches_per_epoch, trainer.config.epochs)
    trainer.history, trainer.trace, trainer.notices = list(found.history), list(found.trace), list(found.notices)
    for name in ("step", "seconds", "train_seconds", "pieces", "stopped", "loss_sum"):
        setattr(trainer, name, getattr(found, name))
    for number in range(1, len(trainer.history) + (not trainer.finished)):
        trainer.strategy.on_epoch(trainer.model, number, trainer.history[:number])  # what it thawed, it thaws again
    trainer.new_optimizer()
    parameters = dict(trainer.model.named_parameters())
    weights, moments, best = (tensors.get(name, {}) for name in ("model", "optimizer", "best"))
    diverged = trainer.stopped == "diverged"
    check_tensors(newest / "model.safetensors", weights, trainer.tensors(), numbers=not diverged)
    check_moments(newest / "optimizer.safetensors", moments, parameters)
    check_tensors(newest / "best.safetensors", best, {n: t for n, t in weights.items() if n in best}, numbers=False)
    put_back(trainer.model, weights)
    for key, value in moments.items():
        name, _, moment = key.rpartition("|")
        trainer.optimizer.state[parameters[name]][moment] = value.to(trainer.device)
    trainer.best_tensors = {n: t.to(trainer.device) for n, t in best.items()}
    trainer.engine.scaler.load_state_dict(found.scaler)


def refuse_foreign(trainer, state: dict) -> None:
    """BadInput where the checkpoint is of another run, naming what differs first."""
    unequal = differences(identity_of(trainer), state.get("identity", {}))
    if unequal:
        raise BadInput(
            tr(
                f"不能从 {trainer.checkpoints.folder} 继续：那次训练的{unequal[0]}不同。请用同样的参数，或换一个 out。",
                f"Cannot resume from {trainer.checkpoints.folder}: that run has another {unequal[0]}. "
                "Use the same arguments, or another out.",
            )
        )

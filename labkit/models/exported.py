"""A network as an ONNX file: it answers as the one that it was made from, and cannot be trained. Written by deploy/export.

The only door to onnxruntime's sessions. Notebook 17 uses it.
"""

from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from labkit.base.files import damaged
from labkit.base.hub import Unreadable, reach
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.models.families import EXPORTED
from labkit.models.state import Answer
from labkit.tasks import Task, task_of

FILE = "model.onnx"


class Exported(torch.nn.Module):
    """A session of ONNX Runtime that is asked like a network: tensors by name in, an answer with tensors by name out.

    It computes on the processor, with as many threads as torch is allowed, wherever its inputs lie. Nothing in it trains.
    """

    def __init__(self, path: Path, threads: int | None = None):
        super().__init__()
        self.path, self.session = path, session(path, threads or torch.get_num_threads())
        self.names = [x.name for x in self.session.get_inputs()]
        self.outputs = [x.name for x in self.session.get_outputs()]
        self.here = torch.nn.Parameter(torch.zeros(0), requires_grad=False)  # so that it has a device

    def forward(self, **inputs) -> Answer:
        like = next(iter(inputs.values()))
        given = {name: inputs.get(name, torch.zeros_like(like)).cpu().numpy() for name in self.names}
        values = self.session.run(self.outputs, given)
        return Answer(zip(self.outputs, map(torch.from_numpy, values), strict=True))

    def _apply(self, fn, recurse: bool = True) -> "Exported":
        return self  # .to("cuda") and .half() change nothing

    def __deepcopy__(self, memo) -> "Exported":
        return self  # there is nothing in it that could change

    def save_pretrained(self, folder) -> None:
        raise BadInput(
            tr(
                f"导出的模型不用再存一遍：请直接复制目录 {self.path.parent}。",
                f"An exported model need not be saved again: copy the folder {self.path.parent}.",
            )
        )


def session(path: Path, threads: int) -> Any:
    """An ONNX Runtime session that keeps to so many threads, and lets them sleep where there is nothing to do."""
    check_installed("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = threads, 3
    options.enable_mem_pattern = False  # shapes differ from batch to batch
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def check_installed(*libraries: str) -> None:
    """BadInput with the line to give where a library of the extra `export` is missing."""
    if missing := [name for name in libraries if find_spec(name) is None]:
        raise BadInput(
            tr(
                f"ONNX 需要 {listing(missing)}，这里没有安装。请运行：pip install 'labkit[export]'",
                f"ONNX needs {listing(missing)}, which is not installed here. Give: pip install 'labkit[export]'",
            )
        )


def read_exported(place: str, source, note: dict, task: Task, **where) -> tuple[Exported, Task]:
    """A folder that `export` wrote; it answers for the task that it was made for, and no other."""
    from transformers import AutoConfig

    check_installed("onnxruntime")
    stored, limit = task_of(note.get("task", {})), note["onnx"].get("limit")
    if limit is not None and (not isinstance(limit, int) or limit < 1):
        raise damaged(Path(place) / "labkit.json", "limit")
    if task != stored:
        raise BadInput(
            tr(
                f"{source} 是为任务 {stored.name}（标签：{listing(stored.labels) or '-'}）导出的，不能改作别用。请不写 task= 和 labels=。",
                f"{source} was exported for the task {stored.name} (labels: {listing(stored.labels) or '-'}) and serves no "
                "other. Leave out task= and labels=.",
            )
        )
    config = reach(AutoConfig, place, **where)
    try:
        model = Exported(Path(place) / FILE)
    except BadInput:
        raise
    except Exception as error:  # ONNX Runtime's own errors have many types
        raise Unreadable(str(error)) from None
    model.processor = stored.modality.load_processor(place, config, **where)
    model.config = config_for(config, limit)
    return model, stored


def config_for(config, limit: int | None) -> SimpleNamespace:
    """What a model's configuration says, for a model that is only asked: its positions are those that were left for inputs."""
    values = {k: v for k, v in config.to_dict().items() if k != "n_positions"}
    return SimpleNamespace(**{**values, "model_type": EXPORTED, "max_position_embeddings": limit})

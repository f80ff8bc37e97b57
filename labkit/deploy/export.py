"""A model becomes an ONNX file in a folder of its own, and is held against the one that it was made from, on real rows.

What was added is folded in: LoRA is merged, bottlenecks and prompts are traced with the rest. Leans on graph, which knows
ONNX. Notebook 17 uses it.
"""

import contextlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from labkit.base.files import new_folder, write_text
from labkit.base.language import listing, tr
from labkit.base.records import BadInput, Example
from labkit.data.corpus import Corpus
from labkit.data.packaged import PACKAGED
from labkit.models import added
from labkit.models.exported import FILE, Exported, check_installed
from labkit.models.loading import fitting, load
from labkit.models.state import asking
from labkit.tasks import Task
from labkit.training.network import one_token

PRECISIONS = ("float", "half", "int8")
ROWS = 24  # that both are asked
CLOSE = 1e-3  # by which numbers may differ that were computed in another order; more is another answer
ENDLESS = 10**9


@dataclass(frozen=True)
class Parity:
    """How far an exported model is from its origin, on rows of several lengths in batches of several sizes."""

    rows: int
    batches: tuple[tuple[int, ...], ...]  # the sizes of the rows of each; where they differ, rows were padded
    largest: float  # difference between any two numbers that the networks put out
    changed: int  # rows that are answered otherwise

    def __str__(self) -> str:
        padded = sum(len(set(sizes)) > 1 for sizes in self.batches)
        lengths = [n for sizes in self.batches for n in sizes]
        return tr(
            f"{self.rows} 行，长 {min(lengths)} 到 {max(lengths)}，{len(self.batches)} 个批（{padded} 个有填充）：最多相差 {self.largest:.1e}，"
            f"{self.changed} 个答案变了",
            f"{self.rows} rows, {min(lengths)} to {max(lengths)} long, in {len(self.batches)} batches ({padded} with padding): "
            f"{self.largest:.1e} apart at most, {self.changed} answers changed",
        )


@dataclass(frozen=True)
class Export:
    """What `export` wrote."""

    folder: Path
    precision: str
    megabytes: float
    parity: Parity

    def __str__(self) -> str:
        return f"{self.folder}: {self.precision}, {self.megabytes:.1f} MB\n{tr('核对', 'held against the original')}: {self.parity}"


def export(model, folder, corpus: Corpus | None = None, *, precision: str = "float", max_length: int = 256) -> Export:
    """Write a model as ONNX, with its tokenizer, labels and limits beside it, into a new folder that `load` reads.

    >>> export(model, "out/onnx", corpus)                   # rows of the corpus are what it is held against
    >>> answers = predict(load("out/onnx"), ["味道好"])
    >>> export(model, "out/int8", corpus, precision="int8")

    `precision` is "float"; "half", which keeps weights as float16 and computes as before; or "int8", which quantizes
    linear maps and embeddings (for processors; faster, and slightly other answers). Batches and lengths may be of any size
    up to what the model takes. Without a corpus, rows of a packaged one stand in where inputs are of the same kind. The
    folder is written whole or not at all. Raises BadInput where a model cannot be exported, or answers otherwise when it is.
    """
    check_installed("onnx", "onnxscript", "onnxruntime")
    check(model, precision)
    folder, plain = Path(folder), folded(model)
    batches = parity_batches(plain, rows_like(plain.task, corpus), fitting(plain, max_length))
    with new_folder(folder) as fresh:
        write(plain, batches, fresh, precision)
        found = Exported(fresh / FILE)
        parity = compared(plain, found, batches)
        if precision == "float" and not parity.largest < CLOSE:
            raise other_answers(parity)
        megabytes = (fresh / FILE).stat().st_size / 1e6
        write_card(plain, fresh, precision, parity)
    return Export(folder, precision, round(megabytes, 2), parity)


def check(model, precision: str) -> None:
    if precision not in PRECISIONS:
        raise BadInput(
            tr(
                f"precision={precision!r} 不行；可选：{listing(PRECISIONS)}。",
                f"precision={precision!r} won't do; choose from: {listing(PRECISIONS)}.",
            )
        )
    if isinstance(model, Exported):
        raise BadInput(
            tr(
                "这个模型已经是导出的 ONNX：请从导出之前的目录再导出。",
                "This model is an exported one already: export again from the folder that it came from.",
            )
        )
    if not model.task.plain:
        raise BadInput(
            tr(
                "带 CRF 的标注模型不能导出：它的答案要用到标签之间的分数，导出的文件里没有。请用 labkit serve 直接服务它，或用 crf=False 训练。",
                "A tagger with a CRF cannot be exported: its answers take scores between tags, which the file would not hold. "
                "Serve the folder itself with labkit serve, or train with crf=False.",
            )
        )
    task = type(model.task)
    if task.go_on is not Task.go_on:
        raise BadInput(
            tr(
                f"任务 {task.name} 的答案是一个词元一个词元写出来的，要反复问网络；导出的文件只答一次。请用 labkit serve 直接服务它。",
                f"Answers of the task {task.name} are written token by token, asking the network again and again; an exported "
                "file answers once. Serve the folder itself with labkit serve.",
            )
        )


def folded(model) -> Any:
    """The model with LoRA merged into its weights; as it is where nothing can be merged."""
    if not added.is_peft(model) or added.prompt_length(model):
        return model
    plain = added.merged(model)
    plain.task, plain.processor, plain.source = model.task, model.processor, model.source
    return plain.eval()


# Rows that both are asked


def rows_like(task: Task, corpus: Corpus | None) -> list:
    """Inputs to compare on: of the corpus, or of a packaged one whose inputs are of the same kind."""
    if corpus is not None:
        return [e.input for e in (*corpus.test, *corpus.valid, *corpus.train)]
    alike = [c for c in (made() for made in PACKAGED.values()) if c.task.modality.card() == task.modality.card()]
    if alike:
        return rows_like(task, max(alike, key=lambda c: c.task.name == task.name))
    raise BadInput(
        tr(
            f"没有自带的数据是这种输入（{task.modality.name}）。请给 corpus：导出的模型要在真实的行上核对。",
            f"No packaged data have inputs of this kind ({task.modality.name}). Give a corpus: what is exported is held against "
            "the original on real rows.",
        )
    )


def parity_batches(model, inputs: Sequence, limit: int) -> list[list[dict]]:
    """Items in batches: the shortest and the longest alone, some of like size, and rows of all sizes padded to one another."""
    spread = sorted(inputs, key=lambda x: model.task.modality.extent(x) or 0)
    chosen = [spread[round(i * (len(spread) - 1) / (ROWS - 1))] for i in range(ROWS)] if len(spread) > ROWS else spread
    items = model.task.encode(model.processor, [Example(x) for x in chosen], limit)
    items = sorted(items, key=model.task.size)
    batches = [
        items[:1],
        items[-1:],
        items[:: max(1, len(items) // 7)],
        items[len(items) // 3 :][:2],
        items[-5:],
        items,
    ]
    return [[{**item, "example": n} if "example" in item else item for n, item in enumerate(b)] for b in batches if b]


def moving_axes(model, batches: Sequence[list[dict]]) -> tuple[dict[str, Any], dict[str, dict[int, str]]]:
    """A batch to trace, and the axes of its tensors that are not the same in every batch, by name: rows and lengths."""
    import torch

    pad, processor = model.task.modality.pad, model.processor
    example = pad(processor, batches[-1])
    if len(batches[-1]) < 2:
        example = pad(processor, [batches[-1][0]] * 2)
    others = [pad(processor, b) for b in batches[:-1]] + [model.task.modality.stub(3, "cpu")]
    example = {name: value for name, value in example.items() if isinstance(value, torch.Tensor)}
    lengths = {}  # axes of one size in the example move together
    moving: dict[str, dict[int, str]] = {name: {} for name in example}
    for name, value in example.items():
        for axis, size in enumerate(value.shape):
            sizes = {o[name].shape[axis] for o in others if name in o}
            if axis == 0:
                moving[name][0] = "rows"
            elif sizes - {size}:
                moving[name][axis] = lengths.setdefault(size, f"length{len(lengths) or ''}")
    return example, moving


# Writing


def write(model, batches: Sequence[list[dict]], folder: Path, precision: str) -> None:
    """The ONNX file of a model, and what turns inputs into tensors for it."""
    from labkit.deploy import graph

    inputs, moving = moving_axes(model, batches)
    whole = folder / (FILE if precision == "float" else "whole.onnx")
    with asked_plainly(model):
        outputs = outputs_of(model, inputs)
        try:
            graph.trace(model, inputs, moving, outputs, whole)
        except (BadInput, MemoryError, ImportError):
            raise
        except Exception as error:  # the exporter's errors have many types
            raise refused(model, error) from None
    if precision != "float":
        {"half": graph.halve, "int8": graph.quantize}[precision](whole, folder / FILE)
        whole.unlink()
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    plain.config.save_pretrained(folder)
    model.processor.save_pretrained(folder)


@contextlib.contextmanager
def asked_plainly(model):
    """On the processor, without a cache of keys and values, behind the last attention for one token where that is enough."""
    from labkit.models.state import device_of

    device, config = device_of(model), model.config
    cache = getattr(config, "use_cache", None)
    try:
        model.to("cpu")
        if cache:
            config.use_cache = False
        with asking(model), one_token(model, model.task):
            yield
    finally:
        model.to(device)
        if cache:
            config.use_cache = cache


def outputs_of(model, inputs: dict[str, Any]) -> list[str]:
    """The names of what a network puts out a row, as tensors."""
    import torch

    rows = len(next(iter(inputs.values())))
    found = model(**inputs)
    return [name for name, value in found.items() if isinstance(value, torch.Tensor) and value.shape[:1] == (rows,)]


def write_card(model, folder: Path, precision: str, parity: Parity) -> None:
    """What is known of an export: task, limits, how far it is from its origin, and what made it."""
    limit = fitting(model, ENDLESS)
    libraries = ("labkit", "torch", "onnx", "onnxscript", "onnxruntime")
    note = {
        "precision": precision,
        "limit": None if limit == ENDLESS else limit,
        "parity": asdict(parity),
        "versions": {name: version(name) for name in libraries},
    }
    card = {"source": model.source, "task": model.task.card(), "onnx": note}
    write_text(folder / "labkit.json", json.dumps(card, ensure_ascii=False, indent=1) + "\n")


# Holding one against the other


def compared(model, other, batches: Sequence[list[dict]]) -> Parity:
    """Both asked the same batches: every number that they put out, and the answers that these make."""
    largest, changed = 0.0, 0
    task = model.task
    with asked_plainly(model), asking(other):
        for items in batches:
            batch = task.collate(model.processor, items)
            one, two = model(**batch.inputs), other(**batch.inputs)
            for name, value in two.items():
                largest = max(largest, (one[name].float() - value.float()).abs().max().item())
        one, two = (task.merge(task.answers(x, batch), items) for x in (one, two))
        changed = sum(task.said(a) != task.said(b) for a, b in zip(one, two, strict=True))
    sizes = tuple(tuple(map(task.size, items)) for items in batches)
    return Parity(len(batches[-1]), sizes, largest, changed)


def other_answers(parity: Parity) -> BadInput:
    return BadInput(
        tr(
            f"导出的模型答得不一样（{parity}），没有写下。请升级 torch 和 onnxruntime 再试。",
            f"The exported model answers otherwise ({parity}); nothing was written. Try newer versions of torch and onnxruntime.",
        )
    )


def refused(model, error: Exception) -> BadInput:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return BadInput(
        tr(
            f"{model.config.model_type} 导不出 ONNX：{reason}。什么都没有写下。请用 labkit serve 直接服务原来的目录。",
            f"{model.config.model_type} cannot be exported to ONNX: {reason}. Nothing was written. Serve its folder as it is with "
            "labkit serve.",
        )
    )


def export_folder(source: str, folder, corpus: Corpus | None, **options) -> Export:
    """The same of a folder that holds a model: what the command does."""
    return export(load(source), folder, corpus, **options)

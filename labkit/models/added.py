"""Models that carry something added: LoRA and prompts by peft, bottlenecks by layers. The only door to peft.

What was added is saved alone, a few percent of the model: peft's in peft's own format, so that plain peft loads it.
Strategies wrap with it, models saves and loads with it. Notebook 03 uses it.
"""

import contextlib
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from labkit.base.files import damaged, read_json
from labkit.base.language import listing, tr
from labkit.base.records import BadInput

OURS = "bottlenecks.safetensors"  # what a model with bottlenecks is saved as


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """peft asks transformers for a name that is deprecated there; no user can do anything about it."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*", category=FutureWarning)
        yield


@contextlib.contextmanager
def peft_at_work() -> Iterator[None]:
    """peft, without what no user can do anything about."""
    ignore_old_torchao()
    logging.getLogger("transformers.configuration_utils").addFilter(of_the_user)  # a second time changes nothing
    with hushed():
        yield


def of_the_user(record: logging.LogRecord) -> bool:
    """Whether a message is worth a user's time: peft 0.20 reads a name in every forward that transformers has deprecated."""
    return "use_return_dict" not in record.getMessage()


def ignore_old_torchao() -> None:
    """Let peft think that a torchao too old for it, such as Colab's, is not there: every LoRA layer asks for it and takes an
    old one for an error, although it only serves weights that torchao has quantized."""
    import peft.import_utils
    import peft.tuners.lora.torchao
    import peft.utils.quantization_utils

    asked = peft.import_utils.is_torchao_available
    if hasattr(asked, "labkit"):
        return

    def available() -> bool:
        try:
            return asked()
        except ImportError:
            return False

    available.labkit = True
    for module in (peft.import_utils, peft.tuners.lora.torchao, peft.utils.quantization_utils):
        if hasattr(module, "is_torchao_available"):  # not every release of peft asks everywhere
            module.is_torchao_available = available


def is_peft(model) -> bool:
    return hasattr(model, "peft_config")


def has_bottlenecks(model) -> bool:
    return getattr(model, "bottlenecks", None) is not None


def carries(model) -> bool:
    """Whether the model has anything added."""
    return is_peft(model) or has_bottlenecks(model)


def prompt_length(model) -> int:
    """How many positions the prompts of a model take; 0 for a model without."""
    return getattr(model.active_peft_config, "num_virtual_tokens", None) or 0 if is_peft(model) else 0


def refuse_second(model) -> None:
    """One addition at a time: two would be saved as one and could not be told apart."""
    if carries(model):
        raise BadInput(
            tr(
                "这个模型已经带有适配器或提示：请先 merge，或用 load() 重新载入原模型。",
                "This model carries an adapter or prompts already: merge them first, or load() the plain model again.",
            )
        )


def add_lora(
    model,
    places: Sequence[str],
    head: Sequence[str],
    *,
    rank: int,
    alpha: float,
    dropout: float,
    transposed: bool,
    tokens: bool,
) -> Any:
    """A peft model with low-rank pairs beside the linear modules at `places`; the modules `head` train whole. Without
    `tokens` peft is told no task: its way to ask a network for a task's answer hands over token numbers."""
    from peft import LoraConfig

    config = LoraConfig(
        task_type=model.task.peft_type if tokens else None,
        r=rank,
        lora_alpha=alpha,
        lora_dropout=dropout,
        target_modules=list(places),
        modules_to_save=list(head) or None,  # a head that is the embeddings has nothing of its own
        fan_in_fan_out=transposed,
    )
    return wrapped(model, config)


def add_prompts(model, head: Sequence[str], *, tokens: int, hidden: int | None) -> Any:
    """A peft model with `tokens` trained keys and values before the text, in every layer.

    With `hidden`, a small network of that width makes them (prefix tuning); without, they train themselves.
    """
    from peft import PrefixTuningConfig

    config = PrefixTuningConfig(
        task_type=model.task.peft_type,
        num_virtual_tokens=tokens,
        prefix_projection=hidden is not None,
        encoder_hidden_size=hidden,
        modules_to_save=list(head) or None,
    )
    return wrapped(model, config)


def wrapped(model, config) -> Any:
    from peft import get_peft_model

    with peft_at_work():
        made = get_peft_model(model, config)
    made.active_peft_config.base_model_name_or_path = model.source
    return made


def merged(model) -> Any:
    """The plain model with LoRA's pairs added into its weights; the given model stays as it was."""
    import copy

    with peft_at_work():
        return copy.deepcopy(model).merge_and_unload()


# On disk


def save_added(model, folder: Path) -> dict:
    """Write what was added, and the head, into a folder; what labkit must note beside it to load it again."""
    note = {"labels": list(model.task.labels)}
    if is_peft(model):
        with peft_at_work():
            model.save_pretrained(folder, save_embedding_layers=False)
        (folder / "README.md").unlink(missing_ok=True)  # a form to fill in, not a card
        return note | {"added": "peft"}
    from safetensors.torch import save_file

    kept = {n: p.detach().contiguous() for n, p in model.named_parameters() if n in model.bottlenecks["names"]}
    save_file(kept, folder / OURS, {"format": "pt"})
    return note | {"added": "bottlenecks", "bottlenecks": {k: v for k, v in model.bottlenecks.items() if k != "names"}}


def noted(folder: Path) -> dict:
    """What labkit noted of a model in this folder, and whether it holds an addition alone (then "added" says which)."""
    note, config = folder / "labkit.json", folder / "adapter_config.json"
    if note.is_file():
        return checked_note(note, read_json(note))
    if config.is_file():  # saved by plain peft
        return checked_note(config, {"added": "peft", "source": read_json(config).get("base_model_name_or_path")})
    return {}


def checked_note(path: Path, note: dict) -> dict:
    """The note, provided that it holds what loading needs; BadInput with the file's name."""
    sizes = note.get("bottlenecks") if note.get("added") == "bottlenecks" else {"places": [], "width": 1, "size": 1}
    sound = {
        "source": "added" not in note or isinstance(note.get("source"), str),
        "added": note.get("added", "peft") in ("peft", "bottlenecks"),
        "labels": is_list_of(str, note.get("labels", [])),
        "task": isinstance(note.get("task", {}), dict),
        "onnx": isinstance(note.get("onnx", {}), dict),
        "slimmed": isinstance(note.get("slimmed", {}), dict),
        "bottlenecks": isinstance(sizes, dict)
        and is_list_of(str, sizes.get("places"))
        and all(isinstance(sizes.get(k), int) and 0 < sizes[k] <= 65536 for k in ("width", "size")),
    }
    if wrong := [name for name, is_sound in sound.items() if not is_sound]:
        raise damaged(path, listing(wrong))
    return note


def is_list_of(kind: type, value) -> bool:
    return isinstance(value, list) and all(isinstance(x, kind) for x in value)


def load_added(model, folder: Path, note: dict) -> Any:
    """The plain model with what a folder adds to it."""
    if note["added"] == "peft":
        from peft import PeftModel

        with peft_at_work():
            made = PeftModel.from_pretrained(model, str(folder))
        made.active_peft_config.base_model_name_or_path = model.source
        return made.eval()
    import torch
    from safetensors.torch import load_file

    from labkit.models.layers import add_bottlenecks

    settings, tensors = note["bottlenecks"], load_file(folder / OURS)
    add_bottlenecks(model, settings["places"], settings["width"], settings["size"])
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        for name, value in tensors.items():
            parameters[name].copy_(value)
    model.bottlenecks = {**settings, "names": sorted(tensors)}
    return model

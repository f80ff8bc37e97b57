"""The contract of every modality: what an input is, and nothing about what is asked of it. Only tasks know modalities.

A modality is one file in this room: a frozen dataclass whose fields are its settings. Naming it makes it known.
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar

from labkit.base.language import tr
from labkit.base.records import BadInput

KNOWN: dict[str, type["Modality"]] = {}  # by name, as cards and command lines have it


@dataclass(frozen=True)
class Modality:
    """What the inputs of a task are.

    An *item* is one encoded input before padding, `{"input_ids": [101, …]}`; its size is counted in tokens, pixels or frames.
    """

    name: ClassVar[str]
    heads: ClassVar[dict[str, str]] = {}  # for each task by name, the transformers class that has a head for it
    suffixes: ClassVar[tuple[str, ...]] = ()  # of files that are inputs of this kind: ".png"
    model: ClassVar[str] = "tiny-bert-zh"  # packaged: what a classification takes where the user names none
    cuts: ClassVar[bool] = (
        True  # whether what is longer than the limit is cut; otherwise the limit is one of tokens that are written
    )
    epochs: ClassVar[float] = 1  # times the epochs that a strategy wants for texts
    cheap: ClassVar[tuple[str, str]] = ("features", "features")  # what `features` are called: as a run's name, in words

    def __init_subclass__(cls, **more):
        super().__init_subclass__(**more)
        KNOWN[cls.name] = cls

    def card(self) -> dict[str, Any]:
        """Name and the settings that are not the usual ones, as plain values; `modality_of(card)` gives it back."""
        usual = {f.name: f.default for f in fields(self)}
        return {"name": self.name, **{k: v for k, v in asdict(self).items() if v != usual[k]}}

    # Where inputs come from

    def read(self, path: Path) -> Any:
        """The input that one file holds, checked, in bounded memory; BadInput naming the file where it holds none."""
        raise NotImplementedError

    def rows_in(self, arrays: Mapping[str, Any], where: str) -> list | None:
        """The inputs that the arrays of an `.npz` file hold, one a row, in the order of its labels; None where they are of
        another kind, BadInput where they are damaged."""
        return None

    def accept(self, value) -> Any:
        """An input as a caller in Python gives it: the input itself, or what it can be made of, such as a file's path."""
        return value

    # What changes from epoch to epoch while training. Settings of it are fields with `compare=False`: a model that was
    # trained with other ones is asked the same.

    @property
    def varies(self) -> bool:
        """Whether `varied` changes anything."""
        return False

    def varied(self, item: dict, rng) -> dict:
        """An item as one epoch of training sees it, drawn with a numpy Generator; the item that was given stays as it is."""
        return item

    def suits(self, labels: Sequence[str]) -> None:
        """BadInput where varying inputs so would change what these labels say of them: a mirrored letter is another."""

    # What a network reads

    def head(self, task: str, config=None) -> str | None:
        """The transformers class that has a head for a task by name, where the network has this configuration."""
        return self.heads.get(task)

    def load_processor(self, place: str, config, **where) -> Any:
        """What turns inputs into tensors, with its own files at `place`. Raises hub.Unreadable where they are missing."""
        raise NotImplementedError

    def configure(self, processor) -> dict[str, Any]:
        """What the network's configuration must know of the processor: options of `from_pretrained`."""
        return {}

    def check(self, inputs: Sequence) -> None:
        """Raise BadInput, in the user's words, unless there are inputs and each is one."""
        raise NotImplementedError

    def encode(self, processor, inputs: Sequence, limit: int) -> list[dict]:
        """Un-padded items, at most `limit` long."""
        raise NotImplementedError

    def size(self, item: dict) -> int:
        """What an item costs: batches of like size are made by it, time and memory are reckoned from it."""
        raise NotImplementedError

    def budget(self, device) -> int:
        """The summed size up to which a batch that is only asked is quickest on a device."""
        raise NotImplementedError

    def pad(self, processor, items: Sequence[dict]) -> dict[str, Any]:
        """Model inputs of a batch, on the CPU."""
        raise NotImplementedError

    def stub(self, n: int, device) -> dict[str, Any]:
        """The smallest inputs of `n` rows: what a model is given where all that its head reads is known already."""
        raise NotImplementedError

    def trial(self, processor, device) -> dict[str, Any]:
        """The inputs of one row, whatever stands in it: what a service asks before anybody does."""
        return self.stub(1, device)

    def key(self, input) -> Any:
        """What two inputs share that count as the same: hashable."""
        raise NotImplementedError

    def content(self, input) -> bytes:
        """The whole input as bytes: equal bytes are equal inputs."""
        return repr(input).encode()

    def near(self, earlier: Sequence, later: Sequence) -> list[tuple[int, int, float]]:
        """For each later input that stands among the earlier ones, the same or nearly so: (earlier, later, likeness)."""
        return []

    def html(self, input) -> str:
        """How an input looks in a notebook."""
        raise NotImplementedError

    def hidden(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """A network's inputs with nothing in them, where they are numbers: what an attribution starts from."""
        return {k: v.new_zeros(v.shape) if v.is_floating_point() else v for k, v in inputs.items()}

    def marked(self, input, scores, step: float) -> str:
        """An input with a map of what each place of it adds to an answer: `scores` of the shape that the network reads, where
        time is counted a `step` of so many seconds each."""
        return self.html(input)

    def mapped(self, input, scores, step: float) -> str:
        """The same map as the address of one image, a data URI: what a page shows that takes no HTML."""
        raise NotImplementedError

    def text(self, input) -> str:
        """An input in one line of words, for messages and terminals."""
        raise NotImplementedError

    def parse(self, word: str) -> Any:
        """An input as a command line names it: the text itself, or the path of a file."""
        return word

    def receive(self, value) -> Any:
        """An input as a request to a service brings it: from a JSON value, or from the bytes of a file where inputs are files.
        Never by the path of a file, as `parse` may take it: a request would read whatever lies on the machine that serves."""
        raise BadInput(
            tr(f"{self.title()}不能放在 JSON 里发送。", f"An input of the kind {self.name} cannot be sent as JSON.")
        )

    def example(self) -> str:
        """A word that stands for an input on a command line: TEXT."""
        return self.name.upper()

    def title(self) -> str:
        """What an input is called in running text."""
        return tr("输入", "input")

    def extent(self, input) -> int | None:
        """How long an input is before it is encoded, in `unit()`; None where all are alike."""
        return None

    def unit(self) -> str:
        """What `extent` counts."""
        return ""

    def features(self, n: int) -> Any:
        """An unfitted scikit-learn transformer from inputs to a matrix: what a cheap baseline learns `n` rows from; None
        where there is none."""
        return None


def file_bytes(value: str | bytes) -> bytes:
    """The bytes of a file that a request brings: as they are, in base64, or as a data URI. Raises ValueError.

    >>> file_bytes("data:text/plain;base64,aGk=")
    b'hi'
    """
    if isinstance(value, bytes):
        return value
    return base64.b64decode(value.partition(",")[2] if value.startswith("data:") else value, validate=True)


def modality_of(card: dict[str, Any]) -> Modality:
    """The modality that a card describes: `modality_of({"name": "text"}) == Text()`."""
    return KNOWN[card["name"]](**{k: v for k, v in card.items() if k != "name"})

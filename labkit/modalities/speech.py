"""Speech: a clip in which something is said. A clip of sound, and beside what hears it a tokenizer for what is written.

A network that writes is given no more of a clip than it has room for, and never a part of one: its text would stay whole.
Notebook 16 teaches it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from labkit.base.hub import Unreadable, reach
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.modalities.adpcm import unpacked
from labkit.modalities.audio import Audio, Listener
from labkit.modalities.sounds import length_words

WINDOW = 1000  # frames that a network hears at once which is not told where a clip ends
ROOM = 8  # frames of silence behind a batch's longest clip: convolutions see the same there for every row, whatever the batch


@dataclass
class Scribe(Listener):
    """What turns clips into a network's inputs, and texts into the tokens that it writes."""

    tokenizer: Any = None
    config: Any = None  # of the network: what it begins with, where it stops, how many frames it makes of a clip

    @property
    def ctc(self) -> bool:
        """Whether each frame of the network answers with a letter or with nothing; else a decoder writes token after token."""
        return not self.config.is_encoder_decoder

    @property
    def room(self) -> int | None:
        """How many frames of 10 ms the network hears; None where there is no end."""
        if self.form.fixed:
            return self.extractor.n_samples // self.hop
        places = getattr(self.config, "max_source_positions", None)
        return places and places * 2**self.config.num_conv_layers

    @property
    def length(self) -> int:
        """How many tokens a decoder writes at most."""
        return getattr(self.config, "max_target_positions", None) or 10**6

    def frames(self, samples: int) -> int:
        """How many answers a network that reads samples gives for so many: each convolution leaves fewer."""
        for kernel, stride in zip(self.config.conv_kernel, self.config.conv_stride, strict=True):
            samples = (samples - kernel) // stride + 1
        return max(0, samples)

    def save_pretrained(self, folder) -> None:
        super().save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


@dataclass(frozen=True)
class Speech(Audio):
    """Clips in which something is said: float32 (samples,), 16,000 a second. Items are as those of a clip of sound.

    >>> Speech().card()
    {'name': 'speech'}
    """

    trim: float = 45.0  # dB: a word may begin and end softly

    name: ClassVar[str] = "speech"
    cuts: ClassVar[bool] = False

    def packed_clips(self, arrays: Mapping[str, Any], rows: Sequence[int]) -> list:
        """Of clips in four bits a sample (`audio`, with their `lengths`) those with these numbers: the others stay packed."""
        lengths = arrays["lengths"]
        ends = ((lengths + 1) // 2).cumsum()
        parts = [arrays["audio"][ends[i] - (lengths[i] + 1) // 2 : ends[i]] for i in rows]
        clips = unpacked(np.concatenate(parts), lengths[list(rows)])
        return [self.clip(x, int(arrays["sample_rate"]), f"[{i}]") for i, x in zip(rows, clips, strict=True)]

    def head(self, task: str, config=None) -> str:
        """A network with a decoder writes; one without answers for each frame (CTC)."""
        return "AutoModelForSpeechSeq2Seq" if getattr(config, "is_encoder_decoder", False) else "AutoModelForCTC"

    def load_processor(self, place: str, config, **where) -> Scribe:
        from transformers import AutoTokenizer

        listener = super().load_processor(place, config, **where)
        tokenizer = reach(AutoTokenizer, place, **where)
        if len(tokenizer) <= len(tokenizer.all_special_ids):
            raise Unreadable(tr("没有分词器文件", "the tokenizer's files are missing"))
        return Scribe(**vars(listener), tokenizer=tokenizer, config=config)

    def configure(self, processor: Scribe) -> dict[str, Any]:
        """Of a network that has no map to letters yet, how many there are and which says nothing."""
        usual = super().configure(processor)
        if not processor.ctc:
            return usual
        return usual | {"vocab_size": len(processor.tokenizer), "pad_token_id": processor.tokenizer.pad_token_id}

    def encode(self, processor: Scribe, inputs: Sequence, limit: int) -> list[dict]:
        """As clips of sound are; BadInput where one is longer than the network hears. `limit` counts tokens, not frames."""
        items = []
        for x in inputs:
            samples = self.prepared(x, processor.rate)
            own = WINDOW * (1 + len(samples) // (WINDOW * processor.hop))
            items.append(processor.hear(samples, processor.room or own))
        if long := [i for i, item in enumerate(items) if item["cut"]]:
            most = length_words(processor.room * 0.01)
            raise BadInput(
                tr(
                    f"{len(items)} 个片段中有 {len(long)} 个比模型能听的（{most}）长，例如第 {long[0] + 1} 个："
                    f"{self.text(inputs[long[0]])}。请先剪短，文字也一起分开。",
                    f"{len(long)} of {len(items)} clips are longer than the model hears ({most}), such as number {long[0] + 1}: "
                    f"{self.text(inputs[long[0]])}. Cut them, and their texts with them.",
                )
            )
        return items

    def pad(self, processor: Scribe, items: Sequence[dict]) -> dict[str, Any]:
        from torch.nn.functional import pad

        inputs = super().pad(processor, items)
        if processor.form.axes == "frames":
            inputs[processor.form.name] = pad(inputs[processor.form.name], (0, 0, 0, ROOM))
            inputs["attention_mask"] = pad(inputs["attention_mask"], (0, ROOM))
        return inputs

    def trial(self, processor: Scribe, device) -> dict[str, Any]:
        """A second of silence, and of a network with a decoder what it begins to write with."""
        import torch

        inputs = super().trial(processor, device)
        if not processor.ctc:
            inputs["decoder_input_ids"] = torch.tensor([[processor.config.decoder_start_token_id]], device=device)
        return inputs

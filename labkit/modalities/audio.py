"""Clips of sound: samples in, what a network hears of them out. The only file that knows that inputs are sounds.

Clips are brought to the model's own rate, silence around them is cut off, and each family is given what it reads: samples
(wav2vec2, HuBERT), log-mel pictures (a ResNet), or log-mel bands (Whisper). Notebook 15 teaches it.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from labkit.base.config import checked_number
from labkit.base.hub import Unreadable, reach
from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.modalities.clip_html import as_uri, clip_html, clip_svg
from labkit.modalities.contract import Modality, file_bytes
from labkit.modalities.sounds import (
    LONGEST,
    SUFFIXES,
    as_clip,
    broken,
    check_length,
    decoded,
    length_words,
    mu_law,
    read_sound,
    resampled,
)
from labkit.modalities.spectra import even, faster, log_mel, masked, moved, noisy, resized, toned, trimmed, warped

SHORTEST = 0.025  # seconds: one frame; what is shorter has no pitch to be heard
FRAME = 0.01  # seconds of a frame, where a model reads samples
VARIED = ("speed", "shift", "warp", "tone", "noise", "mask")  # settings of what changes from epoch to epoch


@dataclass(frozen=True)
class Form:
    """How a family wants its sound."""

    name: str  # of the network's input
    axes: str  # "picture" (rows, 1, bands, frames), "bands" (rows, bands, frames), "frames" (rows, frames, bands), "samples" (rows, samples)
    fixed: bool = False  # every clip as long as the processor's window: nothing tells the network where a clip ends
    window: str = ""  # where its configuration says how many places it has for two frames each


RAW = Form("input_values", "samples")
FORMS = {
    "resnet": Form("pixel_values", "picture", fixed=True),
    "whisper": Form("input_features", "bands", fixed=True, window="max_source_positions"),
    "speech_to_text": Form("input_features", "frames"),
}


@dataclass
class Listener:
    """What turns clips into a network's inputs: transformers' own feature extractor, and the form that a family reads."""

    extractor: Any
    form: Form
    masked: bool = (
        False  # whether the network is told where a clip ends; if not, all clips are made as long as one another
    )
    least: int = 1  # samples without which it hears nothing

    @property
    def rate(self) -> int:
        return self.extractor.sampling_rate

    def save_pretrained(self, folder) -> None:
        self.extractor.save_pretrained(folder)

    def hear(self, samples: np.ndarray, limit: int, lasts: float = 0.0) -> dict:
        """One clip at the network's rate as an item; `cut` where it was too long to be heard to its end. A picture may be drawn
        so wide that every clip `lasts` as many seconds."""
        if lasts and self.form.axes == "picture":
            return self.evened(samples, lasts)
        most = self.extractor.n_samples if self.form.fixed else limit * self.hop
        cut = len(samples) > most
        samples = samples[:most]
        if getattr(self.extractor, "do_normalize", False):
            samples = even(samples)
        long = most if self.form.fixed or not self.masked else self.least
        samples = np.pad(samples, (0, max(0, long - len(samples))))
        if self.form.axes == "samples":
            return {"sound": samples.astype(np.float32), "step": 1 / self.rate, "cut": cut}
        e = self.extractor
        picture = log_mel(samples, e.sampling_rate, window=e.n_fft, hop=e.hop_length, filters=e.mel_filters)
        return {"sound": picture, "step": self.hop / self.rate, "cut": cut}

    def evened(self, samples: np.ndarray, lasts: float) -> dict:
        """The picture of a clip at another tempo, in the window that the network looks at; pitch stays as it is."""
        e, frames = self.extractor, self.extractor.n_samples // self.hop
        heard = even(samples) if getattr(e, "do_normalize", False) else samples
        wide = min(frames, max(1, round(lasts * self.rate / self.hop)))
        hop = max(1, len(heard) // wide)  # so close that each column is of sound of its own
        picture = log_mel(heard, e.sampling_rate, window=e.n_fft, hop=hop, filters=e.mel_filters)
        whole = np.full((len(picture), frames), picture.min(), np.float32)
        whole[:, :wide] = resized(picture, len(picture), wide)
        return {"sound": whole, "step": max(len(samples), 1) / self.rate / wide, "cut": False}

    @property
    def hop(self) -> int:
        """Samples of a frame."""
        return round(FRAME * self.rate) if self.form.axes == "samples" else self.extractor.hop_length


def amount(most: float) -> Any:
    """A setting of how much clips vary while training: a model that was trained with another one is asked the same."""
    return field(default=0.0, compare=False, metadata={"low": 0, "high": most})


@dataclass(frozen=True)
class Audio(Modality):
    """Clips of sound: float32 (samples,), 16,000 of them a second. An item is `{"sound": …}`, samples or a picture of (bands,
    frames) as the model reads it, with the seconds of a `step` across; its size is counted in frames of 10 ms.

    >>> Audio(trim=0.0).card()                                          # silence around a clip stays
    {'name': 'audio', 'trim': 0.0}
    >>> Audio(speed=0.1, shift=0.05, noise=0.1, mask=0.15).varies       # every epoch hears a clip a little differently
    True
    """

    trim: float = 30.0  # silence around a clip is cut off: what is so many dB softer than its loudest; 0: it stays
    lasts: float = (
        0.9  # where clips become pictures of one size, every word is made to last so many seconds; 0: its own
    )
    speed: float = amount(0.5)  # at most this share faster or slower
    shift: float = amount(10)  # at most so many seconds earlier or later
    warp: float = amount(
        0.5
    )  # pictures: frequencies at most this share higher or lower, as from a shorter or longer throat
    tone: float = amount(40)  # pictures: bands at most about so many dB louder or softer, as by another microphone
    noise: float = amount(10)  # with noise of at most this share of the clip's strength
    mask: float = amount(0.9)  # a stretch of time and a band hidden, each of at most this share

    name: ClassVar[str] = "audio"
    cheap: ClassVar[tuple[str, str]] = ("log-mel", "log-mel pictures")
    model: ClassVar[str] = "tiny-commands"
    rate: ClassVar[int] = 16_000  # samples a second of every input: files and arrays of other rates are brought to it
    suffixes: ClassVar[tuple[str, ...]] = SUFFIXES
    heads: ClassVar[dict[str, str]] = {
        "classification": "AutoModelForAudioClassification",
        "multi-label": "AutoModelForAudioClassification",
    }

    def __post_init__(self):
        object.__setattr__(self, "trim", checked_number("trim", self.trim, 0, 120))
        object.__setattr__(self, "lasts", checked_number("lasts", self.lasts, 0, LONGEST))
        for name in VARIED:
            most = type(self).__dataclass_fields__[name].metadata["high"]
            object.__setattr__(self, name, checked_number(name, getattr(self, name), 0, most))

    def head(self, task: str, config=None) -> str | None:
        """A ResNet looks at a clip as at a picture; its head is that of pictures."""
        pictures = FORMS.get(getattr(config, "model_type", ""), RAW).axes == "picture"
        return "AutoModelForImageClassification" if pictures and task in self.heads else self.heads.get(task)

    # Where inputs come from

    def read(self, path: Path) -> np.ndarray:
        """The clip of a sound file, mixed to one channel, at this modality's rate."""
        return self.clip(*read_sound(path), str(path))

    def clip(self, samples: np.ndarray, rate: int, name: str) -> np.ndarray:
        """Samples at any rate as an input; BadInput where there are too few or too many."""
        seconds = len(samples) / max(rate, 1)
        check_length(seconds, 1, rate, name)
        if seconds < SHORTEST:
            raise BadInput(
                tr(
                    f"{name} 只有 {1000 * seconds:.1f} 毫秒；至少要 {1000 * SHORTEST:.0f} 毫秒才听得出音高。请去掉它，或重新录。",
                    f"{name} is {1000 * seconds:.1f} ms long; it takes {1000 * SHORTEST:.0f} ms to hear a pitch. Leave it out, or "
                    "record it again.",
                )
            )
        return resampled(samples, rate, self.rate)

    def rows_in(self, arrays: Mapping[str, Any], where: str) -> list | None:
        """The clips of `audio` (all samples in one row: whole numbers, floats, or bytes of mu-law), cut at `offsets`; their
        rate is `sample_rate`. A clip of no samples is None: its row is dropped and counted."""
        if "audio" not in arrays:
            return None
        for name in ("offsets", "sample_rate"):
            if name not in arrays:
                raise BadInput(
                    tr(
                        f"{where} 有 audio，却没有 {name}。片段要三个数组：audio（所有样本）、offsets（每段的起点和最后的终点）、sample_rate。",
                        f"{where} has audio and no {name}. Clips are three arrays: audio (all samples), offsets (where each begins, "
                        "and the last end), sample_rate.",
                    )
                )
        audio, edges, rate = (
            arrays["audio"],
            np.asarray(arrays["offsets"]),
            int(np.asarray(arrays["sample_rate"]).ravel()[0]),
        )
        whole = edges.ndim == 1 and edges.dtype.kind in "iu" and len(edges) > 1
        if not whole or edges[0] < 0 or edges[-1] > len(audio) or (np.diff(edges.astype(np.int64)) < 0).any():
            raise broken(where, tr("offsets 不是从小到大的样本编号", "offsets are no numbers of samples that rise"))
        if audio.dtype == np.uint8:  # eight bits hold speech by mu-law alone
            audio = mu_law(audio)
        ends = zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)
        return [self.row(audio[a:b], rate, f"{where}[{i}]") for i, (a, b) in enumerate(ends)]

    def row(self, samples: np.ndarray, rate: int, name: str) -> np.ndarray | None:
        return self.clip(as_clip(samples, name), rate, name) if len(samples) else None

    def accept(self, value) -> Any:
        """A clip as somebody has it: samples at this modality's rate, (samples, rate), a file's path, or its bytes."""
        name = tr("片段", "the clip")
        if isinstance(value, (str, Path)):
            return self.read(Path(value))
        if isinstance(value, (bytes, bytearray)):
            return self.clip(*decoded(bytes(value), name), name)
        if isinstance(value, tuple) and len(value) == 2:
            samples, rate = value if np.ndim(value[0]) else value[::-1]  # soundfile and scipy do not agree on the order
            return self.clip(as_clip(samples, name), int(rate), name)
        return self.clip(as_clip(value, name), self.rate, name)

    def check(self, inputs: Sequence) -> None:
        if not len(inputs):
            raise BadInput(tr("需要至少一个片段。", "Give at least one clip."))
        for i, x in enumerate(inputs, start=1):
            if not isinstance(x, np.ndarray) or x.dtype != np.float32 or x.ndim != 1:
                raise BadInput(
                    tr(
                        f"第 {i} 个输入不是片段：{type(x).__name__}。应是一维 float32 样本（每秒 {self.rate} 个），或声音文件的路径。",
                        f"Input {i} is no clip: {type(x).__name__}. Give float32 samples in one row ({self.rate} a second), or the "
                        "path of a sound file.",
                    )
                )
            self.clip(as_clip(x, tr(f"第 {i} 个片段", f"clip {i}")), self.rate, tr(f"第 {i} 个片段", f"clip {i}"))

    def parse(self, word: str) -> np.ndarray:
        return self.read(Path(word))

    def receive(self, value) -> np.ndarray:
        """A sound file: its bytes, or these in base64, as a string or a `data:` address."""
        name = tr("发来的片段", "the clip that was sent")
        if not isinstance(value, (str, bytes)):
            raise BadInput(
                tr(
                    f"输入应是声音文件的 base64（字符串），收到的是 {type(value).__name__}。",
                    f"Send a sound file in base64 (a string); this is {type(value).__name__}.",
                )
            )
        try:
            data = file_bytes(value)
        except ValueError:
            raise BadInput(
                tr(
                    "输入不是 base64：请发送声音文件的内容，不是它的路径。",
                    "The input is no base64: send what is in the sound file, not its path.",
                )
            ) from None
        return self.clip(*decoded(data, name), name)

    # What changes from epoch to epoch

    @property
    def varies(self) -> bool:
        return any(getattr(self, name) for name in VARIED)

    def varied(self, item: dict, rng) -> dict:
        """Another speed, later or earlier, with noise, with parts hidden: each drawn up to its setting."""
        sound = item["sound"]
        if self.speed:
            sound = faster(sound, 1 + self.speed * rng.uniform(-1, 1))
        if self.shift:
            sound = moved(sound, round(self.shift * rng.uniform(-1, 1) / item["step"]))
        if self.warp and sound.ndim == 2:
            sound = warped(sound, 1 + self.warp * rng.uniform(-1, 1))
        if self.tone and sound.ndim == 2:
            sound = toned(sound, self.tone, rng)
        if self.noise:
            sound = noisy(sound, self.noise * rng.uniform(), rng)
        if self.mask:
            sound = masked(sound, self.mask, rng)
        return {**item, "sound": sound}

    # What a network reads

    def load_processor(self, place: str, config, **where) -> Listener:
        from transformers import AutoFeatureExtractor

        extractor = reach(AutoFeatureExtractor, place, **where)
        form = checked_form(extractor, config)
        # norms over all of a clip's samples count its padding in, whatever a mask says of it
        by_mask = extractor.return_attention_mask and getattr(config, "feat_extract_norm", "") != "group"
        return Listener(
            extractor, form, form.axes == "frames" or bool(form.axes == "samples" and by_mask), seen(config)
        )

    def configure(self, processor) -> dict[str, Any]:
        """Families that read samples hide parts of them by themselves, drawn from a state that no seed reaches, and fail on short
        clips: `mask` does it instead."""
        return {"apply_spec_augment": False} if processor.form.axes == "samples" else {}

    def encode(self, processor, inputs: Sequence, limit: int) -> list[dict]:
        """At the processor's rate, without the silence around it, and cut where it is longer than the network hears."""
        return [processor.hear(self.prepared(x, processor.rate), limit, self.lasts) for x in inputs]

    def prepared(self, samples: np.ndarray, rate: int) -> np.ndarray:
        """A clip at another rate, without the silence around it."""
        samples = resampled(samples, self.rate, rate)
        return trimmed(samples, rate, self.trim) if self.trim else samples

    def size(self, item: dict) -> int:
        return max(1, round(item["sound"].shape[-1] * item["step"] / FRAME))

    def budget(self, device) -> int:
        return 2048 if str(device) == "cpu" else 65536

    def pad(self, processor, items: Sequence[dict]) -> dict[str, Any]:
        """The network's input by its own name, float32, and an `attention_mask` where it takes one."""
        import torch

        form, sounds = processor.form, [item["sound"] for item in items]
        longest = max(s.shape[-1] for s in sounds)
        rows = np.zeros((len(sounds), *sounds[0].shape[:-1], longest), np.float32)
        for row, s in zip(rows, sounds, strict=True):
            row[..., : s.shape[-1]] = s
        if form.axes == "picture":
            rows = rows[:, None]
        elif form.axes == "frames":
            rows = rows.swapaxes(1, 2)
        inputs = {form.name: torch.from_numpy(np.ascontiguousarray(rows))}
        if processor.masked:
            lengths = torch.tensor([s.shape[-1] for s in sounds])
            inputs["attention_mask"] = (torch.arange(longest) < lengths[:, None]).long()
        return inputs

    def stub(self, n: int, device) -> dict[str, Any]:
        """Of the one family whose frozen part is kept as a vector a row: pictures."""
        import torch

        return {"pixel_values": torch.zeros((n, 1, 32, 32), device=device)}

    def trial(self, processor, device) -> dict[str, Any]:
        item = processor.hear(np.zeros(self.rate, np.float32), 100)
        return {name: tensor.to(device) for name, tensor in self.pad(processor, [item]).items()}

    # What makes two clips the same, and how they look

    def key(self, input) -> bytes:
        """The same recording at another level or with other silence around it is the same."""
        samples = trimmed(input, self.rate)
        whole = np.round(100 * samples / max(float(np.abs(samples).max()), 1e-9)).astype(np.int8)
        return hashlib.blake2b(whole.tobytes(), digest_size=16).digest()

    def content(self, input) -> bytes:
        return np.ascontiguousarray(input).tobytes()

    def html(self, input) -> str:
        return clip_html(input, self.rate)

    def hidden(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Silence: of a picture, as soft everywhere as it is anywhere."""
        return {k: v * 0 + (0 if v.ndim == 2 else v.min()) if v.is_floating_point() else v for k, v in inputs.items()}

    def marked(self, input, scores, step: float) -> str:
        """What each stretch of time adds, over all bands, below the clip as the network hears it."""
        heard, shown = self.by_time(input, scores, step)
        return clip_html(heard, self.rate, scores=shown)

    def mapped(self, input, scores, step: float) -> str:
        heard, shown = self.by_time(input, scores, step)
        return as_uri(clip_svg(heard, self.rate, shown))

    def by_time(self, input, scores, step: float) -> tuple[np.ndarray, np.ndarray]:
        """The clip as the network hears it, and the scores of its stretches of time."""
        heard = self.prepared(input, self.rate)
        frames = scores.reshape(-1, scores.shape[-1]).sum(0)
        each = max(1, round(FRAME / step))  # samples are too many to be drawn one by one
        frames = np.add.reduceat(frames, np.arange(0, len(frames), each))
        shown = max(1, min(len(frames), round(len(heard) / self.rate / (step * each))))
        return heard, frames[:shown]

    def text(self, input) -> str:
        return tr(f"片段 {length_words(len(input) / self.rate)}", f"clip of {length_words(len(input) / self.rate)}")

    def example(self) -> str:
        return "clip.wav"

    def title(self) -> str:
        return tr("片段", "clip")

    def extent(self, input) -> int:
        return round(1000 * len(input) / self.rate)

    def unit(self) -> str:
        return tr("毫秒", "ms")

    def features(self, n: int) -> Any:
        """The log-mel picture of what is not silence, at one size: (24 bands, 16 stretches of time), around zero."""
        from sklearn.preprocessing import FunctionTransformer

        return FunctionTransformer(self.pictures)

    def pictures(self, inputs: Sequence) -> np.ndarray:
        found = [resized(log_mel(even(trimmed(x, self.rate)), self.rate, bands=24), 24, 16).ravel() for x in inputs]
        return np.stack([f - f.mean() for f in found])


def seen(config) -> int:
    """How many samples the convolutions of a network take for one frame."""
    samples = 1
    for kernel, stride in reversed(
        list(zip(*(getattr(config, f"conv_{x}", ()) for x in ("kernel", "stride")), strict=True))
    ):
        samples = (samples - 1) * stride + kernel
    return samples


def checked_form(extractor, config) -> Form:
    """The form that a family reads; Unreadable where processor and network do not belong together."""
    if not getattr(extractor, "sampling_rate", None):
        raise Unreadable(tr("它的处理器不是听声音的", "its processor is none for sound"))
    form = FORMS.get(config.model_type, RAW)
    if form.axes == "samples":
        return form
    if not hasattr(extractor, "mel_filters") or not hasattr(extractor, "hop_length"):
        raise Unreadable(
            tr(
                f"它的处理器 {type(extractor).__name__} 做的不是 labkit 会做的 log-mel 图；要 WhisperFeatureExtractor",
                f"its processor {type(extractor).__name__} makes no log-mel picture that labkit can make; it takes a "
                "WhisperFeatureExtractor",
            )
        )
    places = 2 * getattr(config, form.window) if form.window else None
    frames = extractor.n_samples // extractor.hop_length
    if places and frames != places:
        raise Unreadable(
            tr(
                f"处理器给 {frames} 帧，网络读 {places} 帧：它们不是一套",
                f"the processor gives {frames} frames and the network reads {places}: they do not belong together",
            )
        )
    return form

"""The Data panel: what a corpus holds, and how much of a batch is padding as its size and bucketing change."""

import functools
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import ClassVar

import ipywidgets as widgets

from labkit.base.config import TrainConfig
from labkit.base.display import called
from labkit.base.language import tr
from labkit.data.batching import batch_order, padding_share
from labkit.data.corpus import Corpus
from labkit.data.describe import balance_html, dropped_text, examples_html
from labkit.data.loading import load_csv
from labkit.data.packaged import PACKAGED
from labkit.models.loading import places_at
from labkit.plots.charts import Bars, Drawing, Histogram
from labkit.tasks import Classification
from labkit.training.batches import check_length
from labkit.ui.controls import FIELDS, config_of, control, named
from labkit.ui.inputs import corpus_of, load_line, model_choice
from labkit.ui.panel import Panel

REVIEWS, OTHER, GIVEN = "reviews", "…", "= corpus"
BATCHES = ("max_length", "batch_size", "bucket")
PATTERNS = ("*.csv", "*.csv.gz", "*.tsv", "*.jsonl", "*.jsonl.gz", "*.conll")


class Data(Panel):
    """A look at a corpus: rows and classes, lengths in tokens, and padding as batches are made in other ways.

    >>> panel = Data(); panel                                # packaged reviews, names …, or any data file near the notebook
    >>> panel = Data("shop.csv", text="comment", label="stars")
    >>> panel = Data(corpus)                                 # one that is at hand
    >>> panel.run_button.click(); panel.wait(); panel.corpus
    """

    title: ClassVar = ("数据", "Data")
    run_label: ClassVar = ("读取", "Load")
    run_icon: ClassVar = "folder-open-o"

    def __init__(
        self,
        corpus: Corpus | str | Path | None = None,
        *,
        text: str = "text",
        label: str = "label",
        model: str | None = None,
    ):
        super().__init__()
        self.given = corpus if isinstance(corpus, Corpus) else None
        self.corpus, self.model, self.tokens = None, None, []
        chosen = GIVEN if self.given else str(corpus or REVIEWS)
        files = sorted(str(p) for pattern in PATTERNS for p in Path().glob(pattern))
        sources = [(self.given.name, GIVEN)] if self.given else []
        sources += [(tr("自带：", "packaged: ") + name, name) for name in PACKAGED]
        sources += [(name, name) for name in dict.fromkeys([*files, chosen]) if name not in (*PACKAGED, GIVEN)]
        sources += [(tr("其他文件…", "another file…"), OTHER)]
        put = self.settings
        put["source"] = named(
            widgets.Dropdown(options=sources, value=chosen, description=tr("来源", "source")), "source"
        )
        for name, value, words_ in (
            ("path", "", tr("路径", "path")),
            ("text", text, tr("文本列", "text column")),
            ("label", label, tr("标签列", "label column")),
        ):
            put[name] = named(widgets.Text(value=value, description=words_, continuous_update=False), name)
        self.usual = (self.given.task if self.given else Classification()).default_model  # where the user names none
        reads = ("模型", "model") if self.given and self.given.task.modality.suffixes else ("分词器", "tokenizer")
        put["model"] = model_choice(model or self.usual, tr(*reads))
        put |= {name: control(name) for name in BATCHES}
        put["source"].observe(self.on_source, names="value")
        self.on_source()
        self.build(*put.values())

    def on_source(self, *_) -> None:
        """Path and columns are asked for only where they matter."""
        source = self.settings["source"].value
        file = source not in (*PACKAGED, GIVEN)
        for name, asked in (("path", source == OTHER), ("text", file), ("label", file)):
            self.settings[name].layout.display = None if asked else "none"
        self.corpus, self.tokens = None, []  # what was read before is another source's
        self.offer_batches()

    def offer_batches(self) -> None:
        """How batches are made matters only where rows differ in length."""
        for name in BATCHES:
            whole = name == "max_length" and self.corpus and not self.corpus.task.modality.cuts
            self.settings[name].layout.display = "none" if whole or self.alike() else None

    def config(self) -> TrainConfig:
        config = config_of(self.settings)
        check_length(config.max_length, places_at(self.settings["model"].value))
        return config

    def place(self) -> tuple[str, dict]:
        """The file that is chosen, and which of its columns."""
        source = self.settings["source"].value
        columns = {name: self.settings[name].value.strip() for name in ("text", "label")}
        told = {name: column for name, column in columns.items() if column != name}
        return (self.settings["path"].value.strip() if source == OTHER else source), told

    def source(self) -> str:
        path, columns = self.place()
        more = "".join(f", {name}={column!r}" for name, column in columns.items())
        corpus = f"corpus = lk.{path}()" if path in PACKAGED else f"corpus = lk.load_csv({path!r}{more})"
        if path == GIVEN:
            corpus = corpus_of(self.given)[1]
        if self.alike():
            return f"import labkit as lk\n{corpus}\ncorpus"
        config = "" if self.config() == TrainConfig() else f", config={called('lk.TrainConfig', self.config())}"
        return (
            f"import labkit as lk\n{corpus}\n{load_line(self.settings['model'].value, self.given or self.corpus)}\n"
            f"trainer = lk.Trainer(model, corpus{config})\n"
            'lk.padding_share(trainer.batches.sizes["train"], trainer.order(0))'
        )

    # In the worker thread

    def work(self) -> Iterator[None]:
        return self.read(*self.place(), self.settings["model"].value)

    def read(self, path: str, columns: dict, model: str) -> Iterator[None]:
        from labkit.models.loading import fitting, load

        self.corpus, self.tokens = None, []
        self.say(tr("读取", "reading"))
        corpus = self.given if path == GIVEN else PACKAGED[path]() if path in PACKAGED else load_csv(path, **columns)
        yield
        self.say(tr("编码", "encoding"))
        network = load(corpus.task.default_model if model == self.usual else model, task=corpus.task)
        self.longest = fitting(network, FIELDS["max_length"].metadata["high"])
        items = corpus.task.encode(network.processor, corpus.train, self.longest)
        self.tokens, self.corpus = [corpus.task.size(item) for item in items], corpus
        self.offer_batches()
        self.phase = ""
        yield

    # What it says

    def subtitle(self) -> str:
        return self.corpus.name if self.corpus else ""

    def summary(self) -> str:
        if not self.corpus:
            return ""
        sizes = ", ".join(f"{len(rows):,}" for rows in self.corpus.splits.values())
        return tr("{}：训练、验证、测试 {} 行", "{}: {} rows to train, validate, test").format(self.corpus.name, sizes)

    def alike(self) -> bool:
        """Whether inputs are all made as large as the model wants them, as pictures are, and need no padding."""
        corpus = self.corpus or (self.given if self.settings["source"].value == GIVEN else None)
        if corpus is None or not corpus.train:
            return False
        modality = corpus.task.modality
        return modality.extent(corpus.train[0].input) is None or bool(modality.suffixes and len(set(self.tokens)) == 1)

    def lengths(self) -> list[int]:
        """Tokens of each training row, cut as the controls say."""
        return [min(n, self.limit()) for n in self.tokens]

    def limit(self) -> int:
        """The longest that is read of a row; all of it where nothing is cut."""
        longest = max(self.tokens)
        return self.settings["max_length"].value if self.corpus.task.modality.cuts else longest

    def padding(self) -> dict[str, float]:
        """Share of padding in an epoch, by the way that batches are made."""
        config, lengths = self.config(), self.lengths()
        order = functools.partial(batch_order, lengths, config.batch_size, seed=config.seed, epoch=0)
        found = {self.way(b): padding_share(lengths, order(bucket=b)) for b in (True, False)}
        full = min(self.limit(), self.longest)
        return found | {tr("都补到 {}", "all to {}").format(full): padding_share(lengths, order(), full)}

    def way(self, bucket: bool) -> str:
        return tr("分桶", "in buckets") if bucket else tr("只打乱", "only shuffled")

    def picture(self) -> str:
        return self.above() + self.below() if self.corpus and self.alike() else super().picture()

    def invitation(self) -> str:
        if self.corpus:
            return self.summary()
        return tr("按“读取”看数据", "Press Load to look at the data")

    def above(self) -> str:
        if self.corpus is None:
            return ""
        table = f'<div class="labkit-scroll">{balance_html(self.corpus)}</div>'
        return f'{table}<div class="labkit-muted">{escape(dropped_text(self.corpus))}</div>'

    def below(self) -> str:
        """Some rows, each as its modality shows it."""
        if not self.corpus or not self.corpus.train:
            return ""
        return f'<div class="labkit-scroll labkit-examples">{examples_html(self.corpus)}</div>'

    def charts(self) -> list[Drawing]:
        if self.corpus is None or self.alike():
            return []
        limit, percent, modality = self.limit(), "{:.1%}".format, self.corpus.task.modality
        cut = tr("{} 的行被截断", "{} of the rows are cut").format(percent(sum(n > limit for n in self.tokens) / len(self.tokens)))  # fmt: skip
        mark, note = ((limit, tr("最大长度", "max length")), cut) if modality.cuts else (None, "")
        sounds = bool(modality.suffixes)
        counted = (
            tr("每行的帧数（10 毫秒）", "frames of a row (10 ms)") if sounds else tr("每行的词元数", "tokens of a row")
        )
        words = counted, tr("占一批的比例", "share of a batch")
        title = tr("一轮里填充所占的比例", "share of padding in an epoch")
        return [
            Histogram(tr("长度", "lengths"), self.tokens, words[0], mark, note),
            Bars(title, self.padding(), percent, words[1], top=1.0, lit=[self.way(self.config().bucket)]),
        ]

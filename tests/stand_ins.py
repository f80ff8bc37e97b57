"""Hand-made stand-ins: tiny models of every family as saved directories, and a small corpus that can be learned.

>>> folder = bert(tmp_path / "bert", num_hidden_layers=2)     # random weights, a real tokenizer, no head
>>> folder = family("gpt2", tmp_path / "gpt2")                # any of FAMILIES
>>> rows = corpus(n=64, classes=3)                            # without files; 64 training rows
"""

import csv
import functools
import gzip
import io
import json
import random
from pathlib import Path

FAMILIES = ("bert", "roberta", "distilbert", "electra", "albert", "macbert", "gpt2")
NEUTRAL = "的一是了我不在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去"
MARKS = ("好棒赞美", "坏差烂糟", "贵慢冷咸", "红绿蓝白", "东南西北")  # what tells the classes apart
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *dict.fromkeys(NEUTRAL + "".join(MARKS) + "，。！？abc012")]


def corpus(n=64, classes=2, seed=0, low=3, high=20):
    """A corpus with `n` training rows, and a quarter as many for validation and for test; 1 to 3 marks of its class in
    each text of `low` to `high` characters. The labels are mark0, mark1 …"""
    from labkit.base.records import Example
    from labkit.data.corpus import Corpus

    rng, seen = random.Random(seed), set()

    def row(label):
        while True:
            text = rng.choices(NEUTRAL, k=rng.randint(low, high))
            for mark in rng.choices(MARKS[label], k=rng.randint(1, 3)):
                text[rng.randrange(len(text))] = mark
            if "".join(text) not in seen:
                seen.add("".join(text))
                return Example("".join(text), label)

    def rows(count):
        return tuple(row(i % classes) for i in range(count))

    few = max(2 * classes, n // 4)
    return Corpus("stand-in", rows(n), rows(few), rows(few), tuple(f"mark{i}" for i in range(classes)))


def rows_of(corpus):
    """(input, name of the class) of every row, as a file holds them."""
    return [(row.input, corpus.labels[row.target]) for split in corpus.splits.values() for row in split]


def write_csv(path, rows, header=("text", "label")):
    """A CSV file of (text, label) rows; compressed where the name ends in .gz."""
    table = io.StringIO(newline="")
    csv.writer(table).writerows([header, *rows])
    data = table.getvalue().encode()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    return path


def bert(folder, seed=0, **config):
    """A saved BERT without a head: 3 layers of width 32, no dropout but what `config` asks for."""
    import torch
    from transformers import BertConfig, BertModel

    small = dict(vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=3)
    small |= dict(num_attention_heads=2, intermediate_size=64)
    rest = dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, max_position_embeddings=64)
    torch.manual_seed(seed)
    model = BertModel(BertConfig(**{**small, **rest, **config}))
    return keep(model, wordpiece(), folder)


def family(kind, folder, seed=0, **config):
    """A saved model of one of FAMILIES, random weights; "macbert" is laid out as the hub's MacBERT: a masked-LM
    checkpoint of type bert with a bare vocab.txt."""
    import torch
    import transformers as t

    torch.manual_seed(seed)
    size = len(VOCABULARY)
    if kind == "bert":
        return bert(folder, seed, **config)
    if kind == "macbert":
        made = bert(folder, seed, **config)
        torch.manual_seed(seed)
        keep(t.BertForMaskedLM(t.BertConfig.from_pretrained(made)), wordpiece(), made)
        (made / "tokenizer.json").unlink()
        (made / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))
        (made / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
        return made
    if kind == "distilbert":
        small = dict(dim=32, n_layers=3, n_heads=2, hidden_dim=64, dropout=0.0, attention_dropout=0.0)
        made = t.DistilBertConfig(vocab_size=size, max_position_embeddings=64, **{**small, **config})
        return keep(t.DistilBertModel(made), wordpiece(), folder)
    if kind == "gpt2":
        tokenizer = byte_pairs(t.GPT2TokenizerFast)
        small = dict(n_embd=32, n_layer=3, n_head=2, n_positions=128, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0)
        ends = dict(bos_token_id=tokenizer.eos_token_id, eos_token_id=tokenizer.eos_token_id)
        return keep(
            t.GPT2Model(t.GPT2Config(vocab_size=len(tokenizer), **ends, **{**small, **config})), tokenizer, folder
        )
    common = dict(hidden_size=32, num_hidden_layers=3, num_attention_heads=2, intermediate_size=64)
    common |= dict(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, max_position_embeddings=64)
    if kind == "electra":
        made = t.ElectraConfig(vocab_size=size, embedding_size=16, **{**common, **config})
        return keep(t.ElectraModel(made), wordpiece(), folder)
    if kind == "albert":
        made = t.AlbertConfig(vocab_size=size, embedding_size=16, pad_token_id=0, **{**common, **config})
        return keep(t.AlbertModel(made), wordpiece(), folder)
    if kind == "roberta":
        tokenizer = byte_pairs(t.RobertaTokenizerFast)
        ids = dict(pad_token_id=tokenizer.pad_token_id, bos_token_id=tokenizer.bos_token_id)
        common |= dict(max_position_embeddings=66, type_vocab_size=1)
        made = t.RobertaConfig(vocab_size=len(tokenizer), **ids, **{**common, **config})
        return keep(t.RobertaModel(made), tokenizer, folder)
    raise ValueError(f"{kind!r}: there are {', '.join(FAMILIES)}")


def fresh_models(root, labels):
    """A function that loads a new model of a family ("bert" if none is named), always with the same weights."""
    import labkit as lk

    @functools.cache
    def place(kind):
        return family(kind, root / kind)

    return lambda kind="bert": lk.load(place(kind), labels)


def keep(model, tokenizer, folder):
    from labkit.models.loading import quiet

    with quiet():
        model.save_pretrained(folder)
        tokenizer.save_pretrained(folder)
    return Path(folder)


def wordpiece():
    """BERT's tokenizer over characters."""
    from transformers import BertTokenizerFast

    return BertTokenizerFast(vocab={word: i for i, word in enumerate(VOCABULARY)})


def byte_pairs(kind):
    """A byte-level BPE tokenizer, as RoBERTa and GPT-2 have it, trained on our characters."""
    from tokenizers import ByteLevelBPETokenizer

    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"] if "Roberta" in kind.__name__ else ["<|endoftext|>"]
    trained = ByteLevelBPETokenizer()
    texts = [NEUTRAL, *MARKS] * 3
    trained.train_from_iterator(texts, vocab_size=400, min_frequency=2, special_tokens=special, show_progress=False)
    state = json.loads(trained.to_str())["model"]
    return kind(vocab=state["vocab"], merges=[tuple(m) for m in state["merges"]])


LETTERS = ["<pad>", "<s>", "</s>", "<unk>", "<en>", "<zh>", " ", *"abcdefghijklmnop"]


def writer(folder, seed=0, **config):
    """A saved Speech2Text of two layers on either side that writes the letters a to p behind <en> or <zh>; random weights."""
    import torch
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import (
        PreTrainedTokenizerFast,
        Speech2TextConfig,
        Speech2TextForConditionalGeneration,
        WhisperFeatureExtractor,
    )

    inner = Tokenizer(models.WordLevel({t: i for i, t in enumerate(LETTERS)}, "<unk>"))
    inner.pre_tokenizer, inner.decoder = pre_tokenizers.Split("", "isolated"), decoders.Fuse()
    special = dict(pad_token="<pad>", bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        **special,
        additional_special_tokens=["<en>", "<zh>"],
        clean_up_tokenization_spaces=False,
    )
    torch.manual_seed(seed)
    sizes = dict(
        d_model=32, encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2
    )
    ends = dict(pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1, vocab_size=len(LETTERS))
    sound = dict(conv_channels=32, input_feat_per_channel=24, max_source_positions=128, max_target_positions=32)
    rest = dict(encoder_layers=2, decoder_layers=2, dropout=0.0, init_std=0.1, scale_embedding=False)
    model = Speech2TextForConditionalGeneration(Speech2TextConfig(**{**sizes, **ends, **sound, **rest, **config}))
    WhisperFeatureExtractor(feature_size=24).save_pretrained(folder)
    return keep(model, tokenizer, folder)


def reader(folder, seed=0, letters="abcdefgh", **config):
    """A saved wav2vec2 with CTC over some letters, random weights: it answers every 20 ms."""
    import torch
    from transformers import Wav2Vec2Config, Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ForCTC

    folder.mkdir(parents=True, exist_ok=True)
    tokens = ["<pad>", "<s>", "</s>", "<unk>", "|", *letters]
    (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}), "utf-8")
    torch.manual_seed(seed)
    sizes = dict(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32, conv_dim=(16,) * 7)
    rest = dict(
        feat_extract_norm="layer", num_conv_pos_embeddings=16, num_conv_pos_embedding_groups=4, vocab_size=len(tokens)
    )
    still = dict.fromkeys(
        ("hidden_dropout", "attention_dropout", "feat_proj_dropout", "layerdrop", "final_dropout"), 0.0
    )
    model = Wav2Vec2ForCTC(Wav2Vec2Config(**{**sizes, **rest, **still, "pad_token_id": 0, **config}))
    Wav2Vec2FeatureExtractor(return_attention_mask=True).save_pretrained(folder)
    return keep(model, Wav2Vec2CTCTokenizer(str(folder / "vocab.json")), folder)


def whisper(folder, seed=0):
    """A saved Whisper with a window of one second; what ends a text also pads it, as in the real ones."""
    import torch
    from transformers import WhisperConfig, WhisperFeatureExtractor, WhisperForConditionalGeneration, WhisperTokenizer

    marks = [
        "<|endoftext|>",
        "<|startoftranscript|>",
        "<|en|>",
        "<|zh|>",
        "<|transcribe|>",
        "<|translate|>",
        "<|notimestamps|>",
    ]
    vocabulary = {t: i for i, t in enumerate([*"abcdefghijklmnop", "Ġ"])}
    tokenizer = WhisperTokenizer(vocab=vocabulary, merges=[], unk_token="<|endoftext|>")
    tokenizer.add_special_tokens({"additional_special_tokens": marks})
    numbers = tokenizer.convert_tokens_to_ids
    torch.manual_seed(seed)
    sizes = dict(
        d_model=32, encoder_ffn_dim=32, decoder_ffn_dim=32, encoder_attention_heads=2, decoder_attention_heads=2
    )
    end = numbers("<|endoftext|>")
    ends = dict(pad_token_id=end, bos_token_id=end, eos_token_id=end, decoder_start_token_id=numbers(marks[1]))
    rest = dict(encoder_layers=1, decoder_layers=2, max_source_positions=50, max_target_positions=32, num_mel_bins=24)
    model = WhisperForConditionalGeneration(WhisperConfig(**sizes, **ends, **rest, vocab_size=len(tokenizer)))
    model.generation_config.suppress_tokens = model.generation_config.begin_suppress_tokens = None
    WhisperFeatureExtractor(feature_size=24, chunk_length=1).save_pretrained(folder)
    return keep(model, tokenizer, folder)


def said(n=24, seed=0, rate=16_000, language="en"):
    """Clips of tones, a letter of the writer's each, and what they say: 0.12 s for each of one to three letters."""
    import numpy as np

    from labkit.base.records import Example

    rng, found = np.random.default_rng(seed), []
    for i in range(n):
        text = "".join("aceg"[k] for k in rng.integers(0, 4, 1 + i % 3))
        times = np.arange(int(0.12 * rate)) / rate
        tones = [np.sin(2 * np.pi * (300 + 350 * "aceg".index(c)) * times) for c in text]
        samples = 0.3 * np.concatenate(tones) + 0.003 * rng.standard_normal(len(text) * len(times))
        found.append(Example(samples.astype(np.float32), text, {"language": language, "speaker": f"s{i % 4}"}))
    return found


def said_corpus(n=24, seed=0):
    """A corpus of such clips."""
    from labkit.data.corpus import Corpus
    from labkit.tasks import Transcription

    parts = [tuple(said(m, seed + i)) for i, m in enumerate((n, 6, 6))]
    return Corpus("tones", *parts, Transcription(language="en"))

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

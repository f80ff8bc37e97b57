"""Pretrain a small Chinese GPT (the architecture of GPT-2, one token a character) from text files, on a laptop or a GPU.

    python tools/make_tiny_gpt.py general.txt.xz reviews.csv.gz --leave-out test.csv --steps 12000 --out models/tiny-gpt

Files, `--leave-out` and resuming are as in make_tiny.py, which lends the loop. The learning rate stays at its peak until the
last fifth of the steps: a run that is to be longer or shorter is started again with other `--steps` before then.
"""

import collections
import hashlib
import unicodedata
from typing import ClassVar

from make_tiny import Pretraining, arguments, carry_out

SPECIAL = ["<pad>", "<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
PAD, BOS, EOS = 0, 1, 2
# A conversation: who speaks, what is said, </s>. Only answers stand between the marks of generation.
TEMPLATE = (
    "{{ bos_token }}{% for m in messages %}{{ '<|' + m['role'] + '|>' }}"
    "{% if m['role'] == 'assistant' %}{% generation %}{{ m['content'] + eos_token }}{% endgeneration %}"
    "{% else %}{{ m['content'] + eos_token }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


def character_tokenizer(texts, min_count):
    """One token a character, whatever the case; characters seen fewer than `min_count` times come as their bytes, so that
    every text comes back from its tokens as it was."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    counts = collections.Counter(c for t in texts for c in unicodedata.normalize("NFC", t))
    ascii_ = ["\n", *map(chr, range(32, 127))]
    kept = sorted((c for c, n in counts.items() if n >= min_count), key=lambda c: (-counts[c], c))
    tokens = [*SPECIAL, *(f"<0x{b:02X}>" for b in range(256)), *dict.fromkeys([*ascii_, *kept])]
    inner = Tokenizer(models.BPE({t: i for i, t in enumerate(tokens)}, [], byte_fallback=True))
    inner.normalizer = normalizers.NFC()
    inner.pre_tokenizer = pre_tokenizers.Split("", "isolated")  # nothing is merged: short pieces are quicker to search
    inner.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    inner.post_processor = processors.TemplateProcessing("<s> $A", "<s> $A <s> $B", [("<s>", BOS)])
    made = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        pad_token="<pad>",
        bos_token="<s>",
        eos_token="</s>",
        additional_special_tokens=SPECIAL[3:],
        model_max_length=512,
        padding_side="right",
        clean_up_tokenization_spaces=False,
    )
    made.chat_template = TEMPLATE
    return made


class CausalPretraining(Pretraining):
    """Every next character of <s> text </s>, and the text's end with them."""

    command = "make_tiny_gpt.py"
    aims: ClassVar[dict] = {}

    def make_tokenizer(self, texts):
        from transformers import AutoTokenizer

        if self.args.start:
            return AutoTokenizer.from_pretrained(self.args.start)
        return character_tokenizer(texts, self.args.min_count)

    def make_model(self):
        from transformers import GPT2Config, GPT2LMHeadModel

        args = self.args
        if args.start:
            return GPT2LMHeadModel.from_pretrained(args.start, dtype="float32")
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=len(self.tokenizer),
                n_embd=args.width,
                n_layer=args.layers,
                n_head=args.width // 32,
                n_positions=512,
                initializer_range=args.init,
                resid_pdrop=0.0,  # tiny models underfit: dropout costs them time and accuracy
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=BOS,
                eos_token_id=EOS,
                pad_token_id=PAD,
            )
        )

    def encode(self, texts):
        """<s> text </s> in pieces of at most 256 tokens, of which only a text's last ends; one text in a hundred is held out."""
        train, held = [], []
        for i in range(0, len(texts), 4096):
            chunk = texts[i : i + 4096]
            for text, ids in zip(chunk, self.tokenizer(chunk, split_special_tokens=True)["input_ids"], strict=True):
                side = held if hashlib.sha1(text.encode()).digest()[0] < 3 else train
                ids = [*ids, EOS]
                side += [ids[j : j + 256] for j in range(0, len(ids), 255) if len(ids[j : j + 256]) >= 3]
        return train, held

    def loss(self, rows, generator, shift=0):
        """Mean cross-entropy in nats per next token; the places of padding do not go through the vocabulary layer."""
        torch = self.torch
        longest = max(map(len, rows))
        ids = torch.tensor([r + [PAD] * (longest - len(r)) for r in rows], device=self.device)
        position = torch.arange(longest, device=self.device)[None] + shift
        asked = ids[:, 1:] != PAD
        with torch.autocast(self.device, torch.bfloat16):  # on a CPU with bf16 instructions half as fast again
            hidden = self.model.transformer(ids, position_ids=position).last_hidden_state
            logits = self.model.lm_head(hidden[:, :-1][asked])
        return torch.nn.functional.cross_entropy(logits.float(), ids[:, 1:][asked])

    def rate(self):
        warm, last = min(1.0, (self.step + 1) / self.args.warmup), self.args.steps / 5
        return self.args.lr * min(warm, (self.args.steps - self.step) / last)

    def shipped(self, model):
        """In half precision: losses change by a ten-thousandth (docs/LOG.md), the file half as large."""
        return model.half()


def main():
    parser = arguments(__doc__)
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--lr", type=float, default=2e-3)
    parser.add_argument("--min-count", type=int, default=8, help="characters rarer than this come as bytes")
    carry_out(CausalPretraining(parser.parse_args()))


if __name__ == "__main__":
    main()

"""A network under the language-model head of its source: what the forgetting meter and replay ask."""

from typing import Any

from labkit.base.hub import reach
from labkit.base.language import listing, tr
from labkit.base.records import BadInput
from labkit.models.families import FAMILIES, base_of, unknown_family
from labkit.models.loading import WEIGHTS, draw, first_answer, locate
from labkit.models.state import Answer
from labkit.tasks.masked_lm import NO_TARGET, tokenizer_of


def load_masked_lm(source) -> Any:
    """The pristine network of a source under its own masked-LM head (GPT-2: next-token head), frozen, in eval mode, with
    its `processor`; `base_model` is the network without the head. Raises NoLanguageHead where the source has none."""
    lm = first_answer(read_lm, locate(str(source)), source)
    return lm.eval().requires_grad_(False)


class NoLanguageHead(BadInput):
    """The source has no language-model head."""


def read_lm(place: str, source, **where) -> Any:
    """Network, language-model head and tokenizer of one place. Raises Unreadable, NoLanguageHead."""
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForMaskedLM

    config = reach(AutoConfig, place, **where)
    if config.model_type not in FAMILIES:
        raise unknown_family(config.model_type)
    causal = FAMILIES[config.model_type].causal
    lm, report = draw(reach, 0, AutoModelForCausalLM if causal else AutoModelForMaskedLM, place, **WEIGHTS, **where)
    lm.processor, lm.causal = tokenizer_of(place, config, **where), causal
    lacking = sorted({*report["missing_keys"], *(key[0] for key in report["mismatched_keys"])})
    if lacking or not (causal or lm.processor.mask_token):
        what = listing(lacking or ["[MASK]"], 3)
        raise NoLanguageHead(
            tr(
                f"{source} 没有语言模型头，遗忘无从测量：缺少 {what}。请用带掩码语言模型头的存档（如 BertForMaskedLM）。",
                f"{source} has no language-model head, so forgetting cannot be measured: it lacks {what}. "
                "Take a checkpoint with a masked-LM head (such as BertForMaskedLM).",
            )
        )
    return lm


def last_hidden(model, inputs: dict) -> Any:
    """Last hidden states (rows, tokens, width) of a model as it is used, adapters and prompts at work."""
    caught = []
    hook = base_of(model)[0].register_forward_hook(lambda module, args, output: caught.append(output[0]))
    try:
        model(**inputs)
    finally:
        hook.remove()
    return caught[0][:, -inputs["input_ids"].shape[1] :]  # without places that prompts take before the text


def head_of(model, lm) -> Any:
    """What stands over the hidden states of `model`: its own language-model head where it has one, which trained with it, else
    that of the pristine `lm`."""
    plain = model.get_base_model() if hasattr(model, "get_base_model") else model
    own = getattr(plain, "get_output_embeddings", lambda: None)()
    return lm if own is None else plain


def head_losses(lm, hidden, target) -> Any:
    """Cross-entropy (guesses,) of the true tokens under the language-model head, from hidden states (rows, tokens, width)."""
    from torch.nn.functional import cross_entropy

    asked, base = target != NO_TARGET, lm.base_model
    states = hidden[asked][None]
    base.forward = lambda *args, **kwargs: Answer(last_hidden_state=states)  # the rest of the network is the head
    try:
        logits = lm(input_ids=target[asked][None]).logits[0]
    finally:
        del base.forward
    return cross_entropy(logits.float(), target[asked], reduction="none")

"""Generation: the loss is on answers alone and teaches to stop, what is written does not depend on its batch, what cannot be
trained on is said before."""

import copy
import json
from collections import Counter

import numpy as np
import pytest
import torch

import labkit as lk
from labkit.base.records import BadInput, Example
from labkit.tasks import Generation, task_of
from labkit.tasks.chat import spelled, stop_tokens
from labkit.tasks.chrf import chrf, chrf_counts
from labkit.tasks.decoding import Sampling, tokens_after

TALK = (("user", "你好"), ("assistant", "您好"), ("user", "好吃吗"), ("assistant", "好吃"))
QWEN = (  # ends a turn with a mark that is not the end of a text, and marks no generation
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + m['content'] + '</s>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)
THINKS = (  # drops what was thought in earlier answers: the prompt changes once an answer is there
    "{% for m in messages %}{{ '<|' + m['role'] + '|>' + ('' if loop.last else '…') + m['content'] + eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}"
)


@pytest.fixture(scope="module")
def model():
    return lk.load("tiny-gpt-zh", task=Generation())


@pytest.fixture(scope="module")
def processor(model):
    return model.processor


@pytest.fixture
def other(processor):
    """The tokenizer with another template, or none."""

    def made(template):
        tokenizer = copy.deepcopy(processor)
        tokenizer.chat_template = template
        return tokenizer

    return made


def rows(n: int = 40) -> list[dict]:
    foods = "面饭鱼肉蛋菜汤饼"
    return [{"prompt": f"{foods[i % 8]}怎么样{i}", "answer": "好吃" if i % 2 else "难吃"} for i in range(n)]


def write(path, lines):
    path.write_text("\n".join(json.dumps(x, ensure_ascii=False) for x in lines), "utf-8")
    return path


def corpus(tmp_path, lines=None):
    return lk.load_csv(write(tmp_path / "chat.jsonl", rows() if lines is None else lines))


def trained(task, processor, example, limit=128):
    """The text that carries the loss of an example."""
    (item,) = task.encode(processor, [example], limit)
    batch = task.collate(processor, [item])
    return processor.decode([t for t in batch.target[0].tolist() if t >= 0])


# What carries the loss


def test_only_answers_and_their_end_carry_loss_in_every_turn(processor):
    found = trained(Generation(), processor, Example(TALK[:3], TALK[3][1]))
    assert found == "您好</s>好吃</s>"


def test_the_loss_is_that_of_plain_transformers_on_the_same_mask(model, processor):
    task, examples = Generation(), [Example(r["prompt"], r["answer"]) for r in rows(6)]
    examples.append(Example(TALK[:3], "好吃"))
    batch = task.collate(processor, task.encode(processor, examples, 128))
    labels = torch.full_like(batch.inputs["input_ids"], -100)
    for row, one in zip(labels, spelled(processor, [turns(e) for e in examples]), strict=True):
        for first, end in one.answers:
            row[first:end] = torch.tensor(one.ids[first:end])
    inputs = {k: v for k, v in batch.inputs.items() if k != "logits_to_keep"}
    with torch.no_grad():
        theirs = model(**inputs, labels=labels).loss.item()
        ours = task.losses(model(**batch.inputs), batch).sum().item() / batch.units
    assert ours == pytest.approx(theirs, rel=1e-5)


def turns(example):
    asked = example.input if isinstance(example.input, tuple) else (("user", example.input),)
    return (*asked, ("assistant", example.target))


def test_where_padding_and_end_are_one_token_the_end_is_learned_all_the_same(other):
    tokenizer = other(None)
    tokenizer.pad_token = tokenizer.eos_token
    task = Generation()
    items = task.encode(tokenizer, [Example("面", "好"), Example("这碗面怎么样", "很好吃")], 64)
    target = task.collate(tokenizer, items).target
    assert ((target == tokenizer.eos_token_id).sum(1) == 1).all()
    assert [(row >= 0).sum().item() for row in target] == [2, 4]


def test_a_template_without_marks_is_cut_where_it_asks_for_the_answer(other):
    assert trained(Generation(), other(QWEN), Example(TALK[:3], "好吃")) == "您好</s>好吃</s>"
    assert stop_tokens(other(QWEN)) == {other(QWEN).eos_token_id}


def test_a_template_that_writes_earlier_turns_anew_is_refused(other):
    with pytest.raises(BadInput, match="cannot be told apart"):
        Generation().encode(other(THINKS), [Example(TALK[:3], "好吃")], 64)


def test_there_are_never_two_first_tokens(processor, other):
    for tokenizer in (processor, other(None), other(QWEN)):
        ids = Generation().encode(tokenizer, [Example("你好", "您好")], 64)[0]["input_ids"]
        assert ids.count(tokenizer.bos_token_id) == (tokenizer.chat_template != QWEN)


def test_without_a_template_a_prompt_and_an_answer_stand_on_a_line_each(other):
    tokenizer = other(None)
    (item,) = Generation().encode(tokenizer, [Example("你好", "您好")], 64)
    assert tokenizer.decode(item["input_ids"]) == "<s>你好\n您好</s>"
    with pytest.raises(BadInput, match="no chat template"):
        Generation().encode(tokenizer, [Example(TALK[:3], "好吃")], 64)


def test_rows_whose_answers_would_be_cut_are_counted_before_training(tmp_path, processor):
    long = [*rows(), *({"prompt": "面" * 300 + str(i), "answer": "好吃"} for i in range(3))]
    found = corpus(tmp_path, long)
    with pytest.raises(BadInput, match=r"[123] of \d+ rows are longer than 256 tokens.*max_length=30"):
        lk.Trainer(lk.load("tiny-gpt-zh", task=found.task), found)


def test_what_marks_a_speaker_is_refused_inside_a_text(processor):
    with pytest.raises(BadInput, match="<|assistant|>".replace("|", r"\|")):
        Generation().encode(processor, [Example("你好<|assistant|>好吃", "x")], 64)


# Files


def test_rows_of_prompts_and_conversations_are_read_from_json_lines_and_csv(tmp_path):
    messages = [
        [
            {"role": "system", "content": "简短"},
            {"role": "user", "content": f"你好{i}"},
            {"role": "assistant", "content": "您好"},
        ]
        for i in range(20)
    ]
    found = corpus(tmp_path, [{"messages": m} for m in messages])
    assert found.task == Generation()
    assert found.train[0].target == "您好" and [role for role, _ in found.train[0].input] == ["system", "user"]
    path = tmp_path / "chat.csv"
    cells = ['"' + json.dumps(m, ensure_ascii=False).replace('"', '""') + '"' for m in messages]
    path.write_text("messages\n" + "\n".join(cells), "utf-8")
    assert lk.load_csv(path).fingerprint == found.fingerprint


def test_a_prompt_may_have_several_answers_and_the_same_row_counts_once(tmp_path):
    lines = [*rows(), {"prompt": "面怎么样0", "answer": "还行"}, rows()[3]]
    found = corpus(tmp_path, lines)
    assert sum(map(len, found.splits.values())) == 41
    assert {d.reason: d.count for d in found.dropped} == {"duplicate": 1}


BAD = {
    "roles": ({"messages": [{"role": "assistant", "content": "x"}, {"role": "user", "content": "y"}]}, "wrong order"),
    "no answer": ({"messages": [{"role": "user", "content": "y"}]}, "wrong order"),
    "unknown role": ({"messages": [{"role": "bot", "content": "y"}]}, "wrong order"),
    "no messages": ({"messages": ["y"]}, "no conversation"),
    "empty": ({"messages": [{"role": "user", "content": "y"}, {"role": "assistant", "content": " "}]}, "is empty"),
    "mixed": ({"prompt": "a", "answer": "b"}, "two formats"),
}


@pytest.mark.parametrize("row, said", BAD.values(), ids=BAD)
def test_a_bad_conversation_is_told_with_file_and_line(tmp_path, row, said):
    good = {"messages": [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "您好"}]}
    with pytest.raises(BadInput, match=rf"chat\.jsonl, line [12]: .*{said}"):
        lk.load_csv(
            write(tmp_path / "chat.jsonl", [good, row, good]), task="generation", columns={"messages": "messages"}
        )


def test_an_empty_answer_is_told_with_file_and_line(tmp_path):
    with pytest.raises(BadInput, match=r"chat\.jsonl, line 3: 'answer' is empty"):
        corpus(tmp_path, [*rows(2), {"prompt": "a", "answer": " "}])


# Writing


def test_what_is_written_does_not_depend_on_the_batch(model):
    prompts = ["面", "这家店的菜怎么样，说一说", "好", "送了两个小时才到，汤都洒了，还能不能好好做生意"]
    together = lk.generate(model, prompts, max_new_tokens=12)
    assert together == [lk.generate(model, prompt, max_new_tokens=12) for prompt in prompts]
    assert len(set(together)) > 1


def test_the_cache_changes_nothing(model, processor):
    ids = processor("这家店的菜")["input_ids"]
    steps = [row[0] for row in tokens_after(model, [ids], Sampling().chooser(), set(), 10)]
    slow = list(ids)
    with torch.no_grad():
        for _ in range(10):
            slow.append(model(input_ids=torch.tensor([slow])).logits[0, -1].argmax().item())
    assert steps == slow[len(ids) :]


def test_pieces_of_a_stream_are_the_text_and_no_character_comes_in_halves(model, monkeypatch):
    prompt = "今天天气怎么样"
    assert "".join(lk.generate(model, prompt, stream=True, max_new_tokens=20)) == lk.generate(
        model, prompt, max_new_tokens=20
    )
    ids = iter(model.processor("𠮷好")["input_ids"][1:])
    monkeypatch.setattr("labkit.models.generating.tokens_after", lambda *a: ([i] for i in ids))
    assert [p for p in lk.generate(model, prompt, stream=True) if p] == ["𠮷", "好"]


def test_between_two_pieces_gradients_and_modes_are_as_they_were(model):
    pieces = lk.generate(model.train(), "你好", stream=True, max_new_tokens=3)
    next(pieces)
    assert model.training and torch.is_grad_enabled() and not torch.is_inference_mode_enabled()
    model.eval()


def test_drawn_tokens_are_those_of_the_seed_and_of_the_chosen_few(model):
    prompt = {"prompt": "我觉得", "plain": True, "max_new_tokens": 20, "temperature": 1.0}
    draws = [lk.generate(model, **prompt, seed=s) for s in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert lk.generate(model, **prompt, top_k=1) == lk.generate(model, "我觉得", plain=True, max_new_tokens=20)
    logits = torch.tensor([[3.0, 1.0, 2.0, 0.0]])
    shares = logits.softmax(-1)[0]
    assert Sampling(1.0, top_k=2).shares(logits)[0].nonzero()[:, 0].tolist() == [0, 2]
    assert Sampling(1.0, top_p=0.6).shares(logits)[0].nonzero()[:, 0].tolist() == [0]
    assert Sampling(1.0, top_p=0.7).shares(logits)[0].nonzero()[:, 0].tolist() == [0, 2]
    assert torch.allclose(Sampling(1.0).shares(logits)[0], shares)
    cold = Sampling(0.5).shares(logits)[0]
    assert torch.allclose(cold, (2 * logits).softmax(-1)[0])


@pytest.mark.parametrize(
    "given, said",
    [
        ({"top_k": 5}, "temperature"),
        ({"temperature": -1}, "temperature"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"prompt": "面" * 600}, "no room"),
        ({"prompt": ""}, "empty"),
        ({"prompt": [{"role": "assistant", "content": "x"}]}, "wrong order"),
        ({"prompt": ["a", "b"], "stream": True}, "stream"),
    ],
)
def test_what_cannot_be_written_is_told(model, given, said):
    with pytest.raises(BadInput, match=said):
        lk.generate(model, **{"prompt": "你好", **given})


def test_a_model_that_reads_both_ways_does_not_write():
    with pytest.raises(BadInput, match="does not write"):
        lk.generate(lk.load("tiny-bert-zh", labels=("a", "b")), "你好")


# Scores


def slow_chrf(said: str, truth: str) -> float:
    """chrF of one pair of texts, as its definition reads."""
    said, truth = said.replace(" ", ""), truth.replace(" ", "")
    precision, recall = [], []
    for n in range(1, 7):
        a = [said[i : i + n] for i in range(len(said) - n + 1)]
        b = [truth[i : i + n] for i in range(len(truth) - n + 1)]
        if a and b:
            both = sum(min(count, Counter(b)[gram]) for gram, count in Counter(a).items())
            precision.append(both / len(a))
            recall.append(both / len(b))
    p, r = (sum(x) / len(x) if x else 0.0 for x in (precision, recall))
    return 5 * p * r / (4 * p + r) if p + r else 0.0


@pytest.mark.parametrize("said", ["情感：正面", "情感：负面", "正面", "很 好 吃", "", "好好好好"])
def test_chrf_is_what_its_definition_says(said):
    for truth in ("情感：正面", "好吃", "很好吃，下次再来"):
        assert float(chrf(np.array(chrf_counts(said, truth)))) == pytest.approx(slow_chrf(said, truth))


def test_scores_count_rows_that_were_answered_and_perplexity_counts_tokens():
    task = Generation()
    said = [["好吃", 2.0, 2], ["难吃 ", 4.0, 2], [None, 6.0, 2], ["好", 0.0, 2]]
    scores = task.score(said, ["好吃", "难吃", "好吃", "好吃"], 1.5)
    assert scores.exact_match == pytest.approx(2 / 3)
    assert (scores.low, scores.high) == pytest.approx(lk.wilson(2, 3))
    assert scores.perplexity == pytest.approx(np.exp(12 / 8))
    assert 0.5 < scores.chrf < 1


def test_of_many_rows_some_are_answered_in_writing_and_all_have_a_loss(processor, monkeypatch):
    monkeypatch.setattr("labkit.tasks.generation.WRITTEN", 10)
    task = Generation()
    items = task.encode(processor, [Example(r["prompt"], r["answer"]) for r in rows(25)], 64)
    assert [i for i, item in enumerate(items) if item["asked"]] == [*range(0, 25, 3)]
    assert all(item["answers"] for item in items)


# Runs

CONFIG = lk.TrainConfig(epochs=2, lr=2e-3)


def test_it_learns_to_answer_and_to_stop_and_plain_transformers_says_the_same(tmp_path):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    found = corpus(tmp_path, rows(120))
    run = lk.train_into(tmp_path / "out", found, lk.Full(), lk.TrainConfig(epochs=6, lr=2e-3), model="tiny-gpt-zh")
    assert run.test_perplexity < 1.6
    model = lk.load(tmp_path / "out")
    assert model.task == found.task == task_of(run.task)
    answers = lk.predict(model, [e.input for e in found.test])
    assert {a.text for a in answers} <= {"好吃", "难吃"}
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path / "out").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "out")
    for answer in answers[:4]:
        messages = [{"role": "user", "content": answer.input}]
        ids = tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_tensors="pt")
        out = theirs.generate(**ids, max_new_tokens=20, do_sample=False)
        assert tokenizer.decode(out[0, ids["input_ids"].shape[1] :], skip_special_tokens=True) == answer.text


WAYS = [lk.LoRA(), lk.TopK(2), lk.PrefixTuning(), lk.PTuningV2(), lk.Adapter(), lk.BitFit(), lk.GradualUnfreeze()]


@pytest.mark.parametrize("strategy", WAYS, ids=lambda s: s.name)
def test_every_strategy_that_has_something_to_train_saves_what_it_says(tmp_path, strategy):
    found = corpus(tmp_path, rows(24))
    run = lk.train_into(tmp_path / "out", found, strategy, CONFIG, model="tiny-gpt-zh")
    losses = [e.train_loss for e in run.history]
    assert losses[1] < losses[0] and not run.notices
    again = lk.evaluate(lk.load(tmp_path / "out"), found.test)
    assert again.metrics == run.test.metrics and again.loss == pytest.approx(run.test.loss, rel=1e-5)


def test_what_is_frozen_is_kept_without_touching_what_is_written(tmp_path):
    found, scores = corpus(tmp_path), {}
    for cache in ("memory", "off"):
        model = lk.load("tiny-gpt-zh", task=found.task)
        run = lk.Trainer(model, found, lk.TopK(1), lk.TrainConfig(epochs=2, cache=cache)).fit()
        scores[cache] = run.answers
    assert [a[0] for a in scores["memory"]] == [a[0] for a in scores["off"]]


def test_a_head_that_is_the_embeddings_has_nothing_of_its_own_to_train(tmp_path):
    found = corpus(tmp_path)
    with pytest.raises(BadInput, match="tied weights"):
        lk.Trainer(lk.load("tiny-gpt-zh", task=found.task), found, lk.HeadOnly())


def test_runs_compare_beside_the_nearest_prompt_and_the_commonest_answer(tmp_path):
    found = corpus(tmp_path, rows(60))
    runs = lk.compare([lk.Full(), lk.LoRA()], found, "tiny-gpt-zh", seeds=(0,), config=CONFIG)
    assert {r.strategy for r in runs.beside} == {"tf-idf", "majority"}
    assert "exact match" in str(runs)
    assert lk.verdict(runs, "full", "majority").rows == len(found.test)
    assert lk.verdict(runs, "full", "lora", measure="perplexity").word in ("better", "worse", "noise")


def test_the_packaged_instructions_keep_wordings_for_test_rows_alone():
    seen, unseen = lk.instructions(), lk.instructions(unseen=True)
    known = {(e.extra["question"], e.extra["wording"]) for e in seen.train}
    assert {(e.extra["question"], e.extra["wording"]) for e in seen.test} <= known
    assert not {(e.extra["question"], e.extra["wording"]) for e in unseen.test} & known
    assert [e.target for e in seen.test] == [e.target for e in unseen.test] and seen.train == unseen.train


# GPT as a classifier

LABELS = ("negative", "positive")


@pytest.fixture(scope="module")
def classifier():
    return lk.load("tiny-gpt-zh", labels=LABELS)


TEXTS = ["好", "味道不错，就是送得慢了一点，下次还来", "难吃", "好吃<pad>", "不好<pad><pad>"]


def test_a_batch_of_unequal_lengths_answers_as_one_by_one(classifier):
    together = [p.probability for p in lk.predict(classifier, TEXTS)]
    assert together == pytest.approx([lk.predict(classifier, t)[0].probability for t in TEXTS], abs=1e-6)


def test_a_tokenizer_that_pads_left_or_has_no_padding_answers_the_same(tmp_path, classifier):
    ours = [p.probability for p in lk.predict(classifier, TEXTS[:3])]
    for change in ({"padding_side": "left"}, {"pad_token": None}):
        place = tmp_path / next(iter(change))
        lk.save(classifier, place)
        tokenizer = json.loads((place / "tokenizer_config.json").read_text("utf-8"))
        (place / "tokenizer_config.json").write_text(json.dumps(tokenizer | change), "utf-8")
        model = lk.load(place)
        assert model.processor.padding_side == "right" and model.processor.pad_token
        assert [p.probability for p in lk.predict(model, TEXTS[:3])] == pytest.approx(ours, abs=1e-6)


def test_a_text_that_ends_like_padding_is_read_to_its_end(classifier):
    plain, ended = lk.predict(classifier, ["好吃", "好吃<pad>"])
    assert plain.probability != pytest.approx(ended.probability, abs=1e-6)


def test_a_saved_classifier_answers_the_same_in_plain_transformers(tmp_path, classifier):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    lk.save(classifier, tmp_path / "m")
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path / "m").eval()
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "m")
    with torch.no_grad():
        logits = model(**tokenizer(TEXTS[:3], padding=True, return_tensors="pt")).logits
    ours = [list(p.probabilities.values()) for p in lk.predict(classifier, TEXTS[:3])]
    assert logits.softmax(-1).tolist() == [pytest.approx(row, abs=1e-5) for row in ours]


def test_what_it_forgets_is_measured_under_its_own_head(tmp_path):
    found = corpus(tmp_path)
    model = lk.load("tiny-gpt-zh", task=found.task)
    assert lk.forgetting_of("tiny-gpt-zh", model).change == 0
    plain = lk.masked_lm_loss("tiny-gpt-zh", ["今天天气很好", "味道不错"])
    ids = model.processor(["今天天气很好", "味道不错"])["input_ids"]
    with torch.no_grad():
        losses = [model(torch.tensor([row]), labels=torch.tensor([row])).loss.item() for row in ids]
    lengths = [len(row) - 1 for row in ids]
    assert plain == pytest.approx(np.average(losses, weights=lengths), rel=1e-5)
    for strategy in (lk.Full(), lk.LoRA(), lk.PTuningV2()):
        trainer = lk.Trainer(
            lk.load("tiny-gpt-zh", task=found.task), found, strategy, CONFIG, retain=lk.Replay(every=1)
        )
        trainer.fit()
        with torch.no_grad():
            outputs = trainer.model(torch.tensor([ids[0]]), attention_mask=torch.ones(1, len(ids[0]), dtype=torch.long))
        direct = torch.nn.functional.cross_entropy(outputs.logits[0, :-1], torch.tensor(ids[0][1:])).item()
        assert lk.masked_lm_loss(trainer.model, ["今天天气很好"]) == pytest.approx(direct, rel=1e-4)

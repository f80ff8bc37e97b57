"""Forgetting: measured as plain transformers would, exactly nothing where nothing moved, and repaired by what says so."""

import copy
import random

import pytest
import torch
from stand_ins import MARKS, NEUTRAL, corpus, family
from torch.nn.functional import cross_entropy

import labkit
from labkit import plots
from labkit.base.files import ASSETS
from labkit.base.records import BadInput, Measure, Run, Scores, StepDone
from labkit.inspection.forgetting import forgetting_of, masked_lm_loss, token_losses
from labkit.models.families import blocks
from labkit.models.language_head import NoLanguageHead, last_hidden, load_masked_lm
from labkit.models.loading import load
from labkit.strategies import Adapter, HeadOnly, LoRA, PrefixTuning, PTuningV2
from labkit.strategies.retaining import L2SP, Replay, retainer_name
from labkit.tasks.masked_lm import NO_TARGET, encode, general_text, guesses
from labkit.training.trainer import TrainConfig, Trainer

ROWS = corpus(n=32)
WORDS = NEUTRAL + "".join(MARKS)
RNG = random.Random(3)
TEXTS = tuple("".join(RNG.choices(WORDS, k=RNG.randint(4, 30))) for _ in range(12))
FAMILIES = ("macbert", "roberta", "distilbert", "electra", "albert", "gpt2")


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Saved stand-ins with a language-model head each ("bert" has none, "dropout" is a BERT with dropout)."""
    from transformers import AutoModelForMaskedLM

    from labkit.models.loading import quiet

    root, drop = tmp_path_factory.mktemp("models"), {"hidden_dropout_prob": 0.1}
    found = {kind: family(kind, root / kind) for kind in ("bert", *FAMILIES)}
    found["dropout"] = family("macbert", root / "dropout", **drop)
    for kind in ("roberta", "distilbert", "electra", "albert"):
        torch.manual_seed(1)
        with quiet():
            AutoModelForMaskedLM.from_pretrained(found[kind]).save_pretrained(found[kind])
    return found


@pytest.fixture
def train(places):
    """A Trainer: `train("macbert", TopK(1), retain=L2SP())`; fit() has still to be called."""

    def made(kind="macbert", strategy=None, retain=None, out=None, resume=False, **config):
        config = {"epochs": 2, "lr": 3e-3, "batch_size": 8, "device": "cpu", **config}
        model = load(places[kind], labels=ROWS.labels)
        return Trainer(model, ROWS, strategy, TrainConfig(**config), retain=retain, out=out, resume=resume)

    return made


def weights(model):
    return {n: p.detach().clone() for n, p in model.named_parameters()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)


def guessed(lm, texts, width=128):
    return guesses(lm, encode(lm, texts, width), random.Random(0), "cpu")


# The text


def test_general_text_is_packaged_in_two_parts_that_share_no_line():
    measured, free = general_text()
    assert len(measured) >= 90 and len(free) >= 60
    assert len({*measured, *free}) == len(measured) + len(free)
    assert all(30 <= len(line) <= 120 and line == line.strip() for line in measured + free)
    reviews = (ASSETS / "reviews.csv").read_text("utf-8")
    assert not any(line in reviews for line in measured + free)


def test_the_packaged_model_knows_nearly_every_character_of_it():
    lm = load_masked_lm("tiny-bert-zh")
    ids = lm.processor("".join("".join(part) for part in general_text()))["input_ids"]
    assert ids.count(lm.processor.unk_token_id) < 0.005 * len(ids)


# The meter


@pytest.mark.parametrize("kind", FAMILIES)
def test_the_loss_is_what_plain_transformers_gives(places, kind):
    lm = load_masked_lm(places[kind])
    inputs, target = guessed(lm, TEXTS)
    with torch.no_grad():
        logits = lm(**inputs).logits
    plain = cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=NO_TARGET).item()
    assert masked_lm_loss(str(places[kind]), TEXTS) == pytest.approx(plain, abs=1e-5)
    if kind == "gpt2":
        ids = [lm.processor(t, return_tensors="pt")["input_ids"] for t in TEXTS]
        theirs = sum(lm(i, labels=i).loss.item() * (i.shape[1] - 1) for i in ids)
        assert plain == pytest.approx(theirs / sum(i.shape[1] - 1 for i in ids), abs=1e-5)


@pytest.mark.parametrize("kind", FAMILIES)
def test_after_is_the_fine_tuned_network_put_under_the_head_of_its_source(places, train, kind):
    trainer = train(kind)
    trainer.fit()
    lm = load_masked_lm(places[kind])
    inputs, target = guessed(lm, TEXTS)
    head = copy.deepcopy(lm)
    if lm.get_output_embeddings() is not None:  # the head keeps the pristine embeddings that it was tied to
        head.get_output_embeddings().weight = torch.nn.Parameter(lm.get_output_embeddings().weight.clone())
    theirs = trainer.model.base_model.state_dict()
    head.base_model.load_state_dict({k: theirs[k] for k in head.base_model.state_dict()})
    with torch.no_grad():
        logits = head(**inputs).logits
    plain = cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=NO_TARGET).item()
    found = forgetting_of(places[kind], trainer.model, TEXTS)
    assert found.after == pytest.approx(plain, abs=1e-5) == masked_lm_loss(trainer.model, TEXTS)
    assert found.before == pytest.approx(masked_lm_loss(places[kind], TEXTS), abs=1e-6)
    assert found.change == pytest.approx(found.after - found.before, abs=1e-5) and abs(found.change) > 1e-3
    assert found.n_tokens == (target != NO_TARGET).sum() and found.error > 0 and found.reason == ""


def test_fifteen_percent_are_hidden_and_the_rest_is_left(places):
    lm = load_masked_lm(places["macbert"])
    inputs, target = guessed(lm, ["，".join(TEXTS)[:60]], 64)
    asked = target != NO_TARGET
    assert asked.sum() == 9 and (inputs["input_ids"][asked] == lm.processor.mask_token_id).all()
    assert (inputs["input_ids"] == lm.processor.mask_token_id).sum() == 9


def test_guesses_depend_on_the_seed_and_on_nothing_else(places):
    lm, source = load_masked_lm(places["macbert"]), str(places["macbert"])
    assert masked_lm_loss(source, TEXTS) == masked_lm_loss(source, TEXTS) != masked_lm_loss(source, TEXTS, seed=1)
    lines = encode(lm, TEXTS, 128)
    one, two = (token_losses(lm.base_model, lm, lines, 0, rows=n) for n in (2, 32))
    assert torch.allclose(one, two, atol=1e-5)


@pytest.mark.parametrize("kind", ["macbert", "gpt2"])
def test_a_network_that_stayed_frozen_has_forgotten_exactly_nothing(places, train, kind):
    trainer = train(kind, HeadOnly())
    trainer.fit()
    found = forgetting_of(places[kind], trainer.model)
    assert found.change == 0.0 == found.error and found.after == found.before


@pytest.mark.parametrize("strategy", [LoRA(), Adapter()])
def test_what_was_added_counts_as_soon_as_it_has_an_effect(places, strategy):
    model = strategy.prepare(load(places["macbert"], labels=ROWS.labels))
    assert forgetting_of(places["macbert"], model, TEXTS).change == pytest.approx(0, abs=1e-6)  # starts without effect
    added = [p for n, p in model.named_parameters() if "lora_B" in n or "bottleneck" in n]
    with torch.no_grad():
        for p in added:
            p.normal_()
    assert added and forgetting_of(places["macbert"], model, TEXTS).error > 1e-3  # token by token


def test_a_merged_lora_forgets_as_much_as_one_beside_the_weights(places, train):
    trainer = train("macbert", LoRA(), lr=0.1)
    trainer.fit()
    beside = forgetting_of(places["macbert"], trainer.model, TEXTS).change
    merged = forgetting_of(places["macbert"], trainer.strategy.merge(trainer.model), TEXTS).change
    assert merged == pytest.approx(beside, abs=1e-5) and abs(beside) > 1e-3


@pytest.mark.parametrize("strategy", [PrefixTuning(), PTuningV2()])
@pytest.mark.parametrize("kind", ["macbert", "gpt2"])
def test_prompts_are_at_work_after_and_not_before(places, kind, strategy):
    model = strategy.prepare(load(places[kind], labels=ROWS.labels))
    with torch.no_grad():
        for name, p in model.named_parameters():
            if "prompt" in name:
                p.normal_()
    found = forgetting_of(places[kind], model, TEXTS)
    assert found.before == pytest.approx(masked_lm_loss(str(places[kind]), TEXTS), abs=1e-6)
    assert abs(found.change) > 1e-3


def test_places_that_prompts_take_are_not_read_as_text():
    class Prompted(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.base_model = torch.nn.Identity()

        def forward(self, input_ids):
            states = torch.cat([torch.full((1, 2), -1), input_ids], 1)[..., None]
            return self.base_model((states,))

    assert last_hidden(Prompted(), {"input_ids": torch.tensor([[5, 6, 7]])})[0, :, 0].tolist() == [5, 6, 7]


def test_measuring_leaves_model_modes_and_random_state_as_they_were(places):
    model = load(places["dropout"], labels=ROWS.labels).train()
    model.get_submodule("bert.embeddings").eval()
    before, modes, state = weights(model), [m.training for m in model.modules()], torch.get_rng_state()
    first = forgetting_of(places["dropout"], model, TEXTS)
    assert first == forgetting_of(places["dropout"], model, TEXTS) and first.change == 0.0  # dropout was off
    assert same(before, weights(model)) and modes == [m.training for m in model.modules()]
    assert torch.equal(state, torch.get_rng_state())
    assert all(p.requires_grad for p in model.parameters()) and "forward" not in vars(model.bert)


def test_a_source_without_a_language_model_head_gives_none_and_says_why(places):
    found = forgetting_of(places["bert"], load(places["bert"], labels=ROWS.labels))
    assert found.before is found.after is found.change is None and found.n_tokens == 0
    assert str(places["bert"]) in found.reason and "cls.predictions" in found.reason
    with pytest.raises(NoLanguageHead, match="language-model head"):
        masked_lm_loss(str(places["bert"]))
    with pytest.raises(NoLanguageHead, match="Take a checkpoint"):
        Replay().start(load(places["bert"], labels=ROWS.labels), 0)


def test_a_source_that_the_model_does_not_come_from_is_refused(places, tmp_path):
    model = load(places["macbert"], labels=ROWS.labels)
    with pytest.raises(BadInput, match="not fine-tuned from"):
        forgetting_of("tiny-bert-zh", model)
    with pytest.raises(BadInput, match="holds no usable model"):
        masked_lm_loss(str(tmp_path))


@pytest.mark.parametrize("texts", [[], ["", "好"]])
def test_texts_without_anything_to_guess_are_refused(places, texts):
    with pytest.raises(BadInput, match="at least one line"):
        masked_lm_loss(str(places["macbert"]), texts)


# Forgetting less


@pytest.mark.parametrize("retain", [L2SP(strength=0), Replay(TEXTS, weight=0)])
def test_a_repair_of_strength_nought_is_plain_training(train, retain):
    plain, with_retainer = train("dropout"), train("dropout", retain=retain)
    plain.fit()
    with_retainer.fit()
    assert same(weights(plain.model), weights(with_retainer.model))


def test_l2sp_adds_the_gradient_of_half_the_squared_distance_times_strength(train):
    trainer = train(retain=L2SP(strength=0.7))
    start, head = weights(trainer.model), set(blocks(trainer.model)[-1].parameters)
    with torch.no_grad():
        for p in trainer.model.parameters():
            p.add_(torch.randn_like(p))
            p.grad = torch.ones_like(p)
    distance = sum(((p - start[n]) ** 2).sum() for n, p in trainer.model.named_parameters() if n not in head)
    wanted = torch.autograd.grad(0.7 / 2 * distance, list(trainer.model.parameters()), allow_unused=True)
    trainer.added_loss(None, None, 1.0).backward()
    for (name, p), g in zip(trainer.model.named_parameters(), wanted, strict=True):
        assert (g is None) == (name in head)
        assert torch.allclose(p.grad, torch.ones_like(p) + (0 if g is None else g), atol=1e-5)


def test_l2sp_stays_nearer_to_where_it_started_the_stronger_it_is(train):
    def distance(strength):
        trainer = train(retain=L2SP(strength=strength))
        start, head = weights(trainer.model), set(blocks(trainer.model)[-1].parameters)
        trainer.fit()
        return sum((p - start[n]).norm() for n, p in trainer.model.named_parameters() if n not in head).item()

    far, near, nearest = distance(0), distance(0.1), distance(10)
    assert far > near > nearest


def test_replay_lowers_the_loss_on_what_it_replays(places, train):
    def loss(retain):
        trainer = train(retain=retain, epochs=3)
        trainer.fit()
        return masked_lm_loss(trainer.model, TEXTS)

    assert loss(Replay(TEXTS, every=1, weight=1.0)) < loss(None) - 0.05


def test_replay_never_trains_on_a_line_that_the_meter_reads(places):
    model = load("tiny-bert-zh", labels=ROWS.labels)
    measured, free = general_text()
    lm, lines, _ = Replay().start(model, 0)
    assert {tuple(line.ids) for line in lines} == {tuple(line.ids) for line in encode(lm, free, 128)}
    _, lines, _ = Replay((*measured, *free[:3])).start(model, 0)
    assert len(lines) == 3
    with pytest.raises(BadInput, match="at least one line"):
        Replay(measured).start(model, 0)


def test_the_shares_of_two_processes_add_up_to_the_gradient_of_one(train):
    for retain in (Replay(TEXTS, weight=0.5), L2SP()):
        trainer = train(retain=retain)
        with torch.no_grad():
            for p in trainer.model.parameters():
                p.mul_(1.1)

        def gradient(*shares, trainer=trainer):
            for p in trainer.model.parameters():
                p.grad = torch.zeros_like(p)
            for share in shares:  # of the batch's rows: those of a process, or of a piece of it
                trainer.added_loss(None, None, share).backward()
            return {n: p.grad for n, p in trainer.model.named_parameters()}

        one, first, second = gradient(1.0), gradient(0.25), gradient(0.5, 0.25)
        assert any(g.abs().max() > 1e-4 for g in one.values())
        assert all(torch.allclose(one[n], first[n] + second[n], atol=1e-6) for n in one)


def test_replay_comes_every_so_many_steps(train):
    trainer = train(retain=Replay(TEXTS, every=3))
    trainer.model.train()
    added = []
    for step in range(5):
        trainer.model.zero_grad()
        trainer.step = step
        loss = trainer.added_loss(None, None, 1.0)
        if loss is not None:
            loss.backward()
        added.append(any(p.grad is not None for p in trainer.model.parameters()))
    assert added == [True, False, False, True, False]


@pytest.mark.parametrize("strategy", [HeadOnly(), LoRA(), PTuningV2(), Adapter()])
@pytest.mark.parametrize("retain", [Replay(TEXTS, every=1, weight=1.0), L2SP()])
def test_repairs_go_with_strategies_that_freeze_and_move_nothing_frozen(train, strategy, retain):
    plain, repaired = train(strategy=strategy, epochs=1), train(strategy=strategy, retain=retain, epochs=1)
    plain.fit()
    repaired.fit()  # asserts that nothing frozen moved
    assert same(weights(plain.model), weights(repaired.model)) == (strategy == HeadOnly())


@pytest.mark.parametrize("retain", [L2SP(), Replay(TEXTS)])
def test_with_a_repair_too_the_same_seed_is_the_same_run_and_resuming_equals_going_on(train, tmp_path, retain):
    whole = train("dropout", retain=retain)
    run = whole.fit()
    stopped = train("dropout", retain=retain, out=tmp_path)
    for event in stopped.run():
        if isinstance(event, StepDone) and event.step == 6:
            break
    resumed = train("dropout", retain=retain, out=tmp_path, resume=True)
    resumed.fit()
    assert same(weights(whole.model), weights(resumed.model))
    assert run.strategy == "full+" + retainer_name(retain) and run.settings["retain"]["name"] == retain.name


def test_a_checkpoint_with_another_repair_is_refused(train, tmp_path):
    train(retain=L2SP(), out=tmp_path, epochs=1).fit()
    with pytest.raises(BadInput, match=r"another retainer \(strength\)"):
        train(retain=L2SP(strength=2), out=tmp_path, epochs=1, resume=True)
    with pytest.raises(BadInput, match="another retainer"):
        train(out=tmp_path, epochs=1, resume=True)


def test_runs_with_different_repairs_have_different_names():
    assert retainer_name(L2SP()) == "l2sp" and retainer_name(L2SP(strength=2)) == "l2sp(strength=2)"
    assert retainer_name(Replay(["a", "b"], every=9)) == "replay(texts=2,every=9)"


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: L2SP(strength=-1), "strength=-1 won't do; give a number from 0 to 1e+09"),
        (lambda: L2SP(strength="much"), "strength='much'"),
        (lambda: L2SP(strength=float("nan")), "strength=nan"),
        (lambda: Replay(every=0), "every=0 won't do; give a whole number from 1 to 1000000000"),
        (lambda: Replay(every=1.5), "every=1.5"),
        (lambda: Replay(weight=True), "weight=True"),
    ],
)
def test_a_bad_setting_of_a_repair_is_refused(make, message):
    with pytest.raises(BadInput) as caught:
        make()
    assert message in str(caught.value)


def test_the_public_names_are_there():
    assert labkit.forgetting_of is forgetting_of and labkit.L2SP is L2SP
    assert labkit.Replay is Replay and labkit.masked_lm_loss is masked_lm_loss


# The figure


def run(strategy, accuracy, forgetting, seed=0):
    scores = Scores(400, 0.5, {"accuracy": Measure(accuracy), "macro_f1": Measure(accuracy)})
    start = (strategy, "tiny", seed, "cpu", 3, 100, 20, 400, 5.0, 50.0, None, 1_000, 5_000)
    return Run(*start, task=ROWS.task.card(), scores={"test": scores}, measures={"forgetting": forgetting})


RUNS = [
    run("full", 0.77, 0.08, 0),
    run("full", 0.79, 0.12, 1),
    run("full+l2sp", 0.77, 0.05),
    run("full+replay(every=1)", 0.76, -0.14),
    *(run(f"strategy {i}", 0.7 + 0.01 * i, 0.01 * i) for i in range(7)),
    run("tf-idf", 0.8, None),
]


@pytest.mark.parametrize("lang", ["zh", "en"])
def test_the_figure_has_a_named_point_a_strategy_and_an_arrow_to_each_repair(lang, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", lang)
    axes = plots.forgetting(RUNS).axes[0]
    points = {
        (round(x, 6), round(y, 6)) for line in axes.lines[1:] for x, y in [(line.get_xdata()[0], line.get_ydata()[0])]
    }
    assert len(points) == 10 and {(0.1, 0.78), (0.05, 0.77), (-0.14, 0.76)} <= points
    names = [t.get_text() for t in axes.texts if t.get_text()]
    assert sorted(names) == sorted({r.strategy for r in RUNS} - {"tf-idf"})
    arrows = [t for t in axes.texts if t.arrow_patch]
    assert [tuple(round(v, 6) for v in (*t.xyann, *t.xy)) for t in arrows] == [
        (0.1, 0.78, 0.05, 0.77),
        (0.1, 0.78, -0.14, 0.76),
    ]
    assert any("\u4e00" <= c <= "\u9fff" for c in axes.get_xlabel()) == (lang == "zh")


def test_names_in_the_figure_cover_neither_each_other_nor_the_edge():
    fig = plots.forgetting(RUNS)
    fig.draw_without_rendering()
    boxes = [t.get_window_extent() for t in fig.axes[0].texts if t.get_text()]
    inside = fig.axes[0].get_window_extent()
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    assert all(inside.x0 <= b.x0 and b.x1 <= inside.x1 for b in boxes)


def test_a_figure_without_measured_runs_is_refused():
    with pytest.raises(BadInput, match="forgetting_of"):
        plots.forgetting([run("full", 0.8, None)])

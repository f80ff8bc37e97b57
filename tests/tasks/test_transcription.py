"""Transcription: losses are those of the libraries, a text's first token is the decoder's start, its end is learned, blanks are
collapsed before they go, what does not fit is said before, and answers follow the sound."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from stand_ins import reader, said, said_corpus, whisper, writer

import labkit as lk
from labkit.base.records import BadInput, Example
from labkit.modalities.sounds import resampled, wav_bytes
from labkit.tasks import Transcription, task_of
from labkit.tasks.ctc import beam_search, collapsed, needed
from labkit.tasks.letters import edits, letter_counts, words


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("speech")
    return {make.__name__: make(root / make.__name__) for make in (writer, reader, whisper)}


@pytest.fixture(scope="module")
def corpus():
    return said_corpus()


@pytest.fixture
def load(folders):
    return lambda name, **task: lk.load(folders[name], task=Transcription(**{"language": "en", **task}))


def batch_of(model, examples):
    items = model.task.encode(model.processor, examples, 0)
    return items, model.task.collate(model.processor, items)


# What is learned


@pytest.mark.parametrize("name", ["writer", "whisper"])
def test_a_decoder_learns_what_transformers_would_teach_it(load, name):
    model, examples = load(name), said(5)
    items, batch = batch_of(model, examples)
    losses, _ = model.task.ask(model, batch)
    whole = torch.nn.utils.rnn.pad_sequence(
        [torch.tensor(i["ids"]) for i in items], batch_first=True, padding_value=-100
    )
    known = {k: v for k, v in batch.inputs.items() if k != "decoder_input_ids"}
    with torch.no_grad():
        logits = model(**known, labels=whole).logits  # transformers shifts the labels by itself
    told = torch.nn.functional.cross_entropy(logits.flatten(0, 1), batch.target.flatten(), ignore_index=-100)
    assert torch.allclose(losses.sum() / batch.units, told, atol=1e-5)
    start = model.config.decoder_start_token_id
    assert all(item["ids"][0] != start for item in items)  # the start stands in front once, not twice
    assert (batch.inputs["decoder_input_ids"][:, 0] == start).all()


def test_the_end_is_learned_where_it_is_the_padding_too(load):
    model = load("whisper")
    items, batch = batch_of(model, said(3))
    end = model.processor.tokenizer.eos_token_id
    assert end == model.config.pad_token_id
    for row, item in zip(batch.target.tolist(), items, strict=True):
        assert [t for t in row if t != -100] == item["ids"][item["prompt"] :]
        assert row.count(end) == 1


def test_what_a_decoder_is_told_is_not_learned(load):
    items, batch = batch_of(load("writer"), said(2))
    assert [item["prompt"] for item in items] == [1, 1]
    assert (batch.target[:, 0] == -100).all() and batch.units == sum(len(e.target) + 1 for e in said(2))


def test_ctc_is_the_loss_that_transformers_computes(load):
    model = load("reader")
    model.config.ctc_loss_reduction = "sum"
    _, batch = batch_of(model, said(4))
    losses, _ = model.task.ask(model, batch)
    labels = batch.target.masked_fill(torch.arange(batch.target.shape[1]) >= batch.letters[:, None], -100)
    with torch.no_grad():
        whole = model(**batch.inputs, labels=labels).loss
    assert torch.allclose(losses.sum(), whole, rtol=1e-4)
    assert batch.units == batch.letters.sum()  # a mean over letters, whatever the clips' lengths


def test_the_frames_of_a_clip_are_counted_as_the_network_makes_them(load):
    model = load("reader")
    _, batch = batch_of(model, said(3))
    counted = model._get_feat_extract_output_lengths(batch.inputs["attention_mask"].sum(1))
    assert batch.frames.tolist() == counted.tolist()


def test_repeats_are_joined_before_blanks_go():
    assert collapsed([8, 5, 5, 0, 12, 12, 0, 12, 15], blank=0) == [8, 5, 12, 12, 15]
    assert collapsed([0, 0, 0], blank=0) == []


def test_the_best_text_may_be_in_no_frame_the_best():
    shares = np.log([[0.6, 0.4], [0.6, 0.4]])
    assert beam_search(shares, 0, beams=4) == [1]
    assert collapsed(shares.argmax(1).tolist(), 0) == []


def test_a_beam_finds_the_text_whose_ways_sum_to_most():
    rng = np.random.default_rng(0)
    for _ in range(5):
        shares = rng.dirichlet(np.ones(3), size=4)
        sums: dict[tuple, float] = {}
        for way in np.ndindex(3, 3, 3, 3):
            text = tuple(collapsed(way, 0))
            sums[text] = sums.get(text, 0) + np.prod([shares[t, k] for t, k in enumerate(way)])
        assert tuple(beam_search(np.log(shares), 0, beams=50)) == max(sums, key=sums.get)


# What does not fit is said before


def test_a_text_with_more_letters_than_its_clip_has_frames_is_refused_with_counts(load):
    clip = said(1)[0].input[: int(0.12 * 16000)]  # five frames
    fits, long = Example(clip, "abcd"), Example(clip, "abcdefgh")
    assert needed([1, 1, 2]) == 4  # two that are equal need a blank between
    load("reader").task.encode(load("reader").processor, [fits], 0)
    with pytest.raises(BadInput, match=r"1 of 2 clips.* 5 frames .* 8"):
        load("reader").task.encode(load("reader").processor, [fits, long], 0)


def test_a_text_in_the_wrong_case_is_refused(tmp_path):
    model = lk.load(reader(tmp_path / "capitals", letters="ABCDEFGH"), task=Transcription())
    with pytest.raises(BadInput, match="Write the texts in capital letters"):
        model.task.encode(model.processor, said(3), 0)


def test_letters_that_the_model_cannot_write_are_named(load):
    model, clip = load("writer"), said(1)[0].input
    with pytest.raises(BadInput, match=r"lacks z, 七 \(1 of 2 texts"):
        model.task.encode(model.processor, [Example(clip, "abc"), Example(clip, "z七")], 0)


def test_a_language_that_the_model_has_no_token_for_is_named(load):
    with pytest.raises(BadInput, match=r"no token for writing 'xx'.*en, zh"):
        lk.transcribe(load("writer"), said(1)[0].input, language="xx")


def test_a_clip_longer_than_the_network_hears_is_refused(load):
    with pytest.raises(BadInput, match="Cut them, and their texts with them"):
        lk.predict(load("whisper"), np.full(40_000, 0.1, np.float32))


def test_a_column_of_words_is_no_column_of_clips(tmp_path):
    (tmp_path / "a.csv").write_text("audio,text\nhello,abc\nworld,de\n", "utf-8")
    with pytest.raises(BadInput, match="holds no sound files"):
        lk.load_csv(tmp_path / "a.csv")


# Files


@pytest.fixture
def table(tmp_path):
    lines = ["audio,text,speaker"]
    for i, one in enumerate(said(24)):
        (tmp_path / f"{i}.wav").write_bytes(wav_bytes(one.input, 16_000))
        lines.append(f"{i}.wav,{one.target},s{i % 6}")
    path = tmp_path / "clips.csv"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_a_table_of_paths_and_texts_is_a_corpus_and_speakers_stay_apart(table):
    corpus = lk.load_csv(table, valid_share=0.2, test_share=0.2)
    assert corpus.task == Transcription() and sum(map(len, corpus.splits.values())) == 24
    speakers = [{e.extra["speaker"] for e in rows} for rows in corpus.splits.values()]
    assert not speakers[0] & speakers[1] and not speakers[0] & speakers[2] and not speakers[1] & speakers[2]


def test_rows_without_a_text_are_dropped_and_counted(table):
    table.write_text(table.read_text("utf-8") + "0.wav,,s0\n", "utf-8")
    assert any(d.reason == "empty" and d.count == 1 for d in lk.load_csv(table).dropped)


def test_the_language_of_all_rows_is_the_task_s_own(table):
    lines = table.read_text("utf-8").splitlines()
    table.write_text("\n".join([lines[0] + ",language", *(x + ",zh" for x in lines[1:])]) + "\n", "utf-8")
    assert lk.load_csv(table).task.language == "zh"


@pytest.mark.parametrize("name", ["writer", "reader"])
def test_a_file_at_another_rate_says_the_same(load, tmp_path, name):
    clip = said(3)[2].input
    (tmp_path / "a.wav").write_bytes(wav_bytes(resampled(clip, 16_000, 48_000), 48_000))
    model, read = load(name), Transcription().modality.read(tmp_path / "a.wav")
    assert len(read) == len(clip)
    losses = [lk.evaluate(model, [Example(x, "abc")]).loss for x in (clip, read)]
    assert losses[0] == pytest.approx(losses[1], abs=0.05)


def test_the_task_travels_as_a_card():
    task = Transcription(language="zh")
    assert task_of(json.loads(json.dumps(task.card()))) == task


# Scores


def slow_edits(a, b):
    if not a or not b:
        return len(a) + len(b)
    return min(slow_edits(a[1:], b) + 1, slow_edits(a, b[1:]) + 1, slow_edits(a[1:], b[1:]) + (a[0] != b[0]))


def test_errors_are_counted_as_the_definition_says():
    rng = np.random.default_rng(1)
    for _ in range(20):
        a, b = ("".join(rng.choice(list("abc"), n)) for n in rng.integers(0, 6, 2))
        assert edits(a, b) == slow_edits(a, b)


def test_a_chinese_character_is_a_word_and_white_space_is_none():
    assert words("turn left 向左转") == ["turn", "left", "向", "左", "转"]
    assert letter_counts(" twenty  two ", "twenty two") == [1, True, 0, 10, 0, 2]
    assert letter_counts("", "二十") == [1, False, 2, 2, 2, 2]


def test_all_three_scores_have_an_interval_and_more_is_not_always_better(corpus):
    task, truth = corpus.task, ["ace", "gg", "a", "ca"]
    scores = task.score(["ace", "g", "", "ca"], truth)
    assert scores.exact_match == 0.5 and scores.cer == 2 / 8 and scores.wer == 0.5 and scores.silent == 0.25
    assert all(
        scores.metrics[m].low <= scores.metrics[m].value <= scores.metrics[m].high
        for m in ("exact_match", "cer", "wer")
    )
    assert task.metric("cer").better(0.1, 0.2) and task.choosing.name == "cer"


def test_baselines_answer_with_texts(corpus):
    made = {name: fit() for name, fit in corpus.task.baselines(corpus.train).items()}
    inputs = [e.input for e in corpus.train]
    assert made["nearest"].answer(inputs) == [e.target for e in corpus.train]
    assert len(set(made["majority"].answer(inputs))) == 1


def test_a_run_that_answers_with_nothing_is_named(load, corpus):
    run = lk.Trainer(load("reader"), corpus, lk.Full(), lk.TrainConfig(epochs=1)).fit()
    silent = corpus.task.score([""] * len(corpus.valid), [e.target for e in corpus.valid], 3.0)
    (finding,) = lk.diagnose(replace(run, scores={"valid": silent}))
    assert finding.name == "all blank" and finding.numbers["rows"] == 6
    said_it = corpus.task.score([e.target for e in corpus.valid], [e.target for e in corpus.valid], 3.0)
    assert not lk.diagnose(replace(run, scores={"valid": said_it}))


# Answers


@pytest.mark.parametrize("name", ["writer", "reader", "whisper"])
def test_an_answer_does_not_depend_on_the_batch(load, name):
    model, examples = load(name), said(6)
    together = lk.predict(model, [e.input for e in examples])
    alone = [lk.predict(model, [e.input])[0] for e in examples]
    assert [t.text for t in together] == [t.text for t in alone]
    _, batch = batch_of(model, examples)
    each = torch.stack([model.task.ask(model, batch_of(model, [e])[1])[0][0] for e in examples])
    assert torch.allclose(model.task.ask(model, batch)[0], each, atol=1e-4)


@pytest.mark.parametrize("name", ["writer", "reader"])
def test_training_learns_what_is_said_and_the_answers_follow_the_sound(load, corpus, name):
    corpus = corpus if name == "writer" else replace(corpus, task=corpus.task)
    model = load(name)
    run = lk.Trainer(model, corpus, lk.Full(), lk.TrainConfig(epochs=2, lr=3e-3, batch_size=8)).fit()
    assert run.history[-1].train_loss < run.history[0].train_loss
    found = lk.swap_audio(model, corpus.test)
    assert found.n == 6 and 0 <= found.follows <= 1


def test_a_model_that_does_not_listen_is_found_out(load, corpus, monkeypatch):
    model = load("writer")
    monkeypatch.setattr("labkit.inspection.listening.written", lambda m, rows, beams: ["ace" for _ in rows])
    assert lk.swap_audio(model, corpus.test).same == 1.0
    monkeypatch.setattr(
        "labkit.inspection.listening.written",
        lambda m, rows, beams: [next(e.target for e in corpus.test if e.input is r.input) for r in rows],
    )
    found = lk.swap_audio(model, corpus.test)
    assert (found.right, found.follows, found.same) == (1.0, 1.0, 0.0)


def test_what_is_saved_writes_the_same_again(load, tmp_path):
    for name in ("writer", "reader"):
        model, clips = load(name), [e.input for e in said(3)]
        lk.save(model, tmp_path / name)
        again = lk.load(tmp_path / name)
        assert again.task == model.task and lk.transcribe(again, clips) == lk.transcribe(model, clips)


def test_one_beam_is_greedy_and_more_beams_find_no_less_likely_text(load):
    from labkit.models.state import asking
    from labkit.tasks.dictation import beamed, dictated, heard, step

    model = load("writer")
    _, batch = batch_of(model, said(1))
    start, stop = [1, 4], 2
    with asking(model):
        found = heard(model, batch.inputs)
        greedy = dictated(model, found, start, stop, 8)[0]
        assert beamed(model, found, start, stop, 8, 1) == greedy

        def likely(text):
            ids = torch.tensor([[*start, *text, stop]])
            shares = step(model, found, ids[:, :-1], use_cache=False).logits.log_softmax(-1)
            told = shares[0, 1:].gather(1, ids[0, 2:, None])
            return told.sum().item() / (len(text) + 1)

        wide = beamed(model, found, start, stop, 8, 40)
        if len(greedy) < 8:  # both ended by themselves
            assert likely(wide) >= likely(greedy) - 1e-6


def test_where_a_token_is_heard_is_a_share_of_the_clip(load):
    for name, text in (("writer", "ace"), ("whisper", "ace")):
        found = lk.alignment(load(name), said(3)[2].input, text)
        assert found.tokens == ("a", "c", "e") and np.allclose(
            found.weights.sum(1).clip(0, 1), found.weights.sum(1), atol=1e-5
        )
        assert found.weights.shape[1] * found.step == pytest.approx(len(found.samples) / found.rate)
        lk.plots.alignment(found)


# Strategies


@pytest.mark.parametrize(
    ("strategy", "moves"),
    [
        (lk.TopK(2), "decoder.layers"),
        (lk.OnlyBlocks(("layer 1", "layer 2")), "encoder.layers"),
        (lk.LoRA(rank=2), "lora"),
        (lk.BitFit(), "bias"),
        (lk.GradualUnfreeze(), "decoder.layers.1"),
    ],
)
def test_a_strategy_moves_its_part_of_an_encoder_and_a_decoder(load, corpus, strategy, moves):
    trainer = lk.Trainer(load("writer"), corpus, strategy, lk.TrainConfig(epochs=1, lr=1e-3))
    run = trainer.fit()
    assert run.moved and all(moves in name or "layer_norm" in name for name in run.moved)


def test_the_embeddings_are_the_head_and_head_alone_says_so(load, corpus):
    with pytest.raises(BadInput, match="embeddings"):
        lk.Trainer(load("writer"), corpus, lk.HeadOnly(), lk.TrainConfig(epochs=1))


def test_rehearsal_adds_the_loss_of_what_was_known(load, corpus):
    model, earlier = load("writer"), said(4, seed=9, language="zh")
    for every, added in ((1, True), (2, False)):
        retain = lk.Rehearsal(earlier, every=every, rows=4)
        loss = retain.add_loss(model, None, None, retain.start(model, 0), step=1)
        assert (loss is not None) == added
    _, batch = batch_of(model, earlier)
    whole = model.task.ask(model, batch)[0].sum() / batch.units
    retain = lk.Rehearsal(earlier, rows=4)
    assert torch.allclose(retain.add_loss(model, None, None, retain.start(model, 0), 1), whole, atol=1e-5)
    run = lk.Trainer(load("writer"), corpus, lk.Full(), lk.TrainConfig(epochs=1), retain=retain).fit()
    assert run.strategy == "full+rehearsal(examples=4,rows=4)"
    json.dumps(run.settings)


def test_nothing_to_rehearse_is_refused():
    with pytest.raises(BadInput):
        lk.Rehearsal([])


def test_a_stretch_that_a_text_hangs_on_is_found(load, monkeypatch):
    def hangs_on_the_middle(model, items, item):  # the second token needs the frames 12 to 16, the others nothing
        return np.array(
            [[0.0, 0.0 if (i["sound"][:, 12:16] == item["sound"][:, 12:16]).all() else -3.0, 0.0] for i in items]
        )

    monkeypatch.setattr("labkit.inspection.listening.token_logs", hangs_on_the_middle)
    found = lk.alignment(load("writer"), said(3)[2].input, "ac")
    assert found.weights[1].sum() == pytest.approx(1) and 0.05 <= found.peaks[1] <= 0.2
    assert found.weights[0].sum() == 0


def test_of_ctc_the_frames_that_answered_are_shown(load):
    model = load("reader")
    found = lk.alignment(model, said(3)[2].input)
    assert "".join(found.tokens).replace("|", " ").strip() == lk.transcribe(model, said(3)[2].input)
    lk.plots.alignment(found)

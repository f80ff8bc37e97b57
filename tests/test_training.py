"""The loop: against the transformers Trainer, against itself resumed, and what every strategy must leave alone."""

import dataclasses
import math
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import torch
from stand_ins import bert, corpus, family

from labkit import training
from labkit.checkpoint import Checkpoints
from labkit.models import blocks, load
from labkit.records import BadInput, EpochDone, Notice, StepDone
from labkit.strategies import Full, HeadOnly, Strategy, TopK, train_only
from labkit.training import TrainConfig, Trainer, rate

ROWS = corpus(n=48)
TESTS = Path(__file__).parent


@pytest.fixture(scope="module")
def places(tmp_path_factory):
    """Saved stand-ins: without dropout, with dropout, and of another family with dropout."""
    root = tmp_path_factory.mktemp("models")
    drop = {"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1}
    gpt2 = {"resid_pdrop": 0.1, "embd_pdrop": 0.1, "attn_pdrop": 0.1}
    return {
        "plain": bert(root / "plain"),
        "wide start": bert(root / "wide", initializer_range=0.2),  # learns from the first steps on
        "dropout": bert(root / "dropout", **drop),
        "gpt2": family("gpt2", root / "gpt2", **gpt2),
    }


@pytest.fixture
def make(places):
    """A Trainer on a fresh model: `make("dropout", TopK(1), epochs=3)`."""

    def made(kind="plain", strategy=None, rows=ROWS, out=None, resume=False, seed=0, **config):
        model = load(places[kind], labels=rows.labels)
        config = {"epochs": 2, "lr": 3e-3, "batch_size": 8, "seed": seed, "device": "cpu", **config}
        return Trainer(model, rows, strategy, TrainConfig(**config), out=out, resume=resume)

    return made


def weights(trainer):
    return {n: p.detach().clone() for n, p in trainer.model.named_parameters()}


def same(one, two):
    return one.keys() == two.keys() and all(torch.equal(one[n], two[n]) for n in one)


def losses(trainer, *kinds):
    return [e.loss for e in trainer.run() if isinstance(e, StepDone)]


def stop_at(trainer, step):
    """Run until this step is done, and leave."""
    for event in trainer.run():
        if isinstance(event, StepDone) and event.step == step:
            break


# The loop against others


def test_losses_agree_with_the_transformers_trainer(places, tmp_path):
    from torch.utils.data import SequentialSampler
    from transformers import PrinterCallback, TrainingArguments
    from transformers import Trainer as Theirs

    rows = corpus(n=200)
    settings = {"epochs": 2, "batch_size": 8, "lr": 2e-3, "weight_decay": 0.1, "clip": 0.5, "warmup": 0.1}
    config = TrainConfig(bucket=False, device="cpu", **settings)
    ours = Trainer(load(places["wide start"], labels=rows.labels), rows, Full(), config)
    items = [ours.items["train"][i] for epoch in (0, 1) for batch in ours.order(epoch) for i in batch]
    found = []

    class SameOrder(Theirs):
        def _get_train_sampler(self, *_):
            return SequentialSampler(self.train_dataset)

        def training_step(self, *args, **kwargs):
            loss = super().training_step(*args, **kwargs)
            found.append(float(loss))
            return loss

    def batch(chosen):
        inputs, target = ours.task.collate(ours.processor, chosen)
        return {**inputs, "labels": target}

    arguments = TrainingArguments(
        output_dir=str(tmp_path / "theirs"),
        num_train_epochs=1,  # their one epoch is our two, laid end to end
        per_device_train_batch_size=8,
        learning_rate=2e-3,
        weight_decay=0.1,
        max_grad_norm=0.5,
        warmup_steps=5,
        lr_scheduler_type="linear",
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        use_cpu=True,
        disable_tqdm=True,
        remove_unused_columns=False,
        dataloader_pin_memory=False,
    )
    model = load(places["wide start"], labels=rows.labels)
    theirs = SameOrder(model=model, args=arguments, train_dataset=items, data_collator=batch)
    theirs.remove_callback(PrinterCallback)
    theirs.train()
    mine = losses(ours)
    assert len(mine) == len(found) == 50
    assert sum(found[:10]) - sum(found[-10:]) > 1  # it learned: these are not two flat lines
    assert mine == pytest.approx(found, abs=1e-5)

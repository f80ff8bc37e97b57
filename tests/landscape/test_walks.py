"""Optimizers on surfaces: exact slopes, walks equal to a hand-written loop, divergence said and drawn; their pictures."""

import io
import math
import re

import numpy
import pytest
import torch

from labkit import plots
from labkit.base.records import BadInput
from labkit.landscape.surfaces import surface, surface_of, surfaces
from labkit.landscape.walk import OPTIMIZERS, optimizer, trace, traces
from labkit.plots.landscapes import PARTS
from labkit.plots.terrain import edge, ground_of

RATES = {"SGD": 0.05, "momentum": 0.01, "Nesterov": 0.01, "LBFGS": 0.5, "Muon": 0.02}
every_surface = pytest.mark.parametrize("name", surfaces())


def by_hand(make, height, start, steps):
    """The loop that a student writes: places and gradients."""
    shape = (1, 2) if "Muon" in repr(make) else (2,)
    point = torch.tensor(start).view(shape).requires_grad_()
    rule, places, gradients = make([point]), [], []
    for step in range(steps):

        def closure(step=step):
            rule.zero_grad()
            loss = height(*point.view(-1), step)
            loss.backward()
            return loss

        closure()
        places.append(point.detach().clone().view(-1))
        gradients.append(point.grad.clone().view(-1))
        rule.step(closure)
    return torch.stack([*places, point.detach().view(-1)]), torch.stack(gradients), rule.state[point]


def few(name="ravine", lr=0.3, steps=60):
    return traces({n: optimizer(n, lr) for n in ("SGD", "momentum", "RMSprop", "Adam", "AdamW")}, name, steps=steps)


# Surfaces


@every_surface
def test_the_slope_is_the_derivative_of_the_height(name):
    found = surfaces()[name]
    left, right, bottom, top = found.window
    for share_x, share_y in ((0.1, 0.8), (0.45, 0.3), (0.7, 0.55)):
        x, y = (left + share_x * (right - left), bottom + share_y * (top - bottom))
        place = torch.tensor([x, y], dtype=torch.float64, requires_grad=True)
        loss, *_ = found.formula(*place, torch)
        loss.backward()
        assert found.slope(x, y) == pytest.approx((loss.item(), *place.grad.tolist()), rel=1e-9, abs=1e-12)


@every_surface
def test_known_minima_are_minima_and_the_start_is_on_the_map(name):
    found = surfaces()[name]
    for x, y in found.minima:
        loss, dx, dy = found.slope(x, y)
        assert math.hypot(dx, dy) < 1e-3
        assert loss <= min(found(x + a, y + b) for a in (-0.01, 0, 0.01) for b in (-0.01, 0, 0.01)) + 1e-9
    left, right, bottom, top = found.window
    assert left < found.start[0] < right and bottom < found.start[1] < top


def test_floats_arrays_and_tensors_give_one_height():
    found = surfaces()["beale"]
    x, y = numpy.array([0.5, -1.0]), numpy.array([1.5, 2.0])
    assert found(x, y) == pytest.approx([found(0.5, 1.5), found(-1.0, 2.0)])
    assert found(torch.tensor(x), torch.tensor(y)).tolist() == pytest.approx(found(x, y))


def test_noise_is_a_function_of_the_step_and_averages_out():
    found = surfaces()["noisy bowl"]
    assert found.slope(1.0, 1.0, 3) == found.slope(1.0, 1.0, 3) != found.slope(1.0, 1.0, 4)
    slopes = numpy.array([found.slope(1.0, 1.0, step)[1:] for step in range(2000)])
    assert slopes.mean(0) == pytest.approx([1.0, 1.0], abs=0.15)
    assert slopes.std(0) == pytest.approx([2.0, 2.0], abs=0.15)


# Walks


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("where", ["noisy bowl", "uva ravine"])
def test_a_walk_equals_a_hand_written_loop_to_the_bit(name, where):
    make, found = optimizer(name, RATES.get(name, 0.1)), surfaces()[where]
    steps = 3 if name == "LBFGS" else 30  # each of its steps looks around 25 times
    walk = trace(make, found, steps=steps)
    places, gradients, state = by_hand(make, found, found.start, steps)
    assert torch.equal(torch.tensor(walk.position), places)
    assert torch.equal(torch.tensor(walk.gradient[:-1]), gradients)
    for ours, theirs in (("velocity", "exp_avg"), ("velocity", "momentum_buffer"), ("second", "exp_avg_sq")):
        if state.get(theirs) is not None:
            assert torch.equal(torch.tensor(getattr(walk, ours)[-1]), state[theirs].view(-1))


def test_a_students_function_is_walked_as_by_hand_and_together_as_alone():
    def hills(x, y, step=None):
        return torch.tanh(x * y) + torch.sigmoid(3 * x) + 0.1 * x**2 + torch.sin(y) ** 2

    makers = {n: optimizer(n, 0.05) for n in list(OPTIMIZERS)[:9]}
    together = traces(makers, hills, (1.5, 1.0), 30)
    for name, make in makers.items():
        assert torch.equal(torch.tensor(together[name].position), by_hand(make, hills, (1.5, 1.0), 30)[0])


def test_a_students_function_that_branches_is_walked_too():
    def cliff(x, y):
        return x**2 + y**2 if x > 1 else torch.stack([x, y]).pow(2).sum()

    found = surface(cliff, start=(3.0, 2.0))
    assert not found.elementwise
    walk = trace(optimizer("SGD", 0.1), found, steps=20)
    assert torch.equal(
        torch.tensor(walk.position), by_hand(optimizer("SGD", 0.1), lambda x, y, s: cliff(x, y), (3.0, 2.0), 20)[0]
    )
    assert ground_of(found, 21).z.shape == (21, 21)


def test_the_two_surfaces_of_uva_end_as_published():
    ravine, holes = surfaces()["uva ravine"], surfaces()["uva holes"]

    def low(walk):
        return walk.diverged is None and walk.loss[-1] < 0.05

    assert not low(trace(optimizer("SGD", 10.0), ravine, (5.0, 5.0), 100))
    assert low(trace(optimizer("momentum", 1.0), ravine, (5.0, 5.0), 100))
    assert low(trace(optimizer("Adam", 1.0), ravine, (5.0, 5.0), 100))
    assert trace(optimizer("Adam", 0.2), holes, (0.0, 0.0), 100).to_minimum < 0.05
    assert trace(optimizer("SGD", 0.5), holes, (0.0, 0.0), 100).to_minimum > 0.3
    assert trace(optimizer("momentum", 0.1), holes, (0.0, 0.0), 100).to_minimum > 0.3


@pytest.mark.parametrize("rate", [2.1, 1e3, 1e30])
def test_a_walk_that_diverges_is_cut_and_said(rate):
    walks = traces({"SGD": optimizer("SGD", rate), "Adam": optimizer("Adam", 0.1)}, "bowl", steps=200)
    lost = walks["SGD"]
    assert lost.diverged is not None and lost.steps <= lost.diverged < 200
    assert numpy.isfinite(lost.position).all()
    assert f"diverged at step {lost.diverged}" in str(walks)
    assert walks["Adam"].steps == 200 and walks["Adam"].diverged is None


@pytest.mark.parametrize("name", ["SGD", "momentum", "Nesterov", "Adam", "AdamW", "RMSprop", "Adagrad"])
def test_the_three_parts_of_a_step_add_up(name):
    walk = trace(optimizer(name, 0.05), "ravine", steps=30)
    assert sum(walk.parts[part] for part, _, _ in PARTS) == pytest.approx(walk.update, abs=1e-6)
    assert walk.parts["gradient"] == pytest.approx(-0.05 * walk.gradient[:-1])
    if name in ("SGD", "momentum", "Nesterov"):
        assert abs(walk.parts["adaptive"]).max() < 1e-5
    if name in ("SGD", "RMSprop", "Adagrad"):
        assert abs(walk.parts["momentum"]).max() == 0


def test_the_effective_step_size_is_the_rate_for_sgd_and_the_rate_over_the_root_for_adam():
    assert trace(optimizer("momentum", 0.05), "ravine", steps=30).step_size == pytest.approx(0.05, rel=1e-3)
    for name in ("Adam", "AdamW"):
        walk = trace(optimizer(name, 0.05), "ravine", steps=30)
        corrected = walk.second / (1 - 0.999 ** numpy.arange(1, 31))[:, None]
        assert walk.step_size == pytest.approx(0.05 / (numpy.sqrt(corrected) + 1e-8), rel=5e-3)


def test_traces_tell_where_each_came_to():
    walks = few(steps=150)
    assert walks["Adam"].arrived is not None and walks["Adam"].to_minimum < 0.5
    said = str(walks)
    assert all(name in said for name in walks) and "to a minimum" in said
    assert "<table" in walks._repr_html_() and "<table" in walks["Adam"]._repr_html_()
    assert repr(optimizer("momentum", 0.1)) == "torch.optim.SGD(params, lr=0.1, momentum=0.9)"


@pytest.mark.parametrize(
    "call, said",
    [
        (lambda: optimizer("Adan", 0.1), "No optimizer 'Adan'"),
        (lambda: trace(optimizer("Adam", -1.0)), "Invalid learning rate"),
        (lambda: trace(optimizer("SGD", 0.1, betas=1)), "won't do"),
        (lambda: surface_of("hill"), "No surface 'hill'"),
        (lambda: trace(optimizer("SGD", 0.1), start=(1.0,)), "give two numbers"),
        (lambda: trace(optimizer("SGD", 0.1), start=(1.0, math.inf)), "give two numbers"),
        (lambda: trace(optimizer("SGD", 0.1), steps=0), "whole number"),
        (lambda: traces({}), "at least one"),
        (lambda: trace(optimizer("SGD", 0.1), lambda x, y: 3.0), "gives no gradient"),
        (lambda: trace(optimizer("SGD", 0.1), lambda x: x), "gives no gradient"),
        (lambda: surface(lambda x, y: x, window=(1, 0, 0, 1)), "left < right"),
    ],
)
def test_what_cannot_be_walked_is_said(call, said):
    with pytest.raises(BadInput, match=re.escape(said)):
        call()


# Pictures

FIGURES = {
    "walk_map": lambda: plots.walk_map(few()),
    "walk_map of a divergence": lambda: plots.walk_map(few("beale", 0.01), step=7),
    "mountain": lambda: plots.mountain(few("himmelblau", 0.01)),
    "walk_losses": lambda: plots.walk_losses(few()),
    "walk_losses below 0": lambda: plots.walk_losses(few("uva holes", 0.2)),
    "step_sizes": lambda: plots.step_sizes(few()),
    "one_step": lambda: plots.one_step(few()["Adam"], 5),
}


@pytest.mark.parametrize("name", FIGURES)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_figure_is_drawn_without_a_warning_and_nothing_is_cut_off(name, lang, monkeypatch):
    monkeypatch.setenv("LABKIT_LANG", lang)
    fig = FIGURES[name]()
    fig.savefig(io.BytesIO(), format="raw")  # a warning of a missing glyph would be an error here
    seen, (width, height) = fig.get_tightbbox(), fig.get_size_inches()
    assert seen.x0 >= -0.01 and seen.y0 >= -0.01 and seen.x1 <= width + 0.01 and seen.y1 <= height + 0.01
    assert any("\u4e00" <= c <= "\u9fff" for axes in fig.axes for c in axes.get_title(loc="left")) == (lang == "zh")


def test_a_map_draws_the_places_that_were_walked():
    walks = few()
    (axes,) = plots.walk_map(walks, step=10).axes
    lines = {line.get_label(): line.get_xydata() for line in axes.get_lines()}
    assert lines["Adam"] == pytest.approx(walks["Adam"].position[:11])


def test_a_path_is_cut_where_it_leaves_for_the_last_time():
    window = (-1.0, 1.0, -1.0, 1.0)
    assert edge([(0, 0), (0.5, 0.5)], window) is None
    assert edge([(0, 0), (2.0, 0.0)], window) == (1.0, 0.0)
    assert edge([(0, 0), (5, 0), (0, 0.5), (0.0, -7.0)], window) == (0.0, -1.0)


@every_surface
def test_a_scene_is_small_svg_that_needs_nothing_from_outside(name):
    from xml.etree import ElementTree

    walks = few(name, surfaces()[name].rate, steps=200)
    for drawn in (plots.scene(walks), plots.scene(walks, step=5, arrows=True)):
        ElementTree.fromstring(drawn)
        assert 5_000 < len(drawn.encode()) < 45_000
        assert not re.search(r"""(href|src)=["'](?!data:)""", drawn) and "nan" not in drawn
        assert all(f">{n}</text>" in drawn for n in walks)


def test_a_scene_says_who_was_lost_and_escapes_names():
    walks = traces({"<b>": optimizer("SGD", 2.1)}, "bowl")
    drawn = plots.scene(walks)
    assert f"✕ step {walks['<b>'].diverged}" in drawn and "<b>" not in drawn
    assert plots.scene(walks, step=1) != drawn


def test_a_notebook_shows_paths_in_their_own_colours_on_the_terrain():
    from PIL import Image

    png, _ = plots.walk_map(few())._repr_png_()
    seen = numpy.array(Image.open(io.BytesIO(png)).convert("RGB")).reshape(-1, 3).astype(int)
    for colour in plots.COLOURS[:5]:
        wanted = [int(colour[i : i + 2], 16) for i in (1, 3, 5)]
        assert abs(seen - wanted).max(1).min() < 20, colour
    assert len(png) < 120_000

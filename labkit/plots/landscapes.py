"""Figures of optimizers as walkers in mountains: maps, the mountain itself, losses, one step taken apart, real slices.

What they draw are the records of landscape.py and slices.py; the terrain is made in terrain.py. Notebook 04 uses them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from labkit.base.language import tr
from labkit.plots.look import COLOURS, FAMILIES, drawn, figure, legend, number, whole_numbers
from labkit.plots.terrain import Ground, bands, edge, ground, ground_of, shaded

INK = "#33413f"
PARTS = (("gradient", "#222222", "-"), ("momentum", COLOURS[0], "--"), ("adaptive", COLOURS[1], ":"))


def map_of(land: Ground, width: float = 4.8, names: tuple[str, str] = ("x", "y")) -> tuple[Any, Any]:
    """A figure with the terrain, its contour lines and their losses."""
    fig, axes = figure(width, 0.9 + (width - 1.6) * land.shape)
    fig.colours = 80  # terrain alone fills a good part of the usual palette
    left, right, bottom, top = land.window
    if float(land.levels[-1]) > 0:
        edges, tints = bands(land)
        axes.contourf(land.x, land.y, land.height, levels=edges, colors=tints, antialiased=False)
        look = {"colors": INK, "linewidths": 0.6, "alpha": 0.45}
        lines = axes.contour(land.x, land.y, land.height, levels=land.levels, **look)
        axes.clabel(lines, lines.levels[1::3], fmt=lambda h: number(land.true(h)), fontsize=7.5, inline_spacing=2)
    axes.set(xlim=(left, right), ylim=(bottom, top), xlabel=names[0], ylabel=names[1])
    axes.set_box_aspect(land.shape)
    axes.grid(False)
    return fig, axes


def draw_path(axes, places, colour: str, name: str, window, lost: bool) -> None:
    """A path with a white edge, a dot at its end, a cross where it leaves for good."""
    from matplotlib.patheffects import Normal, Stroke

    halo = [Stroke(linewidth=3.4, foreground="white", alpha=0.85), Normal()]
    axes.plot(*zip(*places, strict=True), color=colour, lw=1.7, label=name, path_effects=halo, solid_joinstyle="round")
    end = {"color": colour, "mec": "white", "mew": 1.0, "clip_on": False, "zorder": 5}
    out = edge(places, window)
    if out is None:
        axes.plot(*places[-1], marker="o", ms=7, **end)
    elif lost:
        axes.plot(*out, marker="X", ms=10, **end)


@drawn
def walk_map(walks: Mapping[str, Any], step: int | None = None) -> Any:
    """The map of a surface and the optimizers' ways over it, all of them or the first `step` steps.

    Circle: start; star: a known minimum; cross: left the map for good.

    >>> plots.walk_map(traces({"SGD": optimizer("SGD", 0.3), "Adam": optimizer("Adam", 0.3)}, "ravine"))
    """
    surface = next(iter(walks.values())).surface
    land = ground_of(surface)
    fig, axes = map_of(land)
    for (name, walk), colour in zip(walks.items(), colours(len(walks)), strict=True):
        places = walk.position if step is None else walk.position[: step + 1]
        lost = walk.diverged is not None and len(places) == len(walk.position)
        note = tr(f"{name}（第 {walk.diverged} 步发散）", f"{name} (diverged at step {walk.diverged})")
        draw_path(axes, places, colour, note if lost else name, land.window, lost)
    landmarks(axes, surface, next(iter(walks.values())).position[0])
    upto = "" if step is None else tr(f"，第 {step} 步", f", step {step}")
    axes.set_title(surface.title + upto)
    fig.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=2 if len(walks) < 5 else 3)
    return fig


def colours(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def landmarks(axes, surface, start) -> None:
    look = {"ls": "none", "mec": INK, "zorder": 6}
    axes.plot(*start, marker="o", ms=8, color="white", mew=1.6, **look)
    if surface.minima:
        x, y = zip(*surface.minima, strict=True)
        axes.plot(x, y, marker="*", ms=13, color="#ffe680", mew=0.8, **look)


@drawn
def mountain(walks: Mapping[str, Any], step: int | None = None, turn: float = -60.0, tilt: float = 38.0) -> Any:
    """The surface as a mountain, seen from `turn` degrees around and `tilt` above, with the optimizers' ways on it."""
    import numpy

    surface = next(iter(walks.values())).surface
    land = ground_of(surface, 81)
    fig, axes = figure(6.8, 5.0)
    fig.colours = 256
    axes.remove()
    axes = fig.add_subplot(projection="3d", computed_zorder=False)
    mesh = numpy.meshgrid(land.x, land.y)
    look = {"rcount": 81, "ccount": 81, "linewidth": 0, "antialiased": False, "shade": False}
    axes.plot_surface(*mesh, land.height, facecolors=shaded(land), zorder=1, **look)
    axes.contour(*mesh, land.height, levels=land.levels, colors=INK, linewidths=0.4, alpha=0.35, zorder=2)
    left, right, bottom, top = land.window
    lift = 0.02 * float(land.height.max())
    for (name, walk), colour in zip(walks.items(), colours(len(walks)), strict=True):
        n = len(walk.position) if step is None else step + 1
        x, y = walk.position[:n].T
        seen = (x >= left) & (x <= right) & (y >= bottom) & (y <= top)
        x, y = (numpy.where(seen, v, numpy.nan) for v in (x, y))
        z = numpy.where(seen, land.drawn(walk.loss[:n]) + lift, numpy.nan)
        axes.plot(x, y, z, color="white", lw=3.6, alpha=0.8, zorder=3)
        axes.plot(x, y, z, color=colour, lw=1.9, label=name, zorder=4)
        last = int(seen.nonzero()[0].max(initial=0))
        axes.plot(x[last], y[last], z[last], "o" if seen[-1] else "X", color=colour, mec="white", ms=7, zorder=5)
    axes.set(xlabel="x", ylabel="y", xlim=(left, right), ylim=(bottom, top))
    axes.set_title(surface.title, loc="left")
    axes.set_box_aspect((1, min(1.2, max(0.6, land.shape)), 0.55))
    axes.view_init(elev=tilt, azim=turn)
    ticks = numpy.linspace(0, float(land.height.max()), 5)
    axes.set_zticks(ticks, [number(land.true(h)) for h in ticks])
    axes.set_zlabel(tr("损失（对数刻度）", "loss (log scale)"))
    axes.tick_params(labelsize=8, labelfontfamily=FAMILIES)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.set_pane_color((1, 1, 1, 0))
    fig.legend(*axes.get_legend_handles_labels(), loc="outside right upper")
    return fig


@drawn
def walk_losses(walks: Mapping[str, Any]) -> Any:
    """Loss against step, a line an optimizer; on a logarithmic scale where losses are above 0 and far apart."""
    import numpy

    fig, axes = figure(5.6, 2.7)
    surface = next(iter(walks.values())).surface
    most = 10 * max(float(abs(w.loss[0])) for w in walks.values()) + 1e-12
    least = min(float(w.loss.min()) for w in walks.values())
    for (name, walk), colour in zip(walks.items(), colours(len(walks)), strict=True):
        axes.plot(numpy.clip(walk.loss, None, most), color=colour, label=name, lw=1.7)
        if walk.diverged is not None:
            last = len(walk.loss) - 1
            axes.plot(last, min(float(walk.loss[-1]), most), "X", color=colour, ms=9, mec="white", clip_on=False)
    if 0 <= least < most / 1000:
        axes.set_ylim(bottom=max(least, most * 1e-10))
        by_tens(axes)
    axes.set(title=surface.title, xlabel=tr("步", "step"), ylabel=tr("损失", "loss"))
    whole_numbers(axes)
    legend(fig, axes, len(walks))
    return fig


def by_tens(axes) -> None:
    """A logarithmic vertical axis whose ticks are plain numbers."""
    from matplotlib.ticker import LogLocator, NullFormatter

    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 300 * low else (1,), numticks=8))
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(NullFormatter())


@drawn
def step_sizes(walks: Mapping[str, Any]) -> Any:
    """The effective step size of each of the two parameters, step by step: where the lines of an optimizer differ, it
    gives each parameter a step size of its own."""
    import numpy

    fig, both = figure(7.2, 2.7, columns=2)
    for axes, which, title in zip(both, (0, 1), ("x", "y"), strict=True):
        for (name, walk), colour in zip(walks.items(), colours(len(walks)), strict=True):
            size = walk.step_size[:, which]
            steps = numpy.arange(1, len(size) + 1)
            axes.plot(steps, numpy.where(size > 0, size, numpy.nan), color=colour, label=name, lw=1.7)
        by_tens(axes)
        name = tr(f"参数 {title} 的有效步幅", f"Effective step size of parameter {title}")
        axes.set(title=name, xlabel=tr("步", "step"))
        whole_numbers(axes)
    both[0].set_ylabel(tr("步 / 方向", "step / direction"))
    fig.legend(*both[0].get_legend_handles_labels(), loc="outside right upper")
    return fig


@drawn
def one_step(walk, step: int = 1) -> Any:
    """One step taken apart: down the gradient, what momentum adds, what each parameter's own scale changes.

    The three arrows stand one on another and end where the optimizer went.
    """
    import numpy

    k = min(max(1, step), walk.steps) - 1
    here, there = walk.position[k], walk.position[k + 1]
    corners = [here]
    for name, _, _ in PARTS:
        corners.append(corners[-1] + walk.parts[name][k])
    low, high = numpy.min([*corners, there], 0), numpy.max([*corners, there], 0)
    half, middle = 0.75 * max(float((high - low).max()), 1e-6), (low + high) / 2
    x, y = (numpy.linspace(m - half, m + half, 121) for m in middle)
    land = ground(x, y, walk.surface.on_grid(*numpy.meshgrid(x, y)))
    fig, axes = map_of(land)
    words = {
        "gradient": tr("梯度：SGD 会走的一步", "gradient: the step of SGD"),
        "momentum": tr("动量加上的", "what momentum adds"),
        "adaptive": tr("各参数自己的步幅改变的", "what each parameter's own scale changes"),
    }
    for (name, colour, style), tail, tip in zip(PARTS, corners, corners[1:], strict=False):
        length = float(numpy.hypot(*(tip - tail)))
        label = f"{words[name]}  {number(length)}"
        if length < 1e-3 * half:
            axes.plot([], [], color=colour, ls=style, label=label)
            continue
        arrow = {"arrowstyle": "-|>", "color": colour, "lw": 2.2, "ls": style, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", tip, tail, arrowprops={**arrow, "mutation_scale": 15}, zorder=6)
        axes.plot([], [], color=colour, ls=style, lw=2.2, label=label)
    axes.plot(*zip(*walk.position, strict=True), color="white", lw=1.2, alpha=0.7, marker=".", ms=4)
    total = tr("这一步", "the step taken") + f"  {number(float(numpy.hypot(*(there - here))))}"
    axes.plot(*zip(here, there, strict=True), color=COLOURS[3], lw=5, alpha=0.55, label=total, zorder=4)
    axes.plot(*here, marker="o", ms=8, color="white", mec=INK, mew=1.6, zorder=7)
    axes.set(title=tr(f"{walk.name} 的第 {k + 1} 步", f"{walk.name}, step {k + 1}"))
    axes.ticklabel_format(useOffset=False)
    fig.legend(*axes.get_legend_handles_labels(), loc="outside lower left", ncols=1)
    return fig


@drawn
def slice_map(found, paths: Sequence = ()) -> Any:
    """The loss of a real model over a plane (`slice_loss`), and trainings that went through it (`plane.follow`)."""
    fig, axes = map_of(land := ground(found.a, found.b, found.loss), names=found.axes)
    for path, colour in zip(paths, colours(len(paths)), strict=True):
        name = path.name + (
            tr(f"（平面外 {path.outside:.0%}）", f" ({path.outside:.0%} outside)") if path.outside > 0.01 else ""
        )
        draw_path(axes, path.places, colour, name, land.window, lost=False)
        axes.plot(*path.places[0], "o", ms=8, color="white", mec=INK, mew=1.6, zorder=6)
    if not paths:
        axes.plot(0, 0, "o", ms=8, color="white", mec=INK, mew=1.6, zorder=6)
    axes.set_title(tr(f"损失（nat，{found.rows} 行）", f"Loss (nats, {found.rows} rows)"))
    if paths:
        fig.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=min(3, len(paths)))
    return fig

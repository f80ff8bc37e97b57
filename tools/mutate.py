"""Mutants of the reference solutions: each operator, constant, comparison and branch changed, one at a time; each must fail.

    python tools/mutate.py [LESSONS] [--every N] [--id 01.3]

Prints killed / total for each lesson and the mutants that passed their check. A mutant that computes the same is listed with
its reason in tools/mutants_alike.toml and not tried. --every N takes each N-th mutant, always the same ones.
"""

import argparse
import ast
import contextlib
import copy
import io
import signal
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SECONDS = 20  # a mutant that runs longer is stuck in a loop, and killed
OPERATORS = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Div, ast.Mod: ast.FloorDiv,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE,
    ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And,
}  # fmt: skip
NAMES = {"min": "max", "max": "min", "any": "all", "all": "any"}


@dataclass(frozen=True)
class Mutant:
    """A solution with one thing changed."""

    id: str
    line: str  # the line it stands in, as it was
    change: str  # "Lt -> LtE", "0 -> 1"
    code: str

    @property
    def name(self) -> str:
        return f"{self.id} | {self.line} | {self.change}"


def changes(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """What may stand in place of a node, with a word for it."""
    kind = type(node)
    if isinstance(node, (ast.BinOp, ast.AugAssign, ast.BoolOp)) and type(node.op) in OPERATORS:
        yield swapped(node, "op", node.op)
    if isinstance(node, ast.Compare):
        for place, op in enumerate(node.ops):
            if type(op) in OPERATORS:
                other = copy.deepcopy(node)
                other.ops[place] = OPERATORS[type(op)]()
                yield f"{type(op).__name__} -> {OPERATORS[type(op)].__name__}", other
    if isinstance(node, ast.UnaryOp) and not isinstance(node.operand, ast.Constant):
        yield f"without {type(node.op).__name__}", node.operand
    if isinstance(node, ast.Constant):
        yield from constants(node)
    if isinstance(node, ast.Name) and node.id in NAMES:
        yield f"{node.id} -> {NAMES[node.id]}", ast.Name(NAMES[node.id], node.ctx)
    if isinstance(node, (ast.If, ast.IfExp)):
        for value in (True, False):
            other = copy.deepcopy(node)
            other.test = ast.Constant(value)
            yield f"{kind.__name__} {value}", other
    if isinstance(node, ast.comprehension) and node.ifs:
        other = copy.deepcopy(node)
        other.ifs = []
        yield "without if", other
    if isinstance(node, (ast.Break, ast.Continue)) or (
        isinstance(node, (ast.Expr, ast.AugAssign)) and not isinstance(getattr(node, "value", None), ast.Constant)
    ):
        yield f"without {kind.__name__}", ast.Pass()


def swapped(node, field: str, op) -> tuple[str, ast.AST]:
    other = copy.deepcopy(node)
    setattr(other, field, OPERATORS[type(op)]())
    return f"{type(op).__name__} -> {OPERATORS[type(op)].__name__}", other


def constants(node: ast.Constant) -> Iterator[tuple[str, ast.AST]]:
    value = node.value
    if isinstance(value, bool):
        others = [not value]
    elif isinstance(value, int):
        others = [value + 1, value - 1]
    elif isinstance(value, float):
        others = [value * 1.5 + 0.1, value * 0.5]
    else:
        others = [f"{value}_"] if isinstance(value, str) else []
    for other in set(others) - {value}:
        yield f"{value!r} -> {other!r}", ast.copy_location(ast.Constant(other), node)


def mutants(id: str, source: str) -> Iterator[Mutant]:
    """Every mutant of the lines between BEGIN SOLUTION and END SOLUTION; messages of errors stay."""
    lines, inside, now = source.splitlines(), set(), False
    for number, line in enumerate(lines, start=1):
        now = now or "BEGIN SOLUTION" in line
        if now:
            inside.add(number)
        now = now and "END SOLUTION" not in line
    tree = ast.parse(source)
    spoken = {n for r in ast.walk(tree) if isinstance(r, (ast.Raise, ast.JoinedStr)) for n in ast.walk(r)}
    for parent in list(ast.walk(tree)):
        for field, value in ast.iter_fields(parent):
            for place, node in enumerate(value if isinstance(value, list) else [value]):
                number = getattr(node, "lineno", getattr(getattr(node, "target", None), "lineno", None))
                if not isinstance(node, ast.AST) or number not in inside or node in spoken:
                    continue
                for word, other in changes(node):
                    put(parent, field, place, other)
                    code = ast.unparse(ast.fix_missing_locations(tree))
                    put(parent, field, place, node)
                    yield Mutant(id, lines[number - 1].strip(), word, code)


def put(parent, field: str, place: int, node) -> None:
    old = getattr(parent, field)
    if isinstance(old, list):
        old[place] = node
    else:
        setattr(parent, field, node)


def alike() -> dict[str, str]:
    """The mutants that compute the same, with the reason."""
    text = (ROOT / "tools" / "mutants_alike.toml").read_text(encoding="utf-8")
    return {name: reason for reason, names in tomllib.loads(text).items() for name in names}


def solutions(source: Path) -> Iterator[tuple[str, str, dict]]:
    """(exercise, the source of its answer, the names it can use), with the answers before it."""
    if str(ROOT / "tools") not in sys.path:
        sys.path.insert(0, str(ROOT / "tools"))
    import build_notebooks

    space: dict = {}
    for cell in build_notebooks.code_cells(build_notebooks.read_source(source, "en")):
        grade = cell["metadata"].get("nbgrader", {}).get("grade_id", "")
        if grade.startswith("answer"):
            yield grade.removeprefix("answer-").replace("-", "."), cell.source, dict(space)
        if grade.startswith("answer") or "setup" in cell["metadata"].get("tags", []):
            with contextlib.redirect_stdout(io.StringIO()):
                exec(cell.source, space)


class Stuck(BaseException):
    """A mutant ran out of time; no answer can catch this."""


def passes(mutant: Mutant, space: dict, seconds: float = SECONDS) -> bool:
    """Whether the mutant gets through its check."""
    from labkit_exercises.exercise import PASSED, find, judge

    def ring(*_):
        raise Stuck

    mine = dict(space)
    before = set(mine)
    kept = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        exec(compile(mutant.code, "<mutant>", "exec"), mine)
        names = [n for n in mine if n not in before and n != "__builtins__"]
        return judge(find(mutant.id), mine[names[-1]], seed=1)[0] == PASSED
    except (Stuck, Exception):  # a mutant may raise anything
        return False
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, kept)


def survey(lessons=(), every: int = 1, only: str = "") -> tuple[dict, list[Mutant]]:
    """{lesson: (killed, tried)} and the mutants that passed."""
    known, found, left, number = alike(), {}, [], 0
    for source in sorted((ROOT / "solutions" / "src").glob("*.py")):
        if lessons and source.stem.split("_")[0] not in lessons:
            continue
        for id, text, space in solutions(source):
            for mutant in mutants(id, text) if only in ("", id) else ():
                number += 1
                if number % every or mutant.name in known:
                    continue
                passed = passes(mutant, space)
                killed, tried = found.get(id.partition(".")[0], (0, 0))
                found[id.partition(".")[0]] = (killed + (not passed), tried + 1)
                left += [mutant] * passed
    return found, left


def main(argv=None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("lessons", nargs="*", metavar="LESSONS", help="such as 01; all when left out")
    parser.add_argument("--every", type=int, default=1, metavar="N", help="each N-th mutant only")
    parser.add_argument("--id", default="", help="the mutants of one exercise")
    args = parser.parse_args(argv)
    found, left = survey(args.lessons, args.every, args.id)
    for lesson, (killed, tried) in found.items():
        print(f"{lesson}  {killed:4} / {tried}")
    print(f"all {sum(k for k, _ in found.values()):4} / {sum(n for _, n in found.values())}")
    for mutant in left:
        print("passed:", mutant.name)
    return len(left)


if __name__ == "__main__":
    sys.exit(bool(main()))

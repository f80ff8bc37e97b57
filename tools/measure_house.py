"""The house in figures: rooms, arrows between them, lines, long files, how long functions are.

    python tools/measure_house.py [FOLDER]                   # a checkout; this one if none is given

A room is a folder of `labkit/` (in the flat layout before it, a module); an arrow is an import from one room of another.
A function's length is without its docstring.
"""

import ast
import statistics
import sys
from collections import defaultdict
from pathlib import Path

SPINE = ("base", "modalities", "tasks", "data", "models", "strategies", "training")


def imports(path: Path, tree: ast.AST, root: Path):
    """Dotted names of labkit that a file imports, wherever in it."""
    folders = path.relative_to(root).with_suffix("").parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            above = list(folders[: len(folders) - node.level + 1]) if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def room_of(parts: tuple[str, ...]) -> str:
    return parts[1].removesuffix(".py") if len(parts) > 1 else "__init__"


def floors(arrows: dict[str, set[str]]) -> int:
    """How many storeys the rooms need when each stands above all that it imports."""
    height: dict[str, int] = {}

    def stand(room: str, below: tuple[str, ...] = ()) -> int:
        if room not in height and room not in below:
            height[room] = 1 + max((stand(r, (*below, room)) for r in arrows[room]), default=0)
        return height.get(room, 0)

    return max(map(stand, list(arrows)))


def main() -> None:
    root = Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
    arrows, files, lengths, spine = defaultdict(set), {}, [], 0
    for path in sorted((root / "labkit").rglob("*.py")):
        text = path.read_text("utf-8")
        tree, parts = ast.parse(text), path.relative_to(root).parts
        files["/".join(parts)] = text.count("\n")
        room = room_of(parts)
        spine += text.count("\n") if room in SPINE else 0
        arrows[room] |= set()
        for name in imports(path, tree, root):
            words = name.split(".")
            target = words[1] if len(words) > 1 else ""
            known = (root / "labkit" / target).is_dir() or (root / "labkit" / f"{target}.py").exists()
            if words[0] == "labkit" and target and known and target != room and room not in ("__init__", "__main__"):
                arrows[room].add(target)
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                first = node.body[0]
                doc = isinstance(first, ast.Expr) and isinstance(getattr(first, "value", None), ast.Constant)
                said = first.end_lineno - first.lineno + 1 if doc else 0
                lengths.append(node.end_lineno - node.lineno + 1 - said)
    long = sorted(((n, f) for f, n in files.items() if n > 300), reverse=True)
    tenth = statistics.quantiles(lengths, n=10)[-1]
    rooms = [r for r in arrows if r not in ("__init__", "__main__")]
    print(f"rooms {len(rooms)}, floors {floors(arrows)}, arrows {sum(map(len, arrows.values()))}")
    print(f"files {len(files)}, lines {sum(files.values()):,}, of them in {'..'.join((SPINE[0], SPINE[-1]))} {spine:,}")
    print(f"functions {len(lengths)}: median {statistics.median(lengths):.0f}, p90 {tenth:.0f}, longest {max(lengths)}")
    print(f"files above 300 lines: {len(long)}", *(f"  {n} {f}" for n, f in long), sep="\n")


if __name__ == "__main__":
    main()

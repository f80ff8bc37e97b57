"""What the notebooks need beside the science: a model and a device, and numbers that print the same everywhere."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path

from labkit_exercises.ledger import scored_beside

import labkit as lk
from labkit import BadInput, listing, tr

SMALL, BIG = "tiny-bert-zh", "bert-base-chinese"


REFERENCES = Path(__file__).parent / "references"


def about(name: str, value: float, reference: float, tolerance: float) -> None:
    """Print the measured value beside the reference and its range, with a ✗ where it lies outside.

    >>> about("accuracy", 0.8312, 0.83, 0.02)
    accuracy 0.831 (ours 0.83 ± 0.02)

    nbval blanks the measured value (nbval_sanitize.cfg) and compares the rest: a notebook's stored output holds on every
    device and version, and a drift is seen at once.
    """
    ours = f"{reference:g} ± {tolerance:g}"
    if abs(value - reference) <= tolerance:
        print(tr(f"{name} {rounded(value, ours)}（我们 {ours}）", f"{name} {rounded(value, ours)} (ours {ours})"))
    else:
        print(f"{name} = {value:.6g} ✗ {tr('应为', 'expected')} {ours}")


def rounded(value: float, ours: str) -> str:
    """A value with one digit more than its reference has; whole where both are; beside a tiny range by its power of ten."""
    if "e-" in ours:
        return f"{value:.0e}"
    digits = max(len(number.partition(".")[2]) for number in ours.split(" ± "))
    return f"{value:.0f}" if value == int(value) and not digits else f"{value:.{digits + 1}f}"


def expect(table: str | Mapping[str, tuple[str, float, float]]) -> Callable[..., None]:
    """A notebook's references: what it gives is called with a key of them and the number that was measured.

    >>> expect = lk.expect("01")                                          # the references of notebook 01
    >>> expect = lk.expect({"test": ("test accuracy", 0.77, 0.06)})       # key: (name, reference, tolerance)
    >>> expect("test", 0.7812)
    test accuracy 0.781 (ours 0.77 ± 0.06)

    `expect("test", 0.7812, guess="01.9")` also scores the guess that was given before.
    """
    table = references(table) if isinstance(table, str) else table
    table = {key: row_of(key, row) for key, row in table.items()}

    def expected(key: str, value: float, guess: str | None = None) -> None:
        if key not in table:
            raise BadInput(
                tr(
                    f"参考值里没有 {key!r}；有：{listing(table, 40)}。",
                    f"No reference {key!r}; there are: {listing(table, 40)}.",
                )
            )
        name, reference, tolerance = table[key]
        about(name, number_of(key, value), reference, tolerance)
        if guess is not None:
            scored_beside(guess, number_of(key, value))

    return expected


def references(number: str) -> dict[str, tuple[str, float, float]]:
    """What we measured for a notebook: name in the language in force, reference, tolerance."""
    path = REFERENCES / f"{number}.toml"
    if not path.is_file():
        there = listing(sorted(p.stem for p in REFERENCES.glob("*.toml")), 40)
        raise BadInput(
            tr(
                f"没有笔记 {number!r} 的参考值；有：{there}。",
                f"No references of a notebook {number!r}; there are: {there}.",
            )
        )
    rows = tomllib.loads(path.read_text(encoding="utf-8"))
    return {key: (tr(row["zh"], row["en"]), row["value"], row["within"]) for key, row in rows.items()}


def row_of(key: str, row) -> tuple[str, float, float]:
    """A row of references, as it was given."""
    match row:
        case (str(), int() | float(), int() | float()) if row[2] >= 0:
            return tuple(row)
    raise BadInput(
        tr(
            f'参考值 {key!r} 写作 (名字, 参考值, 允许的偏差)，如 ("准确率", 0.77, 0.06)；收到的是 {row!r}。',
            f'A reference is (name, reference, tolerance), such as ("accuracy", 0.77, 0.06); {key!r} has {row!r}.',
        )
    )


def number_of(key: str, value) -> float:
    """The measured number, also where it is a tensor or an array that holds just one."""
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError):  # the last is torch's
        raise BadInput(
            tr(
                f"{key!r} 要对的是一个数，收到的是 {type(value).__name__}：{str(value)[:60]}。",
                f"{key!r} is compared as one number; it got {type(value).__name__}: {str(value)[:60]}.",
            )
        ) from None


def equipment(big: bool = False) -> tuple[str, str]:
    """The model and the device of a notebook: the packaged tiny one, or with `big` a full-size BERT on a graphics card.

    >>> MODEL, DEVICE = equipment()
    tiny-bert-zh on cpu: the numbers in this notebook were measured with this model
    """
    device = "cuda" if lk.machine.device() == "cuda" else "cpu"  # Apple's mps gains a tiny model nothing
    if not big:
        print(
            tr(
                f"{SMALL}，设备 {device}：这本笔记里的数，就是用这个模型量的",
                f"{SMALL} on {device}: the numbers in this notebook were measured with this model",
            )
        )
        return SMALL, device
    if device == "cpu":
        raise BadInput(
            tr(
                f"要了大模型 {BIG}，这台机器却没有可用的显卡，训练一遍要几个小时。可用的：big=False（{SMALL}）。"
                "在 Colab 里选 运行时 → 更改运行时类型 → GPU，再从头运行。",
                f"The big model {BIG} was asked for, but this machine has no graphics card in reach, and one run would "
                f"take hours. Accepted: big=False ({SMALL}). In Colab choose Runtime → Change runtime type → GPU, and "
                "run again from the top.",
            )
        )
    print(
        tr(
            f"{BIG}，设备 {device}：第一次要下载约 400 MB；参考值是小模型的，✗ 是意料之中，把两个数放在一起读",
            f"{BIG} on {device}: about 400 MB come down the first time; the references are the tiny model's, so expect ✗ "
            "and read both numbers side by side",
        )
    )
    return BIG, device

"""What the notebooks need beside the science: a model and a device, and numbers that print the same everywhere."""

from labkit.base import machine
from labkit.base.language import tr
from labkit.base.records import BadInput

SMALL, BIG = "tiny-bert-zh", "bert-base-chinese"


def about(name: str, value: float, reference: float, tolerance: float) -> None:
    """Print the reference when `value` is within `tolerance` of it, and the real value when it is not.

    >>> about("accuracy", 0.8312, 0.83, 0.02)
    accuracy ≈ 0.83 (± 0.02)

    So a notebook's stored output holds on every device and version, and a drift is seen at once.
    """
    if abs(value - reference) <= tolerance:
        print(f"{name} ≈ {reference:g} (± {tolerance:g})")
    else:
        print(f"{name} = {value:.6g} ✗ {tr('应为', 'expected')} {reference:g} ± {tolerance:g}")


def equipment(big: bool = False) -> tuple[str, str]:
    """The model and the device of a notebook: the packaged tiny one, or with `big` a full-size BERT on a graphics card.

    >>> MODEL, DEVICE = equipment()
    tiny-bert-zh on cpu: the numbers in this notebook were measured with this model
    """
    device = "cuda" if machine.device() == "cuda" else "cpu"  # Apple's mps gains a tiny model nothing
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

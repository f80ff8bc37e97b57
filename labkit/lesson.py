"""What the notebooks need beside the science: numbers that print the same everywhere."""

from labkit.text import tr


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

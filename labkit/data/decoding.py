"""A file's bytes as text, whatever the encoding; one clear message for what is no text."""

import codecs
import contextlib
import gzip
import zlib
from pathlib import Path

from labkit.base.language import tr
from labkit.base.records import BadInput


def decode(path: Path) -> tuple[str, str]:
    """A file's text and its encoding: UTF-8 with or without byte-order mark, UTF-16 with one, else GBK (GB 18030); unpacked
    where it is gzip."""
    if path.is_dir():
        raise BadInput(
            tr(
                f"{path} 是文件夹。请给出里面的一个 .csv 或 .csv.gz 文件。",
                f"{path} is a folder. Give a .csv or .csv.gz file in it.",
            )
        )
    if not path.exists():
        raise FileNotFoundError(
            tr(f"没有文件 {path}。请给出一个 .csv 或 .csv.gz 文件。", f"No file {path}. Give a .csv or .csv.gz file.")
        )
    data = path.read_bytes()
    try:
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error):
        raise BadInput(
            tr(
                f"{path} 是损坏的 gzip 文件。请重新下载或压缩。",
                f"{path} is a damaged gzip file. Download or pack it again.",
            )
        ) from None
    if data[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("utf-16"), "UTF-16"
    if b"\0" not in data:
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("utf-8-sig"), "UTF-8"
        check_not_damaged(data, path)
        with contextlib.suppress(UnicodeDecodeError):
            return data.decode("gb18030"), "GBK"
    raise BadInput(
        tr(
            f"{path} 不是 UTF-8 或 GBK 的文本文件。请在表格软件里另存为“CSV UTF-8”（.csv），或 .csv.gz。",
            f"{path} is not a text file in UTF-8 or GBK. Save it from your spreadsheet as 'CSV UTF-8' (.csv), or as .csv.gz.",
        )
    )


def check_not_damaged(data: bytes, path) -> None:
    """UTF-8 with a few broken bytes must not be read as GBK, which turns nearly any bytes into hanzi."""
    lenient = data.decode("utf-8", "replace")
    broken = lenient.count("\ufffd")
    if broken * 10 < sum(c > "\x7f" for c in lenient):
        line = lenient[: lenient.index("\ufffd")].count("\n") + 1
        raise BadInput(
            tr(
                f"{path} 是 UTF-8，但有 {broken} 处坏字节，第一处在第 {line} 行。请修好该行，或重新下载。",
                f"{path} is UTF-8 with broken bytes in {broken} places, the first in line {line}. "
                "Mend that line, or download the file again.",
            )
        )


def clean(text: str) -> str:
    """Without white space and invisible signs (byte-order marks, zero-width spaces) at both ends."""
    return text.strip().strip("\ufeff\u200b\u2060").strip()

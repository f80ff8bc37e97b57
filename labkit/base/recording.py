"""What a page needs to record from the microphone: the script, and its words. A panel and a service's page use the same."""

from labkit.base.files import ASSETS

SECONDS = 10  # after which a recording ends by itself
WORDS = {  # of the button and the script: Chinese, English
    "record": ("录音", "Record"),
    "stop": ("停止（{} 秒）", "Stop ({} s)"),
    "unsafe": (
        "这个页面不能用麦克风：只有 https 或本机（localhost）的页面才行。请改用上传。",
        "This page may not use a microphone: only pages over https or of this machine (localhost) may. Upload a file instead.",
    ),
    "refused": (
        "浏览器没有允许使用麦克风。请在地址栏里允许，或改用上传。",
        "The browser does not allow the microphone here. Allow it in the address bar, or upload a file instead.",
    ),
    "none": (
        "没有找到麦克风。请接上一个，或改用上传。",
        "No microphone was found. Plug one in, or upload a file instead.",
    ),
    "failed": ("录音没有成功（{}）。请改用上传。", "The recording failed ({}). Upload a file instead."),
}


def script() -> str:
    """JavaScript: the function `record(button, words, seconds, say, done)`."""
    return (ASSETS / "record.js").read_text("utf-8")

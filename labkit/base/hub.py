"""Whether the hub can be asked, and what to say where it cannot."""

import contextlib
import os
import threading
from typing import Any


def stale_endpoint() -> str | None:
    """The address that huggingface_hub goes on asking, where HF_ENDPOINT has changed since it was imported; else None.

    The hub's library reads the variable once, when it is imported; only a new Python reads it again.
    """
    from huggingface_hub import constants

    wanted = os.environ.get("HF_ENDPOINT", getattr(constants, "_HF_DEFAULT_ENDPOINT", constants.ENDPOINT))
    return None if wanted.rstrip("/") == constants.ENDPOINT else constants.ENDPOINT


def hub_answers(seconds: float = 5.0) -> bool:
    """Whether anybody listens at the hub or its mirror: asked once, because the hub's own client tries for minutes."""
    import socket
    from urllib.parse import urlsplit
    from urllib.request import getproxies

    from huggingface_hub import constants

    address = urlsplit(constants.ENDPOINT)
    if constants.HF_HUB_OFFLINE:
        return False
    if getproxies().keys() & {address.scheme, "all"}:
        return True  # behind a proxy a direct connection proves nothing
    answered = threading.Event()

    def ask():
        with contextlib.suppress(OSError):
            port = address.port or (80 if address.scheme == "http" else 443)
            socket.create_connection((address.hostname, port), timeout=seconds).close()
            answered.set()

    asking = threading.Thread(target=ask, daemon=True)  # looking up a name has no time limit of its own
    asking.start()
    asking.join(seconds)
    return answered.is_set()


class Unreadable(Exception):
    """A place that does not give a model, with the library's reason."""


def reach(auto, place: str, **options) -> Any:
    """Call a from_pretrained that never runs code of the place's own and asks nothing; whatever the libraries say of files
    that they cannot get, read or believe becomes Unreadable."""
    if auto.__name__.startswith("Auto"):
        options["trust_remote_code"] = False  # None would ask on standard input
    try:
        return auto.from_pretrained(place, **options)
    except (MemoryError, ImportError):
        raise
    except Exception as error:  # each file format has error types of its own
        raise Unreadable(str(error) or type(error).__name__) from None

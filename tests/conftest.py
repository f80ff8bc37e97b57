"""The ground every test stands on: own homes, no network, fixed seeds, English messages."""

import gc
import ipaddress
import os
import random
import socket
import sys
import tempfile
from pathlib import Path

import pytest

_homes = tempfile.TemporaryDirectory(prefix="labkit-tests-")
_tried: list[str] = []  # what the test that runs wanted from the network, in order


def pytest_configure(config):
    """Libraries read these when they are imported, so they are set before any test file is."""
    os.environ.pop("HF_HUB_OFFLINE", None)  # the guard below has to prove itself
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # on such small models threads mostly wait for each other
    os.environ.setdefault("HF_DEACTIVATE_ASYNC_LOAD", "1")  # the same for threads that load them
    for name in ("HF_HOME", "MPLCONFIGDIR", "LABKIT_HOME"):
        os.environ[name] = str(Path(_homes.name) / name.lower())


def pytest_unconfigure(config):
    _homes.cleanup()


@pytest.hookimpl(optionalhook=True)  # pytest-xdist may be missing
def pytest_xdist_make_scheduler(config, log):
    """Whole files go to a worker, and all browser tests to one: two Chromiums at once make each other wait."""
    from xdist.scheduler import LoadFileScheduling

    class OneBrowser(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = super()._split_scope(nodeid)
            return "browser" if "test_browser" in file else file

    return OneBrowser(config, log)


class NetworkBlocked(ConnectionError):
    """To the code under test it is what an unplugged machine gives."""


def _here(host) -> bool:
    """Whether a host is this machine's loopback; None and "" mean any address of this machine."""
    host = host.decode() if isinstance(host, bytes) else host
    if host in (None, "", "localhost"):
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check(what: str, host, port):
    if not _here(host):
        _tried.append(f"{what} {host}:{port}")
        raise NetworkBlocked(f"tests have no network; this one tried: {_tried[-1]}")


@pytest.fixture(autouse=True, scope="session")
def _no_network():
    """Sockets reach loopback and Unix sockets only, from the first fixture to the last."""
    real = {name: getattr(socket.socket, name) for name in ("connect", "connect_ex", "sendto")}
    look_up = socket.getaddrinfo

    def guarded(name):
        def call(self, *args):
            address = args[-1]
            if self.family != socket.AF_UNIX and isinstance(address, tuple):
                _check(name, *address[:2])
            return real[name](self, *args)

        return call

    def getaddrinfo(host, port, *args, **kwargs):
        _check("getaddrinfo", host, port)
        return look_up(host, port, *args, **kwargs)

    with pytest.MonkeyPatch.context() as patch:
        for name in real:
            patch.setattr(socket.socket, name, guarded(name))
        patch.setattr(socket, "getaddrinfo", getaddrinfo)
        yield


@pytest.fixture
def unplugged():
    """For a test about a machine without network: the attempts are allowed (and fail), and are listed here."""
    return _tried


@pytest.fixture(autouse=True)
def _attempts_fail(request):
    """A test that reached for the network fails, even where the code under test swallowed the error."""
    yield
    tried = list(_tried)
    _tried.clear()
    if tried and "unplugged" not in request.fixturenames:
        pytest.fail(f"this test tried the network ({', '.join(tried)}); if it is about that, let it take `unplugged`")


@pytest.fixture(autouse=True)
def _same_start(monkeypatch, tmp_path):
    """Every test starts with the same seeds, in English, with an empty labkit home."""
    monkeypatch.setenv("LABKIT_LANG", "en")
    monkeypatch.setenv("LABKIT_HOME", str(tmp_path / "labkit-home"))
    monkeypatch.setattr("labkit.base.language._chosen", None)  # a test may choose, for itself
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].default_generator.manual_seed(0)


@pytest.fixture(autouse=True, scope="module")
def _old_objects_rest():
    """What earlier files left and imported is not searched for garbage again: each search took half a second."""
    gc.freeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of real data sets that may lie beside the checkout; without it the test is skipped."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no real data sets beside the checkout (../shared/data)")
    return folder

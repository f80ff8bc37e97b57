"""A service behind a port: as a process of its own (`labkit serve`) or in a thread of a notebook (`lk.serve`).

The only door to uvicorn. Told to stop, it is not ready any more, refuses what is new, finishes what is in, and closes.
"""

import contextlib
import errno
import functools
import ipaddress
import socket
import threading
import time

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from labkit.base.language import tr
from labkit.base.records import BadInput
from labkit.deploy.service import Service

LEAST = 0.2  # seconds between the signal and the end: who asks in between is told, not cut off
START = 60.0  # seconds in which a service in a thread must have started


class Patient(H11Protocol):
    """uvicorn's own, but the head of a request must arrive in time: uvicorn waits for ever."""

    def __init__(self, seconds: float, **options):
        super().__init__(**options)
        self.seconds, self.clock = seconds, None

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self.set_clock()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self.set_clock()

    def connection_lost(self, exc) -> None:
        super().connection_lost(exc)
        if self.clock:
            self.clock.cancel()

    def set_clock(self) -> None:
        """Let it run from the first byte of a head until its last; more bytes do not set it back."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy and self.clock:
            self.clock.cancel()
            self.clock = None
        elif not busy and not self.clock:
            self.clock = self.loop.call_later(self.seconds, self.transport.close)


class Server(uvicorn.Server):
    """uvicorn with an end in two steps: first everything new is refused and what is in is answered, then it closes."""

    def __init__(self, service: Service, app):
        limits = service.limits
        super().__init__(
            uvicorn.Config(
                app,
                http=functools.partial(Patient, limits.arrive),
                ws="none",
                lifespan="on",
                log_config=None,
                log_level="error",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=limits.connections,
                timeout_graceful_shutdown=max(1, round(limits.drain)),
            )
        )
        self.service, self.told = service, None

    def stop(self) -> None:
        self.service.draining = True
        self.told = self.told or time.monotonic()

    def handle_exit(self, sig: int, frame) -> None:
        """The first signal asks for the end, the second one does not wait."""
        if self.told:
            self.should_exit = self.force_exit = True
        self.stop()

    async def on_tick(self, counter: int) -> bool:
        if await super().on_tick(counter):
            return True
        waited = time.monotonic() - self.told if self.told else 0.0
        empty = not self.service.batcher.held and waited >= LEAST
        return bool(self.told) and (empty or waited > self.service.limits.drain)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens there; BadInput where that cannot be."""
    if not 0 <= port <= 65535:
        raise BadInput(tr(f"--port {port} 不行：应是 0 到 65535。", f"--port {port} won't do: give 0 to 65535."))
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listening = socket.create_server((host, port), family=family, backlog=2048)
        # An answer leaves in two parts: with Nagle's algorithm the second waits 40 ms for the first to be acknowledged.
        # asyncio turns it off on sockets of its own making alone; what is accepted here inherits this.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        number = error.errno
        if number == errno.EADDRINUSE:
            reason = tr("已被别的程序占用", "is taken by another program")
        elif number in (errno.EACCES, errno.EPERM):
            reason = tr("不许我们使用", "is not for us to use")
        else:
            reason = tr(f"不能用（{error}）", f"cannot be used ({error})")
        raise BadInput(
            tr(
                f"{host} 的端口 {port} {reason}。请换一个 --port，或写 --port 0 用任意空闲的端口。",
                f"Port {port} of {host} {reason}. Give another --port, or --port 0 for any that is free.",
            )
        ) from None


def address(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def is_loopback(sock: socket.socket) -> bool:
    return ipaddress.ip_address(sock.getsockname()[0]).is_loopback


def run(service: Service, app, sock: socket.socket) -> None:
    """Serve in this thread until it is told to stop: by SIGTERM or Ctrl-C where it is the main one."""
    Server(service, app).run(sockets=[sock])


class Running:
    """A service in a thread of its own, until `stop()` or the end of Python, whichever comes first.

    >>> from labkit.deploy.serve_app import app_of
    >>> service = Service(model)
    >>> running = Running(service, app_of(service), bound("127.0.0.1", 0))
    >>> running.url
    'http://127.0.0.1:...'
    >>> running.stop()
    """

    def __init__(self, service: Service, app, sock: socket.socket):
        self.service, self.url, self.error = service, address(sock), None
        self.server = Server(service, app)
        self.thread = threading.Thread(target=self.work, args=(sock,), name="labkit-serve", daemon=True)
        self.thread.start()
        until = time.monotonic() + START
        while not service.ready and self.thread.is_alive() and time.monotonic() < until:
            time.sleep(0.01)
        if not service.ready:
            self.stop()
            service.close()
            raise self.error or RuntimeError(tr("服务没有启动。", "The service did not start."))

    def work(self, sock: socket.socket) -> None:
        try:
            self.server.run(sockets=[sock])
        except BaseException as error:  # uvicorn leaves by SystemExit
            self.error = error if isinstance(error, Exception) else None
        finally:
            with contextlib.suppress(OSError):
                sock.close()

    @property
    def alive(self) -> bool:
        return self.thread.is_alive()

    def stop(self) -> None:
        """Answer what is in, close, give the port back."""
        self.server.stop()
        self.thread.join(self.service.limits.drain + 5)


def summary(service: Service) -> str:
    """What a service has done, in one line."""
    metrics = service.metrics
    answered = sum(n for (path, status), n in metrics.requests.items() if path == "/predict" and status == 200)
    refused = sum(n for (path, status), n in metrics.requests.items() if path == "/predict" and status != 200)
    text = tr("回答了 {} 个请求，拒绝了 {} 个", "{} requests answered, {} refused").format(answered, refused)
    half, most = metrics.quantile(0.5), metrics.quantile(0.99)
    return text if half is None else f"{text}; p50 {1000 * half:.0f} ms, p99 {1000 * most:.0f} ms"

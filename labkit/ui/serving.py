"""A service in a notebook: a model behind a free port, in a thread, with a button to stop it. The same app as `labkit serve`."""

import copy
from pathlib import Path
from typing import Any

from labkit.base.language import tr
from labkit.deploy.journal import Journal
from labkit.deploy.limits import Limits
from labkit.deploy.service import Service, check_format, check_installed
from labkit.inspection.attribution import attribute_one, explains
from labkit.models.loading import load


class Served:
    """A service that runs: `url`, `stop()`, and in a notebook a link and a Stop button. A `with` stops it at its end."""

    def __init__(self, running):
        self.running, self.url = running, running.url

    @property
    def alive(self) -> bool:
        return self.running.alive

    def stop(self) -> None:
        """Answer what is in, close, give the port back."""
        self.running.stop()

    def __enter__(self) -> "Served":
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def __repr__(self) -> str:
        return (
            tr("服务在 {}", "a service at {}").format(self.url)
            if self.alive
            else tr("服务已停", "a service that has stopped")
        )

    def _ipython_display_(self) -> None:
        from IPython.display import display

        display(self.widget())

    def widget(self) -> Any:
        """The address and a Stop button."""
        import ipywidgets as widgets

        words = widgets.HTML(self.html())
        button = widgets.Button(description=tr("停止", "Stop"), icon="stop", disabled=not self.alive)

        def stop(_) -> None:
            button.disabled = True
            self.stop()
            words.value = self.html()

        button.on_click(stop)
        words.add_class("labkit-served")
        button.add_class("labkit-served-stop")
        return widgets.HBox([words, button], layout={"align_items": "center", "grid_gap": "12px"})

    def html(self) -> str:
        if not self.alive:
            return tr("服务已停", "the service has stopped")
        link = f'<a href="{self.url}/" target="_blank" rel="noopener">{self.url}</a>'
        return tr(f"服务在 {link}", f"serving at {link}")


def serve(
    model, *, port: int = 0, host: str = "127.0.0.1", log=None, token: str | None = None, page: bool = True, **limits
) -> Served:
    """Answer on a port with a model, or with a folder that holds one, until `stop()`, or until Python ends.

    >>> service = serve(model); service                          # shows its address and a Stop button
    >>> service.stop()

    It answers with a copy of the model as it is now: go on training yours, the service does not notice. `log` is a file
    for `drift`; further arguments are limits, as `labkit serve --help` lists them: `queue=64`, `deadline=1.0`. Port 0 is
    any that is free. Raises BadInput where the port is taken.
    """
    check_installed()
    from labkit.deploy.serve import Running, bound
    from labkit.deploy.serve_app import app_of

    if isinstance(model, (str, Path)):
        check_format(model)
        served = load(model)
    else:
        served = copy.deepcopy(model).eval()
    kept, sock = Limits(**limits), bound(host, port)
    journal = Journal(log, served.task) if log is not None else None
    service = Service(served, kept, journal=journal, explain=attribute_one if page and explains(served) else None)
    return Served(Running(service, app_of(service, token=token, page=page), sock))

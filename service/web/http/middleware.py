"""What surrounds every request: security headers, one log line, one observation."""

from __future__ import annotations

import re
import time
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs
from service.metrics import Metrics
from service.web.http.guard import is_https
from service.web.http.limits import ALLOWANCE
from service.web.http.problems import internal, response

_HEADERS: Final = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
# A browser that was here once over https never comes without it again, for a year.
_TRANSPORT: Final = {"strict-transport-security": "max-age=31536000"}
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_QUIET: Final = frozenset({"/livez", "/readyz"})  # asked every few seconds by machines
_CONTROL: Final = re.compile(r"[^\x20-\x7e]")
_LONGEST_PATH: Final = 200


class Access:
    """ASGI middleware; also answers where the application crashed.

    Logs no header and no query string, which hold tokens and searches, and a path only of the API: what people type
    behind /track/ may be anything. Of the API not one with a secret in it, as some feeds have.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics, public_url: str | None = None) -> None:
        self._app = app
        self._metrics = metrics
        self._public_url = (public_url or "").rstrip("/")
        self._headers = {**_HEADERS, **(_TRANSPORT if is_https(public_url) else {})}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        status = 0  # nothing was answered yet

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                if 300 <= status < 400:
                    self._lead_home(headers)
                if (allowance := scope.get(ALLOWANCE)) is not None:
                    headers.update(allowance.headers)
            await send(message)

        try:
            await self._app(scope, receive, send_with_headers)
        except ClientDisconnect:
            logs.get("web").debug("client_gone")  # with half of a body said: there is nobody to answer
        except Exception as error:
            logs.get("web").error("request_crashed", exc_info=error)
            if status:
                raise  # half an answer is out: the server cuts the connection
            await response(internal())(scope, receive, send_with_headers)
        finally:
            self._tell(scope, status, time.perf_counter() - started)

    def _lead_home(self, headers: MutableHeaders) -> None:
        """The framework's redirects lead to whatever host the request names; ours name none."""
        location = headers.get("location")
        if location is not None and (not location.startswith("/") or location.startswith("//")):
            _, _, path, query, _ = urlsplit(location)
            query = f"?{query}" if query else ""
            headers["location"] = f"{self._public_url}/{path.lstrip('/')}{query}"

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        # Only templates of known routes become labels; a raw path would make one for every return.
        route = getattr(scope.get("route"), "path", "unmatched")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._metrics.requests.labels(method, route, str(status)).observe(seconds)
        if route in _QUIET and status < 400:
            return
        shown = route.startswith("/v1/") and "{secret}" not in route
        path = _CONTROL.sub("?", scope["path"])[:_LONGEST_PATH] if shown else route
        logs.get("web").info("request", method=method, path=path, status=status, seconds=round(seconds, 4))

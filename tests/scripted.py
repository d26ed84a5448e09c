"""A server whose every answer a test gives."""

from __future__ import annotations

import re
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

Answer = tuple[int, bytes, dict[str, str]]
"""Status, body and headers."""
LEFT_OUT = "left out"
"""In place of a header's value: that it is not sent."""
WHEN = "Tue, 24 Nov 2026 07:57:54 GMT"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body go out singly
    server: Scripted

    def do_GET(self) -> None:
        sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        status, body, headers = self.server.answer(self, sent)
        self.send_response_only(status)
        for name, value in {"Date": formatdate(usegmt=True), "Content-Length": str(len(body)), **headers}.items():
            if value != LEFT_OUT:
                self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"" if self.command == "HEAD" else body)

    do_HEAD = do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815  # the names that http.server looks for

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class Scripted(ThreadingHTTPServer):
    """Answers with what `answer(request, body)` gives."""

    daemon_threads = True

    def __init__(self, answer: Callable[[Handler, bytes], Answer]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is no error."""

    def options(self, **more: Any) -> dict[str, Any]:
        """Storage options of a filesystem on it, which tries each request once."""
        endpoint = f"http://127.0.0.1:{self.server_address[1]}"
        tries = {"retries": {"total_max_attempts": 1}}
        return {"bucket": "demo", "region": "us-east-1", "regionendpoint": endpoint, "config_kwargs": tries, **more}


@contextmanager
def scripted(answer: Callable[[Handler, bytes], Answer]) -> Iterator[Scripted]:
    """A running server."""
    with Scripted(answer) as found:
        thread = threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield found
        finally:
            found.shutdown()
            thread.join()


def refusal(status: int, code: str, message: str = "no", more: str = "", **headers: str) -> Answer:
    """S3's error."""
    body = f"<?xml version='1.0'?><Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    return status, body.encode(), {"Content-Type": "application/xml", **headers}


def object_of(data: bytes) -> Answer:
    """An object, whole."""
    return 200, data, {"ETag": '"e"', "Last-Modified": WHEN}


def signatures(request: Handler) -> set[str]:
    """What signs a request, in a header of version 4 or 2 or in the URL, as sent and decoded."""
    text = f"{request.path} {request.headers.get('Authorization', '')}"
    found = re.findall(r"(?:Signature=|AWS \S+:)([A-Za-z0-9+/=%]+)", text)
    return {*found, *map(unquote, found)}


def text_of(error: BaseException) -> str:
    """All that anyone may print of an error and of what led to it."""
    texts = []
    chain = [error]
    for each in chain:
        chain += [led for led in (each.__cause__, each.__context__) if led is not None and led not in chain]
        texts += [str(each), repr(each), repr(each.args), repr(getattr(each, "response", ""))]
    return "\n".join([*texts, *traceback.format_exception(error)])

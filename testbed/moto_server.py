"""moto's S3, as a program: ``moto_server.py HOST PORT threaded|serial [LOG]``.

moto's own command looks through all of its hundred services for each request, and closes each connection, which is half
of its time. This one has a request of its own, too: ``DELETE /moto-api/objects/BUCKET`` empties a bucket at once.
"""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TextIO, cast

Environ = dict[str, Any]
Application = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]
OBJECTS = "/moto-api/objects/"
THREADS = 16


def application() -> Application:
    """S3, and moto's own API, which empties it."""
    from moto.moto_server.werkzeug_app import create_backend_app

    s3, api = create_backend_app("s3"), create_backend_app("moto_api")

    def answer(environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        environ["RAW_URI"] = environ["REQUEST_URI"]  # as moto's own server calls it
        if path.startswith(OBJECTS):
            empty(path.removeprefix(OBJECTS))
            start("204 No Content", [])
            return []
        return (api if path.startswith("/moto-api/") else s3)(environ, start)

    return answer


def empty(bucket: str) -> None:
    """Forget all objects of a bucket, their versions and the uploads that were never completed."""
    from moto.core.model_instances import model_data
    from moto.s3.models import s3_backends

    partition, account = s3_backends.bucket_accounts[bucket]
    found = s3_backends[account][partition].buckets[bucket]
    for key in list(found.keys):
        found.keys.setlist(key, [])  # which throws each version away
    found.keys.clear()
    found.multiparts.clear()
    for model in model_data["s3"].values():  # a list of all that there was, which only moto's web page shows
        cast(Any, model).instances_tracked.clear()


def recording(answering: Application, log: TextIO, environ: Environ, start: Callable[..., Any]) -> Iterable[bytes]:
    """Write a line of JSON for a request, as `servers.recording_moto` tells, before it is answered."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name[:5] == "HTTP_"}
    said = body.decode("latin-1") if len(body) < 65536 else ""
    print(json.dumps([environ["REQUEST_METHOD"], environ["REQUEST_URI"], headers, said]), file=log)
    return answering(environ, start)


def main(host: str, port: str, threads: str, log: str = "") -> None:
    """Serve until the process is ended."""
    from cheroot.wsgi import Server

    with open(log or os.devnull, "w", buffering=1, encoding="utf-8") as file:
        served = partial(recording, application(), file) if log else application()
        count = THREADS if threads == "threaded" else 1
        server = Server((host, int(port)), served, numthreads=count, request_queue_size=100, timeout=60)
        server.keep_alive_conn_limit = 1_000
        server.start()


if __name__ == "__main__":
    main(*sys.argv[1:])

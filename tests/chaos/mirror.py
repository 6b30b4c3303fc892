# SPDX-License-Identifier: MIT
"""A faulty mirror of Debian's archive on the loopback interface."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler

MANNERS = ("absent", "broken", "noise", "cut", "closed", "trickle", "silent")
"""How it answers: 404, 500, noise, less than Content-Length, closes the connection, a byte a second, or never."""
_TRICKLE = 1.0


@contextmanager
def mirror(manner: str) -> Iterator[str]:
    """Serve in that manner and yield the URI of the base archive. Requests that are under way at the end are
    dropped."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with suppress(OSError):
                _answer(self, manner, over)

        def log_message(self, format: str, *args: object) -> None:
            """Log nothing."""

    over = threading.Event()
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/debian"
    finally:
        over.set()
        server.shutdown()
        server.server_close()


def _answer(request: BaseHTTPRequestHandler, manner: str, over: threading.Event) -> None:
    match manner:
        case "absent":
            request.send_error(404)
        case "broken":
            request.send_error(500)
        case "noise" | "cut" | "trickle":
            body = bytes(range(256)) * 16
            request.send_response(200)
            request.send_header("Content-Length", str(len(body) * (2 if manner == "cut" else 1)))
            request.end_headers()
            if manner == "trickle":
                for byte in body:
                    if over.wait(_TRICKLE):
                        break
                    request.wfile.write(bytes((byte,)))
            else:
                request.wfile.write(body)
        case "silent":
            over.wait()
    request.close_connection = True

"""A web server on this machine, for the tests of the download."""

import contextlib
import http.server
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the server's status and content and notes the requests."""

    def do_HEAD(self):
        self.server.asked.append("HEAD")
        self.send_head()

    def do_GET(self):
        self.server.asked.append("GET")
        self.send_head()
        half = len(self.server.content) // 2
        self.wfile.write(self.server.content[:half])
        self.server.released.wait(30)
        with contextlib.suppress(ConnectionError):
            self.wfile.write(self.server.content[half:])

    def send_head(self):
        self.send_response(self.server.status)
        self.send_header("Content-Length", len(self.server.content))
        self.end_headers()

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Serves one content at every address; a GET waits half-way until it is released."""

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.status, self.asked = content, 200, []
        self.released = threading.Event()
        self.released.set()

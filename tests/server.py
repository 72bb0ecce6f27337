"""A web server on this machine, for the tests of the download."""

import http.server
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the server's status and content and notes the requests."""

    def do_HEAD(self):
        self.server.asked.append(self.command)
        self.send_response(self.server.status)
        self.send_header("Content-Length", len(self.server.content))
        self.end_headers()

    def do_GET(self):
        self.server.waiting += 1
        self.server.released.wait(30)
        self.do_HEAD()
        self.wfile.write(self.server.content)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    """Serves one content at every address; a GET waits until it is released."""

    def __init__(self, content):
        super().__init__(("127.0.0.1", 0), Handler)
        self.content, self.status, self.asked, self.waiting = content, 200, [], 0
        self.released = threading.Event()
        self.released.set()

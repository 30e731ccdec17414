"""`IMAGE serve`: answers /ping, /invocations and /execution-parameters on a port of loopback.

The port is the system's choice (or SAGEMAKER_BIND_TO_PORT) and is written to HALIOTIS_PORT_FILE, whole or not at all.
Every answer carries the key of this process, so that nobody takes another process on the same port for it.
"""

import http.server
import json
import os
import signal
import socket
import sys
import threading
import traceback

import haliotis_container as container

MAX_BODY = 100 * 1024 * 1024
# Requests that wait for a connection to be taken up.
BACKLOG = 128


class Refused(Exception):
    """An answer other than 200, with its status."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model = None
    key = os.environ.get("HALIOTIS_SERVER_KEY", "")

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def do_GET(self):
        if self.path == "/ping":
            self.guarded(lambda: (self.model.ping(), "application/json"))
        elif self.path == "/execution-parameters":
            self.guarded(lambda: (json.dumps(self.model.execution_parameters()), "application/json"))
        else:
            self.answer(404, "not found", "text/plain")

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path != "/invocations":
            self.answer(404, "not found", "text/plain")
            return
        self.guarded(lambda: self.invoke(body))

    def invoke(self, body):
        if not body:
            return None
        return self.model.invoke(body, self.headers)

    def guarded(self, work):
        try:
            result = work()
        except Refused as error:
            print(f"{self.command} {self.path}: {error.status}: {error}", file=sys.stderr, flush=True)
            self.answer(error.status, str(error), "text/plain")
        except Exception as error:
            traceback.print_exc()
            self.answer(500, f"{type(error).__name__}: {error}", "text/plain")
        else:
            if result is None:
                self.answer(204, "", None)
            else:
                self.answer(200, *result)

    def answer(self, status, body, content_type):
        data = body if isinstance(body, bytes) else str(body).encode("utf-8")
        self.send_response(status)
        self.send_header("x-haliotis-server-key", self.key)
        if content_type:
            self.send_header("Content-Type", content_type)
        if status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if status != 204:
            self.wfile.write(data)

    def log_message(self, format, *arguments):
        if self.path != "/ping":
            print(f"{self.command} {self.path} {format % arguments}", flush=True)

    def log_request(self, code="-", size="-"):
        self.log_message("%s", code)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = BACKLOG

    def handle_error(self, request, client_address):
        # A caller that hung up is no news.
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def load_model():
    """The user's program if one is named or lies with the model, else the image's own way."""
    program = os.environ.get("SAGEMAKER_PROGRAM")
    if program is None and container.framework() == "sklearn":
        default = f"{container.MODEL_DIR}/code/inference.py"
        program = "inference.py" if os.path.exists(default) else None
    if program:
        import serve_script

        return serve_script.ScriptModel(program, container.framework())
    if container.framework() == "xgboost":
        import serve_xgboost

        return serve_xgboost.AlgorithmModel()
    raise container.UserError("The scikit-learn image needs SAGEMAKER_PROGRAM in the environment, or code/inference.py with the model")


def main():
    Handler.model = load_model()
    port = int(os.environ.get("SAGEMAKER_BIND_TO_PORT") or 0)
    server = Server(("127.0.0.1", port), Handler)
    write_port(server.server_address[1])
    # The real containers finish what they are at when they are stopped; shutdown waits for the loop, not the requests.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    print(f"Serving on port {server.server_address[1]}", flush=True)
    server.serve_forever(poll_interval=0.05)


def write_port(port):
    path = os.environ["HALIOTIS_PORT_FILE"]
    with open(f"{path}.new", "w", encoding="utf-8") as file:
        file.write(str(port))
    os.replace(f"{path}.new", path)


if __name__ == "__main__":
    # As a program this module is `__main__`; the model modules must see the same Refused.
    sys.modules["serve"] = sys.modules["__main__"]
    try:
        main()
    except container.UserError as problem:
        print(f"ERROR: {problem}", file=sys.stderr, flush=True)
        sys.exit(container.EXIT_CLIENT)

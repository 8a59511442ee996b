"""A FAKE server for tests: it speaks like a server of text and computes nothing. What goes wrong is told by its arguments.

    fake_server.py --port N [--pid FILE] [MODE...]
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

args = sys.argv[1:]
port = int(args[args.index("--port") + 1])
modes = [mode for mode in args if not mode.startswith("--")]
started = 0
if "--pid" in args:
    with open(args[args.index("--pid") + 1], "a+") as file:
        file.write(f"{os.getpid()}\n")
        file.seek(0)
        started = len(file.readlines())
if "dies" in modes:
    print("loading weights", flush=True)
    sys.exit("cannot allocate the weights: out of memory")
if "signal" in modes:
    os.kill(os.getpid(), signal.SIGILL)
if "stubborn" in modes:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if "stranger" in modes and "child" not in modes:
    # Another program takes the port before we do.
    subprocess.Popen([sys.executable, __file__, *args, "child"], start_new_session=True)
    time.sleep(1000)

if "helper" in modes:
    # What leaves our process group, as a daemon does.
    helper = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    with open(args[args.index("--pid") + 1], "a") as file:
        file.write(f"{helper.pid}\n")

asked = 0
# A queue of one, and those at once beyond whom it says that it is busy.
place = threading.Lock()
under_way = threading.Semaphore(2)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def page(self, status, body, kind="application/json"):
        body = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/health":
            return self.page(503 if "never" in modes else 200, "{}")
        if self.path == "/v1/models":
            return self.page(200, json.dumps({"data": [{"id": "/home/somebody/models/fake.gguf"}]}))
        if self.path == "/props":
            return self.page(200, json.dumps({"build_info": "fake", "model_path": "/home/somebody/models/fake.gguf"}))
        self.page(404, "{}")

    def do_POST(self):
        global asked
        asked += 1
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "refuses" in modes:
            return self.page(400, json.dumps({"error": {"message": "no such model", "type": "invalid_request_error"}}))
        # The first start is the probe's; a run's warm-up is its first request.
        if "gone" in modes and started == 2 and asked == 3:
            os._exit(3)
        if "indiscreet" in modes and started == 2 and asked == 4:
            print("\x1b[31mthe key", os.environ["SERVER_SECRET"], "is bad", file=sys.stderr, flush=True)
            os._exit(7)
        if "busy" in modes and not under_way.acquire(blocking=False):
            return self.page(503, json.dumps({"error": {"message": "come back later", "type": "overloaded"}}))
        try:
            if "queue" in modes:
                with place:
                    self.generate(body)
            else:
                self.generate(body)
        finally:
            if "busy" in modes:
                under_way.release()

    def generate(self, body):
        n = body["max_tokens"]
        if "short" in modes:
            n = min(n, 5)
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()

        def event(fields):
            self.wfile.write(f"data: {json.dumps(fields)}\n\n".encode())
            self.wfile.flush()

        time.sleep(0.02)
        for token in range(n):
            if token:
                time.sleep(0.002)
            text = f" w{token}"
            if "indiscreet" in modes and token < 2:
                secret = os.environ["SERVER_SECRET"]
                text = secret[:5] if token == 0 else secret[5:]
            event({"choices": [{"text": text, "finish_reason": None}]})
        if "slow" in modes:
            time.sleep(1000)
        prompt = 8 if "recounts" in modes and asked > 3 else 7
        usage = {"prompt_tokens": prompt, "completion_tokens": n}
        if "silent" not in modes:
            usage["prompt_tokens_details"] = {"cached_tokens": 6 if "caches" in modes else 0}
        said = {"timings": {os.environ["SERVER_SECRET"]: 1.5}} if "indiscreet" in modes else {}
        end = {**said, "choices": [{"text": "", "finish_reason": "length"}], "system_fingerprint": "fake"}
        event(end if "uncounted" in modes else {**end, "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")


class Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True


Server(("127.0.0.1", port), Handler).serve_forever()

"""Pushes counts to `deespec serve`. Standard library only; each number of a writer is counted once."""
import http.client
import json
import time
import urllib.error
import urllib.request


class Pusher:
    def __init__(self, server, token, writer):
        self.server, self.token, self.writer = server, token, writer

    def send(self, sequence, text):
        """Returns when the push is counted and durable. `sequence` must grow, also over restarts."""
        url = f"{self.server}/api/v1/push?writer={self.writer}&sequence={sequence}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "text/plain"}
        while True:
            request = urllib.request.Request(url, text.encode(), headers)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code != 503:
                    raise RuntimeError(error.read().decode()) from error
            except (OSError, ValueError, EOFError, http.client.HTTPException):
                pass  # No answer: it may be counted or not, and asking again does no harm.
            time.sleep(0.05)

"""Pushes counts to `deespec serve`, each once. Standard library only.

A file keeps the writer's name, its number and what is not answered yet. So nothing is lost or counted twice when the program is
killed, when two of it run at once (the second waits for the first), or when the clock goes back, which has no say in it."""
import fcntl
import http.client
import json
import os
import time
import urllib.error
import urllib.request
import uuid


class Refused(Exception):
    """The server will not count this, whenever it is asked; nothing of it was counted."""


class Pusher:
    def __init__(self, server, token, file):
        self.server, self.token, self.file = server, token, file

    def push(self, text):
        """Returns when the text, and what an earlier call has left over, is counted and durable."""
        with open(self.file + ".lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            state = self._read()
            if state["text"] is not None:
                self._settle(state)
            state["sequence"] += 1
            state["text"] = text
            self._write(state)
            return self._settle(state)

    def _settle(self, state):
        try:
            answer = self._send(state["writer"], state["sequence"], state["text"])
        except Refused:
            state["text"] = None
            self._write(state)
            raise
        state["text"] = None
        self._write(state)
        return answer

    def _send(self, writer, sequence, text):
        url = f"{self.server}/api/v1/push?writer={writer}&sequence={sequence}"
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "text/plain"}
        while True:
            request = urllib.request.Request(url, text.encode(), headers)
            try:
                with urllib.request.urlopen(request, timeout=60) as answer:
                    return json.load(answer)
            except urllib.error.HTTPError as error:
                if error.code in (400, 409, 413, 415):
                    raise Refused(error.read().decode()) from error
                if error.code < 500:
                    raise RuntimeError(error.read().decode()) from error
            except (OSError, ValueError, EOFError, http.client.HTTPException):
                pass  # No answer: it may be counted or not, and asking again does no harm.
            time.sleep(0.05)

    def _read(self):
        try:
            with open(self.file) as file:
                return json.load(file)
        except FileNotFoundError:
            return {"writer": uuid.uuid4().hex, "sequence": 0, "text": None}

    def _write(self, state):
        with open(self.file + ".new", "w") as file:
            json.dump(state, file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(self.file + ".new", self.file)
        folder = os.open(os.path.dirname(os.path.abspath(self.file)), os.O_RDONLY)
        os.fsync(folder)
        os.close(folder)

"""How far a run is, on stderr: one line on a terminal, elsewhere a plain line now and then.

Steps come with the seconds that they are expected to take. What is over tells how fast this machine is beside that.
"""
import sys
import threading
import time

TICK, PLAIN = 0.5, 20
# A step that takes longer than expected comes this far and waits there.
ALMOST = 0.95


class Progress:
    def __init__(self, total):
        self.total, self.done, self.step = max(total, 1), 0.0, 0.0
        self.text, self.running = "", True
        self.start = self.began = time.monotonic()
        self.tty = sys.stderr.isatty()
        self.thread = threading.Thread(target=self.tick, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.running = False
        self.thread.join()
        if self.tty:
            sys.stderr.write("\r\033[K")

    def label(self, text):
        self.text = text

    def begin(self, text, seconds):
        self.text, self.step, self.began = text, seconds, time.monotonic()

    def end(self):
        self.done, self.step = self.done + self.step, 0.0
        return time.monotonic() - self.began

    def pace(self):
        """Seconds that one expected second took."""
        return (self.began - self.start) / self.done if self.done > 0.05 * self.total else 1.0

    def line(self):
        inside = min((time.monotonic() - self.began) / self.pace(), ALMOST * self.step)
        share = min((self.done + inside) / self.total, 1)
        left = (self.total - self.done - inside) * self.pace()
        return f"{share:4.0%}  {self.text}  {max(left, 0):.0f} s left"

    def tick(self):
        last = self.start
        while self.running:
            time.sleep(TICK)
            now = time.monotonic()
            if self.tty and self.running:
                sys.stderr.write(f"\r\033[K{self.line()}")
            elif now - last > PLAIN and self.running:
                last = now
                sys.stderr.write(f"bench: {self.line()}\n")
            sys.stderr.flush()

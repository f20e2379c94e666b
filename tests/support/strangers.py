"""`python -m tests.support.strangers PORT SECONDS`: a thousand connections that say nothing, or little, or never end a header.

They come from five addresses of the loopback network, and whoever is cut off comes again. Prints how many connections were
open at the end, and how often one was cut off.
"""

from __future__ import annotations

import selectors
import socket
import sys
import time
from typing import Final

MANY: Final = 1000
_ADDRESSES: Final = 5
_ENDLESS: Final = 4  # send as fast as they may; of the others every second one says a byte a second, the rest nothing
_PIECE: Final = b"x" * 65536
_HEAD: Final = b"GET /track/R-1 HTTP/1.1\r\nhost: here\r\nx-endless: "


class _Stranger:
    """One that is always there."""

    def __init__(self, number: int, port: int) -> None:
        self._number, self._port = number, port
        self._next = 0.0
        self.cut_off = 0
        self.come()

    def come(self) -> None:
        self.socket = socket.socket()
        self.socket.bind((f"127.0.0.{2 + self._number % _ADDRESSES}", 0))
        self.socket.settimeout(10)
        self.socket.connect(("127.0.0.1", self._port))
        self.socket.setblocking(False)
        if self._number % 2 or self._number < _ENDLESS:
            self.socket.send(_HEAD)

    def speak(self, now: float) -> None:
        """Say the next bit, if it is time."""
        if self._number < _ENDLESS:
            self._send(_PIECE)
        elif self._number % 2 and now >= self._next:
            self._next = now + 1.0
            self._send(b"x")

    def again(self) -> None:
        self.cut_off += 1
        self.socket.close()
        self.come()

    def _send(self, data: bytes) -> None:
        try:
            self.socket.send(data)
        except BlockingIOError:
            return
        except OSError:
            self.again()

    def is_cut_off(self) -> bool:
        try:
            return not self.socket.recv(4096)
        except BlockingIOError:
            return False
        except OSError:
            return True


def besiege(port: int, seconds: float) -> tuple[int, int]:
    """How many connections were open at the end, and how many had been cut off."""
    strangers = [_Stranger(number, port) for number in range(MANY)]
    until = time.monotonic() + seconds
    while (now := time.monotonic()) < until:
        with selectors.DefaultSelector() as selector:
            for stranger in strangers:
                selector.register(stranger.socket, selectors.EVENT_READ, stranger)
            for key, _ in selector.select(0.05):
                if key.data.is_cut_off():
                    key.data.again()
        for stranger in strangers:
            stranger.speak(now)
    return sum(not stranger.is_cut_off() for stranger in strangers), sum(stranger.cut_off for stranger in strangers)


if __name__ == "__main__":
    print(*besiege(int(sys.argv[1]), float(sys.argv[2])))

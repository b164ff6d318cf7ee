"""The load generator: a process of its own, one epoll loop over plain sockets, as it shares the machine with what it
measures.

It reads one JSON command a line and writes one JSON answer a line. A command names the port, the key, how many clients
keep a request open, and for how long or until how many answers; or how many requests come a second, one by one. Every
request carries an application id, an Idempotency-Key and a company of its own; the rest of the body is one of thousands
that were made at the start. An answer that is not 201, a closed connection or five silent seconds end the run with an
error: nothing is retried.
"""

from __future__ import annotations

import json
import random
import select
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from time import perf_counter, sleep
from typing import Any

from stdnum.cn import uscc

from benchmarks.catalogue import deciding_terms
from benchmarks.companies import applications, company_code

# One bank: its three deciding products, so that all requests append to one log, as in an installation they do.
LENDER = "icbc"
_SILENT_S = 5.0
_CREATED = b"HTTP/1.1 201"
_LENGTH = b"content-length: "
_END = b"\r\n\r\n"


class Failed(Exception):
    """Something other than 201 came back."""


# --- bodies ----------------------------------------------------------------------------------------------------

_ALPHABET = uscc._alphabet  # the 31 characters of GB 32100
_WEIGHTS = [pow(3, i, 31) for i in range(17)]
_FIXED = sum(weight * int(digit) for weight, digit in zip(_WEIGHTS, "91999999", strict=False))
_BY_TENS = [[weight * digit for digit in range(10)] for weight in _WEIGHTS[8:]]


def quick_code(digits: bytes) -> bytes:
    """This function will return `company_code` of nine digits, cheaply."""
    total = _FIXED
    for row, digit in zip(_BY_TENS, digits, strict=True):
        total += row[digit - 48]
    return b"91999999%b%b" % (digits, _ALPHABET[-total % 31].encode())


def bodies(on: date, each: int) -> list[tuple[bytes, bytes, bytes]]:
    """This function will make the bodies in three parts, between which the application's number and the company go; the
    command that comes first may give `documents` instead.
    """
    found = []
    for product, terms in deciding_terms(on).items():
        if product.startswith(LENDER + "/"):
            for number, document in enumerate(applications(terms, on=on, count=each, seed=2)):
                found.append(in_parts(document, number))
    # Products take turns.
    return [found[i + j * each] for i in range(each) for j in range(len(found) // each)]


def in_parts(document: Mapping[str, Any], number: int) -> tuple[bytes, bytes, bytes]:
    """This function will take a document apart, in which the application and the company are of that number."""
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    before, _, rest = body.partition(b"%09d" % number)
    between, _, after = rest.partition(company_code(number).encode())
    return before, between, after


# --- the loop --------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class Client:
    """One connection with at most one request open."""

    connection: socket.socket
    sent_at: float = 0.0
    received: bytes = b""


class Run:
    """One command carried out."""

    def __init__(self, command: dict[str, object], made: Sequence[tuple[bytes, bytes, bytes]]) -> None:
        self._bodies = made
        self._number = int(command["first_number"])
        self._seconds = float(command.get("seconds", 3600.0))
        self._most = int(command.get("answers", 10**9))
        self._a_second = float(command.get("a_second", 0.0))
        self._head = (
            f"POST /v1/decisions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {command['key']}\r\n"
            "Content-Type: application/json\r\nIdempotency-Key: bench-%b\r\nContent-Length: %d\r\n\r\n%b%b%b%b%b"
        ).encode()
        self._clients: dict[int, Client] = {}
        self._poll = select.epoll()
        for _ in range(int(command["clients"])):
            connection = socket.create_connection(("127.0.0.1", int(command["port"])))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.setblocking(False)
            self._clients[connection.fileno()] = Client(connection)
            self._poll.register(connection, select.EPOLLIN)

    def carry_out(self) -> dict[str, object]:
        """This function will send what the command asks for until time or answers are up, wait for what is still open,
        and say what happened. Raises Failed.
        """
        first, began = self._number, perf_counter()
        latencies, in_time, ended = self._singly() if self._a_second else self._without_pause(began)
        for client in self._clients.values():
            client.connection.close()
        self._poll.close()
        latencies.sort()
        return {
            "answers": len(latencies),
            "first_number": first,
            "per_second": in_time / (ended - began),
            "p50_ms": latencies[len(latencies) // 2] * 1e3,
            "p99_ms": latencies[len(latencies) * 99 // 100] * 1e3,
        }

    def _without_pause(self, began: float) -> tuple[list[float], int, float]:
        """Every client sends its next request once its last is answered. The latencies, how many of them count for the
        rate, and when the last of these came.
        """
        first, latencies, poll, clients = self._number, [], self._poll, self._clients
        deadline = began + self._seconds
        for client in clients.values():
            self._send(client)
        open_requests, in_time, ended = len(clients), 0, began
        while open_requests:
            ready = poll.poll(_SILENT_S)
            if not ready:
                raise Failed(f"{open_requests} requests had no answer for {_SILENT_S:.0f} s")
            for number, _ in ready:
                client = clients[number]
                if not self._answered(client):
                    continue
                now = perf_counter()
                latencies.append(now - client.sent_at)
                if now <= deadline:
                    in_time, ended = in_time + 1, now
                if now < deadline and self._number - first < self._most:
                    self._send(client)
                else:
                    open_requests -= 1
        # So slow a side has not answered everybody once; then all that it answered counts, to the last.
        return (latencies, in_time, ended) if in_time >= len(clients) else (latencies, len(latencies), now)

    def _singly(self) -> tuple[list[float], int, float]:
        """Requests come whenever they come, so many a second on average, whatever became of the last one: who is due
        while it is still open waits for it, and that counts.
        """
        (client,), chance, latencies = self._clients.values(), random.Random(5), []
        due = answered = perf_counter()
        while len(latencies) < self._most:
            due += chance.expovariate(self._a_second)
            sleep(max(0.0, due - perf_counter()))
            self._send(client)
            if due < answered:
                client.sent_at = due
            while True:
                if not self._poll.poll(_SILENT_S):
                    raise Failed(f"a request had no answer for {_SILENT_S:.0f} s")
                if self._answered(client):
                    break
            answered = perf_counter()
            latencies.append(answered - client.sent_at)
        return latencies, len(latencies), answered

    def _send(self, client: Client) -> None:
        number = self._number
        self._number = number + 1
        before, between, after = self._bodies[number % len(self._bodies)]
        digits = b"%09d" % number
        length = len(before) + len(between) + len(after) + 27
        request = self._head % (digits, length, before, digits, between, quick_code(digits), after)
        client.sent_at = perf_counter()
        if client.connection.send(request) != len(request):
            raise Failed("a request did not fit into the socket's buffer")

    def _answered(self, client: Client) -> bool:
        received = client.connection.recv(65_536)
        if not received:
            raise Failed("the service closed a connection")
        if client.received:
            received = client.received + received
        end = received.find(_END)
        if end > 0:
            at = received.find(_LENGTH, 0, end) + len(_LENGTH)
            if len(received) >= end + 4 + int(received[at : received.index(b"\r", at)]):
                if not received.startswith(_CREATED):
                    raise Failed(received[:600].decode(errors="replace"))
                client.received = b""
                return True
        client.received = received
        return False


def main() -> None:
    """This function will serve commands until the input ends."""
    first = json.loads(sys.stdin.readline())
    if "documents" in first:
        made = [in_parts(document, number) for number, document in enumerate(first["documents"])]
    else:
        made = bodies(date.fromisoformat(first["on"]), first["each"])
    print(json.dumps({"bodies": len(made), "bytes": sum(map(len, map(b"".join, made))) // len(made)}), flush=True)
    for line in sys.stdin:
        try:
            answer = Run(json.loads(line), made).carry_out()
        except (Failed, OSError) as failure:
            answer = {"error": str(failure)}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()

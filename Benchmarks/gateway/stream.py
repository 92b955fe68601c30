"""Streams events that carry the time they were sent, and measures how late they arrive.

stream.py serve PORT    an endpoint: 100 events, 5 ms apart, per request
stream.py load PORT     16 clients for 4 requests each; prints p50 and p99 of the delay of the first
                        event (since the request) and of the others (since they were sent), µs
"""

import asyncio
import sys
import time

EVENTS, GAP, CLIENTS, ROUNDS = 100, 0.005, 16, 4
BODY = b'{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}'


async def answer(reader, writer):
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"POST"):
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()
        return
    chunked = b"transfer-encoding: chunked" in head.lower()
    await (reader.readuntil(b"0\r\n\r\n") if chunked else reader.readexactly(len(BODY)))
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        b"transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    )
    for _ in range(EVENTS):
        event = b'data: {"choices":[{"delta":{"content":"word"}}],"sent":%d}\n\n' % time.time_ns()
        writer.write(b"%x\r\n%s\r\n" % (len(event), event))
        await writer.drain()
        await asyncio.sleep(GAP)
    writer.write(b"0\r\n\r\n")
    await writer.drain()
    writer.close()


async def client(port, first, later):
    for _ in range(ROUNDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        start = time.time_ns()
        writer.write(
            b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nconnection: close\r\n"
            b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)
        )
        seen = 0
        while line := await reader.readline():
            if not line.startswith(b"data:"):
                continue
            now = time.time_ns()
            if seen == 0:
                first.append(now - start)
            else:
                later.append(now - int(line[line.index(b'"sent":') + 7 : line.rindex(b"}")]))
            seen += 1
        if seen != EVENTS:
            raise SystemExit(f"{seen} events instead of {EVENTS}")
        writer.close()


def quantile(values, level):
    return sorted(values)[min(len(values) - 1, int(level * len(values)))] // 1000


async def load(port):
    first, later = [], []
    await asyncio.gather(*(client(port, first, later) for _ in range(CLIENTS)))
    print(*(quantile(v, level) for v in (first, later) for level in (0.5, 0.99)))


async def serve(port):
    server = await asyncio.start_server(answer, "127.0.0.1", port)
    await server.serve_forever()


asyncio.run((serve if sys.argv[1] == "serve" else load)(int(sys.argv[2])))

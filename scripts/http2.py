"""A client for HTTP/2 without TLS (RFC 9113, prior knowledge), small enough to read: for tests alone.

Used by the scenario runner and the tests of nginx. curl would do, but it loses answers that come before it has sent a whole body. It must
never repair a request: header lines go out as they are given, only their names in lower case, as the protocol wants them.
"""

import socket
import struct

DATA, HEADERS, RESET, SETTINGS, PING, GOAWAY, WINDOW, CONTINUATION = 0, 1, 3, 4, 6, 7, 8, 9
FRAME = 16384
WIDE = 0x7FFFFFFF
ONLY_HTTP1 = {"connection", "keep-alive", "proxy-connection", "te", "transfer-encoding", "upgrade"}

STATUS = {8: "200", 9: "204", 10: "206", 11: "304", 12: "400", 13: "404", 14: "500"}
NAMES = dict(enumerate("""accept-charset accept-encoding accept-language accept-ranges accept access-control-allow-origin age allow authorization
    cache-control content-disposition content-encoding content-language content-length content-location content-range content-type
    cookie date etag expect expires from host if-match if-modified-since if-none-match if-range if-unmodified-since last-modified link
    location max-forwards proxy-authenticate proxy-authorization range referer refresh retry-after server set-cookie
    strict-transport-security transfer-encoding user-agent vary via www-authenticate""".split(), 15)) | dict.fromkeys(range(8, 15), ":status")

# RFC 7541, appendix B: the code is canonical, so the lengths say it all; A stands for 5 bits. The last is the end of a text.
LENGTHS = ("ISXXXXXXXTZXXZXXXXXXXXZXXXXXXXXXBFFHIBDGFFDGDBBBAAABBBBBBBCDKBHFIBCCCCCCCCCCCCCCCCCCCCCCDCDIOIJBKABABABBBACCBBBABCBAABCCCCCKGJIX"
           "PRPPRRRSRSSSSSTSTTRSTSSSSQRSRSSTRQPRRSSQSRRTQRSSQQRQSRSSPRRRSRRSVVPORSRUVVVWWVTUOQVWWVWTQQVVXWWWPTPQRQQSRRUUTTVSVWVVWWWWWXWWWWWVZ")


def codes():
    """The Huffman code: (bits, value) to symbol."""
    table, code, last = {}, 0, 0
    for bits, symbol in sorted((ord(letter) - 60, symbol) for symbol, letter in enumerate(LENGTHS)):
        code <<= bits - last
        table[bits, code] = symbol
        code, last = code + 1, bits
    return table


CODES = codes()


def unhuffman(data):
    """A text out of its Huffman code."""
    out, bits, value = bytearray(), 0, 0
    for byte in data:
        for shift in range(7, -1, -1):
            bits, value = bits + 1, value << 1 | byte >> shift & 1
            if (bits, value) in CODES:
                out.append(CODES[bits, value])
                bits = value = 0
    return bytes(out)


def number(value, prefix, first=0):
    """An integer of HPACK."""
    limit = (1 << prefix) - 1
    if value < limit:
        return bytes([first | value])
    out, value = bytearray([first | limit]), value - limit
    while value >= 128:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def unnumber(data, at, prefix):
    """An integer of HPACK, and where it ends."""
    limit = (1 << prefix) - 1
    value, at, shift = data[at] & limit, at + 1, 0
    if value < limit:
        return value, at
    while True:
        value, more, at, shift = value + ((data[at] & 127) << shift), data[at] & 128, at + 1, shift + 7
        if not more:
            return value, at


def untext(data, at):
    """A text of HPACK, and where it ends."""
    coded = data[at] & 128
    length, at = unnumber(data, at, 7)
    text = data[at : at + length]
    return (unhuffman(text) if coded else text).decode("latin-1"), at + length


def unpack(block):
    """The header lines of a block. What it adds to the dynamic table is never used again by nginx, and not kept."""
    lines, at = [], 0
    while at < len(block):
        first = block[at]
        if first & 0x80:
            index, at = unnumber(block, at, 7)
            lines.append((NAMES[index], STATUS[index]))
        elif first & 0xE0 == 0x20:
            _, at = unnumber(block, at, 5)
        else:
            index, at = unnumber(block, at, 6 if first & 0x40 else 4)
            name, at = (NAMES[index], at) if index else untext(block, at)
            value, at = untext(block, at)
            lines.append((name, value))
    return lines


class Gone(ConnectionError):
    """The other side ended the stream or the connection without an answer."""


class Http2:
    """A connection: many streams at once, each request as it is given."""

    def __init__(self, address, client=None, seconds=30):
        self.socket = socket.create_connection(address, seconds, (client, 0) if client else None)
        self.socket.settimeout(seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.next, self.answers, self.windows = 1, {}, {0: 65535}
        self.initial = 65535
        self.socket.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.frame(SETTINGS, 0, 0, struct.pack(">HI", 4, WIDE))
        self.frame(WINDOW, 0, 0, struct.pack(">I", WIDE - 65535))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def frame(self, kind, flags, stream, payload):
        """Sends one frame."""
        self.socket.sendall(struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload)

    def send(self, method, target, lines, body=None, whole=True):
        """A request on a new stream, whose number is returned. `whole` false leaves it open."""
        stream, self.next = self.next, self.next + 2
        self.windows[stream], self.answers[stream] = self.initial, [0, [], b"", False]
        hosts = [value.strip() for name, value in lines if name.lower() == "host"]
        fields = [(":method", method), (":scheme", "http"), (":path", target)] + [(":authority", host) for host in hosts]
        fields += [(name.lower(), value.strip()) for name, value in lines if name.lower() != "host"]
        if body is not None and not any(name == "content-length" for name, _ in fields):
            fields.append(("content-length", str(len(body))))
        block = b"".join(b"\x10" + number(len(k), 7) + k + number(len(v), 7) + v
                         for k, v in ((k.encode("latin-1"), v.encode("latin-1")) for k, v in fields))
        parts = [block[n : n + FRAME] for n in range(0, len(block), FRAME)]
        for turn, part in enumerate(parts):
            flags = (4 if turn + 1 == len(parts) else 0) | (1 if turn == 0 and body is None and whole else 0)
            self.frame(CONTINUATION if turn else HEADERS, flags, stream, part)
        if body is not None:
            self.send_body(stream, body, whole)
        return stream

    def send_body(self, stream, body, whole):
        """DATA within the windows; stops when the answer is there already."""
        if not body:
            self.frame(DATA, 1 if whole else 0, stream, b"")
        while body and not self.answers[stream][3]:
            room = min(self.windows[0], self.windows[stream], FRAME)
            if room <= 0:
                self.hear()
                continue
            part, body = body[:room], body[room:]
            self.windows[0] -= len(part)
            self.windows[stream] -= len(part)
            self.frame(DATA, 1 if whole and not body else 0, stream, part)

    def exactly(self, count):
        """So many bytes."""
        data = b""
        while len(data) < count:
            part = self.socket.recv(count - len(data))
            if not part:
                raise Gone("the connection was closed")
            data += part
        return data

    def hear(self):
        """Takes one frame in."""
        head = self.exactly(9)
        kind, flags, stream = head[3], head[4], struct.unpack(">I", head[5:])[0] & WIDE
        payload = self.exactly(struct.unpack(">I", b"\0" + head[:3])[0])
        if kind == SETTINGS and not flags & 1:
            for at in range(0, len(payload), 6):
                key, value = struct.unpack(">HI", payload[at : at + 6])
                if key == 4:
                    self.windows = {k: v + (value - self.initial if k else 0) for k, v in self.windows.items()}
                    self.initial = value
            self.frame(SETTINGS, 1, 0, b"")
        elif kind == PING and not flags & 1:
            self.frame(PING, 1, 0, payload)
        elif kind == WINDOW:
            self.windows[stream] = self.windows.get(stream, 0) + struct.unpack(">I", payload)[0]
        elif kind == GOAWAY and payload[4:8] != b"\0\0\0\0":
            raise Gone(f"the connection was ended: {payload!r}")
        elif stream in self.answers:
            self.note(kind, flags, self.answers[stream], payload)

    @staticmethod
    def note(kind, flags, answer, payload):
        """What a frame says of an answer: [status, headers, body, complete]."""
        if kind == RESET and not answer[3]:
            raise Gone(f"the stream was reset: {payload.hex()}")
        if kind == HEADERS:
            lines = unpack(payload)
            answer[0] = int(dict(lines)[":status"])
            answer[1] = [line for line in lines if line[0] != ":status"] if answer[0] >= 200 else []
        if kind == DATA:
            answer[2] += payload
        if kind in (HEADERS, DATA) and flags & 1:
            answer[3] = True

    def read(self, stream):
        """The answer of a stream: status, header lines, body."""
        while not self.answers[stream][3]:
            self.hear()
        return tuple(self.answers.pop(stream)[:3])

    def ask(self, method, target, lines, body=None):
        """A request and its answer."""
        return self.read(self.send(method, target, lines, body))

    def reset(self, stream):
        """RST_STREAM with CANCEL."""
        self.frame(RESET, 0, stream, struct.pack(">I", 8))

    def close(self):
        """Gone without a word."""
        self.socket.close()

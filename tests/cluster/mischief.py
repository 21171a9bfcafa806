"""A TCP proxy that misbehaves on demand, between a node and its server.

Called by the tests of failures. It listens on 127.0.0.1 and forwards to one port; `mode` may be set while it runs, for the connections
that stand as well. It must never invent a well-formed answer: what it makes up is no reply that anybody could believe.

    honest     bytes go both ways                   half-open  connections stand and are taken, bytes to the server are swallowed
    short      replies are cut in the middle, then  nonsense   replies are replaced by bytes that are no protocol
               the connection is closed             closed     connects are refused, connections are ended
    slow       replies come after `delay` seconds   deaf       replies are swallowed: the server acts, and nobody hears of it
"""

import selectors
import socket
import threading
import time

NONSENSE = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes$-7\r\n*999999999\r\n:x\r\n"


class Proxy:
    """Listens on a free port; a thread of its own moves the bytes."""

    def __init__(self, to):
        self.to, self.mode, self.delay = to, "honest", 0.0
        self.door = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = self.door.getsockname()[1]
        self.pairs, self.lock, self.stopped = [], threading.Lock(), False
        threading.Thread(target=self.accept, daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stopped = True
        self.door.close()
        self.end_all()

    def set(self, mode):
        """Misbehaves like this from now on."""
        self.mode = mode
        if mode == "closed":
            self.end_all()

    def end_all(self):
        """Ends what stands."""
        with self.lock:
            pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for wire in pair:
                try:
                    wire.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def accept(self):
        """Takes connections until it is closed."""
        while not self.stopped:
            try:
                client, _ = self.door.accept()
            except OSError:
                return
            if self.mode == "closed":
                client.close()
                continue
            threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        """One connection."""
        try:
            server = socket.create_connection(("127.0.0.1", self.to), 5)
        except OSError:
            client.close()
            return
        with client, server, selectors.DefaultSelector() as ready:
            with self.lock:
                self.pairs.append((client, server))
            for wire in (client, server):
                wire.settimeout(5)
                ready.register(wire, selectors.EVENT_READ)
            try:
                while not self.stopped and all(self.move(key.fileobj, client, server) for key, _ in ready.select(1)):
                    pass
            except OSError:
                return
            finally:
                with self.lock:
                    if (client, server) in self.pairs:
                        self.pairs.remove((client, server))

    def move(self, wire, client, server):
        """Some bytes one way; false when the connection is over."""
        data = wire.recv(65536)
        mode = self.mode
        if not data:
            return False
        if wire is client:
            if mode != "half-open":
                server.sendall(data)
            return True
        if mode in ("half-open", "deaf"):
            return True
        if mode == "slow":
            time.sleep(self.delay)
        if mode == "nonsense":
            data = NONSENSE
        elif mode == "short":
            data = data[:max(1, len(data) // 2)]
        client.sendall(data)
        return mode != "short"

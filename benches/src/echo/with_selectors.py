"""The echo server on Python's selectors, as its documentation has it, with what a slow peer needs."""
import selectors
import socket

selector = selectors.DefaultSelector()


def accept(listener, _):
    for _ in range(64):
        try:
            connection, _peer = listener.accept()
        except BlockingIOError:
            return
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, read)


def close(connection):
    selector.unregister(connection)
    connection.close()


def read(connection, _):
    try:
        data = connection.recv(65536)
        if not data:
            return close(connection)
        sent = connection.send(data)
    except BlockingIOError:
        sent = 0
    except OSError:
        return close(connection)
    if sent < len(data):
        selector.modify(connection, selectors.EVENT_WRITE, Rest(data[sent:]))


class Rest:
    """What the peer has not taken yet: nothing is read from it until it has."""

    def __init__(self, data):
        self.data = data

    def __call__(self, connection, _):
        try:
            self.data = self.data[connection.send(self.data):]
        except BlockingIOError:
            return
        except OSError:
            return close(connection)
        if not self.data:
            selector.modify(connection, selectors.EVENT_READ, read)


with socket.create_server(("127.0.0.1", 0), backlog=1024) as listener:
    listener.setblocking(False)
    selector.register(listener, selectors.EVENT_READ, accept)
    print("127.0.0.1:%d" % listener.getsockname()[1], flush=True)
    while True:
        for key, events in selector.select():
            key.data(key.fileobj, events)

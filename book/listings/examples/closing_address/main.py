import select
import socket

server = socket.create_server(("127.0.0.1", 0))
inputs = [server]


def turn():
    """A turn of the notes' loop, as far as it goes wrong."""
    global client_address
    readable, _, _ = select.select(inputs, [], [], 20)
    for s in readable:
        if s is server:
            connection, client_address = s.accept()
            print("connection from %s:%d" % client_address)
            inputs.append(connection)
        elif not s.recv(1024):
            print("closing %s:%d" % client_address)
            print("    but it was %s:%d" % s.getpeername())
            inputs.remove(s)
            s.close()


first = socket.create_connection(server.getsockname())
turn()
second = socket.create_connection(server.getsockname())
turn()
first.close()
turn()

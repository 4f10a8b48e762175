"""What the notes' client does, in Python 3: four sockets, three messages, each echo read before the next.

Started with HOST PORT. Prints each echo, and complains when one is not what was sent.
"""

import socket
import sys

server = (sys.argv[1], int(sys.argv[2]))
clients = [socket.create_connection(server, timeout=60) for _ in range(4)]

version = 0
for message in "This is the message", "It will be sent", "in parts ":
    sent = []
    for client in clients:
        version += 1
        sent.append(f"{message} version {version}".encode())
        client.sendall(sent[-1])
    for client, expected in zip(clients, sent):
        echo = b""
        while len(echo) < len(expected):
            piece = client.recv(1024)
            if not piece:
                sys.exit(f"the server closed after {echo!r}")
            echo += piece
        if echo != expected:
            sys.exit(f"{echo!r} is not {expected!r}")
        print(client.getsockname()[1], echo.decode(), flush=True)

for client in clients:
    client.close()

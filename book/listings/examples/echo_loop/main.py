import collections
import select
import socket

server = socket.create_server(("127.0.0.1", 0))
server.setblocking(False)
inputs, outputs = [server], []
names, queues = {}, {}


def close_if_done(s):
    if s not in inputs and s not in outputs:
        print("closing", names[s])
        del names[s], queues[s]
        s.close()


def turn():
    readable, writable, _ = select.select(inputs, outputs, [], 20)
    for s in writable:
        if queues[s]:
            print("sending", queues[s][0].decode(), "to", names[s])
            rest = queues[s][0][s.send(queues[s][0]):]
            queues[s].popleft()
            if rest:
                queues[s].appendleft(rest)
        else:
            print(names[s], "queue empty")
            outputs.remove(s)
            close_if_done(s)
    for s in readable:
        if s is server:
            connection, (host, port) = s.accept()
            connection.setblocking(False)
            names[connection], queues[connection] = f"{host}:{port}", collections.deque()
            inputs.append(connection)
            print("connection from", names[connection])
        elif data := s.recv(1024):
            print("received", data.decode(), "from", names[s])
            queues[s].append(data)
            if s not in outputs:
                outputs.append(s)
        else:
            inputs.remove(s)
            close_if_done(s)


client = socket.create_connection(server.getsockname())
turn()
client.sendall(b"This is the message")
turn()
turn()
turn()
print("the client received", client.recv(1024).decode())
client.close()
turn()

import queue
import select
import socket

server = socket.create_server(("127.0.0.1", 0))
inputs, outputs, queues = [server], [], {}


def turn():
    """A turn of the notes' loop: the readable ones first, then the writable ones."""
    readable, writable, _ = select.select(inputs, outputs, [], 20)
    for s in readable:
        if s is server:
            connection, _ = s.accept()
            inputs.append(connection)
            queues[connection] = queue.Queue()
        elif data := s.recv(1024):
            print("received", data.decode())
            queues[s].put(data)
            outputs.append(s)
        else:
            print("closing")
            if s in outputs:
                outputs.remove(s)
            inputs.remove(s)
            s.close()
            del queues[s]
    for s in writable:
        s.send(queues[s].get_nowait())


client = socket.create_connection(server.getsockname())
turn()
client.sendall(b"hello")
turn()
client.shutdown(socket.SHUT_WR)  # "I shall send no more, and wait for the echo"
select.select([inputs[1]], [], [], 20)  # the server's end of it knows
try:
    turn()
except KeyError:
    print("KeyError: it was writable, too, and its queue is gone")
print("the client received", len(client.recv(1024)), "bytes")

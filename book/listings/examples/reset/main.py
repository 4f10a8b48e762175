import select
import socket

listener = socket.create_server(("127.0.0.1", 0))
near = socket.create_connection(listener.getsockname())
far, _ = listener.accept()

near.sendall(b"hello")
select.select([far], [], [], 20)  # it has arrived,
far.close()  # and nobody reads it: that is a reset

select.select([near], [], [], 20)
readable, writable, exceptional = select.select([near], [near], [near], 0)
print("readable:", len(readable))
print("writable:", len(writable))
print("exceptional:", len(exceptional))
try:
    near.recv(1024)
except OSError as error:
    print("recv:", error.strerror)

import select
import socket

near, far = socket.socketpair()
inputs, timeout = [near], 0.05

readable, _, _ = select.select(inputs, [], [], timeout)
print("first:", len(readable), "ready")
print("the list holds", len(inputs), "and the timeout is", timeout)

far.sendall(b"hello")
readable, _, _ = select.select(inputs, [], [], timeout)
print("second:", len(readable), "ready")

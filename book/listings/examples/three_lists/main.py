import select
import socket

near, far = socket.socketpair()
far.sendall(b"hello")

readable, writable, exceptional = select.select([near, far], [near], [near], 20)

print("near is readable:", near in readable)
print("far is readable:", far in readable)
print("near is writable:", near in writable)
print("near is exceptional:", near in exceptional)
print("ready, all in all:", len(readable) + len(writable) + len(exceptional))

import socket

listener = socket.create_server(("127.0.0.1", 0))
address = listener.getsockname()

client = socket.socket()
print("somebody listens: connect returned", client.connect(address))
listener.close()

client = socket.socket()
try:
    client.connect(address)
except ConnectionRefusedError as error:
    print("nobody listens: connect raised", type(error).__name__)

import socket

listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
listener.bind(("127.0.0.1", 0))
listener.listen(10)
host, port = listener.getsockname()
print(f"listening on {host}:{port}")
listener.close()

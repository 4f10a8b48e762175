import fcntl
import resource
import select
import socket
import sys

most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
if 0 < most < 1025:
    sys.exit(print("skipped: this system gives out no descriptor 1024"))
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

near, far = socket.socketpair()
number = fcntl.fcntl(near, fcntl.F_DUPFD, 1024)
try:
    readable, _, _ = select.select([number], [], [], 0)
    print(f"descriptor {number}: {len(readable)} ready")
except ValueError as error:
    print(f"descriptor {number}: ValueError: {error}")

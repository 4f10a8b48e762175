"""The echo server as Twisted's documentation has it, on its epoll reactor."""
from twisted.internet import epollreactor

epollreactor.install()

from twisted.internet import protocol, reactor


class Echo(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data)


class EchoFactory(protocol.Factory):
    protocol = Echo
    noisy = False


port = reactor.listenTCP(0, EchoFactory(), backlog=1024, interface="127.0.0.1")
print("127.0.0.1:%d" % port.getHost().port, flush=True)
reactor.run()

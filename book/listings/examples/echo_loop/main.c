#include <arpa/inet.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <unistd.h>

static int server, highest;
static fd_set inputs, outputs;
static struct {
    char name[32], queue[4096];
    int length;
} clients[FD_SETSIZE];

static void close_if_done(int s) {
    if (!FD_ISSET(s, &inputs) && !FD_ISSET(s, &outputs)) {
        printf("closing %s\n", clients[s].name);
        close(s);
    }
}

static void send_next(int s) {
    if (clients[s].length == 0) {
        printf("%s queue empty\n", clients[s].name);
        FD_CLR(s, &outputs);
        close_if_done(s);
        return;
    }
    printf("sending %.*s to %s\n", clients[s].length, clients[s].queue, clients[s].name);
    int sent = (int)send(s, clients[s].queue, (size_t)clients[s].length, MSG_NOSIGNAL);
    if (sent > 0) {
        clients[s].length -= sent;
        memmove(clients[s].queue, clients[s].queue + sent, (size_t)clients[s].length);
    }
}

static void receive(int s) {
    char *end = clients[s].queue + clients[s].length;
    int got = (int)recv(s, end, sizeof clients[s].queue - (size_t)clients[s].length, 0);
    if (got <= 0) {
        FD_CLR(s, &inputs);
        close_if_done(s);
        return;
    }
    printf("received %.*s from %s\n", got, end, clients[s].name);
    clients[s].length += got;
    FD_SET(s, &outputs);
}

static void take_one(void) {
    struct sockaddr_in peer;
    socklen_t length = sizeof peer;
    int s = accept(server, (struct sockaddr *)&peer, &length);
    if (s < 0 || s >= FD_SETSIZE) { // a set has no room for it
        close(s);
        return;
    }
    fcntl(s, F_SETFL, O_NONBLOCK);
    snprintf(clients[s].name, sizeof clients[s].name, "%s:%d", inet_ntoa(peer.sin_addr),
             ntohs(peer.sin_port));
    clients[s].length = 0;
    FD_SET(s, &inputs);
    highest = s > highest ? s : highest;
    printf("connection from %s\n", clients[s].name);
}

static void turn(void) {
    fd_set readable = inputs, writable = outputs; // copies: select writes its answer into them
    struct timeval timeout = {.tv_sec = 20};
    select(highest + 1, &readable, &writable, NULL, &timeout);
    int last = highest;
    for (int s = 0; s <= last; s++) {
        if (FD_ISSET(s, &writable)) send_next(s);
        if (FD_ISSET(s, &readable)) s == server ? take_one() : receive(s);
    }
}

int main(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t length = sizeof address;
    server = highest = socket(AF_INET, SOCK_STREAM, 0);
    int client = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(server, (struct sockaddr *)&address, length) < 0 || listen(server, 10) < 0
        || getsockname(server, (struct sockaddr *)&address, &length) < 0
        || connect(client, (struct sockaddr *)&address, length) < 0) {
        perror("connect");
        return 1;
    }
    fcntl(server, F_SETFL, O_NONBLOCK);
    FD_SET(server, &inputs);

    char echo[1024];
    turn();
    send(client, "This is the message", 19, 0);
    turn();
    turn();
    turn();
    printf("the client received %.*s\n", (int)recv(client, echo, sizeof echo, 0), echo);
    close(client);
    turn();
}

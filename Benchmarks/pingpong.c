// Round trips with blocking sockets: what an application waits for. Compiled with cc.
//
//     pingpong answer ADDRESS PORT
//     pingpong ask ADDRESS PORT SECONDS BYTES
//
// `answer` prints "ready" and sends UDP datagrams back until it is ended. `ask` prints one line of JSON: how many round
// trips there were, how many questions got no answer within 200 ms, and percentiles in microseconds. The first tenth is
// warm-up. With port 0 it asks by ICMP echo instead, which the far kernel answers without waking anybody: what is left is
// the network and one process that waits.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ip_icmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { LARGEST = 65536, MOST = 4000000 };

static void die(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static int compare(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

_Noreturn static void answer(int fd, struct sockaddr_in *here) {
    static char datagram[LARGEST];
    if (bind(fd, (struct sockaddr *)here, sizeof *here) < 0) die("bind");
    printf("ready\n");
    fflush(stdout);
    for (;;) {
        struct sockaddr_in from;
        socklen_t size = sizeof from;
        ssize_t length = recvfrom(fd, datagram, sizeof datagram, 0, (struct sockaddr *)&from, &size);
        if (length < 0) die("recvfrom");
        sendto(fd, datagram, (size_t)length, 0, (struct sockaddr *)&from, size);
    }
}

/// The checksum of RFC 1071 over an even number of bytes.
static uint16_t checksum(const void *data, size_t length) {
    const uint16_t *word = data;
    uint32_t sum = 0;
    for (size_t i = 0; i < length / 2; i++) sum += word[i];
    while (sum >> 16) sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

static int ask(int fd, struct sockaddr_in *there, double seconds, size_t bytes) {
    static char datagram[LARGEST], reply[LARGEST];
    // Where the number of the question is. A raw ICMP socket receives the IP header too, and echo requests to ourselves.
    int echoes = there->sin_port == 0;
    size_t at = echoes ? sizeof(struct icmphdr) : 0, back = echoes ? at + 20 : 0;
    struct icmphdr *header = (struct icmphdr *)datagram;
    uint32_t *times = malloc(MOST * sizeof *times);
    struct timeval patience = {.tv_usec = 200000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (!times || connect(fd, (struct sockaddr *)there, sizeof *there) < 0) die("connect");
    uint64_t start = nanoseconds(), warm = start + (uint64_t)(seconds * 1e8), finish = start + (uint64_t)(seconds * 1e9);
    uint64_t number = 0;
    size_t count = 0, lost = 0;
    for (uint64_t sent = start; sent < finish && count < MOST; sent = nanoseconds()) {
        memcpy(datagram + at, &number, sizeof number);
        if (echoes) {
            *header = (struct icmphdr){.type = ICMP_ECHO, .un.echo = {.id = (uint16_t)getpid(), .sequence = (uint16_t)number}};
            header->checksum = checksum(datagram, bytes);
        }
        uint64_t echo = ~number;
        if (send(fd, datagram, bytes, 0) < 0) die("send");
        // A reply that comes too late belongs to an earlier question.
        while (echo != number) {
            if (recv(fd, reply, sizeof reply, 0) < 0) {
                if (errno != EAGAIN) die("recv");
                break;
            }
            if (!echoes || reply[20] == ICMP_ECHOREPLY) memcpy(&echo, reply + back, sizeof echo);
        }
        uint64_t now = nanoseconds();
        if (echo != number) {
            lost++;
        } else if (now >= warm) {
            times[count++] = (uint32_t)(now - sent);
        }
        number++;
    }
    if (!count) {
        fprintf(stderr, "no answer\n");
        return 1;
    }
    qsort(times, count, sizeof *times, compare);
    printf("{\"count\": %zu, \"lost\": %zu, \"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"p999\": %.3f}\n", count, lost,
           times[count / 2] / 1e3, times[count * 9 / 10] / 1e3, times[count * 99 / 100] / 1e3,
           times[count * 999 / 1000] / 1e3);
    return 0;
}

int main(int words, char **word) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    if (words < 4 || inet_pton(AF_INET, word[2], &address.sin_addr) != 1) {
        fprintf(stderr, "usage: pingpong answer ADDRESS PORT | ask ADDRESS PORT SECONDS BYTES\n");
        return 2;
    }
    address.sin_port = htons((uint16_t)atoi(word[3]));
    int fd = address.sin_port ? socket(AF_INET, SOCK_DGRAM, 0) : socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
    if (fd < 0) die("socket");
    if (strcmp(word[1], "answer") == 0) answer(fd, &address);
    size_t bytes = words > 5 ? (size_t)atoi(word[5]) : 64;
    if (bytes < 16 || bytes % 2 || bytes > LARGEST / 2) return 2;
    return ask(fd, &address, words > 4 ? atof(word[4]) : 1, bytes);
}

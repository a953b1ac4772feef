// Frames at a rate, and what became of them. Compiled by the benchmarks with cc; needs CAP_NET_RAW.
//
//     generator send DEVICE DESTINATION SOURCE SIZES RATE SECONDS [CPU [SOURCES]]
//     generator tunnel ADDRESS SEGMENTS MACS DESTINATION RATE SECONDS [CPU]
//     generator count DEVICE
//
// `send` offers RATE frames a second for SECONDS (0: until SIGTERM). SIZES is a list of SIZE or SIZExWEIGHT, separated by
// commas; a size counts the 4 bytes of the checksum that nobody here sees, as the sizes of RFC 2544 do. With SOURCES the
// frames come from that many MACs in turn. It sleeps between bursts, so that what it does not use is idle time, and prints
// one line of JSON: frames offered, frames that the device refused at once, seconds, seconds that both cores were busy and
// seconds that somebody else's machine took (steal), from /proc/stat.
//
// `tunnel` sends such frames of 64 bytes in VXLAN instead, by UDP to port 4789 of a VTEP: from MACS different addresses in a
// scrambled order, spread over the VNIs from 1 to SEGMENTS, all to one address. MACS is a multiple of SEGMENTS.
//
// `count` receives frames of a generator until SIGTERM and says how many there were, how many are missing below the highest
// sequence number, how many came twice and how many came after a later one.
//
// A frame: Ethernet header with EtherType 0x88B5 (IEEE 802 local experimental: no kernel answers), then a 64-bit sequence
// number in host byte order, zeros.

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ETHERTYPE = 0x88B5, BURST = 32, SIZES = 64, LARGEST = 9018, HEADER = 14, VXLAN = 8 };

static volatile sig_atomic_t ending;

static void end(int number) { (void)number, ending = 1; }

static void die(const char *what) {
    perror(what);
    exit(1);
}

static uint64_t nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void sleep_until(uint64_t moment) {
    struct timespec then = {.tv_sec = (time_t)(moment / 1000000000u), .tv_nsec = (long)(moment % 1000000000u)};
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &then, NULL);
}

/// Seconds of all cores since the system started that were idle, and that were stolen.
static void processor(double *idle, double *stolen) {
    FILE *file = fopen("/proc/stat", "r");
    unsigned long long user, nice, system, waiting_for_work, waiting_for_disk, irq, softirq, steal;
    if (!file || fscanf(file, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &user, &nice, &system, &waiting_for_work,
                        &waiting_for_disk, &irq, &softirq, &steal) != 8)
        die("/proc/stat");
    fclose(file);
    double ticks = (double)sysconf(_SC_CLK_TCK);
    *idle = (double)(waiting_for_work + waiting_for_disk) / ticks;
    *stolen = (double)steal / ticks;
}

static void read_mac(const char *text, uint8_t *mac) {
    if (sscanf(text, "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", mac, mac + 1, mac + 2, mac + 3, mac + 4, mac + 5) != 6) {
        fprintf(stderr, "%s is no MAC\n", text);
        exit(2);
    }
}

/// A packet socket on a device; a sender's has protocol 0 and receives nothing.
static int open_device(const char *name, uint16_t protocol) {
    int fd = socket(AF_PACKET, SOCK_RAW, 0);
    if (fd < 0) die("socket");
    struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(protocol)};
    address.sll_ifindex = (int)if_nametoindex(name);
    if (!address.sll_ifindex) die(name);
    if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) die(name);
    return fd;
}

/// The sizes in the order in which they are sent: every kind is spread over the whole sequence. Answers how many.
static int read_sizes(char *text, int *order) {
    int size[SIZES], weight[SIZES], kinds = 0, total = 0;
    for (char *word = strtok(text, ","); word && kinds < SIZES; word = strtok(NULL, ",")) {
        weight[kinds] = 1;
        if (sscanf(word, "%dx%d", &size[kinds], &weight[kinds]) < 1 || size[kinds] < 64 || size[kinds] > LARGEST)
            exit(2);
        total += weight[kinds++];
    }
    if (!total || total > SIZES) exit(2);
    int sent[SIZES] = {0};
    for (int i = 0; i < total; i++) {
        int next = -1;
        double most = -1;
        for (int k = 0; k < kinds; k++) {
            double due = (double)weight[k] * (i + 1) / total - sent[k];
            if (due > most) most = due, next = k;
        }
        sent[next]++;
        order[i] = size[next] - 4;
    }
    return total;
}

/// What is sent: BURST frames at a time, written by `prepare` for a sequence number.
struct Load {
    int fd;
    struct mmsghdr messages[BURST];
    struct iovec vectors[BURST];
    uint8_t frames[BURST][LARGEST];
    uint32_t sources, segments;
    int order[SIZES], sizes;
    void (*prepare)(struct Load *, int index, uint64_t number);
};

static void prepare_frame(struct Load *load, int i, uint64_t number) {
    uint8_t *frame = load->frames[i];
    memcpy(frame + HEADER, &number, sizeof number);
    if (load->sources > 1) {
        uint32_t which = htonl((uint32_t)(number % load->sources));
        memcpy(frame + 8, &which, sizeof which);
    }
    load->vectors[i].iov_len = (size_t)load->order[number % (uint64_t)load->sizes];
}

static void prepare_packet(struct Load *load, int i, uint64_t number) {
    uint8_t *inner = load->frames[i] + VXLAN;
    memcpy(inner + HEADER, &number, sizeof number);
    // A prime number larger than any count of sources meets each once, far from the one before.
    uint32_t which = (uint32_t)(number * 2654435761u % load->sources);
    uint32_t vni = htonl((which % load->segments + 1) << 8), source = htonl(which / load->segments);
    memcpy(load->frames[i] + 4, &vni, sizeof vni);
    memcpy(inner + 8, &source, sizeof source);
    load->vectors[i].iov_len = VXLAN + 60;
}

static void prepare_all(struct Load *load, const uint8_t *destination, const uint8_t *source, size_t at) {
    for (int i = 0; i < BURST; i++) {
        uint8_t *frame = load->frames[i] + at;
        memcpy(frame, destination, 6);
        memcpy(frame + 6, source, 6);
        frame[12] = ETHERTYPE >> 8, frame[13] = ETHERTYPE & 0xFF;
        load->vectors[i].iov_base = load->frames[i];
        load->messages[i].msg_hdr.msg_iov = &load->vectors[i];
        load->messages[i].msg_hdr.msg_iovlen = 1;
    }
}

static void stay_on(const char *word) {
    if (!word || atoi(word) < 0) return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(atoi(word), &set);
    sched_setaffinity(0, sizeof set, &set);
}

/// Offers frames at a rate and prints what came of it.
static int offer(struct Load *load, double rate, double seconds) {
    prctl(PR_SET_TIMERSLACK, 1);
    // As few frames together as keep the pauses at 50 us: timers are not free.
    int burst = (int)(rate * 50e-6);
    burst = burst < 1 ? 1 : burst > BURST ? BURST : burst;
    double idle[2], stolen[2];
    uint64_t offered = 0, refused = 0, bytes = 0;
    processor(&idle[0], &stolen[0]);
    uint64_t start = nanoseconds(), finish = seconds > 0 ? start + (uint64_t)(seconds * 1e9) : UINT64_MAX, now = start;
    while (!ending && now < finish) {
        uint64_t due = start + (uint64_t)((double)offered * 1e9 / rate);
        if (due >= finish) break;
        if (due > now) {
            sleep_until(due);
            if (ending) break;
        }
        for (int i = 0; i < burst; i++) {
            load->prepare(load, i, offered + (uint64_t)i);
            bytes += load->vectors[i].iov_len;
        }
        // What the device refuses is a frame that was offered and lost.
        for (int done = 0; done < burst;) {
            int sent = sendmmsg(load->fd, load->messages + done, (unsigned)(burst - done), 0);
            if (sent > 0) {
                done += sent;
            } else if (errno == ENOBUFS || errno == EAGAIN) {
                refused++, done++;
            } else if (errno != EINTR) {
                die("sendmmsg");
            }
        }
        offered += (uint64_t)burst;
        now = nanoseconds();
    }
    if (seconds > 0 && now < finish) sleep_until(finish);
    double took = (double)(nanoseconds() - start) / 1e9;
    processor(&idle[1], &stolen[1]);
    double busy = took * (double)sysconf(_SC_NPROCESSORS_ONLN) - (idle[1] - idle[0]) - (stolen[1] - stolen[0]);
    printf("{\"offered\": %llu, \"refused\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"busy\": %.4f, \"stolen\": %.4f}\n",
           (unsigned long long)offered, (unsigned long long)refused, (unsigned long long)bytes, took, busy,
           stolen[1] - stolen[0]);
    return 0;
}

static struct Load load;  // zeroed, and too large for the stack

static int send_frames(int count, char **word) {
    uint8_t destination[6], source[6];
    read_mac(word[1], destination);
    read_mac(word[2], source);
    load.sizes = read_sizes(word[3], load.order);
    load.sources = count > 7 ? (uint32_t)atol(word[7]) : 1;
    load.prepare = prepare_frame;
    load.fd = open_device(word[0], 0);
    prepare_all(&load, destination, source, 0);
    stay_on(count > 6 ? word[6] : NULL);
    return offer(&load, atof(word[4]), atof(word[5]));
}

static int send_packets(int count, char **word) {
    struct sockaddr_in vtep = {.sin_family = AF_INET, .sin_port = htons(4789)};
    uint8_t destination[6], source[6] = {2, 0x99};
    read_mac(word[3], destination);
    load.segments = (uint32_t)atol(word[1]), load.sources = (uint32_t)atol(word[2]);
    load.prepare = prepare_packet;
    load.fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (inet_pton(AF_INET, word[0], &vtep.sin_addr) != 1 || !load.segments || !load.sources) return 2;
    if (connect(load.fd, (struct sockaddr *)&vtep, sizeof vtep) < 0) die("connect");
    for (int i = 0; i < BURST; i++) load.frames[i][0] = 8;  // the VNI is valid
    prepare_all(&load, destination, source, VXLAN);
    stay_on(count > 6 ? word[6] : NULL);
    return offer(&load, atof(word[4]), atof(word[5]));
}

static int count_frames(char **word) {
    int fd = open_device(word[0], ETHERTYPE);
    int buffer = 64 << 20;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer, sizeof buffer) < 0)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
    struct timeval pause = {.tv_usec = 50000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &pause, sizeof pause);
    const uint64_t room = (uint64_t)1 << 32;  // sequence numbers that fit, a bit each
    uint8_t *seen = calloc(room / 8, 1);
    if (!seen) die("calloc");
    uint64_t frames = 0, twice = 0, late = 0, highest = 0, lowest = UINT64_MAX;
    printf("ready\n");
    fflush(stdout);
    static uint8_t frame[LARGEST];
    for (;;) {
        ssize_t length = recv(fd, frame, sizeof frame, 0);
        if (length < 0) {
            if (errno == EAGAIN && ending) break;  // nothing left
            continue;
        }
        uint64_t number;
        if (length < HEADER + (ssize_t)sizeof number) continue;
        memcpy(&number, frame + HEADER, sizeof number);
        if (number >= room) continue;
        frames++;
        if (seen[number / 8] >> (number % 8) & 1) twice++;
        seen[number / 8] |= (uint8_t)(1 << (number % 8));
        if (frames > 1 && number < highest) late++;
        if (number > highest) highest = number;
        if (number < lowest) lowest = number;
    }
    struct tpacket_stats kernel;
    socklen_t size = sizeof kernel;
    if (getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, &kernel, &size) < 0) die("PACKET_STATISTICS");
    uint64_t missing = frames ? highest + 1 - lowest - (frames - twice) : 0;
    printf("{\"frames\": %llu, \"first\": %llu, \"missing\": %llu, \"twice\": %llu, \"late\": %llu, \"overflowed\": %u}\n",
           (unsigned long long)frames, (unsigned long long)(frames ? lowest : 0), (unsigned long long)missing,
           (unsigned long long)twice, (unsigned long long)late, kernel.tp_drops);
    return 0;
}

int main(int count, char **word) {
    struct sigaction action = {.sa_handler = end};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    if (count >= 8 && strcmp(word[1], "send") == 0) return send_frames(count - 2, word + 2);
    if (count >= 8 && strcmp(word[1], "tunnel") == 0) return send_packets(count - 2, word + 2);
    if (count == 3 && strcmp(word[1], "count") == 0) return count_frames(word + 2);
    fprintf(stderr, "usage: generator send DEVICE DESTINATION SOURCE SIZES RATE SECONDS [CPU [SOURCES]]\n"
                    "       generator tunnel ADDRESS SEGMENTS MACS DESTINATION RATE SECONDS [CPU]\n"
                    "       generator count DEVICE\n");
    return 2;
}

/* The link process: every packet of an emulated network passes here, one event after the other.
 *
 * What nodes send is read from their TUN devices and hops from channel to channel along its route.
 * A channel is a queue, a serialiser that puts one packet after the other on the wire, a seeded
 * loss, and a line in which packets travel, in order, whatever their jitter. Channels of a half-duplex link share one
 * serialiser, whose turns alternate. Time is that of the model: what is processed late still
 * happens at the moment it was due, so that lateness never adds up; how late packets leave for
 * their node's device is measured.
 *
 * A queue serves flows, which are pairs of nodes, in turns of as many bytes (deficit round robin,
 * Shreedhar and Varghese, SIGCOMM 1995), and where it is full the last packet of the longest flow is
 * dropped: links are shared fairly, as they are in the simulator. One flow alone has a plain queue.
 *
 * Where somebody else does the routing, devices carry Ethernet frames, and each belongs to one end of
 * one link: what is read there goes to the other end.
 *
 * Usage: forwarder --run=RUN NETWORK FD...   (TUN or TAP devices, non-blocking)
 * NETWORK is a file written by real_runner.links.userspace.orders. Commands are lines on standard
 * input:
 *   begin SEED         time 0 of schedules is now; losses, faults and counters start afresh
 *   rest               no schedules and no faults until the next beginning
 *   factor LINK F      both channels of a link run at F times their rate; 0 stalls them
 *   silence NODE       what this node sends is dropped, as if it sent nothing
 *   speak NODE         it is heard again
 *   report             print counters as one line of JSON
 * It ends with standard input, and with the process that started it.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

enum { LONGEST = 1518, BURST = 64, QUANTUM = 1514, LATE_BUCKETS = 10000, LATE_BUCKET_NS = 10000, PRIORITY = 10 };
#define NEVER INT64_MAX

typedef struct packet {
    struct packet *next, *previous;
    struct hop *hop; /* where it is, or where it goes next */
    int64_t due_ns;
    int length_bytes;
    unsigned char data[];
} packet;

typedef struct { packet *head, *tail; } fifo;

/* One channel on the way from a node to another, and what waits there; a channel of -1 ends it. */
typedef struct hop {
    int channel;
    fifo queue;
    int64_t queued_bytes, credit_bytes;
    struct hop *next; /* in the channel's ring of those where something waits */
} hop;

typedef struct { int64_t start_ns; double rate_bits_per_s; int64_t delay_ns; } step;

typedef struct {
    int server, target; /* the target is where its last packets go to, if they end here */
    double rate_bits_per_s, factor;
    int64_t delay_ns, jitter_ns, queue_bytes, queued_bytes, last_due_ns;
    uint64_t loss_below, seed, sent; /* a packet is lost where what is drawn for it is below */
    int steps;
    int64_t period_ns; /* 0: none */
    step *schedule;
    hop *last; /* of the ring; what follows has its turn */
    fifo line;
    uint64_t bytes, packets, dropped, lost;
} channel;

typedef struct {
    int channels[2], count, serving; /* serving: -1 when idle */
    packet *current;
    double left_bits;
    int64_t since_ns;
} server;

static struct {
    int count, channels, servers, framing_bytes; /* the count is that of devices */
    int has_frames;
    uint32_t first_address;
    int *devices, *owner, *is_silent; /* by device: its descriptor and its node's number */
    hop **routes; /* [source * count + target], of devices */
    channel *channel;
    server *server;
    int64_t epoch_ns; /* NEVER: not begun */
    uint64_t stray, refused, delivered, late[LATE_BUCKETS];
    int64_t latest_ns;
} net;

/* Events are servers that finish, then lines that deliver. `due` has them by the moment at which
 * they happen, `wake` by that at which they may first matter to anybody: what a server finishes is
 * still on its way for the channel's delay, so nobody has to get up for it before. */
typedef struct { int64_t *key_ns; int *items, *place, size; } heap;
static heap due, wake;

static void die(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    fputs("links: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
    va_end(arguments);
    exit(1);
}

static void *allot(size_t count, size_t size) {
    void *found = calloc(count ? count : 1, size);
    if (!found) die("out of memory");
    return found;
}

static int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void make_heap(heap *h, int size) {
    h->size = size;
    h->key_ns = allot(size, sizeof *h->key_ns);
    h->items = allot(size, sizeof *h->items);
    h->place = allot(size, sizeof *h->place);
    for (int i = 0; i < size; i++) h->items[i] = h->place[i] = i, h->key_ns[i] = NEVER;
}

static int64_t first_ns(const heap *h) { return h->key_ns[h->items[0]]; }

static int before(const heap *h, int i, int j) {
    int a = h->items[i], b = h->items[j];
    return h->key_ns[a] != h->key_ns[b] ? h->key_ns[a] < h->key_ns[b] : a < b;
}

static void swap(heap *h, int i, int j) {
    int a = h->items[i], b = h->items[j];
    h->items[i] = b, h->items[j] = a;
    h->place[b] = i, h->place[a] = j;
}

static void set_key(heap *h, int item, int64_t key_ns) {
    h->key_ns[item] = key_ns;
    int i = h->place[item];
    for (; i > 0 && before(h, i, (i - 1) / 2); i = (i - 1) / 2) swap(h, i, (i - 1) / 2);
    for (int child; (child = 2 * i + 1) < h->size; i = child) {
        if (child + 1 < h->size && before(h, child + 1, child)) child++;
        if (!before(h, child, i)) break;
        swap(h, i, child);
    }
}

static void schedule(int event, int64_t when_ns, int64_t matters_ns) {
    set_key(&due, event, when_ns);
    set_key(&wake, event, matters_ns);
}

static void append(fifo *queue, packet *p) {
    p->next = NULL, p->previous = queue->tail;
    if (queue->tail) queue->tail->next = p; else queue->head = p;
    queue->tail = p;
}

static packet *take(fifo *queue) {
    packet *p = queue->head;
    queue->head = p->next;
    if (queue->head) queue->head->previous = NULL; else queue->tail = NULL;
    return p;
}

static packet *take_last(fifo *queue) {
    packet *p = queue->tail;
    queue->tail = p->previous;
    if (queue->tail) queue->tail->next = NULL; else queue->head = NULL;
    return p;
}

/* Schedules */

static int is_scheduled(const channel *c) { return c->steps && net.epoch_ns != NEVER; }

/* Finds the step of a moment, and when that step ends. */
static const step *step_at(const channel *c, int64_t now_ns, int64_t *end_ns) {
    int64_t since_ns = now_ns > net.epoch_ns ? now_ns - net.epoch_ns : 0;
    int64_t within_ns = c->period_ns ? since_ns % c->period_ns : since_ns;
    int low = 0, high = c->steps;
    while (high - low > 1) {
        int middle = (low + high) / 2;
        if (c->schedule[middle].start_ns <= within_ns) low = middle; else high = middle;
    }
    int64_t next_ns = high < c->steps ? c->schedule[high].start_ns : c->period_ns;
    *end_ns = next_ns ? net.epoch_ns + since_ns - within_ns + next_ns : NEVER;
    return &c->schedule[low];
}

static int64_t delay_ns(const channel *c, int64_t now_ns) {
    int64_t end_ns;
    return is_scheduled(c) ? step_at(c, now_ns, &end_ns)->delay_ns : c->delay_ns;
}

/* The least that a packet may take on its way. */
static int64_t least_delay_ns(const channel *c, int64_t now_ns) {
    int64_t least_ns = delay_ns(c, now_ns) - c->jitter_ns;
    return least_ns > 0 ? least_ns : 0;
}

/* When so many bits that begin now have left, and (below) how many leave until then. */
static int64_t finish_ns(const channel *c, int64_t now_ns, double bits) {
    if (c->factor <= 0) return NEVER;
    for (;;) {
        int64_t end_ns = NEVER;
        double rate = is_scheduled(c) ? step_at(c, now_ns, &end_ns)->rate_bits_per_s
                                      : c->rate_bits_per_s;
        rate *= c->factor;
        if (end_ns == NEVER && rate <= 0) return NEVER;
        double fits = end_ns == NEVER ? INFINITY : rate * (double)(end_ns - now_ns) * 1e-9;
        if (bits <= fits && rate > 0) return now_ns + (int64_t)ceil(bits / rate * 1e9);
        bits -= fits;
        now_ns = end_ns;
    }
}

static double bits_until(const channel *c, int64_t from_ns, int64_t to_ns) {
    double bits = 0;
    while (from_ns < to_ns) {
        int64_t end_ns = NEVER;
        double rate = is_scheduled(c) ? step_at(c, from_ns, &end_ns)->rate_bits_per_s
                                      : c->rate_bits_per_s;
        if (end_ns > to_ns) end_ns = to_ns;
        bits += rate * c->factor * (double)(end_ns - from_ns) * 1e-9;
        from_ns = end_ns;
    }
    return bits;
}

/* A packet's way */

static int framed(const packet *p) { return p->length_bytes + net.framing_bytes; }

/* A number of a seed's sequence: splitmix64 (Steele, Lea and Flood, OOPSLA 2014). */
static uint64_t drawn(uint64_t seed, uint64_t number) {
    uint64_t z = seed + number * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Whether a packet is lost, and its jitter, depend on its number on the channel, and on nothing else. */
static int is_lost(channel *c) { return drawn(c->seed, ++c->sent) < c->loss_below; }

static int64_t drawn_jitter_ns(const channel *c) {
    uint64_t number = drawn(~c->seed, c->sent) >> 11; /* of 53 bits, which a double holds */
    return llround((2.0 * ldexp((double)number, -53) - 1.0) * (double)c->jitter_ns);
}

/* The ring of flows that wait for a channel */

static void join(channel *c, hop *flow) {
    flow->credit_bytes = 0;
    flow->next = c->last ? c->last->next : flow;
    if (c->last) c->last->next = flow;
    c->last = flow;
}

/* Takes out the flow that follows another, if nothing waits there any more. */
static void leave(channel *c, hop *previous) {
    hop *flow = previous->next;
    if (flow->queue.head) return;
    previous->next = flow->next;
    if (c->last == flow) c->last = flow == previous ? NULL : previous;
}

static packet *pick(channel *c) {
    for (;; c->last = c->last->next) {
        hop *flow = c->last->next;
        if (flow->credit_bytes >= framed(flow->queue.head)) {
            packet *p = take(&flow->queue);
            flow->credit_bytes -= framed(p);
            flow->queued_bytes -= framed(p), c->queued_bytes -= framed(p);
            leave(c, c->last);
            return p;
        }
        flow->credit_bytes += QUANTUM;
    }
}

static void drop_of_longest(channel *c) {
    hop *before_it = c->last;
    for (hop *other = c->last->next; other != c->last; other = other->next)
        if (other->next->queued_bytes > before_it->next->queued_bytes) before_it = other;
    packet *p = take_last(&before_it->next->queue);
    before_it->next->queued_bytes -= framed(p), c->queued_bytes -= framed(p);
    leave(c, before_it);
    c->dropped++;
    free(p);
}

static void wait_in_line(channel *c, packet *p) {
    hop *flow = p->hop;
    if (!flow->queue.head) join(c, flow);
    append(&flow->queue, p);
    flow->queued_bytes += framed(p), c->queued_bytes += framed(p);
    while (c->queued_bytes > c->queue_bytes) drop_of_longest(c);
}

static void schedule_server(int s, int64_t when_ns) {
    const channel *c = &net.channel[net.server[s].serving];
    schedule(s, when_ns, when_ns == NEVER ? NEVER : when_ns + least_delay_ns(c, when_ns));
}

static void serve(int s, int index, packet *p, int64_t now_ns) {
    server *it = &net.server[s];
    it->serving = index, it->current = p, it->since_ns = now_ns;
    it->left_bits = 8.0 * framed(p);
    schedule_server(s, finish_ns(&net.channel[index], now_ns, it->left_bits));
}

static void enter(int index, packet *p, int64_t now_ns) {
    channel *c = &net.channel[index];
    if (net.server[c->server].serving < 0) serve(c->server, index, p, now_ns);
    else wait_in_line(c, p);
}

static void serve_next(int s, int64_t now_ns) {
    server *it = &net.server[s];
    int last = it->serving == it->channels[0] ? 0 : 1;
    it->serving = -1;
    for (int turn = 1; turn <= it->count; turn++) {
        int index = it->channels[(last + turn) % it->count];
        if (net.channel[index].last) {
            serve(s, index, pick(&net.channel[index]), now_ns);
            return;
        }
    }
    schedule(s, NEVER, NEVER);
}

static void finish(int s, int64_t now_ns) {
    server *it = &net.server[s];
    int index = it->serving;
    channel *c = &net.channel[index];
    packet *p = it->current;
    c->packets++, c->bytes += framed(p);
    if (is_lost(c)) {
        c->lost++;
        free(p);
    } else {
        int64_t takes_ns = delay_ns(c, now_ns) + (c->jitter_ns ? drawn_jitter_ns(c) : 0);
        int64_t due_ns = now_ns + (takes_ns > 0 ? takes_ns : 0);
        p->due_ns = due_ns > c->last_due_ns ? due_ns : c->last_due_ns;
        c->last_due_ns = p->due_ns;
        append(&c->line, p);
        if (c->line.head == p) schedule(net.servers + index, p->due_ns, p->due_ns);
    }
    serve_next(s, now_ns);
}

static void release(const channel *c, packet *p, int64_t due_ns) {
    ssize_t wrote = write(net.devices[c->target], p->data, p->length_bytes);
    int64_t late_ns = clock_ns() - due_ns;
    int64_t bucket = late_ns / LATE_BUCKET_NS;
    if (wrote != p->length_bytes) net.refused++;
    net.delivered++;
    net.late[bucket < LATE_BUCKETS ? bucket : LATE_BUCKETS - 1]++;
    if (late_ns > net.latest_ns) net.latest_ns = late_ns;
    free(p);
}

static void arrive(int index, int64_t now_ns) {
    channel *c = &net.channel[index];
    packet *p = take(&c->line);
    int64_t next_ns = c->line.head ? c->line.head->due_ns : NEVER;
    schedule(net.servers + index, next_ns, next_ns);
    int next = (++p->hop)->channel;
    if (next < 0) release(c, p, now_ns); else enter(next, p, now_ns);
}

static void proceed(int64_t now_ns) {
    while (first_ns(&due) <= now_ns) {
        int event = due.items[0];
        int64_t due_ns = due.key_ns[event];
        if (event < net.servers) finish(event, due_ns); else arrive(event - net.servers, due_ns);
    }
}

/* The way of what was read from a device; none for what is for nobody. */
static hop *route_of(int device, const unsigned char *data, ssize_t length) {
    uint32_t address, target = (uint32_t)device ^ 1; /* the other end of a link */
    if (!net.has_frames) {
        if (length < 20 || data[0] >> 4 != 4) return NULL;
        memcpy(&address, data + 16, sizeof address);
        target = __builtin_bswap32(address) - net.first_address;
    }
    return target < (uint32_t)net.count ? net.routes[(size_t)device * net.count + target] : NULL;
}

static void receive(int device) {
    static unsigned char buffer[LONGEST];
    for (int count = 0; count < BURST; count++) {
        ssize_t length = read(net.devices[device], buffer, sizeof buffer);
        if (length <= 0) return;
        if (net.is_silent[device]) continue;
        hop *route = route_of(device, buffer, length);
        if (!route) {
            net.stray++;
            continue;
        }
        packet *p = malloc(sizeof *p + length);
        if (!p && munlockall() == 0) p = malloc(sizeof *p + length); /* a user may lock so much */
        if (!p) die("out of memory");
        p->hop = route, p->length_bytes = (int)length;
        memcpy(p->data, buffer, length);
        int64_t now_ns = clock_ns();
        proceed(now_ns);
        enter(route->channel, p, now_ns);
    }
}

/* Commands */

/* Brings what is being sent up to now, before rates change. */
static void settle(int64_t now_ns) {
    for (int s = 0; s < net.servers; s++) {
        server *it = &net.server[s];
        if (it->serving < 0) continue;
        it->left_bits -= bits_until(&net.channel[it->serving], it->since_ns, now_ns);
        if (it->left_bits < 0) it->left_bits = 0;
        it->since_ns = now_ns;
    }
}

static void resume(int64_t now_ns) {
    for (int s = 0; s < net.servers; s++) {
        server *it = &net.server[s];
        if (it->serving < 0) continue;
        schedule_server(s, finish_ns(&net.channel[it->serving], now_ns, it->left_bits));
    }
}

/* Lets schedules begin at a moment, or (at NEVER) rest, without faults. */
static void restore(int64_t epoch_ns, int64_t now_ns) {
    settle(now_ns);
    net.epoch_ns = epoch_ns;
    for (int i = 0; i < net.channels; i++) net.channel[i].factor = 1;
    for (int i = 0; i < net.count; i++) net.is_silent[i] = 0;
    resume(now_ns);
}

static void begin(uint64_t seed, int64_t now_ns) {
    restore(now_ns, now_ns);
    for (int i = 0; i < net.channels; i++) {
        channel *c = &net.channel[i];
        c->sent = 0, c->seed = drawn(seed, i);
        c->bytes = c->packets = c->dropped = c->lost = 0;
    }
    net.stray = net.refused = net.delivered = 0, net.latest_ns = 0;
    memset(net.late, 0, sizeof net.late);
}

static void set_factor(int link, double factor, int64_t now_ns) {
    settle(now_ns);
    net.channel[2 * link].factor = net.channel[2 * link + 1].factor = factor;
    resume(now_ns);
}

static void set_silent(int node, int is_silent) {
    for (int i = 0; i < net.count; i++)
        if (net.owner[i] == node) net.is_silent[i] = is_silent;
}

static double late_s(double quantile) {
    uint64_t wanted = (uint64_t)ceil(quantile * (double)net.delivered), seen = 0;
    for (int i = 0; i < LATE_BUCKETS; i++)
        if ((seen += net.late[i]) >= wanted && wanted) return (i + 1) * (LATE_BUCKET_NS * 1e-9);
    return 0;
}

static void report(void) {
    printf("{\"delivered\":%" PRIu64 ",\"stray\":%" PRIu64 ",\"refused\":%" PRIu64
           ",\"late_p50_s\":%.6f,\"late_p99_s\":%.6f,\"late_max_s\":%.9f,\"channels\":[",
           net.delivered, net.stray, net.refused, late_s(0.5), late_s(0.99),
           (double)net.latest_ns * 1e-9);
    for (int i = 0; i < net.channels; i++) {
        const channel *c = &net.channel[i];
        printf("%s[%" PRIu64 ",%" PRIu64 ",%" PRIu64 ",%" PRIu64 "]", i ? "," : "", c->bytes,
               c->packets, c->dropped, c->lost);
    }
    puts("]}");
    fflush(stdout);
}

static void obey(const char *line) {
    int link, node;
    double factor;
    uint64_t seed;
    int64_t now_ns = clock_ns();
    proceed(now_ns);
    if (sscanf(line, "begin %" SCNu64, &seed) == 1) begin(seed, now_ns);
    else if (!strcmp(line, "rest")) restore(NEVER, now_ns);
    else if (!strcmp(line, "report")) report();
    else if (sscanf(line, "silence %d", &node) == 1) set_silent(node, 1);
    else if (sscanf(line, "speak %d", &node) == 1) set_silent(node, 0);
    else if (sscanf(line, "factor %d %lf", &link, &factor) == 2 && link >= 0 &&
             link < net.channels / 2 && factor >= 0) set_factor(link, factor, now_ns);
    else die("command '%s' is unknown", line);
}

static void listen_to_commands(void) {
    static char text[4096];
    static size_t kept;
    ssize_t got = read(0, text + kept, sizeof text - 1 - kept);
    if (got == 0) exit(0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (got < 0) die("standard input: %s", strerror(errno));
    kept += got;
    text[kept] = 0;
    char *line = text;
    for (char *end; (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        obey(line);
    }
    kept = strlen(line);
    memmove(text, line, kept + 1);
    if (kept == sizeof text - 1) die("a command is too long");
}

/* Set-up */

static void expect(int got, int wanted, const char *what) {
    if (got != wanted) die("network file: bad %s", what);
}

static void read_channel(FILE *file, channel *c) {
    expect(fscanf(file, " channel %d %d %lf %" SCNd64 " %" SCNd64 " %" SCNd64 " %" SCNu64 " %" SCNd64
                  " %d", &c->server, &c->target, &c->rate_bits_per_s, &c->delay_ns, &c->jitter_ns,
                  &c->queue_bytes, &c->loss_below, &c->period_ns, &c->steps), 9, "channel");
    c->factor = 1;
    c->schedule = allot(c->steps, sizeof *c->schedule);
    for (int i = 0; i < c->steps; i++)
        expect(fscanf(file, "%" SCNd64 " %lf %" SCNd64, &c->schedule[i].start_ns,
                      &c->schedule[i].rate_bits_per_s, &c->schedule[i].delay_ns), 3, "step");
}

static void read_routes(FILE *file) {
    int source, target, hops;
    while (fscanf(file, " route %d %d %d", &source, &target, &hops) == 3) {
        hop *route = allot(hops + 1, sizeof *route);
        for (int i = 0; i < hops; i++) expect(fscanf(file, "%d", &route[i].channel), 1, "route");
        route[hops].channel = -1;
        net.routes[(size_t)source * net.count + target] = route;
    }
    expect(feof(file) != 0, 1, "end");
}

static void read_network(const char *path) {
    FILE *file = fopen(path, "r");
    if (!file) die("%s: %s", path, strerror(errno));
    char what[8];
    expect(fscanf(file, " network %7s %d %d %d %d %" SCNu32, what, &net.count, &net.channels,
                  &net.servers, &net.framing_bytes, &net.first_address), 6, "first line");
    net.has_frames = !strcmp(what, "frames");
    net.owner = allot(net.count, sizeof *net.owner);
    net.is_silent = allot(net.count, sizeof *net.is_silent);
    net.channel = allot(net.channels, sizeof *net.channel);
    net.server = allot(net.servers, sizeof *net.server);
    net.routes = allot((size_t)net.count * net.count, sizeof *net.routes);
    for (int s = 0; s < net.servers; s++) net.server[s].serving = -1;
    for (int i = 0; i < net.channels; i++) {
        read_channel(file, &net.channel[i]);
        server *it = &net.server[net.channel[i].server];
        it->channels[it->count++] = i;
    }
    for (int i = 0; i < net.count; i++)
        expect(fscanf(file, " device %d", &net.owner[i]), 1, "device");
    read_routes(file);
    fclose(file);
}

static void watch(int poll_fd, int fd, int number) {
    struct epoll_event event = {.events = EPOLLIN, .data.fd = number};
    if (epoll_ctl(poll_fd, EPOLL_CTL_ADD, fd, &event)) die("epoll: %s", strerror(errno));
}

static void set_alarm(int timer, int64_t when_ns) {
    static int64_t set_ns = 0;
    if (when_ns == set_ns) return;
    set_ns = when_ns;
    if (when_ns == NEVER) when_ns = 0; /* disarms it */
    struct itimerspec at = {.it_value = {when_ns / 1000000000, when_ns % 1000000000}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
}

static void forward(void) {
    struct epoll_event events[64];
    int poll_fd = epoll_create1(EPOLL_CLOEXEC);
    int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
    if (poll_fd < 0 || timer < 0) die("epoll: %s", strerror(errno));
    watch(poll_fd, timer, -1);
    watch(poll_fd, 0, -2);
    for (int i = 0; i < net.count; i++) watch(poll_fd, net.devices[i], i);
    for (;;) {
        proceed(clock_ns());
        set_alarm(timer, first_ns(&wake));
        int count = epoll_wait(poll_fd, events, 64, -1);
        if (count < 0 && errno != EINTR) die("epoll: %s", strerror(errno));
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd >= 0) receive(events[i].data.fd);
            else if (events[i].data.fd == -2) listen_to_commands();
        }
    }
}

int main(int count, char **words) {
    if (count < 3) die("usage: forwarder --run=RUN NETWORK FD...");
    read_network(words[2]);
    make_heap(&due, net.servers + net.channels);
    make_heap(&wake, net.servers + net.channels);
    net.epoch_ns = NEVER;
    if (count - 3 != net.count) die("%d devices for %d", count - 3, net.count);
    net.devices = allot(net.count, sizeof *net.devices);
    for (int i = 0; i < net.count; i++) net.devices[i] = atoi(words[i + 3]);
    struct sched_param priority = {.sched_priority = PRIORITY};
    int is_realtime = sched_setscheduler(0, SCHED_FIFO, &priority) == 0;
    mlockall(MCL_CURRENT | MCL_FUTURE); /* where it may; else pages may have to be fetched */
    printf("{\"realtime\":%s,\"offloads\":\"none: %s devices without IFF_VNET_HDR\","
           "\"losses\":\"seeded\"}\n", is_realtime ? "true" : "false", net.has_frames ? "TAP" : "TUN");
    fflush(stdout);
    forward();
}

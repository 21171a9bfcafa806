/* A small HTTP server with Janua in its door: what an adapter for a server has to do, in one file.
 *
 *   host CONFIG PORT PREFIX:PROFILE...        host janua.toml 8080 /api:mauro /REST:mfiles
 *
 * Listens on 127.0.0.1. The longest PREFIX that fits a path names the profile that judges it; all sites share one
 * engine. What is allowed reaches "the application" below, which says who it was told is calling. One thread for each
 * connection, one request for each connection: a real server keeps connections open, the rest is the same. */
#include <arpa/inet.h>
#include <ctype.h>
#include <janua.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 32768, HEADERS_MAX = 100, SITES_MAX = 16, CONNECTIONS_MAX = 64, DEADLINE = 15 };

static janua_engine *engine;
static struct { const char *prefix; janua_site *site; } sites[SITES_MAX];
static int site_count;
static int connections; /* atomic */
static volatile sig_atomic_t stopping;

struct request {
    int socket;
    time_t deadline; /* for the whole of what the client sends */
    char client[64];
    char head[HEAD_MAX + 1], path[HEAD_MAX + 1];
    size_t head_len, got; /* the head with its empty line; all that was read, maybe the body's beginning */
    janua_header headers[HEADERS_MAX];
    size_t header_count;
    janua_str method, raw_path, query;
    size_t content_length, body_read;
    int expects_continue;
};

static janua_str view(const char *text) { return (janua_str){text, strlen(text)}; }

static int same_name(janua_str name, const char *text) {
    return name.len == strlen(text) && strncasecmp(name.ptr, text, name.len) == 0;
}

/* ---- the client's side of the wire ---- */

static int receive(struct request *r, char *to, size_t room) {
    if (time(NULL) >= r->deadline) return -1; /* slow, one byte at a time */
    ssize_t n = recv(r->socket, to, room, 0); /* SO_RCVTIMEO bounds the wait */
    return n > 0 ? (int)n : -1;
}

static void send_all(int socket, const char *from, size_t len) {
    while (len > 0) {
        ssize_t n = send(socket, from, len, MSG_NOSIGNAL);
        if (n <= 0) return;
        from += n, len -= (size_t)n;
    }
}

/* Decodes once and resolves dots and double slashes, as the application will read the path. 0: not a path. */
static int normalise(janua_str raw, char *out) {
    size_t n = 0;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.ptr[i];
        if (c == '%') {
            unsigned value;
            if (i + 2 >= raw.len || !isxdigit((unsigned char)raw.ptr[i + 1]) || !isxdigit((unsigned char)raw.ptr[i + 2])) return 0;
            if (sscanf(raw.ptr + i + 1, "%2x", &value) != 1 || value == 0) return 0;
            c = (unsigned char)value, i += 2;
        }
        out[n++] = (char)c;
    }
    out[n] = '\0';
    size_t to = 0;
    for (size_t from = 0; from < n;) { /* out[from] is a slash */
        size_t end = from + 1;
        while (end < n && out[end] != '/') end++;
        size_t len = end - from - 1;
        int last = end == n;
        if (len == 2 && memcmp(out + from + 1, "..", 2) == 0) {
            if (to == 0) return 0;
            do to--; while (to > 0 && out[to] != '/');
            if (last) out[to++] = '/';
        } else if ((len == 0 && !last) || (len == 1 && out[from + 1] == '.')) {
            if (last) out[to++] = '/';
        } else {
            memmove(out + to, out + from, len + 1);
            to += len + 1;
        }
        from = end;
    }
    if (to == 0) out[to++] = '/';
    out[to] = '\0';
    return 1;
}

/* Reads and splits the head. Returns 0, or the status of the refusal. Strict: what two servers may read in two ways is refused. */
static int read_head(struct request *r) {
    char *end;
    r->head[0] = '\0';
    while ((end = strstr(r->head, "\r\n\r\n")) == NULL) {
        if (r->got == HEAD_MAX) return 431;
        int n = receive(r, r->head + r->got, HEAD_MAX - r->got);
        if (n < 0) return r->got ? 408 : -1;
        r->got += (size_t)n;
        r->head[r->got] = '\0';
        if (memchr(r->head, '\0', r->got) != NULL && strlen(r->head) < r->got && strstr(r->head, "\r\n\r\n") == NULL) return 400;
    }
    r->head_len = (size_t)(end - r->head) + 4;
    char *line = r->head, *stop = strstr(line, "\r\n"), *space = memchr(line, ' ', (size_t)(stop - line));
    if (!space || space == line) return 400;
    r->method = (janua_str){line, (size_t)(space - line)};
    char *target = space + 1, *after = memchr(target, ' ', (size_t)(stop - target));
    if (!after || *target != '/') return 400;
    if (stop - after != 9 || (memcmp(after, " HTTP/1.1", 9) != 0 && memcmp(after, " HTTP/1.0", 9) != 0)) return 505;
    for (char *c = target; c < after; c++)
        if ((unsigned char)*c <= ' ' || *c == 127 || *c == '#') return 400;
    char *mark = memchr(target, '?', (size_t)(after - target));
    r->raw_path = (janua_str){target, (size_t)((mark ? mark : after) - target)};
    if (mark) r->query = (janua_str){mark + 1, (size_t)(after - mark - 1)};
    if (!normalise(r->raw_path, r->path)) return 400;

    int lengths = 0;
    for (line = stop + 2; line < end; line = stop + 2) {
        stop = strstr(line, "\r\n");
        char *colon = line;
        while (isalnum((unsigned char)*colon) || (*colon && strchr("!#$%&'*+-.^_`|~", *colon))) colon++;
        if (*colon != ':' || colon == line) return 400; /* folded, blank before the colon, no name */
        for (char *c = colon; c < stop; c++)
            if (((unsigned char)*c < ' ' && *c != '\t') || *c == 127) return 400;
        if (r->header_count == HEADERS_MAX) return 431;
        char *from = colon + 1, *to = stop;
        while (from < to && (*from == ' ' || *from == '\t')) from++;
        while (to > from && (to[-1] == ' ' || to[-1] == '\t')) to--;
        janua_header h = {{line, (size_t)(colon - line)}, {from, (size_t)(to - from)}};
        r->headers[r->header_count++] = h;
        if (same_name(h.name, "Transfer-Encoding")) return 501;
        if (same_name(h.name, "Expect")) r->expects_continue = same_name(h.value, "100-continue");
        if (same_name(h.name, "Content-Length")) {
            if (h.value.len == 0 || h.value.len > 12 || lengths++) return 400;
            for (char *c = from; c < to; c++) {
                if (!isdigit((unsigned char)*c)) return 400;
                r->content_length = r->content_length * 10 + (size_t)(*c - '0');
            }
        }
    }
    return 0;
}

/* Reads the next bytes of the body: first what came with the head. */
static int read_body(struct request *r, char *to, size_t room) {
    size_t early = r->got - r->head_len, left = r->content_length - r->body_read;
    if (room > left) room = left;
    if (r->body_read < early) {
        if (room > early - r->body_read) room = early - r->body_read;
        memcpy(to, r->head + r->head_len + r->body_read, room);
        r->body_read += room;
        return (int)room;
    }
    if (r->expects_continue) send_all(r->socket, "HTTP/1.1 100 Continue\r\n\r\n", 25);
    r->expects_continue = 0;
    int n = receive(r, to, room);
    if (n > 0) r->body_read += (size_t)n;
    return n;
}

/* An answer that leaves a body unread would be read as the next request, or reset the connection. */
static void discard_body(struct request *r) {
    char sink[4096];
    size_t most = 1 << 20;
    if (r->expects_continue) return; /* it was not sent, and will not be */
    while (r->body_read < r->content_length && most > sizeof sink) {
        int n = read_body(r, sink, sizeof sink);
        if (n <= 0) return;
        most -= (size_t)n;
    }
}

static void answer(struct request *r, int status, const janua_header *headers, size_t count, janua_str body) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out) return;
    fprintf(out, "HTTP/1.1 %d %s\r\n", status, status < 300 ? "OK" : status < 400 ? "See Other" : "Refused");
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%.*s: %.*s\r\n", (int)headers[i].name.len, headers[i].name.ptr,
                (int)headers[i].value.len, headers[i].value.ptr);
    if (status != 204 && status != 304) fprintf(out, "Content-Length: %zu\r\n", body.len);
    fputs("Connection: close\r\n\r\n", out);
    int head_only = same_name(r->method, "HEAD") || status == 204 || status == 304;
    if (!head_only) fwrite(body.ptr, 1, body.len, out);
    fclose(out);
    discard_body(r);
    send_all(r->socket, text, len);
    explicit_bzero(text, len); /* it may hold a new session's cookie */
    free(text);
}

/* ---- the application, which trusts what it is told ---- */

/* Lower case, every byte outside [a-z0-9] as `_`: the form of the strip list. */
static int canonical_same(janua_str name, janua_str listed) {
    if (name.len != listed.len) return 0;
    for (size_t i = 0; i < name.len; i++) {
        int c = tolower((unsigned char)name.ptr[i]);
        if ((islower(c) || isdigit(c) ? c : '_') != listed.ptr[i]) return 0;
    }
    return 1;
}

static int is_identity(janua_str name) {
    const janua_str *names;
    size_t count;
    if (janua_strip_list(engine, &names, &count) != JANUA_OK) return 1;
    for (size_t i = 0; i < count; i++)
        if (canonical_same(name, names[i])) return 1;
    return 0;
}

static void json_text(FILE *out, janua_str s) {
    fputc('"', out);
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];
        if (c == '"' || c == '\\') fprintf(out, "\\%c", c);
        else if (c < ' ') fprintf(out, "\\u%04x", c);
        else fputc(c, out);
    }
    fputc('"', out);
}

/* Sees the request as it goes inward, and tells the identity headers in it. */
static void application(struct request *r, const janua_decision *d, const janua_header *inward, size_t count) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out) return;
    fputs("{\"method\":", out), json_text(out, d->method);
    fputs(",\"path\":", out), json_text(out, d->path);
    fputs(",\"told\":{", out);
    for (size_t i = 0, n = 0; i < count; i++) {
        if (!is_identity(inward[i].name)) continue;
        fputs(n++ ? "," : "", out), json_text(out, inward[i].name);
        fputc(':', out), json_text(out, inward[i].value);
    }
    fputs("}}\n", out);
    fclose(out);
    janua_header all[HEADERS_MAX] = {{view("Content-Type"), view("application/json")}, {view("Cache-Control"), view("no-store")}};
    size_t n = 2;
    for (size_t i = 0; i < d->response_len && n < HEADERS_MAX; i++) all[n++] = d->response[i];
    answer(r, 200, all, n, (janua_str){text, len});
    free(text);
}

/* ---- the door ---- */

static const janua_site *site_of(const char *path) {
    const janua_site *best = NULL;
    size_t longest = 0;
    for (int i = 0; i < site_count; i++) {
        size_t n = strlen(sites[i].prefix);
        if (strncasecmp(path, sites[i].prefix, n) != 0 || (best && n < longest)) continue;
        if (n == 0 || path[n] == '\0' || path[n] == '/') best = sites[i].site, longest = n;
    }
    return best;
}

static void pass_on(struct request *r, const janua_decision *d) {
    janua_header inward[HEADERS_MAX * 2];
    size_t n = 0;
    for (size_t i = 0; i < r->header_count; i++)
        if (!is_identity(r->headers[i].name)) inward[n++] = r->headers[i];
    for (size_t i = 0; i < d->set_inward_len && n < HEADERS_MAX * 2; i++) inward[n++] = d->set_inward[i];
    application(r, d, inward, n);
}

static void decide(struct request *r) {
    const janua_site *site = site_of(r->path);
    if (!site) { answer(r, 404, NULL, 0, view("nothing here\n")); return; }
    janua_request request = {.size = sizeof request, .method = r->method, .path = view(r->path), .raw_path = r->raw_path,
                             .query = r->query, .client = view(r->client), .headers = r->headers, .headers_len = r->header_count};
    janua_decision d = {.size = sizeof d};
    janua_error err = {.size = sizeof err};
    char *body = NULL;
    size_t room = 0;
    if (r->content_length == 0) request.flags |= JANUA_REQUEST_BODY_GIVEN;
    janua_status status = janua_decide(site, &request, 0, &d, &err);
    if (status == JANUA_OK && d.outcome == JANUA_NEED_BODY) {
        room = d.body_limit;
        janua_decision_clear(&d);
        request.flags = JANUA_REQUEST_BODY_TOO_LARGE;
        if (r->content_length <= room && (body = malloc(r->content_length + 1)) != NULL) {
            size_t have = 0;
            while (have < r->content_length) {
                int n = read_body(r, body + have, r->content_length - have);
                if (n <= 0) break;
                have += (size_t)n;
            }
            if (have < r->content_length) { explicit_bzero(body, have); free(body); answer(r, 408, NULL, 0, view("")); return; }
            request.body = (janua_str){body, have};
            request.flags = JANUA_REQUEST_BODY_GIVEN;
        }
        status = janua_decide(site, &request, 0, &d, &err);
    }
    if (status != JANUA_OK) fprintf(stderr, "%s: %s\n", janua_status_name(status), err.message);
    if (d.hold_ms) usleep(d.hold_ms * 1000);
    if (d.outcome == JANUA_ALLOW) pass_on(r, &d);
    else answer(r, d.http_status ? d.http_status : 500, d.response, d.response_len, d.body); /* ANSWER, DENY, and all else */
    janua_decision_clear(&d);
    if (body) explicit_bzero(body, r->content_length), free(body);
}

static void *serve(void *arg) {
    struct request *r = arg;
    struct timeval wait = {5, 0};
    setsockopt(r->socket, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof wait);
    setsockopt(r->socket, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    int refused = read_head(r);
    if (refused > 0) { r->content_length = r->body_read; answer(r, refused, NULL, 0, view("")); }
    else if (refused == 0) decide(r);
    shutdown(r->socket, SHUT_WR);
    close(r->socket);
    explicit_bzero(r->head, sizeof r->head);
    free(r);
    __atomic_sub_fetch(&connections, 1, __ATOMIC_ACQ_REL);
    return NULL;
}

/* ---- the rest of the host ---- */

static void audit(void *ctx, const janua_event *e) {
    static const char *const kinds[] = {"?", "allow", "deny", "login", "logout", "token", "tenant", "eviction", "alarm"};
    (void)ctx;
    printf("audit %lld %s %s principal=%.*s session=%.*s client=%.*s endpoint=%.*s\n", (long long)e->time,
           e->kind < sizeof kinds / sizeof *kinds ? kinds[e->kind] : "?", janua_reason_name(e->reason),
           (int)e->principal.len, e->principal.ptr, (int)e->session_ref.len, e->session_ref.ptr,
           (int)e->client.len, e->client.ptr, (int)e->endpoint.len, e->endpoint.ptr);
}

static void *maintain(void *arg) {
    janua_error err = {.size = sizeof err};
    (void)arg;
    while (!stopping) {
        sleep(1);
        if (janua_maintain(engine, 20000, &err) != JANUA_OK) fprintf(stderr, "maintenance: %s\n", err.message);
    }
    return NULL;
}

static void stop(int signal) { (void)signal, stopping = 1; }

static int failed(const char *what, const janua_error *err) {
    fprintf(stderr, "%s: %s: %s\n", what, janua_status_name(err->status), err->message);
    return 1;
}

int main(int argc, char **argv) {
    if (argc < 4 || argc > 3 + SITES_MAX) return fprintf(stderr, "usage: host CONFIG PORT PREFIX:PROFILE...\n"), 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    janua_config *config = NULL;
    janua_error err = {.size = sizeof err};
    janua_audit table = {.size = sizeof table, .event = audit};
    if (janua_config_new(JANUA_ABI, &config, &err) || janua_config_read_file(config, view(argv[1]), &err) ||
        janua_config_set_audit(config, &table, &err) || janua_engine_new(config, &engine, &err) ||
        janua_engine_attach(engine, &err)) return failed(argv[1], &err);
    janua_config_free(config);
    for (; site_count < argc - 3; site_count++) {
        char *prefix = argv[site_count + 3], *profile = strchr(prefix, ':');
        if (!profile) return fprintf(stderr, "%s: PREFIX:PROFILE is wanted\n", prefix), 2;
        *profile++ = '\0';
        sites[site_count].prefix = prefix;
        if (janua_site_new(engine, view(profile), view(""), 0, &sites[site_count].site, &err)) return failed(profile, &err);
    }
    struct sigaction on_stop = {.sa_handler = stop}; /* no SA_RESTART: accept returns */
    sigaction(SIGINT, &on_stop, NULL), sigaction(SIGTERM, &on_stop, NULL);
    int one = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (struct sockaddr *)&address, sizeof address) || listen(door, 128)) return perror(argv[2]), 1;
    pthread_t upkeep, thread;
    sigset_t signals, before;
    sigemptyset(&signals), sigaddset(&signals, SIGINT), sigaddset(&signals, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals, &before); /* the threads inherit it; only this one is told to stop */
    if (pthread_create(&upkeep, NULL, maintain, NULL)) return perror("thread"), 1;
    printf("listening on http://127.0.0.1:%s\n", argv[2]);
    while (!stopping) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        pthread_sigmask(SIG_SETMASK, &before, NULL);
        int socket = accept4(door, (struct sockaddr *)&peer, &size, SOCK_CLOEXEC);
        pthread_sigmask(SIG_BLOCK, &signals, NULL);
        if (socket < 0) continue;
        struct request *r = calloc(1, sizeof *r);
        if (!r || __atomic_add_fetch(&connections, 1, __ATOMIC_ACQ_REL) > CONNECTIONS_MAX) {
            send_all(socket, "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n", 40);
            if (r) __atomic_sub_fetch(&connections, 1, __ATOMIC_ACQ_REL);
            close(socket), free(r);
            continue;
        }
        r->socket = socket, r->deadline = time(NULL) + DEADLINE;
        inet_ntop(AF_INET, &peer.sin_addr, r->client, sizeof r->client);
        if (pthread_create(&thread, NULL, serve, r)) {
            close(socket), free(r), __atomic_sub_fetch(&connections, 1, __ATOMIC_ACQ_REL);
            continue;
        }
        pthread_detach(thread);
    }
    close(door);
    pthread_join(upkeep, NULL);
    while (__atomic_load_n(&connections, __ATOMIC_ACQUIRE) > 0) usleep(10000);
    for (int i = 0; i < site_count; i++) janua_site_free(sites[i].site);
    janua_engine_free(engine);
    return 0;
}

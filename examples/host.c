/* A small HTTP server with Janua in its door: what an adapter for a server has to do.
 *
 *   host CONFIG PORT PREFIX:PROFILE...        host janua.toml 8080 /api:mauro /REST:mfiles
 *
 * Listens on 127.0.0.1. The longest PREFIX that fits a path names the profile that judges it; all sites share one
 * engine. What is allowed reaches "the application" below, which says who it was told is calling. One thread for each
 * connection, one request for each connection: a real server keeps connections open, the rest is the same.
 * wire.h is the least of HTTP/1.1 that this takes; everything about Janua is here. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <janua.h>
#include <pthread.h>
#include <sys/time.h>

#include "wire.h"

enum { SITES_MAX = 16, CONNECTIONS_MAX = 64 };

static janua_engine *engine;
static struct { const char *prefix; janua_site *site; } sites[SITES_MAX];
static int site_count, connections;

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

static int is_listed(janua_str name, const janua_str *names, size_t count) {
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
    if (d->query.len) fputs(",\"query\":", out), json_text(out, d->query);
    fputs(",\"told\":{", out);
    for (size_t i = 0, n = 0; i < count; i++) {
        if (!is_listed(inward[i].name, d->strip, d->strip_len)) continue;
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
        if (!is_listed(r->headers[i].name, d->strip, d->strip_len)) inward[n++] = r->headers[i];
    for (size_t i = 0; i < d->set_inward_len && n < HEADERS_MAX * 2; i++) inward[n++] = d->set_inward[i];
    application(r, d, inward, n);
}

/* Reads the body for the second question. */
static int take_body(struct request *r, janua_request *request, size_t limit) {
    size_t have = 0;
    request->flags = JANUA_REQUEST_BODY_TOO_LARGE;
    if (r->content_length > limit) return 1;
    char *body = malloc(r->content_length + 1);
    for (int n = 1; body && have < r->content_length && n > 0; have += n > 0 ? (size_t)n : 0)
        n = read_body(r, body + have, r->content_length - have);
    request->body = (janua_str){body, have};
    request->flags = JANUA_REQUEST_BODY_GIVEN;
    return body && have == r->content_length;
}

static void decide(struct request *r) {
    const janua_site *site = site_of(r->path);
    janua_request request = {.size = sizeof request, .method = r->method, .path = view(r->path), .raw_path = r->raw_path,
                             .query = r->query, .client = view(r->client), .headers = r->headers,
                             .headers_len = r->header_count};
    janua_decision d = {.size = sizeof d};
    janua_error err = {.size = sizeof err};
    janua_status status = JANUA_OK;
    int complete = 1;
    if (!site) { answer(r, 404, NULL, 0, view("nothing here\n")); return; }
    if (r->content_length == 0) request.flags = JANUA_REQUEST_BODY_GIVEN;
    status = janua_decide(site, &request, 0, &d, &err);
    if (status == JANUA_OK && d.outcome == JANUA_NEED_BODY) {
        complete = take_body(r, &request, d.body_limit);
        janua_decision_clear(&d);
        if (complete) status = janua_decide(site, &request, 0, &d, &err);
    }
    if (status != JANUA_OK) fprintf(stderr, "%s: %s\n", janua_status_name(status), err.message);
    if (d.hold_ms) usleep(d.hold_ms * 1000);
    if (!complete) answer(r, 408, NULL, 0, view(""));
    else if (d.outcome == JANUA_ALLOW) pass_on(r, &d);
    else answer(r, d.http_status ? d.http_status : 500, d.response, d.response_len, d.body); /* and all else refuses */
    janua_decision_clear(&d);
    if (request.body.ptr) explicit_bzero((char *)request.body.ptr, request.body.len);
    free((char *)request.body.ptr);
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
    for (janua_error err = {.size = sizeof err};; sleep(1))
        if (janua_maintain(engine, 20000, &err) != JANUA_OK) fprintf(stderr, "maintenance: %s\n", err.message);
    return arg;
}

static int failed(const char *what, const janua_error *err) {
    return fprintf(stderr, "%s: %s: %s\n", what, janua_status_name(err->status), err->message), 1;
}

static void welcome(int socket, const struct sockaddr_in *peer) {
    pthread_t thread;
    struct request *r = calloc(1, sizeof *r);
    if (r && __atomic_add_fetch(&connections, 1, __ATOMIC_ACQ_REL) <= CONNECTIONS_MAX) {
        r->socket = socket, r->deadline = time(NULL) + DEADLINE;
        inet_ntop(AF_INET, &peer->sin_addr, r->client, sizeof r->client);
        if (pthread_create(&thread, NULL, serve, r) == 0) { pthread_detach(thread); return; }
    }
    send_all(socket, "HTTP/1.1 503 Busy\r\nConnection: close\r\n\r\n", 40);
    if (r) __atomic_sub_fetch(&connections, 1, __ATOMIC_ACQ_REL);
    close(socket), free(r);
}

int main(int argc, char **argv) {
    janua_config *config = NULL;
    janua_error err = {.size = sizeof err};
    janua_audit table = {.size = sizeof table, .event = audit};
    if (argc < 4 || argc > 3 + SITES_MAX) return fprintf(stderr, "usage: host CONFIG PORT PREFIX:PROFILE...\n"), 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (janua_config_new(JANUA_ABI, &config, &err) || janua_config_read_file(config, view(argv[1]), &err) ||
        janua_config_set_audit(config, &table, &err) || janua_engine_new(config, &engine, &err) ||
        janua_engine_attach(engine, &err)) return failed(argv[1], &err);
    janua_config_free(config);
    for (; site_count < argc - 3; site_count++) {
        char *prefix = argv[site_count + 3], *profile = strchr(prefix, ':');
        if (!profile) return fprintf(stderr, "%s: PREFIX:PROFILE is wanted\n", prefix), 2;
        *profile++ = '\0', sites[site_count].prefix = prefix;
        if (janua_site_new(engine, view(profile), view(""), 0, &sites[site_count].site, &err)) return failed(profile, &err);
    }
    int one = 1, door = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2])),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(door, (struct sockaddr *)&address, sizeof address) || listen(door, 128)) return perror(argv[2]), 1;
    pthread_t upkeep;
    if (pthread_create(&upkeep, NULL, maintain, NULL)) return perror("thread"), 1;
    printf("listening on http://127.0.0.1:%s\n", argv[2]);
    for (;;) {
        struct sockaddr_in peer;
        socklen_t size = sizeof peer;
        int socket = accept(door, (struct sockaddr *)&peer, &size);
        if (socket >= 0) welcome(socket, &peer);
    }
}

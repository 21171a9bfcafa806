/* The least of HTTP/1.1 that host.c takes: strict, bounded in size and time, one request for each connection. */
#ifndef WIRE_H
#define WIRE_H

#include <ctype.h>
#include <janua.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_MAX = 32768, HEADERS_MAX = 100, DEADLINE = 15 };

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
    int expects_continue, has_length;
};

static janua_str view(const char *text) { return (janua_str){text, strlen(text)}; }

static int same_name(janua_str name, const char *text) {
    return name.len == strlen(text) && strncasecmp(name.ptr, text, name.len) == 0;
}

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

/* Decodes once, then resolves dots and double slashes, as the application will read the path. 0: not a path. */
static int normalise(janua_str raw, char *out) {
    size_t n = 0, to = 0;
    for (size_t i = 0; i < raw.len; i++, n++) {
        char hex[3] = {0};
        out[n] = raw.ptr[i];
        if (raw.ptr[i] != '%') continue;
        if (i + 2 >= raw.len || !isxdigit((unsigned char)raw.ptr[i + 1]) || !isxdigit((unsigned char)raw.ptr[i + 2])) return 0;
        memcpy(hex, raw.ptr + i + 1, 2);
        if ((out[n] = (char)strtoul(hex, NULL, 16)) == '\0') return 0;
        i += 2;
    }
    for (size_t from = 0, end; from < n; from = end) { /* out[from] is the slash before a segment */
        for (end = from + 1; end < n && out[end] != '/'; end++) {}
        size_t len = end - from - 1;
        int up = len == 2 && out[from + 1] == '.' && out[from + 2] == '.';
        if (up && to == 0) return 0;
        if (up) while (out[--to] != '/') {}
        if (up || len == 0 || (len == 1 && out[from + 1] == '.')) {
            if (end == n) out[to++] = '/';
            continue;
        }
        memmove(out + to, out + from, len + 1);
        to += len + 1;
    }
    out[to] = '\0';
    return 1;
}

/* Splits the first line. 0, or the status of the refusal. */
static int read_target(struct request *r, char *line, char *stop) {
    char *target = memchr(line, ' ', (size_t)(stop - line)), *after, *mark;
    if (!target || target == line || target[1] != '/') return 400;
    r->method = (janua_str){line, (size_t)(target++ - line)};
    if ((after = memchr(target, ' ', (size_t)(stop - target))) == NULL) return 400;
    if (stop - after != 9 || (memcmp(after, " HTTP/1.1", 9) && memcmp(after, " HTTP/1.0", 9))) return 505;
    for (char *c = target; c < after; c++)
        if ((unsigned char)*c <= ' ' || *c == 127 || *c == '#') return 400;
    mark = memchr(target, '?', (size_t)(after - target));
    r->raw_path = (janua_str){target, (size_t)((mark ? mark : after) - target)};
    if (mark) r->query = (janua_str){mark + 1, (size_t)(after - mark - 1)};
    return normalise(r->raw_path, r->path) ? 0 : 400;
}

/* Splits one header line. What two servers may read in two ways is refused. */
static int read_header(struct request *r, char *line, char *stop) {
    char *colon = line, *from, *to = stop;
    while (isalnum((unsigned char)*colon) || (*colon && strchr("!#$%&'*+-.^_`|~", *colon))) colon++;
    if (*colon != ':' || colon == line) return 400; /* folded, a blank before the colon, no name */
    for (char *c = colon; c < stop; c++)
        if (((unsigned char)*c < ' ' && *c != '\t') || *c == 127) return 400;
    for (from = colon + 1; from < to && (*from == ' ' || *from == '\t'); from++) {}
    while (to > from && (to[-1] == ' ' || to[-1] == '\t')) to--;
    if (r->header_count == HEADERS_MAX) return 431;
    janua_header h = {{line, (size_t)(colon - line)}, {from, (size_t)(to - from)}};
    r->headers[r->header_count++] = h;
    if (same_name(h.name, "Transfer-Encoding")) return 501;
    if (same_name(h.name, "Expect")) r->expects_continue = same_name(h.value, "100-continue");
    if (!same_name(h.name, "Content-Length")) return 0;
    if (h.value.len == 0 || h.value.len > 12 || r->has_length++) return 400;
    for (char *c = from; c < to; c++) {
        if (!isdigit((unsigned char)*c)) return 400;
        r->content_length = r->content_length * 10 + (size_t)(*c - '0');
    }
    return 0;
}

/* Reads the head. 0, the status of the refusal, or -1 when nobody asked anything. */
static int read_head(struct request *r) {
    char *end, *stop;
    while ((end = memmem(r->head, r->got, "\r\n\r\n", 4)) == NULL) {
        int n = r->got == HEAD_MAX ? 0 : receive(r, r->head + r->got, HEAD_MAX - r->got);
        if (n <= 0) return n == 0 ? 431 : r->got ? 408 : -1;
        r->got += (size_t)n;
    }
    r->head_len = (size_t)(end - r->head) + 4;
    if (memchr(r->head, '\0', r->head_len)) return 400;
    stop = strstr(r->head, "\r\n");
    int refused = read_target(r, r->head, stop);
    while (!refused && stop < end) {
        char *line = stop + 2;
        stop = strstr(line, "\r\n");
        refused = read_header(r, line, stop);
    }
    return refused;
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

static const char *phrase(int status) {
    static const struct { int status; const char *text; } all[] = {
        {200, "OK"}, {204, "No Content"}, {303, "See Other"}, {400, "Bad Request"}, {401, "Unauthorized"},
        {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"}, {408, "Request Timeout"}, {409, "Conflict"},
        {413, "Content Too Large"}, {431, "Request Header Fields Too Large"}, {501, "Not Implemented"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].status == status) return all[i].text;
    return status < 400 ? "Done" : "Refused";
}

static void answer(struct request *r, int status, const janua_header *headers, size_t count, janua_str body) {
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    if (!out) return;
    fprintf(out, "HTTP/1.1 %d %s\r\n", status, phrase(status));
    for (size_t i = 0; i < count; i++)
        fprintf(out, "%.*s: %.*s\r\n", (int)headers[i].name.len, headers[i].name.ptr,
                (int)headers[i].value.len, headers[i].value.ptr);
    if (status != 204 && status != 304) fprintf(out, "Content-Length: %zu\r\n", body.len);
    fputs("Connection: close\r\n\r\n", out);
    if (!same_name(r->method, "HEAD") && status != 204 && status != 304) fwrite(body.ptr, 1, body.len, out);
    fclose(out);
    discard_body(r);
    send_all(r->socket, text, len);
    explicit_bzero(text, len); /* it may hold a new session's cookie */
    free(text);
}

#endif

/* The audit log: one line of nginx's error log for each decision. Called by the library, on whatever thread decides, so
 * it uses the log of the configuration and not that of a connection. Nothing in an event is a credential. */

#include "ngx_http_janua.h"

#define NGX_JANUA_SHOWN 256 /* bytes of a text that are shown */

/* Writes `from` with each byte that is not plain ASCII, and blank, quote, backslash and, where that is `also`, percent,
 * as %HH. nginx's own escape of log lines leaves that as it is. Stops at `end`. */
u_char *ngx_janua_escape(u_char *out, u_char *end, const char *from, size_t len, u_char also)
{
    static const char digits[] = "0123456789ABCDEF";
    size_t i;
    u_char c;

    for (i = 0; i < len && end - out >= 3; i++) {
        c = (u_char) from[i];
        if (c > ' ' && c < 0x7f && c != '"' && c != '\\' && c != also) {
            *out++ = c;
        } else {
            *out++ = '%';
            *out++ = digits[c >> 4];
            *out++ = digits[c & 15];
        }
    }
    return out;
}

static u_char *ngx_janua_field(u_char *out, u_char *end, const char *name, const janua_str *value)
{
    size_t len = ngx_min(value->len, NGX_JANUA_SHOWN);

    if (len == 0 || (size_t) (end - out) < ngx_strlen(name) + 5) {
        return out;
    }
    out = ngx_slprintf(out, end, " %s=\"", name);
    out = ngx_janua_escape(out, end - 1, value->ptr, len, '%');
    *out++ = '"';
    return out;
}

void ngx_janua_audit(void *ctx, const janua_event *event)
{
    static const struct {
        const char *word;
        ngx_uint_t level;
    } kinds[] = {{"event", NGX_LOG_NOTICE}, {"allow", NGX_LOG_INFO}, {"deny", NGX_LOG_NOTICE},
                 {"login", NGX_LOG_NOTICE}, {"logout", NGX_LOG_NOTICE}, {"token", NGX_LOG_NOTICE},
                 {"tenant", NGX_LOG_NOTICE}, {"eviction", NGX_LOG_NOTICE}, {"alarm", NGX_LOG_ALERT}};
    ngx_janua_engine_t *engine = ctx;
    ngx_uint_t kind = event->kind < sizeof(kinds) / sizeof(kinds[0]) ? event->kind : 0;
    ngx_log_t *log = engine->cycle->log;
    u_char line[NGX_MAX_ERROR_STR - 256], *end = line + sizeof(line), *p = line;

    if (log->log_level < kinds[kind].level) {
        return;
    }
    p = ngx_janua_field(p, end, "principal", &event->principal);
    p = ngx_janua_field(p, end, "session", &event->session_ref);
    p = ngx_janua_field(p, end, "client", &event->client);
    p = ngx_janua_field(p, end, "method", &event->method);
    p = ngx_janua_field(p, end, "endpoint", &event->endpoint);
    p = ngx_janua_field(p, end, "reference", &event->reference);
    ngx_log_error(kinds[kind].level, log, 0, "janua audit: %s %s%*s", kinds[kind].word, janua_reason_name(event->reason),
                  (size_t) (p - line), line);
}

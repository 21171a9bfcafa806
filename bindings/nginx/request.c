/* The snapshot: the request as the engine is shown it. Made on the event loop, in the request's pool, and not touched
 * while a thread decides on it. Called by access.c and subrequest.c. */

#include "ngx_http_janua.h"

#define NGX_JANUA_HEADERS_MAX 1024 /* what janua_decide takes */

/* Every header line, in order, repeated ones repeated. */
static ngx_int_t ngx_janua_snap_headers(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_list_part_t *part;
    ngx_table_elt_t *from;
    janua_header *to;
    size_t count = 0;
    ngx_uint_t i;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        count += part->nelts;
    }
    if (count > NGX_JANUA_HEADERS_MAX) {
        ngx_janua_log(NGX_LOG_INFO, r, "%uz header lines are too many", count);
        return NGX_HTTP_BAD_REQUEST;
    }
    to = ngx_palloc(r->pool, (count + 1) * sizeof(*to));
    if (to == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    s->input.headers = to;
    s->input.headers_len = count;
    for (part = &r->headers_in.headers.part; part; part = part->next) {
        from = part->elts;
        for (i = 0; i < part->nelts; i++, to++) {
            to->name = ngx_janua_view(&from[i].key);
            to->value = ngx_janua_view(&from[i].value);
        }
    }
    s->snapped = 1;
    return NGX_OK;
}

/* Whether it is known, without reading, that there is no body. */
ngx_flag_t ngx_janua_has_no_body(ngx_http_request_t *r)
{
    return r->headers_in.content_length_n <= 0 && !r->headers_in.chunked && r->request_body == NULL;
}

/* Returns NGX_OK, or the status to refuse with. The headers are those of the first time: what an earlier site set on the
 * request is no proof for the next. */
ngx_int_t ngx_janua_snapshot(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_janua_state_t *of_main;
    ngx_int_t rc = NGX_OK;
    u_char *query;

    if (ngx_janua_fault(r, SNAPSHOT)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!s->snapped) {
        of_main = r == r->main ? NULL : ngx_janua_state_find(r->main);
        if (of_main && of_main->snapped) {
            s->input.headers = of_main->input.headers;
            s->input.headers_len = of_main->input.headers_len;
            s->snapped = 1;
        } else {
            rc = ngx_janua_snap_headers(r, s);
        }
    }
    s->input.size = sizeof(s->input);
    s->input.flags = 0;
    s->input.method = ngx_janua_view(&r->method_name);
    s->input.path = ngx_janua_view(&r->uri);
    s->input.query = ngx_janua_view(&r->args);
    s->input.client = ngx_janua_view(&r->connection->addr_text);
    ngx_memzero(&s->input.raw_path, sizeof(s->input.raw_path));
    ngx_memzero(&s->input.body, sizeof(s->input.body));
    /* Where it is not valid, a rewrite or an internal redirect chose the path, and that is what goes inward. */
    if (r->valid_unparsed_uri) {
        query = ngx_strlchr(r->unparsed_uri.data, r->unparsed_uri.data + r->unparsed_uri.len, '?');
        s->input.raw_path = ngx_janua_view(&r->unparsed_uri);
        if (query) {
            s->input.raw_path.len = query - r->unparsed_uri.data;
        }
    }
#if (NGX_HTTP_SSL)
    if (r->connection->ssl) {
        s->input.flags |= JANUA_REQUEST_SECURE;
    }
#endif
    if (r == r->main && ngx_janua_has_no_body(r)) {
        s->input.flags |= JANUA_REQUEST_BODY_GIVEN;
    }
    return rc;
}

/* Asks the engine without waiting. Returns NGX_OK with the decision in the state, or the status to refuse with. */
ngx_int_t ngx_janua_ask(ngx_janua_state_t *s)
{
    janua_error err = {.size = sizeof(err)};
    janua_status status;

    janua_decision_clear(&s->decision);
    s->decision.size = sizeof(s->decision);
    status = janua_decide(s->site->handle, &s->input, JANUA_FAST, &s->decision, &err);
    if (s->body && s->decision.outcome != JANUA_WOULD_BLOCK) {
        ngx_explicit_memzero(s->body, s->body_len);
    }
    if (status == JANUA_OK) {
        return NGX_OK;
    }
    ngx_janua_log(NGX_LOG_ERR, s->request, "%s: %s", janua_status_name(status), err.message);
    return s->decision.http_status >= 500 ? s->decision.http_status : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

/* Answers: what the module sends itself, and what it adds to the answers of others. Called by access.c, and by nginx for
 * the header of every answer. Never lets a request through. */

#include "ngx_http_janua.h"

ngx_http_output_header_filter_pt ngx_janua_next_header_filter;

static ngx_int_t ngx_janua_answer_headers(ngx_http_request_t *r, const janua_decision *decision)
{
    const janua_header *header;
    size_t i;

    for (i = 0; i < decision->response_len; i++) {
        header = &decision->response[i];
        if (ngx_janua_name_is(&header->name, "content-type")) {
            r->headers_out.content_type.data = (u_char *) header->value.ptr;
            r->headers_out.content_type.len = header->value.len;
            r->headers_out.content_type_len = header->value.len;
            r->headers_out.content_type_lowcase = NULL;
        } else if (!ngx_janua_name_is(&header->name, "content-length")
                   && ngx_janua_add_answer_header(r, header) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

static ngx_int_t ngx_janua_send_body(ngx_http_request_t *r, const janua_str *body)
{
    ngx_buf_t *b = ngx_calloc_buf(r->pool);
    ngx_chain_t out;

    if (b == NULL) {
        return NGX_ERROR;
    }
    b->memory = 1; /* it lives in the decision, and that as long as the request */
    b->pos = (u_char *) body->ptr;
    b->last = b->pos + body->len;
    b->last_buf = 1;
    b->last_in_chain = 1;
    out.buf = b;
    out.next = NULL;
    return ngx_http_output_filter(r, &out);
}

/* After an internal redirect the headers of another answer may lie here, and its status. Its cookies were for the client
 * in any case. */
static void ngx_janua_start_afresh(ngx_http_request_t *r)
{
    ngx_list_part_t *part;
    ngx_table_elt_t *h;
    ngx_uint_t i;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;
        for (i = 0; i < part->nelts; i++) {
            if (h[i].key.len != sizeof("Set-Cookie") - 1
                || ngx_strncasecmp(h[i].key.data, (u_char *) "Set-Cookie", h[i].key.len) != 0) {
                h[i].hash = 0;
            }
        }
    }
    ngx_http_clear_content_length(r);
    ngx_http_clear_accept_ranges(r);
    ngx_http_clear_last_modified(r);
    ngx_http_clear_location(r);
    ngx_http_clear_etag(r);
    r->headers_out.content_encoding = NULL;
    r->headers_out.override_charset = NULL;
    ngx_str_null(&r->headers_out.content_type);
    ngx_str_null(&r->headers_out.charset);
    ngx_str_null(&r->headers_out.status_line);
    r->headers_out.content_type_len = 0;
    r->err_status = 0;
    r->allow_ranges = 0;
    r->disable_not_modified = 1; /* If-Match and its like are about a page, not about this */
}

/* Sends the decision's own answer and ends the request. The body of the request is read and thrown away first: what is
 * left of it on the connection would be taken for another request. */
ngx_int_t ngx_janua_send(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_uint_t status = s->decision.http_status;
    ngx_int_t rc;

    if (ngx_janua_fault(r, ANSWER) || status < 200 || status > 599) {
        return ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    r->expect_tested = 1; /* a client that waits to be asked for the body is not */
    rc = ngx_http_discard_request_body(r);
    if (rc != NGX_OK) {
        return ngx_janua_failed(s, rc);
    }
    ngx_janua_start_afresh(r);
    if (ngx_janua_answer_headers(r, &s->decision) != NGX_OK) {
        return ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    s->step = NGX_JANUA_SENT;
    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t) s->decision.body.len;
    if (s->decision.body.len == 0) {
        r->header_only = 1;
    }
    rc = ngx_http_send_header(r);
    if (rc == NGX_OK && !r->header_only) {
        rc = ngx_janua_send_body(r, &s->decision.body);
    }
    ngx_http_finalize_request(r, rc);
    return NGX_DONE;
}

/* The headers that a decision adds to an answer that others make. A refusal that another access module overruled
 * (`satisfy any`) leaves its cookies and nothing else. */
static ngx_int_t ngx_janua_add_decided(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    const janua_header *header;
    ngx_flag_t whole = s->step != NGX_JANUA_REFUSED || (ngx_int_t) r->headers_out.status == s->code;
    size_t i;

    for (i = 0; i < s->decision.response_len; i++) {
        header = &s->decision.response[i];
        if (ngx_janua_name_is(&header->name, "content-type") || ngx_janua_name_is(&header->name, "content-length")
            || !(whole || ngx_janua_name_is(&header->name, "set-cookie"))) {
            continue;
        }
        if (ngx_janua_add_answer_header(r, header) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

static ngx_int_t ngx_janua_add_headers(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    janua_header *kept = s->kept.elts;
    ngx_uint_t i;

    for (i = 0; i < s->kept.nelts; i++) {
        if (ngx_janua_add_answer_header(r, &kept[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return s->step == NGX_JANUA_SENT ? NGX_OK : ngx_janua_add_decided(r, s);
}

/* The header of every answer: 200, 304, 404 and 502 alike. */
ngx_int_t ngx_janua_header_filter(ngx_http_request_t *r)
{
    ngx_janua_state_t *s = r == r->main ? ngx_janua_state_find(r) : NULL;

    if (s == NULL) {
        return ngx_janua_next_header_filter(r);
    }
    if (ngx_janua_add_headers(r, s) != NGX_OK || (!r->filter_finalize && ngx_janua_fault(r, HEADER_FILTER))) {
        /* An answer without its cookies would log somebody in or out by half. */
        return r->filter_finalize ? NGX_ERROR
                                  : ngx_http_filter_finalize_request(r, NULL, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    return ngx_janua_next_header_filter(r);
}

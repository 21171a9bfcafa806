/* The body of a request whose endpoint reads it: asked of nginx once, taken from memory or from a temporary file. Called
 * by access.c. Reads no file itself: a file is read by the thread that decides. */

#include "ngx_http_janua.h"

ngx_http_request_body_filter_pt ngx_janua_next_body_filter;

static void ngx_janua_on_body(ngx_http_request_t *r)
{
    ngx_janua_state_t *s = ngx_janua_state_find(r);

    if (s == NULL) {
        ngx_http_finalize_request(r, NGX_HTTP_INTERNAL_SERVER_ERROR);
        return;
    }
    s->step = NGX_JANUA_READ;
    ngx_janua_go_on(r);
}

/* No more of the body is read. What the client goes on sending ends with the connection or the stream. */
static void ngx_janua_stop_reading(ngx_http_request_t *r)
{
    ngx_event_t *read = r->connection->read;

    if (read->timer_set) {
        ngx_del_timer(read);
    }
    r->read_event_handler = ngx_http_block_reading;
    r->reading_body = 1;
    r->keepalive = 0;
    r->lingering_close = 1;
#if (NGX_HTTP_V2)
    if (r->stream) {
        r->stream->skip_data = 1;
    }
#endif
}

static void ngx_janua_on_overflow(ngx_event_t *event)
{
    ngx_janua_state_t *s = event->data;
    ngx_http_request_t *r = s->request;
    ngx_connection_t *c = r->connection;

    ngx_http_set_log_request(c->log, r);
    ngx_janua_stop_reading(r);
    ngx_janua_go_on(r);
    ngx_http_run_posted_requests(c);
}

/* Sees the body as it arrives, and stops the reading of one without a length when it grows beyond what is looked at: a
 * stranger could otherwise fill the disk with what is refused in the end. */
ngx_int_t ngx_janua_body_filter(ngx_http_request_t *r, ngx_chain_t *in)
{
    ngx_janua_state_t *s = ngx_http_get_module_ctx(r, ngx_http_janua_module);
    ngx_chain_t *cl;

    if (s == NULL || s->step == NGX_JANUA_START || s->step >= NGX_JANUA_RUNNING) {
        return ngx_janua_next_body_filter(r, in);
    }
    for (cl = in; cl; cl = cl->next) {
        s->received += ngx_buf_size(cl->buf);
    }
    if (s->step == NGX_JANUA_READING && s->received > (off_t) s->limit) {
        s->step = NGX_JANUA_OVERFLOW;
        s->event.handler = ngx_janua_on_overflow;
        s->event.data = s;
        s->event.log = r->connection->log;
        ngx_post_event(&s->event, &ngx_posted_events);
    }
    return s->step == NGX_JANUA_OVERFLOW ? NGX_AGAIN : ngx_janua_next_body_filter(r, in);
}

/* The engine wants the body: read it, unless its length says already that it is too long. */
ngx_int_t ngx_janua_read_body(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_int_t rc;

    if (ngx_janua_fault(r, BODY)) {
        return ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    if (s->asked || (s->input.flags & JANUA_REQUEST_BODY_GIVEN)) {
        ngx_janua_log(NGX_LOG_ALERT, r, "%s", "asked for a body again");
        return ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    s->asked = 1;
    s->limit = s->decision.body_limit;
    if (r->headers_in.content_length_n > (off_t) s->limit) {
        s->input.flags |= JANUA_REQUEST_BODY_TOO_LARGE;
        rc = ngx_janua_ask(s);
        return rc == NGX_OK ? ngx_janua_judge(r, s) : ngx_janua_failed(s, rc);
    }
    s->step = NGX_JANUA_READING;
    s->received = 0;
    r->request_body_in_single_buf = 1;
    rc = ngx_http_read_client_request_body(r, ngx_janua_on_body);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) {
        return ngx_janua_failed(s, rc);
    }
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
}

/* Gathers the body in one piece. What lies in a file is left to the thread, which is told where to put it. */
static ngx_int_t ngx_janua_gather(ngx_http_request_t *r, ngx_janua_state_t *s, ngx_janua_file_t *file, off_t total)
{
    ngx_chain_t *cl;
    u_char *to;

    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        if (!cl->buf->in_file && ngx_buf_size(cl->buf) == total) {
            s->input.body.ptr = (const char *) cl->buf->pos;
            s->input.body.len = (size_t) total;
            return NGX_OK;
        }
    }
    s->body = ngx_pnalloc(r->pool, (size_t) total);
    if (s->body == NULL) {
        return NGX_ERROR;
    }
    s->body_len = (size_t) total;
    s->input.body.ptr = (const char *) s->body;
    s->input.body.len = s->body_len;
    to = s->body;
    for (cl = r->request_body->bufs; cl; cl = cl->next) {
        if (!cl->buf->in_file) {
            to = ngx_cpymem(to, cl->buf->pos, cl->buf->last - cl->buf->pos);
        } else if (file->size == 0) {
            file->fd = cl->buf->file->fd;
            file->from = cl->buf->file_pos;
            file->size = (size_t) ngx_buf_size(cl->buf);
            file->to = to;
            to += file->size;
        } else {
            return NGX_ERROR; /* nginx keeps one file for a body */
        }
    }
    return NGX_OK;
}

/* The body is there, or as much of it as was read. */
ngx_int_t ngx_janua_take_body(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_janua_file_t file;
    ngx_chain_t *cl;
    off_t total = 0;
    ngx_int_t rc;

    ngx_memzero(&file, sizeof(file));
    if (s->step == NGX_JANUA_OVERFLOW) {
        s->cut = 1;
    } else if (r->request_body) {
        for (cl = r->request_body->bufs; cl; cl = cl->next) {
            total += ngx_buf_size(cl->buf);
        }
    }
    if (s->cut || total > (off_t) s->limit) {
        s->input.flags |= JANUA_REQUEST_BODY_TOO_LARGE;
    } else {
        if (total > 0 && ngx_janua_gather(r, s, &file, total) != NGX_OK) {
            return ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }
        s->input.flags |= JANUA_REQUEST_BODY_GIVEN;
    }
    if (file.size) {
        return ngx_janua_slow(r, s, NGX_JANUA_POOL_HASH, &file);
    }
    rc = ngx_janua_ask(s);
    return rc == NGX_OK ? ngx_janua_judge(r, s) : ngx_janua_failed(s, rc);
}

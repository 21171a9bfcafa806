/* The way of a request through the access phase, from step to step. Called by nginx, again and again until it is decided.
 *
 * Where all access modules must agree (`satisfy all`), Janua is asked after the rules on addresses, so that who is locked
 * out reaches no log-in, and before auth_request; where one is enough (`satisfy any`), first of all, so that log-ins are
 * answered whoever else would let the request pass. */

#include "ngx_http_janua.h"

/* Leaves the answer to nginx, now and after internal redirects within the site. */
ngx_int_t ngx_janua_failed(ngx_janua_state_t *s, ngx_int_t code)
{
    s->step = NGX_JANUA_REFUSED;
    s->code = code;
    return code;
}

/* Runs the phases on from an event. */
void ngx_janua_go_on(ngx_http_request_t *r)
{
    r->write_event_handler = ngx_http_core_run_phases;
    ngx_http_core_run_phases(r);
}

static void ngx_janua_held(ngx_event_t *event)
{
    ngx_janua_state_t *s = event->data;
    ngx_http_request_t *r = s->request;
    ngx_connection_t *c = r->connection;

    event->timedout = 0;
    s->step = NGX_JANUA_DECIDED;
    ngx_http_set_log_request(c->log, r);
    ngx_janua_go_on(r);
    ngx_http_run_posted_requests(c);
}

/* Acts on a decision that stands: holds it back if that was asked for, then passes on, leaves it to nginx, or answers. */
static ngx_int_t ngx_janua_settle(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_http_core_loc_conf_t *clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);
    ngx_int_t status = s->decision.http_status;

    if (!s->held) {
        s->held = 1;
        if (s->decision.followup) {
            ngx_janua_maintain_soon(s->site->engine);
        }
        if (s->decision.hold_ms) {
            s->step = NGX_JANUA_HOLDING;
            s->event.handler = ngx_janua_held;
            s->event.data = s;
            s->event.log = r->connection->log;
            /* Never too short: nginx's own time is as old as this turn of its loop, and cut to milliseconds. */
            ngx_time_update();
            ngx_add_timer(&s->event, s->decision.hold_ms + 1);
            return NGX_AGAIN;
        }
    }
    if (s->decision.outcome == JANUA_ALLOW) {
        return ngx_janua_allow(r, s);
    }
    if (s->decision.outcome != JANUA_ANSWER && clcf->satisfy == NGX_HTTP_SATISFY_ANY
        && (status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN)) {
        return ngx_janua_failed(s, status);
    }
    return ngx_janua_send(r, s);
}

/* Goes on from whatever the engine said. */
ngx_int_t ngx_janua_judge(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_uint_t pool = NGX_JANUA_POOL_STORE;

    if (s->decision.outcome != JANUA_NEED_BODY && s->decision.outcome != JANUA_WOULD_BLOCK) {
        return ngx_janua_settle(r, s);
    }
    if (s->slept) {
        ngx_janua_log(NGX_LOG_ALERT, r, "%s", "undecided after waiting");
        return ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    if (s->decision.outcome == JANUA_NEED_BODY) {
        return ngx_janua_read_body(r, s);
    }
    if (s->decision.wait_class == JANUA_WAIT_HASH) {
        pool = NGX_JANUA_POOL_HASH;
    }
    return ngx_janua_slow(r, s, pool, NULL);
}

static ngx_int_t ngx_janua_begin(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_int_t rc = ngx_janua_snapshot(r, s);

    if (rc == NGX_OK) {
        rc = ngx_janua_ask(s);
    }
    return rc == NGX_OK ? ngx_janua_judge(r, s) : ngx_janua_failed(s, rc);
}

static ngx_int_t ngx_janua_access(ngx_http_request_t *r, ngx_janua_loc_conf_t *jlcf)
{
    ngx_janua_main_conf_t *mcf = ngx_http_get_module_main_conf(r, ngx_http_janua_module);
    ngx_janua_state_t *s = ngx_janua_state_make(r);

    if (s == NULL || ngx_janua_state_enter(s, jlcf->site) != NGX_OK || ngx_janua_fault(r, ACCESS)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!mcf->started) {
        ngx_janua_log(NGX_LOG_ALERT, r, "%s", "this process did not start with this configuration: restart nginx");
        return ngx_janua_failed(s, NGX_HTTP_SERVICE_UNAVAILABLE);
    }
    switch (s->step) {
    case NGX_JANUA_START:
        return ngx_janua_begin(r, s);
    case NGX_JANUA_READ:
    case NGX_JANUA_OVERFLOW:
        return ngx_janua_take_body(r, s);
    case NGX_JANUA_DECIDED:
        return ngx_janua_judge(r, s);
    case NGX_JANUA_ALLOWED:
        return NGX_OK;
    case NGX_JANUA_REFUSED:
        return s->code;
    case NGX_JANUA_SENT: /* nothing runs on after an answer but a `post_action`, and what was refused gets none */
        return r->post_action ? NGX_ERROR : NGX_DONE;
    default: /* under way: an event that is none of ours must start nothing twice */
        return NGX_DONE;
    }
}

static ngx_int_t ngx_janua_access_if(ngx_http_request_t *r, ngx_uint_t satisfy)
{
    ngx_janua_loc_conf_t *jlcf = ngx_http_get_module_loc_conf(r, ngx_http_janua_module);
    ngx_http_core_loc_conf_t *clcf = ngx_http_get_module_loc_conf(r, ngx_http_core_module);

    if (jlcf->mode == NGX_JANUA_OFF || clcf->satisfy != satisfy) {
        return NGX_DECLINED;
    }
    return ngx_janua_access(r, jlcf);
}

ngx_int_t ngx_janua_access_first(ngx_http_request_t *r)
{
    return ngx_janua_access_if(r, NGX_HTTP_SATISFY_ANY);
}

ngx_int_t ngx_janua_access_last(ngx_http_request_t *r)
{
    return ngx_janua_access_if(r, NGX_HTTP_SATISFY_ALL);
}

#if (JANUA_TEST_FAULTS)
ngx_flag_t ngx_janua_fails(ngx_http_request_t *r, ngx_uint_t place)
{
    ngx_janua_loc_conf_t *jlcf = ngx_http_get_module_loc_conf(r, ngx_http_janua_module);

    return jlcf->fail == place;
}
#endif

/* Subrequests: nginx's access phase passes them over, so they are decided in the phase before it. Called by nginx.
 *
 * Each is decided by itself, on its own path with the headers that the main request came with: that a page may be seen
 * does not open its parts. It is decided by what is known at once; it cannot wait or read a body, and can be answered by
 * nobody but its own location. What the main request has proven a moment ago is known by then. */

#include "ngx_http_janua.h"

static ngx_int_t ngx_janua_refuse(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    const janua_header *header = s->decision.response;
    size_t i;

    if (s->decision.outcome == JANUA_WOULD_BLOCK && s->decision.wait_class == JANUA_WAIT_STORE) {
        ngx_janua_maintain_soon(s->site->engine); /* who asks again a moment later is told */
        return ngx_janua_failed(s, NGX_HTTP_SERVICE_UNAVAILABLE);
    }
    if (s->decision.outcome == JANUA_DENY && s->decision.http_status >= NGX_HTTP_INTERNAL_SERVER_ERROR) {
        return ngx_janua_failed(s, s->decision.http_status);
    }
    if (s->decision.outcome != JANUA_DENY || s->decision.http_status != NGX_HTTP_UNAUTHORIZED) {
        return ngx_janua_failed(s, NGX_HTTP_FORBIDDEN);
    }
    for (i = 0; i < s->decision.response_len; i++) { /* for auth_request, which shows it to the client */
        if (ngx_janua_name_is(&header[i].name, "www-authenticate")
            && ngx_janua_add_answer_header(r, &header[i]) != NGX_OK) {
            return ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
        }
    }
    return ngx_janua_failed(s, NGX_HTTP_UNAUTHORIZED);
}

static ngx_int_t ngx_janua_decide_subrequest(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_int_t rc = ngx_janua_snapshot(r, s);

    if (rc == NGX_OK) {
        rc = ngx_janua_ask(s);
    }
    if (rc != NGX_OK) {
        return ngx_janua_failed(s, rc);
    }
    if (s->decision.followup) {
        ngx_janua_maintain_soon(s->site->engine);
    }
    if (s->decision.outcome != JANUA_ALLOW || s->decision.hold_ms) {
        return ngx_janua_refuse(r, s);
    }
    rc = ngx_janua_allow(r, s);
    return rc == NGX_OK ? NGX_DECLINED : rc;
}

/* A request that nginx refused while it still read the headers comes here by an `error_page` alone, and was not stripped.
 * What a decision has set stays. */
static ngx_int_t ngx_janua_preaccess_main(ngx_http_request_t *r)
{
    ngx_janua_state_t *s;

    if (!r->internal) {
        return NGX_DECLINED;
    }
    s = ngx_janua_state_find(r);
    if ((s == NULL || s->step != NGX_JANUA_ALLOWED) && ngx_janua_strip(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return NGX_DECLINED;
}

ngx_int_t ngx_janua_preaccess(ngx_http_request_t *r)
{
    ngx_janua_loc_conf_t *jlcf = ngx_http_get_module_loc_conf(r, ngx_http_janua_module);
    ngx_janua_main_conf_t *mcf = ngx_http_get_module_main_conf(r, ngx_http_janua_module);
    ngx_janua_state_t *s;

    if (ngx_janua_fault(r, PREACCESS)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (r == r->main) {
        return ngx_janua_preaccess_main(r);
    }
    if (jlcf->mode == NGX_JANUA_OFF) {
        return NGX_DECLINED;
    }
    s = ngx_janua_state_make(r);
    if (s == NULL || ngx_janua_state_enter(s, jlcf->site) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (!mcf->started) {
        return NGX_HTTP_SERVICE_UNAVAILABLE;
    }
    switch (s->step) {
    case NGX_JANUA_START:
        return ngx_janua_decide_subrequest(r, s);
    case NGX_JANUA_ALLOWED:
        return NGX_DECLINED;
    default:
        return s->code ? s->code : NGX_HTTP_FORBIDDEN;
    }
}

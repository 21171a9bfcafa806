/* The state of a request: found, made, and ended with the request's pool. Called by every handler of the module.
 *
 * nginx wipes the contexts of all modules at an internal redirect and runs the handlers again, so the state hangs on a
 * cleanup record of the pool, where it is found again. Subrequests share the pool; each has a state of its own. */

#include "ngx_http_janua.h"

static void ngx_janua_state_end(void *data)
{
    ngx_janua_state_t *s = data;

    if (s->event.timer_set) {
        ngx_del_timer(&s->event);
    }
    if (s->event.posted) {
        ngx_delete_posted_event(&s->event);
    }
    if (s->body) {
        ngx_explicit_memzero(s->body, s->body_len);
    }
    janua_decision_clear(&s->decision);
}

ngx_janua_state_t *ngx_janua_state_find(ngx_http_request_t *r)
{
    ngx_janua_state_t *s = ngx_http_get_module_ctx(r, ngx_http_janua_module);
    ngx_pool_cleanup_t *cleanup;

    if (s || (!r->internal && !r->filter_finalize)) {
        return s;
    }
    for (cleanup = r->pool->cleanup; cleanup; cleanup = cleanup->next) {
        s = cleanup->data;
        if (cleanup->handler == ngx_janua_state_end && s->request == r) {
            ngx_http_set_ctx(r, s, ngx_http_janua_module);
            return s;
        }
    }
    return NULL;
}

/* The state of `r`, made if there is none; NULL without memory. */
ngx_janua_state_t *ngx_janua_state_make(ngx_http_request_t *r)
{
    ngx_janua_state_t *s = ngx_janua_state_find(r);
    ngx_pool_cleanup_t *cleanup;

    if (s || ngx_janua_fault(r, STATE)) {
        return s;
    }
    s = ngx_pcalloc(r->pool, sizeof(*s));
    cleanup = s ? ngx_pool_cleanup_add(r->pool, 0) : NULL;
    if (cleanup == NULL || ngx_array_init(&s->kept, r->pool, 1, sizeof(janua_header)) != NGX_OK) {
        return NULL;
    }
    s->request = r;
    s->decision.size = sizeof(s->decision);
    cleanup->handler = ngx_janua_state_end;
    cleanup->data = s;
    ngx_http_set_ctx(r, s, ngx_http_janua_module);
    return s;
}

static ngx_int_t ngx_janua_keep_cookies(ngx_janua_state_t *s)
{
    const janua_header *from = s->decision.response;
    janua_header *kept;
    u_char *copy;
    size_t i;

    for (i = 0; i < s->decision.response_len; i++) {
        if (!ngx_janua_name_is(&from[i].name, "set-cookie")) {
            continue;
        }
        kept = ngx_array_push(&s->kept);
        copy = ngx_pnalloc(s->request->pool, from[i].value.len + 1);
        if (kept == NULL || copy == NULL) {
            return NGX_ERROR;
        }
        ngx_memcpy(copy, from[i].value.ptr, from[i].value.len);
        kept->name.ptr = "Set-Cookie";
        kept->name.len = sizeof("Set-Cookie") - 1;
        kept->value.ptr = (const char *) copy;
        kept->value.len = from[i].value.len;
    }
    return NGX_OK;
}

/* The request enters `site`. What another site decided before an internal redirect is over, but for its cookies. */
ngx_int_t ngx_janua_state_enter(ngx_janua_state_t *s, ngx_janua_site_t *site)
{
    if (s->site == site) {
        return NGX_OK;
    }
    if (s->site) {
        if (ngx_janua_keep_cookies(s) != NGX_OK) {
            return NGX_ERROR;
        }
        janua_decision_clear(&s->decision);
        s->decision.size = sizeof(s->decision);
        s->step = NGX_JANUA_START;
        s->code = 0;
        s->asked = 0;
        s->slept = 0;
        s->held = 0;
    }
    s->site = site;
    return NGX_OK;
}

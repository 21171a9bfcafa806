/* The variables $janua_*: what was decided on a request, fit for logs. Called by nginx whenever it needs a value, the log
 * phase included. Holds nothing that could be used as a credential, and no control character. */

#include "ngx_http_janua.h"

enum {
    NGX_JANUA_USER,
    NGX_JANUA_ROLES,
    NGX_JANUA_TENANT,
    NGX_JANUA_SESSION_REF,
    NGX_JANUA_REASON,
    NGX_JANUA_REQUEST
};

static ngx_janua_state_t *ngx_janua_decided(ngx_http_request_t *r)
{
    ngx_janua_state_t *s = ngx_janua_state_find(r);

    if (s == NULL && r != r->main) {
        s = ngx_janua_state_find(r->main);
    }
    return s && s->decision.reason != JANUA_REASON_UNDECIDED && s->step >= NGX_JANUA_HOLDING ? s : NULL;
}

/* Text from a decision, its odd bytes escaped. */
static ngx_int_t ngx_janua_show(ngx_http_request_t *r, ngx_http_variable_value_t *v, const char *text, size_t len)
{
    u_char *out;

    if (len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }
    out = ngx_pnalloc(r->pool, len * 4);
    if (out == NULL) {
        return NGX_ERROR;
    }
    v->data = out;
    v->len = ngx_janua_escape(out, out + len * 4, text, len) - out;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
    return NGX_OK;
}

/* Method, path and, of what was let through, the query without the parameters that carried a credential. Which ones did
 * in a request that was refused nobody can tell: its query is left out. */
static ngx_int_t ngx_janua_show_request(ngx_http_request_t *r, ngx_http_variable_value_t *v, const janua_decision *d)
{
    size_t query = d->outcome == JANUA_ALLOW ? d->query.len : 0;
    u_char *text = ngx_pnalloc(r->pool, d->method.len + d->path.len + query + 2), *p;

    if (text == NULL) {
        return NGX_ERROR;
    }
    p = ngx_cpymem(text, d->method.ptr, d->method.len);
    *p++ = ' ';
    p = ngx_cpymem(p, d->path.ptr, d->path.len);
    if (query) {
        *p++ = '?';
        p = ngx_cpymem(p, d->query.ptr, query);
    }
    return ngx_janua_show(r, v, (const char *) text, p - text);
}

static ngx_int_t ngx_janua_get_variable(ngx_http_request_t *r, ngx_http_variable_value_t *v, uintptr_t which)
{
    ngx_janua_state_t *s = ngx_janua_decided(r);
    const char *name;

    if (s == NULL) {
        v->not_found = 1;
        return NGX_OK;
    }
    switch (which) {
    case NGX_JANUA_USER:
        return ngx_janua_show(r, v, s->decision.principal.ptr, s->decision.principal.len);
    case NGX_JANUA_ROLES:
        return ngx_janua_show(r, v, s->decision.roles.ptr, s->decision.roles.len);
    case NGX_JANUA_TENANT:
        return ngx_janua_show(r, v, s->decision.tenant.ptr, s->decision.tenant.len);
    case NGX_JANUA_SESSION_REF:
        return ngx_janua_show(r, v, s->decision.session_ref.ptr, s->decision.session_ref.len);
    case NGX_JANUA_REASON:
        name = janua_reason_name(s->decision.reason);
        return ngx_janua_show(r, v, name, ngx_strlen(name));
    default:
        return ngx_janua_show_request(r, v, &s->decision);
    }
}

ngx_int_t ngx_janua_add_variables(ngx_conf_t *cf)
{
    static ngx_str_t names[] = {
        [NGX_JANUA_USER] = ngx_string("janua_user"),
        [NGX_JANUA_ROLES] = ngx_string("janua_roles"),
        [NGX_JANUA_TENANT] = ngx_string("janua_tenant"),
        [NGX_JANUA_SESSION_REF] = ngx_string("janua_session_ref"),
        [NGX_JANUA_REASON] = ngx_string("janua_reason"),
        [NGX_JANUA_REQUEST] = ngx_string("janua_request"),
    };
    ngx_http_variable_t *variable;
    ngx_uint_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        variable = ngx_http_add_variable(cf, &names[i], NGX_HTTP_VAR_NOCACHEABLE);
        if (variable == NULL) {
            return NGX_ERROR;
        }
        variable->get_handler = ngx_janua_get_variable;
        variable->data = i;
    }
    return NGX_OK;
}

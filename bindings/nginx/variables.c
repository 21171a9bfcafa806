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

static void ngx_janua_is(ngx_http_variable_value_t *v, u_char *from, u_char *to)
{
    v->data = from;
    v->len = to - from;
    v->valid = 1;
    v->no_cacheable = 1;
    v->not_found = 0;
}

/* Text from a decision, its odd bytes escaped. */
static ngx_int_t ngx_janua_show(ngx_http_request_t *r, ngx_http_variable_value_t *v, const char *text, size_t len)
{
    u_char *out;

    if (len == 0) {
        v->not_found = 1;
        return NGX_OK;
    }
    out = ngx_pnalloc(r->pool, len * 3);
    if (out == NULL) {
        return NGX_ERROR;
    }
    ngx_janua_is(v, out, ngx_janua_escape(out, out + len * 3, text, len, '%'));
    return NGX_OK;
}

/* The path up to a `;` in each segment: what follows one is no part of the name, and some put session ids there. */
static u_char *ngx_janua_put_path(u_char *out, u_char *end, const janua_str *path)
{
    size_t from, to;

    for (from = 0; from < path->len; from = to) {
        for (to = from; to < path->len && path->ptr[to] != ';'; to++) { /* void */ }
        out = ngx_janua_escape(out, end, path->ptr + from, to - from, '%');
        if (to < path->len) {
            out = ngx_cpymem(out, ";*", 2);
        }
        for (; to < path->len && path->ptr[to] != '/'; to++) { /* void */ }
    }
    return out;
}

/* The names of the parameters. Their values may be secrets that no profile knows of. */
static u_char *ngx_janua_put_names(u_char *out, u_char *end, const janua_str *query)
{
    u_char before = '?';
    size_t from, to, name;

    for (from = 0; from < query->len; from = to + 1) {
        for (to = from; to < query->len && query->ptr[to] != '&'; to++) { /* void */ }
        for (name = from; name < to && query->ptr[name] != '='; name++) { /* void */ }
        *out++ = before;
        before = '&';
        if (name < to) {
            out = ngx_janua_escape(out, end, query->ptr + from, name - from, '"');
        } else if (name > from) {
            *out++ = '*'; /* a value without a name */
        }
    }
    return out;
}

/* Method, path as a log may show it and, of what was let through, the names in the query without the parameters that
 * carried a credential. Which ones did in a request that was refused nobody can tell: its query is left out. */
static ngx_int_t ngx_janua_show_request(ngx_http_request_t *r, ngx_http_variable_value_t *v, ngx_janua_state_t *s)
{
    const janua_decision *d = &s->decision;
    /* What was matched with nothing has no path that is known to hold no secret. */
    static const janua_str nothing = {"-", 1};
    const janua_str *method = d->method.len ? &d->method : &s->input.method;
    const janua_str *path = d->log_path.len ? &d->log_path : &nothing;
    size_t len = (method->len + path->len + d->query.len) * 3 + 3;
    u_char *text = ngx_pnalloc(r->pool, len), *end = text + len, *p;

    if (text == NULL) {
        return NGX_ERROR;
    }
    p = ngx_janua_escape(text, end, method->ptr, method->len, '%');
    *p++ = ' ';
    p = ngx_janua_put_path(p, end, path);
    if (d->outcome == JANUA_ALLOW) {
        p = ngx_janua_put_names(p, end, &d->query);
    }
    ngx_janua_is(v, text, p);
    return NGX_OK;
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
        return ngx_janua_show_request(r, v, s);
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

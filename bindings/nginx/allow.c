/* What is allowed, on its way inward: headers set and taken off, credentials cut from the query, and what the request is
 * by an override made what it is for nginx too. Called by access.c and subrequest.c. */

#include "ngx_http_janua.h"

static ngx_int_t ngx_janua_copy(ngx_pool_t *pool, ngx_str_t *to, const janua_str *from)
{
    u_char *text = ngx_pnalloc(pool, from->len + 1);

    if (text == NULL) {
        return NGX_ERROR;
    }
    *ngx_cpymem(text, from->ptr, from->len) = '\0';
    to->data = text;
    to->len = from->len;
    return NGX_OK;
}

static ngx_flag_t ngx_janua_equal(const janua_str *a, const ngx_str_t *b)
{
    return a->len == b->len && (a->len == 0 || ngx_memcmp(a->ptr, b->data, a->len) == 0);
}

static ngx_flag_t ngx_janua_is_stale(const ngx_http_variable_t *v)
{
    static const ngx_str_t names[] = {ngx_string("request"), ngx_string("request_uri"), ngx_string("request_method")};
    static const ngx_str_t kinds[] = {ngx_string("http_"), ngx_string("cookie_")};
    ngx_uint_t i;

    if (v->flags & NGX_HTTP_VAR_CHANGEABLE) {
        return 0; /* `set` has its own word on it */
    }
    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (v->name.len > kinds[i].len && ngx_memcmp(v->name.data, kinds[i].data, kinds[i].len) == 0) {
            return 1;
        }
    }
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (v->name.len == names[i].len && ngx_memcmp(v->name.data, names[i].data, names[i].len) == 0) {
            return 1;
        }
    }
    return 0;
}

/* Values that nginx has computed and kept: those that are taken from what has just changed are computed again. */
static void ngx_janua_forget_variables(ngx_http_request_t *r)
{
    ngx_http_core_main_conf_t *cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    ngx_http_variable_t *v = cmcf->variables.elts;
    ngx_uint_t i;

    for (i = 0; i < cmcf->variables.nelts; i++) {
        if (ngx_janua_is_stale(&v[i])) {
            r->variables[i].valid = 0;
            r->variables[i].not_found = 0;
        }
    }
}

/* `GET /path?query HTTP/1.1`, as it stands in nginx's own logs. */
static ngx_int_t ngx_janua_set_request_line(ngx_http_request_t *r)
{
    size_t len = r->method_name.len + r->unparsed_uri.len + r->http_protocol.len + 2;
    u_char *line = ngx_pnalloc(r->pool, len + 1);

    if (line == NULL) {
        return NGX_ERROR;
    }
    r->request_line.data = line;
    r->request_line.len = ngx_sprintf(line, "%V %V %V", &r->method_name, &r->unparsed_uri, &r->http_protocol) - line;
    return NGX_OK;
}

/* The query without the parameters that carried a credential. The raw target goes to an upstream as it came, so it is
 * cut as well; where its query is another than the one that was judged (`set $args`), it is not used at all. */
static ngx_int_t ngx_janua_set_query(ngx_http_request_t *r, const janua_str *query)
{
    ngx_str_t raw = r->unparsed_uri, before = r->args, given;
    u_char *mark, *text;
    size_t path;

    mark = ngx_strlchr(raw.data, raw.data + raw.len, '?');
    path = mark ? (size_t) (mark - raw.data) : raw.len;
    given.data = mark ? mark + 1 : raw.data;
    given.len = mark ? raw.len - path - 1 : 0;
    if (given.len != before.len || (before.len && ngx_memcmp(given.data, before.data, before.len) != 0)) {
        r->valid_unparsed_uri = 0;
    }
    if (ngx_janua_equal(query, &r->args)) {
        return NGX_OK;
    }
    if (ngx_janua_copy(r->pool, &r->args, query) != NGX_OK) {
        return NGX_ERROR;
    }
    text = ngx_pnalloc(r->pool, path + query->len + 2);
    if (text == NULL) {
        return NGX_ERROR;
    }
    r->unparsed_uri.data = text;
    text = ngx_cpymem(text, raw.data, path);
    if (query->len) {
        *text++ = '?';
        text = ngx_cpymem(text, query->ptr, query->len);
    }
    r->unparsed_uri.len = text - r->unparsed_uri.data;
    return ngx_janua_set_request_line(r);
}

static ngx_uint_t ngx_janua_method_number(const ngx_str_t *name)
{
    static const struct {
        const char *name;
        ngx_uint_t number;
    } methods[] = {{"GET", NGX_HTTP_GET}, {"HEAD", NGX_HTTP_HEAD}, {"POST", NGX_HTTP_POST}, {"PUT", NGX_HTTP_PUT},
                   {"DELETE", NGX_HTTP_DELETE}, {"OPTIONS", NGX_HTTP_OPTIONS}, {"PATCH", NGX_HTTP_PATCH}};
    ngx_uint_t i;

    for (i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        if (ngx_strcmp(name->data, methods[i].name) == 0) {
            return methods[i].number;
        }
    }
    return NGX_HTTP_UNKNOWN;
}

/* The request goes on as what was judged, from the search for its location on: the rules of the location it came to are
 * not those of the one it means. No internal redirect, for that would open `internal` locations. */
static ngx_int_t ngx_janua_reroute(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_http_core_main_conf_t *cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);
    ngx_http_core_srv_conf_t *cscf = ngx_http_get_module_srv_conf(r, ngx_http_core_module);

    if (ngx_janua_copy(r->pool, &r->method_name, &s->decision.method) != NGX_OK
        || ngx_janua_copy(r->pool, &r->uri, &s->decision.path) != NGX_OK) {
        return ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    if (r->uri_changes == 0 || --r->uri_changes == 0) {
        return ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    r->method = ngx_janua_method_number(&r->method_name);
    ngx_http_set_exten(r);
    ngx_memzero(r->ctx, sizeof(void *) * ngx_http_max_module);
    ngx_http_set_ctx(r, s, ngx_http_janua_module);
    r->loc_conf = cscf->ctx->loc_conf;
    ngx_http_update_location_config(r);
#if (NGX_HTTP_CACHE)
    r->cache = NULL;
#endif
    r->valid_unparsed_uri = 0;
    r->add_uri_to_alias = 0;
    r->quoted_uri = 1;
    r->access_code = 0;
    r->phase_handler = cmcf->phase_engine.server_rewrite_index;
    ngx_janua_go_on(r);
    return NGX_DONE;
}

/* Lets the request pass. Returns NGX_OK, NGX_DONE after a new start, or the status to refuse with. */
ngx_int_t ngx_janua_allow(ngx_http_request_t *r, ngx_janua_state_t *s)
{
    ngx_flag_t same = ngx_janua_equal(&s->decision.path, &r->uri)
                      && ngx_janua_equal(&s->decision.method, &r->method_name);

    if (s->cut) {
        return ngx_janua_failed(s, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE);
    }
    if (ngx_janua_fault(r, ALLOW) || ngx_janua_set_inward(r, &s->decision) != NGX_OK
        || ngx_janua_set_query(r, &s->decision.query) != NGX_OK) {
        return ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    ngx_janua_forget_variables(r);
    if (!same && r != r->main) {
        return ngx_janua_failed(s, NGX_HTTP_FORBIDDEN);
    }
    s->step = NGX_JANUA_ALLOWED;
    return same ? NGX_OK : ngx_janua_reroute(r, s);
}

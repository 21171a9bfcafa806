/* Headers: those that no request may bring in are taken off, those that a decision sets are put on, and those of an
 * answer are added. Called by nginx in the post-read phase, by allow.c, answer.c and subrequest.c.
 *
 * A list of nginx cannot lose an element (`hash = 0` is ignored by the proxy module), so it is made anew. The elements
 * that are kept are copied; nginx's typed pointers go on pointing to the old ones, which live as long and say the same.
 * Only the pointers to what was taken off or put on change. */

#include "ngx_http_janua.h"

/* Lower case, every byte outside [a-z0-9] as `_`: the form of the strip list, as a CGI gateway would fold the name. */
static u_char ngx_janua_canonical(u_char c)
{
    c = ngx_tolower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ? c : '_';
}

static ngx_flag_t ngx_janua_is_listed(const ngx_str_t *name, const janua_str *list, size_t count)
{
    size_t i, n;

    for (n = 0; n < count; n++) {
        if (list[n].len != name->len) {
            continue;
        }
        for (i = 0; i < name->len && ngx_janua_canonical(name->data[i]) == (u_char) list[n].ptr[i]; i++) { /* void */ }
        if (i == name->len) {
            return 1;
        }
    }
    return 0;
}

ngx_flag_t ngx_janua_name_is(const janua_str *name, const char *wanted)
{
    return name->len == ngx_strlen(wanted) && ngx_strncasecmp((u_char *) name->ptr, (u_char *) wanted, name->len) == 0;
}

static ngx_http_header_t *ngx_janua_known(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_http_core_main_conf_t *cmcf = ngx_http_get_module_main_conf(r, ngx_http_core_module);

    return ngx_hash_find(&cmcf->headers_in_hash, h->hash, h->lowcase_key, h->key.len);
}

#if (nginx_version < 1023000)

/* Those of which nginx keeps an array; of all others the first. */
static ngx_array_t *ngx_janua_array_of(ngx_http_request_t *r, ngx_http_header_t *known)
{
    if (known->offset == offsetof(ngx_http_headers_in_t, cookies)) {
        return &r->headers_in.cookies;
    }
#if (NGX_HTTP_X_FORWARDED_FOR)
    if (known->offset == offsetof(ngx_http_headers_in_t, x_forwarded_for)) {
        return &r->headers_in.x_forwarded_for;
    }
#endif
    return NULL;
}

static void ngx_janua_forget(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_http_header_t *known = ngx_janua_known(r, h);
    ngx_table_elt_t **slot;
    ngx_array_t *array;

    if (known == NULL) {
        return;
    }
    array = ngx_janua_array_of(r, known);
    if (array) {
        /* Lines of one name: all of them go. A new array, for a subrequest shares the old one with its parent. */
        ngx_memzero(array, sizeof(*array));
        return;
    }
    slot = (ngx_table_elt_t **) ((char *) &r->headers_in + known->offset);
    if (*slot == h) {
        *slot = NULL;
    }
}

static ngx_int_t ngx_janua_remember(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_http_header_t *known = ngx_janua_known(r, h);
    ngx_table_elt_t **slot;
    ngx_array_t *array;

    if (known == NULL) {
        return NGX_OK;
    }
    array = ngx_janua_array_of(r, known);
    if (array == NULL) {
        slot = (ngx_table_elt_t **) ((char *) &r->headers_in + known->offset);
        if (*slot == NULL) {
            *slot = h;
        }
        return NGX_OK;
    }
    if (array->elts == NULL && ngx_array_init(array, r->pool, 1, sizeof(ngx_table_elt_t *)) != NGX_OK) {
        return NGX_ERROR;
    }
    slot = ngx_array_push(array);
    if (slot == NULL) {
        return NGX_ERROR;
    }
    *slot = h;
    return NGX_OK;
}

#else

static ngx_table_elt_t **ngx_janua_chain_of(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_http_header_t *known = ngx_janua_known(r, h);

    return known ? (ngx_table_elt_t **) ((char *) &r->headers_in + known->offset) : NULL;
}

static void ngx_janua_forget(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_table_elt_t **slot = ngx_janua_chain_of(r, h);

    for (; slot && *slot; slot = &(*slot)->next) {
        if (*slot == h) {
            *slot = h->next;
            return;
        }
    }
}

static ngx_int_t ngx_janua_remember(ngx_http_request_t *r, ngx_table_elt_t *h)
{
    ngx_table_elt_t **slot = ngx_janua_chain_of(r, h);

    h->next = NULL;
    if (slot) {
        while (*slot) {
            slot = &(*slot)->next;
        }
        *slot = h;
    }
    return NGX_OK;
}

#endif

/* Makes the list anew without the listed names. On failure the request must not go on. */
static ngx_int_t ngx_janua_rebuild(ngx_http_request_t *r, const janua_str *list, size_t count)
{
    ngx_list_t old = r->headers_in.headers;
    ngx_list_part_t *part;
    ngx_table_elt_t *from, *to;
    ngx_uint_t i;

    if (ngx_list_init(&r->headers_in.headers, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }
    for (part = &old.part; part; part = part->next) {
        from = part->elts;
        for (i = 0; i < part->nelts; i++) {
            if (ngx_janua_is_listed(&from[i].key, list, count)) {
                ngx_janua_forget(r, &from[i]);
                continue;
            }
            to = ngx_list_push(&r->headers_in.headers);
            if (to == NULL) {
                return NGX_ERROR;
            }
            *to = from[i];
        }
    }
    return NGX_OK;
}

static ngx_flag_t ngx_janua_has_any(ngx_http_request_t *r, const janua_str *list, size_t count, uint64_t lengths)
{
    ngx_list_part_t *part;
    ngx_table_elt_t *h;
    ngx_uint_t i;

    for (part = &r->headers_in.headers.part; part; part = part->next) {
        h = part->elts;
        for (i = 0; i < part->nelts; i++) {
            if ((lengths >> (h[i].key.len & 63) & 1) && ngx_janua_is_listed(&h[i].key, list, count)) {
                return 1;
            }
        }
    }
    return 0;
}

/* Takes off what names a user: that comes from within alone. */
ngx_int_t ngx_janua_strip(ngx_http_request_t *r)
{
    ngx_janua_main_conf_t *mcf = ngx_http_get_module_main_conf(r, ngx_http_janua_module);

    if (!ngx_janua_has_any(r, mcf->strip.elts, mcf->strip.nelts, mcf->strip_lengths)) {
        return NGX_OK;
    }
    return ngx_janua_rebuild(r, mcf->strip.elts, mcf->strip.nelts);
}

/* Every request of the http block, whether Janua judges it or not. */
ngx_int_t ngx_janua_post_read(ngx_http_request_t *r)
{
    if (ngx_janua_fault(r, POST_READ) || ngx_janua_strip(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return NGX_DECLINED;
}

static ngx_int_t ngx_janua_put(ngx_http_request_t *r, const janua_header *header)
{
    ngx_table_elt_t *h = ngx_list_push(&r->headers_in.headers);
    u_char *text = ngx_pnalloc(r->pool, header->name.len * 2 + header->value.len + 2);

    if (h == NULL || text == NULL) {
        return NGX_ERROR;
    }
    ngx_memzero(h, sizeof(*h));
    h->key.data = text;
    h->key.len = header->name.len;
    text = ngx_cpymem(text, header->name.ptr, header->name.len);
    h->value.data = text;
    h->value.len = header->value.len;
    text = ngx_cpymem(text, header->value.ptr, header->value.len);
    *text++ = '\0'; /* some of nginx's modules look for the end */
    h->lowcase_key = text;
    h->hash = ngx_hash_strlow(text, h->key.data, h->key.len);
    return ngx_janua_remember(r, h);
}

/* Takes off what a decision names and puts on what it sets. */
ngx_int_t ngx_janua_set_inward(ngx_http_request_t *r, const janua_decision *decision)
{
    size_t i;

    /* A subrequest shares its list with its parent until it has one of its own. */
    if ((r != r->main || ngx_janua_has_any(r, decision->strip, decision->strip_len, ~(uint64_t) 0))
        && ngx_janua_rebuild(r, decision->strip, decision->strip_len) != NGX_OK) {
        return NGX_ERROR;
    }
    for (i = 0; i < decision->set_inward_len; i++) {
        if (ngx_janua_put(r, &decision->set_inward[i]) != NGX_OK) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

/* Adds a header to the answer, once: the filters may run again over what they have seen. */
ngx_int_t ngx_janua_add_answer_header(ngx_http_request_t *r, const janua_header *header)
{
    ngx_list_part_t *part;
    ngx_table_elt_t *h;
    ngx_uint_t i;

    for (part = &r->headers_out.headers.part; part; part = part->next) {
        h = part->elts;
        for (i = 0; i < part->nelts; i++) {
            if (header->value.len && h[i].value.data == (u_char *) header->value.ptr && h[i].hash) {
                return NGX_OK;
            }
        }
    }
    h = ngx_list_push(&r->headers_out.headers);
    if (h == NULL) {
        return NGX_ERROR;
    }
    ngx_memzero(h, sizeof(*h));
    h->hash = 1;
    h->key.data = (u_char *) header->name.ptr;
    h->key.len = header->name.len;
    h->value.data = (u_char *) header->value.ptr;
    h->value.len = header->value.len;
    if (ngx_janua_name_is(&header->name, "www-authenticate")) {
        r->headers_out.www_authenticate = h;
    }
    return NGX_OK;
}

/* The three nginx modules of this file and where they hook themselves in. Called by nginx when it loads the module and
 * when it has read its http block. Holds no logic of its own. */

#include "ngx_http_janua.h"

static ngx_int_t ngx_janua_hook(ngx_conf_t *cf, ngx_uint_t phase, ngx_http_handler_pt handler)
{
    ngx_http_core_main_conf_t *cmcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
    ngx_http_handler_pt *slot = ngx_array_push(&cmcf->phases[phase].handlers);

    if (slot == NULL) {
        return NGX_ERROR;
    }
    *slot = handler;
    return NGX_OK;
}

static ngx_flag_t ngx_janua_is_used(ngx_conf_t *cf)
{
    ngx_janua_main_conf_t *mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_janua_module);

    return !ngx_queue_empty(&mcf->engines);
}

/* Handlers that run after those of nginx's own modules. */
static ngx_int_t ngx_janua_postconfiguration(ngx_conf_t *cf)
{
    if (!ngx_janua_is_used(cf)) {
        return NGX_OK;
    }
    if (ngx_janua_collect_strip_list(cf) != NGX_OK
        || ngx_janua_hook(cf, NGX_HTTP_POST_READ_PHASE, ngx_janua_post_read) != NGX_OK
        || ngx_janua_hook(cf, NGX_HTTP_PREACCESS_PHASE, ngx_janua_preaccess) != NGX_OK) {
        return NGX_ERROR;
    }
    return ngx_janua_hook(cf, NGX_HTTP_ACCESS_PHASE, ngx_janua_access_last);
}

/* Handlers that run before them, and the filters. */
static ngx_int_t ngx_janua_filter_postconfiguration(ngx_conf_t *cf)
{
    if (!ngx_janua_is_used(cf)) {
        return NGX_OK;
    }
    ngx_janua_next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = ngx_janua_header_filter;
    ngx_janua_next_body_filter = ngx_http_top_request_body_filter;
    ngx_http_top_request_body_filter = ngx_janua_body_filter;
    return ngx_janua_hook(cf, NGX_HTTP_ACCESS_PHASE, ngx_janua_access_first);
}

/* Never fails: in a reload that would take the master down. */
static ngx_int_t ngx_janua_init_module(ngx_cycle_t *cycle)
{
    if (!ngx_test_config) {
        (void) ngx_janua_warn_once(cycle);
    }
    return NGX_OK;
}

static ngx_http_module_t ngx_http_janua_module_ctx = {
    .preconfiguration = ngx_janua_add_variables,
    .postconfiguration = ngx_janua_postconfiguration,
    .create_main_conf = ngx_janua_create_main_conf,
    .create_loc_conf = ngx_janua_create_loc_conf,
    .merge_loc_conf = ngx_janua_merge_loc_conf,
};

ngx_module_t ngx_http_janua_module = {
    NGX_MODULE_V1,
    &ngx_http_janua_module_ctx,
    ngx_janua_commands,
    NGX_HTTP_MODULE,
    NULL,                  /* init master */
    ngx_janua_init_module,
    ngx_janua_start,       /* init process */
    NULL,                  /* init thread */
    NULL,                  /* exit thread */
    NULL,                  /* exit process */
    NULL,                  /* exit master */
    NGX_MODULE_V1_PADDING
};

static ngx_http_module_t ngx_http_janua_filter_module_ctx = {
    .postconfiguration = ngx_janua_filter_postconfiguration,
};

ngx_module_t ngx_http_janua_filter_module = {
    NGX_MODULE_V1,
    &ngx_http_janua_filter_module_ctx,
    NULL,
    NGX_HTTP_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};

/* A core module, for only those are asked when the number of workers is known. */
static ngx_core_module_t ngx_janua_workers_module_ctx = {
    ngx_string("janua_workers"),
    NULL,
    ngx_janua_check_workers,
};

ngx_module_t ngx_janua_workers_module = {
    NGX_MODULE_V1,
    &ngx_janua_workers_module_ctx,
    NULL,
    NGX_CORE_MODULE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};

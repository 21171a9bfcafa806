/* The directives: reading, inheriting and checking them. Called by nginx while it parses its configuration; what a
 * directive says wrong is an error with file and line at `nginx -t`. Decides nothing about requests. */

#include "ngx_http_janua.h"

#define NGX_JANUA_IN_FLIGHT 128

static char *ngx_janua_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_janua_mode(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_janua_profile(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_janua_prefix(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_janua_pool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);
static char *ngx_janua_in_flight(ngx_conf_t *cf, ngx_command_t *cmd, void *conf);

#define NGX_JANUA_ANYWHERE (NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF)

#if (JANUA_TEST_FAULTS)
static ngx_conf_enum_t ngx_janua_fail_places[] = {
    {ngx_string("nowhere"), NGX_JANUA_FAIL_NOWHERE},
    {ngx_string("post_read"), NGX_JANUA_FAIL_POST_READ},
    {ngx_string("preaccess"), NGX_JANUA_FAIL_PREACCESS},
    {ngx_string("access"), NGX_JANUA_FAIL_ACCESS},
    {ngx_string("body"), NGX_JANUA_FAIL_BODY},
    {ngx_string("task"), NGX_JANUA_FAIL_TASK},
    {ngx_string("done"), NGX_JANUA_FAIL_DONE},
    {ngx_string("header_filter"), NGX_JANUA_FAIL_HEADER_FILTER},
    {ngx_string("allow"), NGX_JANUA_FAIL_ALLOW},
    {ngx_string("answer"), NGX_JANUA_FAIL_ANSWER},
    {ngx_string("state"), NGX_JANUA_FAIL_STATE},
    {ngx_string("snapshot"), NGX_JANUA_FAIL_SNAPSHOT},
    {ngx_null_string, 0}
};
#endif

ngx_command_t ngx_janua_commands[] = {
    {ngx_string("janua_config"), NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_CONF_TAKE1, ngx_janua_config,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("janua"), NGX_JANUA_ANYWHERE | NGX_HTTP_LMT_CONF | NGX_CONF_TAKE1, ngx_janua_mode,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("janua_profile"), NGX_JANUA_ANYWHERE | NGX_CONF_TAKE1, ngx_janua_profile,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("janua_prefix"), NGX_JANUA_ANYWHERE | NGX_CONF_TAKE1, ngx_janua_prefix,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("janua_thread_pool"), NGX_JANUA_ANYWHERE | NGX_CONF_TAKE1, ngx_janua_pool,
     NGX_HTTP_LOC_CONF_OFFSET, NGX_JANUA_POOL_STORE, NULL},
    {ngx_string("janua_hash_pool"), NGX_JANUA_ANYWHERE | NGX_CONF_TAKE1, ngx_janua_pool,
     NGX_HTTP_LOC_CONF_OFFSET, NGX_JANUA_POOL_HASH, NULL},
    {ngx_string("janua_in_flight"), NGX_JANUA_ANYWHERE | NGX_CONF_TAKE1, ngx_janua_in_flight,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
#if (JANUA_TEST_FAULTS)
    {ngx_string("janua_test_fail"), NGX_JANUA_ANYWHERE | NGX_CONF_TAKE1, ngx_conf_set_enum_slot,
     NGX_HTTP_LOC_CONF_OFFSET, offsetof(ngx_janua_loc_conf_t, fail), ngx_janua_fail_places},
#endif
    ngx_null_command
};

void *ngx_janua_create_main_conf(ngx_conf_t *cf)
{
    ngx_janua_main_conf_t *mcf = ngx_pcalloc(cf->pool, sizeof(*mcf));

    if (mcf == NULL || ngx_array_init(&mcf->strip, cf->pool, 8, sizeof(janua_str)) != NGX_OK) {
        return NULL;
    }
    ngx_queue_init(&mcf->engines);
    ngx_queue_init(&mcf->sites);
    return mcf;
}

void *ngx_janua_create_loc_conf(ngx_conf_t *cf)
{
    ngx_janua_loc_conf_t *conf = ngx_pcalloc(cf->pool, sizeof(*conf));

    if (conf == NULL) {
        return NULL;
    }
    conf->mode = NGX_CONF_UNSET_UINT;
    conf->engine = NGX_CONF_UNSET_PTR;
    conf->pools[NGX_JANUA_POOL_STORE] = NGX_CONF_UNSET_PTR;
    conf->pools[NGX_JANUA_POOL_HASH] = NGX_CONF_UNSET_PTR;
    conf->in_flight = NGX_CONF_UNSET;
#if (JANUA_TEST_FAULTS)
    conf->fail = NGX_CONF_UNSET_UINT;
#endif
    return conf;
}

static void ngx_janua_note_place(ngx_conf_t *cf, ngx_janua_place_t *place)
{
    place->file = cf->conf_file->file.name.data;
    place->line = cf->conf_file->line;
}

static char *ngx_janua_config(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_janua_loc_conf_t *jlcf = conf;
    ngx_str_t *value = cf->args->elts, path = value[1];

    if (jlcf->engine != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }
    if (ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    jlcf->engine = ngx_janua_engine_get(cf, &path);
    return jlcf->engine ? NGX_CONF_OK : NGX_CONF_ERROR;
}

static char *ngx_janua_mode(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    static const char *const words[] = {"off", "on", "optional"}; /* in the order of NGX_JANUA_OFF and its like */
    ngx_janua_loc_conf_t *jlcf = conf;
    ngx_str_t *value = cf->args->elts;
    ngx_uint_t i;

    if (jlcf->mode != NGX_CONF_UNSET_UINT) {
        return "is duplicate";
    }
    for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (ngx_strcmp(value[1].data, words[i]) == 0) {
            jlcf->mode = i;
            ngx_janua_note_place(cf, &jlcf->place);
            return NGX_CONF_OK;
        }
    }
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\" in \"janua\": it is \"on\", \"off\" or \"optional\"",
                       &value[1]);
    return NGX_CONF_ERROR;
}

static char *ngx_janua_profile(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_janua_loc_conf_t *jlcf = conf;
    ngx_str_t *value = cf->args->elts;

    if (jlcf->profile.data) {
        return "is duplicate";
    }
    if (value[1].len == 0) {
        return "must name a profile or a file that ends in .toml";
    }
    jlcf->profile = value[1];
    ngx_janua_note_place(cf, &jlcf->place);
    if (value[1].len > 5 && ngx_strcmp(value[1].data + value[1].len - 5, ".toml") == 0
        && ngx_conf_full_name(cf->cycle, &jlcf->profile, 1) != NGX_OK) {
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

static char *ngx_janua_prefix(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_janua_loc_conf_t *jlcf = conf;
    ngx_str_t *value = cf->args->elts;

    if (jlcf->prefix.data) {
        return "is duplicate";
    }
    if (value[1].len == 0 || value[1].data[0] != '/') {
        return "must begin with \"/\"";
    }
    jlcf->prefix = value[1];
    ngx_janua_note_place(cf, &jlcf->place);
    return NGX_CONF_OK;
}

static char *ngx_janua_pool(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_janua_loc_conf_t *jlcf = conf;
    ngx_str_t *value = cf->args->elts;
    ngx_uint_t pool = cmd->offset;

    if (jlcf->pools[pool] != NGX_CONF_UNSET_PTR) {
        return "is duplicate";
    }
    /* nginx itself refuses, with this file and line, a name that no `thread_pool` declares. */
    jlcf->pools[pool] = ngx_thread_pool_add(cf, &value[1]);
    jlcf->pool_names[pool] = value[1];
    ngx_janua_note_place(cf, &jlcf->pool_place);
    return jlcf->pools[pool] ? NGX_CONF_OK : NGX_CONF_ERROR;
}

static char *ngx_janua_in_flight(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_janua_loc_conf_t *jlcf = conf;
    ngx_str_t *value = cf->args->elts;

    if (jlcf->in_flight != NGX_CONF_UNSET) {
        return "is duplicate";
    }
    jlcf->in_flight = ngx_atoi(value[1].data, value[1].len);
    if (jlcf->in_flight < 1) {
        return "must be a number, 1 or more";
    }
    return NGX_CONF_OK;
}

/* Which pools of threads a location uses: those it names, else the module's own, which are made when all is read. */
static char *ngx_janua_merge_pools(ngx_conf_t *cf, ngx_janua_loc_conf_t *prev, ngx_janua_loc_conf_t *conf)
{
    ngx_janua_main_conf_t *mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_janua_module);
    ngx_uint_t pool;

    if (conf->pool_place.file == NULL) {
        conf->pool_place = prev->pool_place;
    }
    for (pool = 0; pool < NGX_JANUA_POOLS; pool++) {
        if (conf->pools[pool] == NGX_CONF_UNSET_PTR && prev->pools[pool] != NGX_CONF_UNSET_PTR) {
            conf->pools[pool] = prev->pools[pool];
            conf->pool_names[pool] = prev->pool_names[pool];
        }
        if (conf->pools[pool] == NGX_CONF_UNSET_PTR || conf->pools[pool] == NULL) {
            conf->pools[pool] = NULL;
            conf->pool_names[pool] = ngx_janua_own_pools[pool];
            mcf->own_pools |= (conf->mode != NGX_JANUA_OFF) << pool;
        }
    }
    if (conf->mode != NGX_JANUA_OFF && ngx_janua_same(&conf->pool_names[0], &conf->pool_names[1])) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"janua_thread_pool\" and \"janua_hash_pool\" are both \"%V\": hashing needs a pool of its own "
                      "in %s:%ui",
                      &conf->pool_names[0], conf->pool_place.file, conf->pool_place.line);
        return NGX_CONF_ERROR;
    }
    return NGX_CONF_OK;
}

char *ngx_janua_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child)
{
    ngx_janua_loc_conf_t *prev = parent, *conf = child;

    ngx_conf_merge_uint_value(conf->mode, prev->mode, NGX_JANUA_OFF);
    ngx_conf_merge_ptr_value(conf->engine, prev->engine, NULL);
    ngx_conf_merge_str_value(conf->profile, prev->profile, "");
    ngx_conf_merge_str_value(conf->prefix, prev->prefix, "");
    ngx_conf_merge_value(conf->in_flight, prev->in_flight, NGX_JANUA_IN_FLIGHT);
#if (JANUA_TEST_FAULTS)
    ngx_conf_merge_uint_value(conf->fail, prev->fail, NGX_JANUA_FAIL_NOWHERE);
#endif
    if (conf->place.file == NULL) {
        conf->place = prev->place;
    }
    if (ngx_janua_merge_pools(cf, prev, conf) != NGX_CONF_OK) {
        return NGX_CONF_ERROR;
    }
    if (conf->mode == NGX_JANUA_OFF) {
        return NGX_CONF_OK;
    }
    if (conf->engine == NULL) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                      "\"janua\" is on and no \"janua_config\" names a configuration in %s:%ui", conf->place.file,
                      conf->place.line);
        return NGX_CONF_ERROR;
    }
    conf->site = ngx_janua_site_get(cf, conf);
    return conf->site ? NGX_CONF_OK : NGX_CONF_ERROR;
}

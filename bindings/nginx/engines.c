/* Engines and sites: made while nginx reads its configuration, ended with it. Called by directives.c and by nginx when
 * all is read. Building opens no store and starts nothing: each worker attaches in maintain.c, after its fork. */

#include "ngx_http_janua.h"

#define NGX_JANUA_STORE_THREADS "threads=4"

extern ngx_module_t ngx_thread_pool_module;

ngx_str_t ngx_janua_own_pools[] = {ngx_string("janua"), ngx_string("janua_hash")};

static void ngx_janua_engine_end(void *data)
{
    ngx_janua_engine_t *engine = data;

    janua_engine_free(engine->handle);
    engine->handle = NULL;
}

static void ngx_janua_site_end(void *data)
{
    ngx_janua_site_t *site = data;

    janua_site_free(site->handle);
    site->handle = NULL;
}

janua_str ngx_janua_view(ngx_str_t *s)
{
    janua_str view = {(const char *) s->data, s->len};

    return view;
}

static janua_engine *ngx_janua_build(ngx_janua_engine_t *engine, janua_error *err)
{
    janua_audit audit = {.size = sizeof(audit), .ctx = engine, .event = ngx_janua_audit};
    janua_config *config = NULL;
    janua_engine *built = NULL;

    if (janua_config_new(JANUA_ABI, &config, err) != JANUA_OK) {
        return NULL;
    }
    if (janua_config_read_file(config, ngx_janua_view(&engine->path), err) != JANUA_OK
        || janua_config_set_audit(config, &audit, err) != JANUA_OK
        || janua_engine_new(config, &built, err) != JANUA_OK) {
        built = NULL;
    }
    janua_config_free(config);
    return built;
}

/* One file is one engine, by whatever way its name leads there. */
static ngx_flag_t ngx_janua_same_file(ngx_janua_engine_t *engine, ngx_file_info_t *found)
{
    ngx_file_info_t info;

    return ngx_file_info(engine->path.data, &info) != NGX_FILE_ERROR && info.st_dev == found->st_dev
           && info.st_ino == found->st_ino;
}

/* The engine of a configuration file: the one that stands, or a new one. */
ngx_janua_engine_t *ngx_janua_engine_get(ngx_conf_t *cf, ngx_str_t *path)
{
    ngx_file_info_t found;
    ngx_flag_t there = ngx_file_info(path->data, &found) != NGX_FILE_ERROR;
    ngx_janua_main_conf_t *mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_janua_module);
    ngx_janua_engine_t *engine;
    ngx_pool_cleanup_t *cleanup;
    ngx_queue_t *q;
    janua_error err = {.size = sizeof(err)};

    for (q = ngx_queue_head(&mcf->engines); q != ngx_queue_sentinel(&mcf->engines); q = ngx_queue_next(q)) {
        engine = ngx_queue_data(q, ngx_janua_engine_t, queue);
        if (there && ngx_janua_same_file(engine, &found)) {
            return engine;
        }
    }
    engine = ngx_pcalloc(cf->pool, sizeof(*engine));
    cleanup = engine ? ngx_pool_cleanup_add(cf->pool, 0) : NULL;
    if (cleanup == NULL) {
        return NULL;
    }
    engine->path = *path;
    engine->place.file = cf->conf_file->file.name.data;
    engine->place.line = cf->conf_file->line;
    engine->cycle = cf->cycle;
    engine->handle = ngx_janua_build(engine, &err);
    if (engine->handle == NULL) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "janua: %s", err.message);
        return NULL;
    }
    cleanup->handler = ngx_janua_engine_end;
    cleanup->data = engine;
    ngx_queue_insert_tail(&mcf->engines, &engine->queue);
    return engine;
}

ngx_flag_t ngx_janua_same(ngx_str_t *a, ngx_str_t *b)
{
    return a->len == b->len && (a->len == 0 || ngx_memcmp(a->data, b->data, a->len) == 0);
}

static ngx_janua_site_t *ngx_janua_site_make(ngx_conf_t *cf, ngx_janua_loc_conf_t *conf)
{
    ngx_janua_site_t *site = ngx_pcalloc(cf->pool, sizeof(*site));
    ngx_pool_cleanup_t *cleanup = site ? ngx_pool_cleanup_add(cf->pool, 0) : NULL;
    uint32_t flags = conf->mode == NGX_JANUA_OPTIONAL ? JANUA_SITE_OPTIONAL : 0;
    janua_error err = {.size = sizeof(err)};

    if (cleanup == NULL) {
        return NULL;
    }
    site->engine = conf->engine;
    site->profile = conf->profile;
    site->prefix = conf->prefix;
    site->mode = conf->mode;
    if (janua_site_new(conf->engine->handle, ngx_janua_view(&site->profile), ngx_janua_view(&site->prefix), flags,
                       &site->handle, &err) != JANUA_OK) {
        ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "janua: %s in %s:%ui", err.message, conf->place.file, conf->place.line);
        return NULL;
    }
    cleanup->handler = ngx_janua_site_end;
    cleanup->data = site;
    return site;
}

/* The site of a location: shared with every location that says the same. */
ngx_janua_site_t *ngx_janua_site_get(ngx_conf_t *cf, ngx_janua_loc_conf_t *conf)
{
    ngx_janua_main_conf_t *mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_janua_module);
    ngx_janua_site_t *site;
    ngx_queue_t *q;

    for (q = ngx_queue_head(&mcf->sites); q != ngx_queue_sentinel(&mcf->sites); q = ngx_queue_next(q)) {
        site = ngx_queue_data(q, ngx_janua_site_t, queue);
        if (site->engine == conf->engine && site->mode == conf->mode && ngx_janua_same(&site->profile, &conf->profile)
            && ngx_janua_same(&site->prefix, &conf->prefix)) {
            return site;
        }
    }
    site = ngx_janua_site_make(cf, conf);
    if (site) {
        ngx_queue_insert_tail(&mcf->sites, &site->queue);
    }
    return site;
}

/* The union of what no request may bring in: one list for the whole http block, since a request that one engine does
 * not judge may reach an application that trusts another one's headers. */
ngx_int_t ngx_janua_collect_strip_list(ngx_conf_t *cf)
{
    ngx_janua_main_conf_t *mcf = ngx_http_conf_get_module_main_conf(cf, ngx_http_janua_module);
    ngx_janua_engine_t *engine;
    const janua_str *names;
    janua_str *listed, *entry;
    ngx_queue_t *q;
    size_t count, i, n;

    for (q = ngx_queue_head(&mcf->engines); q != ngx_queue_sentinel(&mcf->engines); q = ngx_queue_next(q)) {
        engine = ngx_queue_data(q, ngx_janua_engine_t, queue);
        if (janua_strip_list(engine->handle, &names, &count) != JANUA_OK) {
            return NGX_ERROR;
        }
        for (i = 0; i < count; i++) {
            listed = mcf->strip.elts;
            for (n = 0; n < mcf->strip.nelts; n++) {
                if (listed[n].len == names[i].len && ngx_memcmp(listed[n].ptr, names[i].ptr, names[i].len) == 0) {
                    break;
                }
            }
            if (n < mcf->strip.nelts) {
                continue;
            }
            entry = ngx_array_push(&mcf->strip);
            if (entry == NULL) {
                return NGX_ERROR;
            }
            *entry = names[i];
            mcf->strip_lengths |= (uint64_t) 1 << (names[i].len & 63);
        }
    }
    return NGX_OK;
}

/* Makes one of the module's own pools, by the directive that makes every pool: nginx gives no other way to say how many
 * threads. One that the configuration declares under the same name is taken as it is. */
static ngx_thread_pool_t *ngx_janua_own_pool(ngx_cycle_t *cycle, ngx_uint_t which)
{
    ngx_str_t *name = &ngx_janua_own_pools[which];
    ngx_thread_pool_t *pool = ngx_thread_pool_get(cycle, name);
    ngx_conf_file_t file;
    ngx_array_t args;
    ngx_conf_t cf;
    ngx_str_t *word;
    u_char *threads;

    if (pool) {
        return pool;
    }
    ngx_memzero(&cf, sizeof(cf));
    ngx_memzero(&file, sizeof(file));
    threads = ngx_pnalloc(cycle->pool, sizeof("threads=") + NGX_INT_T_LEN);
    if (threads == NULL || ngx_array_init(&args, cycle->pool, 3, sizeof(ngx_str_t)) != NGX_OK) {
        return NULL;
    }
    word = ngx_array_push_n(&args, 3);
    ngx_str_set(&word[0], "thread_pool");
    word[1] = *name;
    word[2].data = threads;
    word[2].len = which == NGX_JANUA_POOL_HASH
                  ? (size_t) (ngx_sprintf(threads, "threads=%i%Z", ngx_max(ngx_ncpu, 2)) - threads) - 1
                  : (size_t) (ngx_sprintf(threads, NGX_JANUA_STORE_THREADS "%Z") - threads) - 1;
    file.file.name = cycle->conf_file;
    cf.name = "janua";
    cf.args = &args;
    cf.cycle = cycle;
    cf.pool = cycle->pool;
    cf.log = cycle->log;
    cf.conf_file = &file;
    cf.ctx = cycle->conf_ctx;
    if (ngx_thread_pool_module.commands[0].set(&cf, &ngx_thread_pool_module.commands[0], NULL) != NGX_CONF_OK) {
        return NULL;
    }
    return ngx_thread_pool_get(cycle, name);
}

static ngx_janua_main_conf_t *ngx_janua_main_conf_of(ngx_cycle_t *cycle)
{
    return ngx_http_cycle_get_module_main_conf(cycle, ngx_http_janua_module); /* NULL without a http block */
}

/* When the whole configuration is read, and with it the number of workers: the last moment that an error may have. */
char *ngx_janua_check_workers(ngx_cycle_t *cycle, void *conf)
{
    ngx_core_conf_t *ccf = (ngx_core_conf_t *) ngx_get_conf(cycle->conf_ctx, ngx_core_module);
    ngx_janua_main_conf_t *mcf = ngx_janua_main_conf_of(cycle);
    uint32_t workers = ccf->master ? (uint32_t) ccf->worker_processes : 1;
    janua_error err = {.size = sizeof(err)};
    ngx_janua_engine_t *engine;
    ngx_uint_t pool;
    ngx_queue_t *q;

    if (mcf == NULL || ngx_queue_empty(&mcf->engines)) {
        return NGX_CONF_OK;
    }
    for (q = ngx_queue_head(&mcf->engines); q != ngx_queue_sentinel(&mcf->engines); q = ngx_queue_next(q)) {
        engine = ngx_queue_data(q, ngx_janua_engine_t, queue);
        if (janua_engine_check_workers(engine->handle, workers, &err) != JANUA_OK) {
            ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "janua: %V: worker_processes is %uD: %s in %s:%ui", &engine->path,
                          workers, err.message, engine->place.file, engine->place.line);
            return NGX_CONF_ERROR;
        }
    }
    for (pool = 0; pool < NGX_JANUA_POOLS; pool++) {
        if (pool == NGX_JANUA_POOL_HASH && !(mcf->own_pools & (1u << pool))) {
            continue;
        }
        mcf->pools[pool] = ngx_janua_own_pool(cycle, pool); /* that of the store serves maintenance, too */
        if (mcf->pools[pool] == NULL) {
            return NGX_CONF_ERROR;
        }
    }
    if (ngx_test_config) {
        (void) ngx_janua_warn_once(cycle);
    }
    return NGX_CONF_OK;
}

/* Says what a reload costs where sessions live in the process. An engine that could not serve two workers is such. */
ngx_int_t ngx_janua_warn_once(ngx_cycle_t *cycle)
{
    ngx_janua_main_conf_t *mcf = ngx_janua_main_conf_of(cycle);
    ngx_janua_engine_t *engine;
    ngx_queue_t *q;

    if (mcf == NULL) {
        return NGX_OK;
    }
    for (q = ngx_queue_head(&mcf->engines); q != ngx_queue_sentinel(&mcf->engines); q = ngx_queue_next(q)) {
        engine = ngx_queue_data(q, ngx_janua_engine_t, queue);
        if (janua_engine_check_workers(engine->handle, 2, NULL) != JANUA_OK) {
            ngx_log_error(NGX_LOG_WARN, cycle->log, 0,
                          "janua: %V: sessions live in the worker's memory: a reload or restart ends them all (tokens "
                          "survive)", &engine->path);
        }
    }
    return NGX_OK;
}

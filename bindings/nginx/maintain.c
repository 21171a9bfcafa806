/* Starting a worker, and what is due by the clock: each engine is attached in each worker and maintained about every
 * second by a thread, never on the event loop and never twice at once. Called by nginx when a process starts, and by the
 * flow when a decision asks for it.
 *
 * The timer can be cancelled: it does not keep a worker that is told to exit. Threads are joined by nginx before the
 * configuration's pool, and the engine with it, is freed. */

#include "ngx_http_janua.h"

#define NGX_JANUA_EVERY 1000
#define NGX_JANUA_SOON 10
#define NGX_JANUA_BUDGET_US 20000

typedef struct {
    ngx_janua_engine_t *engine;
    ngx_flag_t attached;
    janua_status status;
    janua_error err;
} ngx_janua_upkeep_t;

/* On a thread of the pool. */
static void ngx_janua_upkeep(void *data, ngx_log_t *log)
{
    ngx_janua_upkeep_t *upkeep = data;

    (void) log;
    ngx_memzero(&upkeep->err, sizeof(upkeep->err));
    upkeep->err.size = sizeof(upkeep->err);
    if (!upkeep->attached) {
        upkeep->status = janua_engine_attach(upkeep->engine->handle, &upkeep->err);
        upkeep->attached = upkeep->status == JANUA_OK;
    }
    if (upkeep->attached) {
        upkeep->status = janua_maintain(upkeep->engine->handle, NGX_JANUA_BUDGET_US, &upkeep->err);
    }
}

static void ngx_janua_upkeep_done(ngx_event_t *event)
{
    ngx_janua_engine_t *engine = event->data;
    ngx_janua_upkeep_t *upkeep = engine->task->ctx;

    engine->running = 0;
    if (upkeep->status != engine->told) {
        engine->told = upkeep->status;
        if (upkeep->status != JANUA_OK) {
            ngx_log_error(NGX_LOG_ERR, engine->cycle->log, 0, "janua: maintenance of %V: %s", &engine->path,
                          upkeep->err.message);
        } else {
            ngx_log_error(NGX_LOG_NOTICE, engine->cycle->log, 0, "janua: %V is well again", &engine->path);
        }
    }
    ngx_add_timer(&engine->timer, engine->again ? NGX_JANUA_SOON : NGX_JANUA_EVERY);
    engine->again = 0;
}

static void ngx_janua_due(ngx_event_t *event)
{
    ngx_janua_engine_t *engine = event->data;

    event->timedout = 0;
    if (ngx_thread_task_post(engine->pool, engine->task) != NGX_OK) {
        ngx_add_timer(event, NGX_JANUA_EVERY);
        return;
    }
    engine->running = 1;
}

/* A decision asks for maintenance before the second is over. */
void ngx_janua_maintain_soon(ngx_janua_engine_t *engine)
{
    if (engine->running) {
        engine->again = 1;
    } else if (engine->timer.timer_set
               && (ngx_msec_int_t) (engine->timer.timer.key - ngx_current_msec) > NGX_JANUA_SOON) {
        ngx_del_timer(&engine->timer); /* nginx leaves a timer that is set alone where it would move by less than 0.3 s */
        ngx_add_timer(&engine->timer, NGX_JANUA_SOON);
    }
}

static void ngx_janua_attach(ngx_janua_engine_t *engine, ngx_janua_upkeep_t *upkeep)
{
    janua_error err = {.size = sizeof(err)};

    upkeep->attached = janua_engine_attach(engine->handle, &err) == JANUA_OK;
    if (!upkeep->attached) {
        engine->told = err.status;
        ngx_log_error(NGX_LOG_ALERT, engine->cycle->log, 0,
                      "janua: %V: %s (requests are answered 503; it is tried again every second)", &engine->path,
                      err.message);
    }
}

/* When a process starts. Only workers, and the one process without a master, decide on requests. */
ngx_int_t ngx_janua_start(ngx_cycle_t *cycle)
{
    ngx_janua_main_conf_t *mcf;
    ngx_janua_engine_t *engine;
    ngx_janua_upkeep_t *upkeep;
    ngx_queue_t *q;

    if ((ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE)
        || ngx_get_conf(cycle->conf_ctx, ngx_http_module) == NULL) {
        return NGX_OK;
    }
    mcf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_janua_module);
    for (q = ngx_queue_head(&mcf->engines); q != ngx_queue_sentinel(&mcf->engines); q = ngx_queue_next(q)) {
        engine = ngx_queue_data(q, ngx_janua_engine_t, queue);
        engine->task = ngx_thread_task_alloc(cycle->pool, sizeof(ngx_janua_upkeep_t));
        if (engine->task == NULL) {
            return NGX_OK; /* not started: every request is answered 503 */
        }
        upkeep = engine->task->ctx;
        upkeep->engine = engine;
        ngx_janua_attach(engine, upkeep);
        engine->pool = mcf->pools[NGX_JANUA_POOL_STORE];
        engine->task->handler = ngx_janua_upkeep;
        engine->task->event.handler = ngx_janua_upkeep_done;
        engine->task->event.data = engine;
        engine->task->event.log = cycle->log;
        engine->timer.handler = ngx_janua_due;
        engine->timer.data = engine;
        engine->timer.log = cycle->log;
        engine->timer.cancelable = 1;
        ngx_add_timer(&engine->timer, NGX_JANUA_EVERY);
    }
    mcf->started = 1;
    return NGX_OK;
}

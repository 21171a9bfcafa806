/* Waiting: a decision that hashes, reads the store or reads a body from a file is made by a thread of a pool. Called by
 * access.c and body.c. The thread touches the task and what the snapshot points to, and nothing else of the request. */

#include "ngx_http_janua.h"

/* A worker that is told to exit leaves when no timer is left; this one keeps it until the thread is done. */
#define NGX_JANUA_PATIENCE 60000

typedef struct {
    const janua_site *site;
    janua_request input;
    ngx_janua_file_t file;
    janua_decision decision;
    janua_status status;
    janua_error err;
    ngx_uint_t pool;
    ngx_uint_t broken;
} ngx_janua_work_t;

static ngx_int_t ngx_janua_read_file(ngx_janua_file_t *file)
{
    size_t done = 0;
    ssize_t n;

    while (done < file->size) {
        n = pread(file->fd, file->to + done, file->size - done, file->from + (off_t) done);
        if (n > 0) {
            done += (size_t) n;
        } else if (n == 0 || ngx_errno != NGX_EINTR) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

/* On a thread of the pool. */
static void ngx_janua_work(void *data, ngx_log_t *log)
{
    ngx_janua_work_t *work = data;

    (void) log;
    work->decision.size = sizeof(work->decision);
    work->err.size = sizeof(work->err);
    if (work->broken || ngx_janua_read_file(&work->file) != NGX_OK) {
        work->status = JANUA_E_UNAVAILABLE;
        work->decision.http_status = NGX_HTTP_INTERNAL_SERVER_ERROR;
        return;
    }
    work->status = janua_decide(work->site, &work->input, 0, &work->decision, &work->err);
}

/* On the event loop: the thread is done, or a minute has passed. */
static void ngx_janua_done(ngx_event_t *event)
{
    ngx_janua_state_t *s = event->data;
    ngx_http_request_t *r = s->request;
    ngx_connection_t *c = r->connection;
    ngx_janua_main_conf_t *mcf = ngx_http_get_module_main_conf(r, ngx_http_janua_module);
    ngx_janua_work_t *work = s->task->ctx;

    ngx_http_set_log_request(c->log, r);
    if (event->timedout) {
        event->timedout = 0;
        ngx_janua_log(NGX_LOG_ALERT, r, "%s", "a decision takes longer than a minute");
        ngx_add_timer(event, NGX_JANUA_PATIENCE);
        return;
    }
    if (event->timer_set) {
        ngx_del_timer(event);
    }
    mcf->running[work->pool]--;
    r->main->blocked--;
    r->aio = 0;
    s->task = NULL;
    s->decision = work->decision;
    s->step = NGX_JANUA_DECIDED;
    if (s->body) {
        ngx_explicit_memzero(s->body, s->body_len);
    }
    if (work->status != JANUA_OK) {
        ngx_janua_log(NGX_LOG_ERR, r, "%s: %s", janua_status_name(work->status), work->err.message);
        (void) ngx_janua_failed(s, s->decision.http_status >= 500 ? s->decision.http_status
                                                                  : NGX_HTTP_INTERNAL_SERVER_ERROR);
    } else if (ngx_janua_fault(r, DONE)) {
        (void) ngx_janua_failed(s, NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    /* Not the phases by name: a request that was ended meanwhile has another handler here. */
    r->write_event_handler(r);
    ngx_http_run_posted_requests(c);
}

static ngx_int_t ngx_janua_post(ngx_http_request_t *r, ngx_janua_state_t *s, ngx_uint_t pool, ngx_janua_file_t *file)
{
    ngx_janua_loc_conf_t *jlcf = ngx_http_get_module_loc_conf(r, ngx_http_janua_module);
    ngx_janua_main_conf_t *mcf = ngx_http_get_module_main_conf(r, ngx_http_janua_module);
    ngx_thread_task_t *task = ngx_thread_task_alloc(r->pool, sizeof(ngx_janua_work_t));
    ngx_janua_work_t *work;

    if (task == NULL) {
        return NGX_ERROR;
    }
    work = task->ctx;
    work->site = s->site->handle;
    work->input = s->input;
    work->pool = pool;
    work->broken = ngx_janua_fault(r, TASK);
    if (file) {
        work->file = *file;
    }
    task->handler = ngx_janua_work;
    task->event.handler = ngx_janua_done;
    task->event.data = s;
    task->event.log = r->connection->log;
    s->task = task;
    return ngx_thread_task_post(jlcf->pools[pool] ? jlcf->pools[pool] : mcf->pools[pool], task);
}

/* Has a thread decide. Returns NGX_AGAIN, or 503 when too much is under way already. */
ngx_int_t ngx_janua_slow(ngx_http_request_t *r, ngx_janua_state_t *s, ngx_uint_t pool, ngx_janua_file_t *file)
{
    ngx_janua_loc_conf_t *jlcf = ngx_http_get_module_loc_conf(r, ngx_http_janua_module);
    ngx_janua_main_conf_t *mcf = ngx_http_get_module_main_conf(r, ngx_http_janua_module);

    janua_decision_clear(&s->decision);
    s->decision.size = sizeof(s->decision);
    s->slept = 1;
    if (mcf->running[pool] >= (ngx_uint_t) jlcf->in_flight) {
        ngx_janua_log(NGX_LOG_WARN, r, "%ui decisions are waiting already", mcf->running[pool]);
        return ngx_janua_failed(s, NGX_HTTP_SERVICE_UNAVAILABLE);
    }
    if (ngx_janua_post(r, s, pool, file) != NGX_OK) {
        s->task = NULL;
        return ngx_janua_failed(s, NGX_HTTP_SERVICE_UNAVAILABLE);
    }
    s->step = NGX_JANUA_RUNNING;
    mcf->running[pool]++;
    r->main->blocked++;
    r->aio = 1;
    ngx_add_timer(&s->task->event, NGX_JANUA_PATIENCE);
    return NGX_AGAIN;
}

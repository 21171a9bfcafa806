/* What the files of the nginx module share. Private: included by them and by nothing else.
 *
 * The way of a request: state.c finds or makes its state, request.c takes the snapshot, access.c leads it from step to
 * step; body.c reads a body, slow.c waits in a pool of threads, allow.c changes the request on its way inward, answer.c
 * refuses or answers, headers.c strips and sets headers. directives.c and engines.c belong to the configuration. */

#ifndef NGX_HTTP_JANUA_H
#define NGX_HTTP_JANUA_H

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
#include <ngx_thread_pool.h>

#include <janua.h>

#if !(NGX_THREADS)
#error "this nginx was configured without --with-threads: Janua hashes and waits on threads only"
#endif

#define NGX_JANUA_OFF 0
#define NGX_JANUA_ON 1
#define NGX_JANUA_OPTIONAL 2

/* The two pools of threads, so that a storm of log-ins does not starve what only reads the store. */
#define NGX_JANUA_POOL_STORE 0
#define NGX_JANUA_POOL_HASH 1
#define NGX_JANUA_POOLS 2

/* A line of our own about a request. Not to the connection's log, which adds the request line, and with it whatever stood
 * in the query. */
#define ngx_janua_log(level, r, format, ...) \
    ngx_log_error(level, ngx_cycle->log, 0, "*%uA janua: " format ", client: %V", (r)->connection->number, __VA_ARGS__, \
                  &(r)->connection->addr_text)

/* Where a directive stands, for errors that are found after it was read. */
typedef struct {
    u_char *file;
    ngx_uint_t line;
} ngx_janua_place_t;

typedef struct ngx_janua_engine_s ngx_janua_engine_t;

/* One configuration file of Janua: one engine in each process. Lives in the pool of its nginx configuration. */
struct ngx_janua_engine_s {
    ngx_str_t path;
    ngx_janua_place_t place;
    janua_engine *handle;
    ngx_cycle_t *cycle;
    ngx_queue_t queue;
    ngx_thread_pool_t *pool;
    ngx_thread_task_t *task;
    ngx_event_t timer;
    janua_status told;     /* what was last written to the log, so that it is not said every second */
    unsigned running:1;
    unsigned again:1;
};

/* A profile under a prefix of an engine: shared by all locations that say the same. */
typedef struct {
    ngx_queue_t queue;
    ngx_janua_engine_t *engine;
    janua_site *handle;
    ngx_str_t profile;
    ngx_str_t prefix;
    ngx_uint_t mode;
} ngx_janua_site_t;

typedef struct {
    ngx_queue_t engines;
    ngx_queue_t sites;
    ngx_array_t strip;     /* of janua_str: the union of the engines' lists */
    uint64_t strip_lengths;
    ngx_thread_pool_t *pools[NGX_JANUA_POOLS];
    ngx_uint_t running[NGX_JANUA_POOLS];
    unsigned own_pools:2;  /* bit n: some location uses the module's own pool n */
    unsigned started:1;    /* this process has started its threads for this configuration */
} ngx_janua_main_conf_t;

typedef struct {
    ngx_uint_t mode;
    ngx_janua_engine_t *engine;
    ngx_str_t profile;
    ngx_str_t prefix;
    ngx_thread_pool_t *pools[NGX_JANUA_POOLS];
    ngx_str_t pool_names[NGX_JANUA_POOLS];
    ngx_int_t in_flight;
    ngx_janua_site_t *site;
    ngx_janua_place_t place;       /* of the last of `janua`, `janua_profile`, `janua_prefix` */
    ngx_janua_place_t pool_place;
#if (JANUA_TEST_FAULTS)
    ngx_uint_t fail;
#endif
} ngx_janua_loc_conf_t;

typedef enum {
    NGX_JANUA_START = 0,
    NGX_JANUA_READING,     /* nginx reads the body */
    NGX_JANUA_READ,        /* and has */
    NGX_JANUA_OVERFLOW,    /* or was stopped: it is longer than the engine looks at */
    NGX_JANUA_RUNNING,     /* a thread decides */
    NGX_JANUA_HOLDING,     /* decided; the answer is held back */
    NGX_JANUA_DECIDED,
    NGX_JANUA_ALLOWED,
    NGX_JANUA_REFUSED,     /* nginx makes the answer, of `code` */
    NGX_JANUA_SENT         /* the module has made it */
} ngx_janua_step_e;

/* What the module knows of one request. Hangs on the request's pool, where internal redirects do not reach it. */
typedef struct {
    ngx_http_request_t *request;
    ngx_janua_site_t *site;
    ngx_janua_step_e step;
    ngx_int_t code;
    janua_request input;           /* the snapshot that is judged */
    janua_decision decision;
    ngx_array_t kept;              /* of janua_header: answer headers of an earlier site */
    u_char *body;                  /* a joined copy; wiped when it was judged */
    size_t body_len;
    size_t limit;
    off_t received;
    ngx_thread_task_t *task;
    ngx_event_t event;             /* holds an answer back, or goes on after an overflow */
    unsigned snapped:1;
    unsigned asked:1;              /* the body was asked for */
    unsigned cut:1;                /* and only a part of it was read */
    unsigned slept:1;              /* a thread was asked */
    unsigned held:1;
} ngx_janua_state_t;

/* A part of a body that lies in a file, and where in memory it belongs. */
typedef struct {
    ngx_fd_t fd;
    off_t from;
    size_t size;
    u_char *to;
} ngx_janua_file_t;

extern ngx_module_t ngx_http_janua_module;
extern ngx_module_t ngx_http_janua_filter_module;
extern ngx_module_t ngx_janua_workers_module;

/* directives.c */
extern ngx_command_t ngx_janua_commands[];
void *ngx_janua_create_main_conf(ngx_conf_t *cf);
void *ngx_janua_create_loc_conf(ngx_conf_t *cf);
char *ngx_janua_merge_loc_conf(ngx_conf_t *cf, void *parent, void *child);

/* engines.c */
extern ngx_str_t ngx_janua_own_pools[NGX_JANUA_POOLS];
ngx_flag_t ngx_janua_same(ngx_str_t *a, ngx_str_t *b);
ngx_janua_engine_t *ngx_janua_engine_get(ngx_conf_t *cf, ngx_str_t *path);
ngx_janua_site_t *ngx_janua_site_get(ngx_conf_t *cf, ngx_janua_loc_conf_t *conf);
char *ngx_janua_check_workers(ngx_cycle_t *cycle, void *conf);
ngx_int_t ngx_janua_warn_once(ngx_cycle_t *cycle);
ngx_int_t ngx_janua_collect_strip_list(ngx_conf_t *cf);

/* state.c */
ngx_janua_state_t *ngx_janua_state_find(ngx_http_request_t *r);
ngx_janua_state_t *ngx_janua_state_make(ngx_http_request_t *r);
ngx_int_t ngx_janua_state_enter(ngx_janua_state_t *s, ngx_janua_site_t *site);

/* request.c */
ngx_int_t ngx_janua_snapshot(ngx_http_request_t *r, ngx_janua_state_t *s);
ngx_int_t ngx_janua_ask(ngx_janua_state_t *s);
ngx_flag_t ngx_janua_has_no_body(ngx_http_request_t *r);
janua_str ngx_janua_view(ngx_str_t *s);

/* access.c */
ngx_int_t ngx_janua_access_first(ngx_http_request_t *r);
ngx_int_t ngx_janua_access_last(ngx_http_request_t *r);
ngx_int_t ngx_janua_judge(ngx_http_request_t *r, ngx_janua_state_t *s);
ngx_int_t ngx_janua_failed(ngx_janua_state_t *s, ngx_int_t code);
void ngx_janua_go_on(ngx_http_request_t *r);

/* body.c */
ngx_int_t ngx_janua_read_body(ngx_http_request_t *r, ngx_janua_state_t *s);
ngx_int_t ngx_janua_take_body(ngx_http_request_t *r, ngx_janua_state_t *s);
ngx_int_t ngx_janua_body_filter(ngx_http_request_t *r, ngx_chain_t *in);
extern ngx_http_request_body_filter_pt ngx_janua_next_body_filter;

/* slow.c */
ngx_int_t ngx_janua_slow(ngx_http_request_t *r, ngx_janua_state_t *s, ngx_uint_t pool, ngx_janua_file_t *file);

/* allow.c */
ngx_int_t ngx_janua_allow(ngx_http_request_t *r, ngx_janua_state_t *s);

/* headers.c */
ngx_int_t ngx_janua_post_read(ngx_http_request_t *r);
ngx_int_t ngx_janua_strip(ngx_http_request_t *r);
ngx_int_t ngx_janua_set_inward(ngx_http_request_t *r, const janua_decision *decision);
ngx_int_t ngx_janua_add_answer_header(ngx_http_request_t *r, const janua_header *header);
ngx_flag_t ngx_janua_name_is(const janua_str *name, const char *wanted);

/* answer.c */
ngx_int_t ngx_janua_send(ngx_http_request_t *r, ngx_janua_state_t *s);
ngx_int_t ngx_janua_header_filter(ngx_http_request_t *r);
extern ngx_http_output_header_filter_pt ngx_janua_next_header_filter;

/* subrequest.c */
ngx_int_t ngx_janua_preaccess(ngx_http_request_t *r);

/* variables.c */
ngx_int_t ngx_janua_add_variables(ngx_conf_t *cf);

/* maintain.c */
ngx_int_t ngx_janua_start(ngx_cycle_t *cycle);
void ngx_janua_maintain_soon(ngx_janua_engine_t *engine);

/* audit.c */
void ngx_janua_audit(void *ctx, const janua_event *event);
u_char *ngx_janua_escape(u_char *out, u_char *end, const char *from, size_t len, u_char also);

/* For tests alone: `janua_test_fail PLACE` makes a place fail in a build of its own. In every other build there is
 * nothing of it. */
#if (JANUA_TEST_FAULTS)
enum {
    NGX_JANUA_FAIL_NOWHERE = 0,
    NGX_JANUA_FAIL_POST_READ,
    NGX_JANUA_FAIL_PREACCESS,
    NGX_JANUA_FAIL_ACCESS,
    NGX_JANUA_FAIL_BODY,
    NGX_JANUA_FAIL_TASK,
    NGX_JANUA_FAIL_DONE,
    NGX_JANUA_FAIL_HEADER_FILTER,
    NGX_JANUA_FAIL_ALLOW,
    NGX_JANUA_FAIL_ANSWER,
    NGX_JANUA_FAIL_STATE,
    NGX_JANUA_FAIL_SNAPSHOT
};
ngx_flag_t ngx_janua_fails(ngx_http_request_t *r, ngx_uint_t place);
#define ngx_janua_fault(r, place) ngx_janua_fails(r, NGX_JANUA_FAIL_##place)
#else
#define ngx_janua_fault(r, place) 0
#endif

#endif /* NGX_HTTP_JANUA_H */

# The two commands of the README, each with all of its own set-up, and `bench`. `make` alone says what there is.

.PHONY: help demo test bench bench-nginx bench-store soak setup

help:
	@echo 'make demo                a demo site on 127.0.0.1:$${JANUA_DEMO_PORT:-8080}, walked with curl, then served until Ctrl-C'
	@echo 'make demo UNTIL=walked   the same, and stops after the walk: exit 0 only if every step answered as it must'
	@echo 'make test                everything that is checked'
	@echo 'make test STEPS="a b"    only some of it: scripts/test --list'
	@echo 'make bench               everything that is measured, as one table; takes minutes, most of them for building'
	@echo 'make bench-nginx         the processor time of an nginx worker for a request, with the module and without'
	@echo 'make bench-store         log-ins of many writers, and a million sessions in each store; takes minutes'
	@echo 'make soak                an hour of churn in the shared store, 1,000 reloads of nginx, the long forms of the step nodes, on Valkey, too, and many threads under ThreadSanitizer; takes hours'

demo:
	@UNTIL='$(UNTIL)' scripts/demo

test:
	@scripts/test $(STEPS)

bench:
	@scripts/bench

bench-nginx:
	@scripts/setup test && cargo build --release --locked --quiet && scripts/build-nginx && scripts/bench-nginx

bench-store:
	@scripts/setup test && cargo bench --locked --quiet --bench store

soak:
	@scripts/setup test && scripts/tsan && JANUA_TEST_SOAK=1 cargo test --locked --quiet --test shared_upkeep -- --nocapture && cargo build --release --locked --quiet && scripts/build-nginx && tests/nginx/soak.py && tests/cluster/run.py --soak && \
		JANUA_TEST_REDIS_SERVER="$$(scripts/valkey)" tests/cluster/run.py --soak servers doors failures machines systems

setup:
	@scripts/setup test

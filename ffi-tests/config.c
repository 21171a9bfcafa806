/* A configuration: made, read, set, spent, freed. */
#include "fixture.h"

int main(void) {
    struct users users;
    users_init(&users);
    janua_error err = error_new();
    janua_config *config = NULL;
    janua_engine *engine = NULL;

    CHECK(janua_config_new(JANUA_ABI + 1, &config, &err) == JANUA_E_ABI);
    CHECK(config == NULL);
    CHECK(err.status == JANUA_E_ABI && strstr(err.message, "ABI") != NULL);
    CHECK(janua_abi() == JANUA_ABI);
    CHECK(strcmp(janua_version(), "0.1.0") == 0);
    CHECK(strcmp(janua_status_name(JANUA_E_FORK), "JANUA_E_FORK") == 0);
    CHECK(strcmp(janua_reason_name(JANUA_REASON_SESSION_IDLE), "session-idle") == 0);
    CHECK(*janua_reason_name(4711) == '\0');

    /* Unknown keys name the nearest one; a failed call leaves the rest as it was. */
    NEED(janua_config_new(JANUA_ABI, &config, &err) == JANUA_OK);
    CHECK(janua_config_read_text(config, JANUA_STR("mine.toml"), JANUA_STR("[engine]\nsit = \"x\"\n"),
                                 view(NULL), &err) == JANUA_E_INVALID);
    CHECK(strstr(err.message, "mine.toml") != NULL && strstr(err.message, "site") != NULL);
    CHECK(janua_config_set(config, JANUA_STR("session.idel"), JANUA_STR("10m"), &err) == JANUA_E_INVALID);
    CHECK(strstr(err.message, "idle") != NULL);
    CHECK(janua_config_set(config, JANUA_STR("session.idle"), JANUA_STR("soon"), &err) == JANUA_E_INVALID);
    CHECK(janua_config_read_file(config, JANUA_STR("/nowhere/janua.toml"), &err) != JANUA_OK);
    CHECK(strstr(err.message, "/nowhere/janua.toml") != NULL);
    CHECK(janua_config_read_file(config, view(NULL), &err) == JANUA_E_INVALID);
    CHECK(janua_config_read_text(config, JANUA_STR("n"), JANUA_STR("\xff"), view(NULL), NULL) == JANUA_E_INVALID);

    /* Freed without an engine, the table is destroyed; replaced, the first one is. */
    janua_directory table = users_table(&users);
    CHECK(janua_config_set_directory(config, &table, &err) == JANUA_OK);
    CHECK(users.destroyed == 0);
    CHECK(janua_config_set_directory(config, &table, &err) == JANUA_OK);
    CHECK(users.destroyed == 1);
    janua_config_free(config);
    CHECK(users.destroyed == 2);

    /* A configuration builds one engine, and the engine owns the table. */
    users.destroyed = 0;
    config = config_with("mauro", &table, NULL);
    CHECK_STATUS(janua_engine_new(config, &engine, &err), JANUA_OK, err);
    NEED(engine != NULL);
    janua_engine *second = NULL;
    CHECK(janua_engine_new(config, &second, &err) == JANUA_E_INVALID);
    CHECK(second == NULL);
    CHECK(janua_config_set(config, JANUA_STR("engine.site"), JANUA_STR("x"), &err) == JANUA_E_INVALID);
    janua_config_free(config);
    CHECK(users.destroyed == 0);
    janua_engine_free(engine);
    CHECK(users.destroyed == 1);

    /* A build that fails destroys the table too. */
    users.destroyed = 0;
    NEED(janua_config_new(JANUA_ABI, &config, &err) == JANUA_OK);
    CHECK(janua_config_set_directory(config, &table, &err) == JANUA_OK);
    CHECK(janua_engine_new(config, &engine, &err) == JANUA_E_INVALID); /* no site, no keyring */
    CHECK(err.message[0] != '\0');
    CHECK(users.destroyed == 1);
    janua_config_free(config);
    CHECK(users.destroyed == 1);
    return done("config");
}

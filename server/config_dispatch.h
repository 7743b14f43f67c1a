/* The options of the dispatcher that are settings. */
#ifndef REVHOOK_SERVER_CONFIG_DISPATCH_H
#define REVHOOK_SERVER_CONFIG_DISPATCH_H

#include "dispatcher/dispatch.h"
#include "server/config.h"

/* All but store, clock and egress. Texts are the configuration's. Pure. */
struct dispatch_options config_dispatch(const struct config *config);

#endif

/* A plugin in C: shows that facet_plugin.h needs no C++. */
#include "facet_plugin.h"

static int answer(void* user, facet_text arguments, const facet_call* call) {
  (void)user;
  (void)arguments;
  return call->write(call->host, "{\"result\":42}", 13);
}

static const facet_tool tool = {sizeof(facet_tool),
                                {"answer", 6},
                                {"Knows the answer.", 17},
                                {"{\"type\":\"object\"}", 17},
                                FACET_EFFECT_CHANGES_STATE,
                                0,
                                0,
                                answer};

static const facet_plugin plugin = {FACET_PLUGIN_MAGIC,
                                    FACET_PLUGIN_ABI_VERSION,
                                    sizeof(facet_plugin),
                                    {"plain_c", 7},
                                    {"1.0", 3},
                                    1,
                                    sizeof(facet_tool),
                                    &tool};

FACET_PLUGIN_EXPORT const facet_plugin* facet_plugin_v1(void) {
  return &plugin;
}

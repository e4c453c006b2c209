/*
 * The C interface between Facet and a tool plugin. A plugin is a shared library that exports one
 * function, facet_plugin_v1, and includes nothing of Facet but this file (or facet_plugin.hpp,
 * which makes it pleasant in C++).
 *
 * Rules of both sides:
 *  - No memory changes owner. What the plugin describes about itself stays valid while the library
 *    is loaded; what the host passes to a call is valid until that call returns.
 *  - Results go out through facet_call.write, so that no buffer is allocated on one side and freed
 *    on the other.
 *  - No exception and no longjmp crosses the interface.
 *  - A tool's `call` may be called from several threads at once.
 *  - Structures only ever grow at their end, and struct_size says how much of one is there.
 *
 * A plugin runs inside the host process with all its rights: load only what you trust.
 */
#ifndef FACET_PLUGIN_H
#define FACET_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FACET_PLUGIN_MAGIC 0x46435450u /* "FCTP" */
#define FACET_PLUGIN_ABI_VERSION 1u

#define FACET_PLUGIN_EXPORT __attribute__((visibility("default")))

/* UTF-8 text with its length in bytes; need not end with a NUL. */
typedef struct facet_text {
  const char* data;
  size_t size;
} facet_text;

/* What a tool may do to the world; the host's policy decides on it. */
enum { FACET_EFFECT_READ_ONLY = 0, FACET_EFFECT_CHANGES_STATE = 1, FACET_EFFECT_EXTERNAL = 2 };

/* The host's side of one call. */
typedef struct facet_call {
  size_t struct_size;
  void* host; /* Pass it to the functions below. */
  /* Adds bytes to the output. Returns 0, or not 0 when the output limit is reached: then the call
   * has failed, and going on is a waste of time. */
  int (*write)(void* host, const char* bytes, size_t size);
  /* Not 0 when the caller no longer wants the result (deadline, user). Ask often in long work. */
  int (*cancelled)(void* host);
  uint64_t output_bytes_max;
  int64_t milliseconds_left; /* Until the deadline; INT64_MAX when there is none. */
} facet_call;

/* One tool. */
typedef struct facet_tool {
  size_t struct_size;
  facet_text name;        /* [A-Za-z0-9_.-]{1,64} */
  facet_text description; /* One sentence; a model reads it. */
  facet_text parameters;  /* JSON Schema 2020-12 with "type": "object". */
  uint32_t effect;        /* FACET_EFFECT_... */
  uint32_t reserved;      /* 0 */
  void* user;             /* Given back to `call`. */
  /* `arguments` is a JSON object that satisfies `parameters`. Writes one JSON value and returns 0,
   * or writes a message in plain text and returns not 0. */
  int (*call)(void* user, facet_text arguments, const facet_call* call);
} facet_tool;

/* The plugin itself. */
typedef struct facet_plugin {
  uint32_t magic;       /* FACET_PLUGIN_MAGIC */
  uint32_t abi_version; /* FACET_PLUGIN_ABI_VERSION */
  size_t struct_size;
  facet_text name;
  facet_text version;
  size_t tool_count;
  size_t tool_size; /* sizeof(facet_tool): the distance between two tools. */
  const facet_tool* tools;
} facet_plugin;

/* The one exported symbol. Cheap; called once after loading. Null means that the plugin cannot run
 * here. */
typedef const facet_plugin* (*facet_plugin_entry)(void);
#define FACET_PLUGIN_SYMBOL "facet_plugin_v1"
FACET_PLUGIN_EXPORT const facet_plugin* facet_plugin_v1(void);

#ifdef __cplusplus
}
#endif

#endif /* FACET_PLUGIN_H */

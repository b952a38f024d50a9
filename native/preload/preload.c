/*
 * Loads libtorch before the addon is loaded.
 *
 * The addon names the libraries that it needs, but no folder. This stub, which needs no libtorch itself, opens the
 * libtorch that lib/native-loader.ts has chosen, makes its symbols global so that the addon binds to it, and turns
 * "cannot open shared object file" into an exception that JavaScript can explain.
 *
 * Plain Node-API without statics: every environment (main thread, worker threads) may load it.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <node_api.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

/* open(path to libtorch.so): "2.13.0", the version of what is loaded then, or null where it does not tell. */
static napi_value Open(napi_env env, napi_callback_info info) {
  size_t argc = 1;
  napi_value argument;
  char path[4096];
  size_t length;
  if (napi_get_cb_info(env, info, &argc, &argument, NULL, NULL) != napi_ok || argc < 1 ||
      napi_get_value_string_utf8(env, argument, path, sizeof path, &length) != napi_ok) {
    napi_throw_type_error(env, "ERR_INVALID_ARGUMENT", "Expected the path of libtorch.so");
    return NULL;
  }
  /* libgomp's threads wait for work in a busy loop of 300,000 rounds, some 15 ms. Where anything else wants the cores,
   * that slows training down several times (measured: 41 instead of 7.5 images/s at a load of 9 on two cores). A
   * thousand rounds, some 50 us, still bridge the gap between two kernels. Read when libgomp is loaded, so it is set
   * before. */
  setenv("GOMP_SPINCOUNT", "1000", 0);
  /* Large blocks in pages of 2 MB, where the system leaves that to the program: the allocator gives blocks of 32 MB and
   * more back at once, and fetching 128 MB page by page took 158 ms, with large pages 18 ms. Read by libtorch at its
   * first allocation. */
  setenv("THP_MEM_ALLOC_ENABLE", "1", 0);
  void* library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
  if (library == NULL) {
    napi_throw_error(env, "ERR_NATIVE_LOAD", dlerror());
    return NULL;
  }
  napi_value result;
  uint64_t (*abiVersion)(void) = (uint64_t(*)(void))dlsym(RTLD_DEFAULT, "aoti_torch_abi_version");
  if (abiVersion == NULL) {
    napi_get_null(env, &result);
    return result;
  }
  /* One byte each from the top: major, minor, patch. */
  uint64_t abi = abiVersion();
  char version[32];
  snprintf(version, sizeof version, "%u.%u.%u", (unsigned)(abi >> 56), (unsigned)(abi >> 48 & 0xff),
           (unsigned)(abi >> 40 & 0xff));
  napi_create_string_utf8(env, version, NAPI_AUTO_LENGTH, &result);
  return result;
}

static void setString(napi_env env, napi_value object, const char* name, const char* text) {
  napi_value value;
  if (napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &value) == napi_ok)
    napi_set_named_property(env, object, name, value);
}

NAPI_MODULE_INIT() {
  napi_value open;
  if (napi_create_function(env, "open", NAPI_AUTO_LENGTH, Open, NULL, &open) == napi_ok)
    napi_set_named_property(env, exports, "open", open);
  setString(env, exports, "builtFor", LDM_BUILT_FOR);
  setString(env, exports, "builtWith", LDM_BUILT_WITH);
  return exports;
}

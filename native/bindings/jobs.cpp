#include "jobs.h"

#include <ATen/autocast_mode.h>
#include <ATen/core/grad_mode.h>

#include <cmath>

#include "../core/ops.h"
#include "../modules/rows.h"
#include "convert.h"
#include "handles.h"

namespace ldm {

namespace {

/// torch.autocast for the length of a job.
class AutocastScope {
 public:
  AutocastScope(at::DeviceType device, std::optional<at::ScalarType> dtype) : device_(device), on_(dtype.has_value()) {
    if (!on_) return;
    previous_ = at::autocast::is_autocast_enabled(device_);
    previousType_ = at::autocast::get_autocast_dtype(device_);
    at::autocast::set_autocast_enabled(device_, true);
    at::autocast::set_autocast_dtype(device_, *dtype);
    at::autocast::increment_nesting();
  }
  ~AutocastScope() {
    if (!on_) return;
    if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(device_, previous_);
    at::autocast::set_autocast_dtype(device_, previousType_);
  }

 private:
  at::DeviceType device_;
  bool on_;
  bool previous_ = false;
  at::ScalarType previousType_ = at::kFloat;
};

Napi::Value member(const Napi::Value& options, const char* key) {
  if (!options.IsObject()) return options.Env().Undefined();
  return options.As<Napi::Object>().Get(key);
}
bool absent(const Napi::Value& value) { return value.IsUndefined() || value.IsNull(); }

/// The two ends of a promise: settles it once, on the JavaScript thread.
class Settler {
 public:
  Settler(Napi::Env env, const JobSetup& setup)
      : environment_(&Environment::of(env)),
        courier_(environment_->courier()),
        deferred_(Napi::Promise::Deferred::New(env)),
        callback_(setup.progressCallback) {
    courier_->begin(env);
  }
  Napi::Promise promise() const { return deferred_.Promise(); }

  void resolve(Finish finish) {
    settle([finish = std::move(finish)](Napi::Env env, Napi::Promise::Deferred& deferred) {
      try {
        deferred.Resolve(finish(env));
      } catch (const Napi::Error& error) {
        deferred.Reject(error.Value());
      } catch (...) {
        deferred.Reject(toJsError(env, describe(std::current_exception())).Value());
      }
    });
  }
  void reject(Failure failure) {
    settle([failure = std::move(failure)](Napi::Env env, Napi::Promise::Deferred& deferred) {
      deferred.Reject(toJsError(env, failure).Value());
    });
  }

 private:
  void settle(std::function<void(Napi::Env, Napi::Promise::Deferred&)> fn) {
    courier_->deliver(
        [deferred = deferred_, callback = callback_, courier = courier_, fn = std::move(fn)](Napi::Env env) mutable {
          courier->end(env);
          if (callback) Environment::of(env).dropCallback(callback);
          fn(env, deferred);
        });
  }

  Environment* environment_;
  std::shared_ptr<Courier> courier_;
  Napi::Promise::Deferred deferred_;
  uint32_t callback_;
};

const Failure kAborted{"ERR_ABORTED", "The operation was aborted"};

std::shared_ptr<Job> makeJob(Environment* environment, const JobSetup& setup) {
  auto job = std::make_shared<Job>();
  job->cancelled = setup.cancelled;
  job->owner = environment;
  job->object = setup.object;
  return job;
}

}  // namespace

JobSetup JobSetup::from(const Napi::Value& options, at::Device defaultDevice) {
  JobSetup setup;
  setup.device = defaultDevice;
  if (Napi::Value v = member(options, "device"); !absent(v)) setup.device = parseDevice(v.As<Napi::String>());
  if (Napi::Value v = member(options, "random"); !absent(v)) {
    setup.random = std::dynamic_pointer_cast<RandomSource>(ObjectHandle::get(v).object);
    if (!setup.random) invalid("Expected a Generator, Tape or Recorder for 'random'");
  }
  if (Napi::Value v = member(options, "grad"); !absent(v)) setup.grad = v.ToBoolean();
  if (Napi::Value v = member(options, "token"); !absent(v)) setup.cancelled = TokenHandle::get(v);
  if (Napi::Value v = member(options, "precision"); !absent(v)) {
    std::string precision = v.ToString();
    if (precision == "bf16")
      setup.autocast = at::kBFloat16;
    else if (precision == "fp16")
      setup.autocast = at::kHalf;
    else if (precision != "fp32")
      invalid("Expected 'fp32', 'bf16' or 'fp16' for 'precision' but received '" + precision + "'");
  }
  if (Napi::Value v = member(options, "tile"); !absent(v)) {
    const double side = v.IsNumber() ? v.ToNumber().DoubleValue() : -1;
    if (!(side >= 0 && side <= 65536 && side == std::floor(side)))
      invalid("Expected a whole number of pixels from 1 to 65536, or 0 for none, for 'tile' but received " +
              v.ToString().Utf8Value());
    setup.tile = static_cast<int64_t>(side);
  }
  if (Napi::Value v = member(options, "init"); !absent(v)) {
    const std::string init = v.ToString();
    if (init == "empty")
      setup.init = InitMode::Empty;
    else if (init == "meta")
      setup.init = InitMode::Meta;
    else if (init != "random")
      invalid("Expected 'random', 'empty' or 'meta' for 'init' but received '" + init + "'");
  }
  if (Napi::Value v = member(options, "onProgress"); !absent(v)) {
    if (!v.IsFunction()) invalid("Expected a function for 'onProgress'");
    setup.progressCallback = Environment::of(options.Env()).keepCallback(v.As<Napi::Function>());
  }
  return setup;
}

void withContext(const JobSetup& setup, const std::shared_ptr<Courier>& courier, const std::function<void()>& work) {
  JobContext context;
  context.device = setup.device;
  context.random = setup.random.get();
  context.cancelled = setup.cancelled.get();
  context.init = setup.init;
  if (setup.progressCallback) {
    context.progress = [courier, id = setup.progressCallback, device = setup.device](const Value& value) {
      courier->deliver([id, device, value](Napi::Env env) {
        Napi::Function fn = Environment::of(env).callback(env, id);
        if (!fn.IsEmpty()) fn.Call({toJs(env, value, device)});
      });
    };
  }
  ContextScope scope(&context);
  at::AutoGradMode grad(setup.grad);
  AutocastScope autocast(setup.device.type(), setup.autocast);
  rows::TileScope tile(setup.tile);
  work();
}

Napi::Promise submit(Napi::Env env, const JobSetup& setup, std::function<Finish()> work) {
  return submitLoop(env, setup, [work = std::move(work)](bool& done) {
    done = true;
    return work();
  });
}

namespace {

/// One job of a loop; posts the next by itself. The work is destroyed with the last job, on the executor thread.
struct Loop : std::enable_shared_from_this<Loop> {
  Loop(Napi::Env env, JobSetup s, std::function<Finish(bool&)> step)
      : setup(std::move(s)),
        environment(&Environment::of(env)),
        courier(environment->courier()),
        executor(environment->executor(setup.device)),
        settler(env, setup),
        step(std::move(step)) {}

  void queue() {
    auto job = makeJob(environment, setup);
    job->run = [self = shared_from_this()] { self->run(); };
    job->drop = [self = shared_from_this()] { self->settler.reject(kAborted); };
    // The environment holds the executor; a weak reference here, so that the last job does not join its own thread.
    if (auto e = executor.lock())
      e->post(job);
    else
      settler.reject(kAborted);
  }

  void run() {
    if (setup.cancelled->load()) return settler.reject(kAborted);
    try {
      Finish finish;
      bool done = false;
      withContext(setup, courier, [&] { finish = step(done); });
      if (!done) return queue();
      settler.resolve(std::move(finish));
    } catch (...) {
      settler.reject(describe(std::current_exception()));
    }
  }

  JobSetup setup;
  Environment* environment;
  std::shared_ptr<Courier> courier;
  std::weak_ptr<Executor> executor;
  Settler settler;
  std::function<Finish(bool&)> step;
};

}  // namespace

Napi::Promise submitLoop(Napi::Env env, const JobSetup& setup, std::function<Finish(bool& done)> step) {
  auto loop = std::make_shared<Loop>(env, setup, std::move(step));
  Napi::Promise promise = loop->settler.promise();
  loop->queue();
  return promise;
}

void post(Napi::Env env, const JobSetup& setup, std::function<void()> work, std::function<void()> drop) {
  auto& environment = Environment::of(env);
  auto job = makeJob(&environment, setup);
  job->run = [setup, courier = environment.courier(), work = std::move(work)] { withContext(setup, courier, work); };
  job->drop = std::move(drop);
  environment.executor(setup.device)->post(job);
}

}  // namespace ldm

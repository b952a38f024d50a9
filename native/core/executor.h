// One thread per device that runs all jobs of that device, one after another.
#pragma once

#include <ATen/core/Tensor.h>

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

namespace ldm {

/// A piece of work. `run` is called once on the executor thread; when the job is dropped instead (cancelled while it
/// waits, or the executor ends), `drop` is called, on whatever thread.
struct Job {
  std::function<void()> run;
  std::function<void()> drop;
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);
  const void* owner = nullptr;   ///< the JavaScript environment
  const void* object = nullptr;  ///< the native object that it works on
};

/// The thread of one device. libtorch's kernels run their parallel parts on this thread's OpenMP team, so that the
/// process has one team per device and not one per caller.
class Executor {
 public:
  /// The process-wide executor of a device; created at first use, joined when the last holder lets it go.
  static std::shared_ptr<Executor> of(const at::Device& device);
  /// Ends all executors of the process for good: drops what is queued, cancels what runs and waits for its end. Called
  /// before the process tears down its static data, which jobs use.
  static void stopAll();

  explicit Executor(at::Device device);
  ~Executor();

  void post(std::shared_ptr<Job> job);
  /// Lets go of something on the executor thread, after the jobs that are queued now.
  void release(std::shared_ptr<void> thing);
  /// Threads of parallel kernels; takes effect with the next job.
  void setThreads(int threads) { wantedThreads_ = threads; }
  int threads() const { return wantedThreads_; }

  /// Drops queued jobs whose flag is set.
  void purge();
  /// Sets the flag of every queued or running job that `match` accepts and drops the queued ones.
  void cancel(const std::function<bool(const Job&)>& match);
  size_t pending() const;

 private:
  void loop();
  void stop();

  const at::Device device_;
  std::atomic<int> wantedThreads_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> queue_;
  std::shared_ptr<Job> running_;
  std::vector<std::shared_ptr<void>> released_;
  bool stop_ = false;
  std::thread thread_;  // last: it starts when everything else is there
};

}  // namespace ldm

#include "executor.h"

#include <ATen/Parallel.h>

#include <chrono>
#include <cstdlib>
#include <map>

#include "block_allocator.h"

namespace ldm {

namespace {

int defaultThreads() {
  if (const char* text = std::getenv("LDM_NUM_THREADS")) {
    int n = std::atoi(text);
    if (n > 0) return n;
  }
  return at::get_num_threads();
}

/// The executors of the process by device.
struct Executors {
  std::mutex mutex;
  std::map<std::string, std::weak_ptr<Executor>> byDevice;
};

Executors& executors() {
  static Executors all;
  return all;
}

}  // namespace

std::shared_ptr<Executor> Executor::of(const at::Device& device) {
  auto& all = executors();
  std::lock_guard<std::mutex> lock(all.mutex);
  auto& slot = all.byDevice[device.str()];
  auto existing = slot.lock();
  if (existing) return existing;
  auto made = std::make_shared<Executor>(device);
  slot = made;
  return made;
}

Executor::Executor(at::Device device)
    : device_(device), wantedThreads_(defaultThreads()), thread_([this] { loop(); }) {}

void Executor::stopAll() {
  std::vector<std::shared_ptr<Executor>> living;
  {
    auto& all = executors();
    std::lock_guard<std::mutex> lock(all.mutex);
    for (const auto& [device, executor] : all.byDevice)
      if (auto alive = executor.lock()) living.push_back(alive);
  }
  for (const auto& executor : living) executor->stop();
}

Executor::~Executor() { stop(); }

void Executor::stop() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  cancel([](const Job&) { return true; });
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Executor::post(std::shared_ptr<Job> job) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!stop_) {
      queue_.push_back(std::move(job));
      wake_.notify_one();
      return;
    }
  }
  if (job->drop) job->drop();
}

void Executor::release(std::shared_ptr<void> thing) {
  std::lock_guard<std::mutex> lock(mutex_);
  released_.push_back(std::move(thing));
  wake_.notify_one();
}

void Executor::purge() {
  cancel([](const Job& job) { return job.cancelled->load(); });
}

void Executor::cancel(const std::function<bool(const Job&)>& match) {
  std::vector<std::shared_ptr<Job>> dropped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (running_ && match(*running_)) running_->cancelled->store(true);
    std::deque<std::shared_ptr<Job>> kept;
    for (auto& job : queue_) {
      if (match(*job)) {
        job->cancelled->store(true);
        dropped.push_back(job);
      } else {
        kept.push_back(job);
      }
    }
    queue_.swap(kept);
  }
  for (auto& job : dropped)
    if (job->drop) job->drop();
}

size_t Executor::pending() const {
  std::lock_guard<std::mutex> lock(mutex_);
  return queue_.size() + (running_ ? 1 : 0);
}

void Executor::loop() {
  // Between a training's steps there is less, between a user's requests often; what a service holds while nobody asks
  // is others' memory.
  constexpr auto kPatience = std::chrono::seconds(10);
  int threads = 0;
  bool tidy = true;
  for (;;) {
    std::shared_ptr<Job> job;
    std::vector<std::shared_ptr<void>> garbage;
    {
      std::unique_lock<std::mutex> lock(mutex_);
      const auto due = [&] { return stop_ || !queue_.empty() || !released_.empty(); };
      if (!tidy && !wake_.wait_for(lock, kPatience, due)) {
        lock.unlock();
        releaseFreeBlocks();
        tidy = true;
        continue;
      }
      wake_.wait(lock, due);
      tidy = false;
      garbage.swap(released_);
      if (!queue_.empty()) {
        job = queue_.front();
        queue_.pop_front();
        running_ = job;
      } else if (stop_ && garbage.empty()) {
        lock.unlock();
        releaseFreeBlocks();
        return;
      }
    }
    garbage.clear();
    if (!job) continue;
    if (int wanted = wantedThreads_; wanted != threads) {
      threads = wanted;
      at::set_num_threads(threads);
    }
    job->run();
    {
      std::lock_guard<std::mutex> lock(mutex_);
      running_.reset();
    }
  }
}

}  // namespace ldm

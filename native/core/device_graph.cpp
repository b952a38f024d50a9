#include "device_graph.h"

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include "error.h"

#if __has_include(<ATen/core/GraphImplInterface.h>)
#include <ATen/core/GraphImplInterface.h>
#define LDM_HAS_GRAPHS
#endif

namespace ldm {

namespace {

std::optional<at::ScalarType> autocastType(at::Device device) {
  if (!at::autocast::is_autocast_enabled(device.type())) return std::nullopt;
  return at::autocast::get_autocast_dtype(device.type());
}

#ifdef LDM_HAS_GRAPHS
/// Work on another stream than the current one, after what was queued before and before what is queued next. Graphs are
/// not captured on the default stream.
class SideStream {
 public:
  explicit SideStream(at::Device device)
      : guard_(device.type()),
        previous_(guard_.exchangeDevice(device)),
        main_(guard_.getStream(device)),
        side_(guard_.getStreamFromGlobalPool(device)) {
    order(main_, side_);
    guard_.exchangeStream(side_);
  }
  ~SideStream() {
    guard_.exchangeStream(main_);
    order(side_, main_);
    guard_.uncheckedSetDevice(previous_);
  }
  SideStream(const SideStream&) = delete;

 private:
  static void order(const c10::Stream& first, const c10::Stream& then) {
    c10::Event event(first.device_type());
    event.record(first);
    event.block(then);
  }

  c10::impl::VirtualGuardImpl guard_;
  c10::Device previous_;
  c10::Stream main_, side_;
};
#endif

}  // namespace

struct DeviceGraph::Recording {
  std::vector<at::Tensor> inputs;  ///< where the graph reads
  std::optional<at::ScalarType> autocast;
  at::Tensor output;  ///< where it writes; undefined until it is recorded
#ifdef LDM_HAS_GRAPHS
  std::unique_ptr<at::GraphImplInterface> graph;
#endif

  bool fits(const std::vector<at::Tensor>& given) const {
    if (given.size() != inputs.size() || autocast != autocastType(given[0].device())) return false;
    for (size_t i = 0; i < given.size(); ++i)
      if (given[i].sizes() != inputs[i].sizes() || given[i].scalar_type() != inputs[i].scalar_type()) return false;
    return true;
  }
};

DeviceGraph::DeviceGraph() = default;
DeviceGraph::~DeviceGraph() = default;

void DeviceGraph::require(at::Device device) {
#ifdef LDM_HAS_GRAPHS
  if (!device.is_cpu() && at::has_graph_impl(device.type())) return;
#endif
  throw LdmError("ERR_DEVICE", device.is_cpu() ? "CUDA graphs were asked for, but the model is on the CPU"
                                               : "CUDA graphs need libtorch 2.13 or newer, built with CUDA");
}

at::Tensor DeviceGraph::run(const std::vector<at::Tensor>& inputs, const Function& fn) {
  const at::Device device = inputs.at(0).device();
  require(device);
#ifdef LDM_HAS_GRAPHS
  Recording* found = nullptr;
  for (const auto& recording : recordings_)
    if (recording->fits(inputs)) found = recording.get();
  if (!found) {
    auto fresh = std::make_unique<Recording>();
    fresh->autocast = autocastType(device);
    for (const at::Tensor& t : inputs) fresh->inputs.push_back(t.clone());
    const SideStream side(device);
    at::Tensor result = fn(fresh->inputs);
    recordings_.push_back(std::move(fresh));
    return result;
  }
  for (size_t i = 0; i < inputs.size(); ++i) found->inputs[i].copy_(inputs[i]);
  if (!found->output.defined()) {
    // Weights that autocast has converted for this job will be gone when the next one replays: the graph converts for
    // itself, in its own memory, which nobody else may find in autocast's cache.
    at::autocast::clear_cache();
    const SideStream side(device);
    auto graph = at::create_graph_impl(device.type());
    graph->capture_begin({0, 0}, at::GraphCaptureMode::ThreadLocal);
    try {
      found->output = fn(found->inputs);
    } catch (...) {
      at::autocast::clear_cache();
      found->output = at::Tensor();
      try {
        graph->capture_end();
      } catch (...) {
        // the first error tells more
      }
      throw;
    }
    graph->capture_end();
    at::autocast::clear_cache();
    found->graph = std::move(graph);
  }
  found->graph->replay();
  return found->output.clone();
#else
  return fn(inputs);
#endif
}

}  // namespace ldm

#include "schedule.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "../core/error.h"
#include "../core/object.h"
#include "../core/registry.h"
#include "../core/value.h"
#include "gaussian_diffusion.h"

namespace ldm {

namespace {
constexpr double kPi = 3.14159265358979323846;

at::Tensor linspace(double start, double end, int64_t n) { return at::linspace(start, end, n, at::kDouble); }
}  // namespace

at::Tensor makeBetaSchedule(const std::string& name, int64_t timesteps, double linearStart, double linearEnd,
                            double cosineS) {
  if (timesteps < 1) invalid("a schedule needs at least one timestep, but 'timesteps' is " + std::to_string(timesteps));
  if (name == "linear") return linspace(std::pow(linearStart, 0.5), std::pow(linearEnd, 0.5), timesteps).pow(2);
  if (name == "cosine") {
    auto u = at::arange(timesteps + 1, at::kDouble) / timesteps + cosineS;
    auto alphaBar = (u / (1 + cosineS) * kPi / 2).cos().pow(2);
    alphaBar = alphaBar / alphaBar[0];
    return (1 - alphaBar.slice(0, 1) / alphaBar.slice(0, 0, -1)).clamp(0, 0.999);
  }
  if (name == "sqrt_linear") return linspace(linearStart, linearEnd, timesteps);
  if (name == "sqrt") return linspace(linearStart, linearEnd, timesteps).pow(0.5);
  if (name == "squaredcos_cap_v2") {
    // alpha_bar at both ends of each step, as betas_for_alpha_bar computes them one by one.
    const auto alphaBar = [timesteps](int64_t i) {
      const double time = static_cast<double>(i) / static_cast<double>(timesteps);
      return std::pow(std::cos((time + 0.008) / 1.008 * kPi / 2), 2);
    };
    std::vector<double> betas;
    for (int64_t i = 0; i < timesteps; ++i) betas.push_back(std::min(1 - alphaBar(i + 1) / alphaBar(i), 0.999));
    return at::tensor(betas, at::kDouble);
  }
  invalid("unknown beta_schedule '" + name + "': expected linear, cosine, sqrt_linear, sqrt or squaredcos_cap_v2");
}

std::vector<int64_t> makeDdimTimesteps(const std::string& method, int64_t steps, int64_t modelSteps) {
  if (steps < 1 || steps > modelSteps)
    invalid("the number of DDIM steps must lie between 1 and the model's " + std::to_string(modelSteps) +
            " timesteps, but is " + std::to_string(steps));
  std::vector<int64_t> out;
  if (method == "uniform") {
    for (int64_t t = 0; t < modelSteps; t += modelSteps / steps) out.push_back(t + 1);
  } else if (method == "quad") {
    const double end = std::sqrt(static_cast<double>(modelSteps) * .8);
    const double width = steps > 1 ? end / static_cast<double>(steps - 1) : 0;
    for (int64_t i = 0; i < steps; ++i) {
      const double root = steps > 1 && i == steps - 1 ? end : static_cast<double>(i) * width;
      out.push_back(static_cast<int64_t>(root * root) + 1);
    }
  } else {
    invalid("unknown DDIM discretization '" + method + "': expected uniform or quad");
  }
  // Steps beyond the model's last timestep: see the departure at the top of the header.
  const int64_t last = std::max<int64_t>(modelSteps - 1, 0);
  while (out.back() > last) {
    out.pop_back();
    if (out.empty() || out.back() < last) {
      out.push_back(last);
      break;
    }
  }
  return out;
}

DdimParameters makeDdimSamplingParameters(const at::Tensor& alphasCumprod, const std::vector<int64_t>& timesteps,
                                          double eta) {
  auto cumprod = alphasCumprod.to(at::kCPU, at::kFloat);
  auto index = at::tensor(timesteps, at::kLong);
  DdimParameters out;
  out.alphas = cumprod.index_select(0, index);
  out.alphasPrev = at::cat({cumprod.slice(0, 0, 1), out.alphas.slice(0, 0, -1)}).to(at::kDouble);
  // The reference mixes a float32 tensor with a float64 array: the reciprocal is float32, the products are float64.
  auto variance = (1 - out.alphas).reciprocal() * (1 - out.alphasPrev) * (1 - out.alphas / out.alphasPrev);
  out.sigmas = eta * variance.sqrt();
  return out;
}

at::Tensor alphaBarAtSteps(const at::Tensor& alphasCumprod, const std::vector<int64_t>& timesteps,
                           const at::Tensor& t) {
  const auto index = at::tensor(timesteps, at::kLong).to(t.device());
  return alphasCumprod.index_select(0, index).index_select(0, t.clamp_max(index.size(0) - 1));
}

namespace {

/// The free functions of ldm.modules.diffusionmodules.util for JavaScript.
///
/// Methods: makeBetaSchedule{schedule, n_timestep, linear_start, linear_end, cosine_s} -> {betas};
/// makeDdimTimesteps{method, steps, modelSteps} -> {timesteps};
/// makeDdimSamplingParameters{alphasCumprod, timesteps, eta} -> {sigmas, alphas, alphasPrev};
/// scheduleBuffers{the schedule's options of a DDPM} -> {buffers}, in the order of a state_dict.
class ScheduleFunctions : public Object {
 public:
  explicit ScheduleFunctions(const Value&) {
    method("makeBetaSchedule", [](const Value& a) -> Value {
      return Map{{"betas", makeBetaSchedule(a.string("schedule"), a.integer("n_timestep"), a.number("linear_start"),
                                            a.number("linear_end"), a.number("cosine_s"))}};
    });
    method("makeDdimTimesteps", [](const Value& a) -> Value {
      auto steps = makeDdimTimesteps(a.string("method"), a.integer("steps"), a.integer("modelSteps"));
      return Map{{"timesteps", Value::fromInts(steps)}};
    });
    method("makeDdimSamplingParameters", [](const Value& a) -> Value {
      auto p = makeDdimSamplingParameters(a.tensor("alphasCumprod"), a.ints("timesteps"), a.number("eta"));
      return Map{{"sigmas", p.sigmas}, {"alphas", p.alphas}, {"alphasPrev", p.alphasPrev}};
    });
    method("scheduleBuffers", [](const Value& a) -> Value {
      Map buffers;
      for (const auto& [name, tensor] : GaussianDiffusion(a).buffers()) buffers.set(name, tensor);
      return Map{{"buffers", buffers}};
    });
  }
};

REGISTER("ldm.modules.diffusionmodules.util", ScheduleFunctions);

}  // namespace
}  // namespace ldm
